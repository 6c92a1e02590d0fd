#include "control/settings.h"

#include <limits>

#include "conf/cloud.h"
#include "test/conf/conf_text.h"
#include "test/control/fakes.h"
#include "test/support/catch.h"

namespace causeway::control::test {
namespace {

using conf::testing::changed;
using conf::testing::kGood;
using conf::testing::TempDir;
constexpr auto kPrivate = std::filesystem::perms::owner_read | std::filesystem::perms::owner_write;

conf::Config config_of(const std::string& text) {
  const conf::Loaded loaded = conf::testing::load_good(text);
  INFO(conf::testing::all_of(loaded.report.errors));
  REQUIRE(loaded.ok());
  return loaded.config;
}

// The good configuration with its key file in a directory of the test's own.
struct Ready {
  explicit Ready(const std::string& text = kGood) : config(config_of(text)) {
    for (conf::Tunnel& t : config.tunnels) {
      t.psk_file = directory.write("h.psk", "a key that is long enough to pass\n", kPrivate);
    }
  }
  TempDir directory;
  conf::Config config;
};

TEST_CASE("A configuration becomes ports, peers, policies and routes") {
  Ready r;
  const auto prepared = prepare(r.config, {});
  REQUIRE(prepared);
  REQUIRE(prepared->peers.size() == 1);
  const ike::PeerSettings& peer = *prepared->peers[0];
  CHECK(peer.local == conf::Endpoint{ip("203.0.113.2"), 500});
  CHECK(peer.remote == conf::Endpoint{ip("198.51.100.7"), 500});
  CHECK(peer.psk.size() == 33);  // without its newline
  REQUIRE(peer.children.size() == 1);
  CHECK(peer.children[0].name == "hangzhou");

  const dataplane::Setup& setup = prepared->setup;
  REQUIRE(setup.ports.size() == 2);
  CHECK_FALSE(setup.ports[0].trusted);
  CHECK(setup.ports[1].trusted);
  REQUIRE(setup.table.policies.size() == 1);
  CHECK(setup.table.policies[0].selectors.remote == std::vector{net("172.17.112.0/20")});
  CHECK_FALSE(setup.table.policies[0].wake_on_traffic);
  REQUIRE(setup.table.routes.size() == 3);
}

TEST_CASE("A child for each worker is wanted with IKEv2, several workers and cores = auto") {
  const auto resources = [](std::vector<int> workers, conf::Cores cores, int version = 2) {
    Ready r;
    r.config.workers = std::move(workers);
    r.config.tunnels[0].cores = cores;
    r.config.tunnels[0].ike.version = version;
    const auto prepared = prepare(r.config, {});
    REQUIRE(prepared);
    return prepared->peers[0]->resources;
  };
  CHECK(resources({1, 2, 3}, conf::Cores::automatic) == 3);
  CHECK(resources({1, 2, 3}, conf::Cores::automatic, 1) == 1);
  CHECK(resources({}, conf::Cores::automatic) == 1);
  for (const conf::Cores other : {conf::Cores::single, conf::Cores::spread, conf::Cores::lend}) {
    CHECK(resources({1, 2}, other) == 1);
  }
}

TEST_CASE("A suite's engine may be pinned; what no engine has is named with its line") {
  const auto pinned = [](const std::string& crypto) {
    Ready r(kGood + ("crypto = ( { " + crypto + " } );\n"));
    return prepare(r.config, {});
  };
  const auto good = pinned("suite = \"aes128-sha256\"; level = \"sse\"; api = \"split\";");
  REQUIRE(good);
  REQUIRE(good->setup.crypto.size() == 1);
  CHECK(good->setup.crypto[0].suite.name() == "aes128-sha256");
  CHECK(good->setup.crypto[0].level == crypto::EspLevel::sse);
  CHECK(good->setup.crypto[0].api == crypto::EspApi::split);
  CHECK_FALSE(pinned("suite = \"aes256gcm16\"; level = \"avx2\";")->setup.crypto[0].api);
  for (const auto& [text, word] : std::vector<std::pair<std::string, std::string>>{
           {"suite = \"aes256\";", "aes256"},
           {"suite = \"rot13\";", "rot13"},
           {"suite = \"aes256gcm16\"; level = \"avx1024\";", "avx1024"},
           {"suite = \"aes256gcm16\"; api = \"fast\";", "fast"},
           {"suite = \"aes256gcm16\"; api = \"split\";", "split"}}) {
    const auto bad = pinned(text);
    REQUIRE_FALSE(bad);
    CHECK(bad.error().at(0).find("t.conf:15: crypto: ") == 0);
    CHECK(bad.error().at(0).find(word) != std::string::npos);
  }
}

TEST_CASE("The route of a prefix is the one with the least distance; others are kept, not used") {
  auto text = changed("tunnels = (", R"(routes = ( { to = "10.9.0.0/16"; via = "192.168.123.9"; distance = 5; },
            { to = "10.9.0.0/16"; via = "192.168.123.8"; },
            { to = "0.0.0.0/0"; via = "203.0.113.9"; distance = 9; } );
tunnels = ()");
  const conf::Config config = config_of(text);
  int active = 0;
  for (const RouteLine& line : make_routes(config)) {
    active += line.active ? 1 : 0;
    if (line.to.str() == "10.9.0.0/16") CHECK(line.active == (line.distance == 1));
    if (line.to.length == 0) CHECK(line.active == (line.origin == "gateway"));
  }
  CHECK(active == 4);
  const auto table = make_table(config, {});
  CHECK(table.routes.size() == 4);
  for (const auto& route : table.routes) {
    if (route.to.str() == "10.9.0.0/16") {
      CHECK(route.via == ip("192.168.123.8"));
      CHECK(route.port == 1);
    }
  }
}

TEST_CASE("Pairs of subnets become children of their own, joint ones a single child, each in its own slot") {
  auto text = changed(R"(["192.168.123.0/24"])", R"(["192.168.123.0/25", "192.168.123.128/25"])");
  text = changed(R"(["172.17.112.0/20"])", R"(["172.17.112.0/20", "172.18.0.0/16"])", text);
  Ready joint(text);
  REQUIRE(prepare(joint.config, {})->peers[0]->children.size() == 1);
  joint.config.tunnels[0].selectors = conf::SelectorShape::pairs;
  joint.config.tunnels.push_back(joint.config.tunnels[0]);
  joint.config.tunnels[1].name = "second";
  const auto prepared = prepare(joint.config, {});
  REQUIRE(prepared);
  std::set<ike::ChildSlot> slots;
  for (const auto& peer : prepared->peers) {
    REQUIRE(peer->children.size() == 4);
    CHECK(peer->children[3].name == peer->config.name + "-4");
    for (const auto& c : peer->children) slots.insert(c.slot);
  }
  CHECK(slots.size() == 8);
  CHECK(prepared->setup.table.policies.size() == 8);
}

TEST_CASE("A route-based tunnel takes what its routes name, and negotiates everything") {
  auto text = changed(R"(remote_subnets = ["172.17.112.0/20"];)",
                      R"(remote_subnets = ["0.0.0.0/0"]; routes = ["172.20.0.0/16"]; start = "traffic";)");
  text = changed(R"(local_subnets = ["192.168.123.0/24"];)", R"(local_subnets = ["0.0.0.0/0"];)", text);
  Ready r(text);
  const auto prepared = prepare(r.config, {});
  REQUIRE(prepared);
  CHECK(prepared->peers[0]->children[0].selectors.remote == std::vector{net("0.0.0.0/0")});
  const auto& policy = prepared->setup.table.policies[0];
  CHECK(policy.route_based);
  CHECK(policy.wake_on_traffic);
  CHECK(policy.selectors.remote == std::vector{net("172.20.0.0/16")});
}

TEST_CASE("Every tunnel that cannot be prepared is named, with its line") {
  Ready r;
  r.config.tunnels.push_back(r.config.tunnels[0]);
  r.config.tunnels[0].psk_file = "/nowhere/a.psk";
  r.config.tunnels[1].name = "second";
  r.config.tunnels[1].psk_file =
      r.directory.write("open.psk", "a key that all the world can read", std::filesystem::perms(0644));
  const auto prepared = prepare(r.config, {});
  REQUIRE_FALSE(prepared);
  REQUIRE(prepared.error().size() == 2);
  CHECK(prepared.error()[0].find("t.conf:") == 0);
  CHECK(prepared.error()[0].find("hangzhou") != std::string::npos);
  CHECK(prepared.error()[0].find("/nowhere/a.psk") != std::string::npos);
  CHECK(prepared.error()[1].find("second") != std::string::npos);
}

TEST_CASE("Main mode with remote any chooses its key by address alone: two different ones are refused") {
  const auto two = [](int version, conf::IkeMode mode, const char* other_key) {
    Ready r;
    conf::Tunnel& first = r.config.tunnels[0];
    first.ike.version = version;
    first.ike.mode = mode;
    first.ike.proposals = {version == 1 ? "aes128-sha256-modp2048" : "aes256gcm16-prfsha384-ecp384"};
    first.remote = "any";
    conf::Tunnel second = first;
    second.name = "second";
    second.line = 77;
    second.remote_id = "branch.example.com";
    second.psk_file = r.directory.write("second.psk", other_key, kPrivate);
    r.config.tunnels.push_back(second);
    const auto prepared = prepare(r.config, {});
    return prepared ? std::vector<std::string>{} : prepared.error();
  };
  const auto refused = two(1, conf::IkeMode::main, "a key of its own, long enough as well\n");
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].find("t.conf:77: tunnels.second.psk_file: main mode chooses its key by the peer's address") == 0);
  CHECK(refused[0].find("hangzhou") != std::string::npos);
  CHECK(two(1, conf::IkeMode::main, "a key that is long enough to pass\n").empty());
  CHECK(two(1, conf::IkeMode::aggressive, "a key of its own, long enough as well\n").empty());
  CHECK(two(2, conf::IkeMode::main, "a key of its own, long enough as well\n").empty());
}

TEST_CASE("Proposals are judged by what their algorithms are") {
  conf::Tunnel tunnel;
  using Kind = conf::ProposalKind;
  CHECK_FALSE(check_proposal(Kind::ike, "aes256gcm16-prfsha384-ecp384", tunnel));
  CHECK_FALSE(check_proposal(Kind::esp, "aes128-sha256", tunnel));
  CHECK(check_proposal(Kind::esp, "aes128", tunnel));
  CHECK(check_proposal(Kind::esp, "aes128-sha512-blowfish", tunnel));
  CHECK(check_proposal(Kind::esp, "3des-sha1", tunnel)->find("legacy") != std::string::npos);
  tunnel.legacy = true;
  CHECK_FALSE(check_proposal(Kind::esp, "3des-sha1", tunnel));
}

TEST_CASE("An SA's soft limits lie below its hard ones by a share that differs from SA to SA") {
  auto s = settings();
  auto sa = *child_sa(*s, 0x2000, 0);
  sa.encryption_in = crypto::Secret(std::vector<std::uint8_t>(36, 1));
  sa.encryption_out = crypto::Secret(std::vector<std::uint8_t>(36, 2));
  conf::Tunnel tunnel;
  tunnel.esp.bytes = 1'800'000'000;
  tunnel.esp.packets = 1000;
  crypto::SeededRandom random(1);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 50; ++i) {
    const auto spec = make_sa(sa, dataplane::Direction::outbound, tunnel, random);
    CHECK(spec.spi == sa.spi_out);
    CHECK(spec.encryption_key == sa.encryption_out);
    CHECK(spec.hard_bytes == tunnel.esp.bytes);
    CHECK(spec.soft_bytes >= spec.hard_bytes / 100 * 79);
    CHECK(spec.soft_bytes < spec.hard_bytes / 100 * 91);
    CHECK(spec.soft_packets >= 800);
    CHECK(spec.soft_packets < 900);
    seen.insert(spec.soft_bytes);
  }
  CHECK(seen.size() > 10);
  const auto in = make_sa(sa, dataplane::Direction::inbound, tunnel, random);
  CHECK(in.spi == sa.spi_in);
  CHECK(in.encryption_key == sa.encryption_in);
  CHECK(in.replay_window == 2048);
}

TEST_CASE("Without limits of packets, the sequence number is one, unless it is extended") {
  auto s = settings();
  auto sa = *child_sa(*s, 0x2000, 0);
  crypto::SeededRandom random(1);
  const auto plain = make_sa(sa, dataplane::Direction::outbound, {}, random);
  CHECK(plain.hard_packets == std::numeric_limits<std::uint32_t>::max());
  CHECK(plain.soft_packets > plain.hard_packets / 4 * 3);
  CHECK(plain.soft_packets < plain.hard_packets);
  CHECK(plain.hard_bytes == 0);
  CHECK(plain.soft_bytes == 0);
  sa.suite.esn = true;
  CHECK(make_sa(sa, dataplane::Direction::outbound, {}, random).hard_packets == 0);
}

TEST_CASE("What the cloud profiles propose, and every word that they say a cloud takes, exists here") {
  for (const std::string_view name : conf::CloudBook::names()) {
    INFO(name);
    const std::string text =
        conf::testing::changed("    psk_file", "    cloud = \"" + std::string(name) + "\"; psk_file");
    const conf::Loaded loaded = conf::load_text(
        text, "t.conf", {.check_proposal = check_proposal, .check_files = false});
    INFO(conf::testing::all_of(loaded.report.errors));
    CHECK(loaded.ok());
    const std::string old = conf::testing::changed("psk_file", "ike = { version = 1; }; psk_file", text);
    const conf::Loaded version_1 = conf::load_text(
        old, "t.conf", {.check_proposal = check_proposal, .check_files = false});
    INFO(conf::testing::all_of(version_1.report.errors));
    CHECK(version_1.ok());
    conf::CloudBook clouds;
    const conf::Cloud& cloud = *clouds.find(name);
    conf::Tunnel legacy;
    legacy.legacy = true;
    for (const auto& [kind, phase] :
         {std::pair{conf::ProposalKind::ike, &cloud.ike}, {conf::ProposalKind::esp, &cloud.esp}}) {
      const auto exists = [&, kind = kind](const std::string& proposal) {
        INFO(proposal);
        CHECK_FALSE(check_proposal(kind, proposal, legacy).has_value());
      };
      const bool ike = kind == conf::ProposalKind::ike;
      for (const std::string& cipher : phase->encryption) {
        const bool aead = cipher.find("gcm") != std::string::npos;
        exists(cipher + (aead ? ike ? "-prfsha256" : "" : "-sha256") + "-modp2048");
      }
      for (const std::string& hash : phase->integrity) exists("aes128-" + hash + "-modp2048");
      for (const std::string& group : phase->groups) exists("aes128-sha256-" + group);
    }
  }
}

}  // namespace
}  // namespace causeway::control::test

// What a worker remembers of flows (flow_cache.h): never anything but what was put in, nothing after a change, and
// identical packets meet each change of tables, neighbors and SAs at once, cached or not.
#include <map>

#include "dataplane/flow_cache.h"
#include "test/dataplane/gateway_lab.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

constexpr const char* kHere = "10.1.0.5";
constexpr const char* kThere = "10.2.0.7";

struct ChangingLab : GatewayLab {
  TableSpec table;  // as published last
  std::uint64_t tokens = 1000;

  ChangingLab() {
    add_tunnel();
    PolicySpec policy;
    policy.tunnel = policy.child = 0;
    policy.selectors = selectors();
    table.policies.push_back(policy);
  }
  static conf::SelectorSet selectors() {
    return {{conf::Selector::of(*conf::Prefix::parse("10.1.0.0/16"))},
            {conf::Selector::of(*conf::Prefix::parse("10.2.0.0/16"))}};
  }
  static PolicySpec exception(PolicySpec::Action action, const std::string& local, const std::string& remote) {
    PolicySpec policy;
    policy.action = action;
    policy.selectors = {{conf::Selector::of(*conf::Prefix::parse(local))},
                        {conf::Selector::of(*conf::Prefix::parse(remote))}};
    return policy;
  }
  void publish() { REQUIRE(gateway().publish(table)); }

  // Another SA in place of the tunnel's, installed beside the one before it, whose SPI is returned.
  std::uint32_t renew(Direction direction, std::uint8_t fill) {
    const bool in = direction == Direction::inbound;
    ReferenceSa& reference = in ? tunnels()[0].to_us : tunnels()[0].from_us;
    const std::uint32_t before = reference.spi;
    reference.key.assign(20, fill);
    reference.spi = in ? gateway().allocate_spi(0) : before + 1;
    SaSpec spec;
    spec.direction = direction;
    spec.spi = reference.spi;
    spec.suite = {crypto::Encryption::aes_gcm_16, 128, crypto::Integrity::none, false};
    spec.encryption_key = crypto::Secret(reference.key);
    spec.selectors = selectors();
    spec.local = {*conf::IpAddress::parse("192.0.2.1"), 4500};
    spec.remote = {*conf::IpAddress::parse("192.0.2.100"), 4500};
    const std::uint64_t token = ++tokens;
    gateway().install(std::move(spec), token);
    REQUIRE(run([&] {
      return std::any_of(events().begin(), events().end(), [&](const Event& e) {
        const auto* installed = std::get_if<Installed>(&e);
        return installed != nullptr && installed->token == token && installed->ok;
      });
    }));
    if (in) tunnels()[0].sent = 0;
    return before;
  }
  void remove(Direction direction, std::uint32_t spi) {
    gateway().remove(direction, spi, 0);
    REQUIRE(run([&] {
      return std::any_of(events().begin(), events().end(), [&](const Event& e) {
        const auto* retired = std::get_if<Retired>(&e);
        return retired != nullptr && retired->spi == spi && retired->direction == direction;
      });
    }));
  }

  static Bytes packet(bool out) {
    return udp_packet({.source = out ? kHere : kThere, .destination = out ? kThere : kHere}, 1, 2, counting(40));
  }
  // One packet out of the site; what left, encrypted by the tunnel's current SA ("tunnel"), else how it fared.
  std::string send() {
    const auto before = gateway().drops();
    give_ip(1, packet(true));
    settle();
    return fate(before, [this](const Bytes& left) {
      const auto opened = reference_open(tunnels()[0].from_us, left);
      return opened.error.empty() ? "tunnel" : left[9] == 50 ? "another SA" : "clear";
    });
  }
  // One packet from the peer by the SA that it has of us.
  std::string receive(const ReferenceSa& sa, std::uint64_t sequence) {
    const auto before = gateway().drops();
    give_ip(0, reference_seal(sa, sequence, packet(false)));
    settle();
    return fate(before, [](const Bytes& left) { return left[9] == 50 ? "ESP" : "delivered"; });
  }
  std::string receive() { return receive(tunnels()[0].to_us, ++tunnels()[0].sent); }

 private:
  std::string fate(const std::map<std::string, std::uint64_t>& before,
                   const std::function<std::string(const Bytes&)>& judge) {
    std::string text;
    for (const std::size_t port : {0, 1}) {
      for (const Bytes& left : out(port)) text += judge(left);
      out(port).clear();
    }
    for (const auto& [name, count] : gateway().drops())
      if (count != before.at(name)) text += name;
    return text;
  }
};

Bytes header(std::uint32_t from, std::uint32_t to) {
  Bytes ip(20);
  std::memcpy(ip.data() + 12, &from, 4);
  std::memcpy(ip.data() + 16, &to, 4);
  return ip;
}

}  // namespace

TEST_CASE("A flow cache gives back what was put in for the very key, or nothing, and nothing after a change") {
  ChangingLab with_memory;  // (the cache lies in DPDK's)
  FlowCache cache(0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, -1);
  std::mt19937_64 random(3);
  std::vector<NeighborTable::Entry> neighbors(64);
  std::map<std::uint64_t, std::size_t> known;  // by addresses
  std::size_t found = 0, asked = 0;
  for (std::uint64_t state = 1; state <= 5; ++state) {
    cache.at(1, state);  // of neighbors: that is what is put in
    known.clear();
    for (int i = 0; i < 60'000; ++i) {
      // 20,000 flows, some much more often than others
      const auto from = static_cast<std::uint32_t>(random() % 4 == 0 ? random() % 20'000 : random() % 200);
      const Bytes ip = header(from, from * 7919);
      const auto key = FlowCache::Key::decrypted(ip.data());
      const auto* neighbor = cache.neighbor(key);
      const auto it = known.find(from);
      if (it != known.end()) ++asked;
      if (neighbor != nullptr) {
        REQUIRE(it != known.end());
        REQUIRE(neighbor == &neighbors[it->second]);
        ++found;
      } else {
        const std::size_t n = random() % neighbors.size();
        cache.put(key, neighbors[n]);
        known[from] = n;
      }
      CHECK(cache.outbound(FlowCache::Key::clear(ip.data(), 0)) == nullptr);
      CHECK(cache.inbound(FlowCache::Key::esp(ip.data(), 0, false, 1)) == nullptr);
    }
  }
  CHECK(found > asked * 95 / 100);  // the others gave way to flows of the same set
}

TEST_CASE("Keys differ by addresses, direction, port, encapsulation and SPI") {
  ChangingLab with_memory;
  FlowCache cache(1, 2, -1);
  cache.at(1, 1);
  const Bytes ip = header(1, 2), back = header(2, 1);
  auto* one = reinterpret_cast<InboundSa*>(64);
  cache.put(FlowCache::Key::esp(ip.data(), 3, false, 500), *one);
  CHECK(cache.inbound(FlowCache::Key::esp(ip.data(), 3, false, 500)) == one);
  CHECK(cache.inbound(FlowCache::Key::esp(back.data(), 3, false, 500)) == nullptr);
  CHECK(cache.inbound(FlowCache::Key::esp(ip.data(), 4, false, 500)) == nullptr);
  CHECK(cache.inbound(FlowCache::Key::esp(ip.data(), 3, true, 500)) == nullptr);
  CHECK(cache.inbound(FlowCache::Key::esp(ip.data(), 3, false, 501)) == nullptr);
  CHECK(cache.outbound(FlowCache::Key::clear(ip.data(), 3)) == nullptr);
  cache.at(2, 1);
  CHECK(cache.inbound(FlowCache::Key::esp(ip.data(), 3, false, 500)) == nullptr);
}

TEST_CASE("A change of neighbors voids what leads to neighbors, one of decisions voids all") {
  ChangingLab with_memory;
  FlowCache cache(1, 2, -1);
  const NeighborTable::Entry neighbor;
  auto* in = reinterpret_cast<InboundSa*>(64);
  auto* out = reinterpret_cast<OutboundSa*>(128);
  const Bytes ip = header(1, 2);
  std::mt19937_64 random(5);
  std::uint64_t decisions = 1, neighbors = 1;
  bool to_sas = false, to_neighbor = false;
  cache.at(decisions, neighbors);
  for (int i = 0; i < 2000; ++i) {
    switch (random() % 4) {
      case 0:
        ++decisions;
        to_sas = to_neighbor = false;
        break;
      case 1:
        ++neighbors;
        to_neighbor = false;
        break;
      case 2:
        cache.put(FlowCache::Key::esp(ip.data(), 3, false, 500), *in);
        cache.put(FlowCache::Key::clear(ip.data(), 3), *out);
        to_sas = true;
        break;
      default:
        cache.put(FlowCache::Key::decrypted(ip.data()), neighbor);
        to_neighbor = true;
    }
    cache.at(decisions, neighbors);
    REQUIRE(cache.inbound(FlowCache::Key::esp(ip.data(), 3, false, 500)) == (to_sas ? in : nullptr));
    REQUIRE(cache.outbound(FlowCache::Key::clear(ip.data(), 3)) == (to_sas ? out : nullptr));
    REQUIRE(cache.neighbor(FlowCache::Key::decrypted(ip.data())) == (to_neighbor ? &neighbor : nullptr));
  }
}

TEST_CASE("Identical packets out of the site meet every change of policies, routes and SAs at once") {
  ChangingLab lab;
  const auto twice = [&lab](const std::string& wanted) {
    CHECK(lab.send() == wanted);
    CHECK(lab.send() == wanted);  // from memory, where it is remembered
  };
  twice("tunnel");

  SECTION("a policy before the tunnel's") {
    const auto discard = ChangingLab::exception(PolicySpec::Action::discard, "10.1.0.0/16", "10.2.0.0/24");
    lab.table.policies.insert(lab.table.policies.begin(), discard);
    lab.publish();
    twice("policy_discard");
    lab.table.policies.erase(lab.table.policies.begin());
    lab.publish();
    twice("tunnel");
  }
  SECTION("a network that is reached in clear") {
    lab.table.routes.push_back({*conf::Prefix::parse("10.2.0.0/24"), *conf::IpAddress::parse("10.1.0.9"), 1});
    lab.publish();
    twice("clear");
  }
  SECTION("no policy: nothing says where to") {
    lab.table.policies.clear();
    lab.publish();
    CHECK(lab.send() == "clearno_route");  // and the sender is told, in clear
  }
  SECTION("an SA that takes over, and goes again") {
    const std::uint32_t before = lab.renew(Direction::outbound, 7);
    twice("tunnel");
    lab.remove(Direction::outbound, before);
    twice("tunnel");
    lab.remove(Direction::outbound, lab.tunnels()[0].from_us.spi);
    twice("no_sa");
    lab.renew(Direction::outbound, 8);
    twice("tunnel");
  }
  SECTION("the one before is current again when the newest goes") {
    const ReferenceSa old = lab.tunnels()[0].from_us;
    lab.renew(Direction::outbound, 9);
    twice("tunnel");
    lab.remove(Direction::outbound, lab.tunnels()[0].from_us.spi);
    lab.tunnels()[0].from_us = old;
    twice("tunnel");
  }
  SECTION("where the peer is") {
    lab.gateway().update_endpoints(lab.tunnels()[0].from_us.spi, 0, {*conf::IpAddress::parse("192.0.2.1"), 4500},
                                   {*conf::IpAddress::parse("192.0.2.77"), 4500});
    lab.tunnels()[0].from_us.destination = ip_address("192.0.2.77");
    twice("tunnel");
  }
}

TEST_CASE("Identical packets from the peer meet every change of policies, routes and SAs at once") {
  ChangingLab lab;
  const auto twice = [&lab](const std::string& wanted) {
    CHECK(lab.receive() == wanted);
    CHECK(lab.receive() == wanted);
  };
  twice("delivered");

  SECTION("a policy for what comes out of the tunnel") {
    // asked the way that the packet goes: local is where it comes from
    const auto discard = ChangingLab::exception(PolicySpec::Action::discard, "10.2.0.0/16", "10.1.0.5/32");
    lab.table.policies.insert(lab.table.policies.begin(), discard);
    lab.publish();
    twice("policy_discard");
    lab.table.policies.erase(lab.table.policies.begin());
    lab.publish();
    twice("delivered");
  }
  SECTION("an SA beside it, then the old one gone") {
    const ReferenceSa old = lab.tunnels()[0].to_us;
    std::uint64_t sent = lab.tunnels()[0].sent;
    lab.renew(Direction::inbound, 7);
    twice("delivered");
    CHECK(lab.receive(old, ++sent) == "delivered");
    lab.remove(Direction::inbound, old.spi);
    CHECK(lab.receive(old, ++sent) == "unknown_spi");
    CHECK(lab.receive(old, ++sent) == "unknown_spi");
    twice("delivered");
    lab.remove(Direction::inbound, lab.tunnels()[0].to_us.spi);
    twice("unknown_spi");
  }
  SECTION("a neighbor that moved") {
    lab.neighbor_mac = mac_address("02:00:00:00:00:aa");  // frames to another one fail the test
    const Bytes asker = lab.mac(1);
    lab.give(1, ethernet(asker, lab.neighbor_mac, 0x0806, arp(false, lab.neighbor_mac, kHere, asker, "10.1.0.1")));
    const auto learned = [&lab] {
      for (const NeighborStatus& n : lab.gateway().neighbors())
        if (n.address == kHere && n.mac == "02:00:00:00:00:aa") return true;
      return false;
    };
    REQUIRE(lab.run(learned));
    twice("delivered");
  }
}

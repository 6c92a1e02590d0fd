// Two whole control planes, joined by a wire that misbehaves, under virtual time. Only the data paths are
// fakes: SAs must agree in keys, and what one side sends on must be what the other side takes.
#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "control/controller.h"
#include "test/control/fake_dataplane.h"
#include "test/control/fakes.h"
#include "test/support/catch.h"

namespace causeway::control::test {
namespace {

struct Side {
  Side(Wire& wire, const char* own, std::shared_ptr<ike::PeerSettings> peer, std::uint64_t seed)
      : Side(wire, own, std::vector<PeerSettingsPtr>{std::move(peer)}, seed) {}
  Side(Wire& wire, const char* own, const std::vector<PeerSettingsPtr>& peers, std::uint64_t seed)
      : plane(wire, static_cast<std::uint32_t>(seed) << 16), random(seed), log(Level::info, Log::To::memory) {
    wire.attach(ip(own), plane);
    for (const auto& peer : peers) config.tunnels.push_back(peer->config);
    config.state_dir.clear();  // nothing is kept
    controller = std::make_unique<Controller>(config, peers, plane, real_engine(), random, log);
  }
  [[nodiscard]] const Tunnel& tunnel(std::size_t i = 0) const { return *controller->gateway().tunnels()[i]; }
  [[nodiscard]] bool up() const { return tunnel().state() == TunnelState::established; }

  FakeDataplane plane;
  crypto::SeededRandom random;
  Log log;
  conf::Config config;
  std::unique_ptr<Controller> controller;
};

std::shared_ptr<ike::PeerSettings> site(const char* own, const char* other, const char* net_own, const char* net_other,
                                        conf::Start start) {
  auto s = std::make_shared<ike::PeerSettings>();
  s->config.name = "net";
  s->config.start = start;
  s->config.remote = other;
  s->config.ike.proposals = {"aes256gcm16-prfsha384-ecp256"};
  s->config.esp.proposals = {"aes256gcm16"};
  s->config.local_subnets = {net(net_own)};
  s->config.remote_subnets = {net(net_other)};
  s->local = {ip(own), 500};
  s->remote = conf::Endpoint{ip(other), 500};
  const std::string psk = "a shared key that is long enough";
  s->psk = crypto::Secret(std::span(reinterpret_cast<const std::uint8_t*>(psk.data()), psk.size()));
  s->children = {{0, "net", {s->config.local_subnets, s->config.remote_subnets}}};
  return s;
}

struct Pair {
  using Change = std::function<void(ike::PeerSettings& a, ike::PeerSettings& b)>;
  explicit Pair(std::uint64_t seed, WireFaults faults = {}, conf::Start start_a = conf::Start::now,
                conf::Start start_b = conf::Start::wait, const Change& change = nullptr)
      : wire(seed, faults) {
    auto settings_a = site("198.51.100.2", "203.0.113.2", "10.1.0.0/16", "10.2.0.0/16", start_a);
    auto settings_b = site("203.0.113.2", "198.51.100.2", "10.2.0.0/16", "10.1.0.0/16", start_b);
    if (change) change(*settings_a, *settings_b);
    a = std::make_unique<Side>(wire, "198.51.100.2", settings_a, seed * 2 + 1);
    b = std::make_unique<Side>(wire, "203.0.113.2", settings_b, seed * 2 + 2);
  }
  void begin() {
    a->controller->begin(now);
    b->controller->begin(now);
  }
  // One step of 1 ms; whatever happens, what one sends on the other takes.
  void step() {
    now += 1ms;
    wire.deliver(now);
    a->controller->step(now);
    b->controller->step(now);
    if (packet_delay != 0ms) {
      exchange_packets(*a, *b);
      exchange_packets(*b, *a);
    }
  }
  // A packet every millisecond, on whatever SA is in use; it arrives no sooner than a message sent before it.
  void exchange_packets(const Side& from, const Side& to) {
    auto& road = roads[&to];
    for (std::uint16_t worker = 0; worker < workers; ++worker) {
      if (const auto* sa = from.plane.sends_with(0, worker)) road.emplace_back(now + packet_delay, sa->spi);
    }
    for (; !road.empty() && road.front().first <= now; road.pop_front()) {
      ++(to.plane.receiving.contains(road.front().second) ? packets_taken : packets_lost);
    }
  }
  // Steps until the condition holds; false where it does not within `limit`.
  bool run(Time limit, const std::function<bool()>& until) {
    const Time end = now + limit;
    while (now < end) {
      if (until()) return true;
      step();
    }
    return until();
  }
  void run(Time duration) {
    run(duration, [] { return false; });
  }
  [[nodiscard]] bool both_up() const { return a->up() && b->up(); }
  [[nodiscard]] bool both_agree() const {
    const auto* from_a = a->plane.sends_with(0);
    const auto* from_b = b->plane.sends_with(0);
    return from_a != nullptr && from_b != nullptr && b->plane.takes(*from_a) && a->plane.takes(*from_b);
  }

  Wire wire;
  Time now{1000};
  Time packet_delay{0};  // 0: no packets
  std::uint16_t workers = 1;  // that send them
  std::map<const Side*, std::deque<std::pair<Time, std::uint32_t>>> roads;
  std::uint64_t packets_taken = 0, packets_lost = 0;
  std::unique_ptr<Side> a, b;
};

TEST_CASE("Two gateways come up in two exchanges, agree on keys, and know who began") {
  Pair p(1);
  p.begin();
  REQUIRE(p.run(1s, [&] { return p.both_up(); }));
  p.run(20ms);
  CHECK(p.both_agree());
  CHECK(p.wire.carried == 4);
  CHECK(p.a->tunnel().ike_status()->initiator);
  CHECK_FALSE(p.b->tunnel().ike_status()->initiator);
}

TEST_CASE("With messages lost, repeated, damaged and reordered, two gateways come up all the same") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    INFO("seed " << seed);
    Pair p(seed, {.lose = 20, .repeat = 20, .damage = 10, .least_delay = 1, .most_delay = 300});
    p.begin();
    REQUIRE(p.run(15min, [&] { return p.both_up() && p.both_agree(); }));
  }
}

TEST_CASE("Both sides begin at once: one IKE SA remains, and not one packet is lost") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    INFO("seed " << seed);
    Pair p(seed, {.least_delay = 1, .most_delay = 1 + static_cast<std::uint32_t>(seed) * 20}, conf::Start::now,
           conf::Start::now);
    p.packet_delay = Time(p.wire.faults.most_delay + 4);
    p.begin();
    REQUIRE(p.run(10s, [&] { return p.both_up() && p.both_agree(); }));
    REQUIRE(p.run(
        60s, [&] { return p.a->controller->gateway().ike_sas() == 1 && p.b->controller->gateway().ike_sas() == 1; }));
    p.run(10s);
    CHECK(p.both_up());
    CHECK(p.both_agree());
    CHECK(p.a->plane.inbound.size() == 1);
    CHECK(p.b->plane.inbound.size() == 1);
    CHECK(p.a->tunnel().counts().established <= 2);
    CHECK(p.packets_lost == 0);
    CHECK(p.packets_taken > 20000);
  }
}

TEST_CASE("A side that began while nobody was there yet: one IKE SA remains, and not one packet is lost") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    INFO("seed " << seed);
    Pair p(seed, {.lose = 100, .least_delay = 1, .most_delay = 1 + static_cast<std::uint32_t>(seed) * 5},
           conf::Start::now, conf::Start::now);
    p.packet_delay = Time(1);  // less than messages take: what is sent too early is lost
    p.b->controller->begin(p.now);
    p.run(600ms);
    p.wire.faults.lose = 0;
    p.a->controller->begin(p.now);
    REQUIRE(p.run(10s, [&] { return p.both_up() && p.both_agree(); }));
    p.run(100ms);
    const std::uint64_t lost_before = p.packets_lost;  // while the first answer that brings the tunnel up was under way
    p.run(90s);
    CHECK(p.a->controller->gateway().ike_sas() == 1);
    CHECK(p.b->controller->gateway().ike_sas() == 1);
    CHECK(p.both_up());
    CHECK(p.both_agree());
    CHECK(p.a->tunnel().counts().established == 2);
    CHECK(p.packets_lost == lost_before);
    CHECK(p.packets_taken > 20000);
  }
}

TEST_CASE("Reauthentication makes before it breaks: new IKE SAs, all children on them, and not one packet lost") {
  for (const bool both : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      INFO("seed " << seed << ", " << (both ? "wished by both" : "wished by the initiator"));
      Pair p(seed, {.least_delay = 1, .most_delay = 1 + static_cast<std::uint32_t>(seed) * 20}, conf::Start::now,
             conf::Start::wait, [&](auto& a, auto& b) {
               for (auto* s : {&a, &b}) {
                 s->config.ike.lifetime = conf::Seconds{60};
                 s->config.ike.reauth = both || s == &a;
               }
               if (!both) b.config.ike.lifetime = conf::Seconds{0};  // nor rekeyed by it
             });
      p.packet_delay = Time(p.wire.faults.most_delay + 4);
      p.begin();
      REQUIRE(p.run(10s, [&] { return p.both_up() && p.both_agree(); }));
      for (int i = 0; i < 3; ++i) {
        const auto before = p.a->tunnel().ike_status()->spi_initiator;
        REQUIRE(p.run(60s, [&] { return p.a->tunnel().ike_status()->spi_initiator != before; }));
        REQUIRE(p.both_up());
      }
      p.run(20s);
      CHECK(p.both_agree());
      CHECK(p.a->controller->gateway().ike_sas() == 1);
      CHECK(p.b->controller->gateway().ike_sas() == 1);
      CHECK(p.a->tunnel().counts().established >= 4);
      CHECK(p.packets_lost == 0);
    }
  }
}

TEST_CASE("A reauthentication that the peer refuses leaves the tunnel up, and is tried again") {
  Pair p(2, {}, conf::Start::now, conf::Start::wait, [](auto& a, auto& b) {
    a.config.ike.dpd.idle = b.config.ike.dpd.idle = conf::Seconds{0};
    a.config.ike.lifetime = conf::Seconds{300};
    a.config.ike.reauth = true;
  });
  p.begin();
  REQUIRE(p.run(1s, [&] { return p.both_up(); }));
  p.wire.faults.lose = 100;
  REQUIRE(p.run(300s, [&] { return p.a->tunnel().counts().attempts_failed > 0; }));
  CHECK(p.a->up());
  p.wire.faults.lose = 0;
  REQUIRE(p.run(60s, [&] { return p.a->tunnel().counts().established == 2; }));
  p.run(20s);
  CHECK(p.both_agree());
  CHECK(p.a->controller->gateway().ike_sas() == 1);
}

// --- RFC 9611 ------------------------------------------------------------------------------------------------------

void workers(ike::PeerSettings& a, ike::PeerSettings& b, ike::Resource of_a, ike::Resource of_b) {
  a.resources = of_a;
  b.resources = of_b;
}

std::vector<std::string> names(const Side& side) {
  std::vector<std::string> out;
  for (const auto& live : side.tunnel().live_children()) out.push_back(side.tunnel().child_name(live.sa->child));
  return out;
}

// What each worker sends with, which is another SA for each, and whether the other side takes it.
std::set<std::uint32_t> own_spis(const Side& from, const Side& to, std::uint16_t workers) {
  std::set<std::uint32_t> spis;
  for (std::uint16_t worker = 0; worker < workers; ++worker) {
    const auto* sa = from.plane.sends_with(0, worker);
    REQUIRE(sa != nullptr);
    CHECK(to.plane.takes(*sa));
    CHECK(sa->child == 0);
    spis.insert(sa->spi);
  }
  return spis;
}

TEST_CASE("A child for each worker where both sides want it, one after the other, and none is lost by a rekey") {
  Pair p(7, {}, conf::Start::now, conf::Start::wait, [](auto& a, auto& b) { workers(a, b, 3, 2); });
  p.packet_delay = 10ms;
  p.workers = 3;
  p.begin();
  REQUIRE(p.run(5s, [&] { return p.a->tunnel().live_children().size() == 3; }));
  p.run(10s);
  CHECK(names(*p.a) == std::vector<std::string>{"net", "net/1", "net/2"});
  CHECK(names(*p.b) == std::vector<std::string>{"net", "net/1", "net/2"});
  auto before = own_spis(*p.a, *p.b, 3);
  CHECK(before.size() == 3);
  CHECK(own_spis(*p.b, *p.a, 2).size() == 2);
  CHECK(p.a->plane.table.policies.size() <= 1);
  CHECK(p.a->tunnel().configured_children().size() == 1);
  for (Side* side : {p.a.get(), p.b.get()}) {
    side->controller->rekey("net", AdminBackend::RekeyWhat::all_children, "", [](const Outcome&) {});
    p.run(20s);
    const auto after = own_spis(*p.a, *p.b, 3);
    CHECK(after.size() == 3);
    for (const std::uint32_t spi : after) CHECK_FALSE(before.contains(spi));
    before = after;
    side->controller->rekey("net", AdminBackend::RekeyWhat::ike, "", [](const Outcome&) {});
    p.run(20s);
    CHECK(own_spis(*p.a, *p.b, 3) == before);
    CHECK(own_spis(*p.b, *p.a, 2).size() == 2);
  }
  CHECK(p.packets_lost == 0);
  CHECK(p.a->plane.inbound.size() == 3);
  CHECK(p.b->plane.inbound.size() == 3);
  const auto created = p.a->tunnel().counts().children_created;
  p.run(5min);
  CHECK(p.a->tunnel().counts().children_created == created);
  p.packet_delay = 0ms;
  p.b->controller->down("net", [](const Outcome&) {});
  p.a->controller->down("net", [](const Outcome&) {});
  p.run(10s);
  CHECK(p.a->plane.empty());
  CHECK(p.b->plane.empty());
  p.b->controller->up("net", [](const Outcome&) {});
  p.a->controller->up("net", [](const Outcome&) {});
  p.run(10s);
  CHECK(own_spis(*p.a, *p.b, 3).size() == 3);
}

TEST_CASE("The side that answers asks for what its workers lack when the other side had its turn") {
  Pair p(8, {}, conf::Start::now, conf::Start::wait, [](auto& a, auto& b) { workers(a, b, 2, 4); });
  p.begin();
  REQUIRE(p.run(2s, [&] { return p.a->tunnel().live_children().size() == 2; }));
  p.run(20s);
  CHECK(own_spis(*p.b, *p.a, 4).size() == 4);
  CHECK(p.a->tunnel().live_children().size() == 4);
}

TEST_CASE("A peer that does not want children for each worker is not asked for them") {
  for (const bool us : {false, true}) {
    Pair p(9, {}, conf::Start::now, conf::Start::wait, [&](auto& a, auto& b) { workers(a, b, us ? 2 : 1, us ? 1 : 2); });
    p.begin();
    REQUIRE(p.run(2s, [&] { return p.both_up(); }));
    p.run(5min);
    for (const Side* side : {p.a.get(), p.b.get()}) {
      CHECK(side->tunnel().live_children().size() == 1);
      CHECK(side->tunnel().counts().children_created == 1);
      CHECK(side->tunnel().counts().children_failed == 0);
    }
    CHECK(p.both_agree());
  }
}

TEST_CASE("Reauthentication takes the children of all workers along, and loses none of their packets") {
  for (const bool both : {false, true}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      INFO("seed " << seed << ", " << (both ? "wished by both" : "wished by the initiator"));
      Pair p(seed, {.least_delay = 1, .most_delay = 1 + static_cast<std::uint32_t>(seed) * 20}, conf::Start::now,
             conf::Start::wait, [&](auto& a, auto& b) {
               workers(a, b, 3, 3);
               for (auto* s : {&a, &b}) {
                 s->config.ike.lifetime = conf::Seconds{90};
                 s->config.ike.reauth = both || s == &a;
               }
               if (!both) b.config.ike.lifetime = conf::Seconds{0};  // nor rekeyed by it
             });
      p.packet_delay = Time(p.wire.faults.most_delay + 4);
      p.workers = 3;
      p.begin();
      REQUIRE(p.run(10s, [&] { return p.both_up() && p.both_agree(); }));
      for (int i = 0; i < 2; ++i) {
        const auto before = p.a->tunnel().ike_status()->spi_initiator;
        REQUIRE(p.run(90s, [&] { return p.a->tunnel().ike_status()->spi_initiator != before; }));
        REQUIRE(p.both_up());
      }
      p.run(30s);
      CHECK(own_spis(*p.a, *p.b, 3).size() == 3);
      CHECK(own_spis(*p.b, *p.a, 3).size() == 3);
      CHECK(p.a->controller->gateway().ike_sas() == 1);
      CHECK(p.b->controller->gateway().ike_sas() == 1);
      CHECK(p.packets_lost == 0);
    }
  }
}

TEST_CASE("What the peer narrowed away is asked for once as a further child, and the policy follows") {
  for (const bool granted : {true, false}) {
    INFO("the peer " << (granted ? "has it as a child of its own" : "does not have it"));
    Pair p(4, {}, conf::Start::now, conf::Start::wait, [&](auto& a, auto& b) {
      a.config.remote_subnets.push_back(net("10.3.0.0/16"));
      a.children[0].selectors.remote = a.config.remote_subnets;
      if (granted) b.children.push_back({1, "net-2", {{net("10.3.0.0/16")}, b.config.remote_subnets}});
    });
    p.begin();
    REQUIRE(p.run(1s, [&] { return p.both_up(); }));
    p.run(10s);
    CHECK(p.a->tunnel().live_children().size() == (granted ? 2 : 1));
    REQUIRE(p.a->plane.table.policies.size() == (granted ? 3 : 2));
    const auto& last = p.a->plane.table.policies.back();
    CHECK(last.child == dataplane::kMaxChildSlots - 1);  // what no child carries goes nowhere
    CHECK(last.selectors.remote.size() == 2);
    bool named = false;
    for (const auto& line : p.a->log.recent()) named = named || line.text.find("10.3.0.0/16") != std::string::npos;
    CHECK(named);
    const auto created = p.a->tunnel().counts().children_created + p.a->tunnel().counts().children_failed;
    p.run(5min);
    CHECK(p.a->tunnel().counts().children_created + p.a->tunnel().counts().children_failed == created);
    // Down and up again: parts come back, and none is left over.
    p.a->controller->down("net", [](const Outcome&) {});
    p.run(10s);
    CHECK(p.a->plane.empty());
    CHECK(p.a->plane.table.policies.size() == 1);
    p.a->controller->up("net", [](const Outcome&) {});
    p.run(10s);
    CHECK(p.a->tunnel().live_children().size() == (granted ? 2 : 1));
  }
}

TEST_CASE("Two networks in one child here are two children to a peer that asks for them one by one") {
  Pair p(5, {}, conf::Start::now, conf::Start::wait, [&](auto& a, auto& b) {
    a.children = {{0, "one", {a.config.local_subnets, {net("10.2.0.0/17")}}},
                  {1, "two", {a.config.local_subnets, {net("10.2.128.0/17")}}}};
    b.config.local_subnets = {net("10.2.0.0/17"), net("10.2.128.0/17")};
    b.children[0].selectors.local = b.config.local_subnets;
  });
  p.begin();
  REQUIRE(p.run(2s, [&] { return p.a->tunnel().live_children().size() == 2; }));
  p.run(10s);
  REQUIRE(p.b->tunnel().live_children().size() == 2);
  CHECK(p.b->tunnel().live_children()[0].sa->child != p.b->tunnel().live_children()[1].sa->child);
  CHECK(p.b->plane.table.policies.size() == 3);
  CHECK(p.b->plane.inbound.size() == 2);
  p.a->controller->rekey("net", AdminBackend::RekeyWhat::all_children, "", [](const Outcome&) {});
  p.run(20s);
  CHECK(p.b->plane.inbound.size() == 2);
  CHECK(p.both_agree());
}

TEST_CASE("down on one side takes both down at once, and leaves nothing behind on either") {
  Pair p(3);
  p.begin();
  REQUIRE(p.run(1s, [&] { return p.both_up(); }));
  std::optional<Outcome> outcome;
  p.a->controller->down("net", [&](Outcome o) { outcome = std::move(o); });
  REQUIRE(p.run(1s, [&] { return outcome.has_value(); }));
  CHECK(outcome->code == Outcome::Code::done);
  p.run(10s);
  CHECK(p.a->plane.empty());
  CHECK(p.b->plane.empty());
  CHECK(p.b->tunnel().last_reason().cause == ike::Cause::closed_by_peer);
  CHECK(p.a->controller->finished());
  CHECK(p.b->controller->finished());
}

TEST_CASE("Up and down again and again leaves nothing behind, with every third message lost too") {
  const ike::Resource of_a = GENERATE(1, 3);
  for (const std::uint32_t lose : {0U, 30U}) {
    Pair p(5, {.lose = lose}, conf::Start::wait, conf::Start::wait, [&](auto& a, auto& b) { workers(a, b, of_a, 2); });
    p.begin();
    for (int i = 0; i < (lose == 0 ? 50 : 5); ++i) {
      std::optional<Outcome> up, down;
      p.a->controller->up("net", [&](Outcome o) { up = std::move(o); });
      REQUIRE(p.run(10min, [&] { return up.has_value(); }));
      if (lose == 0) REQUIRE(up->code == Outcome::Code::done);
      p.run(Time(i * 37 % 500));  // into whatever is under way
      p.a->controller->down("net", [&](Outcome o) { down = std::move(o); });
      REQUIRE(p.run(10min, [&] { return down.has_value() && p.a->tunnel().idle(); }));
    }
    REQUIRE(p.run(10min, [&] { return p.b->tunnel().idle(); }));
    p.run(30s);
    CHECK(p.a->plane.empty());
    CHECK(p.b->plane.empty());
    CHECK(p.a->controller->gateway().ike_sas() == 0);
    CHECK(p.b->controller->gateway().ike_sas() == 0);
    CHECK(p.b->controller->gateway().half_open() == 0);
  }
}

TEST_CASE("A peer that restarts is connected anew, and its earlier SAs go") {
  Pair p(6);
  p.begin();
  REQUIRE(p.run(1s, [&] { return p.both_up(); }));
  // The initiator forgets all and begins again.
  auto again = site("198.51.100.2", "203.0.113.2", "10.1.0.0/16", "10.2.0.0/16", conf::Start::now);
  p.a = std::make_unique<Side>(p.wire, "198.51.100.2", again, 99);
  p.a->controller->begin(p.now);
  REQUIRE(p.run(2s, [&] { return p.both_up() && p.both_agree(); }));
  p.run(3min);
  CHECK(p.both_agree());
  CHECK(p.b->controller->gateway().ike_sas() == 1);
  CHECK(p.b->plane.inbound.size() == 1);
}

// A hub with two branches in IKEv1. One branch forgets all: its authenticated INITIAL-CONTACT says so.
TEST_CASE("A restarted IKEv1 peer's INITIAL-CONTACT: its old children go, new ones come, another tunnel's stay") {
  for (const auto mode : {conf::IkeMode::main, conf::IkeMode::aggressive}) {
    INFO((mode == conf::IkeMode::main ? "main mode" : "aggressive mode"));
    const auto v1 = [&](std::shared_ptr<ike::PeerSettings> s) {
      s->config.ike.version = 1;
      s->config.ike.mode = mode;
      s->config.ike.proposals = {"aes128-sha256-ecp256"};
      s->config.esp.proposals = {"aes128-sha256"};
      s->config.ike.dpd.idle = conf::Seconds(0);  // only INITIAL-CONTACT tells
      return s;
    };
    const auto branch = [&](const char* own, const char* net_own) {
      return v1(site(own, "203.0.113.2", net_own, "10.2.0.0/16", conf::Start::now));
    };
    Wire wire(21);
    Time now{1000};
    std::vector<PeerSettingsPtr> tunnels;
    for (std::uint32_t i = 0; i < 2; ++i) {
      auto s = v1(site("203.0.113.2", i == 0 ? "198.51.100.2" : "198.51.100.3", "10.2.0.0/16",
                       i == 0 ? "10.1.0.0/16" : "10.3.0.0/16", conf::Start::wait));
      s->tunnel = s->children[0].slot = i;
      s->config.name = "branch-" + std::to_string(i);
      tunnels.push_back(std::move(s));
    }
    Side hub(wire, "203.0.113.2", tunnels, 1);
    auto first = std::make_unique<Side>(wire, "198.51.100.2", branch("198.51.100.2", "10.1.0.0/16"), 2);
    Side second(wire, "198.51.100.3", branch("198.51.100.3", "10.3.0.0/16"), 3);
    const auto run = [&](Time limit, const std::function<bool()>& until) {
      for (const Time end = now + limit; now < end && !until();) {
        now += 1ms;
        wire.deliver(now);
        for (Side* s : {&hub, first.get(), &second}) s->controller->step(now);
      }
      return until();
    };
    const auto agree = [&](const Side& with, ike::ChildSlot slot) {
      const auto *there = with.plane.sends_with(0), *here = hub.plane.sends_with(slot);
      return there != nullptr && here != nullptr && hub.plane.takes(*there) && with.plane.takes(*here);
    };
    for (Side* s : {&hub, first.get(), &second}) s->controller->begin(now);
    REQUIRE(run(5s, [&] { return agree(*first, 0) && agree(second, 1); }));
    const dataplane::SaSpec old = *first->plane.sends_with(0), others = *second.plane.sends_with(0);
    run(30s, [] { return false; });

    first = std::make_unique<Side>(wire, "198.51.100.2", branch("198.51.100.2", "10.1.0.0/16"), 99);
    first->controller->begin(now);
    REQUIRE(run(5s, [&] { return agree(*first, 0); }));
    CHECK_FALSE(hub.plane.takes(old));
    run(60s, [] { return false; });
    CHECK(agree(*first, 0));
    CHECK(hub.plane.inbound.size() == 2);
    CHECK(hub.controller->gateway().ike_sas() == 2);
    CHECK(hub.tunnel(0).live_children().size() == 1);
    CHECK(hub.tunnel(0).counts().established == 2);
    CHECK(hub.tunnel(1).counts().established == 1);
    CHECK(hub.tunnel(1).fallen() == 0);
    CHECK(hub.plane.takes(others));
    CHECK(second.plane.sends_with(0)->spi == others.spi);
  }
}

// Probes go out in the tunnel, nothing ever comes in, IKE is answered: as by a middlebox that does not know protocol 50.
TEST_CASE("A path that swallows ESP is tried in UDP within 15 s, also where children are rekeyed all the while") {
  for (const int lifetime : {3600, 6, 3}) {
    INFO("children live for " << lifetime << " s");
    Pair p(22, {}, conf::Start::now, conf::Start::wait, [&](auto& a, auto&) {
      a.config.esp.lifetime = conf::Seconds(lifetime);
      a.config.probe_host = ip("10.2.0.9");
    });
    p.begin();
    REQUIRE(p.run(1s, [&] { return p.both_up(); }));
    const auto native = p.a->tunnel().counts().begun;
    const Time since = p.now;
    for (int i = 0; i < 15 && p.a->tunnel().counts().begun == native; ++i) {
      ++p.a->plane.counted[{dataplane::Direction::outbound, p.a->plane.sends_with(0)->spi}].packets;
      p.run(1s);
    }
    CHECK(p.a->tunnel().counts().begun == native + 1);
    CHECK(p.now - since <= 15s);
    CHECK(p.a->up());
    if (lifetime < 10) CHECK(p.a->tunnel().counts().rekeyed > 0);
  }
}

TEST_CASE("IKE and ESP from two addresses of the peer: status, log and diagnosis name them") {
  Pair p(23);
  p.begin();
  REQUIRE(p.run(1s, [&] { return p.both_up(); }));
  const std::uint32_t spi = p.a->plane.inbound.begin()->first;
  auto& counters = p.a->plane.counted[{dataplane::Direction::inbound, spi}];
  const auto esp_comes = [&](const char* from, int seconds) {
    for (int i = 0; i < seconds; ++i) {
      ++counters.packets;
      counters.last_used_ms = static_cast<std::uint64_t>(p.now.count());
      if (from != nullptr) p.a->plane.arrive(dataplane::EspElsewhere{0, spi, ip(from)});
      p.run(1s);
    }
  };
  const auto warnings = [&] {
    return std::ranges::count_if(p.a->log.recent(), [](const LogLine& l) { return l.text.find("two public addresses") != std::string::npos; });
  };
  esp_comes(nullptr, 5);
  CHECK(p.a->controller->diagnose("net", conf::Language::english)->row == "healthy");
  CHECK(p.a->controller->tunnel("net")->esp_from.empty());
  esp_comes("203.0.113.77", 10);
  const auto report = p.a->controller->tunnel("net");
  CHECK(report->esp_from == "203.0.113.77");
  CHECK(report->notice.find("203.0.113.77") != std::string::npos);
  CHECK(warnings() == 1);
  const auto verdict = p.a->controller->diagnose("net", conf::Language::english);
  CHECK(verdict->row == "L1");
  CHECK(verdict->certain);
  CHECK(verdict->text.find("203.0.113.2") != std::string::npos);
  esp_comes(nullptr, 10);
  CHECK(p.a->controller->diagnose("net", conf::Language::english)->row == "healthy");
  CHECK(p.a->controller->tunnel("net")->notice.empty());
  CHECK(warnings() == 1);
}

// The peer lost its side and begins anew, which our role forbids: it is asked, does not answer, and we begin.
TEST_CASE("role = initiator: a peer that restarts and begins is asked whether it lives, and then called") {
  for (const int version : {1, 2}) {
    INFO("version " << version);
    const auto change = [&](ike::PeerSettings& a, ike::PeerSettings& b) {
      for (ike::PeerSettings* s : {&a, &b}) {
        s->config.ike.version = version;
        s->config.ike.dpd = {conf::Seconds(600), conf::Seconds(1), 3};  // by itself it would ask after ten minutes
        if (version == 2) continue;
        s->config.ike.proposals = {"aes128-sha256-ecp256"};
        s->config.esp.proposals = {"aes128-sha256"};
      }
      a.config.role = conf::Role::initiator;
    };
    Pair p(7, {}, conf::Start::now, conf::Start::wait, change);
    p.begin();
    REQUIRE(p.run(2s, [&] { return p.both_up() && p.both_agree(); }));
    p.run(30s);
    // Exchanges of the peer's inside what is there are served.
    p.b->controller->rekey("net", AdminBackend::RekeyWhat::child, "net", [](const Outcome& o) { CHECK(o.code == Outcome::Code::done); });
    const auto before = p.b->plane.sends_with(0)->spi;
    REQUIRE(p.run(10s, [&] { return p.b->plane.sends_with(0)->spi != before && p.both_agree(); }));

    auto settings_a = site("198.51.100.2", "203.0.113.2", "10.1.0.0/16", "10.2.0.0/16", conf::Start::now);
    auto settings_b = site("203.0.113.2", "198.51.100.2", "10.2.0.0/16", "10.1.0.0/16", conf::Start::now);
    change(*settings_a, *settings_b);
    p.b = std::make_unique<Side>(p.wire, "203.0.113.2", settings_b, 99);
    p.b->controller->begin(p.now);
    REQUIRE(p.run(90s, [&] { return p.both_up() && p.both_agree(); }));
    CHECK(p.a->controller->gateway().counters().role_dropped > 0);
    CHECK(p.a->tunnel().ike_status()->initiator);
  }
}

struct BadCase {
  const char* what;
  Pair::Change change;
  const char* at_a;  // a word of the reason on the initiator, and on the responder
  const char* at_b;
};

TEST_CASE("What cannot come up says why on both sides, in one sentence, and goes on trying") {
  const std::initializer_list<BadCase> cases = {
      {"PSK", [](auto&, auto& b) { b.psk = crypto::Secret(std::vector<std::uint8_t>(20, 7)); }, "pre-shared key",
       "pre-shared key"},
      {"proposal", [](auto& a, auto&) { a.config.ike.proposals = {"aes128-sha256-ecp256"}; }, "proposal", "proposal"},
      {"identity", [](auto&, auto& b) { b.config.remote_id = "somebody.else"; }, "identity", "somebody.else"},
      {"selectors",
       [](auto&, auto& b) {
         b.config.remote_subnets = {net("10.99.0.0/16")};
         b.children[0].selectors.remote = b.config.remote_subnets;
       },
       "selectors", "10.99.0.0/16"},
  };
  for (const BadCase& c : cases) {
    Pair p(8, {}, conf::Start::now, conf::Start::wait, c.change);
    p.begin();
    p.run(10s);
    INFO(c.what << "\n  at a: " << p.a->tunnel().down_reason().value_or("none")
                << "\n  at b: " << p.b->tunnel().down_reason().value_or("none"));
    CHECK_FALSE(p.a->up());
    CHECK(p.a->tunnel().down_reason().value_or("").find(c.at_a) != std::string::npos);
    CHECK(p.b->tunnel().down_reason().value_or("").find(c.at_b) != std::string::npos);
    CHECK(p.a->tunnel().counts().attempts_failed >= 2);
    p.run(10min);
    CHECK(p.b->plane.empty());
  }
}

TEST_CASE("A silent peer is named as such, with what ICMP said") {
  Pair p(9, {.lose = 100});
  p.begin();
  p.run(2s);
  p.a->plane.arrive(dataplane::IcmpError{ip("203.0.113.2"), {ip("203.0.113.2"), 500}, 3, 3, 0, 0});
  REQUIRE(p.run(10min, [&] { return p.a->tunnel().counts().attempts_failed > 0; }));
  const std::string why = p.a->tunnel().down_reason().value_or("");
  INFO(why);
  CHECK(why.find("203.0.113.2") != std::string::npos);
  CHECK(why.find("ICMP port unreachable") != std::string::npos);
}

TEST_CASE("A peer that dies is noticed by its silence, and connected anew when it is back") {
  Pair p(10);
  p.begin();
  REQUIRE(p.run(1s, [&] { return p.both_up(); }));
  p.wire.faults.lose = 100;
  REQUIRE(p.run(10min, [&] { return !p.a->up(); }));
  CHECK(p.a->tunnel().last_reason().cause == ike::Cause::peer_silent);
  p.wire.faults.lose = 0;
  REQUIRE(p.run(10min, [&] { return p.both_up() && p.both_agree(); }));
  p.run(5min);
  CHECK(p.a->controller->gateway().ike_sas() == 1);
  CHECK(p.b->controller->gateway().ike_sas() == 1);
}

// Each answer costs 8 ms by a clock that counts them, as one with RSA 4096 and modp4096 does.
TEST_CASE("Hundreds of first messages in one moment: no round takes 50 ms, and the tunnel that lives does not wait") {
  Pair p(12);
  p.begin();
  auto first = p.wire.last;  // IKE_SA_INIT of a
  REQUIRE(first.bytes.size() > 28);
  REQUIRE(p.run(1s, [&] { return p.both_up(); }));
  p.run(20ms);
  auto& b = *p.b;
  // What costs a key exchange, or stands for one here.
  const auto work = [&b] {
    const GatewayCounters& g = b.controller->gateway().counters();
    const TunnelCounts& t = b.tunnel().counts();
    return t.begun + t.rekeyed + g.cookies_asked + g.half_open_limit;
  };
  std::uint64_t at_begin = 0;
  b.controller->watch_times([&] { return LoopTimes{.round = 8ms * (work() - at_begin)}; });
  for (std::uint64_t spi = 1; spi <= 300; ++spi) {
    for (std::size_t i = 0; i < 8; ++i) first.bytes[i] = static_cast<std::uint8_t>(spi >> (56 - 8 * i));
    b.plane.arrive(first);
  }
  // Behind all of them: a rekey of the tunnel that lives.
  p.a->controller->rekey("net", AdminBackend::RekeyWhat::child, "net", [](const Outcome&) {});
  const auto before = work();
  int rounds = 0;
  for (; work() < before + 301 && rounds < 1000; ++rounds) {
    at_begin = work();
    p.step();
    REQUIRE(8ms * (work() - at_begin) < 50ms);
    if (rounds == 20) CHECK(b.tunnel().counts().rekeyed == 1);
  }
  CHECK(rounds > 250);
  CHECK(rounds < 1000);
  CHECK(p.both_up());
}

TEST_CASE("A gateway that ends tells its peers, and is finished when they have answered") {
  Pair p(11);
  p.begin();
  REQUIRE(p.run(1s, [&] { return p.both_up(); }));
  p.a->controller->shut_down(p.now);
  REQUIRE(p.run(1s, [&] { return p.a->controller->finished(); }));
  REQUIRE(p.run(1s, [&] { return !p.b->up(); }));
}

}  // namespace
}  // namespace causeway::control::test

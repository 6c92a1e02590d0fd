#include "control/tunnel.h"

#include "test/control/fakes.h"
#include "test/support/catch.h"

namespace causeway::control::test {
namespace {

using ike::Cause;

// One tunnel under virtual time.
struct Bench {
  explicit Bench(PeerSettingsPtr s, std::uint64_t seed = 1)
      : environment(seed), engine(fake.engine()), tunnel(std::move(s), environment, engine) {}

  // Runs the clock to `until`, as control does: each deadline in turn.
  void run_until(Time until) {
    for (int i = 0; i < 100000; ++i) {
      const auto next = tunnel.deadline();
      if (!next || *next > until) break;
      now = std::max(now, *next);
      tunnel.tick(now, out);
      const auto after = tunnel.deadline();
      REQUIRE((!after || *after > now));  // what was due is done: never a deadline that stays
    }
    now = until;
  }
  FakeIke& last() { return *fake.alive.back(); }
  // The IKE SA gives these effects when its next datagram arrives.
  void happen(FakeIke& sa, ike::Effects effects) {
    sa.pending = std::move(effects);
    tunnel.receive(sa.local_spi(), {}, now, out);
  }
  FakeIke& adopt(std::uint64_t spi, std::uint64_t spi_initiator) {
    auto sa = std::make_unique<FakeIke>(fake.alive, spi, tunnel.settings_ptr(), false, spi_initiator);
    FakeIke& made = *sa;  // may be gone when adopt() returns, where the tunnel is taken down
    tunnel.adopt(std::move(sa), {}, now, out);
    return made;
  }

  FakeEnvironment environment;
  FakeEngine fake;
  Engine engine;
  Time now{1000};
  Actions out;
  Tunnel tunnel;
};

TEST_CASE("start = now connects at once, and tells that it is connecting") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  REQUIRE(b.fake.alive.size() == 1);
  CHECK(b.last().calls == std::vector<std::string>{"start 0"});
  CHECK(all<ike::Send>(b.out).size() == 1);
  CHECK(b.tunnel.state() == TunnelState::connecting);
  CHECK(b.tunnel.down_reason().has_value());
}

TEST_CASE("A tunnel is established while a child is installed both ways, and then has no reason to be down") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  b.happen(b.last(), come_up(b.tunnel.settings(), 0x2000));
  CHECK(b.tunnel.state() == TunnelState::established);
  CHECK_FALSE(b.tunnel.down_reason().has_value());
  CHECK(b.tunnel.live_children().size() == 1);
  CHECK(all<ike::InstallInbound>(b.out).size() == 1);
  CHECK(all<ike::UseOutbound>(b.out).size() == 1);
}

TEST_CASE("start = wait speaks only when told to, start = traffic when a packet waits") {
  Bench wait(settings(conf::Start::wait));
  wait.tunnel.begin(wait.now, wait.out), wait.tunnel.take_turn(wait.now, wait.out);
  wait.run_until(10min);
  wait.tunnel.wanted(0, {}, wait.now, wait.out);
  CHECK(wait.fake.alive.empty());
  CHECK(wait.tunnel.down_reason()->find("waits for the peer") != std::string::npos);
  wait.tunnel.up(wait.now, wait.out);
  CHECK(wait.fake.alive.size() == 1);

  Bench traffic(settings(conf::Start::traffic));
  traffic.tunnel.begin(traffic.now, traffic.out), traffic.tunnel.take_turn(traffic.now, traffic.out);
  traffic.run_until(10min);
  CHECK(traffic.fake.alive.empty());
  traffic.tunnel.wanted(0, {}, traffic.now, traffic.out);
  CHECK(traffic.fake.alive.size() == 1);
  traffic.tunnel.wanted(0, {}, traffic.now, traffic.out);
  CHECK(traffic.fake.alive.size() == 1);
}

TEST_CASE("A tunnel that starts on traffic is tried again by later traffic, never before its backoff is over") {
  Bench b(settings(conf::Start::traffic));
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  b.tunnel.wanted(0, {}, b.now, b.out);
  b.happen(b.last(), end(Cause::peer_silent, "no answer"));
  CHECK(b.fake.alive.empty());
  b.tunnel.wanted(0, {}, b.now, b.out);  // at once: too early, but remembered
  CHECK(b.fake.alive.empty());
  b.run_until(b.now + 2s);
  CHECK(b.fake.alive.size() == 1);
  b.happen(b.last(), end(Cause::peer_silent, "no answer"));
  b.run_until(b.now + 1h);  // nobody sends: nothing is tried
  CHECK(b.fake.alive.empty());
}

TEST_CASE("A tunnel that fails is retried for ever, each wait about twice the one before, up to a minute") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Bench b(settings(), seed);
    b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
    double expected = 1000;
    for (int i = 0; i < 40; ++i) {
      REQUIRE(b.fake.alive.size() == 1);
      b.happen(b.last(), end(Cause::peer_silent, "no answer"));
      REQUIRE(b.fake.alive.empty());
      const Time failed = b.now;
      const auto next = b.tunnel.deadline();
      REQUIRE(next);
      const auto wait = static_cast<double>((*next - failed).count());
      CHECK(wait >= expected * 0.74);
      CHECK(wait <= expected * 1.26);
      expected = std::min(expected * 2, 60000.0);
      b.run_until(*next);
    }
    CHECK(b.tunnel.counts().attempts == 41);
  }
}

TEST_CASE("A peer that wants IKE_AUTH without a child is tried so at once; when it says so again, after a wait") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  CHECK_FALSE(b.last().peer->childless);
  const auto wants_childless = [] {
    auto effects = end(Cause::child_refused, "no child with IKE_AUTH");
    std::get<ike::IkeClosed>(effects.back()).reason.childless = true;
    return effects;
  };
  b.happen(b.last(), wants_childless());
  REQUIRE(b.fake.alive.size() == 1);
  CHECK(b.last().peer->childless);
  CHECK(b.last().calls == std::vector<std::string>{"start 0"});
  CHECK(b.tunnel.counts().attempts == 2);
  CHECK(b.tunnel.counts().attempts_failed == 0);
  b.happen(b.last(), wants_childless());
  CHECK(b.fake.alive.empty());
  CHECK(b.tunnel.counts().attempts_failed == 1);
  REQUIRE(b.tunnel.deadline());
  CHECK(*b.tunnel.deadline() >= b.now + 700ms);
}

TEST_CASE("A first child that is refused is asked for again after a wait like that after any failure") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  double expected = 1000;
  for (std::uint64_t i = 1; i <= 12; ++i) {
    REQUIRE(b.fake.alive.size() == 1);
    FakeIke& sa = b.last();
    sa.closes_at_once = false;
    ike::Effects refused;
    refused.push_back(ike::IkeEstablished{});
    refused.push_back(ike::ChildFailed{0, {Cause::child_refused, "the peer refused the child", "", "", {}}});
    const Time failed = b.now;
    b.happen(sa, std::move(refused));
    CHECK(sa.calls.back() == "close");
    CHECK(b.tunnel.counts().attempts == i);  // not while the one without a child is on its way out, either
    b.happen(sa, end(Cause::closed_by_us, "closed"));
    const auto next = b.tunnel.deadline();
    REQUIRE(next);
    const auto wait = static_cast<double>((*next - failed).count());
    CHECK(wait >= expected * 0.74);
    CHECK(wait <= expected * 1.26);
    expected = std::min(expected * 2, 60000.0);
    b.run_until(*next);
  }
}

TEST_CASE("Two seeds give two jitters") {
  std::vector<Time> waits;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    Bench b(settings(), seed);
    b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
    b.happen(b.last(), end(Cause::peer_silent, "no answer"));
    waits.push_back(*b.tunnel.deadline());
  }
  CHECK_FALSE((waits[0] == waits[1] && waits[1] == waits[2] && waits[2] == waits[3]));
}

TEST_CASE("The reason of the last failure stays known while the next attempt runs, and is logged once") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  b.out.clear();
  for (int i = 0; i < 5; ++i) {
    b.happen(b.last(), end(Cause::peer_refused_authentication, "the peer refused our authentication",
                           {"the pre-shared keys differ", "the peer knows us by another identity"}));
    b.run_until(b.now + 2min);
  }
  CHECK(b.tunnel.state() == TunnelState::connecting);
  CHECK(*b.tunnel.down_reason() == "the peer refused our authentication");
  CHECK(b.tunnel.last_reason().candidates.size() == 2);
  int warnings = 0;
  for (const auto& n : all<ike::Notice>(b.out)) warnings += n.level == ike::Notice::Level::warning ? 1 : 0;
  CHECK(warnings == 1);
}

TEST_CASE("ICMP errors are evidence in the reason of a silent peer, and end nothing") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  b.tunnel.icmp_error("ICMP port unreachable from 203.0.113.2", b.now);
  CHECK(b.tunnel.state() == TunnelState::connecting);
  CHECK(b.fake.alive.size() == 1);
  b.happen(b.last(), end(Cause::peer_silent, "no answer"));
  CHECK(b.tunnel.down_reason()->find("ICMP port unreachable from 203.0.113.2") != std::string::npos);
}

TEST_CASE("The peer's DELETE brings a tunnel with start = now back, and one that waits back to waiting") {
  Bench now(settings());
  now.tunnel.begin(now.now, now.out), now.tunnel.take_turn(now.now, now.out);
  now.happen(now.last(), come_up(now.tunnel.settings(), 0x2000));
  now.happen(now.last(), end(Cause::closed_by_peer, "the peer closed it"));
  CHECK(now.fake.alive.empty());
  CHECK(now.tunnel.state() == TunnelState::down);
  CHECK(now.tunnel.down_reason() == "the peer closed it");
  now.run_until(now.now + 2s);
  CHECK(now.fake.alive.size() == 1);

  Bench wait(settings(conf::Start::wait));
  wait.tunnel.begin(wait.now, wait.out), wait.tunnel.take_turn(wait.now, wait.out);
  wait.tunnel.up(wait.now, wait.out);
  wait.happen(wait.last(), come_up(wait.tunnel.settings(), 0x2000));
  wait.happen(wait.last(), end(Cause::closed_by_peer, "the peer closed it"));
  wait.run_until(wait.now + 1h);
  CHECK(wait.fake.alive.empty());
}

TEST_CASE("Whatever an IKE SA forgets to remove is removed when it closes") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  b.happen(b.last(), come_up(b.tunnel.settings(), 0x2000));
  b.out.clear();
  b.happen(b.last(), end(Cause::peer_silent, "dead"));
  const auto in = all<ike::RemoveInbound>(b.out);
  const auto outbound = all<ike::RemoveOutbound>(b.out);
  REQUIRE(in.size() == 1);
  CHECK(in[0].spi == 0x2000);
  REQUIRE(outbound.size() == 1);
  CHECK(outbound[0].spi == 0x102000);
}

TEST_CASE("What an IKE SA removed itself is not removed twice") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  b.happen(b.last(), come_up(b.tunnel.settings(), 0x2000));
  b.out.clear();
  ike::Effects e;
  e.push_back(ike::RemoveOutbound{0x102000, 0});
  e.push_back(ike::RemoveInbound{0x2000, 0, Time(0)});
  e.push_back(ike::IkeClosed{});
  b.happen(b.last(), std::move(e));
  CHECK(all<ike::RemoveInbound>(b.out).size() == 1);
  CHECK(all<ike::RemoveOutbound>(b.out).size() == 1);
}

TEST_CASE("Taken down, a tunnel closes its IKE SAs, stays down, admits nobody, and up brings it back") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  b.happen(b.last(), come_up(b.tunnel.settings(), 0x2000));
  CHECK(b.tunnel.accepts());
  b.tunnel.down(b.now, b.out);
  CHECK(b.tunnel.idle());
  CHECK(b.tunnel.state() == TunnelState::down);
  CHECK_FALSE(b.tunnel.accepts());
  CHECK(b.tunnel.down_reason()->find("administrator") != std::string::npos);
  b.run_until(b.now + 1h);
  CHECK(b.fake.alive.empty());
  b.tunnel.up(b.now, b.out);
  CHECK(b.fake.alive.size() == 1);
  CHECK(b.tunnel.accepts());
}

TEST_CASE("up while the old IKE SA still waits for the answer to its DELETE connects anew") {
  Bench b(settings(conf::Start::wait));
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  b.tunnel.up(b.now, b.out);
  b.happen(b.last(), come_up(b.tunnel.settings(), 0x2000));
  b.last().closes_at_once = false;
  b.tunnel.down(b.now, b.out);
  CHECK_FALSE(b.tunnel.idle());
  b.tunnel.up(b.now, b.out);
  REQUIRE(b.fake.alive.size() == 2);
  b.happen(b.last(), come_up(b.tunnel.settings(), 0x3000));
  b.happen(*b.fake.alive.front(), end(Cause::closed_by_us, "closed by us"));
  CHECK(b.tunnel.state() == TunnelState::established);
  CHECK(b.fake.alive.size() == 1);
}

TEST_CASE("Of two IKE SAs by simultaneous initiation the newest survives, closed by the side whose turn it is") {
  for (const bool our_turn : {true, false}) {
    Bench b(settings());
    b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
    FakeIke& ours = b.last();  // its initiator SPI is 100
    FakeIke& theirs = b.adopt(500, our_turn ? 999 : 1);
    b.happen(theirs, come_up(b.tunnel.settings(), 0x3000));
    b.now += 10ms;
    b.happen(ours, come_up(b.tunnel.settings(), 0x2000));
    CHECK(b.fake.alive.size() == 2);
    CHECK(b.tunnel.state() == TunnelState::established);
    b.run_until(b.now + 3s);
    CHECK(b.fake.alive.size() == (our_turn ? 1 : 2));
    b.run_until(b.now + 1min);
    REQUIRE(b.fake.alive.size() == 1);
    CHECK(b.last().local_spi() == 100);
    CHECK(b.tunnel.state() == TunnelState::established);
    const auto live = b.tunnel.live_children();
    REQUIRE(live.size() == 1);
    CHECK(live[0].sa->spi_in == 0x2000);
  }
}

TEST_CASE("A duplicate that its peer closes first leaves the other as it is") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  FakeIke& ours = b.last();
  FakeIke& theirs = b.adopt(500, 1);
  b.happen(ours, come_up(b.tunnel.settings(), 0x2000));
  b.happen(theirs, come_up(b.tunnel.settings(), 0x3000));
  b.happen(ours, end(Cause::closed_by_peer, "the peer closed it"));
  CHECK(b.tunnel.state() == TunnelState::established);
  CHECK_FALSE(b.tunnel.down_reason().has_value());
  b.run_until(b.now + 10min);
  CHECK(b.fake.alive.size() == 1);
}

TEST_CASE("A peer that begins anew makes its earlier IKE SAs dead, but not those that were made at the same time") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  CHECK(b.fake.first_contact);
  b.happen(b.last(), come_up(b.tunnel.settings(), 0x2000));
  b.now += 1h;
  FakeIke& anew = b.adopt(500, 1);
  auto effects = come_up(b.tunnel.settings(), 0x3000, false);
  effects.insert(effects.begin(), ike::IkeEstablished{.initial_contact = true});
  b.happen(anew, std::move(effects));
  REQUIRE(b.fake.alive.size() == 1);
  CHECK(b.last().local_spi() == 500);
  CHECK(b.tunnel.state() == TunnelState::established);

  Bench both(settings());
  both.tunnel.begin(both.now, both.out), both.tunnel.take_turn(both.now, both.out);
  FakeIke& ours = both.last();
  FakeIke& theirs = both.adopt(500, 1);
  both.now += 10ms;
  both.happen(ours, come_up(both.tunnel.settings(), 0x2000));
  auto crossing = come_up(both.tunnel.settings(), 0x3000, false);
  crossing.insert(crossing.begin(), ike::IkeEstablished{.initial_contact = true});
  both.happen(theirs, std::move(crossing));
  CHECK(both.fake.alive.size() == 2);
}

TEST_CASE("An attempt that is overtaken by the peer's own is told that it is no first contact any more") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  REQUIRE(b.fake.first_contact);
  FakeIke& ours = b.last();
  b.now += 700ms;
  FakeIke& theirs = b.adopt(500, 1);
  CHECK_FALSE(ours.told_not_alone);
  b.happen(theirs, come_up(b.tunnel.settings(), 0x3000));
  CHECK(ours.told_not_alone);
}

TEST_CASE("A rekeyed IKE SA takes over the children, and the end of the old one takes none of them") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  b.happen(b.last(), come_up(b.tunnel.settings(), 0x2000));
  FakeIke& old = b.last();
  ike::Effects e;
  e.push_back(ike::NewIkeSa{std::make_unique<FakeIke>(b.fake.alive, 900, b.tunnel.settings_ptr(), true, 900)});
  e.push_back(ike::ChildrenMoved{900});
  b.happen(old, std::move(e));
  b.out.clear();
  b.happen(old, end(Cause::replaced, "replaced by a rekey"));
  CHECK(b.fake.alive.size() == 1);
  CHECK(b.tunnel.state() == TunnelState::established);
  CHECK(all<ike::RemoveInbound>(b.out).empty());
  b.run_until(b.now + 10min);
  CHECK(b.fake.alive.size() == 1);
}

TEST_CASE("Children come up one after the other, and one that is refused is asked for again later") {
  auto s = settings();
  s->children.push_back({1, "site0-2", {{net("10.1.0.0/16")}, {net("10.3.0.0/16")}}});
  s->children.push_back({2, "site0-3", {{net("10.1.0.0/16")}, {net("10.4.0.0/16")}}});
  Bench b(s);
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  FakeIke& sa = b.last();
  b.happen(sa, come_up(*s, 0x2000));
  CHECK(sa.calls == std::vector<std::string>{"start 0", "create 1"});
  ike::Effects refused;
  refused.push_back(ike::ChildFailed{1, {Cause::selectors_refused, "the peer refused the selectors", "", "", {}}});
  b.happen(sa, std::move(refused));
  CHECK(sa.calls.back() == "create 2");
  b.happen(sa, come_up(*s, 0x3000, false, 2));
  CHECK(b.tunnel.live_children().size() == 2);
  b.run_until(b.now + 3s);
  CHECK(sa.calls.back() == "create 1");
  b.happen(sa, come_up(*s, 0x4000, false, 1));
  CHECK(b.tunnel.live_children().size() == 3);
  b.run_until(b.now + 1h);
  CHECK(sa.calls.size() == 4);
}

TEST_CASE("A child that the peer closes comes back on the same IKE SA") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  FakeIke& sa = b.last();
  b.happen(sa, come_up(b.tunnel.settings(), 0x2000));
  ike::Effects e;
  e.push_back(ike::RemoveOutbound{0x102000, 0});
  e.push_back(ike::RemoveInbound{0x2000, 0, Time(5000)});
  e.push_back(ike::ChildClosed{0, 0x2000, {Cause::closed_by_peer, "the peer closed the child", "", "", {}}, false});
  b.happen(sa, std::move(e));
  CHECK(b.tunnel.state() != TunnelState::established);
  CHECK(b.tunnel.down_reason() == "the peer closed the child");
  b.run_until(b.now + 2s);
  CHECK(sa.calls.back() == "create 0");
}

TEST_CASE("Limits rekey the newest SA of a child, and close it when the hard one is reached") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  FakeIke& sa = b.last();
  b.happen(sa, come_up(b.tunnel.settings(), 0x2000));
  b.tunnel.limit_reached(0x9999, 0, false, b.now, b.out);  // of an SA that is gone
  CHECK(sa.calls.size() == 1);
  b.tunnel.limit_reached(0x102000, 0, false, b.now, b.out);
  CHECK(sa.calls.back() == "rekey 0");
  b.tunnel.limit_reached(0x2000, 0, true, b.now, b.out);
  CHECK(sa.calls.back() == "close 0");
}

// --- RFC 9611 ------------------------------------------------------------------------------------------------------

// A child that came up with a peer that takes one for each of three workers.
struct Workers : Bench {
  static std::shared_ptr<ike::PeerSettings> three() {
    auto s = settings();
    s->resources = 3;
    return s;
  }
  Workers() : Bench(three()) {
    tunnel.begin(now, out), tunnel.take_turn(now, out);
    happen(last(), child(0x2000, 0, 0, true));
  }
  ike::Effects child(std::uint32_t spi, ike::ChildSlot slot, ike::Resource resource, bool with_ike = false) const {
    auto sa = std::make_shared<ike::ChildSa>(*child_sa(tunnel.settings(), spi, slot));
    sa->by_resource = true;
    sa->resource = resource;
    if (slot != 0) sa->beside = 0;
    ike::Effects e;
    e.push_back(ike::InstallInbound{sa});
    e.push_back(ike::UseOutbound{sa});
    if (with_ike) e.push_back(ike::IkeEstablished{});
    e.push_back(ike::ChildEstablished{sa, false});
    return e;
  }
  static ike::Effects gone(std::uint32_t spi, ike::ChildSlot slot, Cause cause) {
    ike::Effects e;
    e.push_back(ike::RemoveOutbound{spi + 0x100000, slot});
    e.push_back(ike::RemoveInbound{spi, slot, Time(5000)});
    e.push_back(ike::ChildClosed{slot, spi, {cause, "gone", "", "", {}}, false});
    return e;
  }
};

TEST_CASE("Children for the other workers are asked for one by one, and are no part of what makes a tunnel up") {
  Workers b;
  FakeIke& sa = b.last();
  REQUIRE(sa.calls.back() == "create 1000");
  CHECK(b.tunnel.settings().children.size() == 3);
  CHECK(b.tunnel.state() == TunnelState::established);
  b.happen(sa, b.child(0x3000, 1000, 1));
  REQUIRE(sa.calls.back() == "create 1001");
  b.happen(sa, b.child(0x4000, 1001, 2));
  CHECK(sa.calls.size() == 3);
  CHECK(b.tunnel.live_children().size() == 3);
  CHECK(b.tunnel.child_name(1001) == "site0/2");
  CHECK(b.tunnel.configured_children().size() == 1);
  CHECK(b.tunnel.carried().empty());
  // A limit is told by the slot of the first: that of the data path.
  b.tunnel.limit_reached(0x3000, 0, false, b.now, b.out);
  CHECK(sa.calls.back() == "rekey 1000");
  b.tunnel.limit_reached(0x104000, 0, true, b.now, b.out);
  CHECK(sa.calls.back() == "close 1001");
}

TEST_CASE("A worker's child that is refused is not asked for again, nor any other, and nothing counts as failed") {
  Workers b;
  FakeIke& sa = b.last();
  b.happen(sa, [] {
    ike::Effects e;
    e.push_back(ike::ChildFailed{1000, {Cause::child_refused, "takes no further child", "", "", {}}});
    return e;
  }());
  const auto calls = sa.calls.size();
  b.run_until(b.now + 10min);
  CHECK(sa.calls.size() == calls);
  CHECK(b.tunnel.state() == TunnelState::established);
  CHECK(b.tunnel.counts().children_failed == 0);
  CHECK(b.tunnel.counts().attempts_failed == 0);
  CHECK(b.tunnel.last_reason().text.empty());
}

TEST_CASE("A worker's child that the peer deletes stays away, and one that ends by itself comes back") {
  const Cause cause = GENERATE(Cause::closed_by_peer, Cause::expired);
  Workers b;
  FakeIke& sa = b.last();
  b.happen(sa, b.child(0x3000, 1000, 1));
  b.happen(sa, b.child(0x4000, 1001, 2));
  b.happen(sa, Workers::gone(0x3000, 1000, cause));
  CHECK(b.tunnel.state() == TunnelState::established);
  const auto calls = sa.calls.size();
  b.run_until(b.now + 10min);
  CHECK(sa.calls.size() == (cause == Cause::expired ? calls + 1 : calls));
}

TEST_CASE("Without the first child the others are closed, and all come back with it") {
  Workers b;
  FakeIke& sa = b.last();
  b.happen(sa, b.child(0x3000, 1000, 1));
  b.happen(sa, b.child(0x4000, 1001, 2));
  b.happen(sa, Workers::gone(0x2000, 0, Cause::closed_by_peer));
  CHECK(b.tunnel.state() != TunnelState::established);
  const auto closes = std::count(sa.calls.begin(), sa.calls.end(), "close 1000") +
                      std::count(sa.calls.begin(), sa.calls.end(), "close 1001");
  CHECK(closes == 2);
  b.happen(sa, Workers::gone(0x3000, 1000, Cause::closed_by_us));
  b.happen(sa, Workers::gone(0x4000, 1001, Cause::closed_by_us));
  CHECK(b.tunnel.settings().children.size() == 1);
  b.run_until(b.now + 3s);
  REQUIRE(sa.calls.back() == "create 0");
  b.happen(sa, b.child(0x5000, 0, 0));
  CHECK(sa.calls.back() == "create 1002");
}

TEST_CASE("A peer that asks for children and deletes them without end leaves a bounded number behind") {
  Workers b;
  FakeIke& sa = b.last();
  for (std::uint32_t i = 0; i < 500; ++i) {
    b.happen(sa, b.child(0x10000 + i, 5000 + i, static_cast<ike::Resource>(i % 3)));
    b.happen(sa, Workers::gone(0x10000 + i, 5000 + i, Cause::closed_by_peer));
  }
  CHECK(b.tunnel.settings().children.size() <= 5);
}

TEST_CASE("Signs of life and the peer's moves reach the IKE SA that owns the child") {
  Bench b(settings());
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  FakeIke& sa = b.last();
  b.happen(sa, come_up(b.tunnel.settings(), 0x2000));
  b.tunnel.esp_received(0x2000, Time(777));
  CHECK(sa.alive_at == Time(777));
  b.tunnel.peer_moved(0x2000, {ip("192.0.2.9"), 4501}, b.now, b.out);
  CHECK(sa.calls.back() == "moved 192.0.2.9:4501");
}

struct AddressBench : Bench {  // up, with ESP on 0x2000; IKE's address is 203.0.113.2
  AddressBench() : Bench(settings()) {
    tunnel.begin(now, out), tunnel.take_turn(now, out);
    happen(last(), come_up(tunnel.settings(), 0x2000));
    now += 60s;
  }
  void esp(const char* from, Time for_so_long) {  // a packet a second, as the data path and the controller tell of them
    for (const Time until = now + for_so_long; now < until; now += 1s) {
      if (ip(from) != ip("203.0.113.2")) tunnel.esp_elsewhere(0x2000, ip(from), now, out);
      tunnel.esp_received(0x2000, now);
    }
  }
  std::size_t warnings() const {
    std::size_t n = 0;
    for (const auto& notice : all<ike::Notice>(out)) n += notice.level == ike::Notice::Level::warning ? 1 : 0;
    return n;
  }
};

TEST_CASE("IKE and ESP from two addresses: named once where it lasts, gone when it is over, and part of why it is down") {
  AddressBench b;
  b.tunnel.esp_elsewhere(0x9999, ip("203.0.113.77"), b.now, b.out);  // of an SA that is gone
  b.esp("203.0.113.77", 3s);
  CHECK(b.tunnel.two_addresses() == nullptr);
  CHECK(b.warnings() == 0);
  b.esp("203.0.113.77", 60s);
  REQUIRE(b.tunnel.two_addresses() != nullptr);
  CHECK(b.tunnel.two_addresses()->ike == ip("203.0.113.2"));
  CHECK(b.tunnel.two_addresses()->esp == ip("203.0.113.77"));
  CHECK(b.warnings() == 1);
  CHECK(b.tunnel.notice().find("IKE of the peer comes from 203.0.113.2, its ESP from 203.0.113.77") != std::string::npos);
  b.esp("203.0.113.2", 4s);  // packets of either way do not hide it
  CHECK(b.tunnel.two_addresses() != nullptr);
  b.esp("203.0.113.77", 1s);

  SECTION("a pool of addresses") {
    for (int i = 0; i < 10; ++i) b.esp(i % 2 == 0 ? "203.0.113.78" : "203.0.113.79", 1s);
    CHECK(b.warnings() == 1);
    CHECK(b.tunnel.two_addresses()->esp == ip("203.0.113.79"));
  }
  SECTION("over") {
    b.esp("203.0.113.2", 8s);
    CHECK(b.tunnel.two_addresses() == nullptr);
    CHECK(b.tunnel.notice().empty());
    b.esp("203.0.113.77", 5s);
    CHECK(b.warnings() == 2);
  }
  SECTION("no packets at all say nothing new") {
    b.now += 10min;
    CHECK(b.tunnel.two_addresses() != nullptr);
  }
  SECTION("down") {
    b.happen(b.last(), end(ike::Cause::peer_silent, "no answer from 203.0.113.2"));
    REQUIRE(b.tunnel.down_reason());
    CHECK(b.tunnel.down_reason()->find("no answer from 203.0.113.2; IKE of the peer comes from 203.0.113.2, its ESP "
                                       "from 203.0.113.77") == 0);
  }
  SECTION("down for a reason that is no path's") {
    b.happen(b.last(), end(ike::Cause::closed_by_peer, "closed by the peer"));
    CHECK(b.tunnel.down_reason() == "closed by the peer");
  }
}

TEST_CASE("A NAT that forgot its mapping is not two addresses: IKE follows within moments") {
  AddressBench b;
  b.esp("203.0.113.77", 3s);
  b.last().state.remote.address = ip("203.0.113.77");
  b.esp("203.0.113.77", 60s);
  CHECK(b.tunnel.two_addresses() == nullptr);
  CHECK(b.warnings() == 0);
}

// Native ESP, no NAT, a probe's host: a path that may swallow ESP.
struct SwallowBench : Bench {
  static PeerSettingsPtr with_probe() {
    auto s = settings();
    s->config.probe_host = ip("10.2.0.9");
    return s;
  }
  SwallowBench() : Bench(with_probe()) {
    tunnel.begin(now, out), tunnel.take_turn(now, out);
    happen(last(), come_up(tunnel.settings(), 0x2000));
    ike = fake.alive[0];
  }
  // A look a second; `sent`: packets out each. Liveness is answered at once where `answers`.
  bool trial_within(int seconds, std::uint64_t sent, bool answers = true, std::uint64_t in = 0) {
    const std::size_t before = fake.alive.size();
    for (int i = 0; i < seconds; ++i) {
      now += 1s;
      packets_out += sent;
      tunnel.traffic(in, packets_out, now, out);
      if (fake.alive.size() > before) return true;
      if (answers && ike->asked_at == now) ike->state.last_heard = now;
    }
    return false;
  }
  FakeIke* ike = nullptr;
  std::uint64_t packets_out = 0;
};

TEST_CASE("A path that swallows ESP is tried in UDP once an hour; silence, few packets or a silent peer are no reason") {
  SwallowBench b;
  SECTION("swallowed") {
    CHECK(b.trial_within(10, 1));
    CHECK(b.last().peer->config.encap == conf::Encap::force);
    CHECK_FALSE(b.fake.first_contact);
    b.happen(b.last(), end(ike::Cause::peer_silent, "silent"));
    CHECK_FALSE(b.trial_within(3500, 1));
    CHECK(b.trial_within(200, 1));
  }
  SECTION("nothing was sent") { CHECK_FALSE(b.trial_within(60, 0)); }
  SECTION("the peer does not answer liveness") { CHECK_FALSE(b.trial_within(60, 1, false)); }
  SECTION("ESP came in once") { CHECK_FALSE(b.trial_within(60, 1, true, 1)); }
  SECTION("there is a NAT, so ESP is in UDP") {
    b.ike->state.nat_peer = true;
    CHECK_FALSE(b.trial_within(60, 1));
  }
}

TEST_CASE("A peer given by name is looked up before each attempt, and a name unknown is a reason like others") {
  Bench b(settings(conf::Start::now, 0, "peer.example"));
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  REQUIRE(all<Resolve>(b.out).size() == 1);
  CHECK(b.fake.alive.empty());
  b.tunnel.resolved(std::nullopt, "Name or service not known", b.now, b.out);
  CHECK(b.tunnel.down_reason() == "the name peer.example cannot be resolved: Name or service not known");
  b.run_until(b.now + 2s);
  CHECK(all<Resolve>(b.out).size() == 2);
  b.tunnel.resolved(ip("203.0.113.7"), "", b.now, b.out);
  REQUIRE(b.fake.alive.size() == 1);
  CHECK(b.last().peer->remote->address == ip("203.0.113.7"));
  b.happen(b.last(), end(Cause::peer_silent, "no answer"));
  b.run_until(b.now + 5s);
  CHECK(all<Resolve>(b.out).size() == 3);
}

TEST_CASE("A peer's failed attempt gives the reason where it is known here, and a silent one does not") {
  Bench b(settings(conf::Start::wait));
  b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
  FakeIke& first = b.adopt(500, 1);
  b.happen(first, end(Cause::authentication_failed, "the peer's pre-shared key differs from ours"));
  CHECK(b.tunnel.down_reason() == "the peer's pre-shared key differs from ours");
  FakeIke& second = b.adopt(501, 2);
  b.happen(second, end(Cause::peer_silent, "it went silent"));
  CHECK(b.tunnel.down_reason() == "the peer's pre-shared key differs from ours");
  CHECK(b.tunnel.counts().refused == 2);
}

TEST_CASE("Whatever happens at random, a tunnel that starts now is never stuck") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Bench b(settings(), seed);
    crypto::SeededRandom random(seed * 7919);
    b.tunnel.begin(b.now, b.out), b.tunnel.take_turn(b.now, b.out);
    std::uint32_t spi = 0x2000;
    for (int i = 0; i < 60; ++i) {
      b.run_until(b.now + Time(random.below(20000)));
      b.out.clear();
      if (random.below(6) == 0) b.adopt(5000 + static_cast<std::uint64_t>(i), random.next_u64());
      if (random.below(20) == 0) b.tunnel.down(b.now, b.out);
      if (random.below(10) == 0) b.tunnel.up(b.now, b.out);
      if (b.fake.alive.empty()) continue;
      FakeIke& sa = *b.fake.alive[random.below(static_cast<std::uint32_t>(b.fake.alive.size()))];
      sa.closes_at_once = random.below(2) == 0;
      switch (random.below(4)) {
        case 0:
          b.happen(sa, come_up(b.tunnel.settings(), spi++));
          break;
        case 1:
          b.happen(sa, end(Cause::peer_silent, "silent"));
          break;
        case 2:
          b.happen(sa, end(Cause::closed_by_peer, "closed"));
          break;
        default:
          break;
      }
    }
    // From here on the world is kind: what is asked for succeeds, what is closed ends.
    b.tunnel.up(b.now, b.out);
    for (int i = 0; i < 200; ++i) {
      b.run_until(b.now + 1s);
      const FakeIkes alive = b.fake.alive;
      for (FakeIke* sa : alive) {
        if (std::find(b.fake.alive.begin(), b.fake.alive.end(), sa) == b.fake.alive.end()) continue;
        const bool closing = std::find(sa->calls.begin(), sa->calls.end(), "close") != sa->calls.end();
        const bool asked =
            !sa->calls.empty() && (sa->calls.back().starts_with("start") || sa->calls.back().starts_with("create"));
        if (closing) {
          b.happen(*sa, end(Cause::closed_by_us, "closed by us"));
        } else if (!sa->state.initiator && !sa->state.established) {
          b.happen(*sa, end(Cause::peer_silent, "half-open for too long"));
        } else if (asked) {
          sa->calls.emplace_back("done");
          b.happen(*sa, come_up(b.tunnel.settings(), spi++, !sa->state.established));
        }
      }
    }
    INFO("seed " << seed);
    CHECK(b.tunnel.state() == TunnelState::established);
    CHECK(b.fake.alive.size() == 1);
  }
}

}  // namespace
}  // namespace causeway::control::test

#include "control/gateway.h"

#include "test/control/fakes.h"
#include "test/support/catch.h"

namespace causeway::control::test {
namespace {

// An IKE header (RFC 7296 3.1) with nothing behind it.
ike::Datagram message(std::uint64_t spi_i, std::uint64_t spi_r, std::uint8_t flags, const char* from = "203.0.113.2",
                      std::uint8_t version = 0x20) {
  ike::Datagram d{{ip("198.51.100.2"), 500}, {ip(from), 500}, std::vector<std::uint8_t>(28)};
  for (int i = 0; i < 8; ++i) {
    d.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(spi_i >> (56 - 8 * i));
    d.bytes[static_cast<std::size_t>(8 + i)] = static_cast<std::uint8_t>(spi_r >> (56 - 8 * i));
  }
  d.bytes[17] = version;
  d.bytes[18] = 34;
  d.bytes[19] = flags;
  d.bytes[27] = 28;
  return d;
}
constexpr std::uint8_t kFromInitiator = 0x08, kResponse = 0x20;

struct Bench {
  explicit Bench(std::vector<PeerSettingsPtr> peers, HalfOpenLimits limits = {})
      : gateway(std::move(peers), environment, fake.engine(), limits) {
    gateway.begin(now, out);
  }
  void receive(const ike::Datagram& d) { gateway.receive(d, now, out); }

  FakeEnvironment environment;
  FakeEngine fake;
  Time now{1000};
  Actions out;
  Gateway gateway;
};

TEST_CASE("A first message from an address no tunnel allows is dropped before it is parsed") {
  Bench b({settings(conf::Start::wait)});
  b.receive(message(0xabc, 0, kFromInitiator, "192.0.2.66"));
  CHECK(b.fake.asked == 0);
  CHECK(b.out.empty());
  CHECK(b.gateway.counters().unknown_peer == 1);
  b.receive(message(0xabc, 0, kFromInitiator));
  CHECK(b.fake.asked == 1);
  CHECK(b.gateway.half_open() == 1);
}

TEST_CASE("A first message that comes again goes to the IKE SA that the first one made") {
  Bench b({settings(conf::Start::wait)});
  b.receive(message(0xabc, 0, kFromInitiator));
  REQUIRE(b.fake.alive.size() == 1);
  b.fake.alive[0]->pending.push_back(ike::Send{{}, {}, {9}});
  b.out.clear();
  b.receive(message(0xabc, 0, kFromInitiator));
  CHECK(b.fake.alive.size() == 1);
  CHECK(all<ike::Send>(b.out).size() == 1);
  b.receive(message(0xabd, 0, kFromInitiator));
  CHECK(b.fake.alive.size() == 2);
}

TEST_CASE("Datagrams find their IKE SA by our SPI, whichever side began") {
  Bench b({settings()});
  REQUIRE(b.fake.alive.size() == 1);
  FakeIke& ours = *b.fake.alive[0];
  ours.pending = come_up(*ours.peer, 0x2000);
  b.receive(message(ours.local_spi(), 0x777, kResponse));
  CHECK(b.gateway.tunnels()[0]->state() == TunnelState::established);

  b.receive(message(0xabc, 0, kFromInitiator));
  REQUIRE(b.fake.alive.size() == 2);
  FakeIke& theirs = *b.fake.alive[1];
  theirs.pending.push_back(ike::Notice{ike::Notice::Level::info, "got it"});
  b.out.clear();
  b.receive(message(0xabc, theirs.local_spi(), kFromInitiator));
  CHECK(all<ike::Notice>(b.out).size() == 1);
}

TEST_CASE("What belongs to no IKE SA of ours is counted and makes nothing") {
  Bench b({settings(conf::Start::wait)});
  b.receive(message(0xabc, 0x123, kFromInitiator));
  b.receive(message(0xabc, 0x123, kResponse));
  b.receive(message(0xabc, 0, kResponse));
  CHECK(b.gateway.counters().unknown_spi == 3);
  b.receive(message(0, 0, kFromInitiator));
  auto wrong = message(0xabc, 0, kFromInitiator, "203.0.113.2", 0x30);
  b.receive(wrong);
  for (std::size_t n = 0; n < 28; ++n) {
    auto cut = message(0xabc, 0, kFromInitiator);
    cut.bytes.resize(n);
    b.receive(cut);
  }
  CHECK(b.gateway.counters().malformed == 30);
  CHECK(b.fake.asked == 0);
  CHECK(b.fake.alive.empty());
}

TEST_CASE("Half-open IKE SAs are bounded by address and in total, and their places come back") {
  auto any = settings(conf::Start::wait, 0, "any");
  Bench b({any}, {.total = 5, .per_address = 3});
  for (std::uint64_t spi = 1; spi <= 10; ++spi) b.receive(message(spi, 0, kFromInitiator, "192.0.2.1"));
  CHECK(b.gateway.half_open() == 3);
  for (std::uint64_t spi = 1; spi <= 10; ++spi) b.receive(message(spi, 0, kFromInitiator, "192.0.2.2"));
  CHECK(b.gateway.half_open() == 5);
  CHECK(b.gateway.counters().half_open_limit == 15);

  FakeIke& failing = *b.fake.alive[0];
  failing.pending = end(ike::Cause::authentication_failed, "no");
  b.receive(message(1, failing.local_spi(), kFromInitiator, "192.0.2.1"));
  FakeIke& succeeding = *b.fake.alive[0];
  succeeding.pending = come_up(*any, 0x2000);
  b.receive(message(2, succeeding.local_spi(), kFromInitiator, "192.0.2.1"));
  CHECK(b.gateway.half_open() == 3);
  CHECK(b.gateway.ike_sas() == 4);
  b.receive(message(77, 0, kFromInitiator, "192.0.2.1"));
  CHECK(b.gateway.half_open() == 4);
}

// A message of which the test says whether its sender has proven its address.
ike::Datagram begin(std::uint64_t spi, const char* from, bool proven) {
  auto d = message(spi, 0, kFromInitiator, from);
  if (proven) d.bytes.push_back(1);
  return d;
}

struct ProofBench {
  explicit ProofBench(HalfOpenLimits limits)
      : gateway({settings(conf::Start::wait, 0, "any")}, environment, engine(), limits) {
    gateway.begin(now, out);
  }
  Engine engine() {
    Engine e = fake.engine();
    e.proven = [](const ike::Datagram& d, Time) { return d.bytes.size() > 28; };
    e.ask_for_proof = [](const ike::Datagram& d, ike::Environment&, Time, ike::Effects& effects) {
      effects.emplace_back(ike::Send{d.local, d.remote, {0xc0}});
    };
    return e;
  }
  void receive(const ike::Datagram& d) { gateway.receive(d, now, out); }

  FakeEnvironment environment;
  FakeEngine fake;
  Time now{1000};
  Actions out;
  Gateway gateway;
};

TEST_CASE("Senders that have not proven their address share a small bound, and are asked for a cookie beyond it") {
  ProofBench b({.total = 20, .unproven = 3, .per_address = 4});
  for (std::uint64_t spi = 1; spi <= 10; ++spi) b.receive(begin(spi, "192.0.2.1", false));
  CHECK(b.gateway.half_open() == 3);
  CHECK(b.fake.asked == 3);
  CHECK(b.gateway.counters().cookies_asked == 7);
  CHECK(all<ike::Send>(b.out).size() == 10);  // one datagram for each, of the seven nothing is kept

  // Whoever proves it gets in, from the address that the flood pretends to come from, too; and has a bound of its own.
  for (std::uint64_t spi = 11; spi <= 20; ++spi) b.receive(begin(spi, "192.0.2.1", true));
  CHECK(b.gateway.half_open() == 7);
  b.receive(begin(21, "192.0.2.2", true));
  CHECK(b.gateway.half_open() == 8);
}

TEST_CASE("IKE SAs that end at once do not let their sender begin ever more") {
  ProofBench b({.total = 50, .unproven = 5, .per_address = 4});
  int begun = 0;
  for (std::uint64_t spi = 1; spi <= 100; ++spi) {
    const std::size_t before = b.fake.alive.size();
    b.receive(begin(spi, "192.0.2.1", spi % 2 == 0));
    if (b.fake.alive.size() == before) continue;
    ++begun;
    FakeIke& sa = *b.fake.alive.back();
    sa.pending = end(ike::Cause::authentication_failed, "no");
    b.receive(message(spi, sa.local_spi(), kFromInitiator, "192.0.2.1"));
  }
  CHECK(begun == 10 + 8);  // twice each bound at once, whatever becomes of them
  CHECK(b.gateway.half_open() == 0);
  b.now += Time(1000);
  b.receive(begin(200, "192.0.2.1", true));
  CHECK(b.gateway.half_open() == 1);
}

TEST_CASE("A forged first message with the SPI of another's does not stand in that one's way") {
  Bench b({settings(conf::Start::wait)});
  auto forged = message(0xabc, 0, kFromInitiator);
  forged.bytes.push_back(7);
  b.receive(forged);
  b.receive(message(0xabc, 0, kFromInitiator));
  CHECK(b.fake.alive.size() == 2);
}

TEST_CASE("Candidates are the tunnels whose address, role, version and administrator allow the message") {
  auto initiator = settings(conf::Start::wait, 1);
  initiator->config.role = conf::Role::initiator;
  auto old = settings(conf::Start::wait, 2);
  old->config.ike.version = 1;
  auto elsewhere = settings(conf::Start::wait, 3);
  elsewhere->local.address = ip("198.51.100.99");
  Bench b({settings(conf::Start::wait, 0), initiator, old, elsewhere, settings(conf::Start::wait, 4, "any"),
           settings(conf::Start::wait, 5)});
  b.gateway.down(5, b.now, b.out);
  b.receive(message(0xabc, 0, kFromInitiator));
  REQUIRE(b.fake.candidates.size() == 2);
  CHECK(b.fake.candidates[0]->tunnel == 0);
  CHECK(b.fake.candidates[1]->tunnel == 4);
}

TEST_CASE("An IKE SA whose identities show another tunnel moves there with all that it did") {
  Bench b({settings(conf::Start::wait, 0), settings(conf::Start::wait, 1)});
  b.receive(message(0xabc, 0, kFromInitiator));
  REQUIRE(b.fake.alive.size() == 1);
  FakeIke& sa = *b.fake.alive[0];
  sa.tunnel_id = 1;
  sa.pending = come_up(b.gateway.tunnels()[1]->settings(), 0x2000);
  b.out.clear();
  b.receive(message(0xabc, sa.local_spi(), kFromInitiator));
  CHECK(b.gateway.tunnels()[0]->idle());
  CHECK(b.gateway.tunnels()[1]->state() == TunnelState::established);
  CHECK(b.gateway.half_open() == 0);
  CHECK(b.gateway.ike_sas() == 1);
  for (const Action& a : b.out) CHECK(a.tunnel == 1);
  // and is found there
  sa.pending = end(ike::Cause::closed_by_peer, "closed");
  b.receive(message(0xabc, sa.local_spi(), kFromInitiator));
  CHECK(b.gateway.idle());
  CHECK(b.gateway.ike_sas() == 0);
}

TEST_CASE("Ticks reach the tunnels that are due, and all of them end when the gateway does") {
  std::vector<PeerSettingsPtr> peers;
  for (ike::TunnelId id = 0; id < 50; ++id) peers.push_back(settings(conf::Start::now, id));
  Bench b(std::move(peers));
  REQUIRE(b.fake.alive.size() == 16);  // the others begin by turns, so that none waits long for a step
  for (int i = 0; i < 3; ++i) b.gateway.tick(b.now, b.out);
  REQUIRE(b.fake.alive.size() == 50);
  CHECK_FALSE(b.gateway.deadline());
  b.fake.alive[30]->when = Time(5000);
  b.fake.alive[30]->pending = end(ike::Cause::peer_silent, "silent");
  b.gateway.wanted(30, 300, {}, b.now, b.out);  // anything that makes the gateway look
  REQUIRE(b.gateway.deadline() == Time(5000));
  b.gateway.tick(Time(4999), b.out);
  CHECK(b.fake.alive.size() == 50);
  b.gateway.tick(Time(5000), b.out);
  CHECK(b.fake.alive.size() == 49);
  CHECK(b.gateway.deadline() > Time(5000));
  b.gateway.down_all(Time(5001), b.out);
  CHECK(b.gateway.idle());
  CHECK(b.gateway.ike_sas() == 0);
  CHECK_FALSE(b.gateway.deadline());
}

// The exchange types of a first message: IKEv1 main (2) and aggressive (4), IKE_SA_INIT (34).
ike::Datagram first_message(int version, std::uint8_t exchange, std::uint64_t spi, const char* from = "203.0.113.2") {
  auto d = message(spi, 0, version == 1 ? 0 : kFromInitiator, from, version == 1 ? 0x10 : 0x20);
  d.bytes[18] = exchange;
  return d;
}

TEST_CASE("role = initiator: what the peer begins is dropped and counted, and asks once in ten seconds whether it lives") {
  const std::pair<int, std::uint8_t> kinds[] = {{1, 2}, {1, 4}, {2, 34}};
  for (const auto& [version, exchange] : kinds) {
    INFO("version " << version << ", exchange " << static_cast<int>(exchange));
    auto s = settings();
    s->config.role = conf::Role::initiator;
    s->config.ike.version = version;
    Bench b({s});
    REQUIRE(b.fake.alive.size() == 1);
    FakeIke& ours = *b.fake.alive[0];
    b.receive(first_message(version, exchange, 0xabc));  // nothing is established: dropped all the same
    CHECK(b.gateway.counters().role_dropped == 1);
    CHECK_FALSE(ours.asked_at);

    ours.pending = come_up(*s, 0x2000);
    b.receive(message(ours.local_spi(), 0x777, kResponse, "203.0.113.2", version == 1 ? 0x10 : 0x20));
    REQUIRE(b.gateway.tunnels()[0]->state() == TunnelState::established);
    b.now += 20s;
    const Time asked = b.now;
    b.out.clear();
    for (std::uint64_t i = 0; i < 100; ++i) {
      b.receive(first_message(version, exchange, 0x1000 + i));
      b.now += 99ms;
    }
    CHECK(ours.asked_at == asked);
    b.now = asked + 10s;
    b.receive(first_message(version, exchange, 0x2000));
    CHECK(ours.asked_at == b.now);
    CHECK(b.gateway.counters().role_dropped == 102);
    CHECK(b.gateway.tunnels()[0]->counts().dropped == 102);
    CHECK(b.fake.asked == 0);  // no IKE SA of the peer's was even considered
    CHECK(all<ike::Send>(b.out).empty());
    CHECK(b.fake.alive.size() == 1);
    CHECK(b.gateway.tunnels()[0]->history().back().text.find("role = initiator") != std::string::npos);

    // From elsewhere it is a stranger's, and says nothing of the peer.
    b.now += 20s;
    const auto before = ours.asked_at;
    b.receive(first_message(version, exchange, 0x3000, "192.0.2.66"));
    CHECK(b.gateway.counters().unknown_peer == 1);
    CHECK(ours.asked_at == before);

    // What belongs to the live SA is served, whoever begins the exchange.
    ours.pending.push_back(ike::Notice{ike::Notice::Level::info, "served"});
    const std::uint8_t flags = version == 1 ? 0 : kFromInitiator;
    b.receive(version == 1 ? message(ours.local_spi(), 0x777, flags, "203.0.113.2", 0x10)
                           : message(ours.local_spi(), 0x777, 0, "203.0.113.2"));
    CHECK(all<ike::Notice>(b.out).back().text == "served");
  }
}

TEST_CASE("Aggressive mode, whose first message costs a key exchange, has a rate of its own") {
  auto s = settings(conf::Start::wait, 0, "any");
  s->config.ike.version = 1;
  s->config.ike.mode = conf::IkeMode::aggressive;
  Bench b({s}, {.total = 10'000, .unproven = 10'000, .per_address = 10'000});
  for (std::uint64_t i = 0; i < 1000; ++i) b.receive(first_message(1, 4, 0x1000 + i, "192.0.2.1"));
  CHECK(b.fake.asked == 20);
  CHECK(b.gateway.counters().half_open_limit == 980);
  b.now += 1s;
  for (std::uint64_t i = 0; i < 1000; ++i) b.receive(first_message(1, 4, 0x9000 + i, "192.0.2.1"));
  CHECK(b.fake.asked == 30);
}

TEST_CASE("Random datagrams of random peers leave the gateway consistent") {
  auto any = settings(conf::Start::wait, 0, "any");
  Bench b({any, settings(conf::Start::now, 1)}, {.total = 20, .per_address = 8});
  crypto::SeededRandom random(42);
  for (int i = 0; i < 20000; ++i) {
    const std::string from = "192.0.2." + std::to_string(random.below(4));
    std::uint64_t spi_r = random.below(3) == 0 ? 0 : random.below(200);
    if (!b.fake.alive.empty()) {
      FakeIke& sa = *b.fake.alive[random.below(static_cast<std::uint32_t>(b.fake.alive.size()))];
      if (random.below(2) == 0) spi_r = sa.local_spi();
      if (random.below(8) == 0) sa.pending = end(ike::Cause::peer_silent, "silent");
      if (random.below(8) == 0) sa.pending = come_up(*sa.peer, b.environment.next_spi++);
    }
    const auto flags = static_cast<std::uint8_t>(random.below(2) == 0 ? kFromInitiator : kResponse);
    b.receive(message(1 + random.below(30), spi_r, flags, from.c_str()));
    b.now += Time(random.below(100));
    b.gateway.tick(b.now, b.out);
    b.out.clear();
    REQUIRE(b.gateway.half_open() <= 20);
    REQUIRE(b.gateway.ike_sas() == b.fake.alive.size());
  }
}

}  // namespace
}  // namespace causeway::control::test

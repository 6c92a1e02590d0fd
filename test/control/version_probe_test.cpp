// A peer that refuses or ignores our first message is asked, once, whether it speaks the other IKE version.
#include "control/version_probe.h"

#include "test/control/fakes.h"
#include "test/support/catch.h"

namespace causeway::control::test {
namespace {

using Catch::Matchers::Contains;

struct Bench {
  explicit Bench(std::shared_ptr<ike::PeerSettings> s) : gateway({std::move(s)}, environment, fake.engine()) {
    gateway.begin(now, out);
  }
  const Tunnel& tunnel() const { return *gateway.tunnels().front(); }
  // The attempt under way ends so.
  void fail(bool first_message) {
    FakeIke& attempt = *fake.alive.back();
    ike::Reason r;
    r.cause = ike::Cause::peer_refused_proposal;
    r.text = "refused";
    r.first_message = first_message;
    attempt.pending.push_back(ike::IkeClosed{r});
    deliver(attempt.local_spi(), 2);
  }
  void next_attempt() {
    now = *gateway.deadline();
    gateway.tick(now, out);
  }
  FakeIke& asked(int version) {
    for (FakeIke* f : fake.alive) {
      if (f->peer->config.ike.version == version && f->peer->config.legacy) return *f;
    }
    FAIL("no such probe");
    return *fake.alive.front();
  }
  void answer(int version, bool accepts) {
    FakeIke& probe = asked(version);
    if (accepts) probe.pending.push_back(ike::Send{probe.peer->local, *probe.peer->remote, {9}});
    deliver(probe.local_spi(), version);
  }
  void deliver(std::uint64_t spi, int version) {
    std::vector<std::uint8_t> bytes(28);
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(spi >> (56 - 8 * i));
    bytes[8] = 1;  // a responder SPI
    bytes[17] = static_cast<std::uint8_t>(version << 4);
    gateway.receive({settings()->local, *settings()->remote, bytes}, now, out);
  }

  FakeEnvironment environment;
  FakeEngine fake;
  Time now{1000};
  Actions out;
  Gateway gateway;
};

TEST_CASE("a refused first message: both versions are asked once, and nothing of it is kept but a sentence") {
  Bench b(settings());
  b.out.clear();
  b.fail(true);
  CHECK(all<ike::Send>(b.out).size() == 2);
  CHECK_THAT(*b.tunnel().down_reason(), Contains("refused"));
  b.answer(1, false);
  CHECK(*b.tunnel().down_reason() == "refused");
  b.out.clear();
  b.answer(1, true);
  CHECK_THAT(*b.tunnel().down_reason(), Contains("speaks IKEv1") && Contains("set ike.version = 1 here"));
  CHECK(all<ike::Send>(b.out).empty());  // the exchange goes no further

  // The next attempt fails as the first did: what is known is said, nothing is asked again.
  b.next_attempt();
  b.out.clear();
  b.fail(true);
  CHECK(all<ike::Send>(b.out).empty());
  CHECK_THAT(*b.tunnel().down_reason(), Contains("speaks IKEv1"));
}

TEST_CASE("a peer that answers the own version with other algorithms: the algorithms are it, whatever else it speaks") {
  Bench b(settings());
  b.fail(true);
  b.answer(1, true);
  b.asked(2).state.suite = "aes128-sha1-modp1024";
  b.answer(2, true);
  CHECK_THAT(*b.tunnel().down_reason(), Contains("other algorithms") && Contains("aes128-sha1-modp1024"));
}

TEST_CASE("a failure later than the first message, or probe = false: nobody is asked") {
  Bench later(settings());
  later.out.clear();
  later.fail(false);
  CHECK(all<ike::Send>(later.out).empty());

  auto s = settings();
  s->config.probe = false;
  Bench off(s);
  off.out.clear();
  off.fail(true);
  CHECK(all<ike::Send>(off.out).empty());
}

TEST_CASE("a cookie is no answer, and an established tunnel forgets what was found") {
  Bench b(settings());
  b.fail(true);
  FakeIke& probe = b.asked(2);
  const std::uint64_t spi = probe.local_spi();
  probe.pending.push_back(ike::Send{probe.peer->local, *probe.peer->remote, {9}});
  std::vector<std::uint8_t> cookie(36);
  for (std::size_t i = 0; i < 8; ++i) cookie[i] = static_cast<std::uint8_t>(spi >> (56 - 8 * i));
  cookie[16] = 41;
  cookie[17] = 0x20;
  cookie[34] = 0x40;
  cookie[35] = 0x06;
  b.gateway.receive({settings()->local, *settings()->remote, cookie}, b.now, b.out);
  CHECK(*b.tunnel().down_reason() == "refused");

  b.answer(1, true);
  b.next_attempt();
  FakeIke& attempt = *b.fake.alive.back();
  attempt.pending = come_up(b.tunnel().settings(), 0x2000);
  b.deliver(attempt.local_spi(), 2);
  CHECK(b.tunnel().state() == TunnelState::established);
  CHECK_FALSE(b.tunnel().down_reason().has_value());
}

TEST_CASE("a first message of the other version from the peer's address says why nothing came up, and lets nobody in") {
  Bench b(settings(conf::Start::wait));
  std::vector<std::uint8_t> first(28);
  first[7] = 77;
  first[17] = 0x10;
  b.gateway.receive({settings()->local, {ip("203.0.113.9"), 500}, first}, b.now, b.out);
  CHECK_THAT(*b.tunnel().down_reason(), Contains("waits for the peer"));
  b.gateway.receive({settings()->local, {ip("203.0.113.2"), 500}, first}, b.now, b.out);
  CHECK_THAT(*b.tunnel().down_reason(), Contains("203.0.113.2 speaks IKEv1") && Contains("it began in that version"));
  CHECK(b.fake.asked == 0);
}

}  // namespace
}  // namespace causeway::control::test

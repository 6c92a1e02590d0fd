// The search for a path's size against paths that swallow what is too large, in virtual time.
#include "dataplane/path_probe.h"

#include <map>
#include <random>

#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;

namespace {

const conf::IpAddress kHost = *conf::IpAddress::parse("10.20.1.2");

// A path of `carries` octets that loses `loss` percent besides, and a host that answers at once.
struct Path {
  PathProbe probe;
  std::uint16_t carries = 1500;
  unsigned loss = 0;
  bool host_answers = true;
  std::uint64_t now = 1000;
  std::uint16_t sequence = 0;
  std::uint16_t in_use = 1500;
  std::size_t sent = 0, sent_large = 0;
  std::mt19937 random{5};

  void run(std::uint64_t for_ms) {
    for (const std::uint64_t end = now + for_ms; now < end; now += 50) {
      while (const auto send = probe.tick(now, sequence)) {
        ++sent;
        sent_large += send->outer > carries;
        if (send->outer <= carries && host_answers && random() % 100 >= loss)
          probe.answered(send->sequence, send->to, now);
      }
      if (const auto found = probe.take_found()) in_use = *found;
    }
  }
};

}  // namespace

TEST_CASE("A path that carries everything takes two questions, and two more nine minutes later") {
  Path path;
  path.probe.set_bounds(576, 1500);
  path.run(5'000);
  CHECK(path.sent == 0);  // nobody to ask
  path.probe.suggest(kHost);
  path.run(5'000);
  CHECK(path.sent == 2);
  CHECK(path.in_use == 1500);
  path.run(545'000);
  CHECK(path.sent == 4);
}

TEST_CASE("What a path carries is found to a few octets, for every size, and never said to be more") {
  for (const std::uint16_t carries : {576, 577, 583, 600, 1006, 1279, 1280, 1281, 1400, 1492, 1493, 1499}) {
    Path path;
    path.carries = carries;
    path.probe.set_bounds(576, 1500);
    path.probe.suggest(kHost);
    path.run(60'000);
    INFO(carries << " found as " << path.in_use);
    CHECK(path.in_use <= carries);
    CHECK(path.in_use + PathProbe::kNearEnough >= carries);
  }
}

TEST_CASE("A fifth of the answers lost does not make a wide path narrow for long") {
  Path path;
  path.loss = 20;
  path.carries = 9000;
  path.probe.set_bounds(1280, 9000);
  path.in_use = 9000;
  path.probe.suggest(kHost);
  std::size_t wide = 0;
  for (int round = 0; round < 100; ++round) {
    path.run(600'000);
    wide += path.in_use == 9000;
  }
  CHECK(wide >= 90);  // one in 125 by chance
}

TEST_CASE("A narrow path stays narrow when it is asked again, and a path that has grown is used again") {
  Path path;
  path.carries = 1300;
  path.probe.set_bounds(576, 1500);
  path.probe.suggest(kHost);
  path.run(60'000);
  const std::uint16_t found = path.in_use;
  for (int i = 0; i < 5; ++i) {
    path.run(600'000);
    CHECK(path.in_use <= 1300);
    CHECK(path.in_use + PathProbe::kNearEnough >= 1300);
  }
  CHECK(found <= 1300);
  path.carries = 1500;
  path.run(600'000);
  CHECK(path.in_use == 1500);
}

TEST_CASE("A host that falls silent says nothing of the path; another one is asked later") {
  Path path;
  path.host_answers = false;
  path.probe.set_bounds(576, 1500);
  path.probe.suggest(kHost);
  path.run(30'000);
  CHECK(path.sent == 3);
  CHECK(path.sent_large == 0);
  CHECK(path.in_use == 1500);
  path.host_answers = true;
  path.carries = 1400;
  path.probe.suggest(*conf::IpAddress::parse("10.20.1.9"));
  path.run(60'000);
  CHECK(path.in_use <= 1400);
}

TEST_CASE("Answers to other questions, from other hosts and twice are not taken") {
  PathProbe probe;
  probe.set_bounds(576, 1500);
  probe.suggest(kHost);
  std::uint16_t sequence = 41;
  const auto send = probe.tick(1000, sequence);
  REQUIRE(send);
  CHECK(send->outer == 0);
  CHECK(send->sequence == 42);
  CHECK_FALSE(probe.answered(41, kHost, 1001));
  CHECK_FALSE(probe.answered(42, *conf::IpAddress::parse("10.20.1.3"), 1001));
  CHECK(probe.answered(42, kHost, 1001));
  CHECK_FALSE(probe.answered(42, kHost, 1002));
}

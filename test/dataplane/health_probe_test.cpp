// Whether a host behind a tunnel answers, in virtual time.
#include "dataplane/health_probe.h"

#include <functional>

#include "test/support/catch.h"

using causeway::dataplane::HealthProbe;

namespace {

struct Host {
  HealthProbe probe;
  std::uint64_t now = 1000;
  std::uint16_t sequence = 0;
  int sent = 0;
  std::optional<bool> word;  // the last that was told
  int words = 0;

  // `answers(n)`: whether the n-th echo, from 0, is answered.
  void run(int echoes, const std::function<bool(int)>& answers) {
    for (const int end = sent + echoes; sent < end; now += 100) {
      const auto echo = probe.tick(now, sequence);
      if (echo && answers(sent)) probe.answered(*echo);
      if (echo) ++sent;
      if (const auto change = probe.take_change()) {
        word = change;
        ++words;
      }
    }
  }
};

bool yes(int) { return true; }
bool no(int) { return false; }

}  // namespace

TEST_CASE("A host that answers is healthy at its first answer, and asked every two seconds") {
  Host host;
  host.run(10, yes);
  CHECK(host.word == true);
  CHECK(host.words == 1);
  CHECK(host.now == 1000 + 9 * HealthProbe::kEveryMs + 100);
}

TEST_CASE("A host that never answers is silent after three echoes, not before") {
  Host host;
  host.run(3, no);  // the third may still be answered
  CHECK_FALSE(host.word.has_value());
  host.run(1, no);
  CHECK(host.word == false);
  CHECK(host.words == 1);
}

TEST_CASE("Losing two of three echoes changes nothing, losing three does, and three answers bring it back") {
  Host host;
  host.run(30, [](int n) { return n % 3 == 0; });
  CHECK(host.word == true);
  CHECK(host.words == 1);
  host.run(4, no);
  CHECK(host.word == false);
  host.run(30, [](int n) { return n % 3 != 0; });  // two answers, and one is lost, again and again
  CHECK(host.word == false);
  host.run(4, yes);
  CHECK(host.word == true);
  CHECK(host.words == 3);
}

TEST_CASE("An answer to an echo that is over, or to none, is none") {
  HealthProbe probe;
  std::uint16_t sequence = 65535;
  CHECK_FALSE(probe.answered(65535));
  const auto first = probe.tick(0, sequence);
  REQUIRE(first == 65535);
  const auto second = probe.tick(HealthProbe::kEveryMs, sequence);
  REQUIRE(second == 0);  // it wraps
  CHECK_FALSE(probe.answered(*first));
  CHECK(probe.answered(*second));
  CHECK_FALSE(probe.answered(*second));
}

// The small parts around the controller: the log, the resolver, the main loop.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "control/log.h"
#include "control/main_loop.h"
#include "control/resolver.h"
#include "test/control/fakes.h"
#include "test/support/catch.h"

namespace causeway::control::test {
namespace {

TEST_CASE("The log keeps the recent lines at its level and above, and counts all of them") {
  Log log(Level::error, Log::To::memory);
  log.debug("not kept");
  log.warning("not kept either");
  for (int i = 0; i < 2500; ++i) log.write(Level::error, i % 2 == 0 ? "net" : "", "line " + std::to_string(i));
  const auto lines = log.recent();
  REQUIRE(lines.size() == 2000);
  CHECK(lines.front().text == "line 500");
  CHECK(lines.back().text == "line 2499");
  CHECK(lines.front().tunnel == "net");
  CHECK(lines.back().level == "error");
  CHECK(log.written() == 2500);
}

TEST_CASE("Levels have their names, and other words none") {
  Level level = Level::info;
  CHECK(parse_level("warning", level));
  CHECK(level == Level::warning);
  CHECK_FALSE(parse_level("loud", level));
  CHECK(level == Level::warning);
}

TEST_CASE("Names are looked up by a thread of their own, answers carry their tags") {
  Resolver resolver;
  CHECK(resolver.take().empty());
  resolver.ask(7, "127.0.0.1", conf::Family::v4);
  resolver.ask(8, "no.such.name.invalid", conf::Family::v4);
  std::vector<Resolver::Answer> answers;
  while (answers.size() < 2) {
    pollfd wait{resolver.event_fd(), POLLIN, 0};
    REQUIRE(poll(&wait, 1, 60'000) == 1);
    for (auto& a : resolver.take()) answers.push_back(std::move(a));
  }
  CHECK(answers[0].tag == 7);
  CHECK(answers[0].address == ip("127.0.0.1"));
  CHECK(answers[1].tag == 8);
  CHECK_FALSE(answers[1].address);
  CHECK_FALSE(answers[1].error.empty());
}

TEST_CASE("A resolver that is not waited for ends cleanly") {
  Resolver resolver;
  for (std::uint32_t i = 0; i < 50; ++i) resolver.ask(i, "127.0.0.1", conf::Family::v4);
}

TEST_CASE("The main loop steps at each tick, serves descriptors, and time is never zero nor goes back") {
  MainLoop loop;
  const int bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  int rung = 0, steps = 0;
  ike::Time last{1};
  bool forward = true;
  loop.watch(bell, [&] {
    std::uint64_t n = 0;
    if (read(bell, &n, sizeof n) == sizeof n) ++rung;
  });
  loop.run([&](ike::Time now) {
    forward = forward && now >= last;
    last = now;
    ++steps;
    forward = forward && loop.times().round >= std::chrono::microseconds(0);
    const std::uint64_t one = 1;
    if (steps == 5 && write(bell, &one, sizeof one) != sizeof one) return false;
    return steps < 50 || rung == 0;
  });
  close(bell);
  CHECK(rung == 1);
  CHECK(steps >= 50);
  CHECK(forward);
  CHECK(last >= 1000ms);
}

}  // namespace
}  // namespace causeway::control::test

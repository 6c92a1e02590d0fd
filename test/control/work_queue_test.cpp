// The shares of a round, under a clock that counts work.
#include "control/work_queue.h"

#include "crypto/random.h"
#include "test/support/catch.h"

namespace causeway::control::test {
namespace {

using Lane = WorkQueue::Lane;
using std::chrono::microseconds;

dataplane::IkeDatagram message(std::uint8_t number, std::size_t size = 28) {
  dataplane::IkeDatagram d;
  d.bytes.assign(size, number);
  return d;
}

// Every event costs the same; who was served in a round, in order: lanes by the first octet of their messages.
struct Bench {
  microseconds cost{0}, clock{0};
  WorkQueue queue;
  std::vector<int> served;

  void round() {
    served.clear();
    const ProcessorTime spent = [this] { return clock; };
    queue.serve(spent, [this](dataplane::Event&& event) {
      clock += cost;
      const auto* ike = std::get_if<dataplane::IkeDatagram>(&event);
      served.push_back(ike == nullptr ? 1 : ike->bytes[0]);
    });
  }
  void put(Lane lane) {
    if (lane == Lane::wishes) {
      CHECK(queue.put(lane, dataplane::LimitReached{}));
    } else {
      CHECK(queue.put(lane, message(static_cast<std::uint8_t>(lane))));
    }
  }
};

TEST_CASE("Handshakes of 8 ms each, hundreds at once: a round does one of each lane, and all are done in the end") {
  Bench b{.cost = microseconds(8000)};
  for (const Lane lane : {Lane::first, Lane::half_open, Lane::wishes, Lane::live})
    for (int i = 0; i < 200; ++i) b.put(lane);
  for (int i = 0; i < 200; ++i) {
    const auto before = b.clock;
    b.round();
    CHECK(b.served == std::vector{0, 1, 2, 3});
    REQUIRE(b.clock - before < std::chrono::milliseconds(50));
  }
  CHECK(b.queue.empty());
}

TEST_CASE("Whatever events cost, a round takes no longer than its shares and one event more of each lane") {
  crypto::SeededRandom random(11);
  for (int i = 0; i < 200; ++i) {
    Bench b{.cost = microseconds(random.below(9000))};
    for (int n = 0; n < 400; ++n) b.put(static_cast<Lane>(random.below(4)));
    std::size_t done = 0;
    for (int rounds = 0; !b.queue.empty(); ++rounds) {
      REQUIRE(rounds < 400);
      const auto before = b.clock;
      b.round();
      done += b.served.size();
      REQUIRE(b.clock - before <= 4 * (std::chrono::milliseconds(4) + b.cost));
    }
    REQUIRE(done == 400);
  }
}

TEST_CASE("What costs next to nothing is all done in one round, the living first") {
  Bench b{.cost = microseconds(2)};
  for (int i = 0; i < 300; ++i) b.put(Lane::first);
  for (int i = 0; i < 300; ++i) b.put(Lane::live);
  b.round();
  CHECK(b.served.size() == 600);
  CHECK(std::ranges::is_sorted(b.served));
  CHECK(b.queue.empty());
}

TEST_CASE("IKE messages beyond the bounds are refused, in number and in octets; limits and wishes never") {
  WorkQueue queue;
  for (std::size_t i = 0; i < WorkQueue::kMessages; ++i) REQUIRE(queue.put(Lane::first, message(1)));
  CHECK_FALSE(queue.put(Lane::first, message(1)));
  CHECK(queue.put(Lane::half_open, message(1)));
  std::size_t taken = 0;
  while (queue.put(Lane::live, message(1, 60'000))) ++taken;
  CHECK(taken == WorkQueue::kOctets / 60'000);
  for (std::size_t i = 0; i < 3 * WorkQueue::kMessages; ++i) REQUIRE(queue.put(Lane::wishes, dataplane::LimitReached{}));
  std::size_t served = 0;
  const ProcessorTime free = [] { return microseconds(0); };
  queue.serve(free, [&](dataplane::Event&&) { ++served; });
  CHECK(served == 4 * WorkQueue::kMessages + 1 + taken);
  CHECK(queue.put(Lane::live, message(1, 60'000)));  // there is room again
}

}  // namespace
}  // namespace causeway::control::test

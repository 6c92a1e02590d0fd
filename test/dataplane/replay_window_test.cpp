// The replay window against a naive model: a set of all numbers ever accepted.
#include "dataplane/replay_window.h"

#include <random>
#include <set>
#include <vector>

#include "test/support/catch.h"

using causeway::dataplane::ReplayWindow;
using Verdict = ReplayWindow::Verdict;

namespace {

struct Window {
  std::vector<std::uint64_t> storage;
  ReplayWindow window;
  Window(std::uint32_t size, bool esn) : storage(ReplayWindow::words(size)) { window.init(size, esn, storage.data()); }
};

class Model {
 public:
  explicit Model(std::uint32_t size) : size_(size) {}
  Verdict check(std::uint64_t sequence) const {
    if (sequence == 0) return Verdict::old;
    if (sequence > top_) return Verdict::fresh;
    if (top_ - sequence >= size_) return Verdict::old;
    return seen_.count(sequence) != 0 ? Verdict::duplicate : Verdict::fresh;
  }
  void accept(std::uint64_t sequence) {
    seen_.insert(sequence);
    top_ = std::max(top_, sequence);
    while (!seen_.empty() && top_ - *seen_.begin() >= size_) seen_.erase(seen_.begin());
  }
  std::uint64_t top() const { return top_; }

 private:
  std::uint32_t size_;
  std::uint64_t top_ = 0;
  std::set<std::uint64_t> seen_;
};

// Mostly forward, often back into the window or just beyond its end, sometimes far ahead.
std::uint64_t next(std::mt19937_64& random, std::uint64_t top, std::uint32_t size, std::uint64_t limit) {
  const auto below = [&](std::uint64_t n) { return random() % n; };
  std::uint64_t sequence = top;
  switch (below(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      sequence = top + 1;
      break;
    case 4:
    case 5:
      sequence = top - std::min(top, below(size));
      break;
    case 6:
      sequence = top - std::min(top, size - 2 + below(5));
      break;
    case 7:
      sequence = top + below(size) + 1;
      break;
    case 8:
      sequence = top + below(3ULL * size) + 1;
      break;
    default:
      sequence = below(50) == 0 ? top + below(100'000) : top - std::min(top, below(2ULL * size));
      break;
  }
  return std::min(sequence, limit);
}

}  // namespace

TEST_CASE("the replay window agrees with a naive model over random sequences, for every size") {
  std::mt19937_64 random(20'260'101);
  for (const std::uint32_t size :
       {32U, 33U, 63U, 64U, 65U, 100U, 128U, 512U, 1000U, 1024U, 2048U, 4096U, 8191U, 8192U}) {
    for (const bool esn : {false, true}) {
      Window w(size, esn);
      Model model(size);
      for (int step = 0; step < 20'000; ++step) {
        const std::uint64_t sequence = next(random, model.top(), size, esn ? UINT64_MAX : UINT32_MAX);
        const Verdict expected = model.check(sequence);
        if (w.window.check(sequence) != expected) {
          CAPTURE(size, esn, step, sequence, model.top());
          FAIL("verdicts differ");
        }
        if (expected != Verdict::fresh) continue;
        const bool highest = sequence > model.top();
        model.accept(sequence);
        if (w.window.advance(sequence) != highest || w.window.top() != model.top()) FAIL("the window's top differs");
      }
    }
  }
}

TEST_CASE("the window accepts each of its numbers once, and the first one behind it never") {
  for (const std::uint32_t size : {32U, 64U, 2048U, 8192U}) {
    Window w(size, false);
    const std::uint64_t top = 3ULL * size;
    REQUIRE(w.window.check(top) == Verdict::fresh);
    REQUIRE(w.window.advance(top));
    CHECK(w.window.check(top - size) == Verdict::old);
    for (std::uint64_t s = top - size + 1; s < top; ++s) {
      REQUIRE(w.window.check(s) == Verdict::fresh);
      REQUIRE_FALSE(w.window.advance(s));
      REQUIRE(w.window.check(s) == Verdict::duplicate);
    }
  }
}

TEST_CASE("sequence number zero is never accepted") {
  for (const bool esn : {false, true}) {
    Window w(64, esn);
    CHECK(w.window.check(0) == Verdict::old);
    w.window.advance(5);
    CHECK(w.window.check(0) == Verdict::old);
  }
}

TEST_CASE("without ESN the counter does not wrap: after 2^32-1 the low numbers are old") {
  Window w(2048, false);
  w.window.advance(UINT32_MAX);
  for (std::uint32_t low = 0; low < 5000; ++low) {
    REQUIRE(w.window.infer(low) == low);
    REQUIRE(w.window.check(low) != Verdict::fresh);
  }
  CHECK(w.window.check(UINT32_MAX) == Verdict::duplicate);
  CHECK(w.window.check(UINT32_MAX - 2047U) == Verdict::fresh);
}

TEST_CASE("with ESN the high half is inferred around every crossing of 2^32") {
  std::mt19937_64 random(7);
  for (const std::uint32_t size : {32U, 64U, 1024U, 8192U}) {
    for (const std::uint64_t crossing : {1ULL << 32, 2ULL << 32, 77ULL << 32}) {
      Window w(size, true);
      w.window.advance(crossing - 3 * size);
      std::uint64_t top = crossing - 3 * size;
      for (int step = 0; step < 5000; ++step) {
        // what a sender near the top could send: inside the window or up to 2^31 ahead of it
        const bool behind = random() % 2 == 0;
        const std::uint64_t sequence = behind ? top - random() % size : top + 1 + random() % (size / 4);
        REQUIRE(w.window.infer(static_cast<std::uint32_t>(sequence)) == sequence);
        if (w.window.check(sequence) == Verdict::fresh) w.window.advance(sequence);
        top = std::max(top, sequence);
      }
      REQUIRE(top > crossing);
    }
  }
}

TEST_CASE("with ESN nothing is inferred before the first number or after the last") {
  Window w(64, true);
  w.window.advance(10);
  CHECK(w.window.infer(0xfffffff0) == 0);  // would be from before the SA began
  Window end(64, true);
  end.window.advance(0xffffffff'ffffff00);
  CHECK(end.window.infer(5) == 0);  // the 64-bit counter has no next round
  CHECK(end.window.check(end.window.infer(5)) == Verdict::old);
}

#include <array>
#include <vector>

#include "crypto/random.h"
#include "test/support/catch.h"

using namespace causeway::crypto;

TEST_CASE("A seeded generator repeats its stream for its seed and differs for another") {
  SeededRandom a(7), b(7), c(8);
  std::array<std::uint8_t, 37> x{}, y{}, z{};
  a.fill(x);
  b.fill(y);
  c.fill(z);
  CHECK(x == y);
  CHECK(x != z);
}

TEST_CASE("below() stays under its bound and reaches every value evenly") {
  SeededRandom r(1);
  CHECK(r.below(1) == 0);
  std::array<int, 10> seen{};
  for (int i = 0; i < 10000; ++i) {
    const auto v = r.below(10);
    REQUIRE(v < 10);
    ++seen[v];
  }
  for (const int n : seen) {
    CHECK(n > 850);
    CHECK(n < 1150);
  }
  for (int i = 0; i < 100; ++i) CHECK(r.below(0xffffffff) < 0xffffffff);
}

TEST_CASE("The system generator fills all of the buffer and does not repeat") {
  SystemRandom r;
  std::vector<std::uint8_t> a(64), b(64);
  r.fill(a);
  r.fill(b);
  CHECK(a != b);
  CHECK(std::vector<std::uint8_t>(a.end() - 16, a.end()) != std::vector<std::uint8_t>(16));
  r.fill({});
}

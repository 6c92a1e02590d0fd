#include <array>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "crypto/secrets.h"
#include "test/support/catch.h"

using namespace causeway::crypto;

namespace {
std::vector<std::uint8_t> pattern(std::size_t n) {
  std::vector<std::uint8_t> v(n);
  for (std::size_t i = 0; i < n; ++i) v[i] = static_cast<std::uint8_t>(i * 7 + 1);
  return v;
}
}  // namespace

TEST_CASE("A secret of any size keeps its octets through copy, move, slice and append") {
  for (const std::size_t n : {0u, 1u, 15u, 16u, 17u, 32u, 64u, 100u, 4095u, 4096u, 4097u, 70000u}) {
    CAPTURE(n);
    const auto p = pattern(n);
    Secret a(p);
    CHECK(a.size() == n);
    CHECK(a.empty() == (n == 0));
    CHECK(equal_constant_time(a.bytes(), p));
    Secret b(a);
    CHECK(a == b);
    Secret c(std::move(b));
    CHECK(a == c);
    CHECK(b.empty());  // NOLINT(bugprone-use-after-move): a moved-from secret is empty, by contract
    b = c;
    CHECK(b == a);
    b.append(p);
    CHECK(b.size() == 2 * n);
    CHECK(b.slice(n, n) == a);
    if (n > 2) CHECK(equal_constant_time(a.slice(1, n - 2).bytes(), std::span(p).subspan(1, n - 2)));
    Secret& self = c;
    c = self;
    CHECK(c == a);
  }
  CHECK_THROWS_AS(Secret(4).slice(2, 3), std::out_of_range);
  CHECK_THROWS_AS(Secret(4).slice(5, 0), std::out_of_range);
}

TEST_CASE("A released secret is wiped where it stood") {
  // Read through the kernel: the released slot is poisoned for AddressSanitizer.
  std::ifstream memory("/proc/self/mem", std::ios::binary);
  const auto read = [&](const std::uint8_t* at) {
    std::vector<std::uint8_t> v(48);
    memory.seekg(static_cast<std::streamoff>(reinterpret_cast<std::uintptr_t>(at)));
    memory.read(reinterpret_cast<char*>(v.data()), 48);
    REQUIRE(memory.good());
    return v;
  };
  const std::uint8_t* where = nullptr;
  {
    const Secret s(pattern(48));
    where = s.bytes().data();
    CHECK(read(where) == pattern(48));
  }
  memory.sync();
  CHECK(read(where) == std::vector<std::uint8_t>(48));
}

TEST_CASE("wipe overwrites, and constant-time comparison finds each single differing octet") {
  auto a = pattern(40);
  const auto b = a;
  CHECK(equal_constant_time(a, b));
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] ^= 0x80;
    CHECK_FALSE(equal_constant_time(a, b));
    a[i] ^= 0x80;
  }
  CHECK_FALSE(equal_constant_time(a, std::span(b).first(39)));
  CHECK(equal_constant_time({}, {}));
  wipe(a);
  CHECK(a == std::vector<std::uint8_t>(40));
  wipe({});
}

TEST_CASE("Secrets are made and released on several threads at once without corruption") {
  std::vector<std::thread> threads;
  std::array<bool, 4> good{};
  for (std::size_t t = 0; t < good.size(); ++t) {
    threads.emplace_back([t, &good] {
      bool ok = true;
      for (std::size_t i = 0; i < 2000; ++i) {
        const auto p = pattern(1 + (i * 13 + t * 5) % 300);
        const Secret a(p);
        const Secret b(a);
        ok = ok && equal_constant_time(b.bytes(), p);
      }
      good[t] = ok;
    });
  }
  for (auto& t : threads) t.join();
  for (const bool g : good) CHECK(g);
}

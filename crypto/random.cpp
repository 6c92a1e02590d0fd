#include "crypto/random.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace causeway::crypto {

std::uint64_t Random::next_u64() {
  std::array<std::uint8_t, 8> octets{};
  fill(octets);
  std::uint64_t value = 0;
  for (const std::uint8_t o : octets) value = value << 8 | o;
  return value;
}

std::uint32_t Random::below(std::uint32_t bound) {
  // Values above the largest multiple of `bound` would favour small results: draw again.
  const std::uint64_t range = std::uint64_t{1} << 32;
  const std::uint64_t limit = range - range % bound;
  for (;;) {
    const std::uint64_t value = next_u64() >> 32;
    if (value < limit) return static_cast<std::uint32_t>(value % bound);
  }
}

void SystemRandom::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const std::size_t take = std::min<std::size_t>(out.size(), std::numeric_limits<int>::max());
    if (RAND_priv_bytes(out.data(), static_cast<int>(take)) != 1) {
      std::fputs("causeway: the system's random generator failed; nothing secret can be made\n", stderr);
      std::abort();
    }
    out = out.subspan(take);
  }
}

void SeededRandom::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    // splitmix64 (Steele, Lea, Flood 2014): every seed, zero too, gives a good stream.
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    const std::size_t take = std::min<std::size_t>(out.size(), sizeof z);
    std::memcpy(out.data(), &z, take);
    out = out.subspan(take);
  }
}

}  // namespace causeway::crypto

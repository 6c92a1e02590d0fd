// What can happen to octets on their way: every truncation, and every octet replaced in a dozen ways.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace causeway::test {

using Damaged = std::function<void(std::span<const std::uint8_t>)>;

// Each truncation stands in a buffer of exactly its size, so that AddressSanitizer sees a read past its end.
inline void each_truncation(std::span<const std::uint8_t> good, const Damaged& use) {
  for (std::size_t n = 0; n < good.size(); ++n) {
    const std::vector<std::uint8_t> shorter(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n));
    use(shorter);
  }
}

// Every bit flipped, and the values that lengths and counts go wrong by.
inline void each_mutation(std::span<const std::uint8_t> good, const Damaged& use) {
  std::vector<std::uint8_t> octets(good.begin(), good.end());
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const std::uint8_t kept = octets[i];
    const std::array<std::uint8_t, 12> values = {0x00,
                                                 0xff,
                                                 0x7f,
                                                 0x80,
                                                 static_cast<std::uint8_t>(kept + 1),
                                                 static_cast<std::uint8_t>(kept - 1),
                                                 static_cast<std::uint8_t>(kept ^ 1),
                                                 static_cast<std::uint8_t>(kept ^ 2),
                                                 static_cast<std::uint8_t>(kept ^ 4),
                                                 static_cast<std::uint8_t>(kept ^ 8),
                                                 static_cast<std::uint8_t>(kept ^ 16),
                                                 static_cast<std::uint8_t>(kept ^ 32)};
    for (const std::uint8_t v : values) {
      octets[i] = v;
      use(octets);
    }
    octets[i] = kept;
  }
}

inline void each_damage(std::span<const std::uint8_t> good, const Damaged& use) {
  each_truncation(good, use);
  each_mutation(good, use);
  std::vector<std::uint8_t> longer(good.begin(), good.end());
  longer.push_back(0);
  use(longer);
}

}  // namespace causeway::test

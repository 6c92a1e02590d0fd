// ESP's padding: 1, 2, 3 ... (RFC 4303 2.4).
#pragma once

#include <cstdint>
#include <cstring>

namespace causeway::dataplane {

// Every octet is looked at. `end`: where they end; before them is ESP's header at the least, so there are eight octets to
// look at.
inline bool padding_is_right(const std::uint8_t* end, std::uint32_t count) {
  constexpr std::uint64_t kFirst = 0x0807060504030201, kEach = 0x0101010101010101;
  if (count == 0) return true;
  std::uint64_t last;
  std::memcpy(&last, end - 8, 8);
  if (count <= 8) {  // as one number, whose lower octets are before the padding
    const std::uint32_t not_ours = 64 - 8 * count;
    return last >> not_ours == kFirst << not_ours >> not_ours;
  }
  std::uint64_t first;
  std::memcpy(&first, end - count, 8);
  if (count <= 16) return first == kFirst && last == kFirst + (count - 8) * kEach;
  std::uint32_t wrong = 0;
  for (std::uint32_t i = 0; i < count; ++i) wrong |= (end - count)[i] ^ (i + 1);
  return (wrong & 0xff) == 0;
}

// Up to 15 of them, the pad length and the next header. Behind those is the ICV's place, of eight octets at the least.
inline void write_trailer(std::uint8_t* at, std::uint32_t count, std::uint8_t next_header) {
  constexpr std::uint64_t kFirst = 0x0807060504030201, kSecond = 0x100f0e0d0c0b0a09;
  std::memcpy(at, &kFirst, 8);  // what is too much falls where the trailer and the ICV go
  if (count > 8) std::memcpy(at + 8, &kSecond, 8);
  const auto end = static_cast<std::uint16_t>(count | std::uint32_t{next_header} << 8);
  std::memcpy(at + count, &end, 2);
}

}  // namespace causeway::dataplane

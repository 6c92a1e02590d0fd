// An IPv4 header without options as three numbers, read once: what the short way of the common packet (plain.cpp) asks of
// a header is a few operations on them, and what it changes is one store.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace causeway::dataplane {

struct PlainHeader {
  static_assert(std::endian::native == std::endian::little);
  static constexpr std::uint32_t kOctets = 20;

  std::uint64_t first = 0, second = 0;  // octets 0 to 7 and 8 to 15, as they lie
  std::uint32_t third = 0;              // 16 to 19

  static PlainHeader read(const std::uint8_t* ip) {
    PlainHeader h;
    std::memcpy(&h.first, ip, 8);
    std::memcpy(&h.second, ip + 8, 8);
    std::memcpy(&h.third, ip + 16, 4);
    return h;
  }

  // Version 4, no options, no fragment, and a hop further it still lives.
  [[nodiscard]] bool may_go_on() const { return (first & 0xff3f'0000'0000'00ff) == 0x45 && ttl() > 1; }
  // RFC 791: the ones' complement sum is all ones, which is to say that 65535 divides it. 2^16 is 1 to that modulus, so
  // words of any width add up to it, if what is carried comes round.
  [[nodiscard]] bool checksum_holds() const {
    std::uint64_t sum = first + second;
    sum += sum < second ? 1 : 0;
    sum += third;
    sum += sum < third ? 1 : 0;
    return sum % 0xffff == 0;
  }

  [[nodiscard]] std::uint8_t traffic_class() const { return static_cast<std::uint8_t>(first >> 8); }
  [[nodiscard]] std::uint32_t total() const { return __builtin_bswap16(static_cast<std::uint16_t>(first >> 16)); }
  [[nodiscard]] bool dont_fragment() const { return (first >> 48 & 0x40) != 0; }
  [[nodiscard]] std::uint8_t ttl() const { return static_cast<std::uint8_t>(second); }
  [[nodiscard]] std::uint8_t protocol() const { return static_cast<std::uint8_t>(second >> 8); }
  [[nodiscard]] std::uint64_t addresses() const { return second >> 32 | std::uint64_t{third} << 32; }  // as they lie
  [[nodiscard]] std::uint32_t source() const { return __builtin_bswap32(static_cast<std::uint32_t>(second >> 32)); }
  [[nodiscard]] std::uint32_t destination() const { return __builtin_bswap32(third); }

  // Octets 8 to 15 with a hop less and the checksum mended (RFC 1624). The TTL must be above zero.
  [[nodiscard]] std::uint64_t second_a_hop_on() const {
    std::uint64_t sum = (second >> 16 & 0xffff) + 1;  // 0x0100 in network order
    sum += sum >= 0xffff ? 1 : 0;
    return ((second - 1) & ~std::uint64_t{0xffff'0000}) | (sum & 0xffff) << 16;
  }
};

}  // namespace causeway::dataplane

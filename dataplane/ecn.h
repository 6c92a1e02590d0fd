// Explicit congestion notification through a tunnel (RFC 6040). Fields are the two low bits of the IPv4
// TOS octet or of the IPv6 traffic class.
#pragma once

#include <cstdint>

namespace causeway::dataplane {

inline constexpr std::uint8_t kEcnMask = 3;
enum Ecn : std::uint8_t { kNotEct = 0, kEct1 = 1, kEct0 = 2, kCe = 3 };

// Entering a tunnel, 4.1: normal mode copies, compatibility mode (for a peer that may know only RFC 2401)
// says nothing.
inline std::uint8_t ecn_entering(std::uint8_t inner, bool compatibility) {
  return compatibility ? std::uint8_t{kNotEct} : static_cast<std::uint8_t>(inner & kEcnMask);
}

// Leaving it, 4.2 figure 4: the inner field to forward with, or kEcnDrop.
inline constexpr std::uint8_t kEcnDrop = 0xff;
inline std::uint8_t ecn_leaving(std::uint8_t inner, std::uint8_t outer) {
  constexpr std::uint8_t kTable[4][4] = {
      // outer: Not-ECT, ECT(1), ECT(0), CE
      {kNotEct, kNotEct, kNotEct, kEcnDrop},  // inner Not-ECT
      {kEct1, kEct1, kEct1, kCe},             // inner ECT(1)
      {kEct0, kEct1, kEct0, kCe},             // inner ECT(0)
      {kCe, kCe, kCe, kCe},                   // inner CE
  };
  return kTable[inner & kEcnMask][outer & kEcnMask];
}

}  // namespace causeway::dataplane

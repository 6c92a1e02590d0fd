// IPv4 and IPv6 headers as every stage behind classification sees them: one view, made without trusting
// any length beyond what is there and contiguous. RFC 791, RFC 8200 4.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <optional>

#include "conf/address.h"
#include "dataplane/headers.h"
#include "dataplane/policy.h"

namespace causeway::dataplane {

inline constexpr std::uint8_t kProtocolIcmp6 = 58, kProtocolFragment = 44;
inline constexpr std::uint16_t kIpv6Header = sizeof(rte_ipv6_hdr), kFragmentHeader = 8;
inline constexpr std::uint16_t kLeastIpv6Mtu = 1280;  // RFC 8200 5

struct IpHeader {
  conf::Family family = conf::Family::v4;
  std::uint8_t protocol = 0;    // of the upper layer, behind extension headers (which may not all be here)
  std::uint8_t hop_limit = 0;   // or time to live
  bool fragment = false;        // any fragment
  bool later_fragment = false;  // one that does not hold the upper layer's header
  bool more_fragments = false;
  bool dont_fragment = false;            // always for IPv6 on its way
  bool source_routed = false;            // IPv6 routing header of type 0 (RFC 5095)
  std::uint16_t upper = 0;               // where the upper layer starts, counted from the IP header
  std::uint16_t fragment_at = 0;         // IPv6: where the fragment header is, if fragment
  std::uint16_t next_header_at = 6;      // IPv6: where the number of the header at fragment_at stands
  std::uint32_t fragment_offset = 0;     // octets
  std::uint32_t id = 0;                  // of the datagram a fragment belongs to, host order
  std::uint32_t total = 0;               // octets of the packet by its own header
  const std::uint8_t* source = nullptr;  // network order, in the packet
  const std::uint8_t* destination = nullptr;

  [[nodiscard]] std::size_t address_octets() const { return family == conf::Family::v4 ? 4 : 16; }
  [[nodiscard]] conf::IpAddress source_address() const;
  [[nodiscard]] conf::IpAddress destination_address() const;
  [[nodiscard]] std::uint8_t icmp_protocol() const {
    return family == conf::Family::v4 ? kProtocolIcmp : kProtocolIcmp6;
  }
};

// From the header at `offset`. Nothing where it is cut off, contradicts itself or is not contiguous;
// whether the packet has `total` octets is for the caller to compare.
std::optional<IpHeader> read_ip(const rte_mbuf* m, std::uint16_t offset);

// What selectors look at. The addresses point into the packet.
Flow flow_of(const rte_mbuf* m, std::uint16_t offset, const IpHeader& ip);

// Takes one from the hop limit, which must be above zero.
void decrement_hop_limit(rte_mbuf* m, std::uint16_t offset);

// The Internet checksum of an upper layer over its pseudo header holds (RFC 1071, RFC 8200 8.1).
// `length` octets from `offset`; `offset` and the addresses as in the packet.
bool upper_checksum_holds(const rte_mbuf* m, const IpHeader& ip, std::uint16_t offset, std::uint32_t length,
                          std::uint8_t protocol);
// The checksum to put where zero stands now, in network order; for ICMP over IPv4 without pseudo header.
std::uint16_t upper_checksum(const IpHeader& ip, const std::uint8_t* data, std::uint32_t length, std::uint8_t protocol);

inline conf::IpAddress address_v6(const std::uint8_t* network_order) {
  conf::IpAddress a{.family = conf::Family::v6};
  std::memcpy(a.octets.data(), network_order, 16);
  return a;
}
inline bool is_link_local(const conf::IpAddress& a) {
  return a.family == conf::Family::v6 && a.octets[0] == 0xfe && (a.octets[1] & 0xc0) == 0x80;
}

}  // namespace causeway::dataplane

// What a packet inside a tunnel shows of itself: version, addresses, upper protocol and ports, taken from
// its headers without trusting any length in them. Sources: RFC 791, RFC 8200 4, RFC 4301 4.4.1.1.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace causeway::dataplane {

struct InnerPacket {
  std::uint8_t version = 0;                             // 4 or 6
  std::uint8_t protocol = 0;                            // of the upper layer, behind any extension headers
  bool ports_known = false;                             // false for later fragments and protocols that have none
  bool fragment = false;                                // any fragment, the first included
  std::uint16_t source_port = 0, destination_port = 0;  // host order; for ICMP both are type << 8 | code
  std::uint32_t total = 0;                              // octets by the packet's own header, at most what is there
  std::uint32_t upper_offset = 0;                       // of the upper-layer header (or of a fragment's payload)
  const std::uint8_t* source = nullptr;                 // network order, 4 or 16 octets, inside the packet
  const std::uint8_t* destination = nullptr;
};

// Octets from the IP header on; behind the packet's own end there may be more (TFC padding, RFC 4303 2.7).
// Nothing where the headers contradict themselves or what is there.
std::optional<InnerPacket> parse_inner(std::span<const std::uint8_t> octets);

// The same of a packet that may go on beyond `octets`, in another buffer.
std::optional<InnerPacket> parse_start(std::span<const std::uint8_t> octets);

// The packet that an ICMP error quotes, as far as it is quoted; nothing where `packet` is no ICMP error
// (RFC 792, RFC 4443 2.1). `octets`: all of `packet`.
std::optional<InnerPacket> parse_quoted(const InnerPacket& packet, std::span<const std::uint8_t> octets);

}  // namespace causeway::dataplane

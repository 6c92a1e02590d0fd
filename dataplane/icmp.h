// ICMP for IPv4 (RFC 792, RFC 1812 4.3): the echo to our own addresses, the errors we send, and what an
// error that we receive quotes. Packets start at their IP header (l3_offset 0).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <optional>

#include "dataplane/dataplane.h"
#include "dataplane/packet_ptr.h"

namespace causeway::dataplane {

inline constexpr std::uint8_t kIcmpEchoReply = 0, kIcmpUnreachable = 3, kIcmpEcho = 8, kIcmpTimeExceeded = 11,
                              kIcmpParameter = 12;
inline constexpr std::uint8_t kCodeNet = 0, kCodeHost = 1, kCodeFragmentationNeeded = 4, kCodeProhibited = 13;

// Length and checksum of the ICMP message hold.
[[nodiscard]] bool icmp_holds(rte_mbuf* m);

// Turns a checked echo request into its reply, in place.
void make_echo_reply(rte_mbuf* m);

// An error about `original` (untouched), from `source` (network order); `mtu` for fragmentation needed.
// Empty where none may be sent (about an ICMP error, a later fragment, a broadcast or multicast:
// RFC 1812 4.3.2.7) or the pool is.
PacketPtr make_icmp_error(rte_mempool* pool, rte_mbuf* original, std::uint8_t type, std::uint8_t code,
                          std::uint16_t mtu, std::uint32_t source);

// The evidence in an ICMP error addressed to us: which of our packets it quotes. Nothing where it quotes
// none that we can have sent. The caller checks that the quoted source is an own address.
struct QuotedPacket {
  IcmpError error;
  std::uint32_t quoted_source = 0;  // network order
};
std::optional<QuotedPacket> read_icmp_error(rte_mbuf* m);

}  // namespace causeway::dataplane

// ICMP (RFC 792, RFC 1812 4.3) and ICMPv6 (RFC 4443): the echo to our own addresses, the errors we send,
// and what an error that we receive quotes. Packets start at their IP header.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <optional>

#include "dataplane/dataplane.h"
#include "dataplane/ip_header.h"
#include "dataplane/packet_ptr.h"

namespace causeway::dataplane {

// Length and checksum of the ICMP message hold, and its header is contiguous.
[[nodiscard]] bool icmp_holds(rte_mbuf* m, const IpHeader& ip);
[[nodiscard]] bool is_icmp_error(std::uint8_t type, conf::Family family);  // RFC 1812 4.3.2.7, RFC 4443 2.1
[[nodiscard]] bool is_echo_request(rte_mbuf* m, const IpHeader& ip);

// An echo request of `octets` in all that may not be fragmented. Empty where the pool is, or its buffers are too small.
PacketPtr make_echo_request(rte_mempool* pool, const conf::IpAddress& source, const conf::IpAddress& destination,
                            std::uint16_t id, std::uint16_t sequence, std::uint16_t octets);
// The sequence number of a checked echo reply with that identifier.
[[nodiscard]] std::optional<std::uint16_t> echo_answer(rte_mbuf* m, const IpHeader& ip, std::uint16_t id);

// Turns a checked echo request into its reply, in place.
void make_echo_reply(rte_mbuf* m, const IpHeader& ip);

enum class IcmpReason : std::uint8_t { too_big, hop_limit, no_route, no_neighbor, prohibited };

// An error about `original` (untouched), from `source`, an address of the same family; `mtu` for too_big.
// Empty where none may be sent (about an ICMP error, a later fragment, a broadcast or multicast, a source
// that is no host: RFC 1812 4.3.2.7, RFC 4443 2.4) or the pool is.
PacketPtr make_icmp_error(rte_mempool* pool, rte_mbuf* original, const IpHeader& ip, IcmpReason reason,
                          std::uint16_t mtu, const conf::IpAddress& source);

// The evidence in an ICMP error addressed to us: which of our packets it quotes. Nothing where it quotes
// none that we can have sent. The caller checks that the quoted source is an own address.
struct QuotedPacket {
  IcmpError error;
  conf::IpAddress source;                 // of the quoted packet
  std::optional<std::uint32_t> sequence;  // of a quoted ESP header, its low half
  bool udp_encapsulated = false;
  std::uint16_t udp_length = 0;  // where udp_encapsulated
  std::uint16_t ip_id = 0;       // IPv4
  bool dont_fragment = false;
};
std::optional<QuotedPacket> read_icmp_error(rte_mbuf* m, const IpHeader& ip);

}  // namespace causeway::dataplane

// IP fragments: cutting a packet before a link or tunnel that takes less (RFC 791 3.2; for IPv6 only our
// own packets, RFC 8200 4.5), and making a chain of buffers one. Copies throughout: what leaves here is direct,
// unshared and one segment, because encryption works in place (rte_ipv4_fragment_packet makes indirect buffers that
// share octets).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <span>

#include "dataplane/packet_ptr.h"

namespace causeway::dataplane {

inline constexpr std::size_t kMaxPieces = 64;
inline constexpr std::uint16_t kLeastIpv4Mtu = 68;  // RFC 791: every link takes that much

// Copies `m` (IP from its first octet, one segment or a chain) into pieces of at most `mtu` octets.
// Returns how many are in `out`; 0 where it cannot be done (an MTU below what every link takes, more than
// `out` takes, no buffers, an IPv6 packet with a fragment header): then nothing is kept. A piece has the
// metadata of `m`, which stays the caller's. `id` names the datagram of IPv6 pieces; IPv4 has its own.
std::size_t fragment_copy(rte_mempool* pool, rte_mbuf* m, std::uint16_t mtu, std::uint32_t id,
                          std::span<rte_mbuf*> out);

// A chain as one segment, in a buffer of `pool` with the same metadata; `m` itself where it is one already.
// Takes `m`; empty where the pool is, or its buffers are too small.
PacketPtr linearise(rte_mempool* pool, PacketPtr m);

}  // namespace causeway::dataplane

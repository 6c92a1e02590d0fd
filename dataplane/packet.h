// What travels with a packet through one worker, beside its octets: scratch in the mbuf's private area.
// Written by whoever holds the mbuf, never shared, never trusted after a hand-over (the owner looks the
// SPI up again).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <span>

#include "dataplane/drop.h"
#include "dataplane/sa_spec.h"

namespace causeway::dataplane {

struct InboundSa;
struct OutboundSa;

// The largest burst any stage sees. Stages keep their arrays of this size on the stack.
inline constexpr std::size_t kMaxBurst = 64;

struct PacketMeta {
  std::uint16_t in_port = 0;      // index of the receiving port in Setup::ports
  std::uint16_t l3_offset = 0;    // of the (outer) IP header from the mbuf's data
  std::uint16_t esp_offset = 0;   // of the ESP header from the mbuf's data, for the esp lane
  std::uint16_t outer_source_port = 0;  // host order; 0: native ESP
  std::uint32_t spi = 0;          // host order
  ChildSlot child = 0;            // outbound: chosen by policy
  Drop drop = Drop::truncated;    // where the packet is in a drop lane
  bool decrypted = false;         // came out of an SA: policy was checked against that SA
  bool encrypted = false;         // an outer packet of sa.outbound
  bool framed = false;            // and its Ethernet header is there, by sa.outbound's way
  bool inner_df = false;
  bool udp_encapsulated = false;
  bool new_flow = false;          // the SA of this ESP packet is to be remembered (flow_cache.h)
  bool probe = false;             // own: asks what a path carries (path_probe.h)
  union {
    InboundSa* inbound;
    OutboundSa* outbound;
  } sa{nullptr};
  std::uint64_t sequence = 0;     // of the ESP packet, with the high half where ESN is on
};
static_assert(sizeof(PacketMeta) <= RTE_CACHE_LINE_SIZE);

inline PacketMeta& meta(rte_mbuf* m) { return *static_cast<PacketMeta*>(rte_mbuf_to_priv(m)); }

// A burst's worth of packets that go the same way. Order is kept.
struct Lane {
  rte_mbuf* packets[2 * kMaxBurst];
  std::uint16_t count = 0;
  void push(rte_mbuf* m) { packets[count++] = m; }
  void clear() { count = 0; }
  [[nodiscard]] std::span<rte_mbuf*> span() { return {packets, count}; }
  [[nodiscard]] bool empty() const { return count == 0; }
};

inline void drop(Lane& lane, rte_mbuf* m, Drop why) {
  meta(m).drop = why;
  lane.push(m);
}

}  // namespace causeway::dataplane

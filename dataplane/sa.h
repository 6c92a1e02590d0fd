// Security associations as a worker uses them: built once from an SaSpec by the control thread, then owned
// by one worker, then handed back to be wiped and freed. Cache lines are grouped by who writes them; what
// nobody writes after the build is apart from what changes per packet.
//
// Memory: hugepages of the owner's socket (rte_malloc), wiped when freed. An SA never moves.
#pragma once

#include <rte_common.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "crypto/esp_engine.h"
#include "crypto/random.h"
#include "dataplane/overhead.h"
#include "dataplane/replay_window.h"
#include "dataplane/sa_counters.h"
#include "dataplane/sa_selectors.h"
#include "dataplane/sa_spec.h"

namespace causeway::dataplane {

// Bytes (inner octets) and packets after which control is told once (soft) and the SA stops (hard).
struct SaLimits {
  std::uint64_t soft_bytes = UINT64_MAX, hard_bytes = UINT64_MAX;
  std::uint64_t soft_packets = UINT64_MAX, hard_packets = UINT64_MAX;
};

// An address in 32 bits, to compare by: an IPv4 address whole, of an IPv6 address a sum that another seldom shares.
// `address`: network order, 4 or 16 octets.
inline std::uint32_t folded(const std::uint8_t* address, bool v4) {
  std::uint32_t words[4];
  std::memcpy(words, address, v4 ? 4 : 16);
  return v4 ? words[0] : words[0] ^ words[1] ^ words[2] ^ words[3];
}

struct alignas(RTE_CACHE_LINE_SIZE) InboundSa {
  // Read only once built.
  std::uint32_t spi = 0;  // host order
  TunnelId tunnel = 0;
  ChildSlot child = 0;
  bool report_peer_moves = false;
  conf::Cores cores = conf::Cores::single;  // lend: its decryption is lent to other workers (lend.h); automatic: if need be
  bool soft_told = false, hard_told = false;  // the owner's, once each
  bool one_v4_range = false;                  // its selectors are one range of IPv4 addresses on each side:
  std::uint16_t local_count = 0, remote_count = 0;
  const CompactSelector* selectors = nullptr;  // local ones first; behind this structure
  std::uint32_t local_first = 0, local_last = 0, remote_first = 0, remote_last = 0;  // those, as numbers
  std::uint32_t home = 0;  // folded: the address that IKE had when it was made

  // Written by the owner, per packet.
  alignas(RTE_CACHE_LINE_SIZE) ReplayWindow window;
  std::uint64_t calm_packets = 0, calm_bytes = 0;  // below both nothing is to be told: see set_calm()
  alignas(RTE_CACHE_LINE_SIZE) SaCounterBlock counters;
  SaLimits limits;
  conf::Endpoint peer;  // where authentic packets come from, as last told to control; where it may move
  std::uint64_t elsewhere_told_ms = 0;  // when control was last told that they do not come from `home`

  // Read only once built.
  crypto::EspKey key;

  // By addresses alone; false: they do not say.
  [[nodiscard]] bool carries(std::uint32_t from, std::uint32_t to) const {
    return one_v4_range && from >= remote_first && from <= remote_last && to >= local_first && to <= local_last;
  }
  [[nodiscard]] std::span<const CompactSelector> local() const { return {selectors, local_count}; }
  [[nodiscard]] std::span<const CompactSelector> remote() const { return {selectors + local_count, remote_count}; }
};

// What the replicas of a `spread` SA share: the numbers, 64 bits wide also where 32 of them are sent, so that they
// cannot wrap into use again. A worker takes those of a whole batch by one addition and looks at the limit after it: a
// range that passes the limit is lost whole, and no number is ever given back. Lost numbers are gaps, which a receiver
// does not mind; a number used twice would be the end of a counter mode's key.
struct SharedSequence {
  explicit SharedSequence(std::uint64_t highest) : last(highest) {}
  alignas(RTE_CACHE_LINE_SIZE) std::atomic<std::uint64_t> taken{0};  // every worker adds to it
  alignas(RTE_CACHE_LINE_SIZE) std::atomic<std::uint64_t> last;      // control lowers it to 0 to stop all replicas

  // `count` numbers: those behind what it returns. Nothing where they are no longer to be had.
  std::optional<std::uint64_t> take(std::uint32_t count) {
    const std::uint64_t before = taken.fetch_add(count, std::memory_order_relaxed);
    const std::uint64_t highest = last.load(std::memory_order_relaxed);
    if (before >= highest || count > highest - before) return std::nullopt;
    return before;
  }
};

struct alignas(RTE_CACHE_LINE_SIZE) OutboundSa {
  // Read only once built, except by set_endpoints() and set_path_mtu(), which the owner calls between bursts. What every
  // packet reads is the first line and, where the outer IP is version 4, half of the second.
  std::uint8_t header_octets = 0;  // up to and with the ESP sequence number
  std::uint8_t ip_octets = 0;      // 20 or 40
  bool udp_encap = false;
  bool ecn_compatibility = false;
  bool dscp_set = false;
  std::uint8_t dscp_value = 0;
  std::uint8_t ip_id_slot = 0;  // of IpIds: by the outer addresses
  conf::DfPolicy df = conf::DfPolicy::copy;
  EspSizes sizes;
  std::uint32_t header_sum = 0;  // of the outer IPv4 header's constant part
  std::uint32_t inner_mtu = 0;   // effective
  std::uint32_t spi = 0;         // host order
  SharedSequence* shared = nullptr;  // spread: this is one of its replicas
  // Where its packets leave, as the owner looked it up in the tables of that generation.
  struct Way {
    std::uint64_t generation = 0;  // 0: not looked up
    std::uint16_t port = 0;
    std::uint16_t limit = 0;       // octets of the largest outer IP packet that goes there whole
    std::uint8_t octets = 0;       // of the Ethernet header
    std::uint8_t ethernet[18] = {};
  } way;
  // Outer IP header, UDP header if any, SPI; zeros where each packet differs.
  alignas(RTE_CACHE_LINE_SIZE) std::uint8_t header[64] = {};

  // Written by the owner, per packet: this line alone.
  alignas(RTE_CACHE_LINE_SIZE) std::uint64_t sequence = 0;  // last used
  std::uint64_t last_sequence = 0;  // the highest that may be used; of a replica: of those taken for this batch
  std::uint64_t calm_packets = 0, calm_bytes = 0;  // below both nothing is to be told: see set_calm()
  SaCounterBlock counters;
  bool soft_told = false, hard_told = false;

  // Seldom read.
  bool beside_owner = false;  // a worker's own, who would hand packets to the child's owner without it: spread, RFC 9611
  std::uint16_t configured_mtu = 0, path_mtu = 0;
  std::optional<std::uint16_t> mss;  // as configured: unset by the inner MTU, 0 not clamped
  TunnelId tunnel = 0;
  ChildSlot child = 0;
  // What the peer agreed to, where that is less than the policy: local ones first, behind this structure. Else nullptr.
  const CompactSelector* selectors = nullptr;
  std::uint16_t local_count = 0, remote_count = 0;
  SaLimits limits;
  OutboundSa* older = nullptr;  // the table's: SAs of the same child that wait for removal

  // Read only once built.
  crypto::EspKey key;
};
static_assert(offsetof(OutboundSa, header) == RTE_CACHE_LINE_SIZE);
static_assert(offsetof(OutboundSa, counters) + offsetof(SaCounterBlock, icv_failed) ==
              offsetof(OutboundSa, sequence) + RTE_CACHE_LINE_SIZE);

// The nearer of its limits that is still to be told: what each packet is compared with.
template <typename Sa>
void set_calm(Sa& sa) {
  const SaLimits& l = sa.limits;
  sa.calm_packets = sa.soft_told ? l.hard_packets : std::min(l.soft_packets, l.hard_packets);
  sa.calm_bytes = sa.soft_told ? l.hard_bytes : std::min(l.soft_bytes, l.hard_bytes);
}

// The lines that prepare will read, and the first of the key's. The rest of that the engine fetches ahead of its turn: the
// keys of a burst are more than the nearest cache holds.
inline void prefetch(const InboundSa& sa) {
  __builtin_prefetch(&sa);
  __builtin_prefetch(&sa.window);
  __builtin_prefetch(&sa.key);
}
// And what finish will read besides, while others are decrypted: more at once than the core can have under way is lost.
inline void prefetch_finish(const InboundSa& sa) {
  __builtin_prefetch(&sa.counters);
  __builtin_prefetch(reinterpret_cast<const std::uint8_t*>(&sa + 1));  // the window's first bits
}
inline void prefetch(const OutboundSa& sa) {
  __builtin_prefetch(&sa);
  __builtin_prefetch(&sa.header);
  __builtin_prefetch(&sa.sequence);
  __builtin_prefetch(&sa.key);
}

// Whether an outbound SA with selectors of its own takes the packet that starts with these octets.
[[nodiscard]] bool covers(const OutboundSa& sa, std::span<const std::uint8_t> octets);

struct SaFree {  // wipes, then frees
  void operator()(InboundSa* sa) const;
  void operator()(OutboundSa* sa) const;
};
using InboundSaPtr = std::unique_ptr<InboundSa, SaFree>;
using OutboundSaPtr = std::unique_ptr<OutboundSa, SaFree>;

// Built by the control thread with an engine of its own (same plan as the workers'). The error is a
// sentence. `socket`: of the worker that will own it.
tl::expected<InboundSaPtr, std::string> make_inbound(const SaSpec& spec, const crypto::EspEngine& engine,
                                                     crypto::Random& random, int socket);
// `port_mtu` stands in where the spec names no path MTU.
tl::expected<OutboundSaPtr, std::string> make_outbound(const SaSpec& spec, const crypto::EspEngine& engine,
                                                       crypto::Random& random, std::uint16_t port_mtu, int socket);
// One replica for each of `sockets`, with key schedules and counters of its own. `shared` outlives them.
tl::expected<std::vector<OutboundSaPtr>, std::string> make_spread(const SaSpec& spec, const crypto::EspEngine& engine,
                                                                  crypto::Random& random, std::uint16_t port_mtu,
                                                                  std::span<const int> sockets, SharedSequence& shared);
[[nodiscard]] std::uint64_t last_sequence(const SaSpec& spec);  // the highest its suite can send

// By the owner, between bursts. Both endpoints are of one family, which may differ from the one before.
void set_endpoints(OutboundSa& sa, const conf::Endpoint& local, const conf::Endpoint& remote);
void set_path_mtu(OutboundSa& sa, std::uint16_t path_mtu);  // octets of the outer IP packet

}  // namespace causeway::dataplane

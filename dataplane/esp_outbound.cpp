// ESP outbound, tunnel mode (RFC 4303 3.3): prepare -> encrypt and sign -> finish. All that is written to a
// packet is known before the cryptography, so finish has little to do.
#include <rte_ip.h>
#include <rte_udp.h>

#include <array>
#include <bit>
#include <cstring>

#include "crypto/esp_engine.h"
#include "dataplane/ecn.h"
#include "dataplane/esp.h"
#include "dataplane/esp_buffer.h"
#include "dataplane/ethernet.h"
#include "dataplane/sa.h"

namespace causeway::dataplane {

namespace {

constexpr std::uint8_t kNextIpv4 = 4, kNextIpv6 = 41;
constexpr std::uint32_t kTrailer = 2;
constexpr std::uint32_t kLeastIpv6Mtu = 1280;
constexpr std::uint16_t kDf = RTE_IPV4_HDR_DF_FLAG;

constexpr auto kPadding = [] {  // RFC 4303 2.4
  std::array<std::uint8_t, 16> octets{};
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<std::uint8_t>(i + 1);
  return octets;
}();

void store_be16(std::uint8_t* to, std::uint32_t value) {
  const std::uint16_t v = rte_cpu_to_be_16(static_cast<std::uint16_t>(value));
  std::memcpy(to, &v, sizeof(v));
}
void store_be32(std::uint8_t* to, std::uint32_t value) {
  const std::uint32_t v = rte_cpu_to_be_32(value);
  std::memcpy(to, &v, sizeof(v));
}
void store_be64(std::uint8_t* to, std::uint64_t value) {
  const std::uint64_t v = rte_cpu_to_be_64(value);
  std::memcpy(to, &v, sizeof(v));
}

// What the outer header takes over from the inner one.
struct Inner {
  std::uint8_t next_header;
  std::uint8_t traffic_class;
  bool df;
  bool may_cut_outer = false;  // IPv6 that has no smaller size to be told of
};
Inner look_at(const std::uint8_t* ip) {
  if (ip[0] >> 4 == 4) return {kNextIpv4, ip[1], (ip[6] & 0x40) != 0};
  return {kNextIpv6, static_cast<std::uint8_t>(ip[0] << 4 | ip[1] >> 4), true};  // no router cuts IPv6
}

std::uint8_t outer_traffic_class(const OutboundSa& sa, std::uint8_t inner) {
  const std::uint8_t dscp = sa.dscp_set ? static_cast<std::uint8_t>(sa.dscp_value << 2) : inner & ~kEcnMask;
  return static_cast<std::uint8_t>(dscp | ecn_entering(inner, sa.ecn_compatibility));
}

bool outer_df(const OutboundSa& sa, bool inner_df) {
  switch (sa.df) {
    case conf::DfPolicy::copy:
      return inner_df;
    case conf::DfPolicy::set:
      return true;
    case conf::DfPolicy::clear:
    case conf::DfPolicy::ignore:
      return false;
  }
  return inner_df;
}

// In two words of eight octets. The sum over the constant part is in the SA; the fields of this packet are added to it
// (RFC 1071, which does not mind the order of octets).
void write_ipv4(const OutboundSa& sa, std::uint8_t* ip, std::uint32_t total, const Inner& inner, IpIds& ids) {
  static_assert(std::endian::native == std::endian::little);
  const bool df = inner.may_cut_outer ? false : outer_df(sa, inner.df);
  // With DF the identification is free (RFC 6864 4.1): it carries the sequence number, by which an ICMP error
  // that quotes only eight octets is matched.
  const std::uint16_t id = rte_cpu_to_be_16(df ? static_cast<std::uint16_t>(sa.sequence) : ids.next(sa.ip_id_slot));
  const std::uint32_t traffic_class = std::uint32_t{outer_traffic_class(sa, inner.traffic_class)} << 8;
  const std::uint32_t length = rte_cpu_to_be_16(static_cast<std::uint16_t>(total));
  const std::uint32_t flags = df ? rte_cpu_to_be_16(kDf) : 0;
  std::uint32_t sum = sa.header_sum + traffic_class + length + id + flags;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  std::uint64_t first = RTE_IPV4_VHL_DEF | traffic_class | length << 16 | std::uint64_t{id} << 32 | std::uint64_t{flags} << 48;
  std::uint64_t second;  // TTL and protocol, checksum, source
  std::memcpy(&second, sa.header + 8, sizeof(second));
  second |= std::uint64_t{~sum & 0xffff} << 16;
  std::memcpy(ip, &first, sizeof(first));
  std::memcpy(ip + 8, &second, sizeof(second));
}

void write_ipv6(const OutboundSa& sa, std::uint8_t* ip, std::uint32_t total, const Inner& inner) {
  const std::uint8_t traffic_class = outer_traffic_class(sa, inner.traffic_class);
  ip[0] = static_cast<std::uint8_t>(6 << 4 | traffic_class >> 4);
  ip[1] = static_cast<std::uint8_t>(traffic_class << 4);
  store_be16(ip + 4, total - sa.ip_octets);
}

// Copies of a constant size are a few instructions, others a call. (Of IPv4 the first 16 octets are write_ipv4()'s.)
void write_outer(const OutboundSa& sa, std::uint8_t* ip, std::uint32_t total, const Inner& inner, IpIds& ids) {
  constexpr std::size_t kIpv4 = sizeof(rte_ipv4_hdr), kDone = 16;
  if (sa.ip_octets == kIpv4) {
    write_ipv4(sa, ip, total, inner, ids);
    if (sa.udp_encap)
      std::memcpy(ip + kDone, sa.header + kDone, kIpv4 + sizeof(rte_udp_hdr) + 4 - kDone);
    else
      std::memcpy(ip + kDone, sa.header + kDone, kIpv4 + 4 - kDone);
  } else {
    std::memcpy(ip, sa.header, sa.header_octets);
    write_ipv6(sa, ip, total, inner);
  }
  if (sa.udp_encap) store_be16(ip + sa.ip_octets + 4, total - sa.ip_octets);  // checksum zero: RFC 3948 2.1
  store_be32(ip + sa.header_octets - 4, static_cast<std::uint32_t>(sa.sequence));
}

// The sequence number is used once, so it serves counter modes as IV as it is, and CBC as the number the
// engine makes an unpredictable IV from (EspJob::esp).
void write_iv(std::uint8_t* at, std::uint8_t octets, std::uint64_t sequence) {
  if (octets == 0) return;
  store_be64(at, sequence);
  if (octets == 16) std::memset(at + 8, 0, 8);
}

void notice(EspNotices& notices, const OutboundSa& sa, EspNotice::Kind kind) {
  if (notices.count < kMaxBurst)
    notices.list[notices.count++] = {kind, Direction::outbound, sa.spi, sa.tunnel, sa.child, {}};
}

// Sent under a number of the SA, however its life stands; what does not fit is too big for the tunnel. As step 1 of
// prepare: a replica takes as many numbers as its packets then use.
bool fits(const OutboundSa& sa, rte_mbuf* m) {
  if (m->pkt_len <= sa.inner_mtu || meta(m).probe) return true;
  return *rte_pktmbuf_mtod(m, const std::uint8_t*) >> 4 == 6 && m->pkt_len <= kLeastIpv6Mtu;
}

// A replica of a spread SA takes the numbers of all its packets in this batch at once, and uses all of them in it:
// one kept for later would be old when it leaves.
void take_numbers(OutboundSa& sa, std::span<rte_mbuf* const> packets) {
  std::uint32_t count = 0;
  for (rte_mbuf* m : packets) {
    if (meta(m).sa.outbound == &sa && fits(sa, m)) ++count;
  }
  if (count == 0) return;
  if (const auto before = sa.shared->take(count)) {
    sa.sequence = *before;
    sa.last_sequence = *before + count;
  }
}

// Nearly always: what stopped() would ask, in three comparisons.
bool calm(const OutboundSa& sa) {
  const std::uint64_t packets = sa.shared != nullptr ? sa.sequence : sa.counters.packets.get();
  return packets < sa.calm_packets && sa.counters.bytes.get() < sa.calm_bytes && sa.sequence != sa.last_sequence;
}

// Told once each; true where the SA may send no more.
bool stopped(OutboundSa& sa, EspNotices& notices, Drop& why) {
  const std::uint64_t packets = sa.shared != nullptr ? sa.sequence : sa.counters.packets.get();
  const std::uint64_t bytes = sa.counters.bytes.get();
  const bool exhausted = sa.sequence == sa.last_sequence;
  if (!sa.soft_told && (packets >= sa.limits.soft_packets || bytes >= sa.limits.soft_bytes)) {
    sa.soft_told = true;
    set_calm(sa);
    notice(notices, sa, EspNotice::Kind::soft_limit);
  }
  if (!exhausted && packets < sa.limits.hard_packets && bytes < sa.limits.hard_bytes) return false;
  if (!sa.hard_told) notice(notices, sa, EspNotice::Kind::hard_limit);
  sa.hard_told = true;
  const bool told_to_stop = sa.shared != nullptr && sa.shared->last.load(std::memory_order_relaxed) == 0;
  const bool by_limit = told_to_stop || packets >= sa.limits.hard_packets || bytes >= sa.limits.hard_bytes;
  why = by_limit ? Drop::sa_expired : Drop::sequence_exhausted;
  if (!exhausted && sa.shared != nullptr) ++sa.sequence;  // its number is lost
  return true;
}

// Puts the Ethernet header before the outer packet at `start`, where the SA knows it and there is room; its octets.
std::uint32_t frame(const OutboundSa& sa, const rte_mbuf* m, std::uint8_t* start, std::uint32_t total,
                    std::uint64_t generation) {
  const OutboundSa::Way& way = sa.way;
  if (way.generation != generation || total > way.limit) return 0;
  if (start - way.octets < static_cast<const std::uint8_t*>(m->buf_addr)) return 0;
  if (way.octets == kEthernetHeader)
    std::memcpy(start - kEthernetHeader, way.ethernet, kEthernetHeader);
  else
    std::memcpy(start - way.octets, way.ethernet, way.octets);
  return way.octets;
}

void prepare(const EspContext& context, rte_mbuf* m, crypto::EspBatch& batch, EspOutboundOut& out) {
  PacketMeta& packet = meta(m);
  OutboundSa& sa = *packet.sa.outbound;
  const std::uint32_t octets = m->pkt_len;
  Inner inner = look_at(rte_pktmbuf_mtod(m, const std::uint8_t*));
  // 1. Does it fit the path? IPv6 takes no packet-too-big below its least MTU (RFC 8200 5): then the outer
  // packet is what gets fragmented.
  if (octets > sa.inner_mtu && !packet.probe) {
    inner.may_cut_outer = inner.next_header == kNextIpv6 && octets <= kLeastIpv6Mtu;
    packet.inner_df = inner.df && (sa.df != conf::DfPolicy::ignore || inner.next_header == kNextIpv6);
    if (!inner.may_cut_outer) return out.too_big.push(m);
  }
  // 2. May the SA still send?
  Drop why{};
  if (!calm(sa) && stopped(sa, out.notices, why)) return drop(out.drops, m, why);
  // 3. The next number, for good: none is given back.
  const std::uint64_t sequence = ++sa.sequence;
  // 4. Room around the inner packet, in one piece; DPDK's headroom and our pools are made for it.
  const std::uint32_t block = sa.sizes.block, iv = sa.sizes.iv, icv = sa.sizes.icv, outer = sa.header_octets;
  const std::uint32_t pad = (0U - octets - kTrailer) & (block - 1);  // blocks are powers of two
  const std::uint32_t total = outer + iv + octets + pad + kTrailer + icv;
  rte_mbuf* one = own_segment(m, outer + iv, pad + kTrailer + icv, context.big, context.linearised);
  if (one == nullptr) return drop(out.drops, m, Drop::no_buffer);
  m = one;
  auto* inside = rte_pktmbuf_mtod(m, std::uint8_t*);
  auto* start = inside - iv - outer;
  auto* trailer = inside + octets;
  // 5. Padding, pad length, next header.
  // (eight octets at once: what is too much falls where the trailer and the ICV go)
  std::memcpy(trailer, kPadding.data(), 8);
  if (pad > 8) std::memcpy(trailer, kPadding.data(), pad);
  trailer[pad] = static_cast<std::uint8_t>(pad);
  trailer[pad + 1] = inner.next_header;
  // 6. Outer headers and IV; the Ethernet header too, where the way is known.
  write_outer(sa, start, total, inner, context.ip_ids);
  write_iv(start + outer, static_cast<std::uint8_t>(iv), sequence);
  const std::uint32_t before = frame(sa, m, start, total, context.generation);
  m->data_off = static_cast<std::uint16_t>(m->data_off - outer - iv - before);
  m->pkt_len = before + total;
  m->data_len = static_cast<std::uint16_t>(before + total);
  // 7. A job for the engine.
  batch.add() = {.key = &sa.key,
                 .esp = start + outer - 8,
                 .length = 8 + iv + octets + pad + kTrailer,
                 .sequence_high = static_cast<std::uint32_t>(sequence >> 32),
                 .status = crypto::EspJob::Status::pending,
                 .user = m};
  PacketMeta& sent = meta(m);
  sent.l3_offset = static_cast<std::uint16_t>(before);
  sent.esp_offset = static_cast<std::uint16_t>(before + outer - 8);
  sent.framed = before != 0;
  sent.spi = sa.spi;
  sent.encrypted = true;
  sent.sequence = sequence;
  sa.counters.packets.add();
  sa.counters.bytes.add(octets);
  sa.counters.sequence.set(sa.sequence);
  sa.counters.last_used_ms.set(context.now_ms);
}

// UDP over IPv6 must have a checksum (RFC 8200 8.1), over the ciphertext.
void finish(const crypto::EspJob& job, EspOutboundOut& out) {
  auto* m = static_cast<rte_mbuf*>(job.user);
  if (job.status != crypto::EspJob::Status::ok) return drop(out.drops, m, Drop::crypto_failed);
  auto* ip = rte_pktmbuf_mtod_offset(m, std::uint8_t*, meta(m).l3_offset);
  if (ip[0] >> 4 == 6 && meta(m).sa.outbound->udp_encap) {
    auto* udp = reinterpret_cast<rte_udp_hdr*>(ip + sizeof(rte_ipv6_hdr));
    udp->dgram_cksum = rte_ipv6_udptcp_cksum(reinterpret_cast<const rte_ipv6_hdr*>(ip), udp);
  }
  out.tx.push(m);
}

}  // namespace

void esp_outbound(EspContext& context, std::span<rte_mbuf* const> packets, EspOutboundOut& out) {
  crypto::EspBatch batch;
  batch.direction = crypto::EspBatch::Direction::encrypt;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    OutboundSa& sa = *meta(packets[i]).sa.outbound;
    if (sa.shared != nullptr && sa.sequence == sa.last_sequence && !sa.hard_told) take_numbers(sa, packets.subspan(i));
    prepare(context, packets[i], batch, out);
  }
  mark(context.stages, Stage::prepare);
  context.engine.submit(batch);
  mark(context.stages, Stage::crypto);
  while (const crypto::EspBatch* done = context.engine.collect())
    for (std::uint32_t i = 0; i < done->count; ++i) finish(done->jobs[i], out);
}

}  // namespace causeway::dataplane

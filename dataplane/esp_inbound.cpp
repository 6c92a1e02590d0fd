// ESP inbound (RFC 4303 3.4): prepare -> decrypt and verify -> finish.
//
// Why the replay window is checked twice. The RFC's order for one packet is: check the window, verify the
// ICV, advance the window; the first check spares the cryptography for a packet that is old anyway, and
// only an authentic packet may move the window (else a forger who sends a high sequence number would make
// us drop all that is genuine). Packets here are verified in batches, so between the check of one and its
// verification others of the same SA pass. Two copies of one packet in one burst both pass the first
// check: neither has advanced the window yet. If finish trusted that check, the copy would be delivered.
// So finish asks again, packet by packet, and advances at once when the answer is "fresh": of two copies
// exactly one gets through, whichever burst, core or engine they were verified in. The first check could
// be left out without harm to safety, the second could not. With ESN there is more: the high half that was
// inferred in prepare is what the ICV was verified with, so finish must judge that same 64-bit number (it
// travels in meta.sequence), not infer it anew from a window that has moved on.
#include <rte_ip.h>
#include <rte_prefetch.h>
#include <rte_udp.h>

#include <cstring>

#include "crypto/esp_engine.h"
#include "dataplane/ecn.h"
#include "dataplane/esp.h"
#include "dataplane/esp_buffer.h"
#include "dataplane/esp_padding.h"
#include "dataplane/flow_cache.h"
#include "dataplane/headers.h"
#include "dataplane/inner_packet.h"
#include "dataplane/sa_table.h"

namespace causeway::dataplane {

namespace {

constexpr std::uint8_t kNextIpv4 = 4, kNextIpv6 = 41, kNextNone = 59;
constexpr std::uint32_t kSpiAndSequence = 8;
constexpr std::uint32_t kTrailer = 2;

// Everything IPsec-MB would refuse is refused here: a bad job must not reach it.
bool well_formed(std::uint32_t octets, const crypto::EspKey& key) {
  const std::uint32_t around = kSpiAndSequence + key.iv_octets + key.icv_octets;
  if (octets <= around || octets - key.icv_octets > crypto::kMaxEspLength) return false;
  const std::uint32_t ciphertext = octets - around;
  return (ciphertext & (key.block_octets - 1U)) == 0 && ciphertext >= kTrailer;  // blocks are powers of two
}

// Of all SAs of the burst at once, but for those that were known before (plain.cpp).
void prefetch(const EspContext& context, std::span<rte_mbuf* const> packets) {
  for (rte_mbuf* m : packets) {
    if (meta(m).sa.inbound != nullptr) continue;
    InboundSa* sa = context.sas.find_slot(meta(m).spi);
    meta(m).sa.inbound = sa;  // prepare compares the SPI
    if (sa != nullptr) dataplane::prefetch(*sa);
  }
}

// Counted with its distance: some way behind the window tells of a path that reorders, far behind of a replay.
void replayed(InboundSa& sa, rte_mbuf* m, Lane& drops) {
  const std::uint64_t sequence = meta(m).sequence, top = sa.window.top();
  sa.counters.replayed.add();
  if (sequence != 0 && sequence < top && top - sequence > sa.counters.replay_distance.get())
    sa.counters.replay_distance.set(top - sequence);
  drop(drops, m, Drop::replayed);
}

void prepare(const EspContext& context, rte_mbuf* m, crypto::EspBatch& batch, Lane& drops) {
  PacketMeta& packet = meta(m);
  // 1. Whose is it?
  InboundSa* sa = packet.sa.inbound;
  if (sa == nullptr || sa->spi != packet.spi) sa = packet.sa.inbound = context.sas.find_inbound(packet.spi);
  if (sa == nullptr) return drop(drops, m, Drop::unknown_spi);
  if (packet.new_flow && context.flows != nullptr) {
    const auto* ip = rte_pktmbuf_mtod_offset(m, const std::uint8_t*, packet.l3_offset);
    context.flows->put(FlowCache::Key::esp(ip, packet.in_port, packet.udp_encapsulated, packet.spi), *sa);
  }
  // 2. Can it be an ESP packet of this suite?
  const std::uint32_t octets = m->pkt_len - packet.esp_offset;
  if (!well_formed(octets, sa->key)) return drop(drops, m, Drop::esp_malformed);
  // 3. Worth decrypting? (first look at the window: see above)
  packet.sequence = sa->window.infer(be32(rte_pktmbuf_mtod_offset(m, const std::uint8_t*, packet.esp_offset + 4)));
  if (sa->window.check(packet.sequence) != ReplayWindow::Verdict::fresh) return replayed(*sa, m, drops);
  prefetch_finish(*sa);
  // 4. A job for the engine, which wants it in one piece.
  rte_mbuf* one = own_segment(m, 0, 0, context.big, context.linearised);
  if (one == nullptr) return drop(drops, m, Drop::no_buffer);
  batch.add() = {.key = &sa->key,
                 .esp = rte_pktmbuf_mtod_offset(one, std::uint8_t*, meta(one).esp_offset),
                 .length = octets - sa->key.icv_octets,
                 .sequence_high = static_cast<std::uint32_t>(meta(one).sequence >> 32),
                 .status = crypto::EspJob::Status::pending,
                 .user = one};
}

std::uint8_t outer_traffic_class(rte_mbuf* m) {
  const auto* ip = rte_pktmbuf_mtod_offset(m, const std::uint8_t*, meta(m).l3_offset);
  if (ip[0] >> 4 == 4) return ip[1];
  return static_cast<std::uint8_t>(ip[0] << 4 | ip[1] >> 4);
}

// False: the packet is to be dropped (RFC 6040 4.2).
bool merge_ecn(std::uint8_t* inner, std::uint8_t version, std::uint8_t outer) {
  if (version == 4) {
    const std::uint8_t merged = ecn_leaving(inner[1], outer);
    if (merged == kEcnDrop) return false;
    if (merged == (inner[1] & kEcnMask)) return true;
    auto* ip = reinterpret_cast<rte_ipv4_hdr*>(inner);
    ip->type_of_service = static_cast<std::uint8_t>((ip->type_of_service & ~kEcnMask) | merged);
    ip->hdr_checksum = 0;
    ip->hdr_checksum = static_cast<std::uint16_t>(~rte_raw_cksum(ip, (ip->version_ihl & 15U) * 4U));
    return true;
  }
  const std::uint8_t merged = ecn_leaving(static_cast<std::uint8_t>(inner[1] >> 4), outer);
  if (merged == kEcnDrop) return false;
  inner[1] = static_cast<std::uint8_t>((inner[1] & ~(kEcnMask << 4)) | merged << 4);
  return true;
}

bool header_checksum_holds(const std::uint8_t* ip) {
  return ip[0] == 0x45 ? plain_checksum_holds(ip) : rte_raw_cksum(ip, (ip[0] & 15U) * 4U) == 0xffff;
}

// Where a packet came from. Asked only of an authentic one that advanced the window: an older one may be a copy that
// someone else sends on.
conf::Endpoint source_of(rte_mbuf* m) {
  const PacketMeta& packet = meta(m);
  const auto* ip = rte_pktmbuf_mtod_offset(m, const std::uint8_t*, packet.l3_offset);
  const bool v4 = ip[0] >> 4 == 4;
  return {conf::IpAddress::from_octets(v4 ? std::span(ip + 12, 4) : std::span(ip + 8, 16)), packet.outer_source_port};
}

void notice(EspNotices& notices, const InboundSa& sa, EspNotice::Kind kind, const conf::Endpoint& from = {}) {
  if (notices.count < kMaxBurst)
    notices.list[notices.count++] = {kind, Direction::inbound, sa.spi, sa.tunnel, sa.child, from};
}

void watch_peer(rte_mbuf* m, InboundSa& sa, EspNotices& notices) {
  if (meta(m).outer_source_port == 0) return;
  const conf::Endpoint from = source_of(m);
  if (from == sa.peer) return;
  sa.peer = from;
  notice(notices, sa, EspNotice::Kind::peer_moved, from);
}

// The peer's ESP may come from another address than its IKE: a box with several uplinks, or a NAT with a pool of addresses.
// It is taken all the same; control is told while it lasts, for what we send goes to IKE's address.
bool comes_from_home(rte_mbuf* m, const InboundSa& sa) {
  const auto* ip = rte_pktmbuf_mtod_offset(m, const std::uint8_t*, meta(m).l3_offset);
  const bool v4 = ip[0] >> 4 == 4;
  return folded(ip + (v4 ? 12 : 8), v4) == sa.home;
}

void tell_elsewhere(rte_mbuf* m, InboundSa& sa, std::uint64_t now_ms, EspNotices& notices) {
  constexpr std::uint64_t kPauseMs = 1000;
  if (sa.elsewhere_told_ms != 0 && now_ms - sa.elsewhere_told_ms < kPauseMs) return;
  sa.elsewhere_told_ms = now_ms;
  notice(notices, sa, EspNotice::Kind::elsewhere, source_of(m));
}

void watch_limits(InboundSa& sa, EspNotices& notices) {
  const std::uint64_t packets = sa.counters.packets.get(), bytes = sa.counters.bytes.get();
  if (packets < sa.calm_packets && bytes < sa.calm_bytes) [[likely]]
    return;
  if (!sa.soft_told && (packets >= sa.limits.soft_packets || bytes >= sa.limits.soft_bytes)) {
    sa.soft_told = true;
    set_calm(sa);
    notice(notices, sa, EspNotice::Kind::soft_limit);
  }
  if (!sa.hard_told && (packets >= sa.limits.hard_packets || bytes >= sa.limits.hard_bytes)) {
    sa.hard_told = true;
    notice(notices, sa, EspNotice::Kind::hard_limit);
  }
}

bool carries(const InboundSa& sa, const InnerPacket& inner) {
  return any_takes(sa.remote(), inner, inner.source, inner.source_port) &&
         any_takes(sa.local(), inner, inner.destination, inner.destination_port);
}

// RFC 4301 6.2: an ICMP error may come from any router behind the peer. What counts is the packet it is about:
// one that we sent through this tunnel, quoted to its sender.
bool carries_error(const InboundSa& sa, const InnerPacket& inner, std::span<const std::uint8_t> packet) {
  const auto quoted = parse_quoted(inner, packet);
  if (!quoted || quoted->version != inner.version) return false;
  if (std::memcmp(quoted->source, inner.destination, inner.version == 4 ? 4 : 16) != 0) return false;
  return any_takes(sa.local(), *quoted, quoted->source, quoted->source_port) &&
         any_takes(sa.remote(), *quoted, quoted->destination, quoted->destination_port);
}

// IPv4 without options for an SA of one range a side, which is nearly all there is: the same as below, in a few
// comparisons. False: they do not say; ask below.
bool carries_plainly(const InboundSa& sa, const std::uint8_t* ip, std::uint32_t there, InnerPacket& inner) {
  if (there < 20 || ip[0] != 0x45) return false;
  const std::uint32_t total = std::uint32_t{ip[2]} << 8 | ip[3];
  if (total < 20 || total > there || !plain_checksum_holds(ip)) return false;
  if (!sa.carries(be32(ip + 12), be32(ip + 16))) return false;
  inner.version = 4;
  inner.total = total;
  return true;
}

// What the trailer and the inner packet say. Sets `inner` and `drop_as`; true where the packet is good.
bool open_payload(rte_mbuf* m, InboundSa& sa, std::uint8_t* payload, std::uint32_t octets, InnerPacket& inner,
                  Drop& drop_as) {
  // 7. Trailer: pad length, next header, every octet of the padding.
  const std::uint32_t pad = payload[octets - 2];
  const std::uint8_t next = payload[octets - 1];
  drop_as = Drop::bad_padding;
  if (pad + kTrailer > octets || !padding_is_right(payload + octets - kTrailer, pad)) return false;
  if (next == kNextNone) {
    drop_as = Drop::dummy_packet;
    return false;
  }
  if (next != kNextIpv4 && next != kNextIpv6) return false;
  // 8. The inner header; octets behind its end are TFC padding and go (RFC 4303 2.7).
  drop_as = Drop::ecn_dropped;
  if (next == kNextIpv4 && carries_plainly(sa, payload, octets - kTrailer - pad, inner)) {
    const std::uint8_t outer = outer_traffic_class(m);
    return ((payload[1] ^ outer) & kEcnMask) == 0 || merge_ecn(payload, 4, outer);  // what is equal stays as it is
  }
  drop_as = Drop::bad_ip_header;
  const auto parsed = parse_inner({payload, octets - kTrailer - pad});
  if (!parsed || parsed->version != (next == kNextIpv4 ? 4 : 6)) return false;
  inner = *parsed;
  drop_as = Drop::bad_ip_checksum;
  if (inner.version == 4 && !header_checksum_holds(payload)) return false;
  // 9. Does this SA carry it? (RFC 4301 5.2 step 4)
  drop_as = Drop::selector_mismatch;
  if (!carries(sa, inner) && !carries_error(sa, inner, {payload, inner.total})) {
    sa.counters.selector_mismatch.add();
    return false;
  }
  // 10. Congestion marks of the path.
  drop_as = Drop::ecn_dropped;
  return merge_ecn(payload, inner.version, outer_traffic_class(m));
}

// Room is left for what has to be said; this is a sample.
void tell_outside(const InboundSa& sa, const InnerPacket& inner, EspNotices& notices) {
  if (notices.count >= kMaxBurst / 2) return;
  conf::Endpoint from;
  from.address.family = inner.version == 4 ? conf::Family::v4 : conf::Family::v6;
  std::memcpy(from.address.octets.data(), inner.source, inner.version == 4 ? 4 : 16);
  notices.list[notices.count++] = {EspNotice::Kind::outside_selectors, Direction::inbound, sa.spi, sa.tunnel, sa.child, from};
}

void finish(const EspContext& context, const crypto::EspJob& job, EspInboundOut& out) {
  auto* m = static_cast<rte_mbuf*>(job.user);
  PacketMeta& packet = meta(m);
  InboundSa& sa = *packet.sa.inbound;
  // 5. Authentic?
  if (job.status == crypto::EspJob::Status::icv_failed) {
    sa.counters.icv_failed.add();
    return drop(out.drops, m, Drop::icv_failed);
  }
  if (job.status != crypto::EspJob::Status::ok) return drop(out.drops, m, Drop::crypto_failed);
  // 6. Still fresh? Then it takes its place in the window.
  if (sa.window.check(packet.sequence) != ReplayWindow::Verdict::fresh) return replayed(sa, m, out.drops);
  if (sa.window.advance(packet.sequence)) {
    if (sa.report_peer_moves) watch_peer(m, sa, out.notices);
    if (!comes_from_home(m, sa)) [[unlikely]]
      tell_elsewhere(m, sa, context.now_ms, out.notices);
  }
  sa.counters.sequence.set(sa.window.top());
  sa.counters.last_used_ms.set(context.now_ms);
  if (sa.hard_told) return drop(out.drops, m, Drop::sa_expired);
  // 7-10.
  std::uint8_t* payload = job.esp + kSpiAndSequence + sa.key.iv_octets;
  const std::uint32_t octets = job.length - kSpiAndSequence - sa.key.iv_octets;
  InnerPacket inner;
  Drop why{};
  if (!open_payload(m, sa, payload, octets, inner, why)) {
    if (why == Drop::selector_mismatch) tell_outside(sa, inner, out.notices);
    return drop(out.drops, m, why);
  }
  // 11. What is left is the inner packet.
  sa.counters.packets.add();
  sa.counters.bytes.add(inner.total);
  watch_limits(sa, out.notices);
  m->data_off = static_cast<std::uint16_t>(payload - static_cast<std::uint8_t*>(m->buf_addr));
  m->pkt_len = inner.total;
  m->data_len = static_cast<std::uint16_t>(inner.total);  // one segment: see 4
  packet.l3_offset = 0;
  packet.decrypted = true;
  out.clear.push(m);
}

}  // namespace

void esp_inbound_prepare(EspContext& context, std::span<rte_mbuf* const> packets, crypto::EspBatch& batch,
                         Lane& drops) {
  if (context.sas.many()) prefetch(context, packets);
  for (rte_mbuf* m : packets) prepare(context, m, batch, drops);
}

void esp_inbound_finish(EspContext& context, const crypto::EspBatch& batch, EspInboundOut& out) {
  if (context.flows != nullptr && context.sas.many()) {
    for (std::uint32_t i = 0; i < batch.count; ++i)  // (whatever is there: it is only fetched)
      context.flows->prefetch(FlowCache::Key::decrypted(batch.jobs[i].esp + kSpiAndSequence + batch.jobs[i].key->iv_octets));
  }
  for (std::uint32_t i = 0; i < batch.count; ++i) finish(context, batch.jobs[i], out);
}

void esp_inbound(EspContext& context, std::span<rte_mbuf* const> packets, EspInboundOut& out) {
  crypto::EspBatch batch;
  batch.direction = crypto::EspBatch::Direction::decrypt;
  esp_inbound_prepare(context, packets, batch, out.drops);
  mark(context.stages, Stage::prepare);
  context.engine.submit(batch);
  mark(context.stages, Stage::crypto);
  while (const crypto::EspBatch* done = context.engine.collect()) esp_inbound_finish(context, *done, out);
}

}  // namespace causeway::dataplane

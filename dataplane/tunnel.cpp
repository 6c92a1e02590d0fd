// ESP in and out of a worker: which worker, which SA, and what becomes of packets before and behind the
// two ESP stages (esp.h).
#include <rte_prefetch.h>

#include <algorithm>

#include "dataplane/ethernet.h"
#include "dataplane/fragment.h"
#include "dataplane/icmp.h"
#include "dataplane/ip_header.h"
#include "dataplane/questions.h"
#include "dataplane/sa.h"
#include "dataplane/tcp_mss.h"
#include "dataplane/worker.h"

namespace causeway::dataplane {

// The SPI says whose it is; what is not ours goes to its owner, who looks it up again.
void Worker::on_esp(rte_mbuf* m) {
  const SpiParts parts = setup_.codec->decode(meta(m).spi);
  const auto owner = static_cast<std::uint16_t>(setup_.buckets->worker(parts.bucket));
  if (owner != setup_.index) return hand_over(owner, {m, HandOver::Kind::esp, 0});
  if (sas_.many())
    rte_prefetch0(sas_.inbound_slot(parts));  // what is in it is fetched when the burst is together
  else
    meta(m).sa.inbound = *sas_.inbound_slot(parts);  // whose SPI is compared later
  to_decrypt_.push(m);
  if (to_decrypt_.count == kMaxBurst) decrypt();
}

EspContext Worker::esp_context() {
  return {engine_, sas_, ip_ids_, now_ms_, setup_.jumbo_pool, &counters_.linearised, setup_.stages,
          tables_->generation, &flows_};
}

void Worker::decrypt() {
  decrypt_plain();
  if (to_decrypt_.empty()) return;
  if (lends()) return decrypt_in_turn();
  EspContext context = esp_context();
  EspInboundOut out;
  esp_inbound(context, to_decrypt_.span(), out);
  to_decrypt_.clear();
  finish_decrypted(out);
}

void Worker::finish_decrypted(const EspInboundOut& out) {
  for (std::uint16_t i = 0; i < out.drops.count; ++i) drop(out.drops.packets[i], meta(out.drops.packets[i]).drop);
  pass_on(out.notices);
  for (std::uint16_t i = 0; i < out.clear.count; ++i)
    if (!plain_decrypted(out.clear.packets[i])) on_decrypted(out.clear.packets[i]);
  mark(setup_.stages, Stage::finish);
}

// Inside the selectors of its SA. It is routed like any packet, and may enter another tunnel.
void Worker::on_decrypted(rte_mbuf* m) {
  if (tables_->translations) tables_->translations->inbound(m, meta(m).sa.inbound->tunnel);
  const auto ip = read_ip(m, 0);
  if (!ip || ip->source_routed) return drop(m, Drop::bad_ip_header);
  if (ip->family == conf::Family::v4 && !checksum_holds(*at<rte_ipv4_hdr>(m, 0))) return drop(m, Drop::bad_ip_checksum);
  const NextHop* from = tables_->routes->lookup(ip->family, ip->source);
  if (from != nullptr && from->kind == NextHop::Kind::local) return drop(m, Drop::martian);
  const NextHop* to = tables_->routes->lookup(ip->family, ip->destination);
  const bool own = to != nullptr && to->kind == NextHop::Kind::local;
  if (own && !to->host)
    meta(m).sa.inbound->counters.own.add();
  else
    note_question(m, *ip, *meta(m).sa.inbound);
  if (!own) {
    if (ip->protocol == kProtocolTcp) {
      const OutboundSa* back = sas_.find_outbound(meta(m).sa.inbound->child);
      if (back != nullptr && clamp(m, *ip, *back) && hosts_seen_.take(now_ms_))
        notice(HostSeen{back->child, ip->source_address()});
    }
    return forward(m, *ip);
  }
  const bool icmp = ip->protocol == ip->icmp_protocol();
  if (!icmp && !to->host) return drop(m, Drop::not_for_us);
  if (icmp && ip->fragment) {
    meta(m).l3_offset = 0;
    m = reassembly_.add(PacketPtr(m), now_ms_).release();
    if (m == nullptr) return;
  }
  on_local(m);
}

void Worker::protect(rte_mbuf* m, const PolicyRule& rule) {
  meta(m).child = rule.child;
  // A spread child has an SA on every worker, and RFC 9611 gives each worker a child of its own: who received the flow
  // encrypts it.
  const bool ours = rule.owner == setup_.index || sas_.find_outbound(rule.child) != nullptr;
  if (ours && !(fence_.stands() && rule.owner != setup_.index && fence_.may_move())) return encrypt_for_child(m);
  hand_over(rule.owner, {m, HandOver::Kind::encrypt, 0});
  if (!ours) return;
  flush_hand_overs(rule.owner);
  fence_.move_behind();
}

void Worker::encrypt_for_child(rte_mbuf* m) {
  OutboundSa* sa = sas_.find_outbound(meta(m).child);
  if (sa == nullptr) {
    want(m);
    return drop(m, Drop::no_sa);
  }
  if (tables_->translations) tables_->translations->outbound(m, sa->tunnel);
  if (sa->selectors != nullptr && !covers(*sa, {at<std::uint8_t>(m, 0), rte_pktmbuf_data_len(m)}))
    return drop(m, Drop::no_child_for_selector);
  const auto* octets = at<std::uint8_t>(m, 0);
  const bool v4 = octets[0] >> 4 == 4;
  const std::uint8_t protocol = octets[v4 ? 9 : 6];
  if (protocol == kProtocolTcp || protocol == (v4 ? kProtocolIcmp : kProtocolIcmp6)) {
    if (const auto ip = read_ip(m, 0); ip) {
      if (protocol == kProtocolTcp) clamp(m, *ip, *sa);
      note_question(m, *ip, *sa);
    }
  }
  meta(m).sa.outbound = sa;
  to_encrypt_.push(m);
  if (to_encrypt_.count == kMaxBurst) encrypt();
}

void Worker::note_question(rte_mbuf* m, const IpHeader& ip, OutboundSa& sa) {
  if (meta(m).probe) return sa.counters.own.add();
  const Question what = question(m, ip);
  count(sa.counters, what);
  if (what != Question::tcp_asked && what != Question::echo_asked) return;
  if (!questions_.take(now_ms_)) return;
  const bool tcp = what == Question::tcp_asked;
  const std::uint16_t port = tcp ? be16(at<const std::uint8_t>(m, ip.upper + 2U)) : 0;
  notice(Asked{.tunnel = sa.tunnel, .host = ip.destination_address(), .port = port});
}

void Worker::note_question(rte_mbuf* m, const IpHeader& ip, InboundSa& sa) {
  const Question what = question(m, ip);
  count(sa.counters, what);
  if (what == Question::echo_answered && questions_.take(now_ms_))
    notice(Asked{.tunnel = sa.tunnel, .host = ip.source_address(), .answered = true});
}

// True for a SYN.
bool Worker::clamp(rte_mbuf* m, const IpHeader& ip, const OutboundSa& sa) {
  const std::uint16_t mss = sa.mss.value_or(mss_of(sa.inner_mtu, ip.family));
  const Clamped clamped = clamp_mss(m, ip, mss == 0 ? UINT16_MAX : mss);
  if (clamped == Clamped::lowered) counters_.mss_clamped.add();
  return clamped != Clamped::no_syn;
}

void Worker::want(rte_mbuf* m) {
  const auto ip = read_ip(m, 0);
  if (!ip) return;
  const Flow flow = flow_of(m, 0, *ip);
  const PolicyRule* rule = tables_->policies->match(flow);
  if (rule == nullptr || !rule->wake_on_traffic || !wanted_.take(now_ms_)) return;
  notice(WantedNote{.tunnel = rule->tunnel,
                    .child = rule->child,
                    .source = ip->source_address(),
                    .destination = ip->destination_address(),
                    .protocol = flow.protocol,
                    .ports = flow.ports,
                    .source_port = flow.source_port,
                    .destination_port = flow.destination_port});
}

// Everything that waits for a batch. What comes of it (replies, errors, other tunnels) may fill one again.
void Worker::finish() {
  decrypt_plain();
  encrypt_plain();
  while (!to_decrypt_.empty() || !to_encrypt_.empty()) {
    if (!to_decrypt_.empty()) decrypt();
    if (!to_encrypt_.empty()) encrypt();
  }
}

void Worker::encrypt() {
  encrypt_plain();
  std::array<rte_mbuf*, kMaxBurst> packets;
  const std::uint16_t count = to_encrypt_.count;
  std::copy_n(to_encrypt_.packets, count, packets.begin());
  to_encrypt_.clear();
  encrypt_burst({packets.data(), count}, true);
}

void Worker::encrypt_burst(std::span<rte_mbuf* const> packets, bool again) {
  EspContext context = esp_context();
  EspOutboundOut out;
  esp_outbound(context, packets, out);
  for (rte_mbuf* m : out.drops.span()) drop(m, meta(m).drop);
  pass_on(out.notices);
  for (rte_mbuf* m : out.tx.span()) {
    if (meta(m).framed) [[likely]]
      send_frame(m, meta(m).sa.outbound->way.port);
    else
      send_outer(m);
  }
  for (rte_mbuf* m : out.too_big.span()) on_too_big(m, again);
  mark(setup_.stages, Stage::finish);
}

// Fragments before encryption, so that the peer has nothing to put together; where that is not allowed
// the sender is told the tunnel's MTU. `again`: false for what was cut already.
void Worker::on_too_big(rte_mbuf* m, bool again) {
  OutboundSa& sa = *meta(m).sa.outbound;
  const bool v6 = *at<std::uint8_t>(m, 0) >> 4 == 6;
  // RFC 8200 5: no link says less than 1280 of itself.
  const auto mtu =
      static_cast<std::uint16_t>(std::clamp<std::uint32_t>(sa.inner_mtu, v6 ? kLeastIpv6Mtu : 0, UINT16_MAX));
  if (meta(m).inner_df || v6 || !again) {
    sa.counters.too_big.add();
    if (tables_->translations) tables_->translations->undo(m, sa.tunnel);
    send_icmp_error(m, IcmpReason::too_big, mtu);
    return drop(m, Drop::too_big);
  }
  std::array<rte_mbuf*, kMaxPieces> pieces;
  const std::size_t n = fragment_copy(setup_.pool, m, mtu, ++fragment_id_, pieces);
  if (n == 0) return drop(m, Drop::no_buffer);
  counters_.fragmented.add();
  rte_pktmbuf_free(m);
  encrypt_burst({pieces.data(), n}, false);
}

// By route alone: our own outer packets never enter a tunnel. An SA's outer addresses are always the same, so what was
// found for one packet holds for the next, until the tables change: prepare then puts the Ethernet header there at once.
void Worker::send_outer(rte_mbuf* m) {
  const auto ip = read_ip(m, 0);
  const NextHop* hop = ip ? tables_->routes->lookup(ip->family, ip->destination) : nullptr;
  if (hop == nullptr || hop->kind == NextHop::Kind::local || hop->kind == NextHop::Kind::broadcast) {
    meta(m).sa.outbound->counters.no_route.add();
    return drop(m, Drop::no_route);
  }
  const std::uint16_t port = setup_.ports[hop->port].mtu;
  const bool fixed = ip->family == conf::Family::v4 && ip->dont_fragment;  // over IPv6 the source may cut its own
  if (fixed && rte_pktmbuf_pkt_len(m) > port) {
    meta(m).sa.outbound->counters.too_big.add();
    return drop(m, Drop::too_big);
  }
  remember_way(*meta(m).sa.outbound, *hop, *ip);
  // What asks for the path's size goes whole, and so does what may not be cut.
  const bool whole = fixed || meta(m).probe;
  fit_and_send(m, *hop, whole ? port : std::min(port, meta(m).sa.outbound->path_mtu));
}

// Where nothing about it may have to be told or dropped later: a neighbor that is known to be there.
void Worker::remember_way(OutboundSa& sa, const NextHop& hop, const IpHeader& ip) {
  const conf::IpAddress next = hop.kind == NextHop::Kind::gateway ? hop.gateway : ip.destination_address();
  const NeighborTable::Entry* neighbor = tables_->neighbors->find(hop.port, next);
  if (neighbor == nullptr || neighbor->failed || neighbor->stale) return;
  const PortView& port = setup_.ports[hop.port];
  sa.way = {.generation = tables_->generation, .port = hop.port, .limit = std::min(port.mtu, sa.path_mtu)};
  sa.way.octets = static_cast<std::uint8_t>(write_ethernet(
      sa.way.ethernet, neighbor->mac, port.mac, port.vlan,
      ip.family == conf::Family::v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6));
}

void Worker::pass_on(const EspNotices& notices) {
  for (std::uint16_t i = 0; i < notices.count; ++i) {
    const EspNotice& n = notices.list[i];
    if (n.kind == EspNotice::Kind::outside_selectors) {
      if (outside_.take(now_ms_)) notice(OutsideSelectors{.tunnel = n.tunnel, .source = n.from.address});
    } else if (n.kind == EspNotice::Kind::peer_moved) {
      notice(PeerMoved{.tunnel = n.tunnel, .spi = n.spi, .from = n.from});
    } else if (n.kind == EspNotice::Kind::elsewhere) {
      notice(EspElsewhere{.tunnel = n.tunnel, .spi = n.spi, .from = n.from.address});
    } else {
      notice(LimitReached{.direction = n.direction,
                          .spi = n.spi,
                          .tunnel = n.tunnel,
                          .child = n.child,
                          .hard = n.kind == EspNotice::Kind::hard_limit});
    }
  }
}

}  // namespace causeway::dataplane

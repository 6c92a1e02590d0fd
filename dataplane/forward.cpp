// Policy and routes: where a packet in clear goes. Packets start at their IP header here; those that
// came out of a tunnel have meta.decrypted set and were checked against their SA's selectors.
#include "dataplane/fragment.h"
#include "dataplane/headers.h"
#include "dataplane/icmp.h"
#include "dataplane/worker.h"

namespace causeway::dataplane {

// Cleartext from a port, to be forwarded. RFC 4301 5.2: what a tunnel should have protected is dropped;
// what an untrusted port brings goes no further unless a policy says bypass.
void Worker::on_clear(rte_mbuf* m) {
  const PolicyRule* rule = tables_->policies->match(flow_of(m, 0).reversed());
  if (rule != nullptr && rule->action == PolicySpec::Action::protect) return drop(m, Drop::clear_but_protected);
  if (rule != nullptr && rule->action == PolicySpec::Action::discard) return drop(m, Drop::policy_discard);
  const bool allowed = rule != nullptr && !rule->implied;
  if (!setup_.ports[meta(m).in_port].trusted && !allowed) return drop(m, Drop::untrusted_clear);
  forward(m);
}

// ICMP for an own address, in clear or out of a tunnel.
void Worker::on_local(rte_mbuf* m) {
  if (!meta(m).decrypted) {
    const PolicyRule* rule = tables_->policies->match(flow_of(m, 0).reversed());
    if (rule != nullptr && rule->action == PolicySpec::Action::protect) return drop(m, Drop::clear_but_protected);
  }
  if (!icmp_holds(m)) return drop(m, Drop::bad_icmp);
  if (*at<std::uint8_t>(m, header_octets(*at<rte_ipv4_hdr>(m, 0))) == kIcmpEcho) {
    if (!echo_replies_.take(now_ms_)) return drop(m, Drop::punt_rate_limited);
    counters_.echo_replies.add();
    make_echo_reply(m);
    return send_own(PacketPtr(m), meta(m).in_port);
  }
  if (const auto quoted = read_icmp_error(m); quoted) {
    const NextHop* own = tables_->routes->lookup4(reinterpret_cast<const std::uint8_t*>(&quoted->quoted_source));
    if (own != nullptr && own->kind == NextHop::Kind::local) {
      notice(quoted->error);
      rte_pktmbuf_free(m);
      return;
    }
  }
  drop(m, Drop::not_for_us);
}

void Worker::forward(rte_mbuf* m) {
  auto& ip = *at<rte_ipv4_hdr>(m, 0);
  if (ip.time_to_live <= 1) {
    send_icmp_error(m, kIcmpTimeExceeded, 0, 0);
    return drop(m, Drop::ttl_expired);
  }
  const PolicyRule* rule = tables_->policies->match(flow_of(m, 0));
  if (rule != nullptr && rule->action == PolicySpec::Action::discard) return drop(m, Drop::policy_discard);
  if (rule != nullptr && rule->action == PolicySpec::Action::protect) {
    decrement_ttl(ip);
    return protect(m, *rule);
  }
  const NextHop* hop = tables_->routes->lookup4(destination_octets(ip));
  if (hop == nullptr || hop->kind == NextHop::Kind::broadcast) {
    send_icmp_error(m, kIcmpUnreachable, kCodeNet, 0);
    if (meta(m).decrypted) meta(m).sa.inbound->counters.no_route.add();
    return drop(m, Drop::no_route);
  }
  const bool allowed = rule != nullptr && !rule->implied;
  if (!setup_.ports[hop->port].trusted && !allowed) return drop(m, Drop::untrusted_clear);
  const std::uint16_t mtu = setup_.ports[hop->port].mtu;
  if (rte_pktmbuf_pkt_len(m) > mtu && dont_fragment(ip)) {
    send_icmp_error(m, kIcmpUnreachable, kCodeFragmentationNeeded, mtu);
    return drop(m, Drop::too_big);
  }
  decrement_ttl(ip);
  fit_and_send(m, *hop);
}

// In pieces where the port takes less than the packet has.
void Worker::fit_and_send(rte_mbuf* m, const NextHop& hop) {
  const std::uint16_t mtu = setup_.ports[hop.port].mtu;
  if (rte_pktmbuf_pkt_len(m) <= mtu) return send_ip(m, hop);
  std::array<rte_mbuf*, kMaxPieces> pieces;
  const std::size_t n = fragment_copy(setup_.pool, m, mtu, pieces);
  if (n == 0) return drop(m, Drop::no_buffer);
  counters_.fragmented.add();
  for (std::size_t i = 0; i < n; ++i) send_ip(pieces[i], hop);
  rte_pktmbuf_free(m);
}

// A packet of our own making: policy applies to it as to any other, but its TTL is as made.
void Worker::send_own(PacketPtr packet, std::uint16_t in_port) {
  rte_mbuf* m = packet.release();
  meta(m).in_port = in_port;
  const PolicyRule* rule = tables_->policies->match(flow_of(m, 0));
  if (rule != nullptr && rule->action == PolicySpec::Action::protect) return protect(m, *rule);
  const NextHop* hop = tables_->routes->lookup4(destination_octets(*at<rte_ipv4_hdr>(m, 0)));
  if (hop == nullptr || hop->kind == NextHop::Kind::broadcast || hop->kind == NextHop::Kind::local)
    return drop(m, Drop::no_route);
  fit_and_send(m, *hop);
}

// To the neighbor that the route names. `m` fits the port's MTU.
void Worker::send_ip(rte_mbuf* m, const NextHop& hop) {
  const conf::IpAddress address =
      hop.kind == NextHop::Kind::gateway ? hop.gateway : address_v4(at<rte_ipv4_hdr>(m, 0)->dst_addr);
  const NeighborTable::Entry* neighbor = tables_->neighbors->find(hop.port, address);
  if (neighbor == nullptr) return punt(PuntClass::resolve, {m, hop.port, address});
  if (neighbor->failed) return drop(m, Drop::no_neighbor);
  if (neighbor->stale && stale_notes_.take(now_ms_)) notice(StaleNeighborUsed{hop.port, address});
  auto* ethernet = reinterpret_cast<rte_ether_hdr*>(rte_pktmbuf_prepend(m, kEthernetHeader));
  if (ethernet == nullptr) return drop(m, Drop::no_buffer);
  std::memcpy(ethernet->dst_addr.addr_bytes, neighbor->mac.data(), 6);
  std::memcpy(ethernet->src_addr.addr_bytes, setup_.ports[hop.port].mac.data(), 6);
  ethernet->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
  send_frame(m, hop.port);
}

// About a packet that cannot go on, to its source. From the address of ours that the source sees: inside
// the selectors of the tunnel that it came through, else that of the port.
void Worker::send_icmp_error(rte_mbuf* original, std::uint8_t type, std::uint8_t code, std::uint16_t mtu) {
  const std::uint16_t in_port = meta(original).in_port;
  const std::uint8_t* to = source_octets(*at<rte_ipv4_hdr>(original, 0));
  std::optional<std::uint32_t> from;
  for (const RouteTable::Own& own : tables_->routes->own()) {
    if (own.address.family != conf::Family::v4) continue;
    if (meta(original).decrypted) {
      Flow flow{.protocol = kProtocolIcmp, .source = own.address.octets.data(), .destination = to};
      const PolicyRule* rule = tables_->policies->match(flow);
      if (rule == nullptr || rule->action != PolicySpec::Action::protect) continue;
    } else if (own.port != in_port) {
      continue;
    }
    from = network_order_v4(own.address);
    break;
  }
  if (!from) return;
  if (!icmp_errors_.take(now_ms_)) return counters_.icmp_limited.add();
  PacketPtr error = make_icmp_error(setup_.pool, original, type, code, mtu, *from);
  if (!error) return;
  counters_.icmp_errors.add();
  meta(error.get()) = PacketMeta{};
  send_own(std::move(error), in_port);
}

}  // namespace causeway::dataplane

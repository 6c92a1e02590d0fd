// Policy and routes: where a packet in clear goes. Packets start at their IP header here; those that
// came out of a tunnel have meta.decrypted set and were checked against their SA's selectors.
#include "dataplane/ethernet.h"
#include "dataplane/fragment.h"
#include "dataplane/icmp.h"
#include "dataplane/ip_header.h"
#include "dataplane/sa.h"
#include "dataplane/worker.h"

namespace causeway::dataplane {
namespace {

bool leads_nowhere(const NextHop* hop) {
  return hop == nullptr || hop->kind == NextHop::Kind::broadcast || hop->kind == NextHop::Kind::local;
}

}  // namespace

// Cleartext from a port, to be forwarded. RFC 4301 5.2: what a tunnel should have protected is dropped;
// what an untrusted port brings goes no further unless a policy says bypass.
void Worker::on_clear(rte_mbuf* m) {
  const auto ip = read_ip(m, 0);
  if (!ip) return drop(m, Drop::bad_ip_header);
  const PolicyRule* rule = tables_->policies->match(flow_of(m, 0, *ip).reversed());
  if (rule != nullptr && rule->action == PolicySpec::Action::protect) return drop(m, Drop::clear_but_protected);
  if (rule != nullptr && rule->action == PolicySpec::Action::discard) return drop(m, Drop::policy_discard);
  const bool allowed = rule != nullptr && !rule->implied;
  if (!setup_.ports[meta(m).in_port].trusted && !allowed) return drop(m, Drop::untrusted_clear);
  forward(m, *ip);
}

// For an own address, in clear or out of a tunnel: ICMP that concerns us is answered here, the rest is the kernel's
// where the port shares with it.
void Worker::on_local(rte_mbuf* m) {
  const auto ip = read_ip(m, 0);
  if (!ip) return drop(m, Drop::bad_ip_header);
  if (!meta(m).decrypted) {
    const PolicyRule* rule = tables_->policies->match(flow_of(m, 0, *ip).reversed());
    if (rule != nullptr && rule->action == PolicySpec::Action::protect) return drop(m, Drop::clear_but_protected);
  }
  const NextHop* own = tables_->routes->lookup(ip->family, ip->destination);
  const auto to_host = [&] {
    if (own == nullptr || !own->host) return drop(m, Drop::not_for_us);
    punt(PuntClass::host, {.packet = m, .port = own->port, .next_hop = {}});
  };
  if (ip->protocol != ip->icmp_protocol()) return to_host();
  if (!icmp_holds(m, *ip)) return drop(m, Drop::bad_icmp);
  if (is_echo_request(m, *ip)) {
    if (!echo_replies_.take(now_ms_)) return drop(m, Drop::punt_rate_limited);
    counters_.echo_replies.add();
    make_echo_reply(m, *ip);
    return send_own(PacketPtr(m), meta(m).in_port);
  }
  if (const auto sequence = echo_answer(m, *ip, shared_.probe_id); sequence && meta(m).decrypted) {
    notice(EchoAnswer{ip->source_address(), *sequence});
    return rte_pktmbuf_free(m);
  }
  if (const auto quoted = read_icmp_error(m, *ip); quoted) {
    const NextHop* sender = tables_->routes->lookup(quoted->source);
    if (sender != nullptr && sender->kind == NextHop::Kind::local) {
      notice(*quoted);
      rte_pktmbuf_free(m);
      return;
    }
  }
  to_host();
}

// RFC 4301 6.2: an ICMP error may come from any router on our side. It goes the way back of the packet that it is
// about: where that came out of a tunnel, into it.
const PolicyRule* Worker::rule_of_quoted(rte_mbuf* m, const IpHeader& ip) const {
  const auto quote = static_cast<std::uint16_t>(ip.upper + 8);
  if (ip.later_fragment || rte_pktmbuf_data_len(m) <= quote) return nullptr;
  if (!is_icmp_error(*at<std::uint8_t>(m, ip.upper), ip.family)) return nullptr;
  const auto quoted = read_ip(m, quote);
  if (!quoted || quoted->family != ip.family || std::memcmp(quoted->source, ip.destination, ip.address_octets()) != 0)
    return nullptr;
  const PolicyRule* rule = tables_->policies->match(flow_of(m, quote, *quoted).reversed());
  return rule != nullptr && rule->action == PolicySpec::Action::protect ? rule : nullptr;
}

// The stateless filter: true where it dropped the packet.
bool Worker::ruled_out(rte_mbuf* m, const IpHeader& ip, std::uint16_t out) {
  const PacketMeta& packet = meta(m);
  const std::uint16_t in =
      packet.decrypted ? place_of_tunnel(packet.sa.inbound->tunnel) : place_of_port(packet.in_port);
  const RuleTable::Rule* rule = tables_->rules->match(flow_of(m, 0, ip), in, out);
  if (rule == nullptr) return false;
  mail_.rules[rule->slot].add();
  if (!rule->permit) drop(m, Drop::policy_discard);
  return !rule->permit;
}

void Worker::forward(rte_mbuf* m, const IpHeader& ip) {
  if (ip.hop_limit <= 1) {
    send_icmp_error(m, IcmpReason::hop_limit, 0);
    return drop(m, Drop::ttl_expired);
  }
  const PolicyRule* rule = tables_->policies->match(flow_of(m, 0, ip));
  if ((rule == nullptr || rule->implied) && ip.protocol == ip.icmp_protocol()) {
    if (const PolicyRule* quoted = rule_of_quoted(m, ip); quoted != nullptr) rule = quoted;
  }
  if (rule != nullptr && rule->action == PolicySpec::Action::discard) return drop(m, Drop::policy_discard);
  if (rule != nullptr && rule->action == PolicySpec::Action::protect) {
    if (tables_->rules && ruled_out(m, ip, place_of_tunnel(rule->tunnel))) return;
    decrement_hop_limit(m, 0);
    return protect(m, *rule);
  }
  const NextHop* hop = tables_->routes->lookup(ip.family, ip.destination);
  if (leads_nowhere(hop)) {
    send_icmp_error(m, IcmpReason::no_route, 0);
    if (meta(m).decrypted) meta(m).sa.inbound->counters.no_route.add();
    return drop(m, Drop::no_route);
  }
  const bool allowed = rule != nullptr && !rule->implied;
  if (!setup_.ports[hop->port].trusted && !allowed) return drop(m, Drop::untrusted_clear);
  if (tables_->rules && ruled_out(m, ip, place_of_port(hop->port))) return;
  const std::uint16_t mtu = setup_.ports[hop->port].mtu;
  if (rte_pktmbuf_pkt_len(m) > mtu && ip.dont_fragment) {
    if (meta(m).decrypted) meta(m).sa.inbound->counters.too_big.add();
    send_icmp_error(m, IcmpReason::too_big, mtu);
    return drop(m, Drop::too_big);
  }
  decrement_hop_limit(m, 0);
  fit_and_send(m, *hop);
}

// In pieces where the way takes less than the packet has.
void Worker::fit_and_send(rte_mbuf* m, const NextHop& hop, std::uint16_t mtu) {
  if (rte_pktmbuf_pkt_len(m) <= mtu) return send_ip(m, hop);
  std::array<rte_mbuf*, kMaxPieces> pieces;
  const std::size_t n = fragment_copy(setup_.pool, m, mtu, ++fragment_id_, pieces);
  if (n == 0) return drop(m, Drop::no_buffer);
  (meta(m).encrypted ? counters_.outer_fragmented : counters_.fragmented).add();
  for (std::size_t i = 0; i < n; ++i) send_ip(pieces[i], hop);
  rte_pktmbuf_free(m);
}

// A packet of our own making: policy applies to it as to any other, but its hop limit is as made.
void Worker::send_own(PacketPtr packet, std::uint16_t in_port) {
  rte_mbuf* m = packet.release();
  meta(m).in_port = in_port;
  const auto ip = read_ip(m, 0);
  if (!ip) return drop(m, Drop::bad_ip_header);
  if (is_link_local(ip->destination_address())) {
    const NextHop on_link{.kind = NextHop::Kind::connected, .port = in_port, .length = 64, .gateway = {}};
    return fit_and_send(m, on_link);
  }
  const PolicyRule* rule = tables_->policies->match(flow_of(m, 0, *ip));
  if (rule != nullptr && rule->action == PolicySpec::Action::protect) return protect(m, *rule);
  const NextHop* hop = tables_->routes->lookup(ip->family, ip->destination);
  if (hop != nullptr && hop->host)  // an ICMP error about what the kernel sent
    return punt(PuntClass::host, {.packet = m, .port = hop->port, .next_hop = {}});
  if (leads_nowhere(hop)) return drop(m, Drop::no_route);
  fit_and_send(m, *hop);
}

// To the neighbor that the route names. `m` fits the port's MTU.
void Worker::send_ip(rte_mbuf* m, const NextHop& hop) {
  const std::uint16_t type = ether_type(m);
  conf::IpAddress address = hop.gateway;
  if (hop.kind != NextHop::Kind::gateway)
    address = type == RTE_ETHER_TYPE_IPV4 ? address_v4(at<rte_ipv4_hdr>(m, 0)->dst_addr)
                                          : address_v6(at<std::uint8_t>(m, 24));
  const NeighborTable::Entry* neighbor = tables_->neighbors->find(hop.port, address);
  if (neighbor == nullptr) return punt(PuntClass::resolve, {m, hop.port, address});
  if (neighbor->failed) {
    if (meta(m).encrypted) {
      meta(m).sa.outbound->counters.no_neighbor.add();
    } else if (meta(m).decrypted) {
      meta(m).sa.inbound->counters.no_neighbor.add();
    }
    return drop(m, Drop::no_neighbor);
  }
  if (neighbor->stale && stale_notes_.take(now_ms_)) notice(StaleNeighborUsed{hop.port, address});
  const PortView& port = setup_.ports[hop.port];
  if (!put_ethernet(m, neighbor->mac, port.mac, port.vlan, type)) return drop(m, Drop::no_buffer);
  send_frame(m, hop.port);
}

// About a packet that cannot go on, to its source. From the address of ours that the source sees: inside
// the selectors of the tunnel that it came through, else that of the port.
void Worker::send_icmp_error(rte_mbuf* original, IcmpReason reason, std::uint16_t mtu) {
  const auto ip = read_ip(original, 0);
  if (!ip) return;
  const std::uint16_t in_port = meta(original).in_port;
  const conf::IpAddress* from = nullptr;
  for (const RouteTable::Own& own : tables_->routes->own()) {
    if (own.address.family != ip->family) continue;
    if (meta(original).decrypted) {
      const Flow flow{.family = ip->family,
                      .ports = false,
                      .protocol = ip->icmp_protocol(),
                      .source_port = 0,
                      .destination_port = 0,
                      .source = own.address.octets.data(),
                      .destination = ip->source};
      const PolicyRule* rule = tables_->policies->match(flow);
      if (rule == nullptr || rule->action != PolicySpec::Action::protect) continue;
    } else if (own.port != in_port) {
      continue;
    }
    from = &own.address;
    break;
  }
  if (from == nullptr) return;
  if (!icmp_errors_.take(now_ms_)) return counters_.icmp_limited.add();
  PacketPtr error = make_icmp_error(setup_.pool, original, *ip, reason, mtu, *from);
  if (!error) return;
  counters_.icmp_errors.add();
  meta(error.get()) = PacketMeta{};
  send_own(std::move(error), in_port);
}

}  // namespace causeway::dataplane

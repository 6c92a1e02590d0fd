#include "dataplane/classify.h"

#include <algorithm>

namespace causeway::dataplane {
namespace {

Verdict refuse(rte_mbuf* m, Drop why) {
  meta(m).drop = why;
  return Verdict::drop;
}

bool all_zero(const std::uint8_t* a, std::size_t n) {
  return std::all_of(a, a + n, [](std::uint8_t o) { return o == 0; });
}

// RFC 1122 3.2.1.3, RFC 6890, RFC 4291 2.5: never a host's address on a wire. (Own ones are looked at apart.)
bool never_a_source(const IpHeader& ip) {
  const std::uint8_t* a = ip.source;
  if (ip.family == conf::Family::v4) return a[0] == 0 || a[0] == 127 || a[0] >= 224;
  const bool unspecified_or_loopback = all_zero(a, 15) && a[15] <= 1;
  const bool mapped = all_zero(a, 10) && a[10] == 0xff && a[11] == 0xff;
  return a[0] == 0xff || unspecified_or_loopback || mapped;
}
bool never_a_destination(const IpHeader& ip) {
  const std::uint8_t* a = ip.destination;
  if (ip.family == conf::Family::v4) return a[0] == 0 || a[0] == 127;
  return all_zero(a, 15) && a[15] <= 1;
}
bool is_multicast(const IpHeader& ip) {
  return ip.family == conf::Family::v4 ? ip.destination[0] >= 224 : ip.destination[0] == 0xff;
}
bool link_local(const std::uint8_t* a) { return a[0] == 0xfe && (a[1] & 0xc0) == 0x80; }

// Options are carried, but source routing is refused: it leads around policy.
bool options_allowed(const std::uint8_t* option, std::uint16_t length) {
  constexpr std::uint8_t kEnd = 0, kNop = 1, kLooseSourceRoute = 131, kStrictSourceRoute = 137;
  while (length > 0 && option[0] != kEnd) {
    std::uint16_t step = 1;
    if (option[0] != kNop) {
      if (option[0] == kLooseSourceRoute || option[0] == kStrictSourceRoute) return false;
      if (length < 2 || option[1] < 2 || option[1] > length) return false;
      step = option[1];
    }
    option += step;
    length = static_cast<std::uint16_t>(length - step);
  }
  return true;
}

// The header at meta.l3_offset, checked; the packet is cut to its own length. Nothing: meta.drop is set.
std::optional<IpHeader> checked_header(rte_mbuf* m) {
  const std::uint16_t offset = meta(m).l3_offset;
  const auto refused = [m](Drop why) {
    meta(m).drop = why;
    return std::nullopt;
  };
  const std::uint32_t there = rte_pktmbuf_data_len(m) - std::min<std::uint32_t>(offset, rte_pktmbuf_data_len(m));
  if (there == 0) return refused(Drop::truncated);
  const std::uint8_t* at = dataplane::at<std::uint8_t>(m, offset);
  const int version = at[0] >> 4;
  const std::uint32_t least = version == 6 ? kIpv6Header : kIpv4Header;
  if (version != 4 && version != 6) return refused(Drop::bad_ip_header);
  if (there < least || (version == 4 && there < (at[0] & 15U) * 4U)) return refused(Drop::truncated);
  const std::uint32_t total = version == 4 ? be16(at + 2) : kIpv6Header + std::uint32_t{be16(at + 4)};
  const auto ip = read_ip(m, offset);
  if (!ip && version == 6 && there < total) return refused(Drop::truncated);
  if (!ip || ip->source_routed) return refused(Drop::bad_ip_header);
  const std::uint32_t frame = rte_pktmbuf_pkt_len(m);
  if (frame < offset + total) return refused(Drop::truncated);
  if (version == 4 && !checksum_holds(*m, *dataplane::at<rte_ipv4_hdr>(m, offset))) return refused(Drop::bad_ip_checksum);
  if (version == 4 && ip->upper > kIpv4Header &&
      !options_allowed(at + kIpv4Header, static_cast<std::uint16_t>(ip->upper - kIpv4Header)))
    return refused(Drop::bad_ip_header);
  if (const std::uint32_t padding = frame - offset - total;
      padding != 0 && rte_pktmbuf_trim(m, static_cast<std::uint16_t>(padding)) != 0)
    return refused(Drop::bad_ip_header);
  return ip;
}

// UDP to an own address; `other`: what becomes of ports that are not ours. RFC 3948 2: on 4500, ESP, or IKE behind four zero octets, or a keepalive.
Verdict classify_udp(rte_mbuf* m, const IpHeader& ip, std::uint16_t offset, std::uint32_t payload, Verdict other) {
  if (payload < kUdpHeader || rte_pktmbuf_data_len(m) < offset + kUdpHeader) return refuse(m, Drop::truncated);
  const auto& udp = *at<rte_udp_hdr>(m, offset);
  const std::uint16_t length = rte_be_to_cpu_16(udp.dgram_len);
  if (length < kUdpHeader || length > payload) return refuse(m, Drop::bad_udp_header);
  if (length < payload && rte_pktmbuf_trim(m, static_cast<std::uint16_t>(payload - length)) != 0)
    return refuse(m, Drop::bad_udp_header);
  const std::uint16_t destination = rte_be_to_cpu_16(udp.dst_port);
  if (destination != kPortIke && destination != kPortNatt) return other;
  PacketMeta& about = meta(m);
  about.outer_source_port = rte_be_to_cpu_16(udp.src_port);
  const auto body = static_cast<std::uint16_t>(offset + kUdpHeader);
  about.esp_offset = body;
  about.udp_encapsulated = destination == kPortNatt;
  if (destination == kPortNatt) {
    if (length == kUdpHeader + 1 && rte_pktmbuf_data_len(m) > body && *at<std::uint8_t>(m, body) == 0xff)
      return Verdict::keepalive;
    if (length < kUdpHeader + 4 || rte_pktmbuf_data_len(m) < body + 4) return refuse(m, Drop::truncated);
    about.spi = be32(at<std::uint8_t>(m, body));
    if (about.spi != 0) {
      if (length < kUdpHeader + kEspHeader || rte_pktmbuf_data_len(m) < body + kEspHeader)
        return refuse(m, Drop::esp_malformed);
      return Verdict::esp;  // its checksum is not looked at: RFC 3948 2.1, RFC 6935 for IPv6
    }
    about.esp_offset = static_cast<std::uint16_t>(body + 4);
  }
  const bool unchecked = udp.dgram_cksum == 0 && ip.family == conf::Family::v4;
  if (!unchecked && !upper_checksum_holds(m, ip, offset, length, kProtocolUdp)) return refuse(m, Drop::bad_udp_header);
  return Verdict::ike;
}

// RFC 4861 4: router and neighbor solicitations and advertisements, redirects; only ever from a neighbor.
bool is_discovery(rte_mbuf* m, const IpHeader& ip, std::uint16_t offset) {
  if (ip.family != conf::Family::v6 || ip.protocol != kProtocolIcmp6 || ip.fragment) return false;
  if (rte_pktmbuf_data_len(m) <= offset) return false;
  const std::uint8_t type = *at<std::uint8_t>(m, offset);
  return type >= 133 && type <= 137 && ip.hop_limit == 255;
}

// `reachable_here`: also for what is not IPsec; `host`: the kernel has a part in the address.
Verdict classify_own(rte_mbuf* m, const IpHeader& ip, bool reachable_here, bool host) {
  PacketMeta& about = meta(m);
  const auto offset = static_cast<std::uint16_t>(about.l3_offset + ip.upper);
  const std::uint32_t payload = ip.total - ip.upper;
  const bool icmp = ip.protocol == ip.icmp_protocol();
  const bool known = icmp || ip.protocol == kProtocolUdp || ip.protocol == kProtocolEsp;
  if (!known && !host) return refuse(m, Drop::not_for_us);
  if ((icmp || !known) && !reachable_here) return refuse(m, Drop::untrusted_clear);
  if (!known) return Verdict::local;  // also a fragment: the kernel puts its own together
  if (ip.fragment) return Verdict::fragment;
  if (is_discovery(m, ip, offset)) return Verdict::neighbor;
  if (icmp) return Verdict::local;
  if (ip.protocol == kProtocolUdp) {
    about.drop = reachable_here ? Drop::not_for_us : Drop::untrusted_clear;
    return classify_udp(m, ip, offset, payload, host && reachable_here ? Verdict::local : Verdict::drop);
  }
  if (payload < kEspHeader || rte_pktmbuf_data_len(m) < offset + kEspHeader) return refuse(m, Drop::esp_malformed);
  about.esp_offset = offset;
  about.outer_source_port = 0;
  about.udp_encapsulated = false;
  about.spi = be32(at<std::uint8_t>(m, offset));
  return Verdict::esp;
}

}  // namespace

Verdict classify_ip(rte_mbuf* m, const PortView& port, const RouteTable& routes) {
  const auto ip = checked_header(m);
  if (!ip) return Verdict::drop;
  const PacketMeta& about = meta(m);
  if (is_multicast(*ip)) {
    // A question that looks for whether an address is taken comes from none (RFC 4862 5.4.2).
    const bool source_fits = !never_a_source(*ip) || all_zero(ip->source, ip->address_octets());
    if (source_fits && is_discovery(m, *ip, static_cast<std::uint16_t>(about.l3_offset + ip->upper)))
      return Verdict::neighbor;
    return refuse(m, never_a_source(*ip) ? Drop::martian : Drop::not_for_us);
  }
  if (never_a_source(*ip) || never_a_destination(*ip)) return refuse(m, Drop::martian);
  const NextHop* from = routes.lookup(ip->family, ip->source);
  if (from != nullptr && (from->kind == NextHop::Kind::local || from->kind == NextHop::Kind::broadcast))
    return refuse(m, Drop::martian);
  const NextHop* to = routes.lookup(ip->family, ip->destination);
  if (to == nullptr || to->kind == NextHop::Kind::connected || to->kind == NextHop::Kind::gateway) {
    // RFC 4291 2.5.6: link-local packets stay on their link.
    const bool stays = ip->family == conf::Family::v6 && (link_local(ip->source) || link_local(ip->destination));
    return stays ? refuse(m, Drop::not_for_us) : Verdict::clear;
  }
  if (to->kind == NextHop::Kind::broadcast) return refuse(m, Drop::not_for_us);
  const bool here = to->port == about.in_port || (ip->family == conf::Family::v6 && link_local(ip->destination));
  return classify_own(m, *ip, port.trusted || here, to->host);
}

Verdict classify(rte_mbuf* frame, const EthernetHeader& ethernet, const PortView& port, const RouteTable& routes) {
  if (ethernet.octets == 0) return refuse(frame, Drop::truncated);
  const auto* to = at<rte_ether_hdr>(frame, 0)->dst_addr.addr_bytes;
  const bool group = (to[0] & 1) != 0;
  if (!group && std::memcmp(to, port.mac.data(), 6) != 0) return refuse(frame, Drop::bad_ethernet);
  meta(frame).l3_offset = ethernet.octets;
  switch (ethernet.type) {
    case RTE_ETHER_TYPE_IPV4:
    case RTE_ETHER_TYPE_IPV6:
      break;
    case RTE_ETHER_TYPE_ARP:
      return Verdict::neighbor;
    default:
      return refuse(frame, Drop::bad_ethernet);
  }
  const int version = ethernet.type == RTE_ETHER_TYPE_IPV4 ? 4 : 6;
  if (rte_pktmbuf_data_len(frame) > ethernet.octets && *at<std::uint8_t>(frame, ethernet.octets) >> 4 != version)
    return refuse(frame, Drop::bad_ip_header);
  const Verdict verdict = classify_ip(frame, port, routes);
  // A unicast packet in a frame to a group is for every host of the link and for none to forward (RFC 1122 3.3.6).
  if (group && verdict != Verdict::drop && verdict != Verdict::neighbor) return refuse(frame, Drop::bad_ethernet);
  return verdict;
}

}  // namespace causeway::dataplane

#include "dataplane/classify.h"

namespace causeway::dataplane {
namespace {

Verdict refuse(rte_mbuf* m, Drop why) {
  meta(m).drop = why;
  return Verdict::drop;
}

// RFC 1122 3.2.1.3, RFC 6890: not as a source. (Own addresses are looked at apart.)
bool martian_source(const std::uint8_t* a) { return a[0] == 0 || a[0] == 127 || a[0] >= 224; }

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

// RFC 768: over the pseudo header, whose length is UDP's own, and the datagram.
bool udp_checksum_holds(rte_mbuf* m, const rte_ipv4_hdr& ip, std::uint16_t offset, std::uint16_t length) {
  rte_ipv4_hdr pseudo = ip;
  pseudo.version_ihl = RTE_IPV4_VHL_DEF;
  pseudo.total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(kIpv4Header + length));
  std::uint16_t sum = 0;
  if (rte_raw_cksum_mbuf(m, offset, length, &sum) != 0) return false;
  std::uint32_t all = std::uint32_t{sum} + rte_ipv4_phdr_cksum(&pseudo, 0);
  all = (all & 0xffff) + (all >> 16);
  return all == 0xffff;
}

// UDP to an own address. RFC 3948 2: on 4500, ESP, or IKE behind four zero octets, or a keepalive.
Verdict classify_udp(rte_mbuf* m, const rte_ipv4_hdr& ip, std::uint16_t offset, std::uint16_t payload) {
  if (payload < kUdpHeader || rte_pktmbuf_data_len(m) < offset + kUdpHeader) return refuse(m, Drop::truncated);
  const auto& udp = *at<rte_udp_hdr>(m, offset);
  const std::uint16_t length = rte_be_to_cpu_16(udp.dgram_len);
  if (length < kUdpHeader || length > payload) return refuse(m, Drop::bad_udp_header);
  if (length < payload) rte_pktmbuf_trim(m, static_cast<std::uint16_t>(payload - length));
  const std::uint16_t destination = rte_be_to_cpu_16(udp.dst_port);
  if (destination != kPortIke && destination != kPortNatt) return refuse(m, Drop::not_for_us);
  PacketMeta& about = meta(m);
  about.outer_source_port = rte_be_to_cpu_16(udp.src_port);
  const std::uint16_t body = static_cast<std::uint16_t>(offset + kUdpHeader);
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
      return Verdict::esp;  // its checksum is not looked at: RFC 3948 2.1
    }
    about.esp_offset = static_cast<std::uint16_t>(body + 4);
  }
  if (udp.dgram_cksum != 0 && !udp_checksum_holds(m, ip, offset, length)) return refuse(m, Drop::bad_udp_header);
  return Verdict::ike;
}

Verdict classify_own(rte_mbuf* m, const rte_ipv4_hdr& ip, bool reachable_here) {
  PacketMeta& about = meta(m);
  const std::uint16_t header = header_octets(ip);
  const std::uint16_t offset = static_cast<std::uint16_t>(about.l3_offset + header);
  const std::uint16_t payload = static_cast<std::uint16_t>(rte_be_to_cpu_16(ip.total_length) - header);
  const std::uint8_t protocol = ip.next_proto_id;
  const bool icmp = protocol == kProtocolIcmp;
  if (!icmp && protocol != kProtocolUdp && protocol != kProtocolEsp) return refuse(m, Drop::not_for_us);
  if (icmp && !reachable_here) return refuse(m, Drop::untrusted_clear);
  if (is_fragment(ip)) return Verdict::fragment;
  if (icmp) return Verdict::local;
  if (protocol == kProtocolUdp) return classify_udp(m, ip, offset, payload);
  if (payload < kEspHeader || rte_pktmbuf_data_len(m) < offset + kEspHeader) return refuse(m, Drop::esp_malformed);
  about.esp_offset = offset;
  about.outer_source_port = 0;
  about.udp_encapsulated = false;
  about.spi = be32(at<std::uint8_t>(m, offset));
  return Verdict::esp;
}

}  // namespace

Verdict classify_ip(rte_mbuf* m, const PortView& port, std::uint16_t port_index, const RouteTable& routes) {
  const std::uint16_t offset = meta(m).l3_offset;
  const std::uint32_t length = rte_pktmbuf_data_len(m);
  if (length < std::uint32_t{offset} + kIpv4Header) return refuse(m, Drop::truncated);
  const auto& ip = *at<rte_ipv4_hdr>(m, offset);
  const std::uint16_t header = header_octets(ip);
  const std::uint16_t total = rte_be_to_cpu_16(ip.total_length);
  if (ip.version_ihl >> 4 != 4 || header < kIpv4Header || total < header) return refuse(m, Drop::bad_ip_header);
  if (length < std::uint32_t{offset} + header) return refuse(m, Drop::truncated);
  const std::uint32_t frame = rte_pktmbuf_pkt_len(m);
  if (frame < std::uint32_t{offset} + total) return refuse(m, Drop::truncated);
  if (!checksum_holds(ip)) return refuse(m, Drop::bad_ip_checksum);
  if (header > kIpv4Header && !options_allowed(at<std::uint8_t>(m, static_cast<std::uint16_t>(offset + kIpv4Header)),
                                               static_cast<std::uint16_t>(header - kIpv4Header)))
    return refuse(m, Drop::bad_ip_header);
  if (const std::uint32_t padding = frame - offset - total;
      padding != 0 && rte_pktmbuf_trim(m, static_cast<std::uint16_t>(padding)) != 0)
    return refuse(m, Drop::bad_ip_header);

  const std::uint8_t* source = source_octets(ip);
  const std::uint8_t* destination = destination_octets(ip);
  if (martian_source(source) || destination[0] == 0 || destination[0] == 127) return refuse(m, Drop::martian);
  if (destination[0] >= 224) return refuse(m, Drop::not_for_us);
  const NextHop* from = routes.lookup4(source);
  if (from != nullptr && (from->kind == NextHop::Kind::local || from->kind == NextHop::Kind::broadcast))
    return refuse(m, Drop::martian);
  const NextHop* to = routes.lookup4(destination);
  if (to == nullptr || to->kind == NextHop::Kind::connected || to->kind == NextHop::Kind::gateway)
    return Verdict::clear;
  if (to->kind == NextHop::Kind::broadcast) return refuse(m, Drop::not_for_us);
  return classify_own(m, ip, port.trusted || to->port == port_index);
}

Verdict classify(rte_mbuf* frame, const PortView& port, std::uint16_t port_index, const RouteTable& routes) {
  PacketMeta& about = meta(frame);
  about = PacketMeta{};
  about.in_port = port_index;
  if (rte_pktmbuf_data_len(frame) < kEthernetHeader) return refuse(frame, Drop::truncated);
  const auto& ethernet = *at<rte_ether_hdr>(frame, 0);
  if (std::memcmp(ethernet.dst_addr.addr_bytes, port.mac.data(), 6) != 0 &&
      rte_is_broadcast_ether_addr(&ethernet.dst_addr) == 0)
    return refuse(frame, Drop::bad_ethernet);
  about.l3_offset = kEthernetHeader;
  switch (rte_be_to_cpu_16(ethernet.ether_type)) {
    case RTE_ETHER_TYPE_IPV4:
      return classify_ip(frame, port, port_index, routes);
    case RTE_ETHER_TYPE_ARP:
      return Verdict::arp;
    default:
      return refuse(frame, Drop::bad_ethernet);
  }
}

Flow flow_of(rte_mbuf* m, std::uint16_t offset) {
  const auto& ip = *at<rte_ipv4_hdr>(m, offset);
  Flow flow{.family = conf::Family::v4,
            .ports = false,
            .protocol = ip.next_proto_id,
            .source = source_octets(ip),
            .destination = destination_octets(ip)};
  const std::uint16_t transport = static_cast<std::uint16_t>(offset + header_octets(ip));
  if (fragment_octets(ip) != 0 || rte_pktmbuf_data_len(m) < transport + 4) return flow;
  const auto* bytes = at<std::uint8_t>(m, transport);
  constexpr std::uint8_t kSctp = 132, kUdpLite = 136, kDccp = 33;
  if (ip.next_proto_id == kProtocolIcmp) {
    flow.ports = true;
    flow.source_port = flow.destination_port = be16(bytes);
  } else if (ip.next_proto_id == kProtocolTcp || ip.next_proto_id == kProtocolUdp || ip.next_proto_id == kSctp ||
             ip.next_proto_id == kUdpLite || ip.next_proto_id == kDccp) {
    flow.ports = true;
    flow.source_port = be16(bytes);
    flow.destination_port = be16(bytes + 2);
  }
  return flow;
}

}  // namespace causeway::dataplane

#include "dataplane/ip_header.h"

namespace causeway::dataplane {
namespace {

const std::uint8_t* octets_at(const rte_mbuf* m, std::uint32_t offset) {
  return rte_pktmbuf_mtod_offset(m, const std::uint8_t*, offset);
}

std::optional<IpHeader> read_v4(const rte_mbuf* m, std::uint16_t offset, std::uint32_t there) {
  if (there < kIpv4Header) return std::nullopt;
  const auto& header = *reinterpret_cast<const rte_ipv4_hdr*>(octets_at(m, offset));
  IpHeader ip;
  ip.upper = header_octets(header);
  ip.total = rte_be_to_cpu_16(header.total_length);
  if (ip.upper < kIpv4Header || ip.upper > there || ip.total < ip.upper) return std::nullopt;
  ip.protocol = header.next_proto_id;
  ip.hop_limit = header.time_to_live;
  ip.fragment_offset = fragment_octets(header);
  ip.more_fragments = more_fragments(header);
  ip.later_fragment = ip.fragment_offset != 0;
  ip.fragment = ip.later_fragment || ip.more_fragments;
  ip.dont_fragment = dont_fragment(header);
  ip.id = rte_be_to_cpu_16(header.packet_id);
  ip.source = source_octets(header);
  ip.destination = destination_octets(header);
  return ip;
}

// Walks extension headers up to the upper layer, or to a fragment header of a later fragment.
std::optional<IpHeader> read_v6(const rte_mbuf* m, std::uint16_t offset, std::uint32_t there) {
  constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kAuthentication = 51, kDestination = 60;
  constexpr int kMostExtensions = 8;
  if (there < kIpv6Header) return std::nullopt;
  const std::uint8_t* at = octets_at(m, offset);
  IpHeader ip;
  ip.family = conf::Family::v6;
  ip.total = kIpv6Header + std::uint32_t{be16(at + 4)};
  ip.hop_limit = at[7];
  ip.dont_fragment = true;
  ip.source = at + 8;
  ip.destination = at + 24;
  ip.protocol = at[6];
  ip.upper = kIpv6Header;
  std::uint16_t number_at = 6;
  for (int i = 0; i < kMostExtensions && !ip.later_fragment; ++i) {
    const std::uint8_t type = ip.protocol;
    const bool options = type == kHopByHop || type == kRouting || type == kDestination;
    if (!options && type != kAuthentication && type != kProtocolFragment) return ip;
    const std::uint8_t* extension = at + ip.upper;
    if (ip.total - ip.upper < 8 || there < ip.upper + 8U) return std::nullopt;
    std::uint32_t length = kFragmentHeader;
    if (options) length = (extension[1] + 1U) * 8U;
    if (type == kAuthentication) length = (extension[1] + 2U) * 4U;
    if (length > ip.total - ip.upper || there < ip.upper + length) return std::nullopt;
    if (type == kRouting && extension[2] == 0) ip.source_routed = true;
    if (type == kProtocolFragment) {
      if (ip.fragment) return std::nullopt;
      const std::uint16_t field = be16(extension + 2);
      ip.fragment_offset = field & 0xfff8U;
      ip.more_fragments = (field & 1) != 0;
      ip.later_fragment = ip.fragment_offset != 0;
      ip.fragment = true;  // also an "atomic" one: it is put together like any other (RFC 6946)
      ip.id = be32(extension + 4);
      ip.fragment_at = ip.upper;
      ip.next_header_at = number_at;
    }
    number_at = ip.upper;
    ip.protocol = extension[0];
    ip.upper = static_cast<std::uint16_t>(ip.upper + length);
  }
  return ip.later_fragment ? std::optional(ip) : std::nullopt;
}

std::uint32_t pseudo_sum(const IpHeader& ip, std::uint32_t length, std::uint8_t protocol) {
  std::uint32_t sum = rte_raw_cksum(ip.source, ip.address_octets());
  sum += rte_raw_cksum(ip.destination, ip.address_octets());
  sum +=
      rte_cpu_to_be_16(static_cast<std::uint16_t>(length >> 16)) + rte_cpu_to_be_16(static_cast<std::uint16_t>(length));
  return sum + rte_cpu_to_be_16(protocol);
}

std::uint16_t fold(std::uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>((sum & 0xffff) + (sum >> 16));
}

bool has_pseudo_header(const IpHeader& ip, std::uint8_t protocol) {
  return ip.family == conf::Family::v6 || protocol != kProtocolIcmp;
}

}  // namespace

conf::IpAddress IpHeader::source_address() const { return conf::IpAddress::from_octets({source, address_octets()}); }
conf::IpAddress IpHeader::destination_address() const {
  return conf::IpAddress::from_octets({destination, address_octets()});
}

std::optional<IpHeader> read_ip(const rte_mbuf* m, std::uint16_t offset) {
  const std::uint32_t length = rte_pktmbuf_data_len(m);
  if (length <= offset) return std::nullopt;
  switch (*octets_at(m, offset) >> 4) {
    case 4:
      return read_v4(m, offset, length - offset);
    case 6:
      return read_v6(m, offset, length - offset);
    default:
      return std::nullopt;
  }
}

// Protocols with ports at their start; for ICMP type and code are both; a Mobility Header has its type in
// the upper half (RFC 4301 4.4.1.1).
Flow flow_of(const rte_mbuf* m, std::uint16_t offset, const IpHeader& ip) {
  constexpr std::uint8_t kDccp = 33, kSctp = 132, kMobility = 135, kUdpLite = 136;
  Flow flow{.family = ip.family,
            .ports = false,
            .protocol = ip.protocol,
            .source_port = 0,
            .destination_port = 0,
            .source = ip.source,
            .destination = ip.destination};
  const std::uint32_t upper = std::uint32_t{offset} + ip.upper;
  if (ip.later_fragment || rte_pktmbuf_data_len(m) < upper + 4) return flow;
  const std::uint8_t* bytes = octets_at(m, upper);
  switch (ip.protocol) {
    case kProtocolIcmp:
    case kProtocolIcmp6:
      flow.ports = true;
      flow.source_port = flow.destination_port = be16(bytes);
      break;
    case kMobility:
      flow.ports = true;
      flow.source_port = flow.destination_port = static_cast<std::uint16_t>(bytes[2] << 8);
      break;
    case kProtocolTcp:
    case kProtocolUdp:
    case kDccp:
    case kSctp:
    case kUdpLite:
      flow.ports = true;
      flow.source_port = be16(bytes);
      flow.destination_port = be16(bytes + 2);
      break;
    default:
      break;
  }
  return flow;
}

void decrement_hop_limit(rte_mbuf* m, std::uint16_t offset) {
  auto* at = rte_pktmbuf_mtod_offset(m, std::uint8_t*, offset);
  if (at[0] >> 4 == 4) {
    decrement_ttl(*reinterpret_cast<rte_ipv4_hdr*>(at));
  } else {
    --at[7];
  }
}

bool upper_checksum_holds(const rte_mbuf* m, const IpHeader& ip, std::uint16_t offset, std::uint32_t length,
                          std::uint8_t protocol) {
  std::uint16_t sum = 0;
  if (rte_raw_cksum_mbuf(m, offset, length, &sum) != 0) return false;
  return fold(sum + (has_pseudo_header(ip, protocol) ? pseudo_sum(ip, length, protocol) : 0)) == 0xffff;
}

std::uint16_t upper_checksum(const IpHeader& ip, const std::uint8_t* data, std::uint32_t length,
                             std::uint8_t protocol) {
  const std::uint32_t sum = rte_raw_cksum(data, length);
  const auto value =
      static_cast<std::uint16_t>(~fold(sum + (has_pseudo_header(ip, protocol) ? pseudo_sum(ip, length, protocol) : 0)));
  return protocol == kProtocolUdp && value == 0 ? std::uint16_t{0xffff} : value;  // RFC 768
}

}  // namespace causeway::dataplane

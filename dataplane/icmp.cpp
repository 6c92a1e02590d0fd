#include "dataplane/icmp.h"

#include <algorithm>
#include <array>

#include "dataplane/headers.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint16_t kIcmpHeader = 8;
constexpr std::uint16_t kErrorOctets = 576;  // RFC 1812 4.3.2.3: as much of the original as fits in it; v6: 1280

// Types and codes of the two versions (RFC 792, RFC 1812 5.2.7; RFC 4443 3).
constexpr std::uint8_t kEcho4 = 8, kEchoReply4 = 0, kUnreachable4 = 3, kFragmentationNeeded4 = 4;
constexpr std::uint8_t kEcho6 = 128, kEchoReply6 = 129, kTooBig6 = 2, kRedirect6 = 137;

struct TypeCode {
  std::uint8_t type, code;
};
TypeCode type_of(IcmpReason reason, conf::Family family) {
  static constexpr std::array<TypeCode, 5> kV4 = {{{3, 4}, {11, 0}, {3, 0}, {3, 1}, {3, 13}}};
  static constexpr std::array<TypeCode, 5> kV6 = {{{2, 0}, {3, 0}, {1, 0}, {1, 3}, {1, 1}}};
  return (family == conf::Family::v4 ? kV4 : kV6)[static_cast<std::size_t>(reason)];
}

bool is_host(const std::uint8_t* a, conf::Family family) {
  if (family == conf::Family::v4) return a[0] != 0 && a[0] != 127 && a[0] < 224;
  return a[0] != 0xff && std::any_of(a, a + 16, [](std::uint8_t o) { return o != 0; });
}

bool may_be_reported(rte_mbuf* m, const IpHeader& ip, IcmpReason reason) {
  if (ip.later_fragment || !is_host(ip.source, ip.family)) return false;
  const bool multicast = ip.family == conf::Family::v4 ? ip.destination[0] >= 224 : ip.destination[0] == 0xff;
  if (multicast && !(ip.family == conf::Family::v6 && reason == IcmpReason::too_big)) return false;
  if (ip.protocol != ip.icmp_protocol()) return true;
  if (rte_pktmbuf_data_len(m) <= ip.upper) return false;
  const std::uint8_t type = *at<std::uint8_t>(m, ip.upper);
  return !is_icmp_error(type, ip.family) && !(ip.family == conf::Family::v6 && type == kRedirect6);
}

// The IP header of a message of ours with `payload` octets.
std::uint16_t put_header(std::uint8_t* to, const conf::IpAddress& source, const std::uint8_t* destination,
                         std::uint16_t payload) {
  if (source.family == conf::Family::v4) {
    auto& ip = *reinterpret_cast<rte_ipv4_hdr*>(to);
    ip.version_ihl = RTE_IPV4_VHL_DEF;
    ip.type_of_service = 0xc0;  // RFC 1812 4.3.2.5: precedence internetwork control
    ip.total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(kIpv4Header + payload));
    ip.time_to_live = 64;
    ip.next_proto_id = kProtocolIcmp;
    std::memcpy(to + offsetof(rte_ipv4_hdr, src_addr), source.octets.data(), 4);
    std::memcpy(to + offsetof(rte_ipv4_hdr, dst_addr), destination, 4);
    set_checksum(ip);
    return kIpv4Header;
  }
  to[0] = 0x60;
  put_be16(to + 4, payload);
  to[6] = kProtocolIcmp6;
  to[7] = 64;
  std::memcpy(to + 8, source.octets.data(), 16);
  std::memcpy(to + 24, destination, 16);
  return kIpv6Header;
}

}  // namespace

bool is_icmp_error(std::uint8_t type, conf::Family family) {
  if (family == conf::Family::v6) return type < 128;
  return type == kUnreachable4 || type == 4 || type == 5 || type == 11 || type == 12;
}

bool icmp_holds(rte_mbuf* m, const IpHeader& ip) {
  const std::uint32_t length = rte_pktmbuf_pkt_len(m);
  if (length < std::uint32_t{ip.upper} + kIcmpHeader || rte_pktmbuf_data_len(m) < ip.upper + kIcmpHeader) return false;
  return upper_checksum_holds(m, ip, ip.upper, length - ip.upper, ip.icmp_protocol());
}

bool is_echo_request(rte_mbuf* m, const IpHeader& ip) {
  return *at<std::uint8_t>(m, ip.upper) == (ip.family == conf::Family::v4 ? kEcho4 : kEcho6);
}

PacketPtr make_echo_request(rte_mempool* pool, const conf::IpAddress& source, const conf::IpAddress& destination,
                            std::uint16_t id, std::uint16_t sequence, std::uint16_t octets) {
  const bool v4 = source.family == conf::Family::v4;
  const std::uint16_t header = v4 ? kIpv4Header : kIpv6Header;
  PacketPtr m(rte_pktmbuf_alloc(pool));
  if (!m || octets < header + kIcmpHeader) return nullptr;
  auto* bytes = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(m.get(), octets));
  if (bytes == nullptr) return nullptr;
  std::memset(bytes, 0, octets);
  put_header(bytes, source, destination.octets.data(), static_cast<std::uint16_t>(octets - header));
  if (v4) {
    auto& ip = *reinterpret_cast<rte_ipv4_hdr*>(bytes);
    ip.type_of_service = 0;
    ip.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
    set_checksum(ip);
  }
  std::uint8_t* icmp = bytes + header;
  icmp[0] = v4 ? kEcho4 : kEcho6;
  put_be16(icmp + 4, id);
  put_be16(icmp + 6, sequence);
  const auto made = read_ip(m.get(), 0);
  const std::uint16_t sum = upper_checksum(*made, icmp, octets - header, made->icmp_protocol());
  std::memcpy(icmp + 2, &sum, sizeof sum);
  return m;
}

std::optional<std::uint16_t> echo_answer(rte_mbuf* m, const IpHeader& ip, std::uint16_t id) {
  const auto* icmp = at<std::uint8_t>(m, ip.upper);
  const bool reply = icmp[0] == (ip.family == conf::Family::v4 ? kEchoReply4 : kEchoReply6) && icmp[1] == 0;
  return reply && be16(icmp + 4) == id ? std::optional(be16(icmp + 6)) : std::nullopt;
}

void make_echo_reply(rte_mbuf* m, const IpHeader& ip) {
  auto* packet = at<std::uint8_t>(m, 0);
  const std::size_t size = ip.address_octets();
  auto* addresses = packet + (ip.source - packet);
  std::swap_ranges(addresses, addresses + size, addresses + size);
  auto* icmp = packet + ip.upper;
  if (ip.family == conf::Family::v4) {
    auto& header = *at<rte_ipv4_hdr>(m, 0);
    header.time_to_live = 64;
    header.fragment_offset = 0;
    header.packet_id = 0;
    set_checksum(header);
  } else {
    packet[7] = 64;
  }
  // RFC 1624: the pseudo header's addresses changed places, which sums to the same; only the type counts.
  const std::uint8_t reply = ip.family == conf::Family::v4 ? kEchoReply4 : kEchoReply6;
  std::uint32_t sum = be16(icmp + 2) + (std::uint32_t{icmp[0]} << 8) + (0xffffU - (std::uint32_t{reply} << 8));
  icmp[0] = reply;
  sum = (sum & 0xffff) + (sum >> 16);
  put_be16(icmp + 2, static_cast<std::uint16_t>((sum & 0xffff) + (sum >> 16)));
}

PacketPtr make_icmp_error(rte_mempool* pool, rte_mbuf* original, const IpHeader& ip, IcmpReason reason,
                          std::uint16_t mtu, const conf::IpAddress& source) {
  if (source.family != ip.family || !may_be_reported(original, ip, reason)) return nullptr;
  PacketPtr m(rte_pktmbuf_alloc(pool));
  if (!m) return m;
  const bool v4 = ip.family == conf::Family::v4;
  const std::uint16_t header = v4 ? kIpv4Header : kIpv6Header, most = v4 ? kErrorOctets : kLeastIpv6Mtu;
  const auto quote =
      static_cast<std::uint16_t>(std::min<std::uint32_t>(rte_pktmbuf_data_len(original), most - header - kIcmpHeader));
  const auto payload = static_cast<std::uint16_t>(kIcmpHeader + quote);
  auto* bytes =
      reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(m.get(), static_cast<std::uint16_t>(header + payload)));
  if (bytes == nullptr) return nullptr;
  std::memset(bytes, 0, header + kIcmpHeader);
  put_header(bytes, source, ip.source, payload);
  std::uint8_t* icmp = bytes + header;
  const TypeCode about = type_of(reason, ip.family);
  icmp[0] = about.type;
  icmp[1] = about.code;
  if (reason == IcmpReason::too_big) put_be16(icmp + 6, mtu);
  std::memcpy(icmp + kIcmpHeader, rte_pktmbuf_mtod(original, const void*), quote);
  const auto made = read_ip(m.get(), 0);
  const std::uint16_t sum = upper_checksum(*made, icmp, payload, ip.icmp_protocol());
  std::memcpy(icmp + 2, &sum, sizeof sum);
  return m;
}

std::optional<QuotedPacket> read_icmp_error(rte_mbuf* m, const IpHeader& ip) {
  const auto* icmp = at<std::uint8_t>(m, ip.upper);
  if (!is_icmp_error(icmp[0], ip.family)) return std::nullopt;
  const auto quote = static_cast<std::uint16_t>(ip.upper + kIcmpHeader);
  const auto inner = read_ip(m, quote);
  const std::uint32_t length = rte_pktmbuf_data_len(m);
  if (!inner || inner->family != ip.family || inner->later_fragment || length < std::uint32_t{quote} + inner->upper + 8)
    return std::nullopt;
  const auto* upper = at<std::uint8_t>(m, static_cast<std::uint16_t>(quote + inner->upper));
  QuotedPacket out;
  out.source = inner->source_address();
  out.error.from = ip.source_address();
  out.error.quoted_remote.address = inner->destination_address();
  out.error.type = icmp[0];
  out.error.code = icmp[1];
  if (ip.family == conf::Family::v4 && icmp[0] == kUnreachable4 && icmp[1] == kFragmentationNeeded4)
    out.error.mtu = be16(icmp + 6);
  if (ip.family == conf::Family::v6 && icmp[0] == kTooBig6)
    out.error.mtu = static_cast<std::uint16_t>(std::min<std::uint32_t>(be32(icmp + 4), UINT16_MAX));
  out.ip_id = static_cast<std::uint16_t>(ip.family == conf::Family::v4 ? be16(at<std::uint8_t>(m, quote) + 4) : 0);
  out.dont_fragment = inner->dont_fragment;
  if (inner->protocol == kProtocolEsp) {
    out.error.spi = be32(upper);
    out.sequence = be32(upper + 4);
    return out;
  }
  if (inner->protocol != kProtocolUdp) return std::nullopt;
  const std::uint16_t source_port = be16(upper);
  if (source_port != kPortIke && source_port != kPortNatt) return std::nullopt;
  out.error.quoted_remote.port = be16(upper + 2);
  if (source_port != kPortNatt) return out;
  out.udp_encapsulated = true;
  out.udp_length = be16(upper + 4);
  if (length >= std::uint32_t{quote} + inner->upper + kUdpHeader + 8 && be32(upper + kUdpHeader) != 0) {
    out.error.spi = be32(upper + kUdpHeader);  // zero is the non-ESP marker: an IKE message
    out.sequence = be32(upper + kUdpHeader + 4);
  }
  return out;
}

}  // namespace causeway::dataplane

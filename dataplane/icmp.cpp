#include "dataplane/icmp.h"

#include <algorithm>

#include "dataplane/headers.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint16_t kIcmpHeader = 8;
constexpr std::uint16_t kErrorOctets = 576;  // RFC 1812 4.3.2.3: as much of the original as fits in 576

bool is_error(std::uint8_t type) {
  return type == kIcmpUnreachable || type == 4 || type == 5 || type == kIcmpTimeExceeded || type == kIcmpParameter;
}

bool may_be_reported(rte_mbuf* m) {
  const auto& ip = *at<rte_ipv4_hdr>(m, 0);
  if (fragment_octets(ip) != 0) return false;
  const std::uint8_t* destination = destination_octets(ip);
  const std::uint8_t* source = source_octets(ip);
  if (destination[0] >= 224 || source[0] >= 224 || source[0] == 0 || source[0] == 127) return false;
  if (ip.next_proto_id == kProtocolIcmp) {
    const std::uint16_t header = header_octets(ip);
    if (rte_pktmbuf_data_len(m) <= header || is_error(*at<std::uint8_t>(m, header))) return false;
  }
  return true;
}

}  // namespace

bool icmp_holds(rte_mbuf* m) {
  const auto& ip = *at<rte_ipv4_hdr>(m, 0);
  const std::uint16_t header = header_octets(ip);
  const std::uint32_t length = rte_pktmbuf_pkt_len(m);
  if (length < std::uint32_t{header} + kIcmpHeader || rte_pktmbuf_data_len(m) < header + kIcmpHeader) return false;
  std::uint16_t sum = 0;
  return rte_raw_cksum_mbuf(m, header, length - header, &sum) == 0 && sum == 0xffff;
}

void make_echo_reply(rte_mbuf* m) {
  auto& ip = *at<rte_ipv4_hdr>(m, 0);
  const std::uint32_t asker = ip.src_addr;
  ip.src_addr = ip.dst_addr;
  ip.dst_addr = asker;
  ip.time_to_live = 64;
  ip.fragment_offset = 0;
  ip.packet_id = 0;
  set_checksum(ip);
  auto* icmp = at<std::uint8_t>(m, header_octets(ip));
  icmp[0] = kIcmpEchoReply;
  // RFC 1624: the type went from 8 to 0, so the sum falls by 0x0800 and its complement rises.
  std::uint32_t sum = be16(icmp + 2) + 0x0800U;
  sum = (sum & 0xffff) + (sum >> 16);
  put_be16(icmp + 2, static_cast<std::uint16_t>(sum));
}

PacketPtr make_icmp_error(rte_mempool* pool, rte_mbuf* original, std::uint8_t type, std::uint8_t code,
                          std::uint16_t mtu, std::uint32_t source) {
  if (!may_be_reported(original)) return nullptr;
  PacketPtr m(rte_pktmbuf_alloc(pool));
  if (!m) return m;
  const auto& quoted = *at<rte_ipv4_hdr>(original, 0);
  const std::uint16_t quote = static_cast<std::uint16_t>(
      std::min<std::uint32_t>(rte_pktmbuf_data_len(original), kErrorOctets - kIpv4Header - kIcmpHeader));
  const std::uint16_t total = static_cast<std::uint16_t>(kIpv4Header + kIcmpHeader + quote);
  auto* bytes = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(m.get(), total));
  if (bytes == nullptr) return nullptr;
  std::memset(bytes, 0, kIpv4Header + kIcmpHeader);
  auto& ip = *at<rte_ipv4_hdr>(m.get(), 0);
  ip.version_ihl = RTE_IPV4_VHL_DEF;
  ip.type_of_service = 0xc0;  // RFC 1812 4.3.2.5: precedence internetwork control
  ip.total_length = rte_cpu_to_be_16(total);
  ip.time_to_live = 64;
  ip.next_proto_id = kProtocolIcmp;
  ip.src_addr = source;
  ip.dst_addr = quoted.src_addr;
  set_checksum(ip);
  std::uint8_t* icmp = bytes + kIpv4Header;
  icmp[0] = type;
  icmp[1] = code;
  if (type == kIcmpUnreachable && code == kCodeFragmentationNeeded) put_be16(icmp + 6, mtu);
  std::memcpy(icmp + kIcmpHeader, rte_pktmbuf_mtod(original, const void*), quote);
  const std::uint16_t sum = static_cast<std::uint16_t>(~rte_raw_cksum(icmp, kIcmpHeader + std::size_t{quote}));
  std::memcpy(icmp + 2, &sum, sizeof sum);
  return m;
}

std::optional<QuotedPacket> read_icmp_error(rte_mbuf* m) {
  const auto& ip = *at<rte_ipv4_hdr>(m, 0);
  const std::uint16_t header = header_octets(ip);
  const std::uint32_t length = rte_pktmbuf_data_len(m);
  const std::uint16_t quote = static_cast<std::uint16_t>(header + kIcmpHeader);
  if (length < std::uint32_t{quote} + kIpv4Header) return std::nullopt;
  const auto* icmp = at<std::uint8_t>(m, header);
  if (!is_error(icmp[0])) return std::nullopt;
  const auto& inner = *at<rte_ipv4_hdr>(m, quote);
  const std::uint16_t inner_header = header_octets(inner);
  if (inner.version_ihl >> 4 != 4 || inner_header < kIpv4Header || length < std::uint32_t{quote} + inner_header + 8 ||
      fragment_octets(inner) != 0)
    return std::nullopt;
  const auto* transport = at<std::uint8_t>(m, static_cast<std::uint16_t>(quote + inner_header));
  QuotedPacket out;
  out.quoted_source = inner.src_addr;
  out.error.from = address_v4(ip.src_addr);
  out.error.quoted_remote.address = address_v4(inner.dst_addr);
  out.error.type = icmp[0];
  out.error.code = icmp[1];
  if (icmp[0] == kIcmpUnreachable && icmp[1] == kCodeFragmentationNeeded) out.error.mtu = be16(icmp + 6);
  if (inner.next_proto_id == kProtocolEsp) {
    out.error.spi = be32(transport);
    return out;
  }
  if (inner.next_proto_id != kProtocolUdp) return std::nullopt;
  const std::uint16_t source_port = be16(transport);
  if (source_port != kPortIke && source_port != kPortNatt) return std::nullopt;
  out.error.quoted_remote.port = be16(transport + 2);
  if (source_port == kPortNatt && length >= std::uint32_t{quote} + inner_header + kUdpHeader + 4)
    out.error.spi = be32(transport + kUdpHeader);  // zero is the non-ESP marker: an IKE message
  return out;
}

}  // namespace causeway::dataplane

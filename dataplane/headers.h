// Small helpers over DPDK's packet headers, IPv4 and IPv6 alike. Everything here trusts that its caller
// has checked that the octets are there and contiguous.
#pragma once

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_udp.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "conf/address.h"

namespace causeway::dataplane {

inline constexpr std::uint8_t kProtocolIcmp = 1, kProtocolIpv4 = 4, kProtocolTcp = 6, kProtocolUdp = 17, kProtocolEsp = 50;
inline constexpr std::uint16_t kPortIke = 500, kPortNatt = 4500;
inline constexpr std::uint16_t kEthernetHeader = sizeof(rte_ether_hdr);
inline constexpr std::uint16_t kIpv4Header = sizeof(rte_ipv4_hdr), kUdpHeader = sizeof(rte_udp_hdr);
inline constexpr std::uint16_t kEspHeader = 8;

template <typename Header>
Header* at(rte_mbuf* m, std::uint16_t offset) {
  return rte_pktmbuf_mtod_offset(m, Header*, offset);
}

inline std::uint16_t be16(const std::uint8_t* p) {
  std::uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return rte_be_to_cpu_16(v);
}
inline std::uint32_t be32(const std::uint8_t* p) {
  std::uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return rte_be_to_cpu_32(v);
}
inline void put_be16(std::uint8_t* p, std::uint16_t value) {
  const std::uint16_t v = rte_cpu_to_be_16(value);
  std::memcpy(p, &v, sizeof v);
}

inline std::uint16_t header_octets(const rte_ipv4_hdr& ip) {
  return static_cast<std::uint16_t>((ip.version_ihl & 15) * 4);
}
inline std::uint16_t fragment_octets(const rte_ipv4_hdr& ip) {  // where this fragment starts
  return static_cast<std::uint16_t>((rte_be_to_cpu_16(ip.fragment_offset) & RTE_IPV4_HDR_OFFSET_MASK) * 8);
}
inline bool more_fragments(const rte_ipv4_hdr& ip) {
  return (ip.fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG)) != 0;
}
inline bool dont_fragment(const rte_ipv4_hdr& ip) {
  return (ip.fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG)) != 0;
}
inline bool is_fragment(const rte_ipv4_hdr& ip) { return fragment_octets(ip) != 0 || more_fragments(ip); }

// RFC 791: the ones' complement sum over the header, options included, is all ones.
inline bool checksum_holds(const rte_ipv4_hdr& ip) { return rte_raw_cksum(&ip, header_octets(ip)) == 0xffff; }
// Of the outermost header of a frame as received: the device may have looked at it already.
inline bool checksum_holds(const rte_mbuf& m, const rte_ipv4_hdr& ip) {
  const std::uint64_t said = m.ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
  if (said == RTE_MBUF_F_RX_IP_CKSUM_GOOD) return true;
  return said != RTE_MBUF_F_RX_IP_CKSUM_BAD && checksum_holds(ip);
}
// The same for a header without options.
inline bool plain_checksum_holds(const std::uint8_t* ip) {
  std::uint64_t a, b;
  std::uint32_t c;
  std::memcpy(&a, ip, 8);
  std::memcpy(&b, ip + 8, 8);
  std::memcpy(&c, ip + 16, 4);
  std::uint64_t sum = (a & 0xffffffff) + (a >> 32) + (b & 0xffffffff) + (b >> 32) + c;
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16) == 0xffff;
}
inline void set_checksum(rte_ipv4_hdr& ip) {
  ip.hdr_checksum = 0;
  ip.hdr_checksum = static_cast<std::uint16_t>(~rte_raw_cksum(&ip, header_octets(ip)));
}

// Takes one from the TTL and mends the checksum (RFC 1624). The TTL must be above zero.
inline void decrement_ttl(rte_ipv4_hdr& ip) {
  --ip.time_to_live;
  std::uint32_t sum = ip.hdr_checksum + rte_cpu_to_be_16(0x0100);
  ip.hdr_checksum = static_cast<std::uint16_t>(sum + (sum >= 0xffff ? 1 : 0));
}

inline conf::IpAddress address_v4(std::uint32_t network_order) {
  conf::IpAddress a;
  std::memcpy(a.octets.data(), &network_order, 4);
  return a;
}
inline std::uint32_t network_order_v4(const conf::IpAddress& a) {
  std::uint32_t v;
  std::memcpy(&v, a.octets.data(), 4);
  return v;
}
inline const std::uint8_t* source_octets(const rte_ipv4_hdr& ip) {
  return reinterpret_cast<const std::uint8_t*>(&ip) + offsetof(rte_ipv4_hdr, src_addr);
}
inline const std::uint8_t* destination_octets(const rte_ipv4_hdr& ip) {
  return reinterpret_cast<const std::uint8_t*>(&ip) + offsetof(rte_ipv4_hdr, dst_addr);
}

}  // namespace causeway::dataplane

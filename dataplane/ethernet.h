// The Ethernet header of frames, with an 802.1Q tag or without.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/headers.h"
#include "dataplane/tables.h"

namespace causeway::dataplane {

inline constexpr std::uint16_t kVlanTag = 4;

struct EthernetHeader {
  std::uint16_t type = 0;    // host order, behind any tag
  std::uint16_t vlan = 0;    // 0: none, or a priority tag
  std::uint16_t octets = 0;  // 0: the frame is too short
};

// Reads the header; the tag may also be in the mbuf, where a device took it off.
inline EthernetHeader read_ethernet(const rte_mbuf* frame) {
  const std::uint32_t length = rte_pktmbuf_data_len(frame);
  if (length < kEthernetHeader) return {};
  const auto* at = rte_pktmbuf_mtod(frame, const std::uint8_t*);
  EthernetHeader out{be16(at + 12), 0, kEthernetHeader};
  if ((frame->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) {
    out.vlan = frame->vlan_tci & 0xfff;
  } else if (out.type == RTE_ETHER_TYPE_VLAN) {
    if (length < kEthernetHeader + kVlanTag) return {};
    out = {be16(at + 16), static_cast<std::uint16_t>(be16(at + 14) & 0xfff), kEthernetHeader + kVlanTag};
  }
  return out;
}

// Writes a header of 14 or, with a tag, 18 octets; says which.
inline std::uint16_t write_ethernet(std::uint8_t* at, const Mac& to, const Mac& from, std::uint16_t vlan,
                                    std::uint16_t type) {
  std::memcpy(at, to.data(), 6);
  std::memcpy(at + 6, from.data(), 6);
  if (vlan == 0) {
    put_be16(at + 12, type);
    return kEthernetHeader;
  }
  put_be16(at + 12, RTE_ETHER_TYPE_VLAN);
  put_be16(at + 14, vlan);
  put_be16(at + 16, type);
  return kEthernetHeader + kVlanTag;
}

// Puts a header in front; false where there is no room.
inline bool put_ethernet(rte_mbuf* m, const Mac& to, const Mac& from, std::uint16_t vlan, std::uint16_t type) {
  const std::uint16_t octets = vlan == 0 ? kEthernetHeader : kEthernetHeader + kVlanTag;
  auto* at = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_prepend(m, octets));
  if (at == nullptr) return false;
  write_ethernet(at, to, from, vlan, type);
  return true;
}

// The type of what starts with an IP header.
inline std::uint16_t ether_type(const rte_mbuf* packet) {
  return *rte_pktmbuf_mtod(packet, const std::uint8_t*) >> 4 == 4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6;
}

}  // namespace causeway::dataplane

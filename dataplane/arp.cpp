#include "dataplane/arp.h"

#include <rte_arp.h>

#include "dataplane/headers.h"

namespace causeway::dataplane {

std::optional<ArpMessage> parse_arp(rte_mbuf* m) {
  if (rte_pktmbuf_data_len(m) < sizeof(rte_arp_hdr)) return std::nullopt;
  const auto& arp = *at<rte_arp_hdr>(m, 0);
  if (rte_be_to_cpu_16(arp.arp_hardware) != RTE_ARP_HRD_ETHER ||
      rte_be_to_cpu_16(arp.arp_protocol) != RTE_ETHER_TYPE_IPV4 || arp.arp_hlen != RTE_ETHER_ADDR_LEN ||
      arp.arp_plen != 4)
    return std::nullopt;
  const std::uint16_t opcode = rte_be_to_cpu_16(arp.arp_opcode);
  if (opcode != RTE_ARP_OP_REQUEST && opcode != RTE_ARP_OP_REPLY) return std::nullopt;
  ArpMessage out;
  out.request = opcode == RTE_ARP_OP_REQUEST;
  std::memcpy(out.sender_mac.data(), arp.arp_data.arp_sha.addr_bytes, 6);
  std::memcpy(out.target_mac.data(), arp.arp_data.arp_tha.addr_bytes, 6);
  out.sender = address_v4(arp.arp_data.arp_sip);
  out.target = address_v4(arp.arp_data.arp_tip);
  return out;
}

PacketPtr make_arp(rte_mempool* pool, const ArpMessage& message) {
  constexpr std::uint16_t kPayload = 46;  // the least an Ethernet frame carries
  PacketPtr m(rte_pktmbuf_alloc(pool));
  if (!m) return m;
  char* bytes = rte_pktmbuf_append(m.get(), kPayload);
  if (bytes == nullptr) return nullptr;
  std::memset(bytes, 0, kPayload);
  auto& arp = *at<rte_arp_hdr>(m.get(), 0);
  arp.arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER);
  arp.arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
  arp.arp_hlen = RTE_ETHER_ADDR_LEN;
  arp.arp_plen = 4;
  arp.arp_opcode = rte_cpu_to_be_16(message.request ? RTE_ARP_OP_REQUEST : RTE_ARP_OP_REPLY);
  std::memcpy(arp.arp_data.arp_sha.addr_bytes, message.sender_mac.data(), 6);
  std::memcpy(arp.arp_data.arp_tha.addr_bytes, message.target_mac.data(), 6);
  arp.arp_data.arp_sip = network_order_v4(message.sender);
  arp.arp_data.arp_tip = network_order_v4(message.target);
  return m;
}

}  // namespace causeway::dataplane

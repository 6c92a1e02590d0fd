#include "dataplane/port_choice.h"

#include <rte_ether.h>

#include <algorithm>
#include <array>
#include <utility>

namespace causeway::dataplane {
namespace {

// Behind the MTU, of a frame with two tags.
constexpr std::uint32_t kFrameAroundMtu = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + 2 * sizeof(rte_vlan_hdr);

void choose_queues(const rte_eth_dev_info& device, const PortWishes& wishes, PortChoice& out) {
  const std::string workers = std::to_string(wishes.workers);
  out.rx_queues = std::clamp<std::uint16_t>(device.max_rx_queues, 1, wishes.workers);
  out.tx_queues = std::clamp<std::uint16_t>(device.max_tx_queues, 1, wishes.workers);
  if (out.rx_queues < wishes.workers)
    out.fallbacks.push_back("receive queues: " + std::to_string(out.rx_queues) + " for " + workers +
                            " workers; the others get their packets by hand-over rings");
  if (out.tx_queues < wishes.workers)
    out.fallbacks.push_back("transmit queues: " + std::to_string(out.tx_queues) + " for " + workers +
                            " workers; the others send by the queue's owner");
}

// Flows are dealt to queues by a hash over what the device offers. ESP has no ports: without a hash over its SPI all
// packets between two gateways meet in one queue, and go to their SAs' owners by ring or by a rule (steering.h).
void choose_rss(const rte_eth_dev_info& device, PortChoice& out) {
  out.steering = "one queue";
  if (out.rx_queues == 1) return;
  constexpr std::uint64_t kIp = RTE_ETH_RSS_IP, kUdp = RTE_ETH_RSS_UDP, kTcp = RTE_ETH_RSS_TCP, kEsp = RTE_ETH_RSS_ESP;
  const std::uint64_t hash = device.flow_type_rss_offloads & (kIp | kUdp | kTcp | kEsp);
  out.steering = "by the device's own choice";
  if (hash == 0) {
    out.fallbacks.emplace_back("receive side scaling: none (the device offers no hash over IP)");
    return;
  }
  out.conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
  out.conf.rx_adv_conf.rss_conf.rss_hf = hash;
  out.steering = "rss on";
  for (const auto& [bits, name] :
       {std::pair{kIp, " ip"}, std::pair{kUdp, " udp"}, std::pair{kTcp, " tcp"}, std::pair{kEsp, " esp"}})
    if ((hash & bits) != 0) out.steering += name;
  if ((hash & kEsp) == 0)
    out.fallbacks.emplace_back(
        "receive side scaling on ESP: not offered; ESP reaches its worker by hand-over rings, or by a rule where its "
        "rate is high");
}

void choose_offloads(const rte_eth_dev_info& device, const PortWishes& wishes, PortChoice& out) {
  const auto can_receive = [&](std::uint64_t what) { return (device.rx_offload_capa & what) == what; };
  const auto can_send = [&](std::uint64_t what) { return (device.tx_offload_capa & what) == what; };
  if (can_receive(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM)) {
    out.conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
  } else {
    out.fallbacks.emplace_back("receive checksum: in software (the device has no offload)");
  }
  if (wishes.tagged) out.fallbacks.emplace_back("VLAN tags: read and written in software");
  // Chains only where a frame may not fit one buffer: they cost every burst of many drivers.
  if (wishes.mtu + kFrameAroundMtu <= wishes.room) return;
  if (!can_receive(RTE_ETH_RX_OFFLOAD_SCATTER)) {
    out.fallbacks.push_back("scatter: not offered; frames above " + std::to_string(wishes.room) +
                            " octets are not received");
    return;
  }
  out.conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
  out.sends_chains = can_send(RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
  if (out.sends_chains) {
    out.conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  } else {
    out.fallbacks.emplace_back("multi-segment transmit: not offered; chains are copied into one buffer");
  }
}

}  // namespace

PortChoice choose(const rte_eth_dev_info& device, const PortWishes& wishes) {
  PortChoice out;
  out.conf.rxmode.mtu = RTE_ETHER_MTU;
  choose_queues(device, wishes, out);
  choose_rss(device, out);
  choose_offloads(device, wishes, out);
  // An event beats asking: on a real box links fail between two looks.
  if (device.dev_flags != nullptr && (*device.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0) {
    out.conf.intr_conf.lsc = 1;
  } else {
    out.fallbacks.emplace_back("link state: asked for five times a second (the device sends no event)");
  }
  return out;
}

}  // namespace causeway::dataplane

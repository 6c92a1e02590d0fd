#include "dataplane/pool_plan.h"

#include <rte_mbuf.h>

#include <algorithm>

#include "dataplane/flow_cache.h"
#include "dataplane/mailbox.h"
#include "dataplane/neighbor.h"
#include "dataplane/packet.h"
#include "dataplane/reassembly.h"
#include "dataplane/spi.h"

namespace causeway::dataplane {
namespace {

// What any buffer holds beside the packet's own MTU: Ethernet with a VLAN tag, and behind it the most
// that ESP adds (outer IPv6, UDP, ESP, IV, padding, ICV; the front part goes into the headroom).
constexpr std::uint32_t kRoomBeyondMtu = 192;
constexpr std::uint32_t kJumboBuffers = 255, kJumboRoom = 16'384;
constexpr std::uint32_t kDescriptors = 1024;
constexpr std::uint32_t kControlFrames = 1024;     // made by control and on their way through command rings
constexpr std::uint32_t kBurstsOfAWorker = 6;      // received, to decrypt, to encrypt, in clear, cut, to send
constexpr std::uint64_t kMempoolObject = 64 + 64;  // what rte_mempool puts around each, and its alignment
constexpr std::uint64_t kMib = 1024 * 1024;
constexpr std::uint64_t kForSas = 64 * kMib;

std::uint64_t pool_octets(std::uint32_t buffers, std::uint32_t room) {
  const std::uint64_t one = sizeof(rte_mbuf) + RTE_CACHE_LINE_ROUNDUP(sizeof(PacketMeta)) + RTE_PKTMBUF_HEADROOM + room;
  return buffers * (one + kMempoolObject);
}

std::uint32_t workers_of(const Setup& setup) {
  return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(setup.cores.size()));
}

std::string mib_text(std::uint64_t octets) { return std::to_string((octets + kMib - 1) / kMib) + " MiB"; }

}  // namespace

PoolPlan plan_pools(const PoolNeeds& needs) {
  const std::uint32_t workers = needs.workers;
  PoolPlan plan{
      .buffers = 0, .room = RTE_MBUF_DEFAULT_DATAROOM, .jumbo_buffers = kJumboBuffers, .jumbo_room = kJumboRoom};
  for (const PoolNeeds::Device& device : needs.devices) {
    plan.buffers += device.rx_descriptors + device.tx_descriptors + workers * kMaxBurst;  // its transmit buffers
    plan.room = std::max({plan.room, device.mtu + kRoomBeyondMtu, device.frame_octets});
  }
  plan.buffers += workers * (kBurstsOfAWorker * kMaxBurst + Reassembly::kHeld);
  plan.buffers += workers * (workers - 1) * static_cast<std::uint32_t>(kHandOverRing + kMaxBurst);
  plan.buffers += workers * static_cast<std::uint32_t>(kPuntClasses * kPuntRing);
  plan.buffers += static_cast<std::uint32_t>(NeighborCache::Limits{}.held_in_all) + kControlFrames;
  plan.buffers += (workers + 1) * 2 * kPoolCache;  // a cache may hold half as much again before it gives back
  plan.octets = pool_octets(plan.buffers, plan.room) + pool_octets(plan.jumbo_buffers, plan.jumbo_room);
  return plan;
}

PoolPlan plan_pools(const Setup& setup) {
  PoolNeeds needs{.workers = workers_of(setup), .devices = {}};
  std::vector<std::string> seen;
  for (const PortSetup& port : setup.ports) {
    const auto known = std::find(seen.begin(), seen.end(), port.device);
    if (known != seen.end()) {  // a VLAN of a device that is counted
      auto& device = needs.devices[static_cast<std::size_t>(known - seen.begin())];
      device.mtu = std::max<std::uint32_t>(device.mtu, port.mtu);
      continue;
    }
    seen.push_back(port.device);
    needs.devices.push_back({.rx_descriptors = needs.workers * kDescriptors,
                             .tx_descriptors = needs.workers * kDescriptors,
                             .mtu = port.mtu,
                             .frame_octets = 0});
  }
  return plan_pools(needs);
}

std::uint32_t memory_mib(const Setup& setup) {
  const std::uint64_t tables = workers_of(setup) * ((kSpiSlots + kMaxChildSlots) * sizeof(void*) + FlowCache::kOctets);
  const std::uint64_t all = plan_pools(setup).octets + tables + kForSas;
  return static_cast<std::uint32_t>((all + all / 8) / kMib + 16);  // and what rings, drivers and fragmentation take
}

std::string memory_text(const Setup& setup) {
  const PoolPlan plan = plan_pools(setup);
  return "memory: " + std::to_string(memory_mib(setup)) + " MiB, of which " + mib_text(plan.octets) + " for " +
         std::to_string(plan.buffers) + " packet buffers of " + std::to_string(plan.room) + " octets";
}

std::string memory_complaint(const Setup& setup) {
  if (!setup.hugepages_mib || *setup.hugepages_mib == 0 || *setup.hugepages_mib >= memory_mib(setup)) return {};
  return "hugepages: " + std::to_string(*setup.hugepages_mib) + " MiB are less than the " +
         std::to_string(memory_mib(setup)) + " MiB that these workers and ports take";
}

}  // namespace causeway::dataplane

#include "test/bench/memory_port.h"

#include <rte_ethdev.h>

namespace causeway::bench {

// A worker that polls already may have read the null device's queue and calls our function with it: rte_eth_rx_burst
// reads the queue first. So ours are marked; the null device's begin with a pointer, which is no such number.
struct MemoryPorts::Queue {
  static constexpr std::uint64_t kOurs = 0xf00d'caf3'5eed'0001;
  std::uint64_t mark;  // first
  FarEnd* end;
  unsigned port;
  static std::uint16_t receive(void* queue, rte_mbuf** frames, std::uint16_t room) {
    const Queue& q = *static_cast<Queue*>(queue);
    return q.mark == kOurs ? q.end->receive(q.port, frames, room) : 0;
  }
  static std::uint16_t transmit(void* queue, rte_mbuf** frames, std::uint16_t count) {
    const Queue& q = *static_cast<Queue*>(queue);
    return q.mark == kOurs ? q.end->transmit(q.port, frames, count) : 0;
  }
};

// The null device's receive function without traffic does not look at its queue, so queues first, then the functions
// that do.
MemoryPorts::MemoryPorts(std::uint16_t wan_device, std::uint16_t lan_device, const std::vector<FarEnd*>& ends) {
  const std::uint16_t devices[] = {wan_device, lan_device};
  for (unsigned port = 0; port < 2; ++port) {
    struct rte_eth_fp_ops& ops = rte_eth_fp_ops[devices[port]];
    for (std::size_t q = 0; q < ends.size(); ++q) {
      queues_.push_back(std::make_unique<Queue>(Queue{Queue::kOurs, ends[(port + q) % ends.size()], port}));
      ops.txq.data[q] = queues_.back().get();
      ops.rxq.data[q] = queues_.back().get();
    }
    __atomic_store_n(&ops.tx_pkt_burst, &Queue::transmit, __ATOMIC_RELEASE);
    __atomic_store_n(&ops.rx_pkt_burst, &Queue::receive, __ATOMIC_RELEASE);
  }
}

MemoryPorts::~MemoryPorts() = default;

}  // namespace causeway::bench

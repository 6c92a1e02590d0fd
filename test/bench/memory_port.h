// Ports without wire or ring: a configured null device whose two burst functions are ours, so that what stands
// between the return of rx_burst and the call of tx_burst is the worker and nothing else.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace causeway::bench {

// The far end of the ports of one worker. Called on that worker's thread, as its devices.
class FarEnd {
 public:
  virtual ~FarEnd() = default;
  virtual std::uint16_t receive(unsigned port, rte_mbuf** frames, std::uint16_t room) = 0;  // port: 0 wan, 1 lan
  virtual std::uint16_t transmit(unsigned port, rte_mbuf** frames, std::uint16_t count) = 0;
};

// Puts `ends` (by worker) behind the two devices, whose queue q of port p belongs to worker (p + q) mod workers.
// Before anything was sent; workers may be polling already. The result has to live as long as they do.
class MemoryPorts {
 public:
  MemoryPorts(std::uint16_t wan_device, std::uint16_t lan_device, const std::vector<FarEnd*>& ends);
  ~MemoryPorts();
  static const char* wan() { return "net_null0,no-rx=1"; }
  static const char* lan() { return "net_null1,no-rx=1"; }

 private:
  struct Queue;
  std::vector<std::unique_ptr<Queue>> queues_;
};

}  // namespace causeway::bench

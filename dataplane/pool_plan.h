// How many packet buffers there must be so that nothing ever waits for one: the sum of every place that can hold a
// packet when all of them are full.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/dataplane.h"

namespace causeway::dataplane {

struct PoolNeeds {
  struct Device {
    std::uint32_t rx_descriptors = 1024, tx_descriptors = 1024;  // of all queues
    std::uint32_t mtu = 1500;
    std::uint32_t frame_octets = 0;  // where a buffer must hold more than the MTU asks for
  };
  std::uint32_t workers = 1;
  std::vector<Device> devices;
};

struct PoolPlan {
  std::uint32_t buffers = 0, room = 0;  // room: octets behind the headroom
  std::uint32_t jumbo_buffers = 0, jumbo_room = 0;
  std::uint64_t octets = 0;  // of memory, both pools
};

inline constexpr std::uint32_t kPoolCache = 256;  // of each worker and of control

PoolPlan plan_pools(const PoolNeeds& needs);

// Before any device is open: as many queues as workers, of the usual size.
PoolPlan plan_pools(const Setup& setup);
// Of everything the data path takes: pools, tables, and room for SAs.
std::uint32_t memory_mib(const Setup& setup);
// One line for operators, and nothing or why the configured hugepages are not enough.
std::string memory_text(const Setup& setup);
std::string memory_complaint(const Setup& setup);

}  // namespace causeway::dataplane

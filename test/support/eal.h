// DPDK for a test executable: one EAL per process, without hugepages, NICs, telemetry or files left
// behind, so that executables run side by side.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace causeway::test {

// Starts EAL on the first call; later calls do nothing. Ends the process with a message where EAL
// refuses, because no test can run then. Undone when the process exits.
// Two lcores (main 0 and worker 1, unpinned in effect: both may share a CPU); 256 MiB of memory.
// `vdevs`: like {"net_ring0"}; only the first call's count.
void start_eal(const std::vector<std::string>& vdevs = {});

struct PoolFree {
  void operator()(rte_mempool* pool) const;
};
using Pool = std::unique_ptr<rte_mempool, PoolFree>;

// Packet buffers with room for PacketMeta in the private area, 128 octets of headroom and at least
// `room` octets behind it. Not cached: rte_mempool_avail_count() is exact.
Pool packet_pool(unsigned count = 1023, std::uint16_t room = 2176);

}  // namespace causeway::test

// DPDK's environment: started once per process with arguments made from the configuration, on the
// calling thread, which becomes the main lcore. Workers are threads of our own that register with it,
// so their number and cores are ours to choose.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/dataplane.h"

namespace causeway::dataplane {

struct EalNeeds {
  std::optional<std::uint32_t> hugepages_mib;  // as configured: 0 without, unset what the system offers
  std::uint32_t memory_mib = 512;              // that pools and tables will take
  std::string file_prefix;
  std::vector<std::string> pci;  // devices to open; no others are touched
};
struct EalState {
  bool hugepages = false;
  int socket = -1;   // of memory for pools, tables and SAs (ordinary_heap.h); -1: any, or each worker's own
  std::string note;  // what the operator should know, e.g. that there are no hugepages
};

// Later calls in the same process find it running and keep its arguments.
tl::expected<EalState, StartError> start_eal(const EalNeeds& needs);

// The NUMA node of a core, -1 where there is none to tell (one node, or no particular core).
int numa_node(int core);

}  // namespace causeway::dataplane

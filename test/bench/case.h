// One measurement of causeway-bench, and what came of it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "crypto/algorithms.h"
#include "dataplane/sa_spec.h"
#include "dataplane/stage_clock.h"

namespace causeway::bench {

inline constexpr std::uint32_t kImix = 0;  // Case::size

struct Case {
  dataplane::Direction direction = dataplane::Direction::outbound;
  crypto::EspSuite suite;
  std::uint32_t size = 64;  // inner IP octets, or kImix
  std::uint32_t sas = 1;
  std::uint16_t burst = 32;
  bool udp = false;
  unsigned cores = 1;
  bool spread = false;  // one tunnel's packets on all cores
};

// Inner sizes of a case's packets, one after the other. IMIX: 7 x 64, 4 x 570, 1 x 1420 octets, mixed.
inline std::vector<std::uint32_t> sizes_of(const Case& c) {
  if (c.size != kImix) return {c.size};
  return {64, 570, 64, 64, 570, 64, 64, 1420, 64, 570, 64, 570};
}

// TSC cycles per packet.
struct Result {
  Case what;
  double cycles = 0, raw_cycles = 0;                // p10 of each
  double cycles_median = 0, raw_cycles_median = 0;
  double overhead_p10 = 0, overhead_median = 0;     // of the difference, pair by pair
  std::string raw_by;
  std::uint64_t batches = 0, left_out = 0;
  double mpps = 0, gbps = 0;                        // from the p10, over all cores; Gbit/s of inner IP packets
  std::array<double, dataplane::kStages> profile{};  // median; zero without --profile
};

struct Latency {  // of lone packets, microseconds
  Case what;
  std::uint64_t samples = 0, apart = 0;
  double p50 = 0, p90 = 0, p99 = 0, longest = 0, apart_ms = 0;
};

}  // namespace causeway::bench

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
  bool lend = false;    // one tunnel's decryption on all cores
  bool flow = false;    // frames without end, for Flow: the replay window is off, since they come again
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

// One tunnel inbound, its owner fed without end: packets a second by the clock on the wall, in windows.
struct Flow {
  Case what;
  double mpps = 0;          // of the window that a tenth of all exceed: the machine is away in others
  double mpps_overall = 0;  // of all windows together
  double feed = 0;          // share of the owner's time that went into making the frames
  double lent = 0;          // share of the packets that were decrypted on another core, about
};
// On one core, and lent to others, in turns; and what the library alone does on so many cores at once.
struct Lending {
  Flow one, lent;
  double raw_one = 0, raw_each = 0;  // cycles per packet on one core, and on each of them at once
};

struct Latency {  // of lone packets, microseconds
  Case what;
  std::uint64_t samples = 0, apart = 0;
  double p50 = 0, p90 = 0, p99 = 0, longest = 0, apart_ms = 0;
};

}  // namespace causeway::bench

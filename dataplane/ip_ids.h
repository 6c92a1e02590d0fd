// Identifications for IPv4 packets of ours that may be fragmented on the way (RFC 6864 4.2): unique for a
// while among all packets between two addresses, whichever SA and worker sends them. A worker counts in
// steps of the number of workers, so that no two give out the same one and none has to ask another; SAs
// between the same addresses share a counter.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace causeway::dataplane {

class IpIds {
 public:
  static constexpr std::size_t kSlots = 256;  // address pairs that fall into one share its counter, too

  IpIds(unsigned worker, unsigned workers) : step_(static_cast<std::uint16_t>(std::bit_ceil(workers))) {
    next_.fill(static_cast<std::uint16_t>(worker));
  }
  std::uint16_t next(std::uint8_t slot) {
    const std::uint16_t id = next_[slot];
    next_[slot] = static_cast<std::uint16_t>(id + step_);
    return id;
  }

 private:
  std::uint16_t step_;  // a power of two, so that the classes stay apart when the counters wrap
  std::array<std::uint16_t, kSlots> next_;
};

}  // namespace causeway::dataplane

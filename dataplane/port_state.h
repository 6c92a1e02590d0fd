// What control tells workers about a device while they run, and what the device's own events tell control.
#pragma once

#include <atomic>

namespace causeway::dataplane {

// Read by workers before each burst; written by control.
struct PortState {
  std::atomic<bool> attached{true};  // false: no worker may touch its queues (it is being reset)
  std::atomic<bool> link{true};      // false: what is sent is dropped under link_down
};
inline const PortState kAlwaysUp;

// Set by DPDK's interrupt thread, taken by control.
struct PortEvents {
  std::atomic<bool> link{false}, reset{false};
  std::atomic<int> wake_fd{-1};  // an eventfd of whoever is to look
};

}  // namespace causeway::dataplane

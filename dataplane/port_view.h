// A port of the configuration as workers see it, constant while they run: a device, or one 802.1Q VLAN of it.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/port_state.h"
#include "dataplane/tables.h"

namespace causeway::dataplane {

struct PortView {
  std::uint16_t id = 0;  // DPDK's number of the device
  Mac mac{};
  std::uint16_t vlan = 0;  // 0: untagged
  std::uint16_t mtu = 1500;
  bool trusted = false;
  std::optional<std::uint16_t> tx_queue;  // this worker's own, or
  std::uint16_t tx_owner = 0;             // the worker that sends for it
  bool chains = false;                    // takes packets of several buffers
  const PortState* state = &kAlwaysUp;
};

}  // namespace causeway::dataplane

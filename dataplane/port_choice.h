// What a device is asked for: our wishes intersected with what it says it can. Each wish it cannot meet has its own way
// round in the data path, and a sentence for `causewayctl show port`.
#pragma once

#include <rte_ethdev.h>

#include <cstdint>
#include <string>
#include <vector>

namespace causeway::dataplane {

struct PortWishes {
  std::uint16_t workers = 1;
  std::uint16_t mtu = 1500;   // the largest of its ports'
  std::uint32_t room = 2048;  // of one receive buffer, behind the headroom
  bool tagged = false;        // some of its ports are VLANs
};

struct PortChoice {
  rte_eth_conf conf{};
  std::uint16_t rx_queues = 1, tx_queues = 1;
  bool sends_chains = false;  // multi-segment packets go out as they are
  std::string steering;       // how packets are dealt to the receive queues
  std::vector<std::string> fallbacks;
};

PortChoice choose(const rte_eth_dev_info& device, const PortWishes& wishes);

}  // namespace causeway::dataplane

// What a received frame is, and all the checks of its outer headers: the first stage of a worker.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <optional>

#include "dataplane/headers.h"
#include "dataplane/packet.h"
#include "dataplane/tables.h"

namespace causeway::dataplane {

// A port as workers see it: constant while they run.
struct PortView {
  std::uint16_t id = 0;  // DPDK's
  Mac mac{};
  std::uint16_t mtu = 1500;
  bool trusted = false;
  std::optional<std::uint16_t> tx_queue;  // this worker's own, or
  std::uint16_t tx_owner = 0;             // the worker that sends for it
};

enum class Verdict : std::uint8_t {
  drop,       // meta.drop says why
  esp,        // ESP for an own address: meta.spi, esp_offset, outer_source_port are set
  clear,      // an IP packet to be forwarded, if policy lets it
  local,      // ICMP for an own address
  fragment,   // a fragment for an own address, to be put together first
  ike,        // an IKE datagram for an own address; meta.esp_offset is where its message starts
  arp,        // for the control thread
  keepalive,  // RFC 3948 2.3: nothing to do
};

// Looks at a whole Ethernet frame. Sets meta.l3_offset and what the verdict promises, and cuts Ethernet
// padding off. A packet with other than `drop` has a header chain that is complete, contiguous and checked.
Verdict classify(rte_mbuf* frame, const PortView& port, std::uint16_t port_index, const RouteTable& routes);

// The same from the IP header on, for a datagram put together from fragments.
Verdict classify_ip(rte_mbuf* m, const PortView& port, std::uint16_t port_index, const RouteTable& routes);

// What selectors look at, from the IP header at `offset`. The addresses point into the packet.
Flow flow_of(rte_mbuf* m, std::uint16_t offset);

}  // namespace causeway::dataplane

// What a received frame is, and all the checks of its outer headers: the first stage of a worker.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/ethernet.h"
#include "dataplane/ip_header.h"
#include "dataplane/packet.h"
#include "dataplane/port_view.h"
#include "dataplane/tables.h"

namespace causeway::dataplane {

enum class Verdict : std::uint8_t {
  drop,       // meta.drop says why
  esp,        // ESP for an own address: meta.spi, esp_offset, outer_source_port are set
  clear,      // an IP packet to be forwarded, if policy lets it
  local,      // for an own address: ICMP, or (where the port shares with the kernel) what is neither ESP nor IKE
  fragment,   // a fragment for an own address, to be put together first
  ike,        // an IKE datagram for an own address; meta.esp_offset is where its message starts
  neighbor,   // ARP or neighbor discovery, for the control thread
  keepalive,  // RFC 3948 2.3: nothing to do
};

// Looks at a whole Ethernet frame, which belongs to the port of meta.in_port. Sets meta.l3_offset and what
// the verdict promises, and cuts Ethernet padding off. A packet with a verdict other than `drop` and
// `neighbor` has a header chain that is complete, contiguous and checked.
Verdict classify(rte_mbuf* frame, const EthernetHeader& ethernet, const PortView& port, const RouteTable& routes);

// The same from the IP header at meta.l3_offset on, for a datagram put together from fragments.
Verdict classify_ip(rte_mbuf* m, const PortView& port, const RouteTable& routes);

}  // namespace causeway::dataplane

// ARP over Ethernet for IPv4 (RFC 826): read and write. The control thread answers and asks.
#pragma once

#include <rte_mbuf.h>

#include <optional>

#include "conf/address.h"
#include "dataplane/packet_ptr.h"
#include "dataplane/tables.h"

namespace causeway::dataplane {

struct ArpMessage {
  bool request = true;
  Mac sender_mac{}, target_mac{};
  conf::IpAddress sender, target;
};

// From behind the Ethernet header; nothing where it is not a well-formed request or reply for IPv4 over Ethernet.
std::optional<ArpMessage> parse_arp(rte_mbuf* m);

// What goes behind an Ethernet header, with its padding; empty where the pool is.
PacketPtr make_arp(rte_mempool* pool, const ArpMessage& message);

inline constexpr Mac kBroadcastMac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

}  // namespace causeway::dataplane

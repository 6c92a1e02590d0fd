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

// From a whole frame; nothing where it is not a well-formed IPv4-over-Ethernet request or reply.
std::optional<ArpMessage> parse_arp(rte_mbuf* frame);

// A whole frame to `destination`; empty where the pool is.
PacketPtr make_arp(rte_mempool* pool, const Mac& destination, const ArpMessage& message);

inline constexpr Mac kBroadcastMac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

}  // namespace causeway::dataplane

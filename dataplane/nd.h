// Neighbor discovery (RFC 4861): the two messages that take ARP's place for IPv6. The control thread
// answers and asks. Router and redirect messages are not for a gateway with static routes: ignored.
#pragma once

#include <rte_mbuf.h>

#include <optional>

#include "conf/address.h"
#include "dataplane/packet_ptr.h"
#include "dataplane/tables.h"

namespace causeway::dataplane {

struct NdMessage {
  bool solicitation = true;     // else an advertisement
  bool solicited = false;       // of an advertisement: it answers a question
  bool override_known = false;  // of an advertisement: its address wins over a known one
  conf::IpAddress source, destination, target;
  std::optional<Mac> link_address;  // of the source (solicitation) or target (advertisement)
};

// From a frame with an IPv6 header at meta.l3_offset; nothing where it is not well-formed: hop limit 255,
// checksum, options (RFC 4861 7.1).
std::optional<NdMessage> parse_nd(rte_mbuf* frame);

// An IPv6 packet (from its header on); empty where the pool is. Its link address is `own`.
PacketPtr make_nd(rte_mempool* pool, const Mac& own, const NdMessage& message);

conf::IpAddress solicited_node(const conf::IpAddress& target);  // RFC 4291 2.7.1
conf::IpAddress all_nodes();
conf::IpAddress link_local(const Mac& mac);           // RFC 4291 appendix A
Mac multicast_mac(const conf::IpAddress& multicast);  // RFC 2464 7

}  // namespace causeway::dataplane

// Vendor ID payloads: how IKEv1 peers say what they can do beyond RFC 2409. Only those of features in use are sent.
#pragma once

#include <cstdint>
#include <span>

#include "control/ike/bytes.h"
#include "control/ike/message.h"

namespace causeway::ikev1 {

enum class NatTraversal : std::uint8_t { none, draft_02, draft_03, rfc3947 };

struct PeerVendors {
  NatTraversal nat_traversal = NatTraversal::none;  // the newest that the peer named
  bool dpd = false;
  bool fragmentation = false;
  bool xauth = false;
  bool unity = false;  // a Cisco

  void read(std::span<const ike::Bytes> vendors);
};

void add_vendors(ike::PayloadChain& chain, bool fragmentation);
// A responder answers with the one form of NAT traversal that both know, and with what the peer showed.
void add_vendors_for(ike::PayloadChain& chain, const PeerVendors& peer, bool fragmentation);

}  // namespace causeway::ikev1

// What main mode and aggressive mode share (RFC 2409 5): offers, NAT detection, keys, proofs, the moment of
// being established.
#pragma once

#include <optional>
#include <span>
#include <tl/expected.hpp>

#include "control/ikev1/session.h"

namespace causeway::ikev1 {

// Our offer of phase 1; remembers it as the initiator's SA payload. `group` other than none: that group alone, as
// aggressive mode's one key exchange value asks for.
ike::Bytes offer_phase1(Session& s, crypto::KeyExchange group);
// The peer's answer to it, one transform of ours; false where it cannot be used (kept as evidence).
bool take_phase1_answer(Session& s, const Inbound& in, Step& step);

void add_nat_detection(Session& s, ike::PayloadChain& chain);
void detect_nat(Session& s, const Inbound& in);
// Initiator: both ports become 4500 where a NAT was found (RFC 3947 4).
void float_port(Session& s);

// SKEYID and all that follows, the first IV. By `psk` or, for signatures, without one.
void derive_keys(Session& s);

// Sends a message of phase 1 and remembers it; `timer`: repeats it until it is answered.
void send_phase1(Session& s, ike::Exchange exchange, const ike::PayloadChain& chain, bool encrypted, bool timer,
                 const Inbound* answers, Step& step);
// In a protected message (RFC 2407 4.6.3.3), where we hold no other SA with this peer.
void add_initial_contact(const Session& s, ike::PayloadChain& chain);
void established(Session& s, bool peer_initial_contact, Step& step);

// --- responder ---------------------------------------------------------------------------------------

// Who of the candidates this can be, by mode, method and proposals; and the transform.
struct Selected {
  std::vector<Peer> peers;
  ike::Choice choice;
  Transform taken;
};
tl::expected<Selected, ike::Reason> select_phase1(const ike::Datagram& request, bool aggressive,
                                                  std::span<const std::shared_ptr<const ike::PeerSettings>> candidates,
                                                  std::span<const Transform> offered);

}  // namespace causeway::ikev1

// The two ways an IKEv2 SA begins. All else happens behind ike::IkeSa.
#pragma once

#include <memory>
#include <span>

#include "control/ike/ike_sa.h"

namespace causeway::ikev2 {

// We speak first, to the peer's `remote`. Nothing is sent before start(). nullptr where the settings cannot be
// used (no remote address, or a proposal or identity that does not parse, which the loader refuses earlier).
// `first_contact`: we hold no other IKE SA with this peer, and say so (INITIAL_CONTACT, RFC 7296 2.4).
std::unique_ptr<ike::IkeSa> make_initiator(std::shared_ptr<const ike::PeerSettings> peer, ike::Environment& env,
                                           bool first_contact = true);

// A first IKE_SA_INIT request from an address that `candidates` allow (never empty). Effects hold the
// reply, or a refusal. nullptr where no state is kept (refused, malformed, cookie asked for); an IkeClosed among
// the effects then holds the reason why the candidates refused it.
// Which candidate it is gets known by the identities in IKE_AUTH.
std::unique_ptr<ike::IkeSa> accept(const ike::Datagram& request,
                                   std::span<const std::shared_ptr<const ike::PeerSettings>> candidates,
                                   ike::Environment& env, ike::Time now, ike::Effects& out);

}  // namespace causeway::ikev2

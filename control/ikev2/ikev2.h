// The two ways an IKEv2 SA begins. All else happens behind ike::IkeSa.
#pragma once

#include <memory>
#include <span>

#include "control/ike/ike_sa.h"

namespace causeway::ikev2 {

// We speak first. Nothing is sent before start().
std::unique_ptr<ike::IkeSa> make_initiator(std::shared_ptr<const ike::PeerSettings> peer, ike::Environment& env);

// A first IKE_SA_INIT request from an address that `candidates` allow (never empty). Effects hold the
// reply, or a refusal. nullptr where no state is kept (refused, malformed, cookie asked for).
// Which candidate it is gets known by the identities in IKE_AUTH.
std::unique_ptr<ike::IkeSa> accept(const ike::Datagram& request,
                                   std::span<const std::shared_ptr<const ike::PeerSettings>> candidates,
                                   ike::Environment& env, ike::Time now, ike::Effects& out);

}  // namespace causeway::ikev2

// The two ways an IKEv1 phase 1 begins. All else happens behind ike::IkeSa.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "control/ike/ike_sa.h"
#include "control/ike/proposal.h"

namespace causeway::ikev1 {

// We speak first, to the peer's `remote`, in the configured mode. Nothing is sent before start(). nullptr where the
// settings cannot be used. `first_contact`: we hold no other IKE SA with this peer (INITIAL-CONTACT, RFC 2407 4.6.3.3).
std::unique_ptr<ike::IkeSa> make_initiator(std::shared_ptr<const ike::PeerSettings> peer, ike::Environment& env,
                                           bool first_contact = true);

// A first message of main or aggressive mode from an address that `candidates` allow (never empty). nullptr where
// no state is kept; an IkeClosed among the effects then holds the reason why the candidates refused it.
std::unique_ptr<ike::IkeSa> accept(const ike::Datagram& request,
                                   std::span<const std::shared_ptr<const ike::PeerSettings>> candidates,
                                   ike::Environment& env, ike::Time now, ike::Effects& out);

// Empty where IKEv1 can express the proposal of a configuration; else why not.
std::string unusable_proposal(ike::Protocol protocol, std::string_view text, bool legacy);

}  // namespace causeway::ikev1

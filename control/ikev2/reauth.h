// Reauthentication (RFC 7296 2.8.3, RFC 4478): an IKE SA that is to prove anew who its ends are is not rekeyed but
// replaced. It asks for a new one beside it (ike::RenewIke); the tunnel closes it when the new one has its children.
#pragma once

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// Starts the clocks of the IKE SA's lifetime: of its rekeys, or of its reauthentication where that is configured.
// `before`: the IKE SA it was made of by a rekey, which proves nothing: the time of the proof runs on.
void set_lifetime(Session& s, ike::Time now, const Session* before = nullptr);
// Responder: for how long our proof is good, where we do not begin it anew ourselves. <-- N(AUTH_LIFETIME)
void add_auth_lifetime(ike::PayloadChain& chain, const Session& s);
// Initiator: the responder's limit, where it is nearer than ours.
void take_auth_lifetime(Session& s, const ike::Payloads& answer, ike::Time now);

}  // namespace causeway::ikev2

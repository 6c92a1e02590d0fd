// IKE_FOLLOWUP_KE (RFC 9370 2.2.4): the additional key exchanges of a rekeyed IKE SA, one exchange each, between its
// CREATE_CHILD_SA and the new keys.
#pragma once

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// --- initiator: the answer to CREATE_CHILD_SA made `made`, which waits for them ------------------------------
// HDR, SK { KEi(n), N(ADDITIONAL_KEY_EXCHANGE) } --> for the next round. False where none is left.
bool send_followup(Session& s, Step& step);
// <-- HDR, SK { KEr(n), [N(ADDITIONAL_KEY_EXCHANGE)] }
void on_followup_response(Session& s, const Inbound& in, Step& step);

// --- responder -----------------------------------------------------------------------------------------------
// Begins to wait for them; the link belongs into the answer to CREATE_CHILD_SA.
void await_followups(Session& s, RekeyedIke made, ike::PayloadChain& answer);
void on_followup_request(Session& s, const Inbound& in, Step& step);

}  // namespace causeway::ikev2

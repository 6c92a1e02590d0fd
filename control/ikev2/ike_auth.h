// IKE_AUTH: identities, proofs, and the first child (RFC 7296 1.2, 2.15, 2.21.2).
#pragma once

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// HDR, SK { IDi, [IDr,] AUTH, SAi2, TSi, TSr, N(INITIAL_CONTACT) } -->
void send_ike_auth(Session& s, Step& step);
// <-- HDR, SK { IDr, AUTH, SAr2, TSi, TSr }
void on_ike_auth_response(Session& s, const Inbound& in, Step& step);
// The responder's half of it.
void on_ike_auth_request(Session& s, const Inbound& in, Step& step);

}  // namespace causeway::ikev2

// IKE_SA_INIT: suite, key exchange, nonces, NAT detection (RFC 7296 1.2, 2.6, 2.7, 2.14, 2.23).
#pragma once

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// HDR, SAi1, KEi, Ni -->
void start_ike_sa_init(Session& s, ike::ChildSlot child, Step& step);
// The same again, where the peer asked for a cookie: true where it did.
bool repeat_with_cookie(Session& s, Step& step);
// <-- HDR, SAr1, KEr, Nr, or a notify that asks for another try. Goes on with IKE_AUTH.
void on_ike_sa_init_response(Session& s, const Inbound& in, Step& step);

}  // namespace causeway::ikev2

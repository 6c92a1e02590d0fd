// Aggressive mode (RFC 2409 5.4): three messages, identities in clear.
//
//   1 -->  HDR, SA, KE, Ni, IDii
//   2 <--  HDR, SA, KE, Nr, IDir, HASH_R, NAT-D, NAT-D
//   3 -->  HDR*, NAT-D, NAT-D, HASH_I
//
// With a pre-shared key, message 2 lets whoever asked guess that key offline. So we answer only where the
// configuration says `mode = "aggressive"`, and only to an identity that it names. The Diffie-Hellman that message 2
// costs before anything is proven is bounded by the gateway (HalfOpenLimits).
#pragma once

#include "control/ikev1/session.h"

namespace causeway::ikev1 {

void start_aggressive_mode(Session& s, Step& step);
void on_aggressive_2(Session& s, const Inbound& in, Step& step);
void on_aggressive_3(Session& s, const Inbound& in, Step& step);
// False where nothing is answered: IkeClosed holds the reason.
bool answer_aggressive_1(Session& s, const Inbound& in, const Transform& taken, Step& step);

}  // namespace causeway::ikev1

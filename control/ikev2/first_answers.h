// More than one answer to IKE_SA_INIT. It has no protection: whoever sees our request can answer it first. So the answer
// we go on with is one of several that may be right, and its failure is no proof that the peer failed (RFC 7296 2.4:
// "treat all such responses as possibly legitimate"). The others are kept, a few, and tried one after the other.
#pragma once

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// An answer that came when another was taken already.
void keep_answer(Session& s, const Inbound& in, Step& step);
// Goes back to where IKE_SA_INIT was not answered and takes the next one. False where there is none to take.
bool try_next_answer(Session& s, Step& step);
// The negotiation with the answer taken came to nothing. Where no other one comes in the next second, that was it:
// `politely` where the other side believes in an IKE SA and must be told.
void doubt(Session& s, ike::Reason reason, bool politely, Step& step);
// That second is over.
void settle(Session& s, Step& step);

}  // namespace causeway::ikev2

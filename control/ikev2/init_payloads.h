// What both sides' IKE_SA_INIT say beside suite, key exchange and nonce: NAT detection (RFC 7296 2.23) and what each
// side can.
#pragma once

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

void add_nat_detection(ike::PayloadChain& chain, const Session& s);
void detect_nat(Session& s, const Inbound& in);

// Our extensions: what we want as initiator, as responder what both sides can.
void add_extensions(ike::PayloadChain& chain, const Session& s);
// What both can, by the peer's message. `suite` is known.
void agree_on_extensions(Session& s, const Inbound& in);

}  // namespace causeway::ikev2

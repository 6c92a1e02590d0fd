// IKE_INTERMEDIATE (RFC 9242): one for each additional key exchange that IKE_SA_INIT chose (RFC 9370 2.2.2), each with
// new keys behind it. What they said is signed in IKE_AUTH with the rest.
#pragma once

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// The additional key exchanges of a choice, in their order.
std::vector<crypto::KeyExchange> additional_rounds(const ike::Choice& choice);
// Whether any of our proposals has some: then we say that we can IKE_INTERMEDIATE.
bool wants_intermediate(std::span<const ike::Proposal> proposals);

// HDR, SK { KEi(n) } --> for the next round. False where none is left: IKE_AUTH is next.
bool send_intermediate(Session& s, Step& step);
// <-- HDR, SK { KEr(n) }
void on_intermediate_response(Session& s, const Inbound& in, Step& step);
void on_intermediate_request(Session& s, const Inbound& in, Step& step);

// What AUTH covers behind the ID: IntAuth_iN | IntAuth_rN | IKE_AUTH_MID (RFC 9242 3.3.2); empty without rounds.
ike::Bytes intermediate_octets(const Handshake& h);

}  // namespace causeway::ikev2

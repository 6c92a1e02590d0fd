// How both sides prove who they are in phase 1: HASH_I and HASH_R, as they are (pre-shared key) or signed with RSA
// (RFC 2409 5.1 and 5.4); certificates and what asks for them (RFC 2408 3.9 and 3.10, RFC 4945).
#pragma once

#include <optional>

#include "control/ikev1/session.h"

namespace causeway::ikev1 {

// Our identity, once.
void set_own_id(Session& s);
void add_id(const Session& s, ike::PayloadChain& chain);
// HASH, or CERT and SIG; the reason why there is none.
std::optional<ike::Reason> add_proof(Session& s, ike::PayloadChain& chain);
// Checks the peer's identity and its proof; the peer's settings and identity are set then. The reason why not.
std::optional<ike::Reason> check_proof(Session& s, const Inbound& in, Step& step);
// CERTREQ for each authority that we trust; nothing with a pre-shared key.
void add_certificate_requests(const Session& s, ike::PayloadChain& chain);

}  // namespace causeway::ikev1

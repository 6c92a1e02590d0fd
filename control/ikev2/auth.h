// Proving who we are and judging who the peer is (RFC 7296 2.15).
#pragma once

#include <tl/expected.hpp>

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// The AUTH payload that proves us, over our first message. `keys`: whose SK_p it is made with.
tl::expected<ike::AuthPayload, ike::Reason> make_auth(const Session& s, const IkeKeys& keys, ike::ByteView our_id_body);

// What the peer says it is, and its proof.
struct Claim {
  const ike::Payloads& payloads;
  const ike::AuthPayload& auth;
  const ike::Identity& identity;
  ike::ByteView id_body;
};
// Whether it proves to be `peer` as configured: nothing where it does, else the exact cause.
std::optional<ike::Reason> verify_auth(const Session& s, const IkeKeys& keys, const Peer& peer, const Claim& claim);

}  // namespace causeway::ikev2

// Proving who we are and judging who the peer is (RFC 7296 2.15).
#pragma once

#include <tl/expected.hpp>

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// The AUTH payload that proves us, over our first message.
tl::expected<ike::AuthPayload, ike::Reason> make_auth(const Session& s, ike::ByteView our_id_body);
// Whether `auth` proves the peer, as `peer` is configured: nothing where it does, else the exact cause.
std::optional<ike::Reason> verify_auth(const Session& s, const Peer& peer, const ike::AuthPayload& auth,
                                       ike::ByteView their_id_body);

}  // namespace causeway::ikev2

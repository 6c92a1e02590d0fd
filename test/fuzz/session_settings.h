// Who the two sides of a session are and how they prove it, by a number of the input: certificates and keys, good ones
// and all that may be wrong with them.
#pragma once

#include "control/ike/ike_sa.h"
#include "test/support/certificates.h"

namespace causeway::fuzz {

inline constexpr unsigned kProofs = 16;

// `key`: of the certificates' owners.
void choose_proof(ike::PeerSettings& settings, bool is_b, unsigned proof, test::KeyKind key);

// Several children on side a; b takes less than is asked for, or in other pieces, or (`apart`) nothing of it.
void add_children(ike::PeerSettings& settings, bool is_b, bool apart);

}  // namespace causeway::fuzz

// Post-quantum pre-shared keys (RFC 8784): a second secret in the keys of children and in both proofs.
#pragma once

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

bool has_ppk(const Peer& peer);

// --- initiator ---------------------------------------------------------------------------------------------
// N(PPK_IDENTITY), and with a key that is not required N(NO_PPK_AUTH): our proof without it, for a peer that has
// another. The keys become those with the PPK; the former are kept. The error: why it cannot go on.
std::optional<ike::Reason> use_ppk(Session& s, ike::PayloadChain& chain, ike::ByteView our_id_body);
// The answer says whether the peer used it: the keys are set accordingly.
std::optional<ike::Reason> settle_ppk(Session& s, const ike::Payloads& answer);

// --- responder ---------------------------------------------------------------------------------------------
// With which keys and by which AUTH this candidate is to be judged.
struct PpkChoice {
  IkeKeys keys;
  ike::AuthPayload auth;
  bool used = false;  // we say so by an empty N(PPK_IDENTITY)
};
tl::expected<PpkChoice, ike::Reason> choose_ppk(const Session& s, const Peer& peer, const ike::Payloads& request);

}  // namespace causeway::ikev2

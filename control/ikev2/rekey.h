// CREATE_CHILD_SA for the IKE SA itself (RFC 7296 1.3.2, 2.8.2, 2.18): a successor with fresh keys inherits the
// children, the old SA is deleted.
#pragma once

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// HDR, SK { SA, Ni, KEi } -->
void request_ike_rekey(Session& s, const Task& task, Step& step);
// <-- HDR, SK { SA, Nr, KEr }
void on_ike_rekey_response(Session& s, const Inbound& in, Step& step);
void on_ike_rekey_request(Session& s, const Inbound& in, Step& step);
// Children are being made or deleted: they would go astray if they moved to another IKE SA meanwhile (2.25.2).
[[nodiscard]] bool busy_with_children(const Session& s);
// The new keys are there, on the side that asked for them; `rival`: the peer's rekey at the same time.
void complete_rekey(Session& s, const RekeyedIke& made, const std::optional<Rival>& rival, Step& step);
// On the side that was asked. False without a cipher for them.
bool accept_rekey(Session& s, const RekeyedIke& made, Step& step);
// A request about children came to a successor that may still lose a collision: the peer, who made it, has decided.
void peer_uses(Session& s, Step& step);
// Moves the children, and what is still to be done for them, to `to`.
void inherit(Session& from, Session& to, Step& step);

}  // namespace causeway::ikev2

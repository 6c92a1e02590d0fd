// Session behind the interface that control knows.
#pragma once

#include <memory>

#include "control/ike/ike_sa.h"
#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// A responder's SA, or a successor made by a rekey: its state is for the maker to fill in by session_of().
std::unique_ptr<ike::IkeSa> make_sa(Peer peer, ike::Environment& env);
Session& session_of(ike::IkeSa& sa);

}  // namespace causeway::ikev2

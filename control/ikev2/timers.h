// What is due when: retransmission, liveness, keepalives, lifetimes (RFC 7296 2.4, 2.8; RFC 3948 4).
#pragma once

#include <optional>

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

std::optional<ike::Time> deadline(const Session& s);
void tick(Session& s, Step& step);

}  // namespace causeway::ikev2

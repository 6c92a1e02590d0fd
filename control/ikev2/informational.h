// INFORMATIONAL: liveness, deletes, notifies between exchanges (RFC 7296 1.4, 2.4).
#pragma once

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// HDR, SK { [D] } --> for a task that deletes or asks whether the peer lives.
void request_informational(Session& s, const Task& task, Step& step);
void on_informational_request(Session& s, const Inbound& in, Step& step);
void on_informational_response(Session& s, const Inbound& in, Step& step);

}  // namespace causeway::ikev2

// CREATE_CHILD_SA for children: further ones, and new ones in place of old ones (RFC 7296 1.3.1, 1.3.3, 2.8.1).
#pragma once

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// HDR, SK { [N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr } -->
void request_child(Session& s, const Task& task, Step& step);
// <-- HDR, SK { SA, Nr, [KEr,] TSi, TSr }
void on_child_response(Session& s, const Inbound& in, Step& step);
void on_child_request(Session& s, const Inbound& in, Step& step);

}  // namespace causeway::ikev2

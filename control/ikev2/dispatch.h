// From a datagram to the function that processes it: checks in the order that gives an attacker least, then a
// table of what may happen when.
#pragma once

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

void receive(Session& s, const ike::Datagram& datagram, Step& step);

}  // namespace causeway::ikev2

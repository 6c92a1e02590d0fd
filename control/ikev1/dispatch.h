// Which message goes to which function: what comes in is taken apart, opened and compared with what is awaited.
#pragma once

#include "control/ikev1/session.h"

namespace causeway::ikev1 {

void receive(Session& s, const ike::Datagram& datagram, Step& step);

}  // namespace causeway::ikev1

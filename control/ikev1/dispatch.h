// Which message goes to which function: what comes in is taken apart, opened and compared with what is awaited.
#pragma once

#include "control/ikev1/session.h"

namespace causeway::ikev1 {

// The peer may turn up at another address once its NAT forgot the old one: authenticated messages of a peer
// behind a NAT move it, if we are not behind one ourselves (RFC 3947 6).
void follow_peer(Session& s, const conf::Endpoint& local, const conf::Endpoint& remote, Step& step);

void receive(Session& s, const ike::Datagram& datagram, Step& step);

}  // namespace causeway::ikev1

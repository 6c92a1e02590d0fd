// What the tunnels ask the world to do: the effects of their IKE SAs that reach outside, each with the tunnel
// it belongs to, in the order in which it must happen. Made by gateway.h, carried out by controller.h.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "control/ike/effects.h"

namespace causeway::control {

struct Resolve {  // look `name` up; Gateway::resolved() takes the answer
  std::string name;
};

struct PoliciesChanged {};  // which child carries which packets is another than before: Tunnel::carried() says

using What = std::variant<ike::Send, ike::SendKeepalive, ike::InstallInbound, ike::UseOutbound, ike::RemoveInbound,
                          ike::RemoveOutbound, ike::EndpointsChanged, ike::Notice, Resolve, PoliciesChanged>;

struct Action {
  ike::TunnelId tunnel = 0;
  What what;
};
using Actions = std::vector<Action>;

template <class E>
void put(Actions& out, ike::TunnelId tunnel, E what) {
  Action& action = out.emplace_back();
  action.tunnel = tunnel;
  action.what = std::move(what);
}

}  // namespace causeway::control

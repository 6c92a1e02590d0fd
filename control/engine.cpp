#include "control/engine.h"

#include "control/ikev2/ikev2.h"

namespace causeway::control {

Engine real_engine() {
  return {
      [](PeerSettingsPtr peer, ike::Environment& env, bool first_contact) {
        return ikev2::make_initiator(std::move(peer), env, first_contact);
      },
      [](const ike::Datagram& request, std::span<const PeerSettingsPtr> candidates, ike::Environment& env,
         ike::Time now, ike::Effects& out) { return ikev2::accept(request, candidates, env, now, out); },
  };
}

}  // namespace causeway::control

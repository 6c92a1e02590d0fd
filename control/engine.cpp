#include "control/engine.h"

#include "control/ikev1/ikev1.h"
#include "control/ikev2/ikev2.h"

namespace causeway::control {

Engine real_engine() {
  return {
      [](PeerSettingsPtr peer, ike::Environment& env, bool first_contact) {
        const bool v1 = peer->config.ike.version == 1;
        return v1 ? ikev1::make_initiator(std::move(peer), env, first_contact)
                  : ikev2::make_initiator(std::move(peer), env, first_contact);
      },
      [](const ike::Datagram& request, std::span<const PeerSettingsPtr> candidates, ike::Environment& env,
         ike::Time now, ike::Effects& out) {
        // The gateway chose candidates of the version that the datagram's header names.
        const bool v1 = candidates.front()->config.ike.version == 1;
        return v1 ? ikev1::accept(request, candidates, env, now, out)
                  : ikev2::accept(request, candidates, env, now, out);
      },
  };
}

}  // namespace causeway::control

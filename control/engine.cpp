#include "control/engine.h"

#include <memory>

#include "control/ikev1/ikev1.h"
#include "control/ikev2/cookie.h"
#include "control/ikev2/ikev2.h"

namespace causeway::control {

namespace {

bool is_ikev2(const ike::Datagram& d) { return d.bytes.size() > 17 && d.bytes[17] >> 4 == 2; }

}  // namespace

Engine real_engine() {
  const auto secret = std::make_shared<ikev2::CookieSecret>();
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
      [secret](const ike::Datagram& request, ike::Time now) {  // IKEv1 has nothing of the kind
        return !is_ikev2(request) || ikev2::cookie_state(request, *secret, now) == ikev2::CookieState::proven;
      },
      [secret](const ike::Datagram& request, ike::Environment& env, ike::Time now, ike::Effects& out) {
        ikev2::ask_for_cookie(request, *secret, env.random(), now, out);
      },
  };
}

}  // namespace causeway::control

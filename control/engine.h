// How IKE SAs come into being, as values: the real engines, or a test's scripted ones.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "control/ike/ike_sa.h"

namespace causeway::control {

using PeerSettingsPtr = std::shared_ptr<const ike::PeerSettings>;

struct Engine {
  // We speak first; nothing is sent before IkeSa::start(). `first_contact`: we hold no other IKE SA with the peer.
  // nullptr where the settings cannot be used.
  std::function<std::unique_ptr<ike::IkeSa>(PeerSettingsPtr, ike::Environment&, bool first_contact)> initiate;
  // A first message from an address that `candidates` (never empty) allow; nullptr where no state is kept.
  std::function<std::unique_ptr<ike::IkeSa>(const ike::Datagram&, std::span<const PeerSettingsPtr>, ike::Environment&,
                                            ike::Time, ike::Effects&)>
      accept;
  // Whether the sender of a first message receives at its address, and what asks it to show that (IKEv2's cookies,
  // RFC 7296 2.6). Empty: everybody counts as proven.
  std::function<bool(const ike::Datagram&, ike::Time)> proven{};
  std::function<void(const ike::Datagram&, ike::Environment&, ike::Time, ike::Effects&)> ask_for_proof{};
};

// Chooses the IKE version by the tunnel's configuration and by the datagram's header.
Engine real_engine();

}  // namespace causeway::control

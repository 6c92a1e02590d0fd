// A peer's settings with everything textual parsed: what the exchanges of both versions work with.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "control/ike/ids.h"
#include "control/ike/ike_sa.h"
#include "control/ike/proposal.h"

namespace causeway::ike {

struct ResolvedPeer {
  std::shared_ptr<const PeerSettings> settings;
  std::vector<Proposal> ike, esp;
  Identity local_id;   // what we say
  Identity remote_id;  // what the peer must say; may be `any` or hold wildcards

  // Errors name the key of the tunnel, as the configuration spells it.
  static tl::expected<ResolvedPeer, std::string> of(std::shared_ptr<const PeerSettings> settings);

  [[nodiscard]] const conf::Tunnel& config() const { return settings->config; }
  [[nodiscard]] const ChildSettings* child(ChildSlot slot) const;
};

}  // namespace causeway::ike

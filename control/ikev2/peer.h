// A peer's settings as the exchanges of IKEv2 read them.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "control/ike/resolved_peer.h"

namespace causeway::ikev2 {

struct Peer : ike::ResolvedPeer {
  static tl::expected<Peer, std::string> resolve(std::shared_ptr<const ike::PeerSettings> settings);

  // ESP proposals for CREATE_CHILD_SA: with the key exchange that `pfs` asks for. A proposal that names none takes
  // the group of the IKE SA.
  [[nodiscard]] std::vector<ike::Proposal> esp_with_pfs(crypto::KeyExchange ike_group) const;
  // ESP proposals for IKE_AUTH, where no key exchange belongs (RFC 7296 1.2).
  [[nodiscard]] std::vector<ike::Proposal> esp_without_ke() const;
};

}  // namespace causeway::ikev2

// A peer's settings with everything textual parsed: what the exchanges work with.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "control/ike/ids.h"
#include "control/ike/ike_sa.h"
#include "control/ike/proposal.h"

namespace causeway::ikev2 {

struct Peer {
  std::shared_ptr<const ike::PeerSettings> settings;
  std::vector<ike::Proposal> ike, esp;
  ike::Identity local_id;   // what we say
  ike::Identity remote_id;  // what the peer must say; may be `any` or hold wildcards

  static tl::expected<Peer, std::string> resolve(std::shared_ptr<const ike::PeerSettings> settings);

  [[nodiscard]] const conf::Tunnel& config() const { return settings->config; }
  // ESP proposals for CREATE_CHILD_SA: with the key exchange that `pfs` asks for. A proposal that names none takes
  // the group of the IKE SA.
  [[nodiscard]] std::vector<ike::Proposal> esp_with_pfs(crypto::KeyExchange ike_group) const;
  // ESP proposals for IKE_AUTH, where no key exchange belongs (RFC 7296 1.2).
  [[nodiscard]] std::vector<ike::Proposal> esp_without_ke() const;
  [[nodiscard]] const ike::ChildSettings* child(ike::ChildSlot slot) const;
};

}  // namespace causeway::ikev2

// A peer's settings as the exchanges of IKEv1 read them.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "control/ike/resolved_peer.h"
#include "control/ikev1/sa_payload.h"

namespace causeway::ikev1 {

struct Peer : ike::ResolvedPeer {
  static tl::expected<Peer, std::string> resolve(std::shared_ptr<const ike::PeerSettings> settings);

  [[nodiscard]] bool aggressive() const { return config().ike.mode == conf::IkeMode::aggressive; }
  [[nodiscard]] AuthMethod auth() const {
    return config().auth == conf::AuthMethod::psk ? AuthMethod::psk : AuthMethod::rsa;
  }
  [[nodiscard]] Lifetimes ike_lifetime() const;
  [[nodiscard]] Lifetimes esp_lifetime() const;

  // The group of quick mode's own key exchange: what the ESP proposals name, else that of phase 1, where `pfs`
  // asks for one. All proposals of one quick mode share it (RFC 2409 5.5).
  [[nodiscard]] crypto::KeyExchange pfs_group(crypto::KeyExchange phase1) const;
  [[nodiscard]] bool names_pfs_group() const;
  // What a responder takes: each proposal with the group it names; where it names none, with that of phase 1 or
  // without.
  [[nodiscard]] std::vector<ike::Proposal> esp_acceptable(crypto::KeyExchange phase1) const;
  [[nodiscard]] std::vector<ike::Proposal> esp_with(crypto::KeyExchange group) const;
};

}  // namespace causeway::ikev1

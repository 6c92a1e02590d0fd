#include "control/ike/resolved_peer.h"

#include <algorithm>
#include <utility>

#include "crypto/x509.h"

namespace causeway::ike {

tl::expected<ResolvedPeer, std::string> ResolvedPeer::of(std::shared_ptr<const PeerSettings> settings) {
  const conf::Tunnel& config = settings->config;
  auto ike = parse_proposals(Protocol::ike, config.ike.proposals, config.legacy);
  if (!ike) return tl::make_unexpected("ike.proposals: " + ike.error());
  auto esp = parse_proposals(Protocol::esp, config.esp.proposals, config.legacy);
  if (!esp) return tl::make_unexpected("esp.proposals: " + esp.error());

  ResolvedPeer peer;
  peer.ike = std::move(*ike);
  peer.esp = std::move(*esp);
  peer.local_id = Identity::of(settings->local.address);
  if (!config.local_id.empty()) {
    auto id = Identity::parse(config.local_id);
    if (!id) return tl::make_unexpected("local_id: " + id.error());
    peer.local_id = std::move(*id);
  }
  if (config.local_id.empty() && settings->credential) {
    // Where the certificate does not hold the address, we are its subject.
    const crypto::Certificate& own = settings->credential->chain.front();
    const crypto::ClaimedIdentity address{static_cast<std::uint8_t>(peer.local_id.type), peer.local_id.data};
    if (own.refuses(address)) peer.local_id = Identity::of_dn(own.subject_der());
  }
  if (settings->remote) peer.remote_id = Identity::of(settings->remote->address);
  if (!config.remote_id.empty()) {
    auto id = Identity::parse(config.remote_id);
    if (!id) return tl::make_unexpected("remote_id: " + id.error());
    peer.remote_id = std::move(*id);
  }
  peer.settings = std::move(settings);
  return peer;
}

const ChildSettings* ResolvedPeer::child(ChildSlot slot) const {
  const auto it = std::ranges::find(settings->children, slot, &ChildSettings::slot);
  return it == settings->children.end() ? nullptr : &*it;
}

}  // namespace causeway::ike

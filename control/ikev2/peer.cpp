#include "control/ikev2/peer.h"

#include <algorithm>
#include <utility>

#include "crypto/x509.h"

namespace causeway::ikev2 {

tl::expected<Peer, std::string> Peer::resolve(std::shared_ptr<const ike::PeerSettings> settings) {
  const conf::Tunnel& config = settings->config;
  auto ike = ike::parse_proposals(ike::Protocol::ike, config.ike.proposals, config.legacy);
  if (!ike) return tl::make_unexpected("ike.proposals: " + ike.error());
  auto esp = ike::parse_proposals(ike::Protocol::esp, config.esp.proposals, config.legacy);
  if (!esp) return tl::make_unexpected("esp.proposals: " + esp.error());

  Peer peer;
  peer.ike = std::move(*ike);
  peer.esp = std::move(*esp);
  peer.local_id = ike::Identity::of(settings->local.address);
  if (!config.local_id.empty()) {
    auto id = ike::Identity::parse(config.local_id);
    if (!id) return tl::make_unexpected("local_id: " + id.error());
    peer.local_id = std::move(*id);
  }
  if (config.local_id.empty() && settings->credential) {
    // Where the certificate does not hold the address, we are its subject.
    const crypto::Certificate& own = settings->credential->chain.front();
    const crypto::ClaimedIdentity address{static_cast<std::uint8_t>(peer.local_id.type), peer.local_id.data};
    if (own.refuses(address)) peer.local_id = ike::Identity::of_dn(own.subject_der());
  }
  if (settings->remote) peer.remote_id = ike::Identity::of(settings->remote->address);
  if (!config.remote_id.empty()) {
    auto id = ike::Identity::parse(config.remote_id);
    if (!id) return tl::make_unexpected("remote_id: " + id.error());
    peer.remote_id = std::move(*id);
  }
  peer.settings = std::move(settings);
  return peer;
}

std::vector<ike::Proposal> Peer::esp_with_pfs(crypto::KeyExchange ike_group) const {
  std::vector<ike::Proposal> out;
  for (const ike::Proposal& p : esp) {
    ike::Proposal wanted = config().esp.pfs ? p : p.without_key_exchange();
    if (config().esp.pfs && p.key_exchange.empty()) wanted.key_exchange = {ike_group};
    out.push_back(std::move(wanted));
  }
  // A group that the proposal names is a must. The one of the IKE SA is only preferred: IKE_AUTH cannot tell whether
  // the peer has PFS, and a tunnel that dies at its first rekey is the most common way to find out. An attacker
  // cannot remove it, for the offer is protected.
  for (const ike::Proposal& p : esp) {
    if (config().esp.pfs && p.key_exchange.empty()) out.push_back(p);
  }
  return out;
}

std::vector<ike::Proposal> Peer::esp_without_ke() const {
  std::vector<ike::Proposal> out;
  for (const ike::Proposal& p : esp) {
    ike::Proposal bare = p.without_key_exchange();
    if (std::ranges::find(out, bare) == out.end()) out.push_back(std::move(bare));
  }
  return out;
}

const ike::ChildSettings* Peer::child(ike::ChildSlot slot) const {
  const auto it = std::ranges::find(settings->children, slot, &ike::ChildSettings::slot);
  return it == settings->children.end() ? nullptr : &*it;
}

}  // namespace causeway::ikev2

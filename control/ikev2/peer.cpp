#include "control/ikev2/peer.h"

#include <algorithm>
#include <utility>

namespace causeway::ikev2 {

tl::expected<Peer, std::string> Peer::resolve(std::shared_ptr<const ike::PeerSettings> settings) {
  auto parsed = ike::ResolvedPeer::of(std::move(settings));
  if (!parsed) return tl::make_unexpected(std::move(parsed.error()));
  return Peer{std::move(*parsed)};
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

}  // namespace causeway::ikev2

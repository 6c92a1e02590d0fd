#include "control/ikev1/peer.h"

#include <algorithm>
#include <utility>

namespace causeway::ikev1 {

tl::expected<Peer, std::string> Peer::resolve(std::shared_ptr<const ike::PeerSettings> settings) {
  auto parsed = ike::ResolvedPeer::of(std::move(settings));
  if (!parsed) return tl::make_unexpected(std::move(parsed.error()));
  for (const ike::Proposal& p : parsed->ike) {
    if (std::string why = inexpressible(p); !why.empty()) return tl::make_unexpected("ike.proposals: " + why);
  }
  for (const ike::Proposal& p : parsed->esp) {
    if (std::string why = inexpressible(p); !why.empty()) return tl::make_unexpected("esp.proposals: " + why);
  }
  return Peer{std::move(*parsed)};
}

Lifetimes Peer::ike_lifetime() const {
  Lifetimes life;
  if (config().ike.lifetime.count() > 0) life.seconds = static_cast<std::uint64_t>(config().ike.lifetime.count());
  return life;
}

Lifetimes Peer::esp_lifetime() const {
  Lifetimes life;
  if (config().esp.lifetime.count() > 0) life.seconds = static_cast<std::uint64_t>(config().esp.lifetime.count());
  if (config().esp.bytes != 0) life.kilobytes = std::max<std::uint64_t>(config().esp.bytes / 1024, 1);
  return life;
}

bool Peer::names_pfs_group() const {
  return std::ranges::any_of(esp, [](const ike::Proposal& p) { return !p.key_exchange.empty(); });
}

crypto::KeyExchange Peer::pfs_group(crypto::KeyExchange phase1) const {
  if (!config().esp.pfs) return crypto::KeyExchange::none;
  for (const ike::Proposal& p : esp) {
    if (!p.key_exchange.empty()) return p.key_exchange.front();
  }
  return phase1;
}

std::vector<ike::Proposal> Peer::esp_acceptable(crypto::KeyExchange phase1) const {
  std::vector<ike::Proposal> out;
  for (const ike::Proposal& p : esp) {
    ike::Proposal wanted = config().esp.pfs ? p : p.without_key_exchange();
    if (config().esp.pfs && p.key_exchange.empty()) wanted.key_exchange = {phase1};
    out.push_back(std::move(wanted));
  }
  for (const ike::Proposal& p : esp) {
    if (config().esp.pfs && p.key_exchange.empty()) out.push_back(p);
  }
  return out;
}

std::vector<ike::Proposal> Peer::esp_with(crypto::KeyExchange group) const {
  std::vector<ike::Proposal> out;
  for (const ike::Proposal& p : esp) {
    const bool names = !p.key_exchange.empty();
    if (names && group != crypto::KeyExchange::none && std::ranges::find(p.key_exchange, group) == p.key_exchange.end())
      continue;
    ike::Proposal one = p.without_key_exchange();
    if (group != crypto::KeyExchange::none) one.key_exchange = {group};
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace causeway::ikev1

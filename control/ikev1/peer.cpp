#include "control/ikev1/peer.h"

#include <algorithm>
#include <utility>

#include "crypto/x509.h"

namespace causeway::ikev1 {

namespace {

tl::expected<std::vector<ike::Proposal>, std::string> expressible(ike::Protocol protocol,
                                                                  const std::vector<std::string>& texts, bool legacy) {
  auto all = ike::parse_proposals(protocol, texts, legacy);
  if (!all) return all;
  for (const ike::Proposal& p : *all) {
    if (std::string why = inexpressible(p); !why.empty()) return tl::make_unexpected(std::move(why));
  }
  return all;
}

}  // namespace

tl::expected<Peer, std::string> Peer::resolve(std::shared_ptr<const ike::PeerSettings> settings) {
  const conf::Tunnel& config = settings->config;
  auto ike = expressible(ike::Protocol::ike, config.ike.proposals, config.legacy);
  if (!ike) return tl::make_unexpected("ike.proposals: " + ike.error());
  auto esp = expressible(ike::Protocol::esp, config.esp.proposals, config.legacy);
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

const ike::ChildSettings* Peer::child(ike::ChildSlot slot) const {
  const auto it = std::ranges::find(settings->children, slot, &ike::ChildSettings::slot);
  return it == settings->children.end() ? nullptr : &*it;
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

// Children for one worker each (RFC 9611). Where a peer takes them, a child that is up gets another beside it for every
// worker of ours but its owner, asked for one after the other; those of the peer's workers come by its own requests. Each
// has a slot of its own, and is rekeyed, moved and closed like any child; the data path knows all of them by the slot of
// the first, which is what policies name. They are a wish: a tunnel is up without them, and none of them is a reason to
// be down. A worker without one hands over to the first child's owner.
//
// What the peer refuses (TS_MAX_QUEUE) or deletes is not asked for again as long as the first child lives.
#include <algorithm>
#include <utility>

#include "control/tunnel.h"

namespace causeway::control {

namespace {

constexpr Time kPeersTurn{5000};  // the peer that began asks first: what it asks for is one of ours as well

}  // namespace

Tunnel::Child& Tunnel::add_resource(ike::ChildSlot slot, ike::ChildSlot beside, ike::Resource resource) {
  std::erase_if(children_, [&](const Child& c) {  // one that waits for its turn
    const bool waits = c.beside == beside && c.resource == resource && c.live.empty() && !open(c.requested_on);
    if (waits) environment_.release_slot(c.slot);
    return waits;
  });
  const Child base = *child(beside);
  std::size_t number = std::max<std::size_t>(resource, 1);
  const auto taken = [&](const std::string& name) {
    return std::any_of(children_.begin(), children_.end(), [&](const Child& c) { return c.name == name; });
  };
  while (taken(base.name + "/" + std::to_string(number))) ++number;
  children_.push_back(Child{.slot = slot,
                            .name = base.name + "/" + std::to_string(number),
                            .selectors = base.selectors,
                            .beside = beside,
                            .resource = resource});
  tell_children();
  return children_.back();
}

// The SAs of a child that is up on this IKE SA, where the peer takes more like it.
const LiveChild* Tunnel::takes_more(const Child& c, const Ike& on) const {
  if (c.beside != ike::kNoChild) return nullptr;
  const auto used = std::find_if(c.live.rbegin(), c.live.rend(), [&](const LiveChild& l) {
    return l.inbound && l.outbound && l.ike == on.sa->local_spi();
  });
  return used != c.live.rend() && used->sa->by_resource ? &*used : nullptr;
}

void Tunnel::ask_for_resources(const Ike& on, Time now) {
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (takes_more(children_[i], on) == nullptr) continue;
    const ike::ChildSlot beside = children_[i].slot;
    for (ike::Resource r = 1; r < settings_->resources; ++r) {
      const bool known = std::any_of(children_.begin(), children_.end(),
                                     [&](const Child& c) { return c.beside == beside && c.resource == r; });
      if (known) continue;
      const ike::ChildSlot slot = environment_.allocate_slot();
      if (slot == ike::kNoChild) return;
      add_resource(slot, beside, r).retry_at = on.ours ? now : now + kPeersTurn;
    }
  }
}

void Tunnel::on_resource_failed(Child& c, const ike::Reason& reason, Time now) {
  const Child* base = child(c.beside);
  const bool refused = base != nullptr && is_up(*base);
  c.requested_on = 0;
  c.reason = reason;
  c.retry_at = now + backoff(++c.failures);
  c.asked_once = refused;
  for (Child& other : children_) {
    if (other.beside == c.beside && other.live.empty()) other.asked_once = refused;
  }
}

void Tunnel::on_resource_closed(Child& c, std::uint64_t ike, const ike::Reason& reason, Time now, Actions& out) {
  c.reason = reason;
  c.retry_at = std::max(c.retry_at, now + backoff(c.failures));
  if (reason.cause == ike::Cause::closed_by_peer && !carried_elsewhere(c, ike)) c.asked_once = true;
  say(out, ike::Notice::Level::debug, c.name + " closed: " + reason.text);
}

// Whether another IKE SA has what this one carries of a worker's own child, or is not to have it.
bool Tunnel::resource_elsewhere(const Child& c, std::uint64_t spi) const {
  if (c.asked_once || carried_elsewhere(c, spi)) return true;
  return std::any_of(children_.begin(), children_.end(), [&](const Child& other) {
    const bool twin = other.beside == c.beside && other.resource == c.resource && carried_elsewhere(other, spi);
    const bool without = other.slot == c.beside && std::any_of(other.live.begin(), other.live.end(), [&](const LiveChild& l) {
                           return l.ike != spi && l.outbound && open(l.ike) && !l.sa->by_resource;
                         });
    return twin || without;
  });
}

// Those beside a child that is gone go as well; what is left of one that has no SAs is forgotten, but for the memory that
// it was refused.
void Tunnel::drop_resources(Time now, Actions& out) {
  std::vector<std::pair<std::uint64_t, ike::ChildSlot>> pointless;
  const std::size_t before = children_.size();
  const auto dead = [&](const Child& c) { return c.beside != ike::kNoChild && c.live.empty() && !open(c.requested_on); };
  for (std::size_t i = 0; i < children_.size();) {
    Child& c = children_[i];
    const Child* base = c.beside == ike::kNoChild ? nullptr : child(c.beside);
    const bool alone = c.beside != ike::kNoChild && (base == nullptr || base->live.empty());
    const auto twin = [&](const Child& other) { return &other != &c && other.beside == c.beside && other.resource == c.resource; };
    if (dead(c) && (alone || std::any_of(children_.begin(), children_.end(), twin))) {
      environment_.release_slot(c.slot);
      children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    if (c.live.empty()) c.leaving = false;
    if (alone && !c.live.empty() && !c.leaving && open(c.live.back().ike)) {
      c.leaving = true;
      pointless.emplace_back(c.live.back().ike, c.slot);
    }
    ++i;
  }
  if (children_.size() != before) tell_children();
  for (const auto& [spi, slot] : pointless) {
    const auto it = ikes_.find(spi);
    if (it == ikes_.end()) continue;
    ike::Effects effects;
    it->second.sa->close_child(slot, now, effects);
    handle(spi, std::move(effects), now, out);
  }
}

}  // namespace causeway::control

// Children in parts. What the configuration has as one child ("joint": all subnets in one pair of SAs), a peer may take
// in pieces only: it narrows what we ask for, or asks for one pair of subnets after the other. Each piece beyond the
// first is a part: a child of its own, with a slot of its own, that lives as long as its SAs.
//
// What a peer narrowed away is asked for once, as further children; what it then still leaves out is named and does
// not pass. Which packets go to which part, carried() says; the policy in the data path is made of it. It stays empty
// while every child carries what is configured, which is the common case and costs nothing.
#include <algorithm>
#include <utility>

#include "control/ike/selectors.h"
#include "control/tunnel.h"

namespace causeway::control {

namespace {

constexpr std::size_t kMaxParts = 64;    // of a tunnel
constexpr Time kPeersTurn{5000};         // the peer that began asks for its children first

}  // namespace

Tunnel::Child& Tunnel::add_part(ike::ChildSlot slot, ike::ChildSlot part_of, conf::SelectorSet selectors) {
  const Child* whole = child(part_of);
  std::size_t number = 2;
  const auto taken = [&](const std::string& name) {
    return std::any_of(children_.begin(), children_.end(), [&](const Child& c) { return c.name == name; });
  };
  while (taken(whole->name + "-" + std::to_string(number))) ++number;
  Child part{.slot = slot,
             .name = whole->name + "-" + std::to_string(number),
             .part_of = part_of,
             .selectors = std::move(selectors)};
  children_.push_back(std::move(part));
  tell_children();
  return children_.back();
}

// What of the configured child nobody carries yet becomes parts, to be asked for. Not where a child has some of it: the
// peer would narrow that again.
void Tunnel::ask_for_the_rest(const ike::ChildSa& got, bool ours, Time now, Actions& out) {
  const Child* whole = child(got.part_of == ike::kNoChild ? got.child : got.part_of);
  if (whole == nullptr || settings_->config.ike.version == 1) return;
  const ike::ChildSlot slot = whole->slot;
  const std::string name = whole->name;
  enum class Known : std::uint8_t { no, in_part, yes };
  const auto known = [&](const conf::SelectorSet& wanted) {
    Known so_far = Known::no;
    for (const Child& c : children_) {
      if (c.slot != slot && c.part_of != slot) continue;
      if (c.part_of == slot && ike::narrowed_away(wanted, c.selectors).empty()) return Known::yes;
      for (const LiveChild& l : c.live) {
        if (ike::narrowed_away(wanted, l.sa->selectors).empty()) return Known::yes;
        if (ike::narrow(wanted, l.sa->selectors)) so_far = Known::in_part;
      }
    }
    return so_far;
  };
  for (conf::SelectorSet& wanted : ike::narrowed_away(whole->selectors, got.selectors)) {
    const Known so_far = known(wanted);
    if (so_far == Known::yes) continue;
    const std::string what = ike::str(wanted);
    if (so_far == Known::in_part) {
      say(out, ike::Notice::Level::warning,
          name + ": the peer narrowed " + what + " to " + ike::str(got.selectors) + "; the rest of it does not pass");
      continue;
    }
    const ike::ChildSlot fresh = children_.size() < kMaxParts ? environment_.allocate_slot() : ike::kNoChild;
    if (fresh == ike::kNoChild) return;
    Child& part = add_part(fresh, slot, std::move(wanted));
    part.retry_at = ours ? now : now + kPeersTurn;
    say(out, ike::Notice::Level::info, "the peer narrowed " + what + " away: it is asked for once more, as " + part.name);
  }
}

// Parts that nothing is left of: the slot is free for another. One that was refused is kept in mind for as long as
// its IKE SA lives, so that it is not asked for again and again.
void Tunnel::drop_parts() {
  const bool alive = best_established() != nullptr;
  const std::size_t before = children_.size();
  std::erase_if(children_, [&](const Child& c) {
    if (c.part_of == ike::kNoChild || !c.live.empty() || open(c.requested_on)) return false;
    const Child* whole = child(c.part_of);
    const bool pointless = !alive || whole == nullptr || whole->live.empty();
    if (pointless) environment_.release_slot(c.slot);
    return pointless;
  });
  if (children_.size() != before) tell_children();
}

// The settings of the IKE SAs name the children that are there now.
void Tunnel::tell_children() {
  auto changed = std::make_shared<ike::PeerSettings>(*settings_);
  const auto comes_and_goes = [](const auto& c) { return c.part_of != ike::kNoChild || c.beside != ike::kNoChild; };
  std::erase_if(changed->children, comes_and_goes);
  for (const Child& c : children_) {
    if (!comes_and_goes(c)) continue;
    changed->children.push_back({.slot = c.slot,
                                 .name = c.name,
                                 .selectors = c.selectors,
                                 .part_of = c.part_of,
                                 .beside = c.beside,
                                 .resource = c.resource});
  }
  settings_ = std::move(changed);
  for (auto& [spi, ike] : ikes_) ike.sa->settings_changed(settings_);
}

void Tunnel::remember_packet(ike::ChildSlot slot, const std::optional<conf::SelectorSet>& packet) {
  const auto at = std::find_if(settings_->children.begin(), settings_->children.end(),
                               [&](const ike::ChildSettings& c) { return c.slot == slot; });
  if (at == settings_->children.end() || at->packet == packet) return;
  auto changed = std::make_shared<ike::PeerSettings>(*settings_);
  changed->children[static_cast<std::size_t>(at - settings_->children.begin())].packet = packet;
  settings_ = std::move(changed);
  for (auto& [spi, ike] : ikes_) ike.sa->settings_changed(settings_);
}

void Tunnel::update_carried(Actions& out) {
  std::vector<Carried> now;
  bool as_configured = true;
  for (const Child& c : children_) {
    if (c.beside != ike::kNoChild) continue;
    const auto used = std::find_if(c.live.rbegin(), c.live.rend(), [](const LiveChild& l) { return l.outbound; });
    if (used == c.live.rend()) continue;
    now.push_back({c.slot, used->sa->selectors});
    if (c.part_of != ike::kNoChild || !ike::narrowed_away(c.selectors, used->sa->selectors).empty()) {
      as_configured = false;
    }
  }
  if (as_configured) now.clear();
  if (now == carried_) return;
  carried_ = std::move(now);
  put(out, settings_->tunnel, PoliciesChanged{});
}

}  // namespace causeway::control

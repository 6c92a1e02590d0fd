// The third part of Tunnel: what it is, for others and for itself. Changes nothing.
#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "control/ike/selectors.h"
#include "control/tunnel.h"

namespace causeway::control {

TunnelState Tunnel::state() const {
  if (any_child_up()) return TunnelState::established;
  if (admin_down_) return TunnelState::down;
  for (const auto& [spi, ike] : ikes_) {
    if (!ike.closing && !ike.closed) return TunnelState::connecting;
  }
  return resolving_ ? TunnelState::connecting : TunnelState::down;
}

std::optional<std::string> Tunnel::down_reason() const {
  if (state() == TunnelState::established) return std::nullopt;
  if (reason_.cause != ike::Cause::none || !reason_.text.empty()) return reason_.text;
  if (state() == TunnelState::connecting) {
    const Ike* ike = best();
    if (ike == nullptr) return "connecting: resolving the name " + settings_->config.remote;
    const std::string stage = ike->sa->status().stage;
    return stage.empty() ? "connecting" : "connecting: " + stage;
  }
  if (!may_initiate()) return "nothing came from the peer yet, and this side only answers";
  if (settings_->config.start == conf::Start::traffic) return "idle: it starts with the first packet for it";
  if (settings_->config.start == conf::Start::wait)
    return "idle: it waits for the peer, or for causewayctl up " + name();
  return "not started yet";
}

std::vector<std::uint64_t> Tunnel::local_spis() const {
  std::vector<std::uint64_t> spis;
  spis.reserve(ikes_.size());
  for (const auto& [spi, ike] : ikes_) spis.push_back(spi);
  for (const std::uint64_t spi : version_probe_.local_spis()) spis.push_back(spi);
  return spis;
}

bool Tunnel::established(std::uint64_t local_spi) const {
  const auto it = ikes_.find(local_spi);
  return it != ikes_.end() && (it->second.established || it->second.headless);
}

bool Tunnel::half_open(std::uint64_t local_spi) const {
  const auto it = ikes_.find(local_spi);
  return it != ikes_.end() && !it->second.ours && !it->second.established && !it->second.headless;
}

bool Tunnel::accepts() const { return begun_ && !admin_down_ && settings_->config.role != conf::Role::initiator; }

std::string Tunnel::child_name(ike::ChildSlot slot) const {
  for (const Child& c : children_) {
    if (c.slot == slot) return c.name;
  }
  return "";
}

std::optional<ike::IkeStatus> Tunnel::ike_status() const {
  const Ike* ike = best();
  if (ike == nullptr || ike->headless) return std::nullopt;
  return ike->sa->status();
}

std::vector<LiveChild> Tunnel::live_children() const {
  std::vector<LiveChild> all;
  for (const Child& c : children_) {
    const auto newest = std::find_if(c.live.rbegin(), c.live.rend(), [](const LiveChild& l) { return l.outbound; });
    if (newest != c.live.rend()) all.push_back(*newest);
  }
  return all;
}

std::vector<LiveChild> Tunnel::receiving_children() const {
  std::vector<LiveChild> all;
  for (const Child& c : children_) {
    std::copy_if(c.live.begin(), c.live.end(), std::back_inserter(all), [](const LiveChild& l) { return l.inbound; });
  }
  return all;
}

std::vector<conf::SelectorSet> Tunnel::left_out() const {
  std::vector<conf::SelectorSet> out;
  for (const Child& whole : children_) {
    if (whole.part_of != ike::kNoChild || whole.beside != ike::kNoChild || !is_up(whole)) continue;
    std::vector<conf::SelectorSet> missing{whole.selectors};
    for (const Child& c : children_) {
      if (c.slot != whole.slot && c.part_of != whole.slot) continue;
      if (c.live.empty() && !c.asked_once) return {};  // on its way
      for (const LiveChild& l : c.live) {
        std::vector<conf::SelectorSet> rest;
        for (const conf::SelectorSet& m : missing) std::ranges::move(ike::narrowed_away(m, l.sa->selectors), std::back_inserter(rest));
        missing = std::move(rest);
      }
    }
    std::ranges::move(missing, std::back_inserter(out));
  }
  return out;
}

std::vector<Tunnel::Configured> Tunnel::configured_children() const {
  std::vector<Configured> out;
  for (const Child& c : children_) {
    if (c.part_of == ike::kNoChild && c.beside == ike::kNoChild) out.push_back({c.name, c.selectors, is_up(c)});
  }
  return out;
}

bool Tunnel::may_initiate() const {
  return settings_->config.role != conf::Role::responder && !settings_->config.remote_is_any();
}

bool Tunnel::wants_up() const {
  if (admin_down_ || !may_initiate()) return false;
  return settings_->config.start == conf::Start::now || pressed_ || traffic_wanted_;
}

bool Tunnel::needs_name() const { return !settings_->config.remote_is_any() && !settings_->config.remote_address(); }

bool Tunnel::connecting() const {
  return std::any_of(ikes_.begin(), ikes_.end(), [](const auto& entry) {
    const Ike& ike = entry.second;
    return ike.ours && !ike.established && !ike.headless && !ike.closing && !ike.closed;
  });
}

bool Tunnel::pauses() const {
  return std::any_of(ikes_.begin(), ikes_.end(), [](const auto& entry) { return entry.second.sa->pauses(); });
}

const Tunnel::Ike* Tunnel::best() const {
  const Ike* best = nullptr;
  const auto rank = [](const Ike& i) { return std::tuple(i.established, !i.headless, i.ours, i.since); };
  for (const auto& [spi, ike] : ikes_) {
    if (ike.closing || ike.closed || ike.trial) continue;
    if (best == nullptr || rank(ike) > rank(*best)) best = &ike;
  }
  return best;
}

// The newest that is established: where children are asked for.
const Tunnel::Ike* Tunnel::best_established() const {
  const Ike* best = nullptr;
  for (const auto& [spi, ike] : ikes_) {
    if (!ike.established || ike.closing || ike.closed || ike.trial) continue;
    const bool better =
        best == nullptr || (settings_->config.ike.version == 1 ? outranks(ike, *best) : ike.since >= best->since);
    if (better) best = &ike;
  }
  return best;
}

Tunnel::Ike* Tunnel::best_established() {
  return const_cast<Ike*>(std::as_const(*this).best_established());
}

bool Tunnel::open(std::uint64_t spi) const {
  const auto it = ikes_.find(spi);
  return it != ikes_.end() && !it->second.closing && !it->second.closed;
}

bool Tunnel::is_up(const Child& c) const {
  return std::any_of(c.live.begin(), c.live.end(),
                     [this](const LiveChild& l) { return l.inbound && l.outbound && open(l.ike); });
}

bool Tunnel::carried_elsewhere(const Child& c, std::uint64_t spi) const {
  return std::any_of(c.live.begin(), c.live.end(), [&](const LiveChild& l) {
    return l.outbound && l.ike != spi && open(l.ike) && !ikes_.at(l.ike).dead;
  });
}

// Neither up nor on its way to be, and to be asked for on `on`. While an IKE SA is being replaced, what only that one
// carries is missing on the new one, whoever wanted it up.
bool Tunnel::is_missing(const Child& c, const Ike& on) const {
  bool carried = false, to_move = false;
  for (const LiveChild& l : c.live) {
    if (!open(l.ike)) continue;
    const bool leaving = ikes_.at(l.ike).renewing && !on.renewing;
    to_move = to_move || leaving;
    carried = carried || !leaving;
  }
  if (c.beside != ike::kNoChild) {
    const auto takes = [&](const Child& base) { return base.slot == c.beside && takes_more(base, on) != nullptr; };
    return !carried && !c.asked_once && std::any_of(children_.begin(), children_.end(), takes);
  }
  return !carried && (to_move || (wants_up() && !c.asked_once));
}

bool Tunnel::renewal_due() const {
  const Ike* ike = best_established();
  return ike != nullptr && ike->renewing && !admin_down_ && may_initiate();
}

bool Tunnel::all_carried_elsewhere(std::uint64_t spi) const {
  return std::all_of(children_.begin(), children_.end(), [&](const Child& c) {
    const bool here = std::any_of(c.live.begin(), c.live.end(), [&](const LiveChild& l) { return l.ike == spi; });
    return !here || (c.beside == ike::kNoChild ? carried_elsewhere(c, spi) : resource_elsewhere(c, spi));
  });
}

bool Tunnel::asked_for_a_child() const {
  return std::any_of(children_.begin(), children_.end(), [this](const Child& c) { return open(c.requested_on); });
}

bool Tunnel::all_children_up() const {
  return std::all_of(children_.begin(), children_.end(), [this](const Child& c) {
    return is_up(c) || c.asked_once || c.beside != ike::kNoChild;
  });
}

bool Tunnel::any_child_up() const {
  return std::any_of(children_.begin(), children_.end(),
                     [this](const Child& c) { return c.beside == ike::kNoChild && is_up(c); });
}

bool Tunnel::has_children(std::uint64_t spi) const {
  return std::any_of(children_.begin(), children_.end(), [&](const Child& c) {
    return std::any_of(c.live.begin(), c.live.end(), [&](const LiveChild& l) { return l.ike == spi && l.outbound; });
  });
}

Tunnel::Child* Tunnel::child(ike::ChildSlot slot) {
  for (Child& c : children_) {
    if (c.slot == slot) return &c;
  }
  return nullptr;
}

}  // namespace causeway::control

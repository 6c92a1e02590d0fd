// The second half of Tunnel: what to do next, by what is and what is wanted; and what others may know of it.
#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "control/tunnel.h"

namespace causeway::control {

namespace {

constexpr Time kFirstRetry{1000};
constexpr Time kLongestRetry{60000};
constexpr Time kGrace{5000};            // for packets on their way when their SA goes
constexpr Time kSettle{2000};           // before a duplicate is closed: its peer may still be answering
constexpr Time kDuplicateGrace{30000};  // and for the side whose turn it is not

}  // namespace

void Tunnel::reconcile(Time now, Actions& out) {
  sweep(now, out);
  if (!begun_) return;
  if (admin_down_) {
    close_all(now, out);
    return;
  }
  use_held(now, out);
  close_unwanted(now, out);
  close_duplicates(now, out);
  gather_children(now, out);
  if (renewing_) renew(now, out);
  if (best_established() != nullptr) {
    create_missing_children(now, out);
  } else {
    connect(now, out);
  }
}

void Tunnel::connect(Time now, Actions& out) {
  if (resolving_ || connecting() || (retry_at_ && *retry_at_ > now)) return;
  const bool address_missing = needs_name() && !settings_->remote;
  if (!wants_up() && !address_missing && !phase_one_missing()) return;
  if (needs_name()) {  // asked again at each attempt: the address behind a name may have changed
    resolving_ = true;
    put(out, settings_->tunnel, Resolve{settings_->config.remote});
    return;
  }
  start_ike(now, out);
}

void Tunnel::start_ike(Time now, Actions& out) {
  if (children_.empty()) return;
  // Children that outlived their phase 1 are there already.
  const bool there = settings_->config.ike.version == 1 && any_child_up();
  start_ike(there ? ike::kNoChild : children_.front().slot, now, out);
}

void Tunnel::start_ike(ike::ChildSlot child, Time now, Actions& out) {
  if (!settings_->remote) return;
  auto sa = engine_.initiate(settings_, environment_, ikes_.empty());
  if (!sa) {
    ++counts_.attempts_failed;
    retry_at_ = now + backoff(++failures_);
    give_reason({ike::Cause::internal, "its configuration cannot be used for a negotiation", "", "", {}}, now, out);
    return;
  }
  ++counts_.attempts;
  ++counts_.begun;
  evidence_.clear();
  say(out, ike::Notice::Level::debug, "connecting to " + settings_->remote->str());
  ike::Effects effects;
  sa->start(child, now, effects);
  const std::uint64_t spi = sa->local_spi();
  Ike& ike = ikes_[spi];
  ike.sa = std::move(sa);
  ike.ours = true;
  ike.made = ike.since = now;
  if (child != ike::kNoChild) children_.front().requested_on = spi;
  handle(spi, std::move(effects), now, out);
}

void Tunnel::close_all(Time now, Actions& out) {
  std::vector<std::uint64_t> open;
  for (auto& [spi, ike] : ikes_) {
    if (!ike.closing && !ike.closed) open.push_back(spi);
  }
  for (const std::uint64_t spi : open) close(spi, now, out);
}

void Tunnel::close(std::uint64_t spi, Time now, Actions& out) {
  const auto it = ikes_.find(spi);
  if (it == ikes_.end() || it->second.closing) return;
  it->second.closing = true;
  ike::Effects effects;
  it->second.sa->close(now, effects);
  handle(spi, std::move(effects), now, out);
}

// Held outbound SAs whose time has come, or whose child nothing else carries any more.
void Tunnel::use_held(Time now, Actions& out) {
  std::erase_if(held_, [&](const HeldOutbound& h) {
    if (!open(h.ike)) return true;
    Child* c = child(h.sa->child);
    const bool carried =
        std::any_of(c->live.begin(), c->live.end(), [&](const LiveChild& l) { return l.outbound && open(l.ike); });
    if (carried && h.until > now) return false;
    for (LiveChild& l : c->live) {
      if (l.sa->spi_in == h.sa->spi_in) l.outbound = true;
    }
    put(out, settings_->tunnel, ike::UseOutbound{h.sa});
    return true;
  });
}

void Tunnel::close_unwanted(Time now, Actions& out) {
  std::vector<std::uint64_t> unwanted;
  for (const auto& [spi, ike] : ikes_) {
    if ((ike.dead || ike.useless) && !ike.closing && !ike.closed) unwanted.push_back(spi);
    if (ike.dead && !ike.closing) {
      say(out, ike::Notice::Level::info, "the peer began anew: its earlier IKE SA is closed");
    }
  }
  for (const std::uint64_t spi : unwanted) close(spi, now, out);
}

void Tunnel::close_duplicates(Time now, Actions& out) {
  std::vector<std::pair<std::uint64_t, Ike*>> full;
  for (auto& [spi, ike] : ikes_) {
    if (ike.established && !ike.closing && !ike.closed && has_children(spi)) {
      full.emplace_back(spi, &ike);
    } else {
      ike.duplicate_until.reset();
    }
  }
  if (full.size() < 2) {
    for (auto& [spi, ike] : full) ike->duplicate_until.reset();
    return;
  }
  const auto closer = std::min_element(full.begin(), full.end(), [](const auto& a, const auto& b) {
    return a.second->sa->status().spi_initiator < b.second->sa->status().spi_initiator;
  });
  const Time grace = closer->second->ours ? kSettle : kDuplicateGrace;
  const auto newest = std::max_element(full.begin(), full.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second->since, a.first) < std::pair(b.second->since, b.first);
  });
  newest->second->duplicate_until.reset();
  std::vector<std::uint64_t> surplus;
  for (auto& [spi, ike] : full) {
    if (spi == newest->first) continue;
    if (!ike->duplicate_until) ike->duplicate_until = now + grace;
    if (*ike->duplicate_until <= now) surplus.push_back(spi);
  }
  for (const std::uint64_t spi : surplus) {
    say(out, ike::Notice::Level::info, "closing a second IKE SA with the same peer");
    close(spi, now, out);
  }
}

void Tunnel::create_missing_children(Time now, Actions& out) {
  if (!wants_up()) return;
  Ike* ike = best_established();
  const std::uint64_t spi = ike->sa->local_spi();
  // One at a time: the peer may have a window of one.
  if (asked_for_a_child()) return;
  for (Child& c : children_) {
    if (!is_missing(c) || c.retry_at > now) continue;
    c.requested_on = spi;
    ike::Effects effects;
    ike->sa->create_child(c.slot, now, effects);
    handle(spi, std::move(effects), now, out);
    return;
  }
}

void Tunnel::sweep(Time, Actions& out) {
  for (auto it = ikes_.begin(); it != ikes_.end();) {
    if (!it->second.closed) {
      ++it;
      continue;
    }
    abandon_children_of(it->first, out);
    it = ikes_.erase(it);
  }
}

void Tunnel::abandon_children_of(std::uint64_t spi, Actions& out) {
  for (Child& c : children_) {
    for (const LiveChild& l : c.live) {
      if (l.ike != spi) continue;
      if (l.outbound) put(out, settings_->tunnel, ike::RemoveOutbound{l.sa->spi_out, c.slot});
      const Time grace = carried_elsewhere(c, spi) ? kGrace : Time(0);
      if (l.inbound) put(out, settings_->tunnel, ike::RemoveInbound{l.sa->spi_in, c.slot, grace});
    }
    std::erase_if(c.live, [&](const LiveChild& l) { return l.ike == spi; });
  }
}

std::optional<Time> Tunnel::deadline() const {
  std::optional<Time> earliest;
  const auto consider = [&](std::optional<Time> t) {
    if (t && (!earliest || *t < *earliest)) earliest = t;
  };
  for (const auto& [spi, ike] : ikes_) {
    consider(ike.sa->deadline());
    consider(ike.duplicate_until);
  }
  for (const HeldOutbound& h : held_) consider(h.until);
  if (!begun_ || admin_down_) return earliest;
  const Ike* alive = best();
  const bool established = alive != nullptr && alive->established;
  const bool wanted = wants_up() || phase_one_missing() || (needs_name() && !settings_->remote);
  if (!established && !resolving_ && !connecting() && wanted) {
    consider(retry_at_);
  }
  if (established && wants_up()) {
    const bool asked = asked_for_a_child();
    for (const Child& c : children_) {
      if (is_missing(c) && !asked) consider(c.retry_at);
    }
  }
  return earliest;
}

// --- what it is ------------------------------------------------------------------------------------------

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
  return spis;
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

const Tunnel::Ike* Tunnel::best() const {
  const Ike* best = nullptr;
  const auto rank = [](const Ike& i) { return std::tuple(i.established, !i.headless, i.ours, i.since); };
  for (const auto& [spi, ike] : ikes_) {
    if (ike.closing || ike.closed) continue;
    if (best == nullptr || rank(ike) > rank(*best)) best = &ike;
  }
  return best;
}

// The newest that is established: where children are asked for.
Tunnel::Ike* Tunnel::best_established() {
  Ike* best = nullptr;
  for (auto& [spi, ike] : ikes_) {
    if (!ike.established || ike.closing || ike.closed) continue;
    const bool better = best == nullptr || (settings_->config.ike.version == 1 ? outranks(ike, *best)
                                                                                : ike.since >= best->since);
    if (better) best = &ike;
  }
  return best;
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

// Neither up nor on its way to be.
bool Tunnel::is_missing(const Child& c) const {
  return std::none_of(c.live.begin(), c.live.end(), [this](const LiveChild& l) { return open(l.ike); });
}

bool Tunnel::asked_for_a_child() const {
  return std::any_of(children_.begin(), children_.end(), [this](const Child& c) { return open(c.requested_on); });
}

bool Tunnel::all_children_up() const {
  return std::all_of(children_.begin(), children_.end(), [this](const Child& c) { return is_up(c); });
}

bool Tunnel::any_child_up() const {
  return std::any_of(children_.begin(), children_.end(), [this](const Child& c) { return is_up(c); });
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

// Doubles from one second to a minute, give or take a quarter, so that peers that fell together do not
// come back together.
Time Tunnel::backoff(int failures) {
  Time wait = kFirstRetry;
  for (int i = 1; i < failures && wait < kLongestRetry; ++i) wait *= 2;
  wait = std::min(wait, kLongestRetry);
  const auto quarter = static_cast<std::uint32_t>(wait.count() / 4);
  return wait - Time(quarter) + Time(environment_.random().below(2 * quarter + 1));
}

}  // namespace causeway::control

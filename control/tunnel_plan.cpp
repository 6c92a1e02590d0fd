// The second half of Tunnel: what to do next, by what is and what is wanted.
#include <algorithm>
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
  drop_parts();
  drop_resources(now, out);
  update_carried(out);
  watch_state(now);
  if (!begun_) return;
  if (admin_down_) {
    close_all(now, out);
    return;
  }
  use_held(now, out);
  close_unwanted(now, out);
  close_duplicates(now, out);
  gather_children(now, out);
  if (renewing_) renew_phase_one(now, out);
  close_renewed(now, out);
  if (best_established() != nullptr) {
    create_missing_children(now, out);
    renew(now, out);
  } else {
    connect(now, out);
  }
}

void Tunnel::connect(Time now, Actions& out) {
  const bool address_missing = needs_name() && !settings_->remote;
  if (wants_up() || address_missing || phase_one_missing()) begin_attempt(now, out);
}

// Make before break: what is there serves until the new one has taken over.
void Tunnel::renew(Time now, Actions& out) {
  if (renewal_due()) begin_attempt(now, out);
}

void Tunnel::begin_attempt(Time now, Actions& out) {
  if (resolving_ || connecting() || waits_its_turn_ || (retry_at_ && *retry_at_ > now)) return;
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
    const bool counts = !ike.renewing && !ike.trial;
    if (ike.established && !ike.closing && !ike.closed && counts && has_children(spi)) {
      full.emplace_back(spi, &ike);
    } else if (!ike.renewing) {
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
    if (*ike->duplicate_until > now) continue;
    // A peer that reauthenticates asks for its children one by one: what the newest has not yet, this one carries.
    if (all_carried_elsewhere(spi) || newest->second->since + kDuplicateGrace + grace <= now) {
      surplus.push_back(spi);
    } else {
      ike->duplicate_until = now + kSettle;
    }
  }
  for (const std::uint64_t spi : surplus) {
    say(out, ike::Notice::Level::info, "closing a second IKE SA with the same peer");
    close(spi, now, out);
  }
}

// An IKE SA whose place a new one has taken, with all that it carries.
void Tunnel::close_renewed(Time now, Actions& out) {
  std::vector<std::uint64_t> done;
  for (auto& [spi, ike] : ikes_) {
    if (!ike.renewing || !ike.established || ike.closing || ike.closed) continue;
    const Ike* other = best_established();
    const bool carried = other != nullptr && !other->renewing && all_carried_elsewhere(spi);
    if (!carried) {
      ike.duplicate_until.reset();
      continue;
    }
    // Its packets may still be on their way to a peer that forgets an IKE SA's children at once.
    if (!ike.duplicate_until) ike.duplicate_until = now + kSettle;
    if (*ike.duplicate_until <= now) done.push_back(spi);
  }
  for (const std::uint64_t spi : done) {
    say(out, ike::Notice::Level::info, "reauthenticated: a new IKE SA has taken the place of the one before");
    close(spi, now, out);
  }
}

void Tunnel::create_missing_children(Time now, Actions& out) {
  Ike* ike = best_established();
  const std::uint64_t spi = ike->sa->local_spi();
  ask_for_resources(*ike, now);
  // One at a time: the peer may have a window of one.
  if (asked_for_a_child()) return;
  for (Child& c : children_) {
    if (!is_missing(c, *ike) || c.retry_at > now) continue;
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
      const Child* first = c.beside == ike::kNoChild ? &c : child(c.beside);
      const Time grace = first != nullptr && carried_elsewhere(*first, spi) ? kGrace : Time(0);
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
    if (!ike.closing && !ike.closed) consider(ike.duplicate_until);
  }
  for (const HeldOutbound& h : held_) consider(h.until);
  if (!begun_ || admin_down_) return earliest;
  const bool wanted = wants_up() || phase_one_missing() || (needs_name() && !settings_->remote);
  if (best_established() == nullptr && !resolving_ && !connecting() && !waits_its_turn_ && wanted) {
    consider(retry_at_);
  }
  if (renewal_due() && !resolving_ && !connecting()) consider(retry_at_);
  if (const Ike* on = best_established(); on != nullptr && !asked_for_a_child()) {
    for (const Child& c : children_) {
      if (is_missing(c, *on)) consider(c.retry_at);
    }
  }
  return earliest;
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

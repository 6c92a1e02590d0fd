// What the effects of its IKE SAs tell a tunnel: state is recorded and the reason kept, nothing is decided here.
#include <algorithm>
#include <type_traits>
#include <utility>

#include "control/ike/selectors.h"
#include "control/tunnel.h"

namespace causeway::control {

namespace {

constexpr std::size_t kHistory = 64;
constexpr std::size_t kFalls = 32;
constexpr std::size_t kSaid = 16;
constexpr Time kGrace{5000};  // for packets on their way when their SA goes

}  // namespace

// True where the effect is the world's to carry out.
bool Tunnel::pass_on(ike::Effect& effect, Actions& out) {
  return std::visit(
      [&](auto& e) {
        if constexpr (std::is_constructible_v<What, decltype(std::move(e))>) {
          put(out, settings_->tunnel, std::move(e));
          return true;
        } else {
          return false;
        }
      },
      effect);
}

// Keeps back what would move a child's traffic to an SA that the peer may not have yet, and forgets what was
// kept back for an SA that goes.
bool Tunnel::hold(std::uint64_t spi, const Ike& ike, ike::Effect& effect, Time now) {
  if (const auto* gone = std::get_if<ike::RemoveOutbound>(&effect)) {
    return std::erase_if(held_, [&](const HeldOutbound& h) {
             return h.sa->spi_out == gone->spi && h.sa->child == gone->child;
           }) != 0;
  }
  const auto* use = std::get_if<ike::UseOutbound>(&effect);
  if (use == nullptr || ike.ours) return false;
  const Child* c = child(use->sa->child);
  if (c == nullptr) return false;
  const bool carried = carried_elsewhere(*c, spi);
  if (carried) held_.push_back({spi, now + Time(1000), use->sa});
  return carried;
}

// Where another IKE SA carries the child on, packets of the one that goes may still be on their way.
void Tunnel::lengthen_grace(std::uint64_t spi, ike::Effect& effect) {
  auto* gone = std::get_if<ike::RemoveInbound>(&effect);
  if (gone == nullptr) return;
  const Child* c = child(gone->child);
  if (c != nullptr && c->beside != ike::kNoChild) c = child(c->beside);
  if (c != nullptr && carried_elsewhere(*c, spi)) gone->after = std::max(gone->after, kGrace);
}

void Tunnel::handle(std::uint64_t spi, ike::Effects effects, Time now, Actions& out) {
  for (ike::Effect& effect : effects) {
    const auto it = ikes_.find(spi);
    if (it == ikes_.end()) break;
    if (hold(spi, it->second, effect, now)) continue;
    lengthen_grace(spi, effect);
    track(spi, effect, now);
    if (!pass_on(effect, out)) on_event(spi, it->second, effect, now, out);
  }
  reconcile(now, out);
}

void Tunnel::on_event(std::uint64_t spi, Ike& ike, ike::Effect& effect, Time now, Actions& out) {
  if (const auto* established = std::get_if<ike::IkeEstablished>(&effect)) {
    on_established(ike, established->initial_contact, now, out);
  } else if (const auto* up = std::get_if<ike::ChildEstablished>(&effect)) {
    on_child_established(ike, *up, now, out);
  } else if (const auto* closed = std::get_if<ike::ChildClosed>(&effect)) {
    on_child_closed(ike, *closed, now, out);
  } else if (const auto* refused = std::get_if<ike::ChildFailed>(&effect)) {
    on_child_failed(ike, *refused, now, out);
  } else if (auto* successor = std::get_if<ike::NewIkeSa>(&effect)) {
    on_successor(std::move(successor->successor), ike, now);
  } else if (const auto* moved = std::get_if<ike::ChildrenMoved>(&effect)) {
    on_children_moved(moved->from != 0 ? moved->from : spi, moved->to);
  } else if (const auto* lost = std::get_if<ike::PhaseOneLost>(&effect)) {
    on_phase_one_lost(ike, lost->reason, now, out);
  } else if (std::holds_alternative<ike::RenewIke>(effect)) {
    on_renewal_due(ike, now, out);
  } else if (const auto* refusal = std::get_if<ike::RekeyRefused>(&effect)) {
    ++(refusal->child == ike::kNoChild ? counts_.ike_rekeys_refused : counts_.child_rekeys_refused);
    reason_ = refusal->reason;
    note(now, refusal->reason.text);
  } else if (const auto* end = std::get_if<ike::IkeClosed>(&effect)) {
    on_closed(ike, end->reason, now, out);
  }
}

void Tunnel::on_established(Ike& ike, bool initial_contact, Time now, Actions& out) {
  if (initial_contact) {  // but not those that were made at the same time: the peer did not have them yet
    const ike::IkeStatus fresh = ike.sa->status();
    for (auto& [spi, other] : ikes_) {
      if (&other == &ike || !(other.established || other.headless) || other.since >= ike.made) continue;
      const ike::IkeStatus before = other.sa->status();  // a tunnel to any peer may have several
      if (before.remote_id == fresh.remote_id && before.local_id == fresh.local_id) other.dead = true;
    }
  }
  ike.established = true;
  ike.since = now;
  for (auto& [spi, other] : ikes_) {  // RFC 7296 2.4: what an attempt under way has still to say must be true by then
    if (other.ours && !other.established) other.sa->not_alone();
  }
  ++counts_.established;
  if (ike.ours) ++counts_.established_by_us;
  remember_nat(ike);
  const ike::IkeStatus s = ike.sa->status();
  NegotiationTimes& n = negotiation_;
  n.min = n.count == 0 ? s.negotiation_time : std::min(n.min, s.negotiation_time);
  n.max = std::max(n.max, s.negotiation_time);
  n.total += s.negotiation_time;
  ++n.count;
  const std::string text = std::string("IKE SA established as ") + (ike.ours ? "initiator" : "responder") + " with " +
                           s.remote.str() + " (" + s.remote_id + "), " + s.suite;
  note(now, text);
  say(out, ike::Notice::Level::info, text);
  if (ike.ours) return;
  // The peer began: it is its turn to ask for the children; we ask for what it leaves out.
  for (Child& c : children_) c.retry_at = std::max(c.retry_at, now + Time(5000));
}

void Tunnel::on_child_established(Ike& ike, const ike::ChildEstablished& e, Time now, Actions& out) {
  Child* c = child(e.sa->child);
  if (c == nullptr) return;
  ike.had_child = true;
  c->requested_on = 0;
  c->failures = 0;
  c->reason = {};
  if (e.rekey) {
    ++counts_.rekeyed;
    reason_ = {};  // a rekey that was refused before goes now
    say(out, ike::Notice::Level::info, c->name + " rekeyed");
    return;
  }
  ++counts_.children_created;
  if (c->beside != ike::kNoChild) return say(out, ike::Notice::Level::info, c->name + " established, for one worker");
  remember_packet(c->slot, std::nullopt);
  ask_for_the_rest(*e.sa, ike.ours, now, out);
  c = child(e.sa->child);  // the parts may have moved it
  failures_ = 0;
  reason_ = {};
  evidence_.clear();
  said_.clear();
  version_probe_.forget();
  if (all_children_up()) pressed_ = traffic_wanted_ = false;
  const std::string text = c->name + " established, " + e.sa->suite.name() + (e.sa->udp_encap ? " in UDP" : "");
  note(now, text);
  say(out, ike::Notice::Level::info, text);
}

void Tunnel::on_child_closed(Ike& ike, const ike::ChildClosed& e, Time now, Actions& out) {
  Child* c = child(e.child);
  if (c == nullptr) return;
  if (c->requested_on == ike.sa->local_spi()) c->requested_on = 0;
  if (e.replaced) return;
  if (c->beside != ike::kNoChild) return on_resource_closed(*c, ike.sa->local_spi(), e.reason, now, out);
  if (c->part_of != ike::kNoChild && !carried_elsewhere(*c, ike.sa->local_spi())) c->asked_once = true;
  c->reason = e.reason;
  c->retry_at = std::max(c->retry_at, now + backoff(c->failures));
  note(now, c->name + " closed: " + e.reason.text);
  if (ike.closing || admin_down_) return;
  if (carried_elsewhere(*c, ike.sa->local_spi())) {
    say(out, ike::Notice::Level::debug, c->name + ": a second pair of its SAs is closed");
  } else if (any_child_up()) {
    say(out, ike::Notice::Level::info, c->name + " closed: " + e.reason.text);
  } else {
    give_reason(e.reason, now, out);
  }
}

void Tunnel::on_child_failed(Ike& ike, const ike::ChildFailed& e, Time now, Actions& out) {
  if (Child* c = child(e.child); c != nullptr && c->beside != ike::kNoChild) return on_resource_failed(*c, e.reason, now);
  ++counts_.children_failed;
  if (Child* c = child(e.child)) {
    if (c->requested_on != 0) ++counts_.attempts_failed;
    c->requested_on = 0;
    c->reason = e.reason;
    c->retry_at = now + backoff(++c->failures);
    if (c->part_of != ike::kNoChild) {
      c->asked_once = true;
      return say(
          out, ike::Notice::Level::warning,
          c->name + ": the peer leaves " + ike::str(c->selectors) + " out, which does not pass: " + e.reason.text);
    }
  }
  traffic_wanted_ = false;
  if (ike.ours && !ike.had_child) {  // nothing to keep it for: all is tried anew, after a while
    ike.useless = true;
    retry_at_ = now + backoff(++failures_);
  }
  give_reason(e.reason, now, out);
}

void Tunnel::on_successor(std::unique_ptr<ike::IkeSa> successor, const Ike& before, Time now) {
  if (!successor) return;
  ++counts_.rekeyed;
  ++counts_.ike_rekeyed;
  const std::uint64_t next = successor->local_spi();
  Ike& ike = ikes_[next];
  ike.sa = std::move(successor);
  ike.ours = before.ours;
  ike.renewing = before.renewing;
  ike.established = true;
  ike.made = ike.since = now;
  ike.had_child = true;
}

void Tunnel::on_renewal_due(Ike& ike, Time now, Actions& out) {
  if (settings_->config.ike.version == 1) {
    renewing_ = true;
    return;
  }
  if (!may_initiate()) return say(out, ike::Notice::Level::info, "it is time that the peer reauthenticates");
  ike.renewing = true;
  if (!connecting()) retry_at_ = now;
  say(out, ike::Notice::Level::debug, "reauthentication: a new IKE SA is begun beside the one in use");
}

// Not with the successor itself: where both sides rekey at once there are two, and one inherits (RFC 7296 2.8.2).
void Tunnel::on_children_moved(std::uint64_t from, std::uint64_t to) {
  for (HeldOutbound& h : held_) {
    if (h.ike == from) h.ike = to;
  }
  for (Child& c : children_) {
    for (LiveChild& l : c.live) {
      if (l.ike == from) l.ike = to;
    }
    if (c.requested_on == from) c.requested_on = 0;
  }
}

void Tunnel::on_closed(Ike& ike, const ike::Reason& reason, Time now, Actions& out) {
  remember_nat(ike);
  ike.closed = true;
  const std::uint64_t spi = ike.sa->local_spi();
  for (Child& c : children_) {
    if (c.requested_on == spi) c.requested_on = 0;
    if (c.beside != ike::kNoChild && c.live.empty()) c.asked_once = false;  // another IKE SA may take it
  }
  const bool another = std::any_of(ikes_.begin(), ikes_.end(), [](const auto& entry) {
    return entry.second.established && !entry.second.closed && !entry.second.closing;
  });
  if (ike.established || ike.headless || ike.closing || reason.cause == ike::Cause::replaced) {
    note(now, "IKE SA closed: " + reason.text);
    if (another || admin_down_ || reason.cause == ike::Cause::replaced) return;
    retry_at_ = now + backoff(failures_);
    if (!ike.had_child && reason_.cause != ike::Cause::none) return;  // why it had none is known
    give_reason(reason, now, out);
    return;
  }
  if (ike.ours && reason.childless && !settings_->childless) {  // not a failure: begun again the other way
    auto changed = std::make_shared<ike::PeerSettings>(*settings_);
    changed->childless = true;
    settings_ = std::move(changed);
    retry_at_ = now;
    note(now, reason.text);
    return say(out, ike::Notice::Level::info, reason.text);
  }
  if (ike.ours) {  // an attempt that came to nothing
    ++counts_.attempts_failed;
    ++failures_;
    retry_at_ = now + backoff(failures_);
    traffic_wanted_ = false;
    if (another) {
      ++counts_.ike_rekeys_refused;
      say(out, ike::Notice::Level::warning, "a new IKE SA beside the one in use did not come up: " + reason.text);
    } else {
      give_reason_of_attempt(reason, now, out);
    }
    return;
  }
  ++counts_.refused;
  // A half-open one of the peer's. That it went silent says nothing; that it failed, much.
  const bool says_nothing = reason.cause == ike::Cause::peer_silent || reason.cause == ike::Cause::expired;
  if (another || admin_down_ || (says_nothing && reason_.cause != ike::Cause::none)) return;
  give_reason(reason, now, out);
}

void Tunnel::remember_nat(const Ike& ike) {
  const ike::IkeStatus s = ike.sa->status();
  if (!s.nat_us && !s.nat_peer && !s.established) return;  // it did not come so far as to know
  nat_seen_us_ = s.nat_us;
  nat_seen_peer_ = s.nat_peer;
}

// Up to down is a fall, with the reason that was given for it.
void Tunnel::watch_state(Time now) {
  const bool up = any_child_up();
  if (up == up_since_.has_value()) return;
  if (up) {
    up_since_ = last_esp_ = now;
    return;
  }
  falls_.push_back({now, now - *up_since_, now - last_esp_, admin_down_, reason_});
  if (falls_.size() > kFalls) falls_.pop_front();
  ++fallen_;
  up_since_.reset();
}

// Keeps the safe-side record of what is installed: nothing stays behind in the data path, whatever an
// IKE SA forgets.
void Tunnel::track(std::uint64_t ike, const ike::Effect& effect, Time now) {
  const auto drop_gone = [](Child& c) {
    std::erase_if(c.live, [](const LiveChild& l) { return !l.inbound && !l.outbound; });
  };
  if (const auto* in = std::get_if<ike::InstallInbound>(&effect)) {
    Child* c = child(in->sa->child);
    if (c == nullptr && child(in->sa->part_of) != nullptr) {
      c = &add_part(in->sa->child, in->sa->part_of, in->sa->selectors);
    }
    if (c == nullptr && child(in->sa->beside) != nullptr) {
      c = &add_resource(in->sa->child, in->sa->beside, in->sa->resource);
    }
    if (c != nullptr) c->live.push_back({in->sa, ike, now, true, false});
  } else if (const auto* use = std::get_if<ike::UseOutbound>(&effect)) {
    if (Child* c = child(use->sa->child)) {
      for (LiveChild& l : c->live) {
        if (l.sa->spi_in == use->sa->spi_in) l.outbound = true;
      }
    }
  } else if (const auto* gone_in = std::get_if<ike::RemoveInbound>(&effect)) {
    if (Child* c = child(gone_in->child)) {
      for (LiveChild& l : c->live) {
        if (l.sa->spi_in == gone_in->spi) l.inbound = false;
      }
      drop_gone(*c);
    }
  } else if (const auto* gone_out = std::get_if<ike::RemoveOutbound>(&effect)) {
    if (Child* c = child(gone_out->child)) {
      for (LiveChild& l : c->live) {
        if (l.sa->spi_out == gone_out->spi) l.outbound = false;
      }
      drop_gone(*c);
    }
  }
}

void Tunnel::give_reason(const ike::Reason& reason, Time now, Actions& out) {
  const bool first = reason_.text != reason.text;
  reason_ = reason;
  if (!evidence_.empty() && reason.cause == ike::Cause::peer_silent) reason_.text += " (" + evidence_ + ")";
  if (two_addresses() != nullptr && reason.cause == ike::Cause::peer_silent) reason_.text += "; " + two_addresses_text();
  const std::string text = reason_.text;
  if (first) note(now, text);
  const bool up = any_child_up();
  const std::string subject = up ? "" : "down: ";
  if (said_.size() >= kSaid || !said_.insert(text).second) {  // a peer that varies its errors does not fill the log
    say(out, ike::Notice::Level::debug, subject + text);
    return;
  }
  std::string offers;
  if (!reason.ours.empty()) offers += "; ours: " + reason.ours;
  if (!reason.theirs.empty()) offers += "; theirs: " + reason.theirs;
  say(out, ike::Notice::Level::warning, subject + text + offers);
}

void Tunnel::note(Time now, std::string text) {
  history_.push_back({now, std::move(text)});
  if (history_.size() > kHistory) history_.pop_front();
}

void Tunnel::say(Actions& out, ike::Notice::Level level, std::string text) const {
  put(out, settings_->tunnel, ike::Notice{level, std::move(text)});
}

}  // namespace causeway::control

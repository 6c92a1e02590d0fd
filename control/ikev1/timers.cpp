#include "control/ikev1/timers.h"

#include <algorithm>
#include <utility>

#include "control/ikev1/child.h"
#include "control/ikev1/informational.h"
#include "control/ikev1/quick_mode.h"
#include "control/ikev1/reasons.h"

namespace causeway::ikev1 {

namespace {

constexpr ike::Time kKeepalive{20000};   // RFC 3948 4
constexpr ike::Time kRenewAgain{10000};  // should the renewal not come to anything

bool alive(const Session& s) { return s.stage == Stage::established; }

std::optional<ike::Time> keepalive_at(const Session& s) {
  if (!alive(s) || !s.nat_us || s.replaced) return std::nullopt;
  return s.last_sent + kKeepalive;
}

// Phase 1 of ours, not established yet.
void repeat_phase1(Session& s, Step& step) {
  if (!s.last.timer || s.last.timer->deadline() > step.now) return;
  const int sent = s.last.timer->transmissions();
  // A refusal that came unprotected may be forged, so it was given time to be contradicted; now it counts.
  const bool refused = s.stage == Stage::first_sent && s.evidence.refusal;
  const auto due = refused ? ike::Retransmission::Due::give_up : s.last.timer->poll(step.now);
  if (due == ike::Retransmission::Due::send_again) {
    ++s.retransmitted;
    return send_datagram(s, s.last.sent, step);
  }
  if (due == ike::Retransmission::Due::give_up) finish(s, reasons::silent(s, step.now - s.started_at, sent), step);
}

// The lifetime of phase 1: renewed in time by another one beside it, or else at its end it goes alone.
void lifetime_due(Session& s, Step& step) {
  if (s.rekey_at && *s.rekey_at <= step.now) {
    s.rekey_at = step.now + kRenewAgain;
    if (!s.replaced && s.peer.config().role != conf::Role::responder) step.out.emplace_back(ike::RenewIke{});
  }
  if (s.expire_at && *s.expire_at <= step.now) {
    s.expire_at.reset();
    if (s.children.empty() && !s.replaced) return close_politely(s, reasons::expired("phase 1 with " + s.peer_name()), step);
    return lose(s, reasons::expired("phase 1 with " + s.peer_name()), step);
  }
  if (s.delete_at && *s.delete_at <= step.now) {
    s.delete_at.reset();
    if (!s.replaced) return;
    if (alive(s)) send_phase1_delete(s, step);
    finish(s, reasons::replaced(), step);
  }
}

}  // namespace

std::optional<ike::Time> deadline(const Session& s) {
  if (s.stage == Stage::closed || s.stage == Stage::fresh) return std::nullopt;
  std::optional<ike::Time> next;
  const auto consider = [&](const std::optional<ike::Time>& t) {
    if (t) next = next ? std::min(*next, *t) : *t;
  };
  if (s.last.timer) consider(s.last.timer->deadline());
  consider(s.give_up_at);
  consider(s.delete_at);
  consider(next_child_event(s));
  if (!alive(s)) return next;
  consider(s.rekey_at);
  consider(s.expire_at);
  consider(s.handshake_until);
  consider(next_quick_event(s));
  consider(next_liveness_event(s));
  consider(keepalive_at(s));
  const bool asking = std::ranges::any_of(s.quicks, [](const Quick& q) { return q.ours && !q.done; });
  if (!asking && !s.replaced) {
    for (const Task& t : s.tasks) consider(t.not_before);
  }
  return next;
}

void tick(Session& s, Step& step) {
  if (s.stage == Stage::closed || s.stage == Stage::fresh) return;
  repeat_phase1(s, step);
  if (s.stage != Stage::closed && s.give_up_at && *s.give_up_at <= step.now) {
    return finish(s, reasons::half_open(s, step.now - s.started_at), step);
  }
  if (alive(s)) liveness_due(s, step);
  if (alive(s)) quick_due(s, step);
  if (s.stage != Stage::closed) children_due(s, step);
  if (s.stage == Stage::lost && s.children.empty() && !s.replaced) return finish(s, *s.lost_reason, step);
  if (s.stage != Stage::closed) lifetime_due(s, step);
  if (!alive(s)) return;
  if (s.handshake_until && *s.handshake_until <= step.now) {
    s.handshake_until.reset();
    s.handshake.reset();
    s.last = {};
  }
  if (const auto at = keepalive_at(s); at && *at <= step.now) {
    step.out.emplace_back(ike::SendKeepalive{s.local, s.remote});
    s.last_sent = step.now;
  }
  pump(s, step);
}

}  // namespace causeway::ikev1

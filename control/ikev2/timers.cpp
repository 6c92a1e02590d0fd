#include "control/ikev2/timers.h"

#include <algorithm>
#include <utility>

#include "control/ikev2/child.h"
#include "control/ikev2/first_answers.h"
#include "control/ikev2/reasons.h"
#include "control/ikev2/resources.h"

namespace causeway::ikev2 {

namespace {

constexpr ike::Time kKeepalive{20000};  // RFC 3948 4

bool alive(const Session& s) { return s.stage == Stage::established || s.stage == Stage::closing; }

std::optional<ike::Time> liveness_at(const Session& s) {
  const auto idle = std::chrono::duration_cast<ike::Time>(s.peer.config().ike.dpd.idle);
  const bool asks = s.stage == Stage::established && !s.replaced && !s.redundant && !undecided(s);
  if (!asks || idle.count() <= 0 || !s.requests.free()) return std::nullopt;
  return s.last_heard + idle;
}

std::optional<ike::Time> keepalive_at(const Session& s) {
  if (s.stage != Stage::established || !s.nat_us || s.replaced || s.redundant) return std::nullopt;
  return s.last_sent + kKeepalive;
}

void on_silence(Session& s, Step& step) {
  const int sent = s.requests.timer() ? s.requests.timer()->transmissions() : 0;
  const auto total = alive(s) && s.requests.timer() ? s.requests.timer()->total() : step.now - s.started_at;
  ike::Reason reason = reasons::silent(s, total, sent);
  if (s.handshake && s.handshake->failure) reason = s.handshake->failure->reason;
  if (s.close_reason) reason = *s.close_reason;
  finish(s, std::move(reason), step);
}

void retransmit(Session& s, Step& step) {
  auto& timer = s.requests.timer();
  if (!timer || timer->deadline() > step.now) return;
  // A refusal that came unprotected may be forged, so it was given time to be contradicted; now it counts.
  const bool cookie = s.handshake && s.handshake->asked_cookie;
  if (s.stage == Stage::init_sent && s.evidence.refusal && !cookie) return on_silence(s, step);
  switch (timer->poll(step.now)) {
    case ike::Retransmission::Due::no:
      return;
    case ike::Retransmission::Due::send_again:
      return send_again(s, step);
    case ike::Retransmission::Due::give_up:
      if (!resume_parked(s)) return on_silence(s, step);
      return retransmit(s, step);  // that one may be due as well
  }
}

void children_due(Session& s, Step& step) {
  for (Child& c : s.children) {
    if (c.use_at && *c.use_at <= step.now) use_at_last(s, c, step);
    if (c.rekey_at && *c.rekey_at <= step.now) {
      c.rekey_at.reset();
      if (!c.closing && c.replaced_by == 0) {
        add_task(s, Task{.kind = Task::Kind::rekey_child, .slot = c.sa->child, .spi = c.sa->spi_in});
      }
    }
    if (c.expire_at && *c.expire_at <= step.now) {
      c.expire_at.reset();
      if (c.closing) continue;
      c.close_reason = c.rekey_failure.value_or(reasons::expired("the child"));
      if (c.redundant) c.close_reason = reasons::replaced();
      // A peer that cannot rekey gets a new IKE SA in place of the old one (2.8).
      if (s.no_more_children && c.replaced_by == 0) return close_politely(s, *c.close_reason, step);
      c.closing = true;
      add_task(s, Task{.kind = Task::Kind::delete_child, .slot = c.sa->child, .spi = c.sa->spi_in});
    }
  }
}

}  // namespace

std::optional<ike::Time> deadline(const Session& s) {
  if (s.stage == Stage::closed || s.stage == Stage::fresh) return std::nullopt;
  std::optional<ike::Time> next;
  const auto consider = [&](const std::optional<ike::Time>& t) {
    if (t) next = next ? std::min(*next, *t) : *t;
  };
  if (s.requests.timer()) consider(s.requests.timer()->deadline());
  consider(s.give_up_at);
  consider(parked_deadline(s));
  consider(liveness_at(s));
  consider(keepalive_at(s));
  if (alive(s)) {
    consider(s.rekey_at);
    consider(s.renew_at);
    consider(s.expire_at);
    for (const Child& c : s.children) {
      consider(c.rekey_at);
      consider(c.expire_at);
      consider(c.use_at);
    }
    if (s.requests.free() && (s.stage == Stage::closing || !undecided(s))) {
      for (const Task& t : s.tasks) consider(t.not_before);
    }
  }
  return next;
}

void tick(Session& s, Step& step) {
  if (s.stage == Stage::closed || s.stage == Stage::fresh) return;
  retransmit(s, step);
  tick_parked(s, step);
  if (s.give_up_at && *s.give_up_at <= step.now) {
    if (s.handshake && s.handshake->failure) return settle(s, step);
    const auto waited = step.now - s.started_at;
    return finish(s, s.close_reason.value_or(reasons::half_open(s, waited)), step);
  }
  if (!alive(s)) return;
  if (s.rekey_at && *s.rekey_at <= step.now) {
    s.rekey_at.reset();
    if (s.stage == Stage::established && !s.replaced) add_task(s, Task{.kind = Task::Kind::rekey_ike});
  }
  if (s.renew_at && *s.renew_at <= step.now) {
    s.renew_at.reset();
    if (s.stage == Stage::established && !s.replaced && !s.redundant) step.out.emplace_back(ike::RenewIke{});
  }
  if (s.expire_at && *s.expire_at <= step.now) {
    s.expire_at.reset();
    close_politely(s, reasons::expired("the IKE SA with " + s.peer_name()), step);
  }
  children_due(s, step);
  pump(s, step);
  if (const auto at = liveness_at(s); at && *at <= step.now) {
    add_task(s, Task{.kind = Task::Kind::liveness});
    pump(s, step);
  }
  if (const auto at = keepalive_at(s); at && *at <= step.now) {
    step.out.emplace_back(ike::SendKeepalive{s.local, s.remote});
    s.last_sent = step.now;
  }
}

}  // namespace causeway::ikev2

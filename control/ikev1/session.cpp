#include "control/ikev1/session.h"

#include <algorithm>
#include <utility>

#include "control/ikev1/child.h"
#include "control/ikev1/informational.h"
#include "control/ikev1/quick_mode.h"
#include "control/ikev1/reasons.h"

namespace causeway::ikev1 {

namespace {

// As IKEv2's first messages: 2, 3.6, 6.5, 8, 8 s.
constexpr ike::RetransmitSchedule kHandshake{ike::Time{2000}, 180, ike::Time{8000}, 5};

}  // namespace

Child* Session::child_by_inbound(std::uint32_t spi) {
  const auto it = std::ranges::find_if(children, [&](const Child& c) { return c.sa->spi_in == spi; });
  return it == children.end() ? nullptr : &*it;
}

Child* Session::child_by_outbound(std::uint32_t spi) {
  const auto it = std::ranges::find_if(children, [&](const Child& c) { return c.sa->spi_out == spi; });
  return it == children.end() ? nullptr : &*it;
}

Child* Session::current(ike::ChildSlot slot) {
  const auto it =
      std::ranges::find_if(children, [&](const Child& c) { return c.sa->child == slot && c.replaced_by == 0; });
  return it == children.end() ? nullptr : &*it;
}

ike::RetransmitSchedule handshake_schedule() { return kHandshake; }

ike::Header header_of(const Session& s, ike::Exchange exchange, std::uint32_t id) {
  ike::Header h;
  h.initiator_spi = s.cookies.initiator;
  h.responder_spi = s.cookies.responder;
  h.major = 1;
  h.exchange = exchange;
  h.message_id = id;
  return h;
}

void send_datagram(Session& s, const ike::Bytes& message, Step& step) {
  s.last_sent = step.now;
  if (message.size() <= kFragmentedFrom || !s.vendors.fragmentation || !s.peer.config().ike.fragment) {
    step.out.emplace_back(ike::Send{s.local, s.remote, message});
    return;
  }
  for (ike::Bytes& piece : cut(message, s.next_fragment_id)) {
    step.out.emplace_back(ike::Send{s.local, s.remote, std::move(piece)});
  }
  ++s.next_fragment_id;
}

ike::Bytes fresh_nonce(Session& s) {
  ike::Bytes nonce(32);
  s.env->random().fill(nonce);
  return nonce;
}

std::uint64_t fresh_cookie(ike::Environment& env) {
  std::uint64_t cookie = 0;
  while (cookie == 0) cookie = env.random().next_u64();
  return cookie;
}

std::uint32_t fresh_message_id(Session& s) {
  std::uint32_t id = 0;
  while (id == 0 || s.used_ids.contains(id)) id = static_cast<std::uint32_t>(s.env->random().next_u64());
  s.used_ids.insert(id);
  return id;
}

ike::Time rekey_time(Session& s, ike::Time now, std::uint64_t lifetime_s, int percent) {
  const auto ms = static_cast<std::int64_t>(lifetime_s) * 1000;
  const auto jitter = static_cast<std::int64_t>(s.env->random().below(1000));
  return now + ike::Time{ms / 100 * percent + ms / 10 * jitter / 1000};
}

void add_task(Session& s, Task task) {
  const auto same = [&](ike::ChildSlot slot, std::uint32_t replaces) {
    return slot == task.slot && replaces == task.replaces;
  };
  if (std::ranges::any_of(s.quicks, [&](const Quick& q) { return q.ours && !q.done && same(q.slot, q.replaces); }))
    return;
  if (std::ranges::any_of(s.tasks, [&](const Task& t) { return same(t.slot, t.replaces); })) return;
  s.tasks.push_back(task);
}

void pump(Session& s, Step& step) {
  while (s.stage == Stage::established && !s.replaced) {
    if (std::ranges::any_of(s.quicks, [](const Quick& q) { return q.ours && !q.done; })) return;
    const auto due = std::ranges::find_if(s.tasks, [&](const Task& t) { return t.not_before <= step.now; });
    if (due == s.tasks.end()) return;
    const Task task = *due;
    s.tasks.erase(due);
    request_child(s, task, step);
  }
}

namespace {

// Quick modes under way end with their phase 1; what we asked for is asked again on the next one.
void drop_quicks(Session& s, Step& step) {
  for (Quick& q : s.quicks) {
    if (q.child && !q.done) step.out.emplace_back(ike::RemoveInbound{q.child->sa->spi_in, q.slot, ike::Time{0}});
    if (q.spi != 0) s.env->release_spi(q.spi);
    if (q.ours && !q.done && q.replaces != 0) s.tasks.push_back(Task{.slot = q.slot, .replaces = q.replaces});
  }
  s.quicks.clear();
}

}  // namespace

void lose(Session& s, ike::Reason reason, Step& step) {
  if (s.stage == Stage::closed || s.stage == Stage::lost) return;
  if (s.stage != Stage::established || s.replaced || s.children.empty() || s.peer.config().child_follows_ike) {
    return finish(s, s.replaced ? reasons::replaced() : std::move(reason), step);
  }
  drop_quicks(s, step);
  s.stage = Stage::lost;
  s.protection.reset();
  s.rekey_at.reset();
  s.expire_at.reset();
  s.dpd = {};
  s.handshake.reset();
  s.last = {};
  s.lost_reason = reason;
  step.out.emplace_back(ike::PhaseOneLost{std::move(reason)});
}

void finish(Session& s, ike::Reason reason, Step& step) {
  if (s.stage == Stage::closed) return;
  drop_quicks(s, step);
  s.tasks.clear();
  while (!s.children.empty()) remove_child(s, s.children.front().sa->spi_in, ike::Time{0}, reason, step);
  s.stage = Stage::closed;
  s.handshake.reset();
  s.last = {};
  step.out.emplace_back(ike::IkeClosed{std::move(reason)});
}

void close_politely(Session& s, ike::Reason reason, Step& step) {
  if (s.stage == Stage::established) {
    // Phase 2 does not end with phase 1 at the peer either: each is named.
    std::vector<std::uint32_t> spis;
    for (const Child& c : s.children) spis.push_back(c.sa->spi_in);
    if (!spis.empty()) send_child_delete(s, spis, step);
    send_phase1_delete(s, step);
  }
  finish(s, std::move(reason), step);
}

}  // namespace causeway::ikev1

#include "control/ikev1/child.h"

#include <algorithm>
#include <utility>

#include "control/ikev1/informational.h"
#include "control/ikev1/reasons.h"

namespace causeway::ikev1 {

namespace {

constexpr ike::Time kSwitch{5000};        // after a rekey of ours: the peer may get its third message late
constexpr ike::Time kSwitchMargin{500};   // but before the old pair ends
constexpr ike::Time kDeleteSoon{5000};    // the old pair, once the peer was seen to use the new one
constexpr ike::Time kDeleteLate{30000};   // and if it was not
constexpr ike::Time kSettle{2000};        // between a new phase 1 and the DELETE of the old one
constexpr std::uint32_t kSettleSpread = 2000;
constexpr ike::Time kOtherSettles{30000};  // where that is the peer's to do
constexpr std::size_t kMaxPerSlot = 8;     // pairs of one child: more than that is the peer's mistake
constexpr int kRekeyPercent = 80, kRekeyPercentResponder = 90;

std::uint64_t shorter(const std::optional<std::uint64_t>& a, const std::optional<std::uint64_t>& b) {
  if (!a || *a == 0) return b.value_or(0);
  if (!b || *b == 0) return *a;
  return std::min(*a, *b);
}

std::uint32_t lowest_spi(const Child& c) { return std::min(c.sa->spi_in, c.sa->spi_out); }

void replace(Child& old, const Child& by, ike::Time now) {
  old.replaced_by = by.sa->spi_in;
  old.rekey_at.reset();
  old.use_at.reset();
  // Who made the new one deletes the old; of two made at once, who made the redundant one.
  const bool redundant = old.replaces == by.replaces;
  if (redundant ? old.ours : by.ours) old.delete_at = now + kDeleteLate;
}

// The oldest pairs of a slot go, should a peer pile them up.
void bound(Session& s, ike::ChildSlot slot, Step& step) {
  const auto count =
      std::ranges::count_if(s.children, [&](const Child& c) { return c.sa->child == slot; });
  if (static_cast<std::size_t>(count) <= kMaxPerSlot) return;
  const auto oldest = std::ranges::find_if(
      s.children, [&](const Child& c) { return c.sa->child == slot && c.replaced_by != 0 && !c.outbound; });
  if (oldest == s.children.end()) return;
  const std::uint32_t spi = oldest->sa->spi_in;
  send_child_delete(s, {spi}, step);
  remove_child(s, spi, kInboundGrace, reasons::replaced(), step);
}

}  // namespace

Child make_child(Session& s, const Quick& q, const Transform& taken, const ike::Choice& choice, std::uint32_t spi_out,
                 const crypto::Secret& shared, ike::Time now) {
  const auto suite = choice.esp_suite();
  ChildKeys in = child_keys(s.suite.prf, s.keys.d, shared, q.spi, q.nonces, suite);
  ChildKeys out = child_keys(s.suite.prf, s.keys.d, shared, spi_out, q.nonces, suite);
  auto sa = std::make_shared<ike::ChildSa>();
  sa->tunnel = s.peer.settings->tunnel;
  sa->child = q.slot;
  sa->spi_in = q.spi;
  sa->spi_out = spi_out;
  sa->suite = suite;
  sa->encryption_in = std::move(in.encryption);
  sa->integrity_in = std::move(in.integrity);
  sa->encryption_out = std::move(out.encryption);
  sa->integrity_out = std::move(out.integrity);
  sa->selectors = q.selectors;
  sa->local = s.local;
  sa->remote = s.remote;
  sa->udp_encap = taken.encapsulation == Encapsulation::udp_tunnel ||
                  taken.encapsulation == Encapsulation::udp_tunnel_draft;
  sa->peer_behind_nat_only = s.nat_peer && !s.nat_us;
  if (choice.key_exchange != crypto::KeyExchange::none) sa->key_exchange = ike::name(choice.key_exchange);

  Child child;
  child.sa = std::move(sa);
  child.ours = q.ours;
  child.replaces = q.replaces;
  child.made_at = now;
  const std::uint64_t seconds = shorter(s.peer.esp_lifetime().seconds, taken.life.seconds);
  if (seconds != 0) {
    child.rekey_at = rekey_time(s, now, seconds, q.ours ? kRekeyPercent : kRekeyPercentResponder);
    child.expire_at = now + std::chrono::seconds(static_cast<std::int64_t>(std::min<std::uint64_t>(seconds, 1U << 30)));
  }
  return child;
}

void use_outbound(Session& s, Child& child, Step& step) {
  child.use_at.reset();
  if (child.outbound || child.spent) return;
  step.out.emplace_back(ike::UseOutbound{child.sa});
  for (Child& other : s.children) {
    if (&other != &child && other.sa->child == child.sa->child) stop_outbound(other, step);
  }
  child.outbound = true;
}

void stop_outbound(Child& child, Step& step) {
  if (!child.outbound) return;
  child.outbound = false;
  child.spent = true;
  step.out.emplace_back(ike::RemoveOutbound{child.sa->spi_out, child.sa->child});
}

void establish(Session& s, Child made, Step& step) {
  const ike::ChildSlot slot = made.sa->child;
  const bool rekey = std::ranges::any_of(s.children, [&](const Child& c) { return c.sa->child == slot; });
  s.children.push_back(std::move(made));
  Child& child = s.children.back();
  for (Child& other : s.children) {
    if (&other == &child || other.sa->child != slot || other.replaced_by != 0) continue;
    const bool at_once = other.replaces == child.replaces && !other.confirmed;
    if (at_once && lowest_spi(other) < lowest_spi(child)) {
      replace(child, other, step.now);
    } else {
      replace(other, child, step.now);
    }
  }
  Child* carrier = nullptr;
  for (Child& other : s.children) {
    if (other.sa->child == slot && other.outbound) carrier = &other;
  }
  if (carrier == nullptr || (child.replaced_by == 0 && !child.ours)) {
    // Nothing carries the traffic yet, or the peer said by its third message that it has the new pair.
    use_outbound(s, child, step);
  } else if (child.replaced_by == 0) {
    child.use_at = step.now + kSwitch;
    if (carrier->expire_at) {
      child.use_at = std::max(step.now, std::min(*child.use_at, *carrier->expire_at - kSwitchMargin));
    }
  }
  step.out.emplace_back(ike::ChildEstablished{child.sa, rekey});
  bound(s, slot, step);
}

void remove_child(Session& s, std::uint32_t spi_in, ike::Time grace, const ike::Reason& reason, Step& step) {
  const auto it = std::ranges::find_if(s.children, [&](const Child& c) { return c.sa->spi_in == spi_in; });
  if (it == s.children.end()) return;
  Child gone = std::move(*it);
  s.children.erase(it);
  std::erase_if(s.tasks, [&](const Task& t) { return t.replaces == spi_in; });
  for (Child& c : s.children) {
    if (c.replaced_by != spi_in) continue;
    c.replaced_by = 0;  // what did its work is gone
    c.delete_at.reset();
  }
  // Traffic moves to the one that replaced it, or else to the newest of the same child that never had it; where
  // there is none, a new one is asked for.
  Child* heir = nullptr;
  for (Child& c : s.children) {
    if (c.sa->child != gone.sa->child) continue;
    const bool better = heir == nullptr || (heir->sa->spi_in != gone.replaced_by && (heir->spent || !c.spent));
    if (better) heir = &c;
  }
  if (gone.outbound && heir != nullptr) {
    use_outbound(s, *heir, step);
    if (heir->spent) add_task(s, Task{.slot = gone.sa->child, .replaces = heir->sa->spi_in});
  }
  stop_outbound(gone, step);
  step.out.emplace_back(ike::RemoveInbound{spi_in, gone.sa->child, grace});
  step.out.emplace_back(ike::ChildClosed{gone.sa->child, spi_in, reason, heir != nullptr});
}

void children_due(Session& s, Step& step) {
  const auto due = [&](const std::optional<ike::Time>& t) { return t && *t <= step.now; };
  const bool may_ask = s.peer.config().role != conf::Role::responder;
  std::vector<std::pair<std::uint32_t, ike::Reason>> gone;
  std::vector<std::uint32_t> deleted;
  for (Child& c : s.children) {
    if (due(c.use_at)) use_outbound(s, c, step);
    if (c.delete_at && c.replaced_by != 0) {
      const Child* by = s.child_by_inbound(c.replaced_by);
      if (by != nullptr && by->outbound && by->confirmed) c.delete_at = std::min(*c.delete_at, step.now + kDeleteSoon);
    }
    // Not while the peer sends on it: the two sides may differ in which of two they take to be the one in use.
    if (due(c.delete_at) && c.last_in && *c.last_in + kDeleteSoon > step.now) c.delete_at = *c.last_in + kDeleteSoon;
    if (due(c.rekey_at)) {
      // Again after a while, should nothing come of it.
      c.rekey_at = step.now + std::max(ike::Time{2000}, c.expire_at ? (*c.expire_at - step.now) / 4 : ike::Time{30000});
      if (c.replaced_by == 0 && may_ask) add_task(s, Task{.slot = c.sa->child, .replaces = c.sa->spi_in});
    }
    if (due(c.delete_at) || due(c.expire_at)) {
      const bool replaced = c.replaced_by != 0;
      gone.emplace_back(c.sa->spi_in, replaced ? reasons::replaced() : reasons::expired("the child"));
      deleted.push_back(c.sa->spi_in);
    }
  }
  if (gone.empty()) return;
  if (s.stage == Stage::established) send_child_delete(s, deleted, step);
  for (const auto& [spi, reason] : gone) remove_child(s, spi, kInboundGrace, reason, step);
}

std::optional<ike::Time> next_child_event(const Session& s) {
  std::optional<ike::Time> next;
  const auto consider = [&](const std::optional<ike::Time>& t) {
    if (t) next = next ? std::min(*next, *t) : *t;
  };
  for (const Child& c : s.children) {
    consider(c.use_at);
    consider(c.delete_at);
    consider(c.rekey_at);
    consider(c.expire_at);
  }
  return next;
}

void inherit(Session& s, Session& older, Step& step) {
  ike::EndpointsChanged moved{{}, s.local, s.remote};
  for (Child& c : older.children) {
    if (c.sa->udp_encap && (older.remote != s.remote || older.local != s.local)) moved.spis_out.push_back(c.sa->spi_out);
    s.children.push_back(std::move(c));
  }
  older.children.clear();
  for (const Task& t : older.tasks) {
    if (t.replaces != 0 || s.current(t.slot) == nullptr) add_task(s, t);
  }
  older.tasks.clear();
  step.out.emplace_back(ike::ChildrenMoved{s.cookie_ours(), older.cookie_ours()});
  if (!moved.spis_out.empty()) step.out.emplace_back(std::move(moved));
  s.last_esp = std::max(s.last_esp, older.last_esp);
  s.replaced = false;
  s.delete_at.reset();
  older.replaced = true;
  older.rekey_at.reset();
  // Whoever began the one that stays deletes the other (not before: the peer may still be on its way here).
  const ike::Time settle = kSettle + ike::Time{s.env->random().below(kSettleSpread)};
  older.delete_at = older.stage == Stage::lost ? step.now : step.now + (s.initiator ? settle : kOtherSettles);
}

}  // namespace causeway::ikev1

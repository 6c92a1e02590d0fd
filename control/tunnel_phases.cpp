// IKEv1's part of Tunnel: phase 2 does not die with phase 1.
//
// A phase 1 that ended (expired, deleted by the peer, no longer answering) stays as the headless holder of its
// children while a new one is begun at once. Whatever phase 1 is established gathers the children of all the
// others. Where both sides began one at the same time, the smaller initiator cookie says, the same on both
// sides, which of the two stays; the other is deleted by whoever began the one that stays.
#include <algorithm>
#include <utility>

#include "control/tunnel.h"

namespace causeway::control {

namespace {

constexpr Time kKnockPause{10000};

}  // namespace

void Tunnel::on_phase_one_lost(Ike& ike, const ike::Reason& reason, Time now, Actions& out) {
  ike.headless = true;
  ike.established = false;
  const std::uint64_t spi = ike.sa->local_spi();
  for (Child& c : children_) {
    if (c.requested_on == spi) c.requested_on = 0;
  }
  const std::string text = "phase 1 is gone, its children stay: " + reason.text;
  note(now, text);
  say(out, ike::Notice::Level::info, text);
  if (!connecting()) retry_at_ = now;
}

bool Tunnel::phase_one_missing() const {
  return may_initiate() && !admin_down_ && std::any_of(ikes_.begin(), ikes_.end(), [](const auto& entry) {
           return entry.second.headless && !entry.second.closing && !entry.second.closed;
         });
}

// The peer would not begin anew without a reason: it may have lost its side. But its address may be forged, so it is
// asked, once in ten seconds at most, and the answer or its absence decides.
void Tunnel::knocked(Time now, Actions& out) {
  ++counts_.dropped;
  if (knocked_at_ && now - *knocked_at_ < kKnockPause) return;
  knocked_at_ = now;
  Ike* ike = best_established();
  const std::string text = "the peer began a negotiation, which role = initiator leaves to this side: dropped";
  say(out, ike::Notice::Level::info, ike == nullptr ? text : text + ", and the peer is asked whether it lives");
  note(now, text);
  if (ike == nullptr) return;
  ike::Effects effects;
  ike->sa->check_liveness(now, effects);
  handle(ike->sa->local_spi(), std::move(effects), now, out);
}

void Tunnel::renew_phase_one(Time now, Actions& out) {
  renewing_ = false;
  if (!may_initiate() || connecting()) return;
  start_ike(ike::kNoChild, now, out);
}

bool Tunnel::outranks(const Ike& a, const Ike& b) { return ike::outranks(a.sa->status(), b.sa->status()); }

void Tunnel::gather_children(Time now, Actions& out) {
  if (settings_->config.ike.version != 1) return;
  Ike* best = nullptr;
  for (auto& [spi, ike] : ikes_) {
    if (!ike.established || ike.closing || ike.closed || ike.dead || ike.trial) continue;
    if (best == nullptr || outranks(ike, *best)) best = &ike;
  }
  if (best == nullptr) return;
  const std::uint64_t to = best->sa->local_spi();
  for (auto& [spi, ike] : ikes_) {
    if (&ike == best || ike.closing || ike.closed || ike.dead || ike.trial) continue;
    if (!ike.established && !ike.headless) continue;
    if (ike.inherited && !has_children(spi)) continue;
    ike::Effects effects;
    if (!best->sa->inherit(*ike.sa, now, effects)) continue;
    const bool renewed = best->ours && !ike.inherited;
    ike.inherited = true;
    best->inherited = false;
    best->had_child = true;
    if (renewed) ++counts_.rekeyed, ++counts_.ike_rekeyed;
    handle(to, std::move(effects), now, out);  // comes back here for the next
    return;
  }
}

}  // namespace causeway::control

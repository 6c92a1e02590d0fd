// A path that swallows ESP: IKE passes, UDP in general does, and IP protocol 50 does not (load balancers, some NATs).
//
// Suspected only where native ESP is in use, no NAT was found, no ESP of this peer ever came in on this path although
// we sent some, among it probes to a host behind the peer that is known to answer, and the peer answers liveness
// checks all the while. Then one trial: an IKE SA with its child beside the old one, in which our NAT detection hash is that of no
// address, so that both sides take to UDP 4500 (as `encap = "force"` does). If ESP comes in on it, it stays, the old
// one is deleted, and the tunnel begins that way from then on; if not, it goes, and there is no other for an hour.
// Nothing is torn down on the silence of ESP alone.
#include <algorithm>
#include <utility>

#include "control/tunnel.h"

namespace causeway::control {

namespace {

constexpr Time kSilence{4000};       // packets out, none in, before anything is suspected
constexpr Time kTrialLasts{10000};
constexpr Time kNotAgain{3'600'000};
constexpr std::uint64_t kEnoughSent = 3;

}  // namespace

bool Tunnel::watches_path() const {
  if (trial_spi_ != 0) return true;
  const conf::Tunnel& config = settings_->config;
  return config.encap == conf::Encap::automatic && config.probe && config.probe_host && !esp_seen_ && !admin_down_ &&
         may_initiate();
}

// The one IKE SA whose child is suspected, as far as anything is.
Tunnel::Ike* Tunnel::suspect() {
  if (!watches_path() || esp_seen_) return nullptr;
  Ike* ike = best_established();
  if (ike == nullptr || ike->closing) return nullptr;
  const ike::IkeStatus s = ike->sa->status();
  return s.nat_us || s.nat_peer ? nullptr : ike;
}

void Tunnel::traffic(std::uint64_t packets_in, std::uint64_t packets_out, Time now, Actions& out) {
  if (packets_in != 0) esp_seen_ = true;
  if (trial_spi_ != 0) return judge_trial(now, out);
  if (connecting()) return;
  Ike* ike = suspect();
  const auto children = live_children();
  const bool native = !children.empty() && std::ranges::none_of(children, [](const LiveChild& l) { return l.sa->udp_encap; });
  if (ike == nullptr || !native || (trial_not_before_ && *trial_not_before_ > now)) {
    silent_since_.reset();
    sent_before_ = packets_out;
    return;
  }
  if (packets_out - sent_before_ < kEnoughSent) return;
  if (!silent_since_) {
    silent_since_ = now;
    ike::Effects effects;
    ike->sa->check_liveness(now, effects);
    return handle(ike->sa->local_spi(), std::move(effects), now, out);
  }
  // The answer to that check is what tells this path from a dead peer.
  if (now - *silent_since_ < kSilence || ike->sa->status().last_heard < *silent_since_) return;
  begin_trial(now, out);
}

void Tunnel::begin_trial(Time now, Actions& out) {
  silent_since_.reset();
  trial_not_before_ = now + kNotAgain;
  auto forced = std::make_shared<ike::PeerSettings>(*settings_);
  forced->config.encap = conf::Encap::force;
  auto sa = engine_.initiate(std::move(forced), environment_, false);
  if (!sa) return;
  const std::string text =
      "IKE passes, but no ESP (IP protocol 50) of the peer came: trying ESP in UDP 4500 beside the tunnel";
  note(now, text);
  say(out, ike::Notice::Level::info, text);
  ++counts_.begun;
  ike::Effects effects;
  sa->start(children_.front().slot, now, effects);
  trial_spi_ = sa->local_spi();
  trial_until_ = now + kTrialLasts;
  Ike& ike = ikes_[trial_spi_];
  ike.sa = std::move(sa);
  ike.ours = ike.trial = true;
  ike.made = ike.since = now;
  handle(trial_spi_, std::move(effects), now, out);
}

void Tunnel::judge_trial(Time now, Actions& out) {
  const auto it = ikes_.find(trial_spi_);
  if (it == ikes_.end() || it->second.closed) {
    trial_spi_ = 0;
    return;
  }
  if (it->second.trial_worked) return keep_trial(it->second, now, out);
  if (now < trial_until_) return;
  trial_failed_ = true;
  const std::string text = "ESP in UDP 4500 does not come through either: back to native ESP";
  note(now, text);
  say(out, ike::Notice::Level::info, text);
  close(std::exchange(trial_spi_, 0), now, out);
}

void Tunnel::keep_trial(Ike& trial, Time now, Actions& out) {
  trial.trial = false;
  trial_spi_ = 0;
  auto forced = std::make_shared<ike::PeerSettings>(*settings_);
  forced->config.encap = conf::Encap::force;
  settings_ = std::move(forced);
  notice_ = "ESP (IP protocol 50) of the peer does not reach us, IKE does: switched to ESP in UDP 4500. Or let the path "
            "(a load balancer, a security group) pass protocol 50";
  note(now, notice_);
  say(out, ike::Notice::Level::warning, notice_);
  std::vector<std::uint64_t> old;
  for (const auto& [spi, ike] : ikes_) {
    if (&ike != &trial && !ike.closing && !ike.closed) old.push_back(spi);
  }
  for (const std::uint64_t spi : old) close(spi, now, out);
}

}  // namespace causeway::control

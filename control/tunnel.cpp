#include "control/tunnel.h"

#include <algorithm>
#include <utility>

namespace causeway::control {

namespace {

ike::Reason reason_of(ike::Cause cause, std::string text) {
  ike::Reason r;
  r.cause = cause;
  r.text = std::move(text);
  return r;
}

}  // namespace

Tunnel::Tunnel(PeerSettingsPtr settings, ike::Environment& environment, const Engine& engine)
    : settings_(std::move(settings)), environment_(environment), engine_(engine) {
  for (const auto& c : settings_->children) {
    children_.push_back(Child{.slot = c.slot, .name = c.name, .selectors = c.selectors});
  }
}

// --- events ----------------------------------------------------------------------------------------

void Tunnel::begin(Time now, Actions& out) {
  begun_ = true;
  waits_its_turn_ = wants_up();
  if (!waits_its_turn_) retry_at_ = now;
  reconcile(now, out);
}

void Tunnel::take_turn(Time now, Actions& out) {
  waits_its_turn_ = false;
  if (!connecting()) retry_at_ = now;
  reconcile(now, out);
}

void Tunnel::up(Time now, Actions& out) {
  admin_down_ = false;
  pressed_ = !all_children_up();
  waits_its_turn_ = false;
  failures_ = 0;
  if (!connecting()) retry_at_ = now;
  for (auto& c : children_) c.retry_at = now;
  reason_ = {};
  note(now, "brought up by the administrator");
  reconcile(now, out);
}

void Tunnel::down(Time now, Actions& out) {
  admin_down_ = true;
  pressed_ = traffic_wanted_ = resolving_ = false;
  reason_ = reason_of(ike::Cause::closed_by_us,
                      "taken down by the administrator; bring it back with: causewayctl up " + name());
  note(now, "taken down by the administrator");
  reconcile(now, out);
}

void Tunnel::rekey_child(std::string_view wanted_child, Time now, Actions& out) {
  for (const Child& c : children_) {
    if (c.name != wanted_child || c.live.empty()) continue;
    const auto it = ikes_.find(c.live.back().ike);
    if (it == ikes_.end()) return;
    ike::Effects effects;
    it->second.sa->rekey_child(c.slot, now, effects);
    handle(it->first, std::move(effects), now, out);
    return;
  }
}

void Tunnel::rekey_ike(Time now, Actions& out) {
  Ike* ike = best_established();
  if (ike == nullptr) return;
  ike::Effects effects;
  ike->sa->rekey_ike(now, effects);
  handle(ike->sa->local_spi(), std::move(effects), now, out);
}

void Tunnel::wanted(ike::ChildSlot slot, const conf::SelectorSet& packet, Time now, Actions& out) {
  const Child* c = child(slot);
  if (c == nullptr || settings_->config.start != conf::Start::traffic || admin_down_) return;
  if (is_up(*c) || traffic_wanted_) return;
  traffic_wanted_ = true;
  remember_packet(slot, packet);
  reconcile(now, out);
}

void Tunnel::resolved(const std::optional<conf::IpAddress>& address, const std::string& error, Time now, Actions& out) {
  resolving_ = false;
  if (!address) {
    ++counts_.attempts_failed;
    ++failures_;
    retry_at_ = now + backoff(failures_);
    give_reason(
        reason_of(ike::Cause::resources, "the name " + settings_->config.remote + " cannot be resolved: " + error), now,
        out);
    return;
  }
  auto changed = std::make_shared<ike::PeerSettings>(*settings_);
  changed->remote = conf::Endpoint{*address, 500};
  settings_ = std::move(changed);
  if ((wants_up() && ikes_.empty()) || ((renewal_due() || phase_one_missing()) && !connecting())) {
    start_ike(now, out);
  }
  reconcile(now, out);
}

void Tunnel::limit_reached(std::uint32_t spi, ike::ChildSlot slot, bool hard, Time now, Actions& out) {
  const auto reached = [&](const Child& c) {  // an older one is on its way out already
    const bool carries = c.slot == slot || c.beside == slot;
    return carries && !c.live.empty() && (c.live.back().sa->spi_in == spi || c.live.back().sa->spi_out == spi);
  };
  const auto c = std::find_if(children_.begin(), children_.end(), reached);
  if (c == children_.end()) return;
  const LiveChild& newest = c->live.back();
  const auto it = ikes_.find(newest.ike);
  if (it == ikes_.end() || it->second.closing) return;
  ike::Effects effects;
  if (hard) {
    say(out, ike::Notice::Level::warning, c->name + ": its hard limit is reached before a rekey took its place");
    it->second.sa->close_child(c->slot, now, effects);
  } else {
    it->second.sa->rekey_child(c->slot, now, effects);
  }
  handle(it->first, std::move(effects), now, out);
}

void Tunnel::install_failed(std::uint32_t spi, ike::ChildSlot slot, const std::string& why, Time now, Actions& out) {
  Child* c = child(slot);
  if (c == nullptr) return;
  say(out, ike::Notice::Level::warning, c->name + ": the data path refused the SA: " + why);
  c->reason = reason_of(ike::Cause::resources, "the data path refused the SA: " + why);
  for (const LiveChild& l : c->live) {
    if (l.sa->spi_in != spi && l.sa->spi_out != spi) continue;
    const auto it = ikes_.find(l.ike);
    if (it == ikes_.end()) return;
    c->retry_at = now + backoff(++c->failures);
    ike::Effects effects;
    it->second.sa->close_child(slot, now, effects);
    handle(it->first, std::move(effects), now, out);
    return;
  }
}

void Tunnel::peer_moved(std::uint32_t spi_in, const conf::Endpoint& from, Time now, Actions& out) {
  for (const Child& c : children_) {
    for (const LiveChild& l : c.live) {
      if (l.sa->spi_in != spi_in) continue;
      const auto it = ikes_.find(l.ike);
      if (it == ikes_.end()) return;
      ike::Effects effects;
      it->second.sa->peer_moved(from, now, effects);
      handle(it->first, std::move(effects), now, out);
      return;
    }
  }
}

void Tunnel::icmp_error(const std::string& text, Time) { evidence_ = text; }

void Tunnel::renew_credentials(std::shared_ptr<const crypto::Credential> own,
                               std::shared_ptr<const crypto::TrustStore> trust) {
  auto changed = std::make_shared<ike::PeerSettings>(*settings_);
  changed->credential = std::move(own);
  changed->trust = std::move(trust);
  settings_ = std::move(changed);
}

void Tunnel::esp_received(std::uint32_t spi_in, Time when) {
  for (const Child& c : children_) {
    for (const LiveChild& l : c.live) {
      if (l.sa->spi_in != spi_in) continue;
      if (const auto it = ikes_.find(l.ike); it != ikes_.end()) {
        last_esp_ = std::max(last_esp_, when);
        watch_addresses(when);
        it->second.sa->esp_received(spi_in, when);
        it->second.trial_worked = it->second.trial;
      }
      return;
    }
  }
}

void Tunnel::adopt(std::unique_ptr<ike::IkeSa> sa, ike::Effects effects, Time now, Actions& out) {
  const std::uint64_t spi = sa->local_spi();
  ++counts_.begun;
  Ike& ike = ikes_[spi];
  ike.sa = std::move(sa);
  ike.made = ike.since = now;
  handle(spi, std::move(effects), now, out);
}

void Tunnel::refused(ike::Effects effects, Time now, Actions& out) {
  for (ike::Effect& effect : effects) {
    if (pass_on(effect, out)) continue;
    const auto* end = std::get_if<ike::IkeClosed>(&effect);
    if (end == nullptr) continue;
    ++counts_.refused;
    if (!any_child_up() && !admin_down_) give_reason(end->reason, now, out);
  }
}

std::optional<Tunnel::Moved> Tunnel::receive(std::uint64_t local_spi, const ike::Datagram& datagram, Time now,
                                             Actions& out) {
  const auto it = ikes_.find(local_spi);
  if (it == ikes_.end()) {
    if (version_probe_.receive(local_spi, datagram, now) && wonders_about_version()) {
      give_reason(*version_probe_.finding(), now, out);
    }
    return std::nullopt;
  }
  ike::Effects effects;
  it->second.sa->receive(datagram, now, effects);
  if (it->second.sa->tunnel() != settings_->tunnel) {
    Moved moved{std::move(it->second.sa), std::move(effects)};
    ikes_.erase(it);
    return moved;
  }
  handle(local_spi, std::move(effects), now, out);
  return std::nullopt;
}

void Tunnel::tick(Time now, Actions& out) {
  std::vector<std::uint64_t> due;
  for (const auto& [spi, ike] : ikes_) {
    const auto d = ike.sa->deadline();
    if (d && *d <= now) due.push_back(spi);
  }
  for (const std::uint64_t spi : due) {
    const auto it = ikes_.find(spi);
    if (it == ikes_.end()) continue;
    ike::Effects effects;
    it->second.sa->tick(now, effects);
    handle(spi, std::move(effects), now, out);
  }
  reconcile(now, out);
}

}  // namespace causeway::control

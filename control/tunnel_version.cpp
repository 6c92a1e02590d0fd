// What Tunnel does with a peer that may speak the other IKE version: see version_probe.h.
#include <utility>

#include "control/tunnel.h"

namespace causeway::control {

namespace {

constexpr Time kFresh{60'000};

// The peer speaks to SAs that we lost, and not to us. (RFC 2409 has no word for "forget what you have".)
ike::Reason holds_old_sas(const ike::Reason& silent, const ike::PeerSettings& s) {
  ike::Reason r = silent;
  r.symptom = ike::Symptom::holds_old_sas;
  const std::string who = s.remote ? s.remote->address.str() : s.config.remote;
  r.text = who +
           " does not answer, but sends ESP for SAs that we do not have: it holds an old phase 2 and ignores us "
           "until that ends. Reset the connection there (in a cloud's console, too), or wait for its phase 2 to "
           "expire; with role = \"initiator\" here it does not come to this";
  if (s.config.ike.version == 1) r.text += ", nor with IKEv2";
  r.candidates.insert(r.candidates.begin(), "the peer holds an old phase 2 with us: reset it there");
  return r;
}

}  // namespace

// An attempt that got no further than its first message is asked about once; what is known by then is said instead.
void Tunnel::give_reason_of_attempt(const ike::Reason& reason, Time now, Actions& out) {
  if (!reason.first_message) return give_reason(reason, now, out);
  if (const auto& known = version_probe_.finding()) return give_reason(*known, now, out);
  const bool silent = reason.cause == ike::Cause::peer_silent;
  if (silent && unknown_esp_at_ && now - *unknown_esp_at_ < kFresh) {
    return give_reason(holds_old_sas(reason, *settings_), now, out);
  }
  give_reason(reason, now, out);
  for (ike::Send& question : version_probe_.begin(*settings_, engine_, environment_, now)) {
    put(out, settings_->tunnel, std::move(question));
  }
}

bool Tunnel::wonders_about_version() const {
  if (admin_down_ || any_child_up()) return false;
  return reason_.first_message || reason_.cause == ike::Cause::none;
}

void Tunnel::other_version_began(const conf::Endpoint& from, int version, Time now, Actions& out) {
  if (!wonders_about_version()) return;
  if (version_probe_.peer_began(*settings_, from, version)) give_reason(*version_probe_.finding(), now, out);
}

}  // namespace causeway::control

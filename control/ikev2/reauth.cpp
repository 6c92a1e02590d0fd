#include "control/ikev2/reauth.h"

#include <algorithm>

namespace causeway::ikev2 {

namespace {

constexpr std::size_t kAuthLifetimeOctets = 4;  // seconds (RFC 4478 3)
// A limit below this is not one that anybody can follow.
constexpr conf::Seconds kLeastAuthLifetime{10};

// The responder leaves it to the initiator for as long as there is time: one new IKE SA, not two.
ike::Time renewal_time(Session& s, ike::Time now, conf::Seconds lifetime) {
  if (s.initiator) return rekey_time(s, now, lifetime);
  return now + std::chrono::duration_cast<ike::Time>(lifetime) * 95 / 100;
}

}  // namespace

void set_lifetime(Session& s, ike::Time now, const Session* before) {
  if (before != nullptr && before->renew_at) {
    s.renew_at = before->renew_at;
    s.expire_at = before->expire_at;
    return;
  }
  const conf::Seconds lifetime = s.peer.config().ike.lifetime;
  if (lifetime.count() <= 0) return;
  (s.peer.config().ike.reauth ? s.renew_at : s.rekey_at) =
      s.peer.config().ike.reauth ? renewal_time(s, now, lifetime) : rekey_time(s, now, lifetime);
  s.expire_at = now + std::chrono::duration_cast<ike::Time>(lifetime);
}

void add_auth_lifetime(ike::PayloadChain& chain, const Session& s) {
  const conf::Seconds lifetime = s.peer.config().ike.lifetime;
  if (!s.peer.config().ike.reauth || lifetime.count() <= 0) return;
  ike::Writer seconds;
  seconds.be32(static_cast<std::uint32_t>(std::min<std::int64_t>(lifetime.count(), UINT32_MAX)));
  add_notify(chain, ike::NotifyType::auth_lifetime, seconds.take());
}

void take_auth_lifetime(Session& s, const ike::Payloads& answer, ike::Time now) {
  const auto* notify = answer.find(ike::NotifyType::auth_lifetime);
  if (notify == nullptr || notify->data.size() != kAuthLifetimeOctets) return;
  std::uint32_t value = 0;
  for (const std::uint8_t octet : notify->data) value = value << 8 | octet;
  const conf::Seconds lifetime = std::max(conf::Seconds{value}, kLeastAuthLifetime);
  const ike::Time at = rekey_time(s, now, lifetime);
  if (s.renew_at && *s.renew_at <= at) return;
  s.renew_at = at;
}

}  // namespace causeway::ikev2

#include "control/ikev2/auth.h"

#include "control/ikev2/auth_cert.h"
#include "control/ikev2/intermediate.h"
#include "control/ikev2/reasons.h"

namespace causeway::ikev2 {

namespace {

// What the initiator (or the responder) of the IKE SA signs.
ike::Bytes octets_of(const Session& s, const IkeKeys& keys, bool of_initiator, ike::ByteView id_body) {
  const Handshake& h = *s.handshake;
  ike::Bytes out = of_initiator
                       ? signed_octets(s.suite.prf, h.keyed.init_request, h.keyed.nonces.responder, keys.pi, id_body)
                       : signed_octets(s.suite.prf, h.keyed.init_response, h.keyed.nonces.initiator, keys.pr, id_body);
  const ike::Bytes more = intermediate_octets(h);
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

}  // namespace

tl::expected<ike::AuthPayload, ike::Reason> make_auth(const Session& s, const IkeKeys& keys,
                                                      ike::ByteView our_id_body) {
  const ike::Bytes octets = octets_of(s, keys, s.initiator, our_id_body);
  if (s.peer.config().auth == conf::AuthMethod::cert) return sign_auth(s, octets);
  return ike::AuthPayload{ike::AuthPayload::Method::shared_key, psk_auth(s.suite.prf, s.peer.settings->psk, octets)};
}

std::optional<ike::Reason> verify_auth(const Session& s, const IkeKeys& keys, const Peer& peer, const Claim& claim) {
  const ike::AuthPayload& auth = claim.auth;
  const ike::Bytes octets = octets_of(s, keys, !s.initiator, claim.id_body);
  if (peer.config().auth == conf::AuthMethod::cert) {
    const bool signs = crypto::is_signature_method(static_cast<std::uint8_t>(auth.method));
    return signs ? verify_signature(s, peer, claim, octets) : reasons::other_auth_method(s, peer, auth.method);
  }
  if (auth.method != ike::AuthPayload::Method::shared_key) return reasons::other_auth_method(s, peer, auth.method);
  if (crypto::equal_constant_time(psk_auth(s.suite.prf, peer.settings->psk, octets), auth.data)) return std::nullopt;
  return reasons::wrong_psk(s, peer);
}

}  // namespace causeway::ikev2

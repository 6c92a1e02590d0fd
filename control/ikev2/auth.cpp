#include "control/ikev2/auth.h"

#include "control/ikev2/reasons.h"

namespace causeway::ikev2 {

namespace {

// What the initiator (or the responder) of the IKE SA signs.
ike::Bytes octets_of(const Session& s, bool of_initiator, ike::ByteView id_body) {
  const Handshake& h = *s.handshake;
  return of_initiator ? signed_octets(s.suite.prf, h.init_request, h.nonces.responder, s.keys.pi, id_body)
                      : signed_octets(s.suite.prf, h.init_response, h.nonces.initiator, s.keys.pr, id_body);
}

}  // namespace

tl::expected<ike::AuthPayload, ike::Reason> make_auth(const Session& s, ike::ByteView our_id_body) {
  if (s.peer.config().auth != conf::AuthMethod::psk) {
    return tl::make_unexpected(reasons::internal("auth = cert cannot be used with this tunnel"));
  }
  return ike::AuthPayload{ike::AuthPayload::Method::shared_key,
                          psk_auth(s.suite.prf, s.peer.settings->psk, octets_of(s, s.initiator, our_id_body))};
}

std::optional<ike::Reason> verify_auth(const Session& s, const Peer& peer, const ike::AuthPayload& auth,
                                       ike::ByteView their_id_body) {
  if (auth.method != ike::AuthPayload::Method::shared_key) return reasons::other_auth_method(s, auth.method);
  const ike::Bytes expected = psk_auth(s.suite.prf, peer.settings->psk, octets_of(s, !s.initiator, their_id_body));
  if (crypto::equal_constant_time(expected, auth.data)) return std::nullopt;
  return reasons::wrong_psk(s, peer);
}

}  // namespace causeway::ikev2

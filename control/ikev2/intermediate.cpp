#include "control/ikev2/intermediate.h"

#include <algorithm>
#include <utility>

#include "control/ikev2/first_answers.h"
#include "control/ikev2/ike_auth.h"
#include "control/ikev2/reasons.h"
#include "crypto/prf.h"

namespace causeway::ikev2 {

namespace {

// One message into the running IntAuth of its sender (RFC 9242 3.3.2): as if it had come whole and unencrypted, so that
// it does not matter how it was cut.
void absorb(ike::Bytes& running, crypto::Prf prf, const crypto::Secret& sk_p, const ike::Header& header,
            ike::PayloadType first_inside, ike::ByteView inside) {
  const ike::Bytes frame = ike::encrypted_prefix(header, ike::PayloadType::encrypted, first_inside, inside.size());
  running = ike::to_bytes(crypto::prf(prf, sk_p.bytes(), {running, frame, inside}).bytes());
}

// SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr), and all keys anew (RFC 9370 2.2.2).
bool renew_keys(Session& s, const crypto::Secret& shared) {
  const Handshake& h = *s.handshake;
  const crypto::Secret seed = skeyseed_of_rekey(s.suite.prf, s.keys.d, shared, h.keyed.nonces);
  s.keys = ike_keys(s.suite, seed, h.keyed.nonces, s.spi_i, s.spi_r);
  auto protection = Protection::make(s.suite, s.keys, s.initiator);
  if (!protection) return false;
  s.protection.emplace(std::move(*protection));
  return true;
}

}  // namespace

std::vector<crypto::KeyExchange> additional_rounds(const ike::Choice& choice) {
  std::vector<crypto::KeyExchange> out;
  std::ranges::copy_if(choice.additional, std::back_inserter(out),
                       [](crypto::KeyExchange k) { return k != crypto::KeyExchange::none; });
  return out;
}

bool wants_intermediate(std::span<const ike::Proposal> proposals) {
  return std::ranges::any_of(proposals, [](const ike::Proposal& p) {
    return std::ranges::any_of(p.additional, [](const auto& list) { return !list.empty(); });
  });
}

bool send_intermediate(Session& s, Step& step) {
  Handshake& h = *s.handshake;
  if (h.keyed.round >= h.keyed.rounds.size()) return false;
  const crypto::KeyExchange group = h.keyed.rounds[h.keyed.round];
  crypto::SystemKeyExchange exchange;
  auto agreement = exchange.initiate(group);
  if (!agreement) {
    finish(s, reasons::internal("key exchange " + ike::name(group) + ": " + agreement.error()), step);
    return true;
  }
  h.keyed.agreement = std::move(*agreement);
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::key_exchange,
            ike::KeyExchangePayload{group, ike::to_bytes(h.keyed.agreement->public_value())}.encode());
  const ike::Header header = header_of(s, ike::Exchange::ike_intermediate, false, s.requests.next_id());
  absorb(h.keyed.intermediate_i, s.suite.prf, s.keys.pi, header, chain.first(), chain.bytes());
  s.stage = Stage::intermediate_sent;
  send_request(s, ike::Exchange::ike_intermediate, chain, step);
  return true;
}

void on_intermediate_response(Session& s, const Inbound& in, Step& step) {
  Handshake& h = *s.handshake;
  s.requests.answered();
  const auto& theirs = in.payloads.key_exchange;
  if (!theirs || theirs->group != h.keyed.agreement->id()) {
    const auto* error = in.payloads.error();
    return doubt(s,
                 error != nullptr ? reasons::peer_refused(s, error->type)
                                  : reasons::incomplete(s.peer_name(), "a key exchange value in its IKE_INTERMEDIATE"),
                 false, step);
  }
  const auto shared = h.keyed.agreement->finish(theirs->value);
  if (!shared) return doubt(s, reasons::bad_key_exchange(s.peer_name(), shared.error()), false, step);
  absorb(h.keyed.intermediate_r, s.suite.prf, s.keys.pr, in.header, in.first_inside, in.inside);
  if (!renew_keys(s, *shared)) return finish(s, reasons::internal("no cipher for the new keys"), step);
  ++h.keyed.round;
  if (!send_intermediate(s, step)) send_ike_auth(s, step);
}

void on_intermediate_request(Session& s, const Inbound& in, Step& step) {
  Handshake& h = *s.handshake;
  const auto& theirs = in.payloads.key_exchange;
  const auto refuse = [&](ike::Reason reason) {
    ike::PayloadChain chain;
    add_notify(chain, ike::NotifyType::invalid_syntax);
    send_reply(s, in, chain, step);
    finish(s, std::move(reason), step);
  };
  if (h.keyed.round >= h.keyed.rounds.size() || theirs->group != h.keyed.rounds[h.keyed.round]) {
    return refuse(reasons::malformed(s, "an IKE_INTERMEDIATE that was not agreed on"));
  }
  crypto::SystemKeyExchange exchange;
  auto response = exchange.respond(theirs->group, theirs->value);
  if (!response) return refuse(reasons::bad_key_exchange(s.peer_name(), response.error()));
  absorb(h.keyed.intermediate_i, s.suite.prf, s.keys.pi, in.header, in.first_inside, in.inside);
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::key_exchange,
            ike::KeyExchangePayload{theirs->group, std::move(response->public_value)}.encode());
  const ike::Header header = header_of(s, ike::Exchange::ike_intermediate, true, in.header.message_id);
  absorb(h.keyed.intermediate_r, s.suite.prf, s.keys.pr, header, chain.first(), chain.bytes());
  send_reply(s, in, chain, step);  // under the keys of the request
  ++h.keyed.round;
  if (!renew_keys(s, response->shared)) finish(s, reasons::internal("no cipher for the new keys"), step);
}

ike::Bytes intermediate_octets(const Handshake& h) {
  if (h.keyed.round == 0) return {};
  ike::Writer w;
  w.bytes(h.keyed.intermediate_i);
  w.bytes(h.keyed.intermediate_r);
  w.be32(h.keyed.auth_id);
  return w.take();
}

}  // namespace causeway::ikev2

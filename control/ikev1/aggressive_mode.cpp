#include "control/ikev1/aggressive_mode.h"

#include <algorithm>
#include <utility>

#include "control/ikev1/phase1.h"
#include "control/ikev1/proof.h"
#include "control/ikev1/reasons.h"

namespace causeway::ikev1 {

namespace {

constexpr auto kAggressive = ike::Exchange::v1_aggressive;

void unusable(Session& s, ike::Reason reason, Step& step) {
  step.info("an aggressive mode message of " + s.remote.str() + " cannot be used: " + reason.text);
  s.evidence.unusable = std::move(reason);
}

}  // namespace

void start_aggressive_mode(Session& s, Step& step) {
  Handshake& h = *s.handshake;
  // One key exchange value, so one group: the first of the first proposal (RFC 2409 5).
  const crypto::KeyExchange group = s.peer.ike.front().key_exchange.front();
  crypto::SystemKeyExchange exchange;
  auto agreement = exchange.initiate(group);
  if (!agreement) return finish(s, reasons::internal(agreement.error()), step);
  h.agreement = std::move(*agreement);
  h.public_i = ike::to_bytes(h.agreement->public_value());
  h.nonces.initiator = fresh_nonce(s);
  set_own_id(s);

  ike::PayloadChain chain;
  chain.add(ike::PayloadType::v1_sa, offer_phase1(s, group));
  chain.add(ike::PayloadType::v1_key_exchange, h.public_i);
  chain.add(ike::PayloadType::v1_nonce, h.nonces.initiator);
  add_id(s, chain);
  add_certificate_requests(s, chain);
  add_vendors(chain, s.peer.config().ike.fragment);
  s.stage = Stage::first_sent;
  send_phase1(s, kAggressive, chain, false, true, nullptr, step);
}

void on_aggressive_2(Session& s, const Inbound& in, Step& step) {
  const Payloads& p = in.payloads;
  Handshake& h = *s.handshake;
  if (!take_phase1_answer(s, in, step)) return;
  if (!p.key_exchange || !p.nonce || p.ids.empty()) {
    return unusable(s, reasons::incomplete(s.peer_name(), "KE, nonce or identity in its answer"), step);
  }
  auto shared = h.agreement->finish(*p.key_exchange);
  if (!shared) return unusable(s, reasons::bad_key_exchange(s.peer_name(), shared.error()), step);
  h.public_r = *p.key_exchange;
  h.shared = std::move(*shared);
  h.nonces.responder = *p.nonce;
  detect_nat(s, in);
  derive_keys(s);
  if (auto reason = check_proof(s, in, step)) {
    step.warn("the answer of " + s.peer_name() + " cannot be believed: " + reason->text);
    s.evidence.unusable = std::move(*reason);
    return;
  }
  float_port(s);

  ike::PayloadChain chain;
  add_nat_detection(s, chain);
  add_initial_contact(s, chain);  // before the proof: the last block, from which later IVs begin, is to hold what is proven
  if (auto reason = add_proof(s, chain)) return finish(s, std::move(*reason), step);
  send_phase1(s, kAggressive, chain, true, false, &in, step);
  established(s, false, step);  // its answer came in clear, and the proof covers no notification
}

bool answer_aggressive_1(Session& s, const Inbound& in, const Transform& taken, Step& step) {
  const Payloads& p = in.payloads;
  Handshake& h = *s.handshake;
  const auto refuse = [&](ike::Reason reason) {
    step.warn(s.peer_name() + " cannot connect: " + reason.text);
    step.out.emplace_back(ike::IkeClosed{std::move(reason)});
    return false;
  };
  if (!p.key_exchange || !p.nonce || p.ids.empty()) {
    return refuse(reasons::incomplete(s.peer_name(), "KE, nonce or identity in its first message"));
  }
  // Nothing that a key could be guessed from for an identity that we do not know.
  const auto id = ike::Identity::decode(p.ids.front());
  if (!id) return refuse(reasons::malformed(s, id.error().text));
  const auto who = std::ranges::find_if(s.candidates, [&](const Peer& c) {
    return c.remote_id.type != ike::IdType::any && c.remote_id.matches(*id);
  });
  if (who == s.candidates.end()) return refuse(reasons::wrong_identity(s, s.candidates, *id));
  s.peer = Peer(*who);
  s.candidates = {Peer(s.peer)};

  crypto::SystemKeyExchange exchange;
  auto response = exchange.respond(s.suite.key_exchange, *p.key_exchange);
  if (!response) return refuse(reasons::bad_key_exchange(s.peer_name(), response.error()));
  h.public_i = *p.key_exchange;
  h.public_r = std::move(response->public_value);
  h.shared = std::move(response->shared);
  h.nonces = {*p.nonce, fresh_nonce(s)};
  h.id_i = p.ids.front();
  derive_keys(s);

  ike::PayloadChain chain;
  chain.add(ike::PayloadType::v1_sa, encode_answer(ike::Protocol::ike, taken, {}));
  chain.add(ike::PayloadType::v1_key_exchange, h.public_r);
  chain.add(ike::PayloadType::v1_nonce, h.nonces.responder);
  set_own_id(s);
  add_id(s, chain);
  if (auto reason = add_proof(s, chain)) return refuse(std::move(*reason));
  add_certificate_requests(s, chain);
  add_nat_detection(s, chain);
  add_vendors_for(chain, s.vendors, s.peer.config().ike.fragment);
  s.stage = Stage::first_answered;
  send_phase1(s, kAggressive, chain, false, false, &in, step);
  return true;
}

void on_aggressive_3(Session& s, const Inbound& in, Step& step) {
  detect_nat(s, in);
  if (auto reason = check_proof(s, in, step)) {
    step.warn(s.peer_name() + " cannot connect: " + reason->text);
    s.evidence.unusable = std::move(*reason);
    return;
  }
  s.local = in.local;
  s.remote = in.remote;
  s.last.received = in.datagram;
  s.last.sent.clear();  // nothing answers the third message
  established(s, in.encrypted && in.payloads.find(Notify::initial_contact) != nullptr, step);
}

}  // namespace causeway::ikev1

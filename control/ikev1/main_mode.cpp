#include "control/ikev1/main_mode.h"

#include <utility>

#include "control/ikev1/phase1.h"
#include "control/ikev1/proof.h"
#include "control/ikev1/reasons.h"

namespace causeway::ikev1 {

namespace {

constexpr auto kMain = ike::Exchange::v1_main;

// A message that cannot be used ends nothing: whoever made it may not be the peer.
void unusable(Session& s, ike::Reason reason, Step& step) {
  step.info("a main mode message of " + s.remote.str() + " cannot be used: " + reason.text);
  s.evidence.unusable = std::move(reason);
}

}  // namespace

void start_main_mode(Session& s, Step& step) {
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::v1_sa, offer_phase1(s, crypto::KeyExchange::none));
  add_vendors(chain, s.peer.config().ike.fragment);
  s.stage = Stage::first_sent;
  send_phase1(s, kMain, chain, false, true, nullptr, step);
}

void on_main_2(Session& s, const Inbound& in, Step& step) {
  if (!take_phase1_answer(s, in, step)) return;
  Handshake& h = *s.handshake;
  crypto::SystemKeyExchange exchange;
  auto agreement = exchange.initiate(s.suite.key_exchange);
  if (!agreement) return finish(s, reasons::internal(agreement.error()), step);
  h.agreement = std::move(*agreement);
  h.public_i = ike::to_bytes(h.agreement->public_value());
  h.nonces.initiator = fresh_nonce(s);
  s.evidence.unusable.reset();
  s.evidence.refusal.reset();

  ike::PayloadChain chain;
  chain.add(ike::PayloadType::v1_key_exchange, h.public_i);
  chain.add(ike::PayloadType::v1_nonce, h.nonces.initiator);
  add_certificate_requests(s, chain);
  add_nat_detection(s, chain);
  s.stage = Stage::second_sent;
  send_phase1(s, kMain, chain, false, true, &in, step);
}

void answer_main_1(Session& s, const Inbound& in, const Transform& taken, Step& step) {
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::v1_sa, encode_answer(ike::Protocol::ike, taken, {}));
  add_vendors_for(chain, s.vendors, s.peer.config().ike.fragment);
  s.stage = Stage::first_answered;
  send_phase1(s, kMain, chain, false, false, &in, step);
}

void on_main_3(Session& s, const Inbound& in, Step& step) {
  Handshake& h = *s.handshake;
  if (!in.payloads.key_exchange || !in.payloads.nonce) {
    return unusable(s, reasons::incomplete(s.peer_name(), "KE or nonce in its third message"), step);
  }
  crypto::SystemKeyExchange exchange;
  auto response = exchange.respond(s.suite.key_exchange, *in.payloads.key_exchange);
  if (!response) return unusable(s, reasons::bad_key_exchange(s.peer_name(), response.error()), step);
  h.public_i = *in.payloads.key_exchange;
  h.public_r = std::move(response->public_value);
  h.shared = std::move(response->shared);
  h.nonces = {*in.payloads.nonce, fresh_nonce(s)};
  detect_nat(s, in);
  derive_keys(s);

  ike::PayloadChain chain;
  chain.add(ike::PayloadType::v1_key_exchange, h.public_r);
  chain.add(ike::PayloadType::v1_nonce, h.nonces.responder);
  add_certificate_requests(s, chain);
  add_nat_detection(s, chain);
  s.stage = Stage::second_answered;
  send_phase1(s, kMain, chain, false, false, &in, step);
}

void on_main_4(Session& s, const Inbound& in, Step& step) {
  Handshake& h = *s.handshake;
  if (!in.payloads.key_exchange || !in.payloads.nonce) {
    return unusable(s, reasons::incomplete(s.peer_name(), "KE or nonce in its fourth message"), step);
  }
  auto shared = h.agreement->finish(*in.payloads.key_exchange);
  if (!shared) return unusable(s, reasons::bad_key_exchange(s.peer_name(), shared.error()), step);
  h.public_r = *in.payloads.key_exchange;
  h.shared = std::move(*shared);
  h.nonces.responder = *in.payloads.nonce;
  detect_nat(s, in);
  derive_keys(s);
  float_port(s);
  s.evidence = {};

  ike::PayloadChain chain;
  set_own_id(s);
  add_id(s, chain);
  if (auto reason = add_proof(s, chain)) return finish(s, std::move(*reason), step);
  add_initial_contact(s, chain);
  s.stage = Stage::third_sent;
  send_phase1(s, kMain, chain, true, true, &in, step);
}

void on_main_5(Session& s, const Inbound& in, Step& step) {
  if (auto reason = check_proof(s, in, step)) {
    step.warn(s.peer_name() + " cannot connect: " + reason->text);
    s.evidence.unusable = std::move(*reason);
    return;
  }
  // Proven: from here on it is where this came from.
  s.local = in.local;
  s.remote = in.remote;
  const auto* contact = in.payloads.find(Notify::initial_contact);
  ike::PayloadChain chain;
  set_own_id(s);
  add_id(s, chain);
  if (auto reason = add_proof(s, chain)) return finish(s, std::move(*reason), step);
  send_phase1(s, kMain, chain, true, false, &in, step);
  established(s, contact != nullptr, step);
}

void on_main_5_again(Session& s, const Inbound& in, Step& step) {
  ike::Bytes before = s.phase1_iv;
  s.phase1_iv = s.protection->iv_after(in.datagram);
  ike::PayloadChain chain;
  add_id(s, chain);
  if (check_proof(s, in, step) || add_proof(s, chain)) {
    s.phase1_iv = std::move(before);
    return;
  }
  ++s.retransmitted;
  send_phase1(s, kMain, chain, true, false, &in, step);
}

void on_main_6(Session& s, const Inbound& in, Step& step) {
  if (auto reason = check_proof(s, in, step)) {
    step.warn("the answer of " + s.peer_name() + " cannot be believed: " + reason->text);
    s.evidence.unusable = std::move(*reason);
    return;
  }
  established(s, in.payloads.find(Notify::initial_contact) != nullptr, step);
}

}  // namespace causeway::ikev1

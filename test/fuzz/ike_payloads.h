// Everything that is done with a chain of IKE payloads before anybody trusts it, with what must hold of it.
#pragma once

#include "control/ike/payloads.h"
#include "control/ikev2/sa_payload.h"
#include "test/fuzz/fuzz.h"

namespace causeway::fuzz {

// What decodes, encodes; and what was encoded decodes to the same value.
template <class Payload>
void round_trip(const Payload& payload, std::string_view what) {
  const auto again = Payload::decode(payload.encode());
  must(again.has_value() && *again == payload, what);
}

inline void exercise_proposals(ByteView body) {
  const auto proposals = ikev2::decode_sa(body);
  if (!proposals) return;
  const auto offered = ikev2::only_proposals(*proposals);
  for (const auto& one : *proposals) {
    (void)one.child_spi();
    (void)one.ike_spi();
    (void)one.proposal.str();
  }
  static const auto kIke = *ike::Proposal::parse(ike::Protocol::ike, "aes128-aes256-sha256-modp2048-x25519", false);
  static const auto kEsp = *ike::Proposal::parse(ike::Protocol::esp, "aes128gcm16-aes256gcm16-esn-noesn", false);
  for (const auto& ours : {std::span(&kIke, 1), std::span(&kEsp, 1)}) {
    const auto chosen = ike::select(ours, offered);
    if (chosen) must(chosen->theirs < offered.size() && chosen->ours == 0, "a choice is one of those offered");
    (void)ike::accept_answer(ours, offered);
  }
}

inline void exercise_chain(ike::PayloadType first, ByteView chain) {
  const auto raw = ike::walk_payloads(first, chain);
  if (!raw) return must(!raw.error().text.empty(), "a refusal says why");
  const auto payloads = ike::decode_payloads(*raw);
  if (!payloads) return must(!payloads.error().text.empty(), "a refusal says why");
  if (payloads->sa) exercise_proposals(*payloads->sa);
  if (payloads->key_exchange) round_trip(*payloads->key_exchange, "KE");
  for (const auto* id : {&payloads->id_initiator, &payloads->id_responder}) {
    if (!*id) continue;
    round_trip(**id, "ID");
    (void)(*id)->str();
    (void)(*id)->matches(**id);
  }
  for (const auto& p : payloads->certificates) round_trip(p, "CERT");
  for (const auto& p : payloads->certificate_requests) round_trip(p, "CERTREQ");
  if (payloads->auth) round_trip(*payloads->auth, "AUTH");
  for (const auto& p : payloads->notifies) {
    round_trip(p, "N");
    (void)ike::name(p.type);
    (void)p.child_spi();
    (void)p.data_u16();
  }
  for (const auto& p : payloads->deletes) round_trip(p, "D");
  for (const auto* ts : {&payloads->ts_initiator, &payloads->ts_responder})
    if (*ts && (*ts)->unknown == 0) round_trip(**ts, "TS");
  (void)payloads->error();
}

}  // namespace causeway::fuzz

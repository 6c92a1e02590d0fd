#include "control/ikev2/init_payloads.h"

#include <algorithm>

#include "control/ike/nat_detection.h"
#include "control/ikev2/auth_cert.h"
#include "control/ikev2/intermediate.h"
#include "control/ikev2/ppk.h"

namespace causeway::ikev2 {

void add_nat_detection(ike::PayloadChain& chain, const Session& s) {
  // With `encap = force` the source hash is that of no address, so that the peer finds a NAT and encapsulates.
  const conf::Endpoint source = s.force_encap ? conf::Endpoint{} : s.local;
  const auto src = ike::nat_hash(s.spi_i, s.spi_r, source);
  const auto dst = ike::nat_hash(s.spi_i, s.spi_r, s.remote);
  add_notify(chain, ike::NotifyType::nat_detection_source_ip, ike::to_bytes(src));
  add_notify(chain, ike::NotifyType::nat_detection_destination_ip, ike::to_bytes(dst));
}

void detect_nat(Session& s, const Inbound& in) {
  const auto sources = in.payloads.data_of(ike::NotifyType::nat_detection_source_ip);
  const auto destinations = in.payloads.data_of(ike::NotifyType::nat_detection_destination_ip);
  const auto found =
      ike::detect_nat(in.header.initiator_spi, in.header.responder_spi, in.local, in.remote, sources, destinations);
  s.nat_us = found.us;
  s.nat_peer = found.peer;
}

void add_extensions(ike::PayloadChain& chain, const Session& s) {
  const auto peers = s.initiator ? std::span(&s.peer, 1) : std::span<const Peer>(s.candidates);
  const bool fragments = s.initiator ? s.peer.config().ike.fragment : s.fragments;
  const bool rounds = s.initiator ? wants_intermediate(s.peer.ike) : !s.handshake->keyed.rounds.empty();
  const bool ppk = s.initiator ? has_ppk(s.peer) : s.handshake->keyed.use_ppk;
  if (fragments) add_notify(chain, ike::NotifyType::ike_fragmentation_supported);
  add_signature_hashes(chain, peers);
  if (!s.initiator) add_certificate_request(chain, peers);
  if (rounds) add_notify(chain, ike::NotifyType::intermediate_exchange_supported);
  if (ppk) add_notify(chain, ike::NotifyType::use_ppk);
}

void agree_on_extensions(Session& s, const Inbound& in) {
  Handshake& h = *s.handshake;
  const auto says = [&](ike::NotifyType type) { return in.payloads.find(type) != nullptr; };
  s.fragments = s.peer.config().ike.fragment && says(ike::NotifyType::ike_fragmentation_supported);
  remember_signature_hashes(h, in.payloads);
  h.keyed.rounds = additional_rounds(s.suite);
  const bool ppk = s.initiator ? has_ppk(s.peer) : std::ranges::any_of(s.candidates, has_ppk);
  h.keyed.use_ppk = ppk && says(ike::NotifyType::use_ppk);
}

}  // namespace causeway::ikev2

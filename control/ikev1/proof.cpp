#include "control/ikev1/proof.h"

#include <algorithm>
#include <utility>

#include "control/ikev1/reasons.h"
#include "crypto/x509.h"

namespace causeway::ikev1 {

namespace {

constexpr std::uint16_t kPortIke = 500, kPortNat = 4500;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kX509Signature = 4;  // certificate encoding (RFC 2408 3.9)

Proof proof_of(const Session& s, bool of_initiator) {
  const Handshake& h = *s.handshake;
  return {of_initiator, h.public_i, h.public_r, s.cookies, h.sa_body, of_initiator ? h.id_i : h.id_r};
}

ike::Bytes hash_of_proof(const Session& s, bool of_initiator) {
  return phase1_hash(s.suite.prf, s.keys.skeyid, proof_of(s, of_initiator));
}

// RFC 2407 4.6.2: in phase 1 protocol and port are 0 and 0, or UDP and 500 (some say 4500); every peer takes zeros.
bool usual_ports(ike::ByteView body) {
  if (body.size() < 4) return false;
  const unsigned port = static_cast<unsigned>(body[2] << 8 | body[3]);
  return (port == 0 || port == kPortIke || port == kPortNat) && (body[1] == 0 || body[1] == kUdp);
}

bool by_certificate(const Peer& p) { return p.auth() != AuthMethod::psk; }

// Everyone who can still be the peer: of those with a pre-shared key, only who has the one that was used.
std::vector<const Peer*> possible(const Session& s) {
  if (s.candidates.empty()) return {&s.peer};
  std::vector<const Peer*> out;
  for (const Peer& p : s.candidates) {
    if (by_certificate(p) || p.settings->psk == s.peer.settings->psk) out.push_back(&p);
  }
  return out;
}

std::optional<ike::Reason> check_signature(const Session& s, const Peer& who, const ike::Identity& id,
                                           const Inbound& in) {
  if (!in.payloads.signature) return reasons::incomplete(s.peer_name(), "its signature");
  if (!who.settings->trust) return reasons::internal("the tunnel's authorities are not loaded");
  std::vector<crypto::Certificate> sent;
  for (const ike::Bytes& body : in.payloads.certificates) {
    if (body.front() != kX509Signature) continue;
    auto certificate = crypto::Certificate::from_der(ike::ByteView(body).subspan(1));
    if (!certificate && sent.empty()) return reasons::bad_certificate(s, certificate.error());
    if (certificate) sent.push_back(std::move(*certificate));
  }
  const bool legacy = who.config().legacy;
  const crypto::ClaimedIdentity claimed{static_cast<std::uint8_t>(id.type), id.data};
  const auto chain = crypto::validate(sent, *who.settings->trust, claimed, s.env->wall_time(), {.legacy = legacy});
  if (!chain) return reasons::bad_certificate(s, chain.error());
  const auto wrong = chain->front().public_key().verify_ikev1(*in.payloads.signature,
                                                              hash_of_proof(s, !s.initiator), legacy);
  if (wrong) return reasons::bad_signature(s, chain->front().subject(), *wrong);
  return std::nullopt;
}

}  // namespace

void set_own_id(Session& s) {
  s.id_local = s.peer.local_id;
  (s.initiator ? s.handshake->id_i : s.handshake->id_r) = s.id_local.encode();
}

void add_id(const Session& s, ike::PayloadChain& chain) {
  chain.add(ike::PayloadType::v1_id, s.initiator ? s.handshake->id_i : s.handshake->id_r);
}

std::optional<ike::Reason> add_proof(Session& s, ike::PayloadChain& chain) {
  const ike::Bytes hash = hash_of_proof(s, s.initiator);
  if (!by_certificate(s.peer)) {
    chain.add(ike::PayloadType::v1_hash, hash);
    return std::nullopt;
  }
  if (!s.peer.settings->credential) return reasons::internal("the tunnel's certificate is not loaded");
  const crypto::Credential& own = *s.peer.settings->credential;
  const auto signature = own.key.sign_ikev1(hash);
  if (!signature) return reasons::cannot_sign(s, signature.error());
  for (const crypto::Certificate& c : own.chain) {
    ike::Bytes body{kX509Signature};
    body.insert(body.end(), c.der().begin(), c.der().end());
    chain.add(ike::PayloadType::v1_certificate, body);
  }
  chain.add(ike::PayloadType::v1_signature, *signature);
  return std::nullopt;
}

std::optional<ike::Reason> check_proof(Session& s, const Inbound& in, Step& step) {
  Handshake& h = *s.handshake;
  ike::Bytes& body = s.initiator ? h.id_r : h.id_i;
  if (!in.payloads.ids.empty()) body = in.payloads.ids.front();
  const auto id = ike::Identity::decode(body);
  if (!id) return reasons::malformed(s, id.error().text);
  if (!usual_ports(body)) step.debug("the identity of " + s.peer_name() + " names an odd protocol and port");
  if (!by_certificate(s.peer)) {  // the key first: a wrong identity is told to nobody without it
    if (!in.payloads.hash) return reasons::incomplete(s.peer_name(), "its HASH");
    if (!crypto::equal_constant_time(hash_of_proof(s, !s.initiator), *in.payloads.hash)) {
      return reasons::wrong_psk(s, false);
    }
  }
  const auto candidates = possible(s);
  const auto who = std::ranges::find_if(candidates, [&](const Peer* p) { return p->remote_id.matches(*id); });
  if (who == candidates.end()) {
    std::vector<Peer> wanted;
    for (const Peer* p : candidates) wanted.push_back(*p);
    return reasons::wrong_identity(s, wanted, *id);
  }
  if (by_certificate(**who)) {
    if (auto reason = check_signature(s, **who, *id, in)) return reason;
  }
  if (*who != &s.peer) s.peer = Peer(**who);
  s.id_remote = *id;
  return std::nullopt;
}

void add_certificate_requests(const Session& s, ike::PayloadChain& chain) {
  if (!by_certificate(s.peer) || !s.peer.settings->trust) return;
  for (const crypto::Certificate& ca : s.peer.settings->trust->cas()) {
    ike::Bytes body{kX509Signature};
    body.insert(body.end(), ca.subject_der().begin(), ca.subject_der().end());
    chain.add(ike::PayloadType::v1_certificate_request, body);
  }
}

}  // namespace causeway::ikev1

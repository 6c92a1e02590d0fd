#include "control/ikev2/auth_cert.h"

#include <algorithm>
#include <utility>

#include "control/ikev2/reasons.h"
#include "crypto/x509.h"

namespace causeway::ikev2 {

namespace {

bool by_certificate(const Peer& peer) { return peer.config().auth == conf::AuthMethod::cert; }

std::vector<crypto::Certificate> certificates_of(const ike::Payloads& payloads, std::optional<ike::Reason>& unreadable,
                                                 const Session& s) {
  std::vector<crypto::Certificate> out;
  for (const ike::CertificatePayload& p : payloads.certificates) {
    if (p.encoding != ike::CertificatePayload::Encoding::x509_signature) continue;
    auto certificate = crypto::Certificate::from_der(p.data);
    if (certificate) {
      out.push_back(std::move(*certificate));
    } else if (out.empty() && !unreadable) {
      unreadable = reasons::bad_certificate(s, certificate.error());
    }
  }
  return out;
}

}  // namespace

bool uses_certificates(std::span<const Peer> peers) { return std::ranges::any_of(peers, by_certificate); }

void add_signature_hashes(ike::PayloadChain& chain, std::span<const Peer> peers) {
  if (!uses_certificates(peers)) return;
  const bool legacy = std::ranges::any_of(peers, [](const Peer& p) { return p.config().legacy; });
  ike::Writer hashes;
  for (const crypto::Hash h : crypto::announced_hashes(legacy)) hashes.be16(static_cast<std::uint16_t>(h));
  add_notify(chain, ike::NotifyType::signature_hash_algorithms, hashes.take());
}

void add_certificate_request(ike::PayloadChain& chain, std::span<const Peer> peers) {
  ike::CertificateRequestPayload request;
  for (const Peer& p : peers) {
    if (!by_certificate(p) || !p.settings->trust) continue;
    for (const crypto::Certificate& ca : p.settings->trust->cas()) {
      const ike::Bytes hash = ike::to_bytes(ca.key_hash());
      const bool known = std::ranges::find(request.authorities, hash) != request.authorities.end();
      if (!known) request.authorities.push_back(hash);
    }
  }
  if (!request.authorities.empty()) chain.add(ike::PayloadType::certificate_request, request.encode());
}

void add_certificates(ike::PayloadChain& chain, const Peer& peer) {
  if (!by_certificate(peer) || !peer.settings->credential) return;
  for (const crypto::Certificate& c : peer.settings->credential->chain) {
    const ike::CertificatePayload payload{ike::CertificatePayload::Encoding::x509_signature, ike::to_bytes(c.der())};
    chain.add(ike::PayloadType::certificate, payload.encode());
  }
}

void remember_signature_hashes(Handshake& h, const ike::Payloads& payloads) {
  h.keyed.peer_hashes.clear();
  const auto* notify = payloads.find(ike::NotifyType::signature_hash_algorithms);
  if (notify == nullptr) return;
  ike::Reader r(notify->data);
  while (r.left() >= 2) {
    const std::uint16_t number = r.be16();
    if (number >= 1 && number <= 5) h.keyed.peer_hashes.push_back(static_cast<crypto::Hash>(number));
  }
}

tl::expected<ike::AuthPayload, ike::Reason> sign_auth(const Session& s, ike::ByteView octets) {
  if (!s.peer.settings->credential) {
    return tl::make_unexpected(reasons::internal("the tunnel's certificate is not loaded"));
  }
  const crypto::SignPolicy policy{.legacy = s.peer.config().legacy};
  auto signature = s.peer.settings->credential->key.sign(octets, s.handshake->keyed.peer_hashes, policy);
  if (!signature) return tl::make_unexpected(reasons::cannot_sign(s, signature.error()));
  return ike::AuthPayload{static_cast<ike::AuthPayload::Method>(signature->method), std::move(signature->data)};
}

std::optional<ike::Reason> verify_signature(const Session& s, const Peer& peer, const Claim& claim,
                                            ike::ByteView octets) {
  if (!peer.settings->trust) return reasons::internal("the tunnel's authorities are not loaded");
  std::optional<ike::Reason> unreadable;
  const auto sent = certificates_of(claim.payloads, unreadable, s);
  if (sent.empty() && unreadable) return unreadable;
  const bool legacy = peer.config().legacy;
  const crypto::ClaimedIdentity claimed{static_cast<std::uint8_t>(claim.identity.type), claim.identity.data};
  const auto chain = crypto::validate(sent, *peer.settings->trust, claimed, s.env->wall_time(), {.legacy = legacy});
  if (!chain) return reasons::bad_certificate(s, chain.error());
  const auto method = static_cast<crypto::SignatureMethod>(claim.auth.method);
  const auto used = chain->front().public_key().verify(method, claim.auth.data, octets, {.legacy = legacy});
  if (!used) return reasons::bad_signature(s, chain->front().subject(), used.error());
  return std::nullopt;
}

}  // namespace causeway::ikev2

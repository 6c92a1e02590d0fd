// Proof by signature and certificate (RFC 7296 2.15, 3.6 - 3.8; RFC 7427, RFC 4754, RFC 8420; RFC 4945).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "control/ikev2/auth.h"
#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// Whether any of them proves or judges by certificates.
bool uses_certificates(std::span<const Peer> peers);

// --- what IKE_SA_INIT and IKE_AUTH say about them ---------------------------------------------------------

// N(SIGNATURE_HASH_ALGORITHMS): the hashes we take in the peer's signature (RFC 7427 4).
void add_signature_hashes(ike::PayloadChain& chain, std::span<const Peer> peers);
// CERTREQ: the authorities we trust, of all who may still be the peer.
void add_certificate_request(ike::PayloadChain& chain, std::span<const Peer> peers);
// CERT: ours, then the intermediate ones.
void add_certificates(ike::PayloadChain& chain, const Peer& peer);
// Of an IKE_SA_INIT message, for make_signature().
void remember_signature_hashes(Handshake& h, const ike::Payloads& payloads);

// --- the proofs ---------------------------------------------------------------------------------------------

tl::expected<ike::AuthPayload, ike::Reason> sign_auth(const Session& s, ike::ByteView octets);
// Nothing where the certificate is good, is of whom the peer says it is, and its key made the signature.
std::optional<ike::Reason> verify_signature(const Session& s, const Peer& peer, const Claim& claim,
                                            ike::ByteView octets);

}  // namespace causeway::ikev2

// Every key that IKEv2 derives (RFC 7296 2.13 - 2.18), each in one place.
#pragma once

#include "control/ike/bytes.h"
#include "control/ike/proposal.h"
#include "crypto/secrets.h"

namespace causeway::ikev2 {

struct Nonces {
  ike::Bytes initiator, responder;  // of the exchange, not of the IKE SA
};

// The seven keys of an IKE SA (2.14). Suffix: whose messages or whose AUTH they serve.
struct IkeKeys {
  crypto::Secret d;       // for children and for the next IKE SA
  crypto::Secret ai, ar;  // integrity; empty for an AEAD
  crypto::Secret ei, er;  // encryption, with the salt behind
  crypto::Secret pi, pr;  // for the AUTH payloads
};

// SKEYSEED = prf(Ni | Nr, g^ir) (2.14).
crypto::Secret skeyseed(crypto::Prf prf, const Nonces& nonces, const crypto::Secret& shared);
// SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr) with the *old* SA's PRF (2.18); behind it the secrets of additional
// key exchanges (RFC 9370 2.2.4).
crypto::Secret skeyseed_of_rekey(crypto::Prf old_prf, const crypto::Secret& old_d, const crypto::Secret& shared,
                                 const Nonces& nonces, const crypto::Secret& more = {});
// prf+ (SKEYSEED, Ni | Nr | SPIi | SPIr), cut into the seven keys (2.14).
IkeKeys ike_keys(const ike::Choice& suite, const crypto::Secret& seed, const Nonces& nonces, std::uint64_t spi_i,
                 std::uint64_t spi_r);

// With a post-quantum pre-shared key: SK_d, SK_pi and SK_pr are each prf+(PPK, the former) (RFC 8784 3).
IkeKeys with_ppk(crypto::Prf prf, const IkeKeys& keys, const crypto::Secret& ppk);

// Keys of a pair of ESP SAs (2.17): the exchange's initiator sends with `i`, its responder with `r`.
struct ChildKeys {
  crypto::Secret encryption_i, integrity_i, encryption_r, integrity_r;
};
// KEYMAT = prf+(SK_d, [g^ir (new) |] Ni | Nr). `shared` is empty without a key exchange of its own.
ChildKeys child_keys(crypto::Prf prf, const crypto::Secret& d, const crypto::Secret& shared, const Nonces& nonces,
                     const crypto::EspSuite& suite);

// What an AUTH payload signs (2.15): first message | the other's nonce | prf(SK_p, body of the ID payload).
ike::Bytes signed_octets(crypto::Prf prf, ike::ByteView first_message, ike::ByteView other_nonce,
                         const crypto::Secret& sk_p, ike::ByteView id_body);
// AUTH for a shared key: prf(prf(PSK, "Key Pad for IKEv2"), signed octets).
ike::Bytes psk_auth(crypto::Prf prf, const crypto::Secret& psk, ike::ByteView octets);

}  // namespace causeway::ikev2

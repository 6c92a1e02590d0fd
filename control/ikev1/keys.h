// Every key, IV and hash that IKEv1 derives (RFC 2409 5, 5.5 and appendix B), each in one place.
#pragma once

#include <cstdint>
#include <optional>

#include "control/ike/bytes.h"
#include "control/ike/proposal.h"
#include "crypto/hash.h"
#include "crypto/secrets.h"

namespace causeway::ikev1 {

struct Nonces {
  ike::Bytes initiator, responder;  // of the exchange
};
struct Cookies {
  std::uint64_t initiator = 0, responder = 0;
};

struct Phase1Keys {
  crypto::Secret skeyid, d, a;
  crypto::Secret encryption;  // of the cipher: SKEYID_e, lengthened where that is too short
};

crypto::Hash hash_of(crypto::Prf prf);  // "negotiated hash algorithm": the PRF is its HMAC

crypto::Secret skeyid_of_psk(crypto::Prf prf, const crypto::Secret& psk, const Nonces& nonces);
crypto::Secret skeyid_of_signature(crypto::Prf prf, const crypto::Secret& shared, const Nonces& nonces);
Phase1Keys phase1_keys(const ike::Choice& suite, crypto::Secret skeyid, const crypto::Secret& shared,
                       const Cookies& cookies);

// The IV of the first encrypted message of phase 1, and of the first of an exchange behind it (appendix B).
ike::Bytes first_iv(const ike::Choice& suite, ike::ByteView public_i, ike::ByteView public_r);
ike::Bytes exchange_iv(const ike::Choice& suite, ike::ByteView last_block, std::uint32_t message_id);

// HASH_I (of_initiator) or HASH_R (5): who proves, what both sent, the initiator's SA payload, the prover's ID.
struct Proof {
  bool of_initiator = true;
  ike::ByteView public_i, public_r;
  Cookies cookies;
  ike::ByteView sa_body, id_body;
};
ike::Bytes phase1_hash(crypto::Prf prf, const crypto::Secret& skeyid, const Proof& proof);

// HASH(1) of quick mode and of informational exchanges, HASH(2) with the initiator's nonce between; `payloads` is
// all behind the HASH payload, generic headers included (5.5, 5.7).
ike::Bytes hash_1(crypto::Prf prf, const crypto::Secret& a, std::uint32_t message_id, ike::ByteView payloads);
ike::Bytes hash_2(crypto::Prf prf, const crypto::Secret& a, std::uint32_t message_id, ike::ByteView nonce_i,
                  ike::ByteView payloads);
ike::Bytes hash_3(crypto::Prf prf, const crypto::Secret& a, std::uint32_t message_id, const Nonces& nonces);

// Keys of the ESP SA that `spi` names (5.5): encryption key with its salt behind, then the integrity key.
struct ChildKeys {
  crypto::Secret encryption, integrity;
};
ChildKeys child_keys(crypto::Prf prf, const crypto::Secret& d, const crypto::Secret& shared, std::uint32_t spi,
                     const Nonces& nonces, const crypto::EspSuite& suite);

}  // namespace causeway::ikev1

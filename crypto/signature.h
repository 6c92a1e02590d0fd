// Signatures by which IKEv2 peers prove who they are, and the keys behind them.
//
// Sources: RFC 7296 2.15 and 3.8 (methods 1), RFC 4754 (methods 9-11: raw r|s), RFC 7427 (method 14: an
// AlgorithmIdentifier in front), RFC 8420 (EdDSA), RFC 8247 3.1 (what is strong enough).
// Nothing here knows IKE's payloads: callers give the octets to be signed (RFC 7296 2.15) and put the
// result into an AUTH payload behind its four octets of header.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "crypto/hash.h"

namespace causeway::crypto {

// IANA "IKEv2 Authentication Method", those that are signatures.
enum class SignatureMethod : std::uint8_t { rsa = 1, ecdsa_256 = 9, ecdsa_384 = 10, ecdsa_521 = 11, digital = 14 };
[[nodiscard]] bool is_signature_method(std::uint8_t method);

enum class KeyType : std::uint8_t { rsa, ec_p256, ec_p384, ec_p521, ec_other, ed25519, ed448, other };

enum class SignatureProblem : std::uint8_t {
  unreadable,      // no key, no signature, or no AlgorithmIdentifier can be read from the octets
  unsupported,     // an algorithm, key type or method that is not spoken here
  weak_key,        // RSA below 2048 bits, EC below 256
  weak_hash,       // SHA-1 where it is not allowed
  wrong_key_type,  // the method or algorithm does not fit the key of the certificate
  mismatch,        // everything fits, and the signature does not verify
  no_common_hash,  // the peer takes no hash that our key can sign with
  internal,
};
struct SignatureError {
  SignatureProblem problem = SignatureProblem::internal;
  std::string text;  // one sentence that names the cause and the cure
};

// What we announce in SIGNATURE_HASH_ALGORITHMS, strongest wish first. SHA-1 only with `legacy`.
[[nodiscard]] std::vector<Hash> announced_hashes(bool legacy = false);

struct VerifyPolicy {
  bool legacy = false;   // takes SHA-1 in method 14, and keys that are too short
  bool rsa_sha1 = true;  // method 1 with SHA-1: RFC 8247 3.1 still wants it, old peers have nothing else
};

// A public key. Immutable, shared between copies.
class PublicKey {
 public:
  // From a SubjectPublicKeyInfo in DER. Trailing octets are refused.
  static tl::expected<PublicKey, SignatureError> from_spki(std::span<const std::uint8_t> der);

  [[nodiscard]] KeyType type() const;
  [[nodiscard]] int bits() const;          // of the modulus or of the curve's order
  [[nodiscard]] std::string name() const;  // "RSA 2048", "ECDSA P-256", "Ed25519"
  [[nodiscard]] std::span<const std::uint8_t> spki() const;
  // Empty where the key is strong enough; else why it is not, to be put behind "its key ": "is RSA with 1024
  // bits; at least 2048 are needed".
  [[nodiscard]] std::string weakness() const;
  // In the same form: why nothing can be verified with it at all (unknown kind, absurdly long).
  [[nodiscard]] std::string obstacle() const;

  // `signature`: an AUTH payload's data: for method 14 with the length octet and AlgorithmIdentifier in front.
  // The value says what was used: "RSASSA-PSS with SHA2-256".
  [[nodiscard]] tl::expected<std::string, SignatureError> verify(SignatureMethod method,
                                                                 std::span<const std::uint8_t> signature,
                                                                 std::span<const std::uint8_t> data,
                                                                 const VerifyPolicy& policy = {}) const;
  // IKEv1's RSA signature of HASH_I or HASH_R (RFC 2409 5.1): PKCS#1 v1.5 padding around the bare hash, without the
  // AlgorithmIdentifier that signatures have elsewhere. Nothing where it verifies.
  [[nodiscard]] std::optional<SignatureError> verify_ikev1(std::span<const std::uint8_t> signature,
                                                           std::span<const std::uint8_t> hash,
                                                           bool legacy = false) const;
  bool operator==(const PublicKey& other) const;

 private:
  struct Impl;
  explicit PublicKey(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

struct Signature {
  SignatureMethod method = SignatureMethod::digital;
  std::vector<std::uint8_t> data;  // an AUTH payload's data behind its header
  std::string name;                // "RSASSA-PSS with SHA2-256"
};

struct SignPolicy {
  bool legacy = false;   // takes SHA-1 in method 14 where the peer offers nothing better
  bool rsa_sha1 = true;  // method 1 with SHA-1 for a peer without RFC 7427
  bool rsa_pss = true;   // false: PKCS#1 v1.5 in method 14, for peers that cannot do PSS
};

// A private key: kept by OpenSSL, which wipes it; the text it was read from is wiped here. Immutable, shared.
class PrivateKey {
 public:
  // PEM (PKCS#8, or the older RSA and EC forms) or DER. An encrypted key is refused: nobody is there to be asked.
  static tl::expected<PrivateKey, SignatureError> parse(std::span<const std::uint8_t> contents);
  // The same from a file, which must not be readable by everybody.
  static tl::expected<PrivateKey, SignatureError> load(const std::string& path);

  [[nodiscard]] KeyType type() const;
  [[nodiscard]] const PublicKey& public_key() const;

  // Signs with the best method the peer takes: method 14 with a hash of `peer_hashes` (as the peer's
  // SIGNATURE_HASH_ALGORITHMS lists them, unknown numbers left out) that fits the key; where the peer sent none
  // (empty), the older methods.
  [[nodiscard]] tl::expected<Signature, SignatureError> sign(std::span<const std::uint8_t> data,
                                                             std::span<const Hash> peer_hashes,
                                                             const SignPolicy& policy = {}) const;
  // IKEv1's form of it (see PublicKey::verify_ikev1), RSA keys only.
  [[nodiscard]] tl::expected<std::vector<std::uint8_t>, SignatureError> sign_ikev1(
      std::span<const std::uint8_t> hash) const;

 private:
  struct Impl;
  explicit PrivateKey(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace causeway::crypto

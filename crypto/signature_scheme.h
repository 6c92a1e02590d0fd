// The AlgorithmIdentifier that stands in front of a signature of method 14: read, and written.
// Source: RFC 7427 3 and appendix A, RFC 4055 (RSA), RFC 5758 (ECDSA), RFC 8410 (EdDSA).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "crypto/signature.h"

namespace causeway::crypto {

enum class SignatureKind : std::uint8_t { rsa_pkcs1, rsa_pss, ecdsa, ed25519, ed448 };

struct SignatureScheme {
  SignatureKind kind = SignatureKind::rsa_pkcs1;
  Hash hash = Hash::sha2_256;
  Hash mgf_hash = Hash::sha2_256;          // RSASSA-PSS only
  int salt_octets = 0;                     // RSASSA-PSS only
  [[nodiscard]] std::string name() const;  // "RSASSA-PSS with SHA2-256"
  bool operator==(const SignatureScheme&) const = default;
};

[[nodiscard]] std::string_view name_of(Hash hash);  // "SHA2-256"

// RSASSA-PSS as we use it: MGF1 with the same hash, a salt as long as the hash (RFC 7427 4).
[[nodiscard]] SignatureScheme scheme_for(SignatureKind kind, Hash hash);

// `der` is exactly one AlgorithmIdentifier.
tl::expected<SignatureScheme, SignatureError> read_algorithm_identifier(std::span<const std::uint8_t> der);
// Empty where RFC 7427 knows no such combination.
std::vector<std::uint8_t> write_algorithm_identifier(const SignatureScheme& scheme);

}  // namespace causeway::crypto

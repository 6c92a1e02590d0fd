// Key exchanges (RFC 7296 2.12, groups of RFC 2409, 3526, 5903, 8031; ML-KEM of FIPS 203 where OpenSSL has it).
//
// One interface serves Diffie-Hellman and KEMs: the initiator makes a value and later finishes with the
// responder's; the responder does all at once. Tests give state machines a factory of their own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "crypto/algorithms.h"
#include "crypto/secrets.h"

namespace causeway::crypto {

// The initiator's half. The private value is wiped with it.
class KeyAgreement {
 public:
  virtual ~KeyAgreement() = default;
  [[nodiscard]] virtual KeyExchange id() const = 0;
  [[nodiscard]] virtual std::span<const std::uint8_t> public_value() const = 0;  // as in the KE payload
  // The shared secret, leading zeros kept (RFC 7296 2.14). Values that RFC 6989 forbids (wrong length, 0, 1, p-1,
  // outside of the group, points off the curve, an all-zero X25519 result) are an error that names them.
  virtual tl::expected<Secret, std::string> finish(std::span<const std::uint8_t> peer_public) = 0;
};

struct KeyResponse {
  std::vector<std::uint8_t> public_value;
  Secret shared;
};

class KeyExchangeFactory {
 public:
  virtual ~KeyExchangeFactory() = default;
  virtual tl::expected<std::unique_ptr<KeyAgreement>, std::string> initiate(KeyExchange id) = 0;
  virtual tl::expected<KeyResponse, std::string> respond(KeyExchange id, std::span<const std::uint8_t> peer_public) = 0;
};

// With keys from the system's generator.
class SystemKeyExchange final : public KeyExchangeFactory {
 public:
  tl::expected<std::unique_ptr<KeyAgreement>, std::string> initiate(KeyExchange id) override;
  tl::expected<KeyResponse, std::string> respond(KeyExchange id, std::span<const std::uint8_t> peer_public) override;
};

// Empty where this build and its OpenSSL can do it; else why not ("mlkem768 needs OpenSSL 3.5 or newer; this is ...").
std::string unavailable(KeyExchange id);

// For known answers: an initiator's half with a given private value (not for ML-KEM), and the prime of a MODP group.
tl::expected<std::unique_ptr<KeyAgreement>, std::string> agreement_from_private(
    KeyExchange id, std::span<const std::uint8_t> private_value);
std::vector<std::uint8_t> modp_prime(KeyExchange id);

}  // namespace causeway::crypto

// Pseudo-random functions (RFC 7296 2.13; HMAC RFC 2104, RFC 2404, RFC 4868; AES-XCBC RFC 4434).
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "crypto/algorithms.h"
#include "crypto/secrets.h"

namespace causeway::crypto {

// prf(key, part | part | ...). The key may have any length (RFC 4434 2 says how AES-XCBC takes it).
Secret prf(Prf id, std::span<const std::uint8_t> key, std::initializer_list<std::span<const std::uint8_t>> parts);

// prf+ (key, seed), the first `length` octets; at most 255 times the PRF's output (RFC 7296 2.13).
Secret prf_plus(Prf id, std::span<const std::uint8_t> key, std::span<const std::uint8_t> seed, std::size_t length);

// AES-XCBC: half of the key for SKEYSEED is taken from each nonce (RFC 7296 2.14).
bool takes_fixed_key(Prf id);

}  // namespace causeway::crypto

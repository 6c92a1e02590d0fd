// HMAC and AES-XCBC over parts: what prf.cpp and integrity.cpp are made of. Not for use outside of crypto/.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

#include "crypto/hash.h"
#include "crypto/secrets.h"

namespace causeway::crypto {

using Parts = std::initializer_list<std::span<const std::uint8_t>>;

Secret hmac(Hash h, std::span<const std::uint8_t> key, Parts parts);  // RFC 2104, not truncated

// RFC 3566, not truncated; the key has 16 octets.
Secret aes_xcbc(std::span<const std::uint8_t> key, Parts parts);

}  // namespace causeway::crypto

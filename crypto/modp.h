// MODP groups (RFC 2409 6, RFC 3526): exponentiation modulo safe primes. Not for use outside of crypto/.
#pragma once

#include <memory>

#include "crypto/dh.h"

namespace causeway::crypto {

bool is_modp(KeyExchange id);
// `private_value` empty: a fresh one.
tl::expected<std::unique_ptr<KeyAgreement>, std::string> make_modp(KeyExchange id,
                                                                   std::span<const std::uint8_t> private_value);

}  // namespace causeway::crypto

// Integrity algorithms of IKE messages: HMACs truncated as RFC 2403, 2404 and 4868 say, AES-XCBC-MAC-96 (RFC 3566).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "crypto/algorithms.h"

namespace causeway::crypto {

// The ICV over all parts, as long as the table says. Empty for Integrity::none.
std::vector<std::uint8_t> mac(Integrity id, std::span<const std::uint8_t> key,
                              std::initializer_list<std::span<const std::uint8_t>> parts);

}  // namespace causeway::crypto

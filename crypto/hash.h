// Hash functions: NAT detection, IKEv1's HASHes, signatures, certificate requests.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace causeway::crypto {

// IANA "IKEv2 Hash Algorithms", as in the notification SIGNATURE_HASH_ALGORITHMS (RFC 7427 7). MD5 has no number there
// and is for IKEv1 alone: nothing is signed with it.
enum class Hash : std::uint16_t { md5 = 0, sha1 = 1, sha2_256 = 2, sha2_384 = 3, sha2_512 = 4, identity = 5 };

std::size_t hash_octets(Hash h);  // 0 for identity, which is Ed25519's "none"
std::vector<std::uint8_t> hash(Hash h, std::initializer_list<std::span<const std::uint8_t>> parts);

}  // namespace causeway::crypto

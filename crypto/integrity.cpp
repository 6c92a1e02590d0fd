#include "crypto/integrity.h"

#include "crypto/keyed_hash.h"

namespace causeway::crypto {
namespace {

Secret full(Integrity id, std::span<const std::uint8_t> key, Parts parts) {
  switch (id) {
    case Integrity::hmac_md5_96:
      return hmac(Hash::md5, key, parts);
    case Integrity::hmac_sha1_96:
      return hmac(Hash::sha1, key, parts);
    case Integrity::aes_xcbc_96:
      return aes_xcbc(key, parts);
    case Integrity::hmac_sha2_256_128:
    case Integrity::hmac_sha2_256_96:
      return hmac(Hash::sha2_256, key, parts);
    case Integrity::hmac_sha2_384_192:
      return hmac(Hash::sha2_384, key, parts);
    case Integrity::hmac_sha2_512_256:
      return hmac(Hash::sha2_512, key, parts);
    case Integrity::none:
      break;
  }
  return {};
}

}  // namespace

std::vector<std::uint8_t> mac(Integrity id, std::span<const std::uint8_t> key,
                              std::initializer_list<std::span<const std::uint8_t>> parts) {
  const IntegrityInfo* info = find(id);
  if (info == nullptr) return {};
  const Secret whole = full(id, key, parts);
  const auto icv = whole.bytes().first(info->icv_octets);
  return {icv.begin(), icv.end()};
}

}  // namespace causeway::crypto

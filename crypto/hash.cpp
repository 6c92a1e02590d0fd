#include "crypto/hash.h"

#include "crypto/openssl_handles.h"

namespace causeway::crypto {
namespace {

const EVP_MD* digest_of(Hash h) {
  switch (h) {
    case Hash::md5:
      return EVP_md5();
    case Hash::sha1:
      return EVP_sha1();
    case Hash::sha2_256:
      return EVP_sha256();
    case Hash::sha2_384:
      return EVP_sha384();
    case Hash::sha2_512:
      return EVP_sha512();
    case Hash::identity:
      break;
  }
  return nullptr;
}

}  // namespace

std::size_t hash_octets(Hash h) {
  const EVP_MD* md = digest_of(h);
  return md == nullptr ? 0 : static_cast<std::size_t>(EVP_MD_get_size(md));
}

std::vector<std::uint8_t> hash(Hash h, std::initializer_list<std::span<const std::uint8_t>> parts) {
  const EVP_MD* md = digest_of(h);
  if (md == nullptr) return {};
  const ossl::MdCtx ctx(EVP_MD_CTX_new());
  ossl::must(ctx && EVP_DigestInit_ex(ctx.get(), md, nullptr) == 1, "digest");
  for (const auto part : parts) {
    ossl::must(EVP_DigestUpdate(ctx.get(), part.data(), part.size()) == 1, "digest");
  }
  std::vector<std::uint8_t> out(hash_octets(h));
  ossl::must(EVP_DigestFinal_ex(ctx.get(), out.data(), nullptr) == 1, "digest");
  return out;
}

}  // namespace causeway::crypto

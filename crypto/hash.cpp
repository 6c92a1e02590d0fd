#include "crypto/hash.h"

#include <array>

#include "crypto/openssl_handle.h"

namespace causeway::crypto {

// Fetched once: OpenSSL looks its constants up at every use.
const EVP_MD* digest_of(Hash h) {
  struct All {
    std::array<MdHandle, 5> of;
    All() {
      std::size_t i = 0;
      for (const char* name : {"MD5", "SHA1", "SHA256", "SHA384", "SHA512"}) {
        of[i++].reset(EVP_MD_fetch(nullptr, name, nullptr));
      }
    }
  };
  static const All all;
  const auto i = static_cast<std::size_t>(h);
  return i < all.of.size() ? all.of[i].get() : nullptr;
}

std::size_t hash_octets(Hash h) {
  const EVP_MD* md = digest_of(h);
  return md == nullptr ? 0 : static_cast<std::size_t>(EVP_MD_get_size(md));
}

std::vector<std::uint8_t> hash(Hash h, std::initializer_list<std::span<const std::uint8_t>> parts) {
  const EVP_MD* md = digest_of(h);
  if (md == nullptr) return {};
  const MdContextHandle ctx(EVP_MD_CTX_new());
  must(ctx && EVP_DigestInit_ex(ctx.get(), md, nullptr) == 1, "digest");
  for (const auto part : parts) {
    must(EVP_DigestUpdate(ctx.get(), part.data(), part.size()) == 1, "digest");
  }
  std::vector<std::uint8_t> out(hash_octets(h));
  must(EVP_DigestFinal_ex(ctx.get(), out.data(), nullptr) == 1, "digest");
  return out;
}

}  // namespace causeway::crypto

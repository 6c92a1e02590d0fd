#include "crypto/keyed_hash.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <array>
#include <cstring>

#include "crypto/openssl_handle.h"

namespace causeway::crypto {
namespace {

using Block = std::array<std::uint8_t, 16>;

const char* name_of(Hash h) {
  switch (h) {
    case Hash::md5:
      return "MD5";
    case Hash::sha1:
      return "SHA1";
    case Hash::sha2_256:
      return "SHA256";
    case Hash::sha2_384:
      return "SHA384";
    case Hash::sha2_512:
      return "SHA512";
    case Hash::identity:
      break;
  }
  return "NULL";
}

// HMAC with each hash, ready but for its key. Looking an algorithm up costs more than a short HMAC, so it is done once.
const EVP_MAC_CTX* hmac_with(Hash h) {
  struct Ready {
    std::array<MacContextHandle, 5> of;
    Ready() {
      const MacHandle algorithm(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
      for (std::size_t i = 0; i < of.size(); ++i) {
        const std::array params = {
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(name_of(static_cast<Hash>(i))),
                                             0),
            OSSL_PARAM_construct_end(),
        };
        of[i].reset(EVP_MAC_CTX_new(algorithm.get()));
        must(of[i] && EVP_MAC_CTX_set_params(of[i].get(), params.data()) == 1, "HMAC");
      }
    }
  };
  static const Ready ready;
  const auto i = static_cast<std::size_t>(h);
  must(i < ready.of.size(), "HMAC with this hash");
  return ready.of[i].get();
}

// AES-128 of single blocks.
class BlockCipher {
 public:
  explicit BlockCipher(std::span<const std::uint8_t> key) : ctx_(EVP_CIPHER_CTX_new()) {
    must(ctx_ && EVP_EncryptInit_ex(ctx_.get(), EVP_aes_128_ecb(), nullptr, key.data(), nullptr) == 1, "AES");
    EVP_CIPHER_CTX_set_padding(ctx_.get(), 0);
  }
  void encrypt(Block& block) {
    int n = 0;
    must(EVP_EncryptUpdate(ctx_.get(), block.data(), &n, block.data(), 16) == 1 && n == 16, "AES");
  }

 private:
  CipherContextHandle ctx_;
};

Block repeated(std::uint8_t octet) {
  Block b;
  b.fill(octet);
  return b;
}

void add(Block& into, const Block& other) {
  for (std::size_t i = 0; i < into.size(); ++i) into[i] = static_cast<std::uint8_t>(into[i] ^ other[i]);
}

}  // namespace

Secret hmac(Hash h, std::span<const std::uint8_t> key, Parts parts) {
  const MacContextHandle ctx(EVP_MAC_CTX_dup(hmac_with(h)));
  // An empty key is a key; OpenSSL takes a null pointer for "keep the last one".
  const std::uint8_t none = 0;
  const std::uint8_t* data = key.empty() ? &none : key.data();
  must(ctx && EVP_MAC_init(ctx.get(), data, key.size(), nullptr) == 1, "HMAC");
  for (const auto part : parts) must(EVP_MAC_update(ctx.get(), part.data(), part.size()) == 1, "HMAC");
  Secret out(hash_octets(h));
  std::size_t written = 0;
  must(EVP_MAC_final(ctx.get(), out.bytes().data(), &written, out.size()) == 1 && written == out.size(), "HMAC");
  return out;
}

Secret aes_xcbc(std::span<const std::uint8_t> key, Parts parts) {
  must(key.size() == 16, "AES-XCBC takes a key of 16 octets");
  // RFC 3566 4: K1 encrypts, K2 or K3 marks the last block as full or padded.
  BlockCipher under_key(key);
  Block k1 = repeated(1), k2 = repeated(2), k3 = repeated(3);
  under_key.encrypt(k1);
  under_key.encrypt(k2);
  under_key.encrypt(k3);
  BlockCipher cipher(k1);

  Block e{}, pending{};
  std::size_t filled = 0;
  for (const auto part : parts) {
    for (const std::uint8_t octet : part) {
      if (filled == pending.size()) {  // more follows, so this was not the last block
        add(e, pending);
        cipher.encrypt(e);
        filled = 0;
      }
      pending[filled++] = octet;
    }
  }
  if (filled == pending.size()) {
    add(e, k2);
  } else {
    pending[filled++] = 0x80;
    while (filled < pending.size()) pending[filled++] = 0;
    add(e, k3);
  }
  add(e, pending);
  cipher.encrypt(e);
  Secret out(e);
  for (Block* b : {&k1, &k2, &k3, &e, &pending}) wipe(*b);
  return out;
}

}  // namespace causeway::crypto

#include "crypto/cipher.h"

#include <array>
#include <cstring>
#include <map>
#include <string_view>
#include <utility>

#include "crypto/integrity.h"
#include "crypto/openssl_handle.h"

namespace causeway::crypto {
namespace {

using Octets = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

const char* name_of(Encryption id, std::size_t key_octets) {
  const auto by_key = [key_octets](const char* k16, const char* k24, const char* k32) {
    return key_octets == 16 ? k16 : key_octets == 24 ? k24 : key_octets == 32 ? k32 : nullptr;
  };
  switch (id) {
    case Encryption::des3_cbc:
      return key_octets == 24 ? "DES-EDE3-CBC" : nullptr;
    case Encryption::aes_cbc:
      return by_key("AES-128-CBC", "AES-192-CBC", "AES-256-CBC");
    case Encryption::aes_ctr:
      return by_key("AES-128-CTR", "AES-192-CTR", "AES-256-CTR");
    case Encryption::aes_gcm_8:
    case Encryption::aes_gcm_12:
    case Encryption::aes_gcm_16:
      return by_key("AES-128-GCM", "AES-192-GCM", "AES-256-GCM");
    case Encryption::chacha20_poly1305:
      return key_octets == 32 ? "ChaCha20-Poly1305" : nullptr;
    case Encryption::none:
    case Encryption::null:
    case Encryption::null_aes_gmac:
      break;
  }
  return nullptr;
}

// Fetched once: OpenSSL looks its constants up at every use.
const EVP_CIPHER* evp_of(Encryption id, std::size_t key_octets) {
  struct All {
    std::map<std::string_view, CipherHandle> of;
    All() {
      for (const char* name :
           {"DES-EDE3-CBC", "AES-128-CBC", "AES-192-CBC", "AES-256-CBC", "AES-128-CTR", "AES-192-CTR", "AES-256-CTR",
            "AES-128-GCM", "AES-192-GCM", "AES-256-GCM", "ChaCha20-Poly1305"}) {
        of[name].reset(EVP_CIPHER_fetch(nullptr, name, nullptr));
      }
    }
  };
  static const All all;
  const char* name = name_of(id, key_octets);
  const auto at = name == nullptr ? all.of.end() : all.of.find(name);
  return at == all.of.end() ? nullptr : at->second.get();
}

// What the cipher is started with. CBC: the IV itself. AEADs: salt | IV (RFC 4106 4, RFC 7634 2). CTR: the
// counter block salt | IV | 1 (RFC 3686 4).
Octets nonce_of(const EncryptionInfo& info, View salt, View iv) {
  Octets nonce(salt.begin(), salt.end());
  nonce.insert(nonce.end(), iv.begin(), iv.end());
  if (info.id == Encryption::aes_ctr) nonce.insert(nonce.end(), {0, 0, 0, 1});
  return nonce;
}

// Runs data through a cipher without padding; appends to `out`.
void run(EVP_CIPHER_CTX* ctx, View data, Octets& out) {
  const std::size_t at = out.size();
  out.resize(at + data.size());
  int n = 0;
  must(EVP_CipherUpdate(ctx, out.data() + at, &n, data.data(), static_cast<int>(data.size())) == 1 &&
           static_cast<std::size_t>(n) == data.size(),
       "cipher");
}

CipherContextHandle start(const EncryptionInfo& info, View key, View nonce, bool encrypt) {
  CipherContextHandle ctx(EVP_CIPHER_CTX_new());
  must(ctx && EVP_CipherInit_ex(ctx.get(), evp_of(info.id, info.key_octets), nullptr, key.data(), nonce.data(),
                                encrypt ? 1 : 0) == 1,
       "cipher");
  EVP_CIPHER_CTX_set_padding(ctx.get(), 0);
  return ctx;
}

void add_aad(EVP_CIPHER_CTX* ctx, View aad) {
  int n = 0;
  if (!aad.empty()) {
    must(EVP_CipherUpdate(ctx, nullptr, &n, aad.data(), static_cast<int>(aad.size())) == 1, "cipher");
  }
}

Octets cbc(Encryption id, View key, View iv, View data, bool encrypt) {
  const EncryptionInfo* info = find(id, id == Encryption::aes_cbc ? static_cast<std::uint16_t>(key.size() * 8) : 0);
  const bool is_cbc = id == Encryption::aes_cbc || id == Encryption::des3_cbc;
  if (!is_cbc || info == nullptr || key.size() != info->key_octets || iv.size() != info->iv_octets ||
      data.size() % info->block_octets != 0) {
    return {};
  }
  const CipherContextHandle ctx = start(*info, key, iv, encrypt);
  Octets out;
  if (!data.empty()) run(ctx.get(), data, out);
  return out;
}

}  // namespace

tl::expected<MessageCipher, std::string> MessageCipher::make(Encryption encryption, std::uint16_t key_bits,
                                                             Integrity integrity, Secret encryption_key,
                                                             Secret integrity_key) {
  const EncryptionInfo* info = find(encryption, key_bits);
  if (info == nullptr || !info->for_ike)
    return tl::unexpected(std::string("a cipher that cannot protect IKE messages"));
  const IntegrityInfo* mac_info = find(integrity);
  if (info->aead() != (mac_info == nullptr)) {
    return tl::unexpected(std::string(info->name) +
                          (info->aead() ? " takes no integrity algorithm" : " needs an integrity algorithm"));
  }
  if (encryption_key.size() != std::size_t{info->key_octets} + info->salt_octets ||
      integrity_key.size() != (mac_info == nullptr ? 0u : mac_info->key_octets)) {
    return tl::unexpected("keys of a wrong size for " + std::string(info->name));
  }
  MessageCipher cipher;
  cipher.info_ = info;
  cipher.integrity_ = integrity;
  cipher.icv_octets_ = mac_info == nullptr ? info->icv_octets : mac_info->icv_octets;
  cipher.key_ = encryption_key.slice(0, info->key_octets);
  cipher.salt_ = encryption_key.slice(info->key_octets, info->salt_octets);
  cipher.integrity_key_ = std::move(integrity_key);
  return cipher;
}

std::size_t MessageCipher::block_octets() const {
  return info_->salt_octets == 0 ? info_->block_octets : 1;  // a salt means a counter mode
}

std::vector<std::uint8_t> MessageCipher::seal(View aad, View plaintext, Random& random) {
  std::array<std::uint8_t, 16> iv{};
  const std::span used = std::span(iv).first(info_->iv_octets);
  if (info_->salt_octets == 0) {
    random.fill(used);
  } else {
    for (std::size_t i = 0; i < 8; ++i) used[i] = static_cast<std::uint8_t>(counter_ >> (56 - 8 * i));
    ++counter_;
  }
  return seal_with_iv(used, aad, plaintext);
}

std::vector<std::uint8_t> MessageCipher::seal_with_iv(View iv, View aad, View plaintext) const {
  must(iv.size() == info_->iv_octets && plaintext.size() % block_octets() == 0, "sizes given to a cipher");
  const CipherContextHandle ctx = start(*info_, key_.bytes(), nonce_of(*info_, salt_.bytes(), iv), true);
  Octets out(iv.begin(), iv.end());
  out.reserve(sealed_size(plaintext.size()));
  if (info_->aead()) add_aad(ctx.get(), aad);
  if (!plaintext.empty()) run(ctx.get(), plaintext, out);
  if (info_->aead()) {
    int n = 0;
    std::array<std::uint8_t, 16> rest{};
    must(EVP_CipherFinal_ex(ctx.get(), rest.data(), &n) == 1, "cipher");
    const std::size_t at = out.size();
    out.resize(at + icv_octets_);
    must(EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(icv_octets_), out.data() + at) == 1,
         "cipher tag");
  } else {
    const Octets icv = mac(integrity_, integrity_key_.bytes(), {aad, out});
    out.insert(out.end(), icv.begin(), icv.end());
  }
  return out;
}

std::optional<std::vector<std::uint8_t>> MessageCipher::open(View aad, View sealed) const {
  if (sealed.size() < sealed_size(0)) return std::nullopt;
  const View iv = sealed.first(iv_octets());
  const View ciphertext = sealed.subspan(iv_octets(), sealed.size() - sealed_size(0));
  const View icv = sealed.last(icv_octets_);
  if (ciphertext.size() % block_octets() != 0) return std::nullopt;
  if (!info_->aead() && !equal_constant_time(mac(integrity_, integrity_key_.bytes(), {aad, iv, ciphertext}), icv)) {
    return std::nullopt;
  }
  const CipherContextHandle ctx = start(*info_, key_.bytes(), nonce_of(*info_, salt_.bytes(), iv), false);
  Octets out;
  if (info_->aead()) add_aad(ctx.get(), aad);
  if (!ciphertext.empty()) run(ctx.get(), ciphertext, out);
  if (info_->aead()) {
    Octets tag(icv.begin(), icv.end());
    must(EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()), tag.data()) == 1,
         "cipher tag");
    int n = 0;
    std::array<std::uint8_t, 16> rest{};
    if (EVP_CipherFinal_ex(ctx.get(), rest.data(), &n) != 1) {
      wipe(out);
      ERR_clear_error();
      return std::nullopt;
    }
  }
  return out;
}

std::vector<std::uint8_t> cbc_encrypt(Encryption id, View key, View iv, View data) {
  return cbc(id, key, iv, data, true);
}
std::vector<std::uint8_t> cbc_decrypt(Encryption id, View key, View iv, View data) {
  return cbc(id, key, iv, data, false);
}

}  // namespace causeway::crypto

// From a suite and its raw keys to what the batch engine reads per packet.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "crypto/esp_engine_mb.h"
#include "crypto/secrets.h"

namespace causeway::crypto {

namespace {

using Octets = std::span<const std::uint8_t>;

void expand_aes(const IMB_MGR& manager, Octets key, AesKeys& out) {
  switch (key.size()) {
    case 16:
      manager.keyexp_128(key.data(), out.encrypt.data(), out.decrypt.data());
      break;
    case 24:
      manager.keyexp_192(key.data(), out.encrypt.data(), out.decrypt.data());
      break;
    default:
      manager.keyexp_256(key.data(), out.encrypt.data(), out.decrypt.data());
      break;
  }
}

void expand_gcm(const IMB_MGR& manager, Octets key, gcm_key_data& out) {
  switch (key.size()) {
    case 16:
      manager.gcm128_pre(key.data(), &out);
      break;
    case 24:
      manager.gcm192_pre(key.data(), &out);
      break;
    default:
      manager.gcm256_pre(key.data(), &out);
      break;
  }
}

void expand_des3(const IMB_MGR& manager, Octets key, Des3Keys& out) {
  for (std::size_t i = 0; i < 3; ++i) {
    manager.des_key_sched(out.schedule[i].data(), key.data() + 8 * i);
    out.pointers[i] = out.schedule[i].data();
  }
}

// HMAC (RFC 2104) hashes one block of key xor pad before all else: that state is computed once.
void expand_hmac(hash_one_block_t one_block, Octets key, HmacKeys& out) {
  std::array<std::uint8_t, 128> block;  // SHA2-384 and -512 read all of it, the others the first 64
  const auto pad = [&](std::uint8_t value, std::uint8_t* state) {
    block.fill(value);
    for (std::size_t i = 0; i < key.size(); ++i) block[i] ^= key[i];
    one_block(block.data(), state);
  };
  pad(0x36, out.inner.data());
  pad(0x5c, out.outer.data());
  wipe(block);
}

struct HashRow {
  Integrity id;
  IMB_HASH_ALG hash;
  std::uint8_t digest_octets;  // a length the library offers, at least what goes on the wire
  hash_one_block_t IMB_MGR::*one_block;
};
const HashRow* hash_row(Integrity id) {
  static const std::array kRows = {
      HashRow{Integrity::hmac_md5_96, IMB_AUTH_MD5, 12, &IMB_MGR::md5_one_block},
      HashRow{Integrity::hmac_sha1_96, IMB_AUTH_HMAC_SHA_1, 12, &IMB_MGR::sha1_one_block},
      HashRow{Integrity::hmac_sha2_256_128, IMB_AUTH_HMAC_SHA_256, 16, &IMB_MGR::sha256_one_block},
      HashRow{Integrity::hmac_sha2_256_96, IMB_AUTH_HMAC_SHA_256, 16, &IMB_MGR::sha256_one_block},
      HashRow{Integrity::hmac_sha2_384_192, IMB_AUTH_HMAC_SHA_384, 24, &IMB_MGR::sha384_one_block},
      HashRow{Integrity::hmac_sha2_512_256, IMB_AUTH_HMAC_SHA_512, 32, &IMB_MGR::sha512_one_block},
      HashRow{Integrity::aes_xcbc_96, IMB_AUTH_AES_XCBC, 12, nullptr},
  };
  const auto it = std::find_if(kRows.begin(), kRows.end(), [id](const HashRow& row) { return row.id == id; });
  return it == kRows.end() ? nullptr : &*it;
}

void expand_integrity(const IMB_MGR& manager, const HashRow& row, Octets key, EspKey& out) {
  SeparateKeys& keys = schedule(out).separate;
  out.hash = static_cast<std::uint8_t>(row.hash);
  out.digest_octets = row.digest_octets;
  if (row.hash == IMB_AUTH_AES_XCBC)
    manager.xcbc_keyexp(key.data(), keys.xcbc.k1.data(), keys.xcbc.k2.data(), keys.xcbc.k3.data());
  else
    expand_hmac(manager.*row.one_block, key, keys.hmac);
}

// The cipher of a suite with an integrity algorithm beside it.
bool expand_separate(const IMB_MGR& manager, Encryption id, Octets key, EspKey& out) {
  SeparateKeys& keys = schedule(out).separate;
  out.kind = EspKey::Kind::separate;
  switch (id) {
    case Encryption::aes_cbc:
      out.cipher = IMB_CIPHER_CBC;
      out.iv_is_encrypted = true;
      expand_aes(manager, key, keys.aes);
      return true;
    case Encryption::aes_ctr:
      out.cipher = IMB_CIPHER_CNTR;
      expand_aes(manager, key, keys.aes);
      return true;
    case Encryption::des3_cbc:
      out.cipher = IMB_CIPHER_DES3;
      out.iv_is_encrypted = true;
      expand_des3(manager, key, keys.des3);
      return true;
    case Encryption::null:
      out.cipher = IMB_CIPHER_NULL;
      return true;
    default:
      return false;
  }
}

bool expand_aead(const IMB_MGR& manager, Encryption id, Octets key, EspKey& out) {
  switch (id) {
    case Encryption::aes_gcm_8:
    case Encryption::aes_gcm_12:
    case Encryption::aes_gcm_16:
      out.kind = EspKey::Kind::gcm;
      expand_gcm(manager, key, schedule(out).gcm);
      return true;
    case Encryption::null_aes_gmac:
      out.kind = EspKey::Kind::gmac;
      expand_gcm(manager, key, schedule(out).gcm);
      return true;
    case Encryption::chacha20_poly1305:
      out.kind = EspKey::Kind::chacha20_poly1305;
      std::copy(key.begin(), key.end(), schedule(out).chacha.begin());
      return true;
    default:
      return false;
  }
}

tl::unexpected<std::string> error(const EspSuite& suite, std::string_view why) {
  return tl::unexpected(suite.name() + ": " + std::string(why));
}

}  // namespace

tl::expected<void, std::string> expand_key(const IMB_MGR& manager, const EspSuite& suite,
                                           std::span<const std::uint8_t> encryption_key,
                                           std::span<const std::uint8_t> integrity_key, EspKey& out) {
  const EncryptionInfo* cipher = find(suite.encryption, suite.key_bits);
  if (cipher == nullptr || !cipher->for_esp) return error(suite, "no such ESP cipher");
  if (encryption_key.size() != std::size_t{cipher->key_octets} + cipher->salt_octets)
    return error(suite, "an encryption key of the wrong length");
  const Octets key = encryption_key.first(cipher->key_octets);

  out.esn = suite.esn;
  out.family = EspPlan::family_of(suite);
  out.key_octets = cipher->key_octets;
  out.iv_octets = cipher->iv_octets;
  out.block_octets = std::max<std::uint8_t>(cipher->block_octets, 4);  // RFC 4303 2.4: ends on four octets
  const Octets salt = encryption_key.subspan(cipher->key_octets);
  std::copy_n(salt.begin(), std::min(salt.size(), out.salt.size()), out.salt.begin());

  if (cipher->aead()) {
    if (suite.integrity != Integrity::none) return error(suite, "an AEAD takes no integrity algorithm");
    out.icv_octets = cipher->icv_octets;
    out.digest_octets = cipher->icv_octets;
    if (!expand_aead(manager, suite.encryption, key, out)) return error(suite, "not in this engine");
    return {};
  }
  const IntegrityInfo* integrity = find(suite.integrity);
  const HashRow* row = hash_row(suite.integrity);
  if (integrity == nullptr || row == nullptr) return error(suite, "no cipher without integrity");
  if (integrity_key.size() != integrity->key_octets) return error(suite, "an integrity key of the wrong length");
  out.icv_octets = integrity->icv_octets;
  if (!expand_separate(manager, suite.encryption, key, out)) return error(suite, "not in this engine");
  expand_integrity(manager, *row, integrity_key, out);
  return {};
}

}  // namespace causeway::crypto

#include "crypto/algorithms.h"

#include <algorithm>

namespace causeway::crypto {
namespace {

using E = Encryption;

// Rows in the order in which a person reads a proposal: common first.
// name, id, key bits, key, salt, iv, block, icv, legacy, ike, esp, IKEv1 ESP id, IKEv1 phase 1 id
//
// Legacy: broken or too short by RFC 8221 and RFC 8247 (3DES, ICVs below 16 octets of an AEAD), or without
// secrecy (NULL, GMAC). IKEv1 knows AEADs in ESP only; its GMAC number differs from IKEv2's (RFC 4543 9).
constexpr std::array kEncryptions = {
    EncryptionInfo{"aes128gcm16", E::aes_gcm_16, 128, 16, 4, 8, 4, 16, false, true, true, 20, 0},
    EncryptionInfo{"aes192gcm16", E::aes_gcm_16, 192, 24, 4, 8, 4, 16, false, true, true, 20, 0},
    EncryptionInfo{"aes256gcm16", E::aes_gcm_16, 256, 32, 4, 8, 4, 16, false, true, true, 20, 0},
    EncryptionInfo{"aes128gcm12", E::aes_gcm_12, 128, 16, 4, 8, 4, 12, true, true, true, 19, 0},
    EncryptionInfo{"aes192gcm12", E::aes_gcm_12, 192, 24, 4, 8, 4, 12, true, true, true, 19, 0},
    EncryptionInfo{"aes256gcm12", E::aes_gcm_12, 256, 32, 4, 8, 4, 12, true, true, true, 19, 0},
    EncryptionInfo{"aes128gcm8", E::aes_gcm_8, 128, 16, 4, 8, 4, 8, true, true, true, 18, 0},
    EncryptionInfo{"aes192gcm8", E::aes_gcm_8, 192, 24, 4, 8, 4, 8, true, true, true, 18, 0},
    EncryptionInfo{"aes256gcm8", E::aes_gcm_8, 256, 32, 4, 8, 4, 8, true, true, true, 18, 0},
    EncryptionInfo{"chacha20poly1305", E::chacha20_poly1305, 0, 32, 4, 8, 4, 16, false, true, true, 0, 0},
    EncryptionInfo{"aes128", E::aes_cbc, 128, 16, 0, 16, 16, 0, false, true, true, 12, 7},
    EncryptionInfo{"aes192", E::aes_cbc, 192, 24, 0, 16, 16, 0, false, true, true, 12, 7},
    EncryptionInfo{"aes256", E::aes_cbc, 256, 32, 0, 16, 16, 0, false, true, true, 12, 7},
    EncryptionInfo{"aes128ctr", E::aes_ctr, 128, 16, 4, 8, 4, 0, false, true, true, 13, 0},
    EncryptionInfo{"aes192ctr", E::aes_ctr, 192, 24, 4, 8, 4, 0, false, true, true, 13, 0},
    EncryptionInfo{"aes256ctr", E::aes_ctr, 256, 32, 4, 8, 4, 0, false, true, true, 13, 0},
    EncryptionInfo{"3des", E::des3_cbc, 0, 24, 0, 8, 8, 0, true, true, true, 3, 5},
    EncryptionInfo{"null", E::null, 0, 0, 0, 0, 4, 0, true, false, true, 11, 0},
    EncryptionInfo{"aes128gmac", E::null_aes_gmac, 128, 16, 4, 8, 4, 16, true, false, true, 23, 0},
    EncryptionInfo{"aes192gmac", E::null_aes_gmac, 192, 24, 4, 8, 4, 16, true, false, true, 23, 0},
    EncryptionInfo{"aes256gmac", E::null_aes_gmac, 256, 32, 4, 8, 4, 16, true, false, true, 23, 0},
};

// name, id, key, icv, legacy, IKEv1 authentication attribute, implied PRF
constexpr std::array kIntegrities = {
    IntegrityInfo{"sha256", Integrity::hmac_sha2_256_128, 32, 16, false, 5, Prf::hmac_sha2_256},
    IntegrityInfo{"sha384", Integrity::hmac_sha2_384_192, 48, 24, false, 6, Prf::hmac_sha2_384},
    IntegrityInfo{"sha512", Integrity::hmac_sha2_512_256, 64, 32, false, 7, Prf::hmac_sha2_512},
    IntegrityInfo{"sha1", Integrity::hmac_sha1_96, 20, 12, false, 2, Prf::hmac_sha1},
    IntegrityInfo{"aesxcbc", Integrity::aes_xcbc_96, 16, 12, false, 9, Prf::aes_xcbc},
    IntegrityInfo{"sha256_96", Integrity::hmac_sha2_256_96, 32, 12, true, 252, Prf::hmac_sha2_256},
    IntegrityInfo{"md5", Integrity::hmac_md5_96, 16, 12, true, 1, Prf::hmac_md5},
};

// name, id, key, output, IKEv1 hash, legacy
constexpr std::array kPrfs = {
    PrfInfo{"prfsha256", Prf::hmac_sha2_256, 32, 32, 4, false},
    PrfInfo{"prfsha384", Prf::hmac_sha2_384, 48, 48, 5, false},
    PrfInfo{"prfsha512", Prf::hmac_sha2_512, 64, 64, 6, false},
    PrfInfo{"prfsha1", Prf::hmac_sha1, 20, 20, 2, false},
    PrfInfo{"prfaesxcbc", Prf::aes_xcbc, 16, 16, 0, false},
    PrfInfo{"prfmd5", Prf::hmac_md5, 16, 16, 1, true},
};

// name, id, octets on the wire, legacy. ECP values are X and Y (RFC 5903 7); 521 bits take 66 octets each.
constexpr std::array kKeyExchanges = {
    KeyExchangeInfo{"modp2048", KeyExchange::modp2048, 256, false},
    KeyExchangeInfo{"modp3072", KeyExchange::modp3072, 384, false},
    KeyExchangeInfo{"modp4096", KeyExchange::modp4096, 512, false},
    KeyExchangeInfo{"ecp256", KeyExchange::ecp256, 64, false},
    KeyExchangeInfo{"ecp384", KeyExchange::ecp384, 96, false},
    KeyExchangeInfo{"ecp521", KeyExchange::ecp521, 132, false},
    KeyExchangeInfo{"x25519", KeyExchange::curve25519, 32, false},
    KeyExchangeInfo{"mlkem512", KeyExchange::mlkem512, 800, false},
    KeyExchangeInfo{"mlkem768", KeyExchange::mlkem768, 1184, false},
    KeyExchangeInfo{"mlkem1024", KeyExchange::mlkem1024, 1568, false},
    KeyExchangeInfo{"modp1536", KeyExchange::modp1536, 192, true},
    KeyExchangeInfo{"modp1024", KeyExchange::modp1024, 128, true},
    KeyExchangeInfo{"modp768", KeyExchange::modp768, 96, true},
};

template <typename Table, typename Id>
auto row(const Table& table, Id id) -> decltype(table.data()) {
  const auto it = std::find_if(table.begin(), table.end(), [id](const auto& r) { return r.id == id; });
  return it == table.end() ? nullptr : &*it;
}

}  // namespace

std::span<const EncryptionInfo> encryptions() { return kEncryptions; }
std::span<const IntegrityInfo> integrities() { return kIntegrities; }
std::span<const PrfInfo> prfs() { return kPrfs; }
std::span<const KeyExchangeInfo> key_exchanges() { return kKeyExchanges; }

const EncryptionInfo* find(Encryption id, std::uint16_t key_bits) {
  const auto it = std::find_if(kEncryptions.begin(), kEncryptions.end(),
                               [&](const auto& r) { return r.id == id && r.key_bits == key_bits; });
  return it == kEncryptions.end() ? nullptr : &*it;
}
const IntegrityInfo* find(Integrity id) { return row(kIntegrities, id); }
const PrfInfo* find(Prf id) { return row(kPrfs, id); }
const KeyExchangeInfo* find(KeyExchange id) { return row(kKeyExchanges, id); }

std::string EspSuite::name() const {
  const EncryptionInfo* cipher = find(encryption, key_bits);
  std::string text = cipher != nullptr ? std::string(cipher->name) : "unknown";
  if (integrity != Integrity::none) {
    const IntegrityInfo* mac = find(integrity);
    text += '-';
    text += mac != nullptr ? mac->name : "unknown";
  }
  if (esn) text += "-esn";
  return text;
}

}  // namespace causeway::crypto

// The rows of ciphers and integrity algorithms, for algorithms.cpp and for whoever must know all of them when it is
// compiled (the tests do: a row without one does not build). Everybody else asks algorithms.h.
#pragma once

#include "crypto/algorithms.h"

namespace causeway::crypto {

// Rows in the order in which a person reads a proposal: common first.
// name, id, key bits, key, salt, iv, block, icv, legacy, ike, esp, IKEv1 ESP id, IKEv1 phase 1 id
//
// Legacy: broken or too short by RFC 8221 and RFC 8247 (3DES, ICVs below 16 octets of an AEAD), or without
// secrecy (NULL, GMAC). IKEv1 knows AEADs in ESP only; its GMAC number differs from IKEv2's (RFC 4543 9).
inline constexpr std::array kEncryptions = {
    EncryptionInfo{"aes128gcm16", Encryption::aes_gcm_16, 128, 16, 4, 8, 4, 16, false, true, true, 20, 0},
    EncryptionInfo{"aes192gcm16", Encryption::aes_gcm_16, 192, 24, 4, 8, 4, 16, false, true, true, 20, 0},
    EncryptionInfo{"aes256gcm16", Encryption::aes_gcm_16, 256, 32, 4, 8, 4, 16, false, true, true, 20, 0},
    EncryptionInfo{"aes128gcm12", Encryption::aes_gcm_12, 128, 16, 4, 8, 4, 12, true, true, true, 19, 0},
    EncryptionInfo{"aes192gcm12", Encryption::aes_gcm_12, 192, 24, 4, 8, 4, 12, true, true, true, 19, 0},
    EncryptionInfo{"aes256gcm12", Encryption::aes_gcm_12, 256, 32, 4, 8, 4, 12, true, true, true, 19, 0},
    EncryptionInfo{"aes128gcm8", Encryption::aes_gcm_8, 128, 16, 4, 8, 4, 8, true, true, true, 18, 0},
    EncryptionInfo{"aes192gcm8", Encryption::aes_gcm_8, 192, 24, 4, 8, 4, 8, true, true, true, 18, 0},
    EncryptionInfo{"aes256gcm8", Encryption::aes_gcm_8, 256, 32, 4, 8, 4, 8, true, true, true, 18, 0},
    EncryptionInfo{"chacha20poly1305", Encryption::chacha20_poly1305, 0, 32, 4, 8, 4, 16, false, true, true, 0, 0},
    EncryptionInfo{"aes128", Encryption::aes_cbc, 128, 16, 0, 16, 16, 0, false, true, true, 12, 7},
    EncryptionInfo{"aes192", Encryption::aes_cbc, 192, 24, 0, 16, 16, 0, false, true, true, 12, 7},
    EncryptionInfo{"aes256", Encryption::aes_cbc, 256, 32, 0, 16, 16, 0, false, true, true, 12, 7},
    EncryptionInfo{"aes128ctr", Encryption::aes_ctr, 128, 16, 4, 8, 4, 0, false, true, true, 13, 0},
    EncryptionInfo{"aes192ctr", Encryption::aes_ctr, 192, 24, 4, 8, 4, 0, false, true, true, 13, 0},
    EncryptionInfo{"aes256ctr", Encryption::aes_ctr, 256, 32, 4, 8, 4, 0, false, true, true, 13, 0},
    EncryptionInfo{"3des", Encryption::des3_cbc, 0, 24, 0, 8, 8, 0, true, true, true, 3, 5},
    EncryptionInfo{"null", Encryption::null, 0, 0, 0, 0, 4, 0, true, false, true, 11, 0},
    EncryptionInfo{"aes128gmac", Encryption::null_aes_gmac, 128, 16, 4, 8, 4, 16, true, false, true, 23, 0},
    EncryptionInfo{"aes192gmac", Encryption::null_aes_gmac, 192, 24, 4, 8, 4, 16, true, false, true, 23, 0},
    EncryptionInfo{"aes256gmac", Encryption::null_aes_gmac, 256, 32, 4, 8, 4, 16, true, false, true, 23, 0},
};

// name, id, key, icv, legacy, IKEv1 authentication attribute, implied PRF
inline constexpr std::array kIntegrities = {
    IntegrityInfo{"sha256", Integrity::hmac_sha2_256_128, 32, 16, false, 5, Prf::hmac_sha2_256},
    IntegrityInfo{"sha384", Integrity::hmac_sha2_384_192, 48, 24, false, 6, Prf::hmac_sha2_384},
    IntegrityInfo{"sha512", Integrity::hmac_sha2_512_256, 64, 32, false, 7, Prf::hmac_sha2_512},
    IntegrityInfo{"sha1", Integrity::hmac_sha1_96, 20, 12, false, 2, Prf::hmac_sha1},
    IntegrityInfo{"aesxcbc", Integrity::aes_xcbc_96, 16, 12, false, 9, Prf::aes_xcbc},
    IntegrityInfo{"sha256_96", Integrity::hmac_sha2_256_96, 32, 12, true, 252, Prf::hmac_sha2_256},
    IntegrityInfo{"md5", Integrity::hmac_md5_96, 16, 12, true, 1, Prf::hmac_md5},
};

}  // namespace causeway::crypto

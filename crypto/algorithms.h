// The one table of algorithms: every name, identifier and size that configuration, IKE, ESP, the
// documents and the tests speak of. Nothing else in the tree knows a key length or an ICV length.
//
// Identifiers are IANA's IKEv2 transform IDs (RFC 7296 3.3.2 and its registries); IKEv1's DOI
// numbers stand beside them. Spelling is strongSwan's. Sizes are octets unless a name says bits.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace causeway::crypto {

enum class Encryption : std::uint16_t {  // transform type 1
  none = 0,
  des3_cbc = 3,
  null = 11,
  aes_cbc = 12,
  aes_ctr = 13,
  aes_gcm_8 = 18,
  aes_gcm_12 = 19,
  aes_gcm_16 = 20,
  null_aes_gmac = 21,
  chacha20_poly1305 = 28,
};

enum class Integrity : std::uint16_t {  // transform type 3
  none = 0,
  hmac_md5_96 = 1,
  hmac_sha1_96 = 2,
  aes_xcbc_96 = 5,
  hmac_sha2_256_128 = 12,
  hmac_sha2_384_192 = 13,
  hmac_sha2_512_256 = 14,
  hmac_sha2_256_96 = 1026,  // private use: old peers that truncate SHA2-256 to 96 bits
};

enum class Prf : std::uint16_t {  // transform type 2
  none = 0,
  hmac_md5 = 1,
  hmac_sha1 = 2,
  aes_xcbc = 4,
  hmac_sha2_256 = 5,
  hmac_sha2_384 = 6,
  hmac_sha2_512 = 7,
};

enum class KeyExchange : std::uint16_t {  // transform type 4
  none = 0,
  modp768 = 1,
  modp1024 = 2,
  modp1536 = 5,
  modp2048 = 14,
  modp3072 = 15,
  modp4096 = 16,
  ecp256 = 19,
  ecp384 = 20,
  ecp521 = 21,
  curve25519 = 31,
  mlkem512 = 35,
  mlkem768 = 36,
  mlkem1024 = 37,
};

// One row per cipher and key length.
struct EncryptionInfo {
  std::string_view name;  // "aes128gcm16", "aes256", "chacha20poly1305"
  Encryption id;
  std::uint16_t key_bits;     // as in the Key Length attribute; 0 where the transform has none
  std::uint8_t key_octets;    // cipher key alone
  std::uint8_t salt_octets;   // taken from KEYMAT behind the key (RFC 4106 8.1, RFC 7634 2)
  std::uint8_t iv_octets;     // explicit IV on the wire
  std::uint8_t block_octets;  // plaintext is padded to a multiple of it (4 for counter modes, RFC 4303 2.4)
  std::uint8_t icv_octets;    // of an AEAD; 0: needs an integrity algorithm
  bool legacy;                // only with `legacy = true`
  bool for_ike;
  bool for_esp;
  std::uint8_t ikev1_esp_id;     // RFC 2407 4.4.4 and IANA; 0: not in IKEv1
  std::uint8_t ikev1_phase1_id;  // RFC 2409 appendix A; 0: not in IKEv1
  [[nodiscard]] bool aead() const { return icv_octets != 0; }
};

struct IntegrityInfo {
  std::string_view name;  // "sha256", "sha1", "md5", "aesxcbc", "sha256_96"
  Integrity id;
  std::uint8_t key_octets;
  std::uint8_t icv_octets;
  bool legacy;
  std::uint8_t ikev1_auth_id;  // RFC 2407 4.5, attribute 5; 0: not in IKEv1
  Prf prf;                     // the PRF that "aes256-sha256-modp2048" implies
};

struct PrfInfo {
  std::string_view name;  // "prfsha256"
  Prf id;
  std::uint8_t key_octets;  // preferred key length
  std::uint8_t output_octets;
  std::uint8_t ikev1_hash_id;  // RFC 2409 appendix A and RFC 4868; 0: none
  bool legacy;
};

struct KeyExchangeInfo {
  std::string_view name;  // "modp2048", "ecp384", "x25519"
  KeyExchange id;
  std::uint16_t public_octets;  // of the value on the wire (ML-KEM: the initiator's)
  bool legacy;
};

std::span<const EncryptionInfo> encryptions();
std::span<const IntegrityInfo> integrities();
std::span<const PrfInfo> prfs();
std::span<const KeyExchangeInfo> key_exchanges();

// nullptr where the table has no such row. key_bits 0 matches transforms without a Key Length.
const EncryptionInfo* find(Encryption id, std::uint16_t key_bits);
const IntegrityInfo* find(Integrity id);
const PrfInfo* find(Prf id);
const KeyExchangeInfo* find(KeyExchange id);

// What protects ESP packets of one SA: a cipher with its key length, and an integrity algorithm
// unless the cipher is an AEAD.
struct EspSuite {
  Encryption encryption = Encryption::none;
  std::uint16_t key_bits = 0;
  Integrity integrity = Integrity::none;
  bool esn = false;
  [[nodiscard]] std::string name() const;  // "aes256gcm16", "aes128-sha256", "aes128-sha1-esn"
  static std::optional<EspSuite> parse(std::string_view name);  // the same names; nothing where it is none
  bool operator==(const EspSuite&) const = default;
};

}  // namespace causeway::crypto

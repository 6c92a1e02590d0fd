// Protection of IKE messages: encrypt-then-MAC with CBC or CTR, or an AEAD (RFC 7296 3.14, RFC 5282, RFC 7634 3).
// The data path's ESP has its own engine (esp_engine.h); nothing here is meant to be fast.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "crypto/algorithms.h"
#include "crypto/random.h"
#include "crypto/secrets.h"

namespace causeway::crypto {

// One direction of one IKE SA. Seals and opens IV | ciphertext | ICV; padding is the caller's, because its form
// is the message's (RFC 7296 3.14): plaintext must be a multiple of block_octets().
class MessageCipher {
 public:
  MessageCipher(MessageCipher&&) noexcept = default;  // no copies: two with one key would use the same IVs
  MessageCipher& operator=(MessageCipher&&) noexcept = default;

  // `encryption_key`: cipher key with its salt behind (SK_ei, SK_er). `integrity_key`: SK_ai, SK_ar, empty for an
  // AEAD. The error names a wrong size or an algorithm that IKE messages cannot use.
  static tl::expected<MessageCipher, std::string> make(Encryption encryption, std::uint16_t key_bits,
                                                       Integrity integrity, Secret encryption_key,
                                                       Secret integrity_key);

  [[nodiscard]] std::size_t iv_octets() const { return info_->iv_octets; }
  [[nodiscard]] std::size_t icv_octets() const { return icv_octets_; }
  [[nodiscard]] std::size_t block_octets() const;  // of padding: the cipher's block, 1 for counter modes and AEADs
  [[nodiscard]] std::size_t sealed_size(std::size_t plaintext) const { return iv_octets() + plaintext + icv_octets(); }

  // Draws the IV: random for CBC, from a counter for the others, so that none repeats under this key.
  // `aad` is everything of the message before the result; without an AEAD it goes into the MAC.
  std::vector<std::uint8_t> seal(std::span<const std::uint8_t> aad, std::span<const std::uint8_t> plaintext,
                                 Random& random);
  // The plaintext, or nothing where the ICV is wrong or the sizes are impossible. The ICV is checked first.
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> open(std::span<const std::uint8_t> aad,
                                                              std::span<const std::uint8_t> sealed) const;

  // For known answers: the caller answers for the IV's uniqueness.
  [[nodiscard]] std::vector<std::uint8_t> seal_with_iv(std::span<const std::uint8_t> iv,
                                                       std::span<const std::uint8_t> aad,
                                                       std::span<const std::uint8_t> plaintext) const;

 private:
  MessageCipher() = default;

  const EncryptionInfo* info_ = nullptr;
  Integrity integrity_ = Integrity::none;
  std::size_t icv_octets_ = 0;
  Secret key_, salt_, integrity_key_;
  std::uint64_t counter_ = 0;  // of IVs given out, for counter modes
};

// Raw CBC with the caller's IV and no padding: IKEv1 chains IVs from message to message (RFC 2409 appendix B).
// `data` must be a multiple of the block. Encryption::aes_cbc and des3_cbc only; empty result for a misuse.
std::vector<std::uint8_t> cbc_encrypt(Encryption id, std::span<const std::uint8_t> key,
                                      std::span<const std::uint8_t> iv, std::span<const std::uint8_t> data);
std::vector<std::uint8_t> cbc_decrypt(Encryption id, std::span<const std::uint8_t> key,
                                      std::span<const std::uint8_t> iv, std::span<const std::uint8_t> data);

}  // namespace causeway::crypto

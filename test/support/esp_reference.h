// A second implementation of ESP for the tests, straight from the RFCs over OpenSSL: one packet at a time,
// on vectors of octets, with a table of algorithms of its own. It shares no header, padding, IV or
// cryptography code with dataplane/ or crypto/, so that the two can judge each other.
// RFC 4303, 4106, 4543, 7634, 3602, 3686, 2451, 2410; integrity RFC 2403, 2404, 4868, 3566; UDP RFC 3948.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::test {

using Bytes = std::vector<std::uint8_t>;

Bytes from_hex(std::string_view text);  // spaces are skipped
std::string to_hex(std::span<const std::uint8_t> octets);

// Every name that the reference knows. A test compares them with the product's table when it is compiled.
inline constexpr std::string_view kReferenceCiphers[] = {
    "aes128gcm16", "aes192gcm16", "aes256gcm16", "aes128gcm12", "aes192gcm12", "aes256gcm12",      "aes128gcm8",
    "aes192gcm8",  "aes256gcm8",  "aes128",      "aes192",      "aes256",      "chacha20poly1305", "aes128ctr",
    "aes192ctr",   "aes256ctr",   "3des",        "null",        "aes128gmac",  "aes192gmac",       "aes256gmac"};
inline constexpr std::string_view kReferenceIntegrities[] = {"md5",    "sha1",   "sha256", "sha256_96",
                                                             "sha384", "sha512", "aesxcbc"};

// One SA as both sides know it. Names as strongSwan spells them ("aes128gcm16", "aes256", "sha256").
struct ReferenceSa {
  std::string cipher, integrity;  // integrity empty for an AEAD
  bool esn = false;
  Bytes key;  // cipher key, then salt
  Bytes integrity_key;
  std::uint32_t spi = 0;
  Bytes source, destination;                            // outer addresses, 4 or 16 octets each
  std::uint16_t source_port = 0, destination_port = 0;  // 0: native ESP
};

struct ReferenceSizes {
  std::size_t key = 0, salt = 0, iv = 0, block = 0, icv = 0, integrity_key = 0;
};
// Nothing for a name this reference does not know.
std::optional<ReferenceSizes> reference_sizes(const std::string& cipher, const std::string& integrity);

struct SealOptions {
  Bytes iv = {};                                 // explicit IV; empty: 0xa5 ... of the right size
  std::size_t tfc = 0;                           // octets between the inner packet and the padding
  std::size_t extra_blocks = 0;                  // of padding beyond what is needed
  std::optional<std::uint8_t> next_header = {};  // unset: by the inner version
  std::optional<Bytes> padding = {};             // unset: 1, 2, 3 ...
  std::uint8_t traffic_class = 0;                // of the outer header
};
// The outer IP packet.
Bytes reference_seal(const ReferenceSa& sa, std::uint64_t sequence, std::span<const std::uint8_t> inner,
                     const SealOptions& options = {});

struct ReferenceOpened {
  std::string error;  // empty: all checks passed
  Bytes inner;        // between IV and padding
  Bytes iv;
  std::size_t padding = 0;
  std::uint8_t next_header = 0;
  std::uint32_t spi = 0, sequence = 0;
  std::uint8_t traffic_class = 0, ttl = 0;
  std::uint16_t ip_id = 0;
  bool df = false;
  std::size_t octets = 0;
};
// Checks outer header, checksum, addresses, UDP header, SPI, ICV and padding against `sa`.
ReferenceOpened reference_open(const ReferenceSa& sa, std::span<const std::uint8_t> packet,
                               std::uint32_t sequence_high = 0);

// The bare primitives, for known answers.
Bytes reference_integrity(const std::string& name, std::span<const std::uint8_t> key,
                          std::span<const std::uint8_t> message, std::size_t octets);
Bytes reference_block_decrypt(const std::string& cipher, std::span<const std::uint8_t> key,
                              std::span<const std::uint8_t> block);

}  // namespace causeway::test

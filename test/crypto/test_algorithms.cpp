#include <set>

#include "crypto/algorithms.h"
#include "test/support/catch.h"

using namespace causeway::crypto;

TEST_CASE("Every row of the algorithm tables is found by its identifier, and names are unique") {
  std::set<std::string_view> names;
  for (const auto& r : encryptions()) {
    CHECK(find(r.id, r.key_bits) == &r);
    CHECK(names.insert(r.name).second);
  }
  for (const auto& r : integrities()) {
    CHECK(find(r.id) == &r);
    CHECK(names.insert(r.name).second);
    CHECK(find(r.prf) != nullptr);
  }
  for (const auto& r : prfs()) {
    CHECK(find(r.id) == &r);
    CHECK(names.insert(r.name).second);
  }
  for (const auto& r : key_exchanges()) {
    CHECK(find(r.id) == &r);
    CHECK(names.insert(r.name).second);
  }
  CHECK(find(Encryption::aes_cbc, 0) == nullptr);
  CHECK(find(Encryption::none, 0) == nullptr);
  CHECK(find(Integrity::none) == nullptr);
  CHECK(find(Prf::none) == nullptr);
  CHECK(find(KeyExchange::none) == nullptr);
}

TEST_CASE("Sizes in the encryption table agree with each other") {
  for (const auto& r : encryptions()) {
    CAPTURE(r.name);
    if (r.key_bits != 0) CHECK(r.key_octets * 8 == r.key_bits);
    CHECK(r.block_octets >= 4);  // RFC 4303 2.4: the trailer ends on four octets
    if (r.salt_octets != 0) CHECK(r.iv_octets == 8);
    if (r.aead()) CHECK(r.salt_octets == 4);
    CHECK((r.for_ike || r.for_esp));
  }
}

TEST_CASE("Weak algorithms are marked legacy and nothing else is") {
  std::set<std::string_view> legacy;
  for (const auto& r : encryptions()) {
    if (r.legacy) legacy.insert(r.name);
  }
  for (const auto& r : integrities()) {
    if (r.legacy) legacy.insert(r.name);
  }
  for (const auto& r : prfs()) {
    if (r.legacy) legacy.insert(r.name);
  }
  for (const auto& r : key_exchanges()) {
    if (r.legacy) legacy.insert(r.name);
  }
  CHECK(legacy == std::set<std::string_view>{"aes128gcm12", "aes192gcm12", "aes256gcm12", "aes128gcm8", "aes192gcm8",
                                             "aes256gcm8", "aes128gmac", "aes192gmac", "aes256gmac", "3des", "null",
                                             "md5", "prfmd5", "sha256_96", "modp768", "modp1024", "modp1536"});
}

TEST_CASE("An ESP suite is named as strongSwan spells it") {
  CHECK(EspSuite{Encryption::aes_gcm_16, 256, Integrity::none, false}.name() == "aes256gcm16");
  CHECK(EspSuite{Encryption::aes_cbc, 128, Integrity::hmac_sha2_256_128, false}.name() == "aes128-sha256");
  CHECK(EspSuite{Encryption::aes_cbc, 128, Integrity::hmac_sha1_96, true}.name() == "aes128-sha1-esn");
  CHECK(EspSuite{Encryption::chacha20_poly1305, 0, Integrity::none, false}.name() == "chacha20poly1305");
  CHECK(EspSuite{Encryption::aes_cbc, 77, Integrity::none, false}.name() == "unknown");
}

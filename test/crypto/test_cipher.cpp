// Protection of IKE messages: published answers, and that nothing forged is opened.
#include <set>

#include "crypto/cipher.h"
#include "crypto/integrity.h"
#include "test/support/catch.h"
#include "test/support/hex.h"

using namespace causeway::crypto;
using causeway::test::octets;
using causeway::test::text_octets;
using causeway::test::to_hex;

namespace {

using Octets = std::vector<std::uint8_t>;

MessageCipher cipher_of(Encryption e, std::uint16_t bits, Integrity i, const Octets& key, const Octets& mac_key = {}) {
  auto c = MessageCipher::make(e, bits, i, Secret(key), Secret(mac_key));
  REQUIRE(c);
  return std::move(*c);
}

// Every pair that can protect IKE messages, with keys that differ in each octet.
struct Suite {
  std::string name;
  Encryption encryption;
  std::uint16_t bits;
  Integrity integrity;
  Octets key, mac_key;
};
std::vector<Suite> all_suites() {
  std::vector<Suite> suites;
  const auto keyed = [](std::size_t n, std::uint8_t from) {
    Octets k(n);
    for (std::size_t i = 0; i < n; ++i) k[i] = static_cast<std::uint8_t>(from + i * 5);
    return k;
  };
  for (const EncryptionInfo& e : encryptions()) {
    if (!e.for_ike) continue;
    const Octets key = keyed(std::size_t{e.key_octets} + e.salt_octets, 3);
    if (e.aead()) {
      suites.push_back({std::string(e.name), e.id, e.key_bits, Integrity::none, key, {}});
      continue;
    }
    for (const IntegrityInfo& i : integrities()) {
      suites.push_back(
          {std::string(e.name) + "-" + std::string(i.name), e.id, e.key_bits, i.id, key, keyed(i.key_octets, 91)});
    }
  }
  return suites;
}

}  // namespace

TEST_CASE("AES-CBC gives the answers of RFC 3602") {
  struct Case {
    const char *key, *iv;
    Octets plain;
    const char* cipher;
  };
  Octets counting, from_a0;
  for (int i = 0; i < 32; ++i) counting.push_back(static_cast<std::uint8_t>(i));
  for (int i = 0xa0; i < 0xe0; ++i) from_a0.push_back(static_cast<std::uint8_t>(i));
  const std::vector<Case> cases = {
      {"06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41", text_octets("Single block msg"),
       "e353779c1079aeb82708942dbe77181a"},
      {"c286696d887c9aa0611bbb3e2025a45a", "562e17996d093d28ddb3ba695a2e6f58", counting,
       "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1"},
      {"6c3ea0477630ce21a2ce334aa746c2cd", "c782dc4c098c66cbd9cd27d825682c81",
       text_octets("This is a 48-byte message (exactly 3 AES blocks)"),
       "d0a02b3836451753d493665d33f0e8862dea54cdb293abc7506939276772f8d5021c19216bad525c8579695d83ba2684"},
      {"56e47a38c5598974bc46903dba290349", "8ce82eefbea0da3c44699ed7db51b7d9", from_a0,
       "c30e32ffedc0774e6aff6af0869f71aa0f3af07a9a31a9c684db207eb0ef8e4e35907aa632c3ffdf868bb7b29d3d46ad83ce9f9a102e"
       "e99d49a53e87f4c3da55"},
  };
  for (const Case& c : cases) {
    CHECK(to_hex(cbc_encrypt(Encryption::aes_cbc, octets(c.key), octets(c.iv), c.plain)) == c.cipher);
    CHECK(cbc_decrypt(Encryption::aes_cbc, octets(c.key), octets(c.iv), octets(c.cipher)) == c.plain);
  }
}

TEST_CASE("3DES-CBC with three equal keys gives FIPS 81's answer for DES") {
  const Octets key = octets("0123456789abcdef0123456789abcdef0123456789abcdef"), iv = octets("1234567890abcdef");
  const Octets plain = text_octets("Now is the time for all ");
  CHECK(to_hex(cbc_encrypt(Encryption::des3_cbc, key, iv, plain)) ==
        "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6");
  CHECK(cbc_decrypt(Encryption::des3_cbc, key, iv, octets("e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6")) ==
        plain);
}

TEST_CASE("Raw CBC refuses sizes and ciphers that do not fit") {
  const Octets k16(16), k24(24), iv16(16), iv8(8), data(32);
  CHECK(cbc_encrypt(Encryption::aes_cbc, k16, iv16, data).size() == 32);
  CHECK(cbc_encrypt(Encryption::aes_cbc, k16, iv16, {}).empty());
  CHECK(cbc_encrypt(Encryption::aes_cbc, k16, iv8, data).empty());
  CHECK(cbc_encrypt(Encryption::aes_cbc, Octets(15), iv16, data).empty());
  CHECK(cbc_encrypt(Encryption::aes_cbc, k16, iv16, Octets(31)).empty());
  CHECK(cbc_decrypt(Encryption::des3_cbc, k16, iv8, data).empty());
  CHECK(cbc_decrypt(Encryption::aes_gcm_16, k16, iv8, data).empty());
  CHECK(cbc_encrypt(Encryption::des3_cbc, k24, iv8, data).size() == 32);
}

TEST_CASE("AES-CTR gives the answers of RFC 3686, with the MAC behind it") {
  struct Case {
    std::uint16_t bits;
    const char *key, *nonce, *iv, *plain, *cipher;
  };
  const std::vector<Case> cases = {
      {128, "AE6852F8121067CC4BF7A5765577F39E", "00000030", "0000000000000000", "53696E676C6520626C6F636B206D7367",
       "e4095d4fb7a7b3792d6175a3261311b8"},
      {256, "FF7A617CE69148E4F1726E2F43581DE2AA62D9F805532EDFF1EED687FB54153D", "001CC5B7", "51A51D70A1C11148",
       "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F20212223",
       "eb6c52821d0bbbf7ce7594462aca4faab407df866569fd07f48cc0b583d6071f1ec0e6b8"},
  };
  for (const Case& c : cases) {
    Octets key = octets(c.key);
    const Octets nonce = octets(c.nonce), mac_key(32, 7), aad = octets("0011"), iv = octets(c.iv);
    key.insert(key.end(), nonce.begin(), nonce.end());
    const auto cipher = cipher_of(Encryption::aes_ctr, c.bits, Integrity::hmac_sha2_256_128, key, mac_key);
    const Octets sealed = cipher.seal_with_iv(iv, aad, octets(c.plain));
    const Octets icv = mac(Integrity::hmac_sha2_256_128, mac_key, {aad, iv, octets(c.cipher)});
    CHECK(to_hex(sealed) == to_hex(iv) + c.cipher + to_hex(icv));
    CHECK(cipher.open(aad, sealed) == octets(c.plain));
  }
}

TEST_CASE("AES-GCM gives the answers of the GCM specification, tags cut to 8, 12 and 16 octets") {
  const Octets plain = octets(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
      "ba637b39");
  const Octets aad = octets("feedfacedeadbeeffeedfacedeadbeefabaddad2"), iv = octets("facedbaddecaf888");
  struct Case {  // test cases 4 and 16 of McGrew and Viega
    std::uint16_t bits;
    const char *key, *cipher, *tag;
  };
  const std::vector<Case> cases = {
      {128, "feffe9928665731c6d6a8f9467308308",
       "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac9"
       "7"
       "3d58e091",
       "5bc94fbc3221a5db94fae95ae7121a47"},
      {256, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
       "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0"
       "a"
       "bcc9f662",
       "76fc6ece0f4e1768cddf8853bb2d551b"},
  };
  for (const Case& c : cases) {
    Octets key = octets(c.key);
    const Octets salt = octets("cafebabe");
    key.insert(key.end(), salt.begin(), salt.end());
    for (const auto& [id, icv] :
         {std::pair{Encryption::aes_gcm_8, 8}, {Encryption::aes_gcm_12, 12}, {Encryption::aes_gcm_16, 16}}) {
      const auto cipher = cipher_of(id, c.bits, Integrity::none, key);
      const Octets sealed = cipher.seal_with_iv(iv, aad, plain);
      CHECK(to_hex(sealed) == to_hex(iv) + c.cipher + std::string(c.tag).substr(0, 2 * static_cast<std::size_t>(icv)));
      CHECK(cipher.open(aad, sealed) == plain);
    }
  }
}

TEST_CASE("ChaCha20-Poly1305 gives the IKE message of RFC 7634 appendix B") {
  Octets key;
  for (int i = 0x80; i <= 0xa3; ++i) key.push_back(static_cast<std::uint8_t>(i));
  const auto cipher = cipher_of(Encryption::chacha20_poly1305, 0, Integrity::none, key);
  const Octets aad = octets("c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029");
  const Octets plain = octets("0000000c000040010000000a00");
  const Octets sealed = cipher.seal_with_iv(octets("1011121314151617"), aad, plain);
  CHECK(to_hex(sealed) == "1011121314151617610394701f8d017f7c129248896b71bfe25236efd7cdc67066906315b2");
  CHECK(cipher.open(aad, sealed) == plain);
}

TEST_CASE("Every suite opens what it sealed, and nothing with any bit changed or any octet missing") {
  SeededRandom random(11);
  for (const Suite& s : all_suites()) {
    CAPTURE(s.name);
    auto cipher = cipher_of(s.encryption, s.bits, s.integrity, s.key, s.mac_key);
    const Octets aad = octets("00112233445566778899");
    for (const std::size_t blocks : {0u, 1u, 3u}) {
      Octets plain(blocks * std::max<std::size_t>(cipher.block_octets(), 5) / cipher.block_octets() *
                   cipher.block_octets());
      random.fill(plain);
      const Octets sealed = cipher.seal(aad, plain, random);
      REQUIRE(sealed.size() == cipher.sealed_size(plain.size()));
      REQUIRE(cipher.open(aad, sealed) == plain);
      for (std::size_t i = 0; i < sealed.size(); ++i) {
        Octets changed = sealed;
        changed[i] = static_cast<std::uint8_t>(changed[i] ^ 1u << (i % 8));
        REQUIRE_FALSE(cipher.open(aad, changed));
        REQUIRE_FALSE(cipher.open(aad, std::span(sealed).first(i)));
      }
      Octets other = aad;
      other.back() ^= 1;
      CHECK_FALSE(cipher.open(other, sealed));
      Octets longer = sealed;
      longer.push_back(0);
      CHECK_FALSE(cipher.open(aad, longer));
    }
  }
}

TEST_CASE("No IV comes twice under one key, and those of CBC are not predictable from the last") {
  for (const Suite& s : all_suites()) {
    CAPTURE(s.name);
    SeededRandom random(5);
    auto cipher = cipher_of(s.encryption, s.bits, s.integrity, s.key, s.mac_key);
    std::set<Octets> ivs;
    const Octets plain(cipher.block_octets(), 0);
    for (int i = 0; i < 100; ++i) {
      const Octets sealed = cipher.seal({}, plain, random);
      ivs.insert(Octets(sealed.begin(), sealed.begin() + static_cast<long>(cipher.iv_octets())));
    }
    CHECK(ivs.size() == 100);
  }
}

TEST_CASE("A message cipher is refused for keys of a wrong size and for algorithms that do not fit") {
  const auto make = [](Encryption e, std::uint16_t bits, Integrity i, std::size_t key, std::size_t mac_key) {
    return MessageCipher::make(e, bits, i, Secret(key), Secret(mac_key));
  };
  CHECK(make(Encryption::aes_cbc, 128, Integrity::hmac_sha1_96, 16, 20));
  CHECK_FALSE(make(Encryption::aes_cbc, 128, Integrity::hmac_sha1_96, 15, 20));
  CHECK_FALSE(make(Encryption::aes_cbc, 128, Integrity::hmac_sha1_96, 16, 19));
  CHECK_FALSE(make(Encryption::aes_cbc, 128, Integrity::none, 16, 0));
  CHECK_FALSE(make(Encryption::aes_gcm_16, 128, Integrity::hmac_sha1_96, 20, 20));
  CHECK_FALSE(make(Encryption::aes_gcm_16, 128, Integrity::none, 16, 0));
  CHECK(make(Encryption::aes_gcm_16, 128, Integrity::none, 20, 0));
  CHECK_FALSE(make(Encryption::null, 0, Integrity::hmac_sha1_96, 0, 20));
  CHECK_FALSE(make(Encryption::null_aes_gmac, 128, Integrity::none, 20, 0));
  CHECK_FALSE(make(Encryption::aes_cbc, 100, Integrity::hmac_sha1_96, 16, 20));
}

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "crypto/signature.h"
#include "crypto/signature_scheme.h"
#include "test/support/catch.h"
#include "test/support/certificates.h"

using namespace causeway::crypto;
using causeway::test::KeyKind;
using causeway::test::TestKey;
using Bytes = std::vector<std::uint8_t>;

namespace {

Bytes hex(std::string_view text) {
  Bytes out;
  std::string digits;
  for (const char c : text)
    if (c != ' ') digits += c;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    out.push_back(static_cast<std::uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  return out;
}

std::span<const std::uint8_t> octets(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

PrivateKey key_of(KeyKind kind, int number = 0) {
  auto key = PrivateKey::parse(octets(TestKey::of(kind, number).pem()));
  REQUIRE(key);
  return *key;
}

const std::vector<Hash> kAllHashes{Hash::sha1, Hash::sha2_256, Hash::sha2_384, Hash::sha2_512, Hash::identity};
const Bytes kData(200, 0x42);

}  // namespace

TEST_CASE("AlgorithmIdentifiers are those of RFC 7427 appendix A, octet by octet") {
  const std::pair<SignatureScheme, std::string_view> known[] = {
      {scheme_for(SignatureKind::rsa_pkcs1, Hash::sha1), "300d0609 2a864886 f70d0101 0505 00"},
      {scheme_for(SignatureKind::rsa_pkcs1, Hash::sha2_256), "300d0609 2a864886 f70d0101 0b05 00"},
      {scheme_for(SignatureKind::rsa_pkcs1, Hash::sha2_384), "300d0609 2a864886 f70d0101 0c05 00"},
      {scheme_for(SignatureKind::rsa_pkcs1, Hash::sha2_512), "300d0609 2a864886 f70d0101 0d05 00"},
      {scheme_for(SignatureKind::ecdsa, Hash::sha1), "30090607 2a8648ce 3d0401"},
      {scheme_for(SignatureKind::ecdsa, Hash::sha2_256), "300a0608 2a8648ce 3d040302"},
      {scheme_for(SignatureKind::ecdsa, Hash::sha2_384), "300a0608 2a8648ce 3d040303"},
      {scheme_for(SignatureKind::ecdsa, Hash::sha2_512), "300a0608 2a8648ce 3d040304"},
      {scheme_for(SignatureKind::ed25519, Hash::identity), "3005 0603 2b6570"},
      {scheme_for(SignatureKind::ed448, Hash::identity), "3005 0603 2b6571"},
      {scheme_for(SignatureKind::rsa_pss, Hash::sha2_256),
       "3046 0609 2a86 4886 f70d 0101 0a30 39a0 0f30 0d06 0960 8648 0165 0304 0201 0500 a11c 301a 0609 2a86 4886 f70d "
       "0101 0830 0d06 0960 8648 0165 0304 0201 0500 a203 0201 20a3 0302 0101"},
  };
  for (const auto& [scheme, text] : known) {
    INFO(scheme.name());
    CHECK(write_algorithm_identifier(scheme) == hex(text));
    const auto read = read_algorithm_identifier(hex(text));
    REQUIRE(read);
    CHECK(*read == scheme);
  }
}

TEST_CASE("RSASSA-PSS parameters left out, or written out as their defaults, both mean SHA-1 with 20 octets of salt") {
  const SignatureScheme defaults{SignatureKind::rsa_pss, Hash::sha1, Hash::sha1, 20};
  const auto empty = read_algorithm_identifier(hex("300d 0609 2a86 4886 f70d 0101 0a30 00"));
  const auto written = read_algorithm_identifier(
      hex("303e 0609 2a86 4886 f70d 0101 0a30 31a0 0b30 0906 052b 0e03 021a 0500 a118 3016 0609 2a86 4886 f70d 0101 "
          "0830 0906 052b 0e03 021a 0500 a203 0201 14a3 0302 0101"));
  REQUIRE(empty);
  REQUIRE(written);
  CHECK(*empty == defaults);
  CHECK(*written == defaults);
}

TEST_CASE("AlgorithmIdentifiers that are cut, followed by more, or unknown are refused with the right reason") {
  const Bytes good = write_algorithm_identifier(scheme_for(SignatureKind::rsa_pss, Hash::sha2_384));
  for (std::size_t n = 0; n < good.size(); ++n)
    CHECK(read_algorithm_identifier(std::span(good).first(n)).error().problem == SignatureProblem::unreadable);
  Bytes longer = good;
  longer.push_back(0);
  CHECK(read_algorithm_identifier(longer).error().problem == SignatureProblem::unreadable);
  const auto dsa = read_algorithm_identifier(hex("300b 0609 6086 4801 6503 0403 02"));
  CHECK(dsa.error().problem == SignatureProblem::unsupported);
  CHECK(dsa.error().text.find("2.16.840.1.101.3.4.3.2") != std::string::npos);
}

TEST_CASE("A known ECDSA signature (RFC 6979 A.2.5) verifies as method 9, raw r|s, and in method 14 as DER") {
  const auto key =
      PublicKey::from_spki(hex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"
                               "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
                               "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"));
  REQUIRE(key);
  CHECK(key->type() == KeyType::ec_p256);
  const std::string r = "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716";
  const std::string s = "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8";
  CHECK(key->verify(SignatureMethod::ecdsa_256, hex(r + s), octets("sample")));
  CHECK(key->verify(SignatureMethod::digital, hex("0c300a06082a8648ce3d0403023046022100" + r + "022100" + s),
                    octets("sample")));
  CHECK(key->verify(SignatureMethod::ecdsa_256, hex(r + s), octets("samplf")).error().problem ==
        SignatureProblem::mismatch);
  CHECK(key->verify(SignatureMethod::ecdsa_384, hex(r + s), octets("sample")).error().problem ==
        SignatureProblem::wrong_key_type);
}

TEST_CASE("A known Ed25519 signature (RFC 8032 7.1) verifies in method 14") {
  const auto key = PublicKey::from_spki(
      hex("302a300506032b6570032100 d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
  REQUIRE(key);
  const std::string signature =
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
      "655141438e7a100b";
  const auto verified = key->verify(SignatureMethod::digital, hex("07300506032b6570" + signature), {});
  REQUIRE(verified);
  CHECK(*verified == "Ed25519");
}

TEST_CASE("Every kind of key signs what its public half verifies, with every hash the peer may take") {
  for (const KeyKind kind : {KeyKind::rsa2048, KeyKind::rsa3072, KeyKind::p256, KeyKind::p384, KeyKind::p521,
                             KeyKind::ed25519, KeyKind::ed448}) {
    const PrivateKey key = key_of(kind);
    const PrivateKey other = key_of(kind, 1);
    for (const bool pss : {true, false}) {
      for (const Hash hash : kAllHashes) {
        const bool eddsa = kind == KeyKind::ed25519 || kind == KeyKind::ed448;
        INFO(key.public_key().name() << " hash " << static_cast<int>(hash) << " pss " << pss);
        const auto signature = key.sign(kData, std::array{hash}, {.legacy = true, .rsa_pss = pss});
        if (eddsa != (hash == Hash::identity)) {
          REQUIRE_FALSE(signature);
          CHECK(signature.error().problem == SignatureProblem::no_common_hash);
          continue;
        }
        REQUIRE(signature);
        CHECK(signature->method == SignatureMethod::digital);
        const auto verified =
            key.public_key().verify(SignatureMethod::digital, signature->data, kData, {.legacy = true});
        REQUIRE(verified);
        CHECK(*verified == signature->name);
        Bytes altered = kData;
        altered.back() ^= 1;
        CHECK(key.public_key()
                  .verify(SignatureMethod::digital, signature->data, altered, {.legacy = true})
                  .error()
                  .problem == SignatureProblem::mismatch);
        CHECK(other.public_key()
                  .verify(SignatureMethod::digital, signature->data, kData, {.legacy = true})
                  .error()
                  .problem == SignatureProblem::mismatch);
      }
    }
  }
}

TEST_CASE("A peer that announces no hashes gets the older method of the key, which verifies") {
  const std::tuple<KeyKind, SignatureMethod, std::size_t> rows[] = {
      {KeyKind::rsa2048, SignatureMethod::rsa, 256},
      {KeyKind::p256, SignatureMethod::ecdsa_256, 64},
      {KeyKind::p384, SignatureMethod::ecdsa_384, 96},
      {KeyKind::p521, SignatureMethod::ecdsa_521, 132},
  };
  for (const auto& [kind, method, size] : rows) {
    const PrivateKey key = key_of(kind);
    for (int i = 0; i < 20; ++i) {  // r and s with leading zeros come up by and by
      const auto signature = key.sign(kData, {});
      REQUIRE(signature);
      CHECK(signature->method == method);
      REQUIRE(signature->data.size() == size);
      REQUIRE(key.public_key().verify(method, signature->data, kData));
    }
  }
  CHECK(key_of(KeyKind::ed25519).sign(kData, {}).error().problem == SignatureProblem::no_common_hash);
}

TEST_CASE("Method 1 takes RSA with a newer hash too, and SHA-1 only while that is allowed") {
  const PrivateKey key = key_of(KeyKind::rsa2048);
  const auto digital = key.sign(kData, std::array{Hash::sha2_256}, {.rsa_pss = false});
  REQUIRE(digital);
  const Bytes bare(digital->data.begin() + 16, digital->data.end());
  CHECK(*key.public_key().verify(SignatureMethod::rsa, bare, kData) == "RSA (PKCS#1 v1.5) with SHA2-256");
  const auto old = key.sign(kData, {});
  REQUIRE(old);
  CHECK(key.public_key().verify(SignatureMethod::rsa, old->data, kData, {.rsa_sha1 = false}).error().problem ==
        SignatureProblem::weak_hash);
  CHECK(key.sign(kData, {}, {.rsa_sha1 = false}).error().problem == SignatureProblem::no_common_hash);
}

TEST_CASE("The hash is the strongest fit of what the peer takes, never SHA-1 unless legacy is set") {
  CHECK(key_of(KeyKind::rsa2048).sign(kData, kAllHashes)->name == "RSASSA-PSS with SHA2-256");
  CHECK(key_of(KeyKind::rsa2048).sign(kData, kAllHashes, {.rsa_pss = false})->name ==
        "RSA (PKCS#1 v1.5) with SHA2-256");
  CHECK(key_of(KeyKind::p384).sign(kData, kAllHashes)->name == "ECDSA with SHA2-384");
  CHECK(key_of(KeyKind::p521).sign(kData, kAllHashes)->name == "ECDSA with SHA2-512");
  CHECK(key_of(KeyKind::p521).sign(kData, std::array{Hash::sha2_256})->name == "ECDSA with SHA2-256");
  CHECK(key_of(KeyKind::ed25519).sign(kData, kAllHashes)->name == "Ed25519");
  const auto sha1_only = key_of(KeyKind::rsa2048).sign(kData, std::array{Hash::sha1});
  REQUIRE_FALSE(sha1_only);
  CHECK(sha1_only.error().problem == SignatureProblem::no_common_hash);
  CHECK(sha1_only.error().text.find("SHA-1") != std::string::npos);
}

TEST_CASE("A signature of method 14 begins as RFC 7427 appendix B shows") {
  const auto signature =
      key_of(KeyKind::rsa2048).sign(kData, std::array{Hash::sha1}, {.legacy = true, .rsa_pss = false});
  REQUIRE(signature);
  const Bytes head(signature->data.begin(), signature->data.begin() + 16);
  CHECK(head == hex("0f30 0d06 092a 8648 86f7 0d01 0105 0500"));
}

TEST_CASE("SHA-1 in method 14 is refused by name unless legacy is set") {
  const PrivateKey key = key_of(KeyKind::rsa2048);
  const auto signature = key.sign(kData, std::array{Hash::sha1}, {.legacy = true});
  REQUIRE(signature);
  CHECK(key.public_key().verify(SignatureMethod::digital, signature->data, kData).error().problem ==
        SignatureProblem::weak_hash);
  CHECK(key.public_key().verify(SignatureMethod::digital, signature->data, kData, {.legacy = true}));
}

TEST_CASE("Short keys neither sign nor verify unless legacy is set, and say how short they are") {
  for (const KeyKind kind : {KeyKind::rsa1024, KeyKind::p224}) {
    const PrivateKey key = key_of(kind);
    const std::array hashes{Hash::sha2_256};
    CHECK(key.sign(kData, hashes).error().problem == SignatureProblem::weak_key);
    const auto signature = key.sign(kData, hashes, {.legacy = true});
    REQUIRE(signature);
    const auto refused = key.public_key().verify(SignatureMethod::digital, signature->data, kData);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().problem == SignatureProblem::weak_key);
    CHECK(refused.error().text.find(kind == KeyKind::p224 ? "224" : "1024") != std::string::npos);
    CHECK(key.public_key().verify(SignatureMethod::digital, signature->data, kData, {.legacy = true}));
  }
}

TEST_CASE("An algorithm that is not the key's is a wrong key type, not a bad signature") {
  const auto rsa = key_of(KeyKind::rsa2048).sign(kData, kAllHashes);
  const auto ecdsa = key_of(KeyKind::p256).sign(kData, {});
  REQUIRE(rsa);
  REQUIRE(ecdsa);
  const PrivateKey p256 = key_of(KeyKind::p256);
  CHECK(p256.public_key().verify(SignatureMethod::digital, rsa->data, kData).error().problem ==
        SignatureProblem::wrong_key_type);
  CHECK(p256.public_key().verify(SignatureMethod::rsa, rsa->data, kData).error().problem ==
        SignatureProblem::wrong_key_type);
  CHECK(key_of(KeyKind::rsa2048).public_key().verify(SignatureMethod::ecdsa_256, ecdsa->data, kData).error().problem ==
        SignatureProblem::wrong_key_type);
}

TEST_CASE("A signature cut at any length, or with any octet altered, never verifies and never crashes") {
  for (const KeyKind kind : {KeyKind::rsa2048, KeyKind::p256, KeyKind::ed25519}) {
    const PrivateKey key = key_of(kind);
    for (const bool old : {false, true}) {
      if (old && kind == KeyKind::ed25519) continue;
      const auto signature = old ? key.sign(kData, {}) : key.sign(kData, kAllHashes);
      REQUIRE(signature);
      const Bytes& good = signature->data;
      for (std::size_t n = 0; n < good.size(); ++n)
        CHECK_FALSE(key.public_key().verify(signature->method, std::span(good).first(n), kData));
      for (std::size_t at = 0; at < good.size(); ++at) {
        for (const std::uint8_t mask : {0x01, 0x80, 0xff}) {
          Bytes bad = good;
          bad[at] ^= mask;
          INFO(signature->name << " octet " << at << " xor " << static_cast<int>(mask));
          CHECK_FALSE(key.public_key().verify(signature->method, bad, kData, {.legacy = true}));
        }
      }
    }
  }
}

TEST_CASE("Private keys are read from PEM and DER, and refused with a cure where encrypted or broken") {
  const std::string pem = TestKey::of(KeyKind::p256).pem();
  const auto key = PrivateKey::parse(octets(pem));
  REQUIRE(key);
  CHECK(key->public_key() == *PublicKey::from_spki(TestKey::of(KeyKind::p256).spki()));
  CHECK_FALSE(key->public_key() == key_of(KeyKind::p256, 1).public_key());
  for (std::size_t n = 0; n < pem.size(); n += 7) CHECK_FALSE(PrivateKey::parse(octets(pem.substr(0, n))));
  const auto encrypted = PrivateKey::parse(octets("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END"));
  REQUIRE_FALSE(encrypted);
  CHECK(encrypted.error().text.find("decrypted") != std::string::npos);
}

TEST_CASE("A private key file that everybody may read is refused") {
  std::string path = "/tmp/causeway-key-XXXXXX";
  const int fd = mkstemp(path.data());
  REQUIRE(fd >= 0);
  const std::string pem = TestKey::of(KeyKind::ed25519).pem();
  REQUIRE(write(fd, pem.data(), pem.size()) == static_cast<ssize_t>(pem.size()));
  CHECK(PrivateKey::load(path));
  REQUIRE(fchmod(fd, 0644) == 0);
  const auto refused = PrivateKey::load(path);
  close(fd);
  unlink(path.c_str());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("chmod 600") != std::string::npos);
  CHECK(PrivateKey::load(path).error().text.find("cannot read") != std::string::npos);
}

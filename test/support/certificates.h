// Certificates, revocation lists and keys made in the test, good and bad on purpose.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

struct evp_pkey_st;

namespace causeway::test {

using WallTime = std::chrono::sys_seconds;

enum class KeyKind : std::uint8_t { rsa1024, rsa2048, rsa3072, p224, p256, p384, p521, ed25519, ed448 };

// A key pair. Copies share it. Making an RSA key takes a while: keys of a kind and number are made once a process.
class TestKey {
 public:
  static TestKey of(KeyKind kind, int number = 0);
  [[nodiscard]] std::string pem() const;  // PKCS#8
  [[nodiscard]] std::vector<std::uint8_t> spki() const;
  [[nodiscard]] evp_pkey_st* get() const { return key_.get(); }

 private:
  explicit TestKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

// 2026-01-01 00:00:00 UTC plus so many days: the tests' only calendar.
WallTime day(int number);

struct CertificateSpec {
  std::string subject = "C=CN, O=Causeway Test, CN=gw";  // comma separated; empty: an empty name
  std::string issuer;                                    // empty: the subject (self-signed)
  WallTime not_before = day(0);
  WallTime not_after = day(365);
  std::uint64_t serial = 1;
  // By OpenSSL's configuration spelling: {"basicConstraints", "critical,CA:TRUE"}, {"subjectAltName",
  // "DNS:gw.example.com"}, {"1.2.3.4", "critical,DER:0500"}.
  std::vector<std::pair<std::string, std::string>> extensions;
  std::string digest = "SHA256";  // without meaning for Ed25519 and Ed448
  bool pss = false;               // RSA: sign the certificate itself with RSASSA-PSS
};

// DER of a certificate for `key`, signed with `signer`.
std::vector<std::uint8_t> make_certificate(const CertificateSpec& spec, const TestKey& key, const TestKey& signer);

struct CrlSpec {
  std::string issuer;
  WallTime this_update = day(0);
  WallTime next_update = day(30);
  std::vector<std::uint64_t> revoked;  // serial numbers, for key compromise
  bool delta = false;
  std::string digest = "SHA256";
};
std::vector<std::uint8_t> make_crl(const CrlSpec& spec, const TestKey& signer);

std::string to_pem(const std::string& label, const std::vector<std::uint8_t>& der);

// DER of an X.501 name, its strings as UTF8String (or PrintableString).
std::vector<std::uint8_t> make_name(const std::string& text, bool printable = false);

}  // namespace causeway::test

// A little PKI for the tests of validation: root > intermediate > gateway, each alterable before it is made.
#pragma once

#include "crypto/x509.h"
#include "test/support/catch.h"
#include "test/support/certificates.h"

namespace causeway::test {

inline const std::string kRoot = "C=CN, O=Causeway Test, CN=Root";
inline const std::string kSub = "C=CN, O=Causeway Test, CN=Issuing CA";
inline const std::string kGw = "C=CN, O=Causeway Test, CN=gw";

inline std::string hex_of(std::span<const std::uint8_t> octets) {
  std::string out;
  for (const std::uint8_t octet : octets) {
    out += "0123456789ABCDEF"[octet >> 4];
    out += "0123456789ABCDEF"[octet & 15];
  }
  return out;
}

inline crypto::Certificate read(const std::vector<std::uint8_t>& der) {
  auto certificate = crypto::Certificate::from_der(der);
  REQUIRE(certificate);
  return *certificate;
}

struct Pki {
  KeyKind root_kind, sub_kind, gw_kind;
  TestKey root_key, sub_key, gw_key;
  CertificateSpec root, sub, gw;

  explicit Pki(KeyKind kind = KeyKind::p256) : Pki(kind, kind, kind) {}
  Pki(KeyKind r, KeyKind s, KeyKind g)
      : root_kind(r),
        sub_kind(s),
        gw_kind(g),
        root_key(TestKey::of(r, 10)),
        sub_key(TestKey::of(s, 11)),
        gw_key(TestKey::of(g, 12)) {
    root = {.subject = kRoot,
            .issuer = {},
            .not_before = day(-100),
            .not_after = day(3650),
            .serial = 1,
            .extensions = {{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", "critical,keyCertSign,cRLSign"}}};
    sub = {.subject = kSub,
           .issuer = kRoot,
           .not_before = day(-50),
           .not_after = day(1800),
           .serial = 2,
           .extensions = {{"basicConstraints", "critical,CA:TRUE,pathlen:0"},
                          {"keyUsage", "critical,keyCertSign,cRLSign"}}};
    gw = {
        .subject = kGw,
        .issuer = kSub,
        .not_before = day(0),
        .not_after = day(365),
        .serial = 3,
        .extensions = {{"basicConstraints", "CA:FALSE"},
                       {"keyUsage", "digitalSignature"},
                       {"subjectAltName", "DNS:gw.example.com,IP:198.51.100.7,IP:2001:db8::7,email:ops@example.com"}}};
  }

  // Replaces the extension of that name, or adds it; an empty value takes it away.
  static void set(CertificateSpec& spec, const std::string& name, const std::string& value) {
    std::erase_if(spec.extensions, [&](const auto& extension) { return extension.first == name; });
    if (!value.empty()) spec.extensions.emplace_back(name, value);
  }

  [[nodiscard]] crypto::Certificate root_certificate() const {
    return read(make_certificate(root, root_key, root_key));
  }
  [[nodiscard]] crypto::Certificate sub_certificate() const { return read(make_certificate(sub, sub_key, root_key)); }
  [[nodiscard]] crypto::Certificate gw_certificate() const { return read(make_certificate(gw, gw_key, sub_key)); }
  [[nodiscard]] std::vector<crypto::Certificate> sent() const { return {gw_certificate(), sub_certificate()}; }
  [[nodiscard]] crypto::TrustStore store() const {
    crypto::TrustStore out;
    out.add_ca(root_certificate());
    return out;
  }
  [[nodiscard]] auto judge(crypto::WallTime now = day(100), const crypto::ValidationPolicy& policy = {}) const {
    return crypto::validate(sent(), store(), std::nullopt, now, policy);
  }
};

}  // namespace causeway::test

// Whatever a peer sends as a certificate or list: no crash, no leak, and above all no way in.
#include "test/crypto/pki.h"

using namespace causeway::crypto;
using namespace causeway::test;
using Bytes = std::vector<std::uint8_t>;

namespace {

constexpr std::uint8_t kMasks[] = {0x01, 0x20, 0x80, 0xff};

// Everything that may be asked of a certificate that came from outside.
void exercise(const Certificate& certificate) {
  (void)certificate.subject();
  (void)certificate.names();
  (void)certificate.serial();
  (void)certificate.is_ca();
  (void)certificate.self_issued();
  (void)certificate.public_key().name();
  for (const std::uint8_t type : {1, 2, 3, 5, 9, 11}) (void)certificate.refuses({type, certificate.subject_der()});
}

}  // namespace

TEST_CASE("A certificate cut at any length is refused as unreadable") {
  const Pki pki;
  for (const Bytes& good :
       {make_certificate(pki.gw, pki.gw_key, pki.sub_key), make_certificate(pki.sub, pki.sub_key, pki.root_key)}) {
    for (std::size_t n = 0; n < good.size(); ++n) {
      // A copy of the exact size, so that the sanitizer sees a read behind it.
      const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n));
      const auto read = Certificate::from_der(cut);
      REQUIRE_FALSE(read);
      CHECK(read.error().problem == CertificateProblem::unreadable);
    }
    Bytes longer = good;
    longer.push_back(0);
    CHECK_FALSE(Certificate::from_der(longer));
  }
}

TEST_CASE("A gateway's certificate with any octet altered is never accepted") {
  for (const KeyKind kind : {KeyKind::p256, KeyKind::rsa2048, KeyKind::ed25519}) {
    const Pki pki(kind);
    const TrustStore store = pki.store();
    const Certificate sub = pki.sub_certificate();
    const Bytes good = make_certificate(pki.gw, pki.gw_key, pki.sub_key);
    REQUIRE(validate(std::vector{read(good), sub}, store, std::nullopt, day(10)));
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (const std::uint8_t mask : kMasks) {
        Bytes bad = good;
        bad[at] ^= mask;
        const auto certificate = Certificate::from_der(bad);
        if (!certificate) continue;
        exercise(*certificate);
        INFO("octet " << at << " xor " << static_cast<int>(mask));
        CHECK_FALSE(validate(std::vector{*certificate, sub}, store, std::nullopt, day(10)));
      }
    }
  }
}

TEST_CASE("An intermediate with any octet altered never leads to the root") {
  const Pki pki;
  const TrustStore store = pki.store();
  const Certificate gw = pki.gw_certificate();
  const Bytes good = make_certificate(pki.sub, pki.sub_key, pki.root_key);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const std::uint8_t mask : kMasks) {
      Bytes bad = good;
      bad[at] ^= mask;
      const auto certificate = Certificate::from_der(bad);
      if (certificate) CHECK_FALSE(validate(std::vector{gw, *certificate}, store, std::nullopt, day(10)));
    }
  }
}

TEST_CASE("A revocation list cut or altered anywhere never lets a revoked gateway in") {
  const Pki pki;
  const std::vector<Certificate> sent = pki.sent();
  const Bytes good = make_crl({.issuer = kSub, .revoked = {1, 3, 7}}, pki.sub_key);
  const auto let_in = [&](const Bytes& list) {
    TrustStore store = pki.store();
    if (!store.add_crls(list)) return false;
    return validate(sent, store, std::nullopt, day(10)).has_value();
  };
  CHECK_FALSE(let_in(good));
  for (std::size_t n = 0; n < good.size(); ++n)
    CHECK_FALSE(let_in(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n))));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const std::uint8_t mask : kMasks) {
      Bytes bad = good;
      bad[at] ^= mask;
      INFO("octet " << at << " xor " << static_cast<int>(mask));
      CHECK_FALSE(let_in(bad));
    }
  }
}

TEST_CASE("PEM text cut at any length or with any character altered does not crash the reader") {
  const Pki pki;
  const std::string text = to_pem("CERTIFICATE", make_certificate(pki.gw, pki.gw_key, pki.sub_key)) +
                           to_pem("X509 CRL", make_crl({.issuer = kSub, .revoked = {3}}, pki.sub_key));
  const auto feed = [](std::string_view part) {
    const Bytes copy(part.begin(), part.end());
    int accepted = 0;
    if (const auto certificates = parse_certificates(copy)) {
      for (const Certificate& certificate : *certificates) exercise(certificate);
      ++accepted;
    }
    TrustStore store;
    if (store.add_crls(copy)) ++accepted;
    return accepted;
  };
  CHECK(feed(text) == 2);
  for (std::size_t n = 0; n + 1 < text.size(); ++n) CHECK(feed(std::string_view(text).substr(0, n)) < 2);
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string bad = text;
    bad[at] = static_cast<char>(bad[at] ^ 0x15);
    CHECK(feed(bad) >= 0);
  }
}

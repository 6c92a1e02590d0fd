// Certificates, revocation lists, keys and AUTH blobs as a peer or a file may hold them. Two octets choose; then
// the octets themselves. A chain is never accepted unless our own CA signed it, which a fuzzer cannot.
#include "crypto/signature.h"
#include "crypto/x509.h"
#include "test/fuzz/fuzz.h"
#include "test/support/certificates.h"

namespace {

using namespace causeway;
using fuzz::must;

const crypto::TrustStore& trusted() {
  static const crypto::TrustStore store = [] {
    const test::TestKey key = test::TestKey::of(test::KeyKind::p256);
    const test::CertificateSpec root{.subject = "C=CN, O=Causeway Test, CN=Root",
                                     .issuer = {},
                                     .extensions = {{"basicConstraints", "critical,CA:TRUE"}}};
    crypto::TrustStore s;
    s.add_ca(*crypto::Certificate::from_der(test::make_certificate(root, key, key)));
    return s;
  }();
  return store;
}

void certificates(fuzz::ByteView octets) {
  const auto read = crypto::parse_certificates(octets);
  if (!read) return must(!read.error().text.empty(), "a refusal says why");
  for (const auto& certificate : *read) {
    for (const std::uint8_t type : {1, 2, 3, 5, 9, 11})
      (void)certificate.refuses({type, octets.first(octets.size() / 8)});
    (void)certificate.refuses({9, certificate.subject_der()});
    for (const std::string& name : certificate.names())
      for (const char c : name) must(c >= 0x20 && c < 0x7f, "names are fit for a log");
    for (const char c : certificate.subject()) must(c >= 0x20 && c < 0x7f, "subjects are fit for a log");
    (void)certificate.is_ca();
    (void)certificate.public_key().verify(crypto::SignatureMethod::digital, octets, octets, {.legacy = true});
  }
  const auto verdict = crypto::validate(*read, trusted(), std::nullopt, test::day(100), {.legacy = true});
  must(!verdict, "nobody but our CA makes certificates that we accept");
  must(!verdict.error().text.empty(), "a refusal says why");
}

void signatures(std::uint8_t choice, fuzz::ByteView octets) {
  static const auto kinds = {test::KeyKind::rsa2048, test::KeyKind::p256, test::KeyKind::p521, test::KeyKind::ed25519};
  static const std::vector<crypto::PublicKey> keys = [] {
    std::vector<crypto::PublicKey> out;
    for (const auto kind : kinds) out.push_back(*crypto::PublicKey::from_spki(test::TestKey::of(kind).spki()));
    return out;
  }();
  static constexpr crypto::SignatureMethod kMethods[] = {
      crypto::SignatureMethod::digital, crypto::SignatureMethod::rsa, crypto::SignatureMethod::ecdsa_256,
      crypto::SignatureMethod::ecdsa_384, crypto::SignatureMethod::ecdsa_521};
  static const fuzz::Bytes data(64, 1);
  const auto verified =
      keys[choice % keys.size()].verify(kMethods[choice / 4 % std::size(kMethods)], octets, data, {.legacy = true});
  must(!verified, "nobody can sign without the key");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t what = input.u8(), choice = input.u8();
  const fuzz::ByteView octets = input.rest();
  switch (what % 4) {
    case 0:
      certificates(octets);
      break;
    case 1:
      signatures(choice, octets);
      break;
    case 2: {
      crypto::TrustStore store;
      (void)store.add_crls(octets);
      break;
    }
    default:
      (void)crypto::PrivateKey::parse(octets);
      (void)crypto::PublicKey::from_spki(octets);
  }
  return 0;
}

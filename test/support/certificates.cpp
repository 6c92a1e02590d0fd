#include "test/support/certificates.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <functional>
#include <map>
#include <stdexcept>

namespace causeway::test {
namespace {

void must(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("cannot make ") + what);
}

EVP_PKEY* generate(KeyKind kind) {
  switch (kind) {
    case KeyKind::rsa1024:
      return EVP_RSA_gen(1024);
    case KeyKind::rsa2048:
      return EVP_RSA_gen(2048);
    case KeyKind::rsa3072:
      return EVP_RSA_gen(3072);
    case KeyKind::p224:
      return EVP_EC_gen("P-224");
    case KeyKind::p256:
      return EVP_EC_gen("P-256");
    case KeyKind::p384:
      return EVP_EC_gen("P-384");
    case KeyKind::p521:
      return EVP_EC_gen("P-521");
    case KeyKind::ed25519:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    case KeyKind::ed448:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED448");
  }
  return nullptr;
}

template <class T, class Encode>
std::vector<std::uint8_t> der_of(Encode encode, T* object) {
  unsigned char* out = nullptr;
  const int size = encode(object, &out);
  must(size > 0, "DER");
  std::vector<std::uint8_t> der(out, out + size);
  OPENSSL_free(out);
  return der;
}

std::shared_ptr<X509_NAME> name_of(const std::string& text, int type) {
  std::shared_ptr<X509_NAME> name(X509_NAME_new(), X509_NAME_free);
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.find(", ", at), text.size());
    const std::string part = text.substr(at, end - at);
    const std::size_t equals = part.find('=');
    must(equals != std::string::npos, "a name");
    const auto* value = reinterpret_cast<const unsigned char*>(part.c_str() + equals + 1);
    must(X509_NAME_add_entry_by_txt(name.get(), part.substr(0, equals).c_str(), type, value, -1, -1, 0) == 1, "a name");
    at = end + 2;
  }
  return name;
}

const EVP_MD* digest_for(const TestKey& signer, const std::string& digest) {
  const int id = EVP_PKEY_get_base_id(signer.get());
  return id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448 ? nullptr : EVP_get_digestbyname(digest.c_str());
}

std::shared_ptr<ASN1_TIME> time_of(WallTime time) {
  return {ASN1_TIME_set(nullptr, time.time_since_epoch().count()), ASN1_TIME_free};
}

void sign(X509* x509, const CertificateSpec& spec, const TestKey& signer) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_PKEY_CTX* pkey_context = nullptr;
  must(EVP_DigestSignInit(context.get(), &pkey_context, digest_for(signer, spec.digest), nullptr, signer.get()) == 1,
       "a signature");
  if (spec.pss) must(EVP_PKEY_CTX_set_rsa_padding(pkey_context, RSA_PKCS1_PSS_PADDING) == 1, "a PSS signature");
  must(X509_sign_ctx(x509, context.get()) > 0, "a signature");
}

}  // namespace

TestKey TestKey::of(KeyKind kind, int number) {
  static std::map<std::pair<KeyKind, int>, TestKey> made;
  const auto at = made.find({kind, number});
  if (at != made.end()) return at->second;
  EVP_PKEY* key = generate(kind);
  must(key != nullptr, "a key");
  const TestKey out{std::shared_ptr<EVP_PKEY>(key, EVP_PKEY_free)};
  made.emplace(std::pair{kind, number}, out);
  return out;
}

std::string TestKey::pem() const {
  const std::unique_ptr<BIO, void (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free_all);
  must(PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1, "a PEM key");
  const char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::vector<std::uint8_t> TestKey::spki() const { return der_of(i2d_PUBKEY, key_.get()); }

WallTime day(int number) { return std::chrono::sys_days{std::chrono::year{2026} / 1 / 1} + std::chrono::days{number}; }

std::vector<std::uint8_t> make_certificate(const CertificateSpec& spec, const TestKey& key, const TestKey& signer) {
  const std::unique_ptr<X509, void (*)(X509*)> x509(X509_new(), X509_free);
  const auto subject = name_of(spec.subject, MBSTRING_UTF8);
  const auto issuer = name_of(spec.issuer.empty() ? spec.subject : spec.issuer, MBSTRING_UTF8);
  must(X509_set_version(x509.get(), spec.extensions.empty() ? 0 : 2) == 1, "a certificate");
  must(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509.get()), spec.serial) == 1, "a serial number");
  must(X509_set_subject_name(x509.get(), subject.get()) == 1 && X509_set_issuer_name(x509.get(), issuer.get()) == 1 &&
           X509_set1_notBefore(x509.get(), time_of(spec.not_before).get()) == 1 &&
           X509_set1_notAfter(x509.get(), time_of(spec.not_after).get()) == 1 &&
           X509_set_pubkey(x509.get(), key.get()) == 1,
       "a certificate");
  X509V3_CTX context;
  X509V3_set_ctx(&context, x509.get(), x509.get(), nullptr, nullptr, 0);
  X509V3_set_ctx_nodb(&context);
  for (const auto& [oid, value] : spec.extensions) {
    const std::unique_ptr<X509_EXTENSION, void (*)(X509_EXTENSION*)> extension(
        X509V3_EXT_nconf(nullptr, &context, oid.c_str(), value.c_str()), X509_EXTENSION_free);
    must(extension != nullptr && X509_add_ext(x509.get(), extension.get(), -1) == 1, "an extension");
  }
  sign(x509.get(), spec, signer);
  return der_of(i2d_X509, x509.get());
}

std::vector<std::uint8_t> make_crl(const CrlSpec& spec, const TestKey& signer) {
  const std::unique_ptr<X509_CRL, void (*)(X509_CRL*)> crl(X509_CRL_new(), X509_CRL_free);
  must(X509_CRL_set_version(crl.get(), 1) == 1 &&
           X509_CRL_set_issuer_name(crl.get(), name_of(spec.issuer, MBSTRING_UTF8).get()) == 1 &&
           X509_CRL_set1_lastUpdate(crl.get(), time_of(spec.this_update).get()) == 1 &&
           X509_CRL_set1_nextUpdate(crl.get(), time_of(spec.next_update).get()) == 1,
       "a revocation list");
  const std::unique_ptr<ASN1_INTEGER, void (*)(ASN1_INTEGER*)> number(ASN1_INTEGER_new(), ASN1_INTEGER_free);
  must(ASN1_INTEGER_set(number.get(), 7) == 1, "a CRL number");
  must(X509_CRL_add1_ext_i2d(crl.get(), NID_crl_number, number.get(), 0, 0) == 1, "a CRL number");
  if (spec.delta) must(X509_CRL_add1_ext_i2d(crl.get(), NID_delta_crl, number.get(), 1, 0) == 1, "a delta CRL");
  for (const std::uint64_t serial : spec.revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    const std::unique_ptr<ASN1_INTEGER, void (*)(ASN1_INTEGER*)> which(ASN1_INTEGER_new(), ASN1_INTEGER_free);
    const std::unique_ptr<ASN1_ENUMERATED, void (*)(ASN1_ENUMERATED*)> why(ASN1_ENUMERATED_new(), ASN1_ENUMERATED_free);
    must(ASN1_INTEGER_set_uint64(which.get(), serial) == 1 && ASN1_ENUMERATED_set(why.get(), 1) == 1 &&
             X509_REVOKED_set_serialNumber(entry, which.get()) == 1 &&
             X509_REVOKED_set_revocationDate(entry, time_of(spec.this_update).get()) == 1 &&
             X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, why.get(), 0, 0) == 1 &&
             X509_CRL_add0_revoked(crl.get(), entry) == 1,
         "a revoked entry");
  }
  must(X509_CRL_sort(crl.get()) == 1 && X509_CRL_sign(crl.get(), signer.get(), digest_for(signer, spec.digest)) > 0,
       "a revocation list");
  return der_of(i2d_X509_CRL, crl.get());
}

std::string to_pem(const std::string& label, const std::vector<std::uint8_t>& der) {
  std::string text(4 * ((der.size() + 2) / 3) + 1, '\0');
  text.resize(static_cast<std::size_t>(
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), der.data(), static_cast<int>(der.size()))));
  std::string out = "-----BEGIN " + label + "-----\n";
  for (std::size_t at = 0; at < text.size(); at += 64) out += text.substr(at, 64) + "\n";
  return out + "-----END " + label + "-----\n";
}

std::vector<std::uint8_t> make_name(const std::string& text, bool printable) {
  return der_of(i2d_X509_NAME, name_of(text, printable ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING).get());
}

}  // namespace causeway::test

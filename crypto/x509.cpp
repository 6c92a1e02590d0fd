#include "crypto/x509.h"

#include <openssl/pem.h>

#include <array>
#include <ctime>

#include "crypto/read_file.h"
#include "crypto/secrets.h"
#include "crypto/x509_handle.h"

namespace causeway::crypto {
namespace {

constexpr std::pair<CertificateProblem, std::string_view> kNames[] = {
    {CertificateProblem::no_certificate, "no certificate"},
    {CertificateProblem::unreadable, "unreadable"},
    {CertificateProblem::expired, "expired"},
    {CertificateProblem::not_yet_valid, "not yet valid"},
    {CertificateProblem::unknown_ca, "unknown CA"},
    {CertificateProblem::bad_signature, "bad signature"},
    {CertificateProblem::revoked, "revoked"},
    {CertificateProblem::crl_missing, "CRL missing"},
    {CertificateProblem::crl_expired, "CRL expired"},
    {CertificateProblem::crl_bad, "CRL not acceptable"},
    {CertificateProblem::wrong_identity, "wrong identity"},
    {CertificateProblem::weak_key, "weak key"},
    {CertificateProblem::weak_signature, "weak signature"},
    {CertificateProblem::chain_too_long, "chain too long"},
    {CertificateProblem::not_a_ca, "not a CA"},
    {CertificateProblem::key_usage, "key usage"},
    {CertificateProblem::extended_key_usage, "extended key usage"},
    {CertificateProblem::name_constraints, "name constraints"},
    {CertificateProblem::critical_extension, "critical extension"},
    {CertificateProblem::other, "other"},
};

std::string serial_text(const X509* x509) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(x509);
  if (serial == nullptr) return {};
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (int i = 0; i < ASN1_STRING_length(serial); ++i) {
    const std::uint8_t octet = ASN1_STRING_get0_data(serial)[i];
    out += kHex[octet >> 4];
    out += kHex[octet & 15];
  }
  return out;
}

}  // namespace

std::string_view name_of(CertificateProblem problem) {
  for (const auto& [value, name] : kNames)
    if (value == problem) return name;
  return "other";
}

tl::unexpected<CertificateError> refuse(CertificateProblem problem, std::string text, std::string subject) {
  return tl::unexpected(CertificateError{problem, std::move(text), std::move(subject)});
}

std::string name_text(const X509_NAME* name) {
  const BioHandle bio{BIO_new(BIO_s_mem())};
  // Escapes leave printable ASCII only: a name comes from a peer and goes into logs and JSON.
  constexpr unsigned long kStyle = ASN1_STRFLGS_RFC2253 | XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN;
  if (!bio || name == nullptr || X509_NAME_print_ex(bio.get(), name, 0, kStyle) < 0) return {};
  const char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string time_text(WallTime time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm tm{};
  std::array<char, 64> text{};
  if (gmtime_r(&seconds, &tm) == nullptr) return "an impossible time";
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &tm);
  return {text.data(), size};
}

std::optional<WallTime> wall_time(const ASN1_TIME* time) {
  std::tm tm{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &tm) != 1) return std::nullopt;
  return WallTime{std::chrono::seconds{timegm(&tm)}};
}

std::string label(const Certificate& certificate) {
  if (!certificate.subject().empty()) return "the certificate \"" + certificate.subject() + "\"";
  return "the certificate with serial number " + certificate.serial();
}

tl::expected<Certificate, CertificateError> Certificate::from_der(std::span<const std::uint8_t> der) {
  const QuietErrors quiet;
  const unsigned char* p = der.data();
  X509Handle x509{der.empty() ? nullptr : d2i_X509(nullptr, &p, static_cast<long>(der.size()))};
  if (!x509 || p != der.data() + der.size())
    return refuse(CertificateProblem::unreadable, "what should be a certificate (" + std::to_string(der.size()) +
                                                      " octets) is not X.509 in DER: send or store it anew");
  std::string subject = name_text(X509_get_subject_name(x509.get()));
  const auto broken = [&](const std::string& what) {
    return refuse(CertificateProblem::unreadable,
                  "the certificate \"" + subject + "\" " + what + ": it must be issued anew", subject);
  };
  // Reads all extensions at once and remembers whether one of them is malformed.
  X509_check_purpose(x509.get(), -1, 0);
  if ((X509_get_extension_flags(x509.get()) & EXFLAG_INVALID) != 0) return broken("has a malformed extension");
  const auto from = wall_time(X509_get0_notBefore(x509.get()));
  const auto until = wall_time(X509_get0_notAfter(x509.get()));
  if (!from || !until) return broken("has no readable validity");
  auto key = PublicKey::from_spki(to_der(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(x509.get())));
  if (!key) return broken("has a public key that cannot be read");
  KeyHash hash{};
  if (EVP_Digest(key->spki().data(), key->spki().size(), hash.data(), nullptr, EVP_sha1(), nullptr) != 1)
    return refuse(CertificateProblem::other, "OpenSSL offers no SHA-1, which names CAs in certificate requests");
  auto subject_der = to_der(i2d_X509_NAME, X509_get_subject_name(x509.get()));
  std::string issuer = name_text(X509_get_issuer_name(x509.get()));
  std::string serial = serial_text(x509.get());
  return Certificate(std::make_shared<const Impl>(Impl{std::move(x509),
                                                       {der.begin(), der.end()},
                                                       std::move(subject_der),
                                                       std::move(subject),
                                                       std::move(issuer),
                                                       std::move(serial),
                                                       *from,
                                                       *until,
                                                       hash,
                                                       std::move(*key)}));
}

std::span<const std::uint8_t> Certificate::der() const { return impl_->der; }
const std::string& Certificate::subject() const { return impl_->subject; }
const std::string& Certificate::issuer() const { return impl_->issuer; }
std::span<const std::uint8_t> Certificate::subject_der() const { return impl_->subject_der; }
std::string Certificate::serial() const { return impl_->serial; }
WallTime Certificate::not_before() const { return impl_->not_before; }
WallTime Certificate::not_after() const { return impl_->not_after; }
const PublicKey& Certificate::public_key() const { return impl_->public_key; }
const KeyHash& Certificate::key_hash() const { return impl_->key_hash; }
bool Certificate::operator==(const Certificate& other) const { return impl_->der == other.impl_->der; }

// basicConstraints alone counts: X509_check_ca() would guess where it is missing, and look at the key usage too.
bool Certificate::is_ca() const { return (X509_get_extension_flags(impl_->x509.get()) & EXFLAG_CA) != 0; }

bool Certificate::self_issued() const {
  return X509_NAME_cmp(X509_get_subject_name(impl_->x509.get()), X509_get_issuer_name(impl_->x509.get())) == 0;
}

std::optional<std::vector<Block>> blocks_of(std::span<const std::uint8_t> contents) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  const std::string_view text(reinterpret_cast<const char*>(contents.data()), contents.size());
  if (text.find(kBegin) == std::string_view::npos) return std::vector<Block>{{{}, {contents.begin(), contents.end()}}};
  std::vector<Block> out;
  const BioHandle bio{BIO_new_mem_buf(contents.data(), static_cast<int>(contents.size()))};
  for (;;) {
    char *name = nullptr, *header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    if (!bio || PEM_read_bio(bio.get(), &name, &header, &data, &size) != 1) {
      const bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      ERR_clear_error();
      return end ? std::optional(std::move(out)) : std::nullopt;
    }
    // A file may hold a private key too: it is not for us, and leaves no trace.
    const std::string_view kind(name);
    if (kind.find("KEY") == std::string_view::npos) out.push_back({name, {data, data + size}});
    OPENSSL_clear_free(data, static_cast<std::size_t>(size));
    OPENSSL_free(name);
    OPENSSL_free(header);
  }
}

tl::expected<std::vector<Certificate>, CertificateError> parse_certificates(std::span<const std::uint8_t> contents) {
  const QuietErrors quiet;
  const auto blocks = blocks_of(contents);
  if (!blocks) return refuse(CertificateProblem::unreadable, "a PEM block is broken: store the file anew");
  std::vector<Certificate> out;
  for (const Block& block : *blocks) {
    if (!block.name.empty() && block.name != "CERTIFICATE" && block.name != "X509 CERTIFICATE") continue;
    auto certificate = Certificate::from_der(block.der);
    if (!certificate) return tl::unexpected(certificate.error());
    out.push_back(std::move(*certificate));
  }
  if (out.empty())
    return refuse(CertificateProblem::unreadable,
                  "no certificate is in it: PEM (-----BEGIN CERTIFICATE-----) or "
                  "DER is needed");
  return out;
}

tl::expected<std::vector<Certificate>, CertificateError> load_certificates(const std::string& path) {
  const auto contents = read_file(path, false);
  if (!contents) return refuse(CertificateProblem::unreadable, contents.error());
  auto out = parse_certificates(contents->bytes());
  if (!out) return refuse(out.error().problem, path + ": " + out.error().text, out.error().subject);
  return out;
}

}  // namespace causeway::crypto

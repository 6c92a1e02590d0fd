// X.509 certificates as IKE uses them: read, chained to a CA we were told to trust, judged at a given time,
// and held against the identity the peer claimed. Every refusal is named and says what to do about it.
//
// Sources: RFC 5280 (profile, path validation), RFC 4945 (the same for IKE: identities, key usage),
// RFC 7296 3.6 and 3.7 (CERT, CERTREQ). No clock is read here: the time comes in.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "crypto/signature.h"

namespace causeway::crypto {

using WallTime = std::chrono::sys_seconds;  // UTC

enum class CertificateProblem : std::uint8_t {
  no_certificate,  // the peer sent none
  unreadable,      // not a certificate, or one that no one can make sense of
  expired,
  not_yet_valid,
  unknown_ca,     // nobody we trust issued it
  bad_signature,  // altered, or issued by another CA of the same name
  revoked,
  crl_missing,         // no CRL of the issuer although one is asked for
  crl_expired,         // the CRL's next update has passed
  crl_bad,             // a CRL that is not yet valid, or not signed by the issuer
  wrong_identity,      // no subjectAltName (or subject, for a DN) is what the peer says it is
  weak_key,            // RSA below 2048 bits, EC below 256
  weak_signature,      // signed with MD5 or SHA-1
  chain_too_long,      // longer than the limit, or than a CA's pathLenConstraint
  not_a_ca,            // an issuer without the CA bit in basicConstraints
  key_usage,           // an issuer that must not sign certificates, a peer that must not sign at all
  extended_key_usage,  // issued for something else
  name_constraints,    // a name outside what the CA may issue for
  critical_extension,  // a critical extension that is not understood
  other,
};
[[nodiscard]] std::string_view name_of(CertificateProblem problem);  // "expired", "unknown CA"

struct CertificateError {
  CertificateProblem problem = CertificateProblem::other;
  std::string text;     // one sentence: which certificate (its subject), what is wrong, what to do
  std::string subject;  // of the certificate at fault; empty where there is none
};

// An identity as an ID payload carries it: RFC 7296 3.5 type number and octets.
struct ClaimedIdentity {
  std::uint8_t type = 0;  // 1 IPv4, 2 FQDN, 3 RFC822, 5 IPv6, 9 DER of a DN, 11 KEY_ID
  std::span<const std::uint8_t> data;
};

using KeyHash = std::array<std::uint8_t, 20>;  // SHA-1 of a SubjectPublicKeyInfo: what CERTREQ names a CA by

// One certificate. Immutable, shared between copies.
class Certificate {
 public:
  static tl::expected<Certificate, CertificateError> from_der(std::span<const std::uint8_t> der);

  [[nodiscard]] std::span<const std::uint8_t> der() const;  // as it came: body of a CERT payload, encoding 4
  [[nodiscard]] const std::string& subject() const;         // "C=CN, O=Example, CN=gw"
  [[nodiscard]] const std::string& issuer() const;
  [[nodiscard]] std::span<const std::uint8_t> subject_der() const;  // body of an ID payload of type 9
  [[nodiscard]] std::string serial() const;                         // hex
  [[nodiscard]] WallTime not_before() const;
  [[nodiscard]] WallTime not_after() const;
  [[nodiscard]] bool is_ca() const;  // basicConstraints has the CA bit
  [[nodiscard]] bool self_issued() const;
  [[nodiscard]] const PublicKey& public_key() const;
  [[nodiscard]] const KeyHash& key_hash() const;
  [[nodiscard]] std::vector<std::string> names() const;  // subjectAltNames: "DNS:gw.example.com", "IP:10.0.0.1"

  // RFC 4945 3.1: addresses octet by octet, names without case and without wildcards, a DN against the subject
  // (RFC 5280 7.1, since peers that build it from text choose other string types), a KEY_ID against the
  // subjectKeyIdentifier. Empty where it fits; else the sentence that says what the certificate holds instead.
  [[nodiscard]] std::optional<CertificateError> refuses(const ClaimedIdentity& identity) const;

  bool operator==(const Certificate& other) const;

  struct Impl;
  [[nodiscard]] const Impl& impl() const { return *impl_; }

 private:
  explicit Certificate(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// All certificates of a file: PEM (any number, other blocks skipped) or one in DER. At least one.
tl::expected<std::vector<Certificate>, CertificateError> parse_certificates(std::span<const std::uint8_t> contents);
tl::expected<std::vector<Certificate>, CertificateError> load_certificates(const std::string& path);

// What we trust: CA certificates and revocation lists. Immutable once built; shared between tunnels as a pointer.
// A certificate of the `ca` file is trusted as it stands, self-signed or not: a file may name only the
// intermediate, or one peer's own self-signed certificate.
class TrustStore {
 public:
  TrustStore();
  ~TrustStore();
  TrustStore(TrustStore&&) noexcept;
  TrustStore& operator=(TrustStore&&) noexcept;

  void add_ca(Certificate certificate);
  // Revocation lists in PEM (any number) or DER; the value is how many. A delta CRL is refused (RFC 4945 5.2.2.4).
  tl::expected<int, CertificateError> add_crls(std::span<const std::uint8_t> contents);
  // The files of `ca` and `crl`; an empty `crl_path` means none, and no revocation is checked.
  static tl::expected<TrustStore, CertificateError> load(const std::string& ca_path, const std::string& crl_path);

  [[nodiscard]] std::span<const Certificate> cas() const;
  [[nodiscard]] bool has_crls() const;
  // Body of a CERTREQ payload behind its encoding octet: the CAs' key hashes, one behind the other.
  [[nodiscard]] std::vector<std::uint8_t> request() const;

  struct Impl;
  [[nodiscard]] const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

enum class CrlPolicy : std::uint8_t {
  ignore,    // revocation is not looked at
  lenient,   // a list that is there is honoured; missing or expired ones do not matter
  standard,  // once the store has any list: the peer's issuer must have one in date; others are honoured if there
  strict,    // every issuer of the chain must have one in date, store empty or not
};

struct ValidationPolicy {
  CrlPolicy crl = CrlPolicy::standard;
  int max_chain = 6;    // certificates from the peer's to the CA's, both counted
  bool legacy = false;  // takes short keys and SHA-1 signatures (never MD5)
};

// The peer's certificates as they came, its own first, the others in any order (useless ones do no harm; more than
// 16 are refused). The value is the chain that holds, the peer's certificate first, the trusted one last.
// `identity`: what the ID payload said; without one only the chain is judged.
tl::expected<std::vector<Certificate>, CertificateError> validate(std::span<const Certificate> sent,
                                                                  const TrustStore& store,
                                                                  const std::optional<ClaimedIdentity>& identity,
                                                                  WallTime now, const ValidationPolicy& policy = {});

// Our own side: the certificate, what goes with it, and its key.
struct Credential {
  std::vector<Certificate> chain;  // ours first, then the intermediates of the same file
  PrivateKey key;

  // Refused where the key is not the first certificate's.
  static tl::expected<Credential, CertificateError> load(const std::string& cert_path, const std::string& key_path);
  static tl::expected<Credential, CertificateError> make(std::vector<Certificate> chain, PrivateKey key);

  // Whether a CA that the peer asked for (CERTREQ body behind its encoding octet: hashes of 20 octets; odd rests
  // are ignored) stands above our certificate, seen through our chain and `known`. An empty request fits all.
  [[nodiscard]] bool answers(std::span<const std::uint8_t> request, std::span<const Certificate> known) const;
};

}  // namespace causeway::crypto

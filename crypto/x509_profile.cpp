// What RFC 5280 leaves open and RFC 4945 and RFC 8247 want: keys and hashes that are strong enough, issuers with
// the CA bit, a peer's certificate that may sign, and was not made for something else.
#include <openssl/objects.h>

#include <algorithm>
#include <array>

#include "crypto/x509_handle.h"

namespace causeway::crypto {
namespace {

using UsageHandle = Handle<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>;

CertificateError fault(CertificateProblem problem, const Certificate& at, const std::string& says) {
  return {problem, label(at) + " " + says, at.subject()};
}

// MD5 is forgeable in hours: not even `legacy` takes it. SHA-1 collisions cost money, old CAs still use it.
enum class Strength : std::uint8_t { good, sha1, broken };
Strength strength_of(int digest) {
  switch (digest) {
    case NID_md2:
    case NID_md4:
    case NID_md5:
    case NID_md5_sha1:
      return Strength::broken;
    case NID_sha1:
      return Strength::sha1;
    default:
      return Strength::good;
  }
}

std::optional<std::string> weak_digest(int digest, bool legacy) {
  const Strength strength = strength_of(digest);
  if (strength == Strength::good || (strength == Strength::sha1 && legacy)) return std::nullopt;
  return std::string(OBJ_nid2sn(digest)) + ", which is too weak: it must be signed anew with SHA-2" +
         (strength == Strength::sha1 ? ", or legacy = true set for this tunnel" : "");
}

std::optional<CertificateError> judge_strength(std::span<const Certificate> path, bool legacy) {
  for (const Certificate& certificate : path) {
    if (const std::string why = certificate.public_key().weakness(); !why.empty() && !legacy)
      return fault(CertificateProblem::weak_key, certificate,
                   "has a key that " + why + ": it must be issued anew for a longer key");
    if (&certificate == &path.back() && path.size() > 1) break;  // nobody relies on the trusted one's own signature
    int digest = NID_undef;
    X509_get_signature_info(certificate.impl().x509.get(), &digest, nullptr, nullptr, nullptr);
    if (const auto weak = weak_digest(digest, legacy); weak && path.size() > 1)
      return fault(CertificateProblem::weak_signature, certificate, "is signed with " + *weak);
  }
  return std::nullopt;
}

std::optional<CertificateError> judge_lists(std::span<const Certificate> path, const TrustStore& store, bool legacy) {
  for (const CrlHandle& crl : store.impl().crls) {
    int digest = NID_undef;
    OBJ_find_sigid_algs(X509_CRL_get_signature_nid(crl.get()), &digest, nullptr);
    const auto weak = weak_digest(digest, legacy);
    if (!weak) continue;
    for (const Certificate& certificate : path)
      if (X509_NAME_cmp(X509_CRL_get_issuer(crl.get()), X509_get_issuer_name(certificate.impl().x509.get())) == 0)
        return fault(CertificateProblem::weak_signature, certificate,
                     "is on the books of a revocation list that is signed with " + *weak);
  }
  return std::nullopt;
}

std::optional<CertificateError> judge_issuers(std::span<const Certificate> path) {
  for (const Certificate& issuer : path.subspan(1)) {
    if (!issuer.is_ca())
      return fault(CertificateProblem::not_a_ca, issuer,
                   "issued another certificate, but is no CA (basicConstraints): it must be issued anew with the CA "
                   "bit, or the certificate below it by a CA");
    // X509_get_key_usage: all bits set where the extension is absent.
    if ((X509_get_key_usage(issuer.impl().x509.get()) & KU_KEY_CERT_SIGN) == 0)
      return fault(CertificateProblem::key_usage, issuer,
                   "issued another certificate, but its key usage lacks keyCertSign: it must be issued anew");
  }
  return std::nullopt;
}

// RFC 4945 5.1.3.12 wants ipsecIKE or any. Private CAs of clouds issue gateways' certificates with those of TLS and
// nothing else, and older tools with the IPsec ones that it retired: all say "an end of a secured connection".
bool fit_for_ike(const EXTENDED_KEY_USAGE* usage) {
  constexpr std::array kNids{NID_ipsec_IKE,      NID_anyExtendedKeyUsage, NID_server_auth, NID_client_auth,
                             NID_ipsecEndSystem, NID_ipsecTunnel,         NID_ipsecUser};
  for (int i = 0; i < sk_ASN1_OBJECT_num(usage); ++i) {
    const ASN1_OBJECT* purpose = sk_ASN1_OBJECT_value(usage, i);
    if (std::find(kNids.begin(), kNids.end(), OBJ_obj2nid(purpose)) != kNids.end()) return true;
    std::array<char, 40> text{};
    OBJ_obj2txt(text.data(), text.size(), purpose, 1);
    if (std::string_view(text.data()) == "1.3.6.1.5.5.8.2.2") return true;  // iKEIntermediate, of old drafts
  }
  return false;
}

std::optional<CertificateError> judge_peer(const Certificate& peer) {
  X509* x509 = peer.impl().x509.get();
  if ((X509_get_key_usage(x509) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0)
    return fault(CertificateProblem::key_usage, peer,
                 "must not sign messages: its key usage has neither digitalSignature nor nonRepudiation; it must be "
                 "issued anew with digitalSignature");
  const UsageHandle usage{
      static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(x509, NID_ext_key_usage, nullptr, nullptr))};
  if (usage && !fit_for_ike(usage.get()))
    return fault(CertificateProblem::extended_key_usage, peer,
                 "was issued for something else than IPsec (extendedKeyUsage): it must be issued anew with ipsecIKE, "
                 "or without that extension");
  return std::nullopt;
}

}  // namespace

std::optional<CertificateError> judge_profile(std::span<const Certificate> path, const TrustStore& store,
                                              const ValidationPolicy& policy) {
  if (auto found = judge_issuers(path)) return found;
  if (auto found = judge_strength(path, policy.legacy)) return found;
  if (policy.crl != CrlPolicy::ignore)
    if (auto found = judge_lists(path, store, policy.legacy)) return found;
  return judge_peer(path.front());
}

}  // namespace causeway::crypto

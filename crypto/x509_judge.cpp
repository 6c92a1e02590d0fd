// One chain, judged: OpenSSL's RFC 5280 validation with our time and our view of revocation lists, each of its
// verdicts turned into a reason with a cure.
#include <openssl/x509v3.h>

#include "crypto/x509_handle.h"

namespace causeway::crypto {
namespace {

struct Case {
  int verdict;
  CertificateProblem problem;
  std::string_view says;  // behind the certificate's label
};
constexpr Case kCases[] = {
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, CertificateProblem::bad_signature,
     "does not carry a valid signature of its issuer: it was altered, or another CA of the same name issued it"},
    {X509_V_ERR_UNABLE_TO_GET_CRL, CertificateProblem::crl_missing,
     "cannot be checked for revocation, since `crl` holds no list of its issuer: add it to the file"},
    {X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, CertificateProblem::crl_missing,
     "cannot be checked for revocation, since the list's issuer is not in its chain: use the list that its issuer "
     "signed"},
    {X509_V_ERR_CRL_SIGNATURE_FAILURE, CertificateProblem::crl_bad,
     "cannot be checked for revocation, since the list in `crl` does not carry its issuer's signature: fetch it anew"},
    {X509_V_ERR_CRL_NOT_YET_VALID, CertificateProblem::crl_bad,
     "cannot be checked for revocation, since its issuer's list is not yet valid: set this machine's clock, or store "
     "the current list"},
    {X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, CertificateProblem::crl_bad,
     "cannot be checked for revocation, since its issuer's key usage does not allow signing lists: use a list that "
     "a CA with cRLSign made"},
    {X509_V_ERR_DIFFERENT_CRL_SCOPE, CertificateProblem::crl_bad,
     "cannot be checked for revocation, since its issuer's list covers other certificates: store the complete list"},
    {X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION, CertificateProblem::crl_bad,
     "cannot be checked for revocation, since its issuer's list has a critical extension that is not understood: "
     "store a plain list"},
    {X509_V_ERR_INVALID_CA, CertificateProblem::not_a_ca,
     "issued another certificate, but is no CA (basicConstraints): it must be issued anew with the CA bit, or the "
     "certificate below it by a CA"},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED, CertificateProblem::chain_too_long,
     "allows fewer CAs below it than the chain has (pathLenConstraint): the peer's certificate must come from a CA "
     "higher up"},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, CertificateProblem::chain_too_long,
     "is at the end of a chain that is too long: the peer's certificate must come from a CA higher up"},
    {X509_V_ERR_KEYUSAGE_NO_CERTSIGN, CertificateProblem::key_usage,
     "issued another certificate, but its key usage lacks keyCertSign: it must be issued anew"},
    {X509_V_ERR_PERMITTED_VIOLATION, CertificateProblem::name_constraints,
     "holds a name outside what a CA above it may issue for (name constraints): it needs a name inside, or another "
     "CA"},
    {X509_V_ERR_EXCLUDED_VIOLATION, CertificateProblem::name_constraints,
     "holds a name that a CA above it must not issue for (name constraints): it needs another name, or another CA"},
    {X509_V_ERR_SUBTREE_MINMAX, CertificateProblem::name_constraints,
     "has name constraints of a form that RFC 5280 forbids: the CA must be issued anew"},
    {X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE, CertificateProblem::name_constraints,
     "stands below name constraints of a kind that is not understood: it needs another CA"},
    {X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX, CertificateProblem::name_constraints,
     "stands below name constraints that cannot be read: it needs another CA"},
    {X509_V_ERR_UNSUPPORTED_NAME_SYNTAX, CertificateProblem::name_constraints,
     "holds a name that cannot be held against its CA's name constraints: it needs another name"},
    {X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, CertificateProblem::critical_extension,
     "has a critical extension that is not understood: it must be issued without it"},
};

// What the callback needs and finds.
struct Verdict {
  CrlPolicy crl = CrlPolicy::standard;
  int last = 0;  // depth of the trusted certificate
  int error = X509_V_OK;
  int depth = 0;
  std::string revocation;  // "on 2026-11-22 22:10 UTC (keyCompromise)"
};

std::string revocation_text(X509_STORE_CTX* context) {
  X509_CRL* crl = X509_STORE_CTX_get0_current_crl(context);
  X509* certificate = X509_STORE_CTX_get_current_cert(context);
  X509_REVOKED* entry = nullptr;
  if (crl == nullptr || certificate == nullptr || X509_CRL_get0_by_cert(crl, &entry, certificate) == 0) return {};
  std::string out;
  if (const auto when = wall_time(X509_REVOKED_get0_revocationDate(entry))) out = " on " + time_text(*when);
  const Handle<ASN1_ENUMERATED, ASN1_ENUMERATED_free> reason{
      static_cast<ASN1_ENUMERATED*>(X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nullptr, nullptr))};
  constexpr std::string_view kReasons[] = {
      "", "key compromise", "CA compromise", "affiliation changed", "superseded", "cessation of operation", "on hold"};
  const long number = reason ? ASN1_ENUMERATED_get(reason.get()) : 0;
  if (number > 0 && number < static_cast<long>(std::size(kReasons))) out += " (" + std::string(kReasons[number]) + ")";
  return out;
}

// Whether a missing or late list is no matter here (CrlPolicy). Lists are asked for every certificate that has an
// issuer in the chain; the trusted one itself is trusted as it stands.
bool excused(const Verdict& verdict, int error, int depth) {
  if (error == X509_V_ERR_UNABLE_TO_GET_CRL || error == X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER)
    return depth == verdict.last || verdict.crl == CrlPolicy::lenient ||
           (verdict.crl == CrlPolicy::standard && depth != 0);
  if (error == X509_V_ERR_CRL_HAS_EXPIRED || error == X509_V_ERR_CRL_NOT_YET_VALID)
    return depth == verdict.last || verdict.crl == CrlPolicy::lenient;
  return false;
}

int on_error(int good, X509_STORE_CTX* context) {
  if (good == 1) return 1;
  auto& verdict = *static_cast<Verdict*>(X509_STORE_CTX_get_app_data(context));
  const int error = X509_STORE_CTX_get_error(context);
  const int depth = X509_STORE_CTX_get_error_depth(context);
  if (excused(verdict, error, depth)) {
    X509_STORE_CTX_set_error(context, X509_V_OK);
    return 1;
  }
  verdict.error = error;
  verdict.depth = depth;
  if (error == X509_V_ERR_CERT_REVOKED) verdict.revocation = revocation_text(context);
  return 0;
}

CertificateError explain(const Verdict& verdict, const Certificate& at, WallTime now) {
  const auto say = [&](CertificateProblem problem, const std::string& text) {
    return CertificateError{problem, label(at) + " " + text, at.subject()};
  };
  const std::string clock = ", or set this machine's clock (it says " + time_text(now) + ")";
  switch (verdict.error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return say(CertificateProblem::expired, "expired on " + time_text(at.not_after()) + ": renew it" + clock);
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return say(CertificateProblem::not_yet_valid,
                 "is not valid before " + time_text(at.not_before()) + ": wait until then" + clock);
    case X509_V_ERR_CERT_REVOKED:
      return say(CertificateProblem::revoked, "was revoked by its issuer" + verdict.revocation +
                                                  ": it must be replaced by a new one with a new key");
    case X509_V_ERR_CRL_HAS_EXPIRED:
      return say(CertificateProblem::crl_expired,
                 "cannot be checked for revocation, since its issuer's list in `crl` is out of date: fetch the "
                 "current one" +
                     clock);
    case X509_V_ERR_INVALID_CA:  // OpenSSL's word for both; the second is another mistake with another cure
      if (at.is_ca())
        return say(CertificateProblem::key_usage,
                   "issued another certificate, but its key usage lacks keyCertSign: it must be issued anew");
      break;
    default:
      break;
  }
  for (const Case& known : kCases)
    if (known.verdict == verdict.error) return say(known.problem, std::string(known.says));
  return say(CertificateProblem::other,
             std::string("is refused: ") + X509_verify_cert_error_string(verdict.error) + "; it must be issued anew");
}

// OpenSSL gets exactly this path to look at: the trusted certificate as its store, the rest as untrusted.
std::optional<CertificateError> verify_path(std::span<const Certificate> path, const TrustStore& store, WallTime now,
                                            const ValidationPolicy& policy) {
  const StoreHandle trusted{X509_STORE_new()};
  const StoreContextHandle context{X509_STORE_CTX_new()};
  const Handle<STACK_OF(X509), [](STACK_OF(X509) * stack) { sk_X509_free(stack); }> between{sk_X509_new_null()};
  const CertificateError exhausted{CertificateProblem::other, "the chain could not be verified: out of memory", {}};
  if (!trusted || !context || !between) return exhausted;
  if (X509_STORE_add_cert(trusted.get(), path.back().impl().x509.get()) != 1) return exhausted;
  for (std::size_t i = 1; i + 1 < path.size(); ++i)
    if (sk_X509_push(between.get(), path[i].impl().x509.get()) <= 0) return exhausted;
  for (const CrlHandle& crl : store.impl().crls)
    if (X509_STORE_add_crl(trusted.get(), crl.get()) != 1) return exhausted;
  if (X509_STORE_CTX_init(context.get(), trusted.get(), path.front().impl().x509.get(), between.get()) != 1)
    return exhausted;

  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST;
  const bool lists = policy.crl == CrlPolicy::strict || (policy.crl != CrlPolicy::ignore && store.has_crls());
  if (lists) flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(parameters, flags);
  X509_VERIFY_PARAM_set_time(parameters, now.time_since_epoch().count());

  Verdict verdict{.crl = policy.crl, .last = static_cast<int>(path.size()) - 1, .revocation = {}};
  X509_STORE_CTX_set_app_data(context.get(), &verdict);
  X509_STORE_CTX_set_verify_cb(context.get(), on_error);
  if (X509_verify_cert(context.get()) == 1) return std::nullopt;
  if (verdict.error == X509_V_OK) verdict.error = X509_STORE_CTX_get_error(context.get());
  const auto depth = static_cast<std::size_t>(std::max(verdict.depth, 0));
  return explain(verdict, path[std::min(depth, path.size() - 1)], now);
}

}  // namespace

std::optional<CertificateError> judge(std::span<const Certificate> path, const TrustStore& store, WallTime now,
                                      const ValidationPolicy& policy) {
  if (path.size() > static_cast<std::size_t>(policy.max_chain))
    return CertificateError{CertificateProblem::chain_too_long,
                            label(path.front()) + " is at the end of a chain of " + std::to_string(path.size()) +
                                " certificates, and at most " + std::to_string(policy.max_chain) +
                                " are taken: add an intermediate CA nearer to it to `ca`",
                            path.front().subject()};
  if (auto fault = verify_path(path, store, now, policy)) return fault;
  return judge_profile(path, store, policy);
}

}  // namespace causeway::crypto

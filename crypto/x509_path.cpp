// From the peer's certificate to one we trust: which chains there are, and what stops the others.
//
// A CA may live under one name with two keys, or in two certificates (renewal, cross-signing), and a peer may send
// any of them. So all chains that names, key identifiers and signatures allow are tried until one holds; the first
// one's fault is told where none does. A budget of signatures keeps a peer from making us search for long.
#include <algorithm>

#include "crypto/x509_handle.h"

namespace causeway::crypto {
namespace {

constexpr std::size_t kMostSent = 16;
constexpr std::size_t kDeepest = 12;  // of the search; policy.max_chain is judged apart, so that it has its own reason
constexpr int kSignatureBudget = 32;

using Path = std::vector<Certificate>;

// How near a step upwards came: the nearest miss is the one worth telling.
enum class Miss : std::uint8_t { no_such_name, other_key, cannot_sign, bad_signature };

class Search {
 public:
  Search(std::span<const Certificate> sent, const TrustStore& store, WallTime now, const ValidationPolicy& policy)
      : sent_(sent), store_(store), now_(now), policy_(policy) {}

  // The chain that holds, or what was wrong with the first.
  tl::expected<Path, CertificateError> run() {
    Path path{sent_.front()};
    if (climb(path)) return path;
    if (fault_) return tl::unexpected(std::move(*fault_));
    return tl::unexpected(dead_end());
  }

 private:
  [[nodiscard]] bool trusted(const Certificate& certificate) const {
    return std::find(store_.cas().begin(), store_.cas().end(), certificate) != store_.cas().end();
  }

  // True with `path` completed; false with `path` as it was.
  bool climb(Path& path) {
    if (trusted(path.back())) {
      auto fault = judge(path, store_, now_, policy_);
      if (!fault) return true;
      if (!fault_) fault_ = std::move(fault);
    }
    if (path.size() >= kDeepest) return false;
    for (const auto& candidates : {store_.cas(), sent_.subspan(1)})
      for (const Certificate& candidate : candidates)
        if (try_above(path, candidate)) return true;
    // The highest dead end explains most: everything below it was in order.
    if (path.size() > stuck_.size()) stuck_ = path;
    return false;
  }

  bool try_above(Path& path, const Certificate& candidate) {
    if (std::find(path.begin(), path.end(), candidate) != path.end()) return false;
    const auto miss = step(path.back(), candidate);
    if (miss) {
      near_.push_back({path.back(), *miss});
      return false;
    }
    path.push_back(candidate);
    if (climb(path)) return true;
    path.pop_back();
    return false;
  }

  // Whether `above` issued `below`, as far as names, key identifiers and the signature say.
  std::optional<Miss> step(const Certificate& below, const Certificate& above) {
    X509* issuer = above.impl().x509.get();
    X509* subject = below.impl().x509.get();
    if (X509_NAME_cmp(X509_get_subject_name(issuer), X509_get_issuer_name(subject)) != 0) return Miss::no_such_name;
    const ASN1_OCTET_STRING* wanted = X509_get0_authority_key_id(subject);
    const ASN1_OCTET_STRING* has = X509_get0_subject_key_id(issuer);
    if (wanted != nullptr && has != nullptr && ASN1_OCTET_STRING_cmp(wanted, has) != 0) return Miss::other_key;
    if (!above.public_key().obstacle().empty()) return Miss::cannot_sign;
    if (budget_-- <= 0) return Miss::cannot_sign;
    if (X509_verify(subject, X509_get0_pubkey(issuer)) != 1) return Miss::bad_signature;
    return std::nullopt;
  }

  [[nodiscard]] CertificateError dead_end() const {
    const Certificate& top = stuck_.back();
    Miss nearest = Miss::no_such_name;
    for (const auto& [below, miss] : near_)
      if (below == top) nearest = std::max(nearest, miss);
    const std::string& name = top.issuer();
    switch (nearest) {
      case Miss::bad_signature:
        return {CertificateProblem::bad_signature,
                label(top) + " does not carry a valid signature of \"" + name +
                    "\" as we know it: it was altered, or another CA of the same name issued it; compare the CA "
                    "certificate in `ca` with the one that issued it",
                top.subject()};
      case Miss::other_key:
        return {CertificateProblem::unknown_ca,
                label(top) + " was issued by \"" + name +
                    "\" with another key than the certificate of that name in `ca` has: add the CA's certificate "
                    "with that key to the file",
                top.subject()};
      case Miss::cannot_sign:
        return {CertificateProblem::other,
                "no chain was found above " + label(top) +
                    " within reason: the keys of its issuers are of an unknown kind or too long, or the peer sends "
                    "too many certificates of one name; let it send its chain alone",
                top.subject()};
      case Miss::no_such_name:
        break;
    }
    if (top.self_issued())
      return {CertificateProblem::unknown_ca,
              label(top) + " is signed by itself, and is not in `ca`: add it to the file if this peer is to be trusted",
              top.subject()};
    return {CertificateProblem::unknown_ca,
            label(top) + " was issued by \"" + name +
                "\", which is neither in `ca` nor sent by the peer: add that CA's certificate to the file, or let "
                "the peer send its intermediate certificates",
            top.subject()};
  }

  struct NearMiss {
    Certificate below;
    Miss miss;
  };
  std::span<const Certificate> sent_;
  const TrustStore& store_;
  WallTime now_;
  const ValidationPolicy& policy_;
  int budget_ = kSignatureBudget;
  std::optional<CertificateError> fault_;
  Path stuck_;
  std::vector<NearMiss> near_;
};

}  // namespace

tl::expected<std::vector<Certificate>, CertificateError> validate(std::span<const Certificate> sent,
                                                                  const TrustStore& store,
                                                                  const std::optional<ClaimedIdentity>& identity,
                                                                  WallTime now, const ValidationPolicy& policy) {
  const QuietErrors quiet;
  if (sent.empty())
    return refuse(CertificateProblem::no_certificate,
                  "the peer sent no certificate: let it send one (strongSwan: leftsendcert = always)");
  if (sent.size() > kMostSent)
    return refuse(CertificateProblem::chain_too_long,
                  "with " + label(sent.front()) + " the peer sent " + std::to_string(sent.size() - 1) +
                      " others, and at most " + std::to_string(kMostSent) +
                      " are taken in all: let it send its own chain alone",
                  sent.front().subject());
  if (const std::string why = sent.front().public_key().obstacle(); !why.empty())
    return refuse(CertificateProblem::other, "the key of " + label(sent.front()) + " " + why, sent.front().subject());
  auto path = Search(sent, store, now, policy).run();
  if (!path) return path;
  if (identity)
    if (auto wrong = sent.front().refuses(*identity)) return tl::unexpected(std::move(*wrong));
  return path;
}

}  // namespace causeway::crypto

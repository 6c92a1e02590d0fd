// What we trust, and what we show: the files named by `ca`, `crl`, `cert` and `key`.
#include <algorithm>

#include "crypto/read_file.h"
#include "crypto/x509_handle.h"

namespace causeway::crypto {
namespace {

tl::expected<CrlHandle, CertificateError> read_crl(std::span<const std::uint8_t> der) {
  const unsigned char* p = der.data();
  CrlHandle crl{der.empty() ? nullptr : d2i_X509_CRL(nullptr, &p, static_cast<long>(der.size()))};
  if (!crl || p != der.data() + der.size())
    return refuse(CertificateProblem::unreadable,
                  "what should be a certificate revocation list is none: store it anew");
  if (X509_CRL_get_ext_by_NID(crl.get(), NID_delta_crl, -1) >= 0)
    return refuse(CertificateProblem::crl_bad, "the revocation list of \"" + name_text(X509_CRL_get_issuer(crl.get())) +
                                                   "\" is a delta list: store the complete one");
  return crl;
}

bool is_crl_block(const Block& block) { return block.name.empty() || block.name == "X509 CRL"; }

}  // namespace

TrustStore::TrustStore() : impl_(std::make_unique<Impl>()) {}
TrustStore::~TrustStore() = default;
TrustStore::TrustStore(TrustStore&&) noexcept = default;
TrustStore& TrustStore::operator=(TrustStore&&) noexcept = default;

void TrustStore::add_ca(Certificate certificate) {
  if (std::find(impl_->cas.begin(), impl_->cas.end(), certificate) == impl_->cas.end())
    impl_->cas.push_back(std::move(certificate));
}

tl::expected<int, CertificateError> TrustStore::add_crls(std::span<const std::uint8_t> contents) {
  const QuietErrors quiet;
  const auto blocks = blocks_of(contents);
  if (!blocks) return refuse(CertificateProblem::unreadable, "a PEM block is broken: store the file anew");
  std::vector<CrlHandle> lists;
  for (const Block& block : *blocks) {
    if (!is_crl_block(block)) continue;
    auto crl = read_crl(block.der);
    if (!crl) return tl::unexpected(crl.error());
    lists.push_back(std::move(*crl));
  }
  if (lists.empty())
    return refuse(CertificateProblem::unreadable,
                  "no revocation list is in it: PEM (-----BEGIN X509 CRL-----) or DER is needed");
  const int added = static_cast<int>(lists.size());
  std::move(lists.begin(), lists.end(), std::back_inserter(impl_->crls));
  return added;
}

tl::expected<TrustStore, CertificateError> TrustStore::load(const std::string& ca_path, const std::string& crl_path) {
  TrustStore store;
  auto cas = load_certificates(ca_path);
  if (!cas) return tl::unexpected(cas.error());
  for (Certificate& ca : *cas) store.add_ca(std::move(ca));
  if (crl_path.empty()) return store;
  const auto contents = read_file(crl_path, false);
  if (!contents) return refuse(CertificateProblem::unreadable, contents.error());
  const auto added = store.add_crls(contents->bytes());
  if (!added) return refuse(added.error().problem, crl_path + ": " + added.error().text);
  return store;
}

std::span<const Certificate> TrustStore::cas() const { return impl_->cas; }
bool TrustStore::has_crls() const { return !impl_->crls.empty(); }

std::vector<std::uint8_t> TrustStore::request() const {
  std::vector<std::uint8_t> out;
  for (const Certificate& ca : impl_->cas) out.insert(out.end(), ca.key_hash().begin(), ca.key_hash().end());
  return out;
}

tl::expected<Credential, CertificateError> Credential::make(std::vector<Certificate> chain, PrivateKey key) {
  if (chain.empty()) return refuse(CertificateProblem::no_certificate, "no certificate goes with the private key");
  const Certificate& own = chain.front();
  // Signing once proves more than comparing: a private half that does not belong to its public half shows too.
  const std::vector<std::uint8_t> probe(32, 0x5a);
  const auto signature = key.sign(probe, announced_hashes(), {.legacy = true});
  if (!(key.public_key() == own.public_key()) || !signature ||
      !own.public_key().verify(signature->method, signature->data, probe, {.legacy = true}))
    return refuse(CertificateProblem::other,
                  "the private key does not belong to " + label(own) +
                      ", the first of its file: name the key it was requested with, and put our own certificate first",
                  own.subject());
  return Credential{std::move(chain), std::move(key)};
}

tl::expected<Credential, CertificateError> Credential::load(const std::string& cert_path, const std::string& key_path) {
  auto chain = load_certificates(cert_path);
  if (!chain) return tl::unexpected(chain.error());
  auto key = PrivateKey::load(key_path);
  if (!key) return refuse(CertificateProblem::unreadable, key.error().text);
  return make(std::move(*chain), std::move(*key));
}

bool Credential::answers(std::span<const std::uint8_t> request, std::span<const Certificate> known) const {
  constexpr std::size_t kHash = std::tuple_size_v<KeyHash>;
  if (request.size() < kHash) return true;
  const auto asked = [&](const Certificate& certificate) {
    for (std::size_t at = 0; at + kHash <= request.size(); at += kHash)
      if (std::equal(certificate.key_hash().begin(), certificate.key_hash().end(), request.begin() + at)) return true;
    return false;
  };
  if (std::any_of(chain.begin(), chain.end(), asked)) return true;
  // Upwards by names through what we know ourselves; as many steps as there are certificates cannot loop.
  const Certificate* top = &chain.back();
  for (std::size_t step = 0; step < known.size() && !top->self_issued(); ++step) {
    const auto above = std::find_if(known.begin(), known.end(), [&](const Certificate& candidate) {
      return X509_NAME_cmp(X509_get_subject_name(candidate.impl().x509.get()),
                           X509_get_issuer_name(top->impl().x509.get())) == 0;
    });
    if (above == known.end()) return false;
    if (asked(*above)) return true;
    top = &*above;
  }
  return false;
}

}  // namespace causeway::crypto

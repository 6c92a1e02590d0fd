#include <openssl/pem.h>

#include <algorithm>
#include <string_view>

#include "crypto/key_handle.h"
#include "crypto/read_file.h"
#include "crypto/signature.h"
#include "crypto/signature_scheme.h"

namespace causeway::crypto {
namespace {

tl::unexpected<SignatureError> refuse(SignatureProblem problem, std::string text) {
  return tl::unexpected(SignatureError{problem, std::move(text)});
}

// Nobody is there to be asked for a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

tl::expected<std::vector<std::uint8_t>, SignatureError> produce(EVP_PKEY* key, const SignatureScheme& scheme,
                                                                std::span<const std::uint8_t> data) {
  const MdContextHandle context{EVP_MD_CTX_new()};
  EVP_PKEY_CTX* pkey_context = nullptr;
  std::size_t size = 0;
  bool good = context && EVP_DigestSignInit(context.get(), &pkey_context, digest_of(scheme.hash), nullptr, key) == 1;
  if (good && scheme.kind == SignatureKind::rsa_pss)
    good = EVP_PKEY_CTX_set_rsa_padding(pkey_context, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(pkey_context, digest_of(scheme.mgf_hash)) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_context, scheme.salt_octets) == 1;
  good = good && EVP_DigestSign(context.get(), nullptr, &size, data.data(), data.size()) == 1;
  std::vector<std::uint8_t> out(good ? size : 0);
  good = good && EVP_DigestSign(context.get(), out.data(), &size, data.data(), data.size()) == 1;
  if (!good) return refuse(SignatureProblem::internal, "our private key could not sign with " + scheme.name());
  out.resize(size);
  return out;
}

tl::expected<std::vector<std::uint8_t>, SignatureError> raw_of_der_ecdsa(std::span<const std::uint8_t> der,
                                                                         std::size_t half) {
  const unsigned char* p = der.data();
  const EcdsaHandle signature{d2i_ECDSA_SIG(nullptr, &p, static_cast<long>(der.size()))};
  std::vector<std::uint8_t> out(2 * half);
  const int size = static_cast<int>(half);
  if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out.data(), size) != size ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out.data() + half, size) != size)
    return refuse(SignatureProblem::internal, "our ECDSA signature could not be written");
  return out;
}

// Hashes in the order we like them for a key: as strong as the key first.
std::vector<Hash> preference(KeyType type) {
  using enum Hash;
  switch (type) {
    case KeyType::ec_p384:
      return {sha2_384, sha2_512, sha2_256, sha1};
    case KeyType::ec_p521:
      return {sha2_512, sha2_384, sha2_256, sha1};
    case KeyType::ed25519:
    case KeyType::ed448:
      return {identity};
    default:
      return {sha2_256, sha2_384, sha2_512, sha1};
  }
}

SignatureKind kind_for(KeyType type, const SignPolicy& policy, Hash hash) {
  switch (type) {
    // Appendix A of RFC 7427 has PSS with SHA-1 only as a default that RFC 8247 forbids.
    case KeyType::rsa:
      return policy.rsa_pss && hash != Hash::sha1 ? SignatureKind::rsa_pss : SignatureKind::rsa_pkcs1;
    case KeyType::ed25519:
      return SignatureKind::ed25519;
    case KeyType::ed448:
      return SignatureKind::ed448;
    default:
      return SignatureKind::ecdsa;
  }
}

tl::expected<Signature, SignatureError> sign_digital(EVP_PKEY* key, const SignatureScheme& scheme,
                                                     std::span<const std::uint8_t> data) {
  const std::vector<std::uint8_t> algorithm = write_algorithm_identifier(scheme);
  auto value = produce(key, scheme, data);
  if (!value) return tl::unexpected(value.error());
  if (algorithm.empty() || algorithm.size() > 255)
    return refuse(SignatureProblem::internal, "no AlgorithmIdentifier is known for " + scheme.name());
  Signature out{SignatureMethod::digital, {static_cast<std::uint8_t>(algorithm.size())}, scheme.name()};
  out.data.insert(out.data.end(), algorithm.begin(), algorithm.end());
  out.data.insert(out.data.end(), value->begin(), value->end());
  return out;
}

tl::expected<Signature, SignatureError> sign_old_ecdsa(EVP_PKEY* key, SignatureMethod method,
                                                       std::span<const std::uint8_t> data) {
  const SignatureScheme scheme = scheme_for(SignatureKind::ecdsa, hash_of(method));
  const auto der = produce(key, scheme, data);
  if (!der) return tl::unexpected(der.error());
  auto raw = raw_of_der_ecdsa(*der, static_cast<std::size_t>(EVP_PKEY_get_bits(key) + 7) / 8);
  if (!raw) return tl::unexpected(raw.error());
  return Signature{method, std::move(*raw), scheme.name()};
}

tl::expected<Signature, SignatureError> sign_old_rsa(EVP_PKEY* key, std::span<const std::uint8_t> data,
                                                     const SignPolicy& policy) {
  if (!policy.rsa_sha1 && !policy.legacy)
    return refuse(SignatureProblem::no_common_hash,
                  "the peer does not speak Digital Signatures (RFC 7427), and RSA with SHA-1 is not allowed here: "
                  "update the peer, or set legacy = true for this tunnel");
  const SignatureScheme scheme = scheme_for(SignatureKind::rsa_pkcs1, Hash::sha1);
  auto value = produce(key, scheme, data);
  if (!value) return tl::unexpected(value.error());
  return Signature{SignatureMethod::rsa, std::move(*value), scheme.name()};
}

tl::expected<Signature, SignatureError> sign_old(EVP_PKEY* key, KeyType type, std::span<const std::uint8_t> data,
                                                 const SignPolicy& policy) {
  switch (type) {
    case KeyType::rsa:
      return sign_old_rsa(key, data, policy);
    case KeyType::ec_p256:
      return sign_old_ecdsa(key, SignatureMethod::ecdsa_256, data);
    case KeyType::ec_p384:
      return sign_old_ecdsa(key, SignatureMethod::ecdsa_384, data);
    case KeyType::ec_p521:
      return sign_old_ecdsa(key, SignatureMethod::ecdsa_521, data);
    default:
      return refuse(SignatureProblem::no_common_hash,
                    "the peer does not speak Digital Signatures (RFC 7427), without which our key cannot be used: "
                    "update the peer, or give this gateway an RSA or ECDSA key");
  }
}

std::string list(std::span<const Hash> hashes) {
  std::string out;
  for (const Hash hash : hashes) out += (out.empty() ? "" : ", ") + std::string(name_of(hash));
  return out;
}

}  // namespace

tl::expected<PrivateKey, SignatureError> PrivateKey::parse(std::span<const std::uint8_t> contents) {
  const QuietErrors quiet;
  const std::string_view text(reinterpret_cast<const char*>(contents.data()), contents.size());
  PkeyHandle key;
  if (text.find("-----BEGIN") != std::string_view::npos) {
    if (text.find("ENCRYPTED") != std::string_view::npos)
      return refuse(SignatureProblem::unreadable,
                    "the private key is encrypted, and nobody is there to be asked for its passphrase: store it "
                    "decrypted (openssl pkey -in KEY -out NEW), readable by root alone");
    const BioHandle bio{BIO_new_mem_buf(contents.data(), static_cast<int>(contents.size()))};
    if (bio) key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  } else if (!contents.empty()) {
    const unsigned char* p = contents.data();
    key.reset(d2i_AutoPrivateKey(nullptr, &p, static_cast<long>(contents.size())));
  }
  if (!key) return refuse(SignatureProblem::unreadable, "no private key can be read: PEM or DER is needed");
  auto public_key = PublicKey::from_spki(to_der(i2d_PUBKEY, key.get()));
  if (!public_key) return tl::unexpected(public_key.error());
  if (const std::string why = public_key->obstacle(); !why.empty())
    return refuse(SignatureProblem::unsupported, "the private key " + why);
  return PrivateKey(std::make_shared<const Impl>(Impl{std::move(key), std::move(*public_key)}));
}

tl::expected<PrivateKey, SignatureError> PrivateKey::load(const std::string& path) {
  const auto contents = read_file(path, true);
  if (!contents) return refuse(SignatureProblem::unreadable, contents.error());
  auto key = parse(contents->bytes());
  if (!key) return refuse(key.error().problem, path + ": " + key.error().text);
  return key;
}

KeyType PrivateKey::type() const { return impl_->public_key.type(); }
const PublicKey& PrivateKey::public_key() const { return impl_->public_key; }

tl::expected<Signature, SignatureError> PrivateKey::sign(std::span<const std::uint8_t> data,
                                                         std::span<const Hash> peer_hashes,
                                                         const SignPolicy& policy) const {
  const QuietErrors quiet;
  EVP_PKEY* key = impl_->key.get();
  if (const std::string why = impl_->public_key.weakness(); !why.empty() && !policy.legacy)
    return refuse(SignatureProblem::weak_key, "our private key " + why);
  if (peer_hashes.empty()) return sign_old(key, type(), data, policy);
  for (const Hash hash : preference(type())) {
    if (hash == Hash::sha1 && !policy.legacy) continue;
    if (std::find(peer_hashes.begin(), peer_hashes.end(), hash) == peer_hashes.end()) continue;
    return sign_digital(key, scheme_for(kind_for(type(), policy, hash), hash), data);
  }
  return refuse(SignatureProblem::no_common_hash, "the peer takes signatures with " + list(peer_hashes) +
                                                      " only, and our key (" + impl_->public_key.name() +
                                                      ") signs with " + list(preference(type())) +
                                                      ": allow one of these at the peer");
}

}  // namespace causeway::crypto

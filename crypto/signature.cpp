#include "crypto/signature.h"

#include <algorithm>
#include <array>

#include "crypto/key_handle.h"
#include "crypto/signature_scheme.h"

namespace causeway::crypto {
namespace {

constexpr int kShortestRsa = 2048;  // bits, RFC 8247 3.1.1
constexpr int kLongestRsa = 8192;   // one verification stays well below a millisecond
constexpr int kShortestEc = 256;

tl::unexpected<SignatureError> refuse(SignatureProblem problem, std::string text) {
  return tl::unexpected(SignatureError{problem, std::move(text)});
}

KeyType type_of(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return KeyType::rsa;
    case EVP_PKEY_ED25519:
      return KeyType::ed25519;
    case EVP_PKEY_ED448:
      return KeyType::ed448;
    case EVP_PKEY_EC:
      break;
    default:
      return KeyType::other;
  }
  std::array<char, 64> group{};
  if (EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) != 1) return KeyType::other;
  switch (OBJ_txt2nid(group.data())) {
    case NID_X9_62_prime256v1:
      return KeyType::ec_p256;
    case NID_secp384r1:
      return KeyType::ec_p384;
    case NID_secp521r1:
      return KeyType::ec_p521;
    default:
      return KeyType::ec_other;
  }
}

bool is_ec(KeyType type) {
  return type == KeyType::ec_p256 || type == KeyType::ec_p384 || type == KeyType::ec_p521 || type == KeyType::ec_other;
}

bool fits(SignatureKind kind, KeyType type) {
  switch (kind) {
    case SignatureKind::rsa_pkcs1:
    case SignatureKind::rsa_pss:
      return type == KeyType::rsa;
    case SignatureKind::ecdsa:
      return is_ec(type);
    case SignatureKind::ed25519:
      return type == KeyType::ed25519;
    case SignatureKind::ed448:
      return type == KeyType::ed448;
  }
  return false;
}

bool verifies(EVP_PKEY* key, const SignatureScheme& scheme, std::span<const std::uint8_t> signature,
              std::span<const std::uint8_t> data) {
  const MdContextHandle context{EVP_MD_CTX_new()};
  EVP_PKEY_CTX* pkey_context = nullptr;
  if (!context || EVP_DigestVerifyInit(context.get(), &pkey_context, digest_of(scheme.hash), nullptr, key) != 1)
    return false;
  if (scheme.kind == SignatureKind::rsa_pss &&
      (EVP_PKEY_CTX_set_rsa_padding(pkey_context, RSA_PKCS1_PSS_PADDING) != 1 ||
       EVP_PKEY_CTX_set_rsa_mgf1_md(pkey_context, digest_of(scheme.mgf_hash)) != 1 ||
       EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_context, scheme.salt_octets) != 1))
    return false;
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(), data.data(), data.size()) == 1;
}

// r|s of equal halves (RFC 4754 6) as the DER that OpenSSL reads.
std::vector<std::uint8_t> der_of_raw_ecdsa(std::span<const std::uint8_t> raw) {
  const EcdsaHandle signature{ECDSA_SIG_new()};
  const auto half = raw.size() / 2;
  BIGNUM* r = BN_bin2bn(raw.data(), static_cast<int>(half), nullptr);
  BIGNUM* s = BN_bin2bn(raw.data() + half, static_cast<int>(half), nullptr);
  if (!signature || r == nullptr || s == nullptr || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return {};
  }
  return to_der(i2d_ECDSA_SIG, signature.get());
}

std::string mismatch_text(const std::string& name) {
  return "the peer's signature (" + name +
         ") does not verify with the key of its certificate: the peer signs with another private key, or the "
         "messages were altered on the way";
}

// Method 1: RFC 7296 3.8 leaves the hash to be guessed; SHA-1 is the default, newer ones are seen.
tl::expected<std::string, SignatureError> verify_rsa(EVP_PKEY* key, std::span<const std::uint8_t> signature,
                                                     std::span<const std::uint8_t> data, const VerifyPolicy& policy) {
  for (const Hash hash : {Hash::sha1, Hash::sha2_256, Hash::sha2_384, Hash::sha2_512}) {
    const SignatureScheme scheme = scheme_for(SignatureKind::rsa_pkcs1, hash);
    if (!verifies(key, scheme, signature, data)) continue;
    if (hash == Hash::sha1 && !policy.rsa_sha1 && !policy.legacy)
      return refuse(SignatureProblem::weak_hash,
                    "the peer signed with RSA and SHA-1: let it use Digital Signatures (RFC 7427) with SHA-2");
    return scheme.name();
  }
  return refuse(SignatureProblem::mismatch, mismatch_text("RSA, method 1"));
}

tl::expected<std::string, SignatureError> verify_old_ecdsa(EVP_PKEY* key, KeyType type, SignatureMethod method,
                                                           std::span<const std::uint8_t> signature,
                                                           std::span<const std::uint8_t> data) {
  const SignatureScheme scheme = scheme_for(SignatureKind::ecdsa, hash_of(method));
  if (type != curve_of(method))
    return refuse(SignatureProblem::wrong_key_type, "the peer's authentication method " +
                                                        std::to_string(static_cast<int>(method)) +
                                                        " belongs to another curve than its certificate's key");
  const auto half = static_cast<std::size_t>(EVP_PKEY_get_bits(key) + 7) / 8;
  if (signature.size() != 2 * half)
    return refuse(SignatureProblem::unreadable, "the peer's ECDSA signature has " + std::to_string(signature.size()) +
                                                    " octets instead of " + std::to_string(2 * half));
  if (!verifies(key, scheme, der_of_raw_ecdsa(signature), data))
    return refuse(SignatureProblem::mismatch, mismatch_text(scheme.name()));
  return scheme.name();
}

tl::expected<std::string, SignatureError> verify_digital(EVP_PKEY* key, KeyType type,
                                                         std::span<const std::uint8_t> blob,
                                                         std::span<const std::uint8_t> data,
                                                         const VerifyPolicy& policy) {
  if (blob.empty() || blob.size() - 1 < blob[0])
    return refuse(SignatureProblem::unreadable, "the peer's signature is cut off inside its AlgorithmIdentifier");
  const auto scheme = read_algorithm_identifier(blob.subspan(1, blob[0]));
  if (!scheme) return tl::unexpected(scheme.error());
  if (!fits(scheme->kind, type))
    return refuse(SignatureProblem::wrong_key_type,
                  "the peer signed with " + scheme->name() + ", which its certificate's key cannot have done");
  const bool sha1 =
      scheme->hash == Hash::sha1 || (scheme->kind == SignatureKind::rsa_pss && scheme->mgf_hash == Hash::sha1);
  if (sha1 && !policy.legacy)
    return refuse(SignatureProblem::weak_hash, "the peer signed with " + scheme->name() +
                                                   ", which was not announced and is too weak: let it use SHA-2, or "
                                                   "set legacy = true for this tunnel");
  if (!verifies(key, *scheme, blob.subspan(1 + std::size_t{blob[0]}), data))
    return refuse(SignatureProblem::mismatch, mismatch_text(scheme->name()));
  return scheme->name();
}

}  // namespace

KeyType curve_of(SignatureMethod method) {
  switch (method) {
    case SignatureMethod::ecdsa_256:
      return KeyType::ec_p256;
    case SignatureMethod::ecdsa_384:
      return KeyType::ec_p384;
    case SignatureMethod::ecdsa_521:
      return KeyType::ec_p521;
    default:
      return KeyType::other;
  }
}

Hash hash_of(SignatureMethod method) {
  switch (method) {
    case SignatureMethod::ecdsa_384:
      return Hash::sha2_384;
    case SignatureMethod::ecdsa_521:
      return Hash::sha2_512;
    default:
      return Hash::sha2_256;
  }
}

bool is_signature_method(std::uint8_t method) { return method == 1 || (method >= 9 && method <= 11) || method == 14; }

std::vector<Hash> announced_hashes(bool legacy) {
  std::vector<Hash> out{Hash::sha2_256, Hash::sha2_384, Hash::sha2_512, Hash::identity};
  if (legacy) out.push_back(Hash::sha1);
  return out;
}

tl::expected<PublicKey, SignatureError> PublicKey::from_spki(std::span<const std::uint8_t> der) {
  const QuietErrors quiet;
  const unsigned char* p = der.data();
  auto impl = std::make_shared<Impl>();
  if (!der.empty()) impl->key.reset(d2i_PUBKEY(nullptr, &p, static_cast<long>(der.size())));
  if (!impl->key || p != der.data() + der.size())
    return refuse(SignatureProblem::unreadable, "the public key cannot be read");
  impl->type = type_of(impl->key.get());
  impl->bits = EVP_PKEY_get_bits(impl->key.get());
  impl->spki.assign(der.begin(), der.end());
  return PublicKey(std::move(impl));
}

KeyType PublicKey::type() const { return impl_->type; }
int PublicKey::bits() const { return impl_->bits; }
std::span<const std::uint8_t> PublicKey::spki() const { return impl_->spki; }

std::string PublicKey::name() const {
  switch (impl_->type) {
    case KeyType::rsa:
      return "RSA " + std::to_string(impl_->bits);
    case KeyType::ec_p256:
      return "ECDSA P-256";
    case KeyType::ec_p384:
      return "ECDSA P-384";
    case KeyType::ec_p521:
      return "ECDSA P-521";
    case KeyType::ec_other:
      return "ECDSA on a curve of " + std::to_string(impl_->bits) + " bits";
    case KeyType::ed25519:
      return "Ed25519";
    case KeyType::ed448:
      return "Ed448";
    case KeyType::other:
      break;
  }
  return "of an unknown kind";
}

std::string PublicKey::weakness() const {
  const std::string has = std::to_string(impl_->bits) + " bits; ";
  if (impl_->type == KeyType::rsa && impl_->bits < kShortestRsa)
    return "is RSA with " + has + "at least " + std::to_string(kShortestRsa) + " are needed";
  if (is_ec(impl_->type) && impl_->bits < kShortestEc)
    return "is on an elliptic curve of " + has + "at least " + std::to_string(kShortestEc) + " are needed";
  return {};
}

std::string PublicKey::obstacle() const {
  if (impl_->type == KeyType::other) return "is of a kind that is not spoken here: RSA, ECDSA or Ed25519 is needed";
  if (impl_->type == KeyType::rsa && impl_->bits > kLongestRsa)
    return "is RSA with " + std::to_string(impl_->bits) + " bits; at most " + std::to_string(kLongestRsa) +
           " are taken";
  return {};
}

bool PublicKey::operator==(const PublicKey& other) const {
  return EVP_PKEY_eq(impl_->key.get(), other.impl_->key.get()) == 1;
}

tl::expected<std::string, SignatureError> PublicKey::verify(SignatureMethod method,
                                                            std::span<const std::uint8_t> signature,
                                                            std::span<const std::uint8_t> data,
                                                            const VerifyPolicy& policy) const {
  const QuietErrors quiet;
  if (const std::string why = obstacle(); !why.empty())
    return refuse(SignatureProblem::unsupported, "the key of the peer's certificate " + why);
  if (const std::string why = weakness(); !why.empty() && !policy.legacy)
    return refuse(SignatureProblem::weak_key, "the key of the peer's certificate " + why);
  EVP_PKEY* key = impl_->key.get();
  switch (method) {
    case SignatureMethod::rsa:
      if (impl_->type != KeyType::rsa)
        return refuse(SignatureProblem::wrong_key_type,
                      "the peer says it signed with RSA, but its certificate's key is " + name());
      return verify_rsa(key, signature, data, policy);
    case SignatureMethod::ecdsa_256:
    case SignatureMethod::ecdsa_384:
    case SignatureMethod::ecdsa_521:
      return verify_old_ecdsa(key, impl_->type, method, signature, data);
    case SignatureMethod::digital:
      return verify_digital(key, impl_->type, signature, data, policy);
  }
  return refuse(SignatureProblem::unsupported,
                "the peer's authentication method " + std::to_string(static_cast<int>(method)) + " is not a signature");
}

}  // namespace causeway::crypto

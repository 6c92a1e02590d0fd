// RSA as IKEv1 signs with it: "private key encryption in PKCS #1 format" of the hash alone (RFC 2409 5.1).
#include <openssl/rsa.h>

#include "crypto/key_handle.h"
#include "crypto/signature.h"

namespace causeway::crypto {
namespace {

SignatureError problem(SignatureProblem what, std::string text) { return {what, std::move(text)}; }

}  // namespace

std::optional<SignatureError> PublicKey::verify_ikev1(std::span<const std::uint8_t> signature,
                                                      std::span<const std::uint8_t> hash, bool legacy) const {
  if (impl_->type != KeyType::rsa) {
    return problem(SignatureProblem::wrong_key_type,
                   "the peer's certificate holds " + name() + ", but IKEv1 here signs with RSA: give the peer an RSA key");
  }
  if (const std::string why = obstacle(); !why.empty()) {
    return problem(SignatureProblem::unsupported, "the peer's key " + why);
  }
  if (const std::string why = weakness(); !why.empty() && !legacy) {
    return problem(SignatureProblem::weak_key, "the peer's key " + why);
  }
  const PkeyContextHandle context{EVP_PKEY_CTX_new(impl_->key.get(), nullptr)};
  const bool good = context && EVP_PKEY_verify_init(context.get()) == 1 &&
                    EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1 &&
                    EVP_PKEY_verify(context.get(), signature.data(), signature.size(), hash.data(), hash.size()) == 1;
  if (good) return std::nullopt;
  return problem(SignatureProblem::mismatch,
                 "the signature does not verify with the key of the peer's certificate: the peer signs with another "
                 "private key, or the message was altered");
}

tl::expected<std::vector<std::uint8_t>, SignatureError> PrivateKey::sign_ikev1(
    std::span<const std::uint8_t> hash) const {
  if (type() != KeyType::rsa) {
    return tl::unexpected(problem(SignatureProblem::wrong_key_type,
                                  "our key is " + public_key().name() +
                                      ", but IKEv1 here signs with RSA: use an RSA key, or version = 2"));
  }
  const PkeyContextHandle context{EVP_PKEY_CTX_new(impl_->key.get(), nullptr)};
  std::size_t size = 0;
  bool good = context && EVP_PKEY_sign_init(context.get()) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_sign(context.get(), nullptr, &size, hash.data(), hash.size()) == 1;
  std::vector<std::uint8_t> out(good ? size : 0);
  good = good && EVP_PKEY_sign(context.get(), out.data(), &size, hash.data(), hash.size()) == 1;
  if (!good) return tl::unexpected(problem(SignatureProblem::internal, "our private key could not sign"));
  out.resize(size);
  return out;
}

}  // namespace causeway::crypto

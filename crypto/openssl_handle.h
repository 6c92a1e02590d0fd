// OpenSSL's objects as values with one owner. For crypto/*.cpp only: no header that others include includes this.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "crypto/hash.h"

namespace causeway::crypto {

template <auto Free>
struct Release {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
template <class T, auto Free>
using Handle = std::unique_ptr<T, Release<Free>>;

using PkeyHandle = Handle<EVP_PKEY, EVP_PKEY_free>;
using PkeyContextHandle = Handle<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using MdHandle = Handle<EVP_MD, EVP_MD_free>;
using MdContextHandle = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using MacHandle = Handle<EVP_MAC, EVP_MAC_free>;
using MacContextHandle = Handle<EVP_MAC_CTX, EVP_MAC_CTX_free>;
using CipherHandle = Handle<EVP_CIPHER, EVP_CIPHER_free>;
using CipherContextHandle = Handle<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using NumberHandle = Handle<BIGNUM, BN_clear_free>;
using NumberContextHandle = Handle<BN_CTX, BN_CTX_free>;
using GroupHandle = Handle<EC_GROUP, EC_GROUP_free>;
using PointHandle = Handle<EC_POINT, EC_POINT_clear_free>;
using AlgorithmHandle = Handle<X509_ALGOR, X509_ALGOR_free>;
using PssHandle = Handle<RSA_PSS_PARAMS, RSA_PSS_PARAMS_free>;
using EcdsaHandle = Handle<ECDSA_SIG, ECDSA_SIG_free>;
using BioHandle = Handle<BIO, BIO_free_all>;
using X509Handle = Handle<X509, X509_free>;
using CrlHandle = Handle<X509_CRL, X509_CRL_free>;
using StoreHandle = Handle<X509_STORE, X509_STORE_free>;
using StoreContextHandle = Handle<X509_STORE_CTX, X509_STORE_CTX_free>;
using NameHandle = Handle<X509_NAME, X509_NAME_free>;

// The thread's queue of errors is emptied at the end of a scope, so that nothing said here is read elsewhere.
class QuietErrors {
 public:
  QuietErrors() { ERR_clear_error(); }
  ~QuietErrors() { ERR_clear_error(); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
};

// OpenSSL's digest, fetched once; nullptr for `identity`, and for what this OpenSSL refuses.
const EVP_MD* digest_of(Hash hash);

// The last error of this thread's queue, which is emptied.
inline std::string last_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* text = ERR_reason_error_string(code);
  return text != nullptr ? text : "unknown error";
}

// For what can only fail for want of memory or a broken installation.
inline void must(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("OpenSSL: ") + what + ": " + last_error());
}

// DER of an object through one of OpenSSL's i2d functions; empty where that fails.
template <class T, class Encode>
std::vector<std::uint8_t> to_der(Encode encode, const T* object) {
  const int size = encode(object, nullptr);
  if (size <= 0) return {};
  std::vector<std::uint8_t> out(static_cast<std::size_t>(size));
  unsigned char* p = out.data();
  encode(object, &p);
  return out;
}

}  // namespace causeway::crypto

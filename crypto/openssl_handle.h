// OpenSSL's objects as values with one owner. For crypto/*.cpp only: no other header includes this.
#pragma once

#include <openssl/bio.h>
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
#include <vector>

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
using MdContextHandle = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
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

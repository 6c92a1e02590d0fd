// Owners for OpenSSL's objects. Included by the sources of crypto/ only: no OpenSSL type crosses another header.
#pragma once

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace causeway::crypto::ossl {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* p) const {
    Free(p);
  }
};

using Bn = std::unique_ptr<BIGNUM, Deleter<&BN_clear_free>>;
using BnCtx = std::unique_ptr<BN_CTX, Deleter<&BN_CTX_free>>;
using CipherCtx = std::unique_ptr<EVP_CIPHER_CTX, Deleter<&EVP_CIPHER_CTX_free>>;
using Cipher = std::unique_ptr<EVP_CIPHER, Deleter<&EVP_CIPHER_free>>;
using Md = std::unique_ptr<EVP_MD, Deleter<&EVP_MD_free>>;
using MdCtx = std::unique_ptr<EVP_MD_CTX, Deleter<&EVP_MD_CTX_free>>;
using Mac = std::unique_ptr<EVP_MAC, Deleter<&EVP_MAC_free>>;
using MacCtx = std::unique_ptr<EVP_MAC_CTX, Deleter<&EVP_MAC_CTX_free>>;
using Pkey = std::unique_ptr<EVP_PKEY, Deleter<&EVP_PKEY_free>>;
using PkeyCtx = std::unique_ptr<EVP_PKEY_CTX, Deleter<&EVP_PKEY_CTX_free>>;
using EcGroup = std::unique_ptr<EC_GROUP, Deleter<&EC_GROUP_free>>;
using EcPoint = std::unique_ptr<EC_POINT, Deleter<&EC_POINT_clear_free>>;

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

}  // namespace causeway::crypto::ossl

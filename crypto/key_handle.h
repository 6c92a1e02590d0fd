// What stands behind PublicKey and PrivateKey, for crypto/signature*.cpp alone.
#pragma once

#include <vector>

#include "crypto/openssl_handle.h"
#include "crypto/signature.h"

namespace causeway::crypto {

struct PublicKey::Impl {
  PkeyHandle key;
  KeyType type = KeyType::other;
  int bits = 0;
  std::vector<std::uint8_t> spki;
};

struct PrivateKey::Impl {
  PkeyHandle key;
  PublicKey public_key;
};

// The curve's number for methods 9 to 11; KeyType::other for a method that is not ECDSA.
KeyType curve_of(SignatureMethod method);
Hash hash_of(SignatureMethod method);  // of methods 9 to 11 (RFC 4754 3)

}  // namespace causeway::crypto

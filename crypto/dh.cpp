#include "crypto/dh.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <utility>

#include "crypto/modp.h"
#include "crypto/openssl_handle.h"

namespace causeway::crypto {
namespace {

using Octets = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;
using Error = tl::unexpected<std::string>;
using Agreement = tl::expected<std::unique_ptr<KeyAgreement>, std::string>;
using Params = Handle<OSSL_PARAM, OSSL_PARAM_free>;
using ParamBuilder = Handle<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;

struct Curve {
  KeyExchange id;
  const char* name;
  int nid;
};
constexpr std::array kCurves = {
    Curve{KeyExchange::ecp256, "P-256", NID_X9_62_prime256v1},
    Curve{KeyExchange::ecp384, "P-384", NID_secp384r1},
    Curve{KeyExchange::ecp521, "P-521", NID_secp521r1},
};

const Curve* curve_of(KeyExchange id) {
  const auto it = std::find_if(kCurves.begin(), kCurves.end(), [id](const Curve& c) { return c.id == id; });
  return it == kCurves.end() ? nullptr : &*it;
}

const char* kem_name(KeyExchange id) {
  switch (id) {
    case KeyExchange::mlkem512:
      return "ML-KEM-512";
    case KeyExchange::mlkem768:
      return "ML-KEM-768";
    case KeyExchange::mlkem1024:
      return "ML-KEM-1024";
    default:
      return nullptr;
  }
}

std::size_t kem_ciphertext_octets(KeyExchange id) {  // FIPS 203 table 3
  return id == KeyExchange::mlkem512 ? 768 : id == KeyExchange::mlkem768 ? 1088 : 1568;
}

std::string table_name(KeyExchange id) {
  const KeyExchangeInfo* info = find(id);
  return info != nullptr ? std::string(info->name) : "group " + std::to_string(static_cast<unsigned>(id));
}

Error wrong_size(KeyExchange id, std::size_t got, std::size_t expected) {
  return Error(table_name(id) + " public value of " + std::to_string(got) + " octets instead of " +
               std::to_string(expected));
}

tl::expected<Secret, std::string> derive(EVP_PKEY* own, EVP_PKEY* peer, std::size_t expected) {
  const PkeyContextHandle ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, own, nullptr));
  std::size_t size = expected;
  Secret shared(expected);
  if (!ctx || EVP_PKEY_derive_init(ctx.get()) != 1 || EVP_PKEY_derive_set_peer(ctx.get(), peer) != 1 ||
      EVP_PKEY_derive(ctx.get(), shared.bytes().data(), &size) != 1 || size != expected) {
    return Error("the key exchange with this public value failed: " + last_error());
  }
  return shared;
}

// An EC key from X | Y and, for our own, the private scalar.
PkeyHandle ec_key(const Curve& curve, View point, const BIGNUM* private_value) {
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  must(builder != nullptr, "parameters");
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.name, 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  if (private_value != nullptr) OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, private_value);
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
  const PkeyContextHandle ctx(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !ctx || EVP_PKEY_fromdata_init(ctx.get()) != 1 ||
      EVP_PKEY_fromdata(ctx.get(), &key, private_value != nullptr ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                        params.get()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  return PkeyHandle(key);
}

// Groups of RFC 5903: values are X | Y without the form octet, the secret is X.
class Ecp final : public KeyAgreement {
 public:
  Ecp(const Curve& curve, View private_value) : curve_(curve) {
    key_ = private_value.empty() ? PkeyHandle(EVP_EC_gen(curve.name)) : from_private(private_value);
    must(key_ != nullptr, "EC key");
    std::size_t size = 0;
    must(EVP_PKEY_get_octet_string_param(key_.get(), OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0, &size) == 1, "EC key");
    Octets point(size);
    must(EVP_PKEY_get_octet_string_param(key_.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(), &size) == 1 &&
             size == 1u + find(curve.id)->public_octets && point[0] == 4,
         "EC key");
    public_.assign(point.begin() + 1, point.end());
  }

  [[nodiscard]] KeyExchange id() const override { return curve_.id; }
  [[nodiscard]] View public_value() const override { return public_; }

  tl::expected<Secret, std::string> finish(View peer_public) override {
    if (peer_public.size() != public_.size()) return wrong_size(curve_.id, peer_public.size(), public_.size());
    Octets point{4};
    point.insert(point.end(), peer_public.begin(), peer_public.end());
    const PkeyHandle peer = ec_key(curve_, point, nullptr);
    const PkeyContextHandle check(peer ? EVP_PKEY_CTX_new_from_pkey(nullptr, peer.get(), nullptr) : nullptr);
    if (!check || EVP_PKEY_public_check(check.get()) != 1) {  // RFC 6989 2.3
      ERR_clear_error();
      return Error(table_name(curve_.id) + " public value is no point of the curve");
    }
    return derive(key_.get(), peer.get(), public_.size() / 2);
  }

 private:
  [[nodiscard]] PkeyHandle from_private(View private_value) const {
    const NumberHandle d(BN_bin2bn(private_value.data(), static_cast<int>(private_value.size()), nullptr));
    const GroupHandle group(EC_GROUP_new_by_curve_name(curve_.nid));
    const PointHandle q(group ? EC_POINT_new(group.get()) : nullptr);
    must(d && q && EC_POINT_mul(group.get(), q.get(), d.get(), nullptr, nullptr, nullptr) == 1, "EC key");
    Octets point(1u + find(curve_.id)->public_octets);
    must(EC_POINT_point2oct(group.get(), q.get(), POINT_CONVERSION_UNCOMPRESSED, point.data(), point.size(), nullptr) ==
             point.size(),
         "EC key");
    return ec_key(curve_, point, d.get());
  }

  const Curve& curve_;
  PkeyHandle key_;
  Octets public_;
};

class X25519 final : public KeyAgreement {
 public:
  explicit X25519(View private_value)
      : key_(private_value.empty()
                 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519")
                 : EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, private_value.data(), private_value.size())) {
    std::size_t size = public_.size();
    must(key_ && EVP_PKEY_get_raw_public_key(key_.get(), public_.data(), &size) == 1, "X25519 key");
  }

  [[nodiscard]] KeyExchange id() const override { return KeyExchange::curve25519; }
  [[nodiscard]] View public_value() const override { return public_; }

  tl::expected<Secret, std::string> finish(View peer_public) override {
    if (peer_public.size() != public_.size()) return wrong_size(id(), peer_public.size(), public_.size());
    const PkeyHandle peer(
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, peer_public.data(), peer_public.size()));
    must(peer != nullptr, "X25519 key");
    auto shared = derive(key_.get(), peer.get(), public_.size());
    // RFC 7748 6.1, RFC 8031 3.2: values of small order give zeros. OpenSSL refuses them; so do we.
    if (!shared || *shared == Secret(public_.size())) return Error("x25519 public value of small order");
    return shared;
  }

 private:
  PkeyHandle key_;
  std::array<std::uint8_t, 32> public_{};
};

// FIPS 203: the initiator sends the encapsulation key, the responder the ciphertext.
class MlKem final : public KeyAgreement {
 public:
  MlKem(KeyExchange id, PkeyHandle key) : id_(id), key_(std::move(key)), public_(find(id)->public_octets) {
    std::size_t size = public_.size();
    must(EVP_PKEY_get_raw_public_key(key_.get(), public_.data(), &size) == 1 && size == public_.size(), "ML-KEM key");
  }

  [[nodiscard]] KeyExchange id() const override { return id_; }
  [[nodiscard]] View public_value() const override { return public_; }

  tl::expected<Secret, std::string> finish(View peer_public) override {
    if (peer_public.size() != kem_ciphertext_octets(id_)) {
      return wrong_size(id_, peer_public.size(), kem_ciphertext_octets(id_));
    }
    const PkeyContextHandle ctx(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
    Secret shared(32);
    std::size_t size = shared.size();
    if (!ctx || EVP_PKEY_decapsulate_init(ctx.get(), nullptr) != 1 ||
        EVP_PKEY_decapsulate(ctx.get(), shared.bytes().data(), &size, peer_public.data(), peer_public.size()) != 1 ||
        size != shared.size()) {
      return Error(table_name(id_) + " decapsulation failed: " + last_error());
    }
    return shared;
  }

 private:
  KeyExchange id_;
  PkeyHandle key_;
  Octets public_;
};

tl::expected<KeyResponse, std::string> encapsulate(KeyExchange id, View peer_public) {
  if (peer_public.size() != find(id)->public_octets) {
    return wrong_size(id, peer_public.size(), find(id)->public_octets);
  }
  const PkeyHandle peer(
      EVP_PKEY_new_raw_public_key_ex(nullptr, kem_name(id), nullptr, peer_public.data(), peer_public.size()));
  const PkeyContextHandle ctx(peer ? EVP_PKEY_CTX_new_from_pkey(nullptr, peer.get(), nullptr) : nullptr);
  KeyResponse response{Octets(kem_ciphertext_octets(id)), Secret(32)};
  std::size_t size = response.public_value.size(), secret_size = response.shared.size();
  // The modulus check of FIPS 203 7.2 is part of taking the key in.
  if (!ctx || EVP_PKEY_encapsulate_init(ctx.get(), nullptr) != 1 ||
      EVP_PKEY_encapsulate(ctx.get(), response.public_value.data(), &size, response.shared.bytes().data(),
                           &secret_size) != 1 ||
      size != response.public_value.size() || secret_size != response.shared.size()) {
    return Error(table_name(id) + " public value is no encapsulation key: " + last_error());
  }
  return response;
}

}  // namespace

std::string unavailable(KeyExchange id) {
  if (is_modp(id) || curve_of(id) != nullptr || id == KeyExchange::curve25519) return {};
  const char* kem = kem_name(id);
  if (kem == nullptr) return table_name(id) + " is not a key exchange this program knows";
  const PkeyContextHandle ctx(EVP_PKEY_CTX_new_from_name(nullptr, kem, nullptr));
  ERR_clear_error();
  if (ctx) return {};
  return table_name(id) + " needs OpenSSL 3.5 or newer; this is " + OpenSSL_version(OPENSSL_VERSION_STRING);
}

Agreement agreement_from_private(KeyExchange id, View private_value) {
  if (is_modp(id)) return make_modp(id, private_value);
  if (const Curve* curve = curve_of(id)) return std::make_unique<Ecp>(*curve, private_value);
  if (id == KeyExchange::curve25519) return std::make_unique<X25519>(private_value);
  return Error(table_name(id) + " takes no private value");
}

Agreement SystemKeyExchange::initiate(KeyExchange id) {
  if (std::string why = unavailable(id); !why.empty()) return Error(std::move(why));
  if (kem_name(id) == nullptr) return agreement_from_private(id, {});
  PkeyHandle key(EVP_PKEY_Q_keygen(nullptr, nullptr, kem_name(id)));
  if (!key) return Error(table_name(id) + ": " + last_error());
  return std::make_unique<MlKem>(id, std::move(key));
}

tl::expected<KeyResponse, std::string> SystemKeyExchange::respond(KeyExchange id, View peer_public) {
  if (std::string why = unavailable(id); !why.empty()) return Error(std::move(why));
  if (kem_name(id) != nullptr) return encapsulate(id, peer_public);
  Agreement own = agreement_from_private(id, {});
  if (!own) return Error(own.error());
  auto shared = (*own)->finish(peer_public);
  if (!shared) return Error(shared.error());
  const View value = (*own)->public_value();
  return KeyResponse{Octets(value.begin(), value.end()), std::move(*shared)};
}

}  // namespace causeway::crypto

#include "crypto/modp.h"

#include <utility>

#include "crypto/openssl_handle.h"

namespace causeway::crypto {
namespace {

struct Group {
  BIGNUM* (*prime)(BIGNUM*);
  int exponent_bits;  // twice the group's strength and more (RFC 3526 8, higher estimate)
};

const Group* group_of(KeyExchange id) {
  static constexpr Group k768{BN_get_rfc2409_prime_768, 256}, k1024{BN_get_rfc2409_prime_1024, 256},
      k1536{BN_get_rfc3526_prime_1536, 256}, k2048{BN_get_rfc3526_prime_2048, 320},
      k3072{BN_get_rfc3526_prime_3072, 420}, k4096{BN_get_rfc3526_prime_4096, 480};
  switch (id) {
    case KeyExchange::modp768:
      return &k768;
    case KeyExchange::modp1024:
      return &k1024;
    case KeyExchange::modp1536:
      return &k1536;
    case KeyExchange::modp2048:
      return &k2048;
    case KeyExchange::modp3072:
      return &k3072;
    case KeyExchange::modp4096:
      return &k4096;
    default:
      return nullptr;
  }
}

class Modp final : public KeyAgreement {
 public:
  Modp(KeyExchange id, const Group& group, std::span<const std::uint8_t> private_value)
      : id_(id), ctx_(BN_CTX_secure_new()), prime_(group.prime(nullptr)), exponent_(BN_secure_new()) {
    must(ctx_ && prime_ && exponent_, "big numbers");
    if (private_value.empty()) {
      must(BN_priv_rand(exponent_.get(), group.exponent_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1,
           "random number");
    } else {
      must(BN_bin2bn(private_value.data(), static_cast<int>(private_value.size()), exponent_.get()) != nullptr,
           "big numbers");
    }
    BN_set_flags(exponent_.get(), BN_FLG_CONSTTIME);
    const NumberHandle generator(BN_new());
    must(generator && BN_set_word(generator.get(), 2) == 1, "big numbers");
    const Secret value = power(generator.get());
    public_.assign(value.bytes().begin(), value.bytes().end());
  }

  [[nodiscard]] KeyExchange id() const override { return id_; }
  [[nodiscard]] std::span<const std::uint8_t> public_value() const override { return public_; }

  tl::expected<Secret, std::string> finish(std::span<const std::uint8_t> peer_public) override {
    const std::string name(find(id_)->name);
    if (peer_public.size() != public_.size()) {
      return tl::unexpected(name + " public value of " + std::to_string(peer_public.size()) + " octets instead of " +
                            std::to_string(public_.size()));
    }
    const NumberHandle peer(BN_bin2bn(peer_public.data(), static_cast<int>(peer_public.size()), nullptr));
    const NumberHandle limit(BN_dup(prime_.get()));
    must(peer && limit && BN_sub_word(limit.get(), 1) == 1, "big numbers");
    // RFC 6989 2.1: for safe primes, 1 < y < p - 1 leaves no small subgroup.
    if (BN_is_zero(peer.get()) || BN_is_one(peer.get()) || BN_cmp(peer.get(), limit.get()) >= 0) {
      return tl::unexpected(name + " public value outside of 2 .. p-2");
    }
    return power(peer.get());
  }

 private:
  [[nodiscard]] Secret power(const BIGNUM* base) const {
    const NumberHandle result(BN_secure_new());
    Secret out(static_cast<std::size_t>(BN_num_bytes(prime_.get())));
    must(result &&
             BN_mod_exp_mont_consttime(result.get(), base, exponent_.get(), prime_.get(), ctx_.get(), nullptr) == 1 &&
             BN_bn2binpad(result.get(), out.bytes().data(), static_cast<int>(out.size())) ==
                 static_cast<int>(out.size()),
         "exponentiation");
    return out;
  }

  KeyExchange id_;
  NumberContextHandle ctx_;
  NumberHandle prime_, exponent_;
  std::vector<std::uint8_t> public_;
};

}  // namespace

bool is_modp(KeyExchange id) { return group_of(id) != nullptr; }

tl::expected<std::unique_ptr<KeyAgreement>, std::string> make_modp(KeyExchange id,
                                                                   std::span<const std::uint8_t> private_value) {
  const Group* group = group_of(id);
  if (group == nullptr) return tl::unexpected(std::string("not a MODP group"));
  return std::make_unique<Modp>(id, *group, private_value);
}

std::vector<std::uint8_t> modp_prime(KeyExchange id) {
  const Group* group = group_of(id);
  if (group == nullptr) return {};
  const NumberHandle prime(group->prime(nullptr));
  must(prime != nullptr, "big numbers");
  std::vector<std::uint8_t> out(static_cast<std::size_t>(BN_num_bytes(prime.get())));
  BN_bn2bin(prime.get(), out.data());
  return out;
}

}  // namespace causeway::crypto

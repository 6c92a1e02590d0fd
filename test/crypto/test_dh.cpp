// Key exchanges: published answers, groups checked from first principles, and public values that must be refused.
#include <openssl/bn.h>

#include <algorithm>
#include <array>
#include <memory>

#include "crypto/dh.h"
#include "test/support/catch.h"
#include "test/support/hex.h"

using namespace causeway::crypto;
using causeway::test::octets;
using causeway::test::to_hex;

namespace {

using Octets = std::vector<std::uint8_t>;

struct Known {
  KeyExchange id;
  const char *initiator, *initiator_public, *responder, *responder_public, *shared;
};

std::vector<Known> known_answers() {
  return {
      // RFC 5903 8
      {KeyExchange::ecp256, "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
       "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811805271a0461cdb8252d61f1c456fa3e59a"
       "b1f45b33accf5f58389e0577b8990bb3",
       "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
       "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf6356fbf3ca366cc23e8157854c13c58d6a"
       "ac23f046ada30f8353e74f33039872ab",
       "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"},
      {KeyExchange::ecp384,
       "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
       "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa"
       "9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
       "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b8ed2960e4bd55a7448fc",
       "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571"
       "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
       "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746"},
      {KeyExchange::ecp521,
       "0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a095aa85a30fe1c2952c6771d937ba9777"
       "f5957b2639bab072462f68c27a57382d4a52",
       "0015417e84dbf28c0ad3c278713349dc7df153c897a1891bd98bab4357c9ecbee1e3bf42e00b8e380aeae57c2d107564"
       "941885942af5a7f4601723c4195d176ced3e017cae20b6641d2eeb695786d8c946146239d099e18e1d5a514c739d7cb4"
       "a10ad8a788015ac405d7799dc75e7b7d5b6cf2261a6a7f1507438bf01beb6ca3926f9582",
       "0145ba99a847af43793fdd0e872e7cdfa16be30fdc780f97bccc3f078380201e9c677d600b343757a3bdbf2a3163e4c2"
       "f869cca7458aa4a4effc311f5cb151685eb9",
       "00d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97c356436adc6e95bb0352f6be64a6"
       "c2912d4ef2d0433ced2b6171640012d9460f015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d985207"
       "7b87220b6536c5c408a1d2aebb8e86d678ae49cb57091f4732296579ab44fcd17f0fc56a",
       "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d1427e73ca4baa240a34786859810c06"
       "b3c715a3a8cc3151f2bee417996d19f3ddea"},
      // RFC 7748 6.1
      {KeyExchange::curve25519, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
       "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
       "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
       "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
       "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
  };
}

constexpr std::array kModp = {KeyExchange::modp768,  KeyExchange::modp1024, KeyExchange::modp1536,
                              KeyExchange::modp2048, KeyExchange::modp3072, KeyExchange::modp4096};

std::unique_ptr<KeyAgreement> start(KeyExchange id) {
  SystemKeyExchange system;
  auto agreement = system.initiate(id);
  REQUIRE(agreement);
  return std::move(*agreement);
}

bool is_kem(KeyExchange id) {
  return id == KeyExchange::mlkem512 || id == KeyExchange::mlkem768 || id == KeyExchange::mlkem1024;
}

struct FreeBn {
  void operator()(BIGNUM* b) const { BN_free(b); }
};
struct FreeCtx {
  void operator()(BN_CTX* c) const { BN_CTX_free(c); }
};
using Bn = std::unique_ptr<BIGNUM, FreeBn>;
using Ctx = std::unique_ptr<BN_CTX, FreeCtx>;

// arctan(1/x) * 2^bits by its series.
Bn arctan_inverse(unsigned x, int bits, BN_CTX* ctx) {
  Bn sum(BN_new()), power(BN_new()), term(BN_new()), square(BN_new());
  BN_one(power.get());
  BN_lshift(power.get(), power.get(), bits);
  BN_div_word(power.get(), x);
  BN_set_word(square.get(), x * x);
  BN_zero(sum.get());
  for (unsigned n = 0; !BN_is_zero(power.get()); ++n) {
    BN_copy(term.get(), power.get());
    BN_div_word(term.get(), 2 * n + 1);
    if (n % 2 == 0) {
      BN_add(sum.get(), sum.get(), term.get());
    } else {
      BN_sub(sum.get(), sum.get(), term.get());
    }
    BN_div(power.get(), nullptr, power.get(), square.get(), ctx);
  }
  return sum;
}

// floor(pi * 2^bits), by Machin's formula with 64 bits to spare.
Bn pi_shifted(int bits, BN_CTX* ctx) {
  Bn a = arctan_inverse(5, bits + 64, ctx), b = arctan_inverse(239, bits + 64, ctx);
  BN_mul_word(a.get(), 16);
  BN_mul_word(b.get(), 4);
  BN_sub(a.get(), a.get(), b.get());
  BN_rshift(a.get(), a.get(), 64);
  return a;
}

}  // namespace

TEST_CASE("ECP groups and X25519 give the answers of RFC 5903 and RFC 7748") {
  for (const Known& k : known_answers()) {
    auto i = agreement_from_private(k.id, octets(k.initiator));
    auto r = agreement_from_private(k.id, octets(k.responder));
    REQUIRE(i);
    REQUIRE(r);
    CHECK(to_hex((*i)->public_value()) == k.initiator_public);
    CHECK(to_hex((*r)->public_value()) == k.responder_public);
    const auto at_i = (*i)->finish(octets(k.responder_public)), at_r = (*r)->finish(octets(k.initiator_public));
    REQUIRE(at_i);
    REQUIRE(at_r);
    CHECK(to_hex(at_i->bytes()) == k.shared);
    CHECK(*at_i == *at_r);
  }
}

TEST_CASE("MODP primes are those of RFC 2409 and RFC 3526, built from pi, and are safe primes") {
  // p = 2^n - 2^(n-64) - 1 + 2^64 * ( floor(2^(n-130) pi) + c )
  struct Formula {
    KeyExchange id;
    int bits;
    BN_ULONG c;
  };
  const std::vector<Formula> formulas = {
      {KeyExchange::modp768, 768, 149686},    {KeyExchange::modp1024, 1024, 129093},
      {KeyExchange::modp1536, 1536, 741804},  {KeyExchange::modp2048, 2048, 124476},
      {KeyExchange::modp3072, 3072, 1690314}, {KeyExchange::modp4096, 4096, 240904},
  };
  const Ctx ctx(BN_CTX_new());
  for (const Formula& f : formulas) {
    CAPTURE(f.bits);
    Bn p(BN_new()), part(BN_new());
    BN_one(p.get());
    BN_lshift(p.get(), p.get(), f.bits);
    BN_one(part.get());
    BN_lshift(part.get(), part.get(), f.bits - 64);
    BN_sub(p.get(), p.get(), part.get());
    BN_sub_word(p.get(), 1);
    Bn middle = pi_shifted(f.bits - 130, ctx.get());
    BN_add_word(middle.get(), f.c);
    BN_lshift(middle.get(), middle.get(), 64);
    BN_add(p.get(), p.get(), middle.get());
    Octets expected(static_cast<std::size_t>(BN_num_bytes(p.get())));
    BN_bn2bin(p.get(), expected.data());
    CHECK(modp_prime(f.id) == expected);
    CHECK(expected.size() == find(f.id)->public_octets);
    if (f.bits > 2048) continue;  // the primality of the larger ones takes seconds under sanitizers
    CHECK(BN_check_prime(p.get(), ctx.get(), nullptr) == 1);
    BN_rshift1(p.get(), p.get());
    CHECK(BN_check_prime(p.get(), ctx.get(), nullptr) == 1);
  }
  CHECK(modp_prime(KeyExchange::ecp256).empty());
}

TEST_CASE("A MODP exchange with small private values is 2 to their product") {
  // 2^(5*7) = 2^35, small enough to be written down: the same in each group, with all leading zeros.
  for (const KeyExchange id : kModp) {
    auto a = agreement_from_private(id, octets("05"));
    auto b = agreement_from_private(id, octets("07"));
    REQUIRE(a);
    REQUIRE(b);
    Octets expected(find(id)->public_octets, 0);
    expected[expected.size() - 5] = 0x08;
    const auto shared = (*a)->finish((*b)->public_value());
    REQUIRE(shared);
    CHECK(to_hex(shared->bytes()) == to_hex(expected));
    CHECK(to_hex((*a)->public_value()) == to_hex(Octets(expected.size() - 1, 0)) + "20");
  }
}

TEST_CASE("Both sides of every available key exchange come to the same secret, and it differs each time") {
  SystemKeyExchange system;
  for (const KeyExchangeInfo& info : key_exchanges()) {
    CAPTURE(info.name);
    if (!unavailable(info.id).empty()) {
      // An OpenSSL without it: said by name, with the cure, on both sides.
      CHECK(is_kem(info.id));
      const auto initiated = system.initiate(info.id);
      const auto responded = system.respond(info.id, Octets(info.public_octets));
      REQUIRE_FALSE(initiated);
      REQUIRE_FALSE(responded);
      CHECK(initiated.error().find(std::string(info.name) + " needs OpenSSL 3.5") == 0);
      CHECK(responded.error() == initiated.error());
      continue;
    }
    const auto a = start(info.id), b = start(info.id);
    CHECK(a->id() == info.id);
    CHECK(a->public_value().size() == info.public_octets);
    CHECK_FALSE(std::ranges::equal(a->public_value(), b->public_value()));
    const auto answer = system.respond(info.id, a->public_value());
    REQUIRE(answer);
    const auto shared = a->finish(answer->public_value);
    REQUIRE(shared);
    CHECK(*shared == answer->shared);
    CHECK_FALSE(*shared == Secret(shared->size()));
    const auto again = system.respond(info.id, a->public_value());
    REQUIRE(again);
    CHECK_FALSE(again->shared == answer->shared);
  }
}

TEST_CASE("A public value of any other length is refused in every group") {
  for (const KeyExchangeInfo& info : key_exchanges()) {
    if (!unavailable(info.id).empty() || is_kem(info.id)) continue;
    CAPTURE(info.name);
    const auto a = start(info.id), b = start(info.id);
    Octets value(b->public_value().begin(), b->public_value().end());
    for (std::size_t n = 0; n < value.size(); ++n) REQUIRE_FALSE(a->finish(std::span(value).first(n)));
    value.push_back(0);
    const auto longer = a->finish(value);
    REQUIRE_FALSE(longer);
    CHECK(longer.error().find("octets instead of") != std::string::npos);
  }
}

TEST_CASE("MODP values 0, 1, p-1, p and above are refused (RFC 6989 2.1)") {
  for (const KeyExchange id : kModp) {
    const auto a = start(id);
    const Octets p = modp_prime(id);
    Octets value(p.size(), 0);
    CHECK_FALSE(a->finish(value));
    value.back() = 1;
    CHECK_FALSE(a->finish(value));
    value.back() = 2;
    CHECK(a->finish(value));
    value = p;
    CHECK_FALSE(a->finish(value));
    value.back() = static_cast<std::uint8_t>(value.back() - 1);  // p is odd
    CHECK_FALSE(a->finish(value));
    value.back() = static_cast<std::uint8_t>(value.back() - 1);
    CHECK(a->finish(value));
    CHECK_FALSE(a->finish(Octets(p.size(), 0xff)));
  }
}

TEST_CASE("ECP values that are no point of the curve are refused (RFC 6989 2.3)") {
  for (const KeyExchange id : {KeyExchange::ecp256, KeyExchange::ecp384, KeyExchange::ecp521}) {
    const auto a = start(id), b = start(id);
    Octets value(b->public_value().begin(), b->public_value().end());
    CHECK(a->finish(value));
    value.back() ^= 1;
    const auto off = a->finish(value);
    REQUIRE_FALSE(off);
    CHECK(off.error().find("no point of the curve") != std::string::npos);
    CHECK_FALSE(a->finish(Octets(value.size(), 0)));
    CHECK_FALSE(a->finish(Octets(value.size(), 0xff)));
  }
}

TEST_CASE("X25519 values of small order are refused (RFC 7748 6.1)") {
  const auto a = start(KeyExchange::curve25519);
  for (const char* value : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    CAPTURE(value);
    CHECK_FALSE(a->finish(octets(value)));
  }
}

TEST_CASE("Identifiers outside of the table are refused by name") {
  SystemKeyExchange system;
  const auto a = system.initiate(static_cast<KeyExchange>(99));
  REQUIRE_FALSE(a);
  CHECK(a.error() == "group 99 is not a key exchange this program knows");
  CHECK_FALSE(system.initiate(KeyExchange::none));
  CHECK_FALSE(agreement_from_private(KeyExchange::mlkem768, octets("01")));
}

TEST_CASE(
    "ML-KEM values of other lengths and impossible encapsulation keys are refused, a changed ciphertext agrees on "
    "nothing") {
  SystemKeyExchange system;
  for (const KeyExchange id : {KeyExchange::mlkem512, KeyExchange::mlkem768, KeyExchange::mlkem1024}) {
    if (!unavailable(id).empty()) {
      CHECK_FALSE(system.initiate(id));
      continue;
    }
    const auto a = start(id);
    Octets key(a->public_value().begin(), a->public_value().end());
    CHECK_FALSE(system.respond(id, Octets(key.size(), 0xff)));  // coefficients above the modulus (FIPS 203 7.2)
    auto answer = system.respond(id, key);
    REQUIRE(answer);
    CHECK_FALSE(a->finish(std::span(answer->public_value).first(answer->public_value.size() - 1)));
    // Implicit rejection (FIPS 203 6.3): a secret nobody else has, and IKE_AUTH fails on it.
    answer->public_value[0] ^= 1;
    const auto other = a->finish(answer->public_value);
    REQUIRE(other);
    CHECK_FALSE(*other == answer->shared);
    key.pop_back();
    CHECK_FALSE(system.respond(id, key));
  }
}

// Key derivation of IKEv1 against known answers of an independent program (ikev1_vectors.py).
#include <array>
#include <numeric>
#include <string>

#include "control/ikev1/keys.h"
#include "test/support/catch.h"
#include "test/support/hex.h"

namespace causeway::ikev1 {
namespace {

ike::Bytes counting(unsigned from, unsigned to) {
  ike::Bytes out(to - from);
  std::iota(out.begin(), out.end(), static_cast<std::uint8_t>(from));
  return out;
}

struct Vector {
  const char* suite;
  std::array<const char*, 14> answers;
};
// SKEYID by PSK and by signature, SKEYID_d, SKEYID_a, cipher key, first IV, IV of an exchange, HASH_I, HASH_R,
// HASH(1), HASH(2), HASH(3), KEYMAT without and with PFS.
const Vector kVectors[] = {
    // clang-format off
    {"aes128-sha1-modp1024",
     {"42c43c7ce4bcc26ec09fa81eb544a54f5faa3c19",
      "6ee60bce39c4882279ae7b222dbc333c3660663e",
      "17a8296e4557eef52be19ba9c208364026a657dc",
      "74f71e2bad2163bce12a3eed894511959e324407",
      "abe3cc5e8c5de064f0bcfd33f91161c2",
      "eb38c997fb698b7e65330d45cbc28435",
      "dd8f24ed0511fa2f0dacc3186e86b5aa",
      "3223d221ff9047787b66f4aee8768e5eb434a13a",
      "f2cd8a8c999d8c21b9f802c86997d83245931115",
      "e68f4408cbb5a1bd4ff9cd47dff2f5d329203be7",
      "6ba5a60819e2a2359de572cb7247238698fb73cb",
      "6e74fe05fff4191724d1f123f1a2de18e4018e60",
      "7c3df59d854662548d8aa87deba0f6726432cff7bfa5f448fd5fa0654dd4d528efc5ebfa",
      "f4b789fffbe53f15858aaaadf66a1b645748574f668f5f46870bb9734ab0bf4d0af7ac89"}},
    {"3des-md5-modp768",
     {"2a841fd22a217e0f2e4e76f8e2833e03",
      "908753798216aef6a8c137bdb159cee1",
      "97d9dd51f8c28fddc09151df727fa977",
      "97ad9262f45b9050fb78be852b47ea45",
      "b345398ab2a795ba259b28dfec1ca8b1d0b1bb77d30ab7f1",
      "03f9522e6aa99264",
      "312167b0ee226d6e",
      "11f6b311ed82e940d1f3cd00362c5ccc",
      "dcda09843707f8892377865c1c81f0d0",
      "368c610b539caef0604d3bdab1e164d8",
      "451d0e5dd1a011fd6a5c6ca2825b48ac",
      "9a230410f7bee320802b594f88b0accf",
      "c256eee378255dee47d76b7ad0ad03c1fe43636ed5bdd0c2192de41b92757f06bbc58437",
      "80504b11f1fadaccd2cc5147f0504abd6e9b43279239ce52051c12aba15717f32e23f087"}},
    {"aes256-sha256-modp2048",
     {"ffeaae8a9a244265f50a7610b76438b1581aba746295e8fc746c299ca059aff2",
      "e01baf678454ebee8464beafc1e9ada58d686679c4d699681c80ec6ea682e0f0",
      "22e0c3effe00e886d3e84357e218af6968dbc197f18c2ce1508c07bdf9367aa6",
      "f7aa0a3471626dd95000173cbc8e710fa7cdbd8530727c609203b063c91df2e6",
      "8f5ebe2521beae56f07062f22d95a17fbf2e1ce076e60f470e4b861d99f056a0",
      "2bae3a9530e35152c19d73f13f6c0e22",
      "2b1c4601f48f05444ce9dc277467fa08",
      "890a4285ba347a5e44244579b9d567da0f37ec21917d607a037b4fb9d23e9c44",
      "51752002e2f3707d3987bb7f7faf8de3a836774d4cd8c657cb554d3b543c4223",
      "f80e00e420eaa1f91a5a7143f5d6ae4ad74da491bbb568817a0efcd0ea903a88",
      "7d67d6cfea67bbb7a15f0041e7564d68a2b9c83fd846d82afac331f8637f59d9",
      "e575d645fb1310e861cff75dec67288559363dbc50532888c2391fbd2bf184f0",
      "dbf8ea1daa948759ce0f224d031449cf4110d4d83223d9c61e766431c89cace3eb17ad32",
      "f504b0e646eec279a8e18de9cc615e60fcb9ca6630891da55978c215b9b10b02d5389ec5"}},
    {"aes256-sha512-modp2048",
     {"b4d1b3410e1097baa112b81668239178430e1e0fde91ceed24f63a0cd3fcec516c04625840f004ad6dd9214c2451f361dde0d4b9d2ede2dda8d92b22c3ca791f",
      "ad19dc9975a85faa5f4bd0d76efd5c611e4af4e7fd7bc57c17864a5667dea10de695c4ee79eb55817475b58b8e67963cab5d666b78eb743780a01c380bb954e9",
      "55a6a4a70fecaab01acbde2bb923657d574802eebbfb7fc0aac8a1b3b10aa1e51793ca8b0efc31c57a4658dfe9c3f29d266c0573665a70e43b9a0ac27174de8f",
      "5dfc4da4e44835394f855b3b8c38895b117f97429c9f17f7220aaf8b01a6c6a3b33ea66dccf3c3471e108ad98f8795f1e0be6788753d7874050d4346e9375991",
      "0fb5bf6516b66b8b2fde76651e315d3ad5f816dc77156f3366151187437283b9",
      "f91a8584486a5f167ca103e390444e52",
      "6339cc6eb778fed81ea9bca46f27d985",
      "6c436470085add73fdc27ba6693715fe554261e4df14502d8578144713b2ea73f458296dcf06814f4d9a93339f0a7e27a7f33966ded8adde0248baef9a7dae2e",
      "926e41336b7851e38b940224a07211b4101ddcb123eb19f41564ca89fff0f4b09b0b0bd97b1f48507f06d27749c43f50ff0d7d6a0a70b25de8f4980ec8a436b6",
      "dd37216a2af56e261a2702c6e496e3962befde6933a88baf7abb0c8f2bd6af237f72e27d21ea81f81f13066c2f4079719bb5dcc9e61c1dffbe0b0930992223ee",
      "93b405a87acea5dd38f209dd1e90436551bbc5931d9522e3c586e53de345fbd1fbf7b4c26bb611c5722e51ccbf4330dc811516bffc1e4a417055019c87b56619",
      "0bd54d2b14401633a141dc25386e5eb6a05674ceb52617a35eef7639a72babb0cbe442326bab7b7cea69876083c8b5cef7701d7463cc718fcdfc17edc3f1744b",
      "ac55093a0ed276ced03fc06ffd9957933b4e37b12240b9f583e09447f4f10fb2f58cc982",
      "9bcd3dc886a53d6b5c0e1cf4536513c24e8a2d714bd4f383e9aa313d461fbd9e96e7eb85"}},
    // clang-format on
};

TEST_CASE("IKEv1 keys: every key, IV and hash of RFC 2409 equals an independent program's") {
  for (const Vector& v : kVectors) {
    const auto proposal = ike::Proposal::parse(ike::Protocol::ike, v.suite, true);
    REQUIRE(proposal);
    ike::Choice suite;
    suite.encryption = proposal->encryption.front();
    suite.prf = proposal->prf.front();
    INFO(v.suite);

    const Nonces nonces{counting(0x10, 0x30), counting(0x50, 0x60)};
    ike::Bytes gxy = counting(0, 128);
    const crypto::Secret shared{std::span<const std::uint8_t>(gxy)};
    const ike::Bytes gxi = counting(0x80, 0x100), gxr = counting(0, 0x80);
    const Cookies cookies{0x0011223344556677, 0x8899aabbccddeeff};
    const ike::Bytes sa = counting(0x20, 0x48), payloads = counting(0x33, 0x77);
    const ike::Bytes id_i{1, 0, 0, 0, 0xc6, 0x33, 0x64, 2}, id_r{1, 0, 0, 0, 0xcb, 0, 0x71, 2};
    constexpr std::uint32_t kMessage = 0xc0ffee42, kSpi = 0xc1020304;
    const std::string_view psk = "mekmitasdigoat";
    const crypto::Secret key{std::span(reinterpret_cast<const std::uint8_t*>(psk.data()), psk.size())};

    const crypto::Secret skeyid = skeyid_of_psk(suite.prf, key, nonces);
    const Phase1Keys k = phase1_keys(suite, skeyid, shared, cookies);
    const std::size_t block = first_iv(suite, gxi, gxr).size();
    const crypto::EspSuite esp{crypto::Encryption::aes_cbc, 128, crypto::Integrity::hmac_sha1_96, false};
    const auto keymat = [&](const crypto::Secret& s) {
      const ChildKeys c = child_keys(suite.prf, k.d, s, kSpi, nonces, esp);
      crypto::Secret both = c.encryption;
      both.append(c.integrity.bytes());
      return test::to_hex(both.bytes());
    };
    const ike::Bytes pfs = counting(0x40, 0xc0);
    CHECK(test::to_hex(skeyid.bytes()) == v.answers[0]);
    CHECK(test::to_hex(skeyid_of_signature(suite.prf, shared, nonces).bytes()) == v.answers[1]);
    CHECK(test::to_hex(k.d.bytes()) == v.answers[2]);
    CHECK(test::to_hex(k.a.bytes()) == v.answers[3]);
    CHECK(test::to_hex(k.encryption.bytes()) == v.answers[4]);
    CHECK(test::to_hex(first_iv(suite, gxi, gxr)) == v.answers[5]);
    CHECK(test::to_hex(exchange_iv(suite, counting(0xf0, 0xf0 + static_cast<unsigned>(block)), kMessage)) == v.answers[6]);
    CHECK(test::to_hex(phase1_hash(suite.prf, skeyid, {true, gxi, gxr, cookies, sa, id_i})) == v.answers[7]);
    CHECK(test::to_hex(phase1_hash(suite.prf, skeyid, {false, gxi, gxr, cookies, sa, id_r})) == v.answers[8]);
    CHECK(test::to_hex(hash_1(suite.prf, k.a, kMessage, payloads)) == v.answers[9]);
    CHECK(test::to_hex(hash_2(suite.prf, k.a, kMessage, nonces.initiator, payloads)) == v.answers[10]);
    CHECK(test::to_hex(hash_3(suite.prf, k.a, kMessage, nonces)) == v.answers[11]);
    CHECK(keymat({}) == v.answers[12]);
    CHECK(keymat(crypto::Secret{std::span<const std::uint8_t>(pfs)}) == v.answers[13]);
  }
}

}  // namespace
}  // namespace causeway::ikev1

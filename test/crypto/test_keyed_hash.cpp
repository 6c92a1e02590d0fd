// HMAC, AES-XCBC and prf+ against published answers.
#include <string>

#include "crypto/hash.h"
#include "crypto/integrity.h"
#include "crypto/prf.h"
#include "test/support/catch.h"
#include "test/support/hex.h"

using namespace causeway::crypto;
using causeway::test::octets;
using causeway::test::text_octets;
using causeway::test::to_hex;

namespace {

using Octets = std::vector<std::uint8_t>;

struct HmacCase {
  Octets key, data;
  const char *sha256, *sha384, *sha512;
};

std::string prf_hex(Prf id, const Octets& key, const Octets& data) { return to_hex(prf(id, key, {data}).bytes()); }

// RFC 4231 4; case 5 is about truncation, which the integrity algorithms cover.
std::vector<HmacCase> rfc4231() {
  return {
      {Octets(20, 0x0b), text_octets("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
       "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
       "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4"
       "be9d914eeb61f1702e696c203a126854"},
      {text_octets("Jefe"), text_octets("what do ya want for nothing?"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
       "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
       "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd"
       "caeab1a34d4a6b4b636e070a38bce737"},
      {Octets(20, 0xaa), Octets(50, 0xdd), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
       "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
       "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807"
       "b946a337bee8942674278859e13292fb"},
      {octets("0102030405060708090a0b0c0d0e0f10111213141516171819"), Octets(50, 0xcd),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
       "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb",
       "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063"
       "a5f19741120c4f2de2adebeb10a298dd"},
      {Octets(131, 0xaa), text_octets("Test Using Larger Than Block-Size Key - Hash Key First"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
       "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
       "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e52"
       "95e64f73f63f0aec8b915a985d786598"},
      {Octets(131, 0xaa),
       text_octets("This is a test using a larger than block-size key and a larger than block-size data. The key "
                   "needs to be hashed before being used by the HMAC algorithm."),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
       "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e",
       "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15"
       "134676fb6de0446065c97440fa8c6a58"},
  };
}

}  // namespace

TEST_CASE("HMAC-SHA2 PRFs give the answers of RFC 4231") {
  for (const HmacCase& c : rfc4231()) {
    CHECK(prf_hex(Prf::hmac_sha2_256, c.key, c.data) == c.sha256);
    CHECK(prf_hex(Prf::hmac_sha2_384, c.key, c.data) == c.sha384);
    CHECK(prf_hex(Prf::hmac_sha2_512, c.key, c.data) == c.sha512);
  }
}

TEST_CASE("HMAC-SHA1 and HMAC-MD5 PRFs give the answers of RFC 2202") {
  CHECK(prf_hex(Prf::hmac_sha1, Octets(20, 0x0b), text_octets("Hi There")) ==
        "b617318655057264e28bc0b6fb378c8ef146be00");
  CHECK(prf_hex(Prf::hmac_sha1, text_octets("Jefe"), text_octets("what do ya want for nothing?")) ==
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  CHECK(prf_hex(Prf::hmac_sha1, Octets(20, 0xaa), Octets(50, 0xdd)) == "125d7342b9ac11cd91a39af48aa17b4f63f175d3");
  CHECK(prf_hex(Prf::hmac_sha1, Octets(80, 0xaa),
                text_octets("Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "aa4ae5e15272d00e95705637ce8a3b55ed402112");
  CHECK(prf_hex(Prf::hmac_md5, Octets(16, 0x0b), text_octets("Hi There")) == "9294727a3638bb1c13f48ef8158bfc9d");
  CHECK(prf_hex(Prf::hmac_md5, text_octets("Jefe"), text_octets("what do ya want for nothing?")) ==
        "750c783e6ab0b503eaa86e310a5db738");
  CHECK(prf_hex(Prf::hmac_md5, Octets(16, 0xaa), Octets(50, 0xdd)) == "56be34521d144c88dbb8c733f0e8b3f6");
}

TEST_CASE("Integrity algorithms truncate as RFC 2403, 2404 and 4868 say") {
  const Octets key(20, 0x0c), data = text_octets("Test With Truncation");
  CHECK(to_hex(mac(Integrity::hmac_sha1_96, key, {data})) == "4c1a03424b55e07fe7f27be1");  // RFC 2202 case 5
  CHECK(to_hex(mac(Integrity::hmac_md5_96, Octets(16, 0x0c), {data})) == "56461ef2342edc00f9bab995");
  CHECK(to_hex(mac(Integrity::hmac_sha2_256_128, key, {data})) == "a3b6167473100ee06e0c796c2955552b");
  CHECK(to_hex(mac(Integrity::hmac_sha2_256_96, key, {data})) == "a3b6167473100ee06e0c796c");
  // RFC 4231 case 1: half of the output.
  const Octets key1(20, 0x0b), data1 = text_octets("Hi There");
  CHECK(to_hex(mac(Integrity::hmac_sha2_384_192, key1, {data1})) == "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec6");
  CHECK(to_hex(mac(Integrity::hmac_sha2_512_256, key1, {data1})) ==
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde");
  CHECK(mac(Integrity::none, key, {data}).empty());
}

TEST_CASE("AES-XCBC gives the answers of RFC 3566 and RFC 4434") {
  const Octets key = octets("000102030405060708090a0b0c0d0e0f");
  Octets message;
  for (int i = 0; i < 34; ++i) message.push_back(static_cast<std::uint8_t>(i));
  const auto first = [&](std::size_t n) { return Octets(message.begin(), message.begin() + static_cast<long>(n)); };
  CHECK(prf_hex(Prf::aes_xcbc, key, first(0)) == "75f0251d528ac01c4573dfd584d79f29");
  CHECK(prf_hex(Prf::aes_xcbc, key, first(3)) == "5b376580ae2f19afe7219ceef172756f");
  CHECK(prf_hex(Prf::aes_xcbc, key, first(16)) == "d2a246fa349b68a79998a4394ff7a263");
  CHECK(prf_hex(Prf::aes_xcbc, key, first(20)) == "47f51b4564966215b8985c63055ed308");
  CHECK(prf_hex(Prf::aes_xcbc, key, first(32)) == "f54f0ec8d2b9f3d36807734bd5283fd4");
  CHECK(prf_hex(Prf::aes_xcbc, key, first(34)) == "becbb3bccdb518a30677d5481fb6b4d8");
  CHECK(prf_hex(Prf::aes_xcbc, key, Octets(1000, 0)) == "f0dafee895db30253761103b5d84528f");
  CHECK(to_hex(mac(Integrity::aes_xcbc_96, key, {first(20)})) == "47f51b4564966215b8985c63");
  // RFC 4434 3: keys of 16, 10 and 18 octets.
  CHECK(prf_hex(Prf::aes_xcbc, first(10), first(20)) == "0fa087af7d866e7653434e602fdde835");
  CHECK(prf_hex(Prf::aes_xcbc, octets("000102030405060708090a0b0c0d0e0fedcb"), first(20)) ==
        "8cd3c93ae598a9803006ffb67c40e9e4");
  CHECK(takes_fixed_key(Prf::aes_xcbc));
  CHECK_FALSE(takes_fixed_key(Prf::hmac_sha2_256));
}

TEST_CASE("A MAC over parts is the MAC over their concatenation, wherever it is cut") {
  Octets data;
  for (int i = 0; i < 70; ++i) data.push_back(static_cast<std::uint8_t>(i * 3));
  for (const PrfInfo& info : prfs()) {
    const Octets key(info.key_octets, 0x42);
    const std::string whole = prf_hex(info.id, key, data);
    CHECK(whole.size() == 2u * info.output_octets);
    for (std::size_t cut = 0; cut <= data.size(); ++cut) {
      const std::span all(data);
      REQUIRE(to_hex(prf(info.id, key, {all.first(cut), {}, all.subspan(cut)}).bytes()) == whole);
    }
  }
}

TEST_CASE("prf+ is HKDF-Expand and gives the answers of RFC 5869") {
  // RFC 7296 2.13 and RFC 5869 2.3 define the same function: published answers of the latter judge the former.
  CHECK(to_hex(prf_plus(Prf::hmac_sha2_256, octets("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"),
                        octets("f0f1f2f3f4f5f6f7f8f9"), 42)
                   .bytes()) == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  Octets info;
  for (int i = 0xb0; i <= 0xff; ++i) info.push_back(static_cast<std::uint8_t>(i));
  CHECK(to_hex(prf_plus(Prf::hmac_sha2_256, octets("06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244"),
                        info, 82)
                   .bytes()) ==
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f"
        "09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  CHECK(to_hex(prf_plus(Prf::hmac_sha1, octets("9b6c18c432a7bf8f0e71c8eb88f4b30baa2ba243"),
                        octets("f0f1f2f3f4f5f6f7f8f9"), 42)
                   .bytes()) == "085a01ea1b10f36933068b56efa5ad81a4f14b822f5b091568a9cdd4f155fda2c22e422478d305f3f896");
}

TEST_CASE("prf+ of a shorter length is the beginning of a longer one, up to 255 rounds") {
  const Octets key(20, 1), seed(40, 2);
  for (const PrfInfo& info : prfs()) {
    const Secret most = prf_plus(info.id, key, seed, 255u * info.output_octets);
    for (const std::size_t n : {0u, 1u, 31u, 100u, 300u}) CHECK(prf_plus(info.id, key, seed, n) == most.slice(0, n));
    CHECK_THROWS_AS(prf_plus(info.id, key, seed, 255u * info.output_octets + 1), std::invalid_argument);
  }
  CHECK_THROWS_AS(prf(Prf::none, key, {seed}), std::invalid_argument);
}

TEST_CASE("An empty key is a key") {
  // HMAC pads a key with zeros: none and one zero octet are the same.
  CHECK(prf(Prf::hmac_sha2_256, {}, {octets("01")}) == prf(Prf::hmac_sha2_256, octets("00"), {octets("01")}));
}

TEST_CASE("Hash functions give the answers of FIPS 180 and RFC 1321 for abc") {
  const Octets abc = text_octets("abc"), ab = text_octets("ab"), c = text_octets("c");
  CHECK(to_hex(hash(Hash::md5, {abc})) == "900150983cd24fb0d6963f7d28e17f72");
  CHECK(to_hex(hash(Hash::sha1, {ab, c})) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(to_hex(hash(Hash::sha2_256, {abc})) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(to_hex(hash(Hash::sha2_384, {abc})) ==
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
  CHECK(to_hex(hash(Hash::sha2_512, {abc})) ==
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643c"
        "e80e2a9ac94fa54ca49f");
  CHECK(hash(Hash::identity, {abc}).empty());
  CHECK(hash_octets(Hash::identity) == 0);
}

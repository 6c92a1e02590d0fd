// IKEv2's SA payload: the wire form by hand, there and back, and what must be passed over.
#include "control/ikev2/sa_payload.h"
#include "test/support/catch.h"
#include "test/support/damage.h"
#include "test/support/hex.h"

using namespace causeway;
using ike::Bytes;
using ike::ByteView;
using ike::Proposal;
using ike::Protocol;
using test::octets;
using test::to_hex;

namespace {

Proposal ike_proposal(const char* text) {
  auto p = Proposal::parse(Protocol::ike, text, true);
  REQUIRE(p);
  return *p;
}
Proposal esp_proposal(const char* text) {
  auto p = Proposal::parse(Protocol::esp, text, true);
  REQUIRE(p);
  return *p;
}

}  // namespace

TEST_CASE("An IKE offer has the wire form of RFC 7296 3.3") {
  const auto offer = ikev2::numbered(std::vector{ike_proposal("aes256-sha256-modp2048")}, {});
  CHECK(to_hex(ikev2::encode_sa(offer)) ==
        "0000002c01010004"
        "0300000c0100000c800e0100"
        "0300000802000005"
        "030000080300000c"
        "000000080400000e");
}

TEST_CASE("An ESP offer has an SPI and says which sequence numbers it has") {
  const auto offer =
      ikev2::numbered(std::vector{esp_proposal("aes128gcm16"), esp_proposal("aes128-sha1-esn")}, octets("01020304"));
  CHECK(to_hex(ikev2::encode_sa(offer)) ==
        "020000200103040201020304"
        "0300000c01000014800e0080"
        "0000000805000000"
        "000000280203040301020304"
        "0300000c0100000c800e0080"
        "0300000803000002"
        "0000000805000001");
  CHECK(offer[0].child_spi() == 0x01020304u);
  CHECK(offer[0].ike_spi() == 0);
}

TEST_CASE("Offers of every kind come back as they were") {
  std::vector<Proposal> proposals = {
      ike_proposal("aes128-aes256-sha256-sha1-modp2048-ecp256"), ike_proposal("chacha20poly1305-prfsha512-x25519"),
      ike_proposal("3des-md5-modp1024"), ike_proposal("aes192ctr-sha384-prfsha256-ecp521")};
  const auto offer = ikev2::numbered(proposals, octets("0102030405060708"));
  const auto again = ikev2::decode_sa(ikev2::encode_sa(offer));
  REQUIRE(again);
  CHECK(*again == offer);
  CHECK((*again)[0].ike_spi() == 0x0102030405060708u);
  CHECK(ikev2::only_proposals(*again) == proposals);

  std::vector<Proposal> esp = {esp_proposal("aes256gcm16-ecp384-noesn"), esp_proposal("null-sha256-esn-noesn"),
                               esp_proposal("chacha20poly1305-noesn")};
  const auto esp_offer = ikev2::numbered(esp, octets("00000100"));
  const auto esp_again = ikev2::decode_sa(ikev2::encode_sa(esp_offer));
  REQUIRE(esp_again);
  CHECK(*esp_again == esp_offer);
}

TEST_CASE("Additional key exchanges have transform types 6 to 12 (RFC 9370)") {
  Proposal p = ike_proposal("aes256gcm16-prfsha256-x25519");
  p.additional[0] = {crypto::KeyExchange::mlkem768, crypto::KeyExchange::none};
  p.additional[6] = {crypto::KeyExchange::mlkem1024};
  const auto offer = ikev2::numbered(std::vector{p}, {});
  const Bytes body = ikev2::encode_sa(offer);
  CHECK(to_hex(body).find("0300000806000024"
                          "0300000806000000"
                          "000000080c000025") != std::string::npos);
  const auto again = ikev2::decode_sa(body);
  REQUIRE(again);
  CHECK(*again == offer);
}

TEST_CASE("Damage to an SA payload is refused, or read within its octets as something that can be written again") {
  const std::vector<Bytes> bodies = {
      ikev2::encode_sa(ikev2::numbered(
          std::vector{ike_proposal("aes256gcm16-prfsha384-ecp384"), ike_proposal("aes256-sha256-modp2048")}, {})),
      ikev2::encode_sa(ikev2::numbered(std::vector{esp_proposal("aes128-sha1-esn-noesn")}, octets("01020304"))),
  };
  for (const Bytes& body : bodies) {
    test::each_truncation(body, [](ByteView v) { CHECK_FALSE(ikev2::decode_sa(v)); });
    int taken = 0;
    test::each_damage(body, [&](ByteView v) {
      const auto decoded = ikev2::decode_sa(v);
      if (!decoded) return;
      ++taken;
      if (decoded->empty()) return;
      for (const auto& p : *decoded) (void)p.proposal.str();
      const auto again = ikev2::decode_sa(ikev2::encode_sa(*decoded));
      REQUIRE(again);
      REQUIRE(again->size() == decoded->size());
    });
    CHECK(taken > 0);
  }
}

TEST_CASE("A proposal of a protocol or with a transform type that is unknown is passed over, its neighbours stay") {
  const Bytes good =
      octets("0000002c01010004 0300000c0100000c800e0100 0300000802000005 030000080300000c 000000080400000e");
  const auto before_good = [&](const char* other) {
    Bytes body = octets(other);
    body.insert(body.end(), good.begin(), good.end());
    return ikev2::decode_sa(body);
  };
  const auto after_ah = before_good("0200001401020401 01020304 0000000803000002");
  REQUIRE(after_ah);
  CHECK(after_ah->size() == 1);
  const auto after_unknown_type = before_good("0200001001010001 000000080d000001");
  REQUIRE(after_unknown_type);
  CHECK(after_unknown_type->size() == 1);
  // Sequence numbers of a kind we do not have cannot be answered with the ordinary ones.
  const auto after_unknown_numbers = before_good("0200001401030401 01020304 0000000805000002");
  REQUIRE(after_unknown_numbers);
  CHECK(after_unknown_numbers->size() == 1);
}

TEST_CASE("A transform with an attribute that is unknown is not taken for the one without") {
  // AES-CBC 256 with a further attribute 17, in the short form and in the long one.
  for (const char* transform : {"00000010 0100000c 800e0100 80110001", "00000012 0100000c 800e0100 00110002 aabb",
                                "00000014 0100000c 800e0100 00110004 aabbccdd"}) {
    Bytes body = octets(transform);
    Bytes head = octets("0000000001010001");
    head.insert(head.end(), body.begin(), body.end());
    head[3] = static_cast<std::uint8_t>(head.size());
    const auto decoded = ikev2::decode_sa(head);
    REQUIRE(decoded);
    REQUIRE(decoded->size() == 1);
    const auto& ciphers = decoded->front().proposal.encryption;
    REQUIRE(ciphers.size() == 1);
    CHECK(crypto::find(ciphers[0].id, ciphers[0].key_bits) == nullptr);
  }
}

TEST_CASE("SPIs of sizes that fit no protocol are refused") {
  CHECK_FALSE(ikev2::decode_sa(octets("0000000c01010400 01020304")));    // IKE with 4
  CHECK_FALSE(ikev2::decode_sa(octets("0000000801030000")));             // ESP with none
  CHECK_FALSE(ikev2::decode_sa(octets("0000000a01030200 0102")));        // ESP with 2
  CHECK(ikev2::decode_sa(octets("0000001001010800 0102030405060708")));  // IKE with 8
  CHECK_FALSE(ikev2::decode_sa({}));
}

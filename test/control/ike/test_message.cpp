#include <algorithm>

#include "control/ike/message.h"
#include "control/ike/payloads.h"
#include "test/support/catch.h"
#include "test/support/damage.h"
#include "test/support/hex.h"

using namespace causeway::ike;
using causeway::test::octets;
using causeway::test::to_hex;

namespace {

Header sample_header() {
  Header h;
  h.initiator_spi = 0xc0c1c2c3c4c5c6c7;
  h.responder_spi = 0xd0d1d2d3d4d5d6d7;
  h.exchange = Exchange::informational;
  h.flags = flag::response | flag::initiator;
  h.message_id = 9;
  return h;
}

Bytes sample_message() {
  PayloadChain chain;
  chain.add(PayloadType::nonce, Bytes(20, 0x11));
  chain.add(PayloadType::vendor, octets("aabbcc"), true);
  chain.add(static_cast<PayloadType>(200), {});
  return assemble(sample_header(), chain);
}

}  // namespace

TEST_CASE("A message is header and payloads, with lengths and types chained, and comes back") {
  const Bytes message = sample_message();
  CHECK(to_hex(message) ==
        "c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d7"
        "28202528000000090000003f"
        "2b0000181111111111111111111111111111111111111111"
        "c8800007aabbcc"
        "00000004");
  const auto header = parse_header(message);
  REQUIRE(header);
  Header expected = sample_header();
  expected.first_payload = PayloadType::nonce;
  expected.length = static_cast<std::uint32_t>(message.size());
  CHECK(*header == expected);
  CHECK(header->is_response());
  CHECK(header->from_initiator());
  const auto payloads = walk_payloads(header->first_payload, std::span(message).subspan(kHeaderSize));
  REQUIRE(payloads);
  REQUIRE(payloads->size() == 3);
  CHECK((*payloads)[0].type == PayloadType::nonce);
  CHECK((*payloads)[0].body.size() == 20);
  CHECK((*payloads)[1].critical);
  CHECK(to_hex((*payloads)[1].body) == "aabbcc");
  CHECK((*payloads)[1].offset == 24);
  CHECK((*payloads)[2].type == static_cast<PayloadType>(200));
  CHECK((*payloads)[2].body.empty());
  CHECK((*payloads)[2].next == PayloadType::none);
}

TEST_CASE("A message without payloads is a header alone") {
  const Bytes message = assemble(sample_header(), PayloadChain{});
  CHECK(message.size() == kHeaderSize);
  REQUIRE(parse_header(message));
  const auto payloads = walk_payloads(PayloadType::none, {});
  REQUIRE(payloads);
  CHECK(payloads->empty());
}

TEST_CASE("A header whose length is not the datagram's is refused") {
  Bytes message = sample_message();
  CHECK(parse_header(message));
  message.push_back(0);
  CHECK_FALSE(parse_header(message));
  message.resize(message.size() - 2);
  CHECK_FALSE(parse_header(message));
  causeway::test::each_truncation(message, [](ByteView v) { CHECK_FALSE(parse_header(v)); });
}

TEST_CASE("A payload chain truncated anywhere is refused, and a damaged one stays within its octets") {
  const Bytes message = sample_message();
  const ByteView chain = ByteView(message).subspan(kHeaderSize);
  causeway::test::each_truncation(chain, [](ByteView v) { CHECK_FALSE(walk_payloads(PayloadType::nonce, v)); });
  int accepted = 0;
  causeway::test::each_damage(chain, [&](ByteView v) {
    const auto payloads = walk_payloads(PayloadType::nonce, v);
    if (!payloads) return;
    ++accepted;
    std::size_t total = 0;
    for (const RawPayload& p : *payloads) {
      REQUIRE(p.offset == total);
      total += kPayloadHeaderSize + p.body.size();
      if (!p.body.empty()) REQUIRE(p.body.data() == v.data() + p.offset + kPayloadHeaderSize);
    }
    REQUIRE(total == v.size());
  });
  CHECK(accepted > 0);
}

TEST_CASE("Octets behind the last payload are refused, or taken as IKEv1's padding where asked for") {
  const Bytes chain = octets("00000005aa000000");
  CHECK_FALSE(walk_payloads(PayloadType::v1_vendor, chain));
  const auto padded = walk_payloads(PayloadType::v1_vendor, chain, Trailing::padding);
  REQUIRE(padded);
  CHECK(padded->size() == 1);
}

TEST_CASE("What follows the type of an encrypted payload is inside of it, and nothing may stand behind it") {
  for (const char* type : {"SK", "SKF"}) {
    const auto t = type == std::string("SK") ? PayloadType::encrypted : PayloadType::encrypted_fragment;
    const Bytes message = encrypted_prefix(sample_header(), t, PayloadType::id_initiator, 6);
    CHECK(message.size() == kHeaderSize + kPayloadHeaderSize);
    Bytes whole = message;
    const Bytes body = octets("000100010203");
    whole.insert(whole.end(), body.begin(), body.end());
    const auto header = parse_header(whole);
    REQUIRE(header);
    CHECK(header->first_payload == t);
    const auto payloads = walk_payloads(t, ByteView(whole).subspan(kHeaderSize));
    REQUIRE(payloads);
    REQUIRE(payloads->size() == 1);
    CHECK(payloads->front().next == PayloadType::id_initiator);
    CHECK(to_hex(payloads->front().body) == "000100010203");
    whole.push_back(0);
    CHECK_FALSE(walk_payloads(t, ByteView(whole).subspan(kHeaderSize)));
  }
}

TEST_CASE("The prefix of an encrypted message is the AAD of RFC 7634 appendix B") {
  Header h = sample_header();
  h.flags = 0;
  const Bytes prefix = encrypted_prefix(h, PayloadType::encrypted, PayloadType::notify, 0x29 - kPayloadHeaderSize);
  CHECK(to_hex(prefix) == "c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029");
}

TEST_CASE("More payloads than any honest message has are refused") {
  Bytes chain;
  for (std::size_t i = 0; i <= kMaxPayloads; ++i) {
    const std::uint8_t next = i == kMaxPayloads ? 0 : 43;
    chain.insert(chain.end(), {next, 0, 0, 4});
  }
  CHECK_FALSE(walk_payloads(PayloadType::vendor, chain));
  chain.resize(chain.size() - 4);
  chain[chain.size() - 4] = 0;
  CHECK(walk_payloads(PayloadType::vendor, chain));
}

TEST_CASE("A body that no length field can hold is a mistake that does not go unnoticed") {
  PayloadChain chain;
  CHECK_THROWS_AS(chain.add(PayloadType::certificate, Bytes(65532)), std::length_error);
  chain.add(PayloadType::certificate, Bytes(65531));
}

TEST_CASE("Exchanges and payloads are named, unknown ones by number") {
  CHECK(name(Exchange::ike_sa_init) == "IKE_SA_INIT");
  CHECK(name(static_cast<Exchange>(99)) == "exchange 99");
  CHECK(name(PayloadType::ts_initiator) == "TSi");
  CHECK(name(static_cast<PayloadType>(200)) == "payload 200");
  CHECK(understood_v2(PayloadType::eap));
  CHECK(understood_v2(PayloadType::encrypted_fragment));
  CHECK_FALSE(understood_v2(static_cast<PayloadType>(49)));
  CHECK_FALSE(understood_v2(PayloadType::v1_sa));
}

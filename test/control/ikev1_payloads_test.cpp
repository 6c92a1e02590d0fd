// IKEv1's payloads: known octets, what is refused, every truncation and mutation.
#include <algorithm>

#include "control/ikev1/fragments.h"
#include "control/ikev1/payloads.h"
#include "control/ikev1/sa_payload.h"
#include "control/ikev1/vendor_ids.h"
#include "test/support/catch.h"
#include "test/support/damage.h"
#include "test/support/hex.h"

namespace causeway::ikev1 {
namespace {

std::vector<ike::Proposal> proposals(ike::Protocol protocol, std::vector<std::string> texts) {
  return *ike::parse_proposals(protocol, texts, true);
}

TEST_CASE("IKEv1 payloads: an offer of phase 1 reads back as it was configured, transform by transform") {
  const auto ours = proposals(ike::Protocol::ike, {"aes128-sha1-modp1024", "3des-md5-modp768", "aes256-sha256-ecp256"});
  const ike::Bytes body = encode_phase1(ours, AuthMethod::psk, {.seconds = 86400, .kilobytes = {}});
  const auto transforms = decode_phase1(body);
  REQUIRE(transforms);
  REQUIRE(transforms->size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK((*transforms)[i].suite == ours[i]);
    CHECK((*transforms)[i].auth == AuthMethod::psk);
    CHECK((*transforms)[i].life.seconds == 86400);
  }
}

// As strongSwan 5.9.8 offers aes128-sha1-modp1024 with a PSK and 14400 s (captured): attributes in its own order.
TEST_CASE("IKEv1 payloads: strongSwan's offer of phase 1") {
  const auto body = test::octets(
      "00000001 00000001 0000002c 00 01 00 01 00000024 01 01 0000"
      "80010007 800e0080 80020002 80040002 80030001 800b0001 800c3840");
  const auto transforms = decode_phase1(body);
  REQUIRE(transforms);
  REQUIRE(transforms->size() == 1);
  CHECK(ike::Proposal(transforms->front().suite).str() == "aes128-sha1-modp1024");
  CHECK(transforms->front().life.seconds == 14400);
  // The answer holds the same transform, octet for octet (RFC 2408 4.2).
  CHECK(encode_answer(ike::Protocol::ike, transforms->front(), {}) == body);
}

TEST_CASE("IKEv1 payloads: phase 2 offers lifetimes in seconds and kilobytes, as TV and as TLV") {
  const auto ours = proposals(ike::Protocol::esp, {"aes128-sha1", "aes256gcm16"});
  const ike::Bytes body = encode_phase2(ours, crypto::KeyExchange::modp1024, 0xc0000001, Encapsulation::udp_tunnel,
                                        {.seconds = 43200, .kilobytes = 1843200});
  const auto transforms = decode_phase2(body);
  REQUIRE(transforms);
  REQUIRE(transforms->size() == 2);
  CHECK((*transforms)[0].suite.str() == "aes128-sha1-modp1024");
  CHECK((*transforms)[1].suite.str() == "aes256gcm16-modp1024");
  for (const Transform& t : *transforms) {
    CHECK(t.encapsulation == Encapsulation::udp_tunnel);
    CHECK(t.life == Lifetimes{43200, 1843200});
    CHECK(t.spi == ike::Bytes{0xc0, 0, 0, 1});
  }
}

TEST_CASE("IKEv1 payloads: ESP bundled with AH or IPComp is left out, other protocols too") {
  const auto ours = proposals(ike::Protocol::esp, {"aes128-sha1"});
  const ike::Bytes one = encode_phase2(ours, crypto::KeyExchange::none, 7, Encapsulation::tunnel, {});
  // The same proposal twice under one number: an AND.
  ike::Bytes two(one.begin(), one.end());
  two[8] = 2;
  two.insert(two.end(), one.begin() + 8, one.end());
  const auto transforms = decode_phase2(two);
  REQUIRE(transforms);
  CHECK(transforms->empty());
  CHECK(decode_phase1(one)->empty());
}

TEST_CASE("IKEv1 payloads: what IKEv1 cannot say is refused by name") {
  const auto why = [](ike::Protocol p, const char* text) { return inexpressible(*ike::Proposal::parse(p, text, true)); };
  CHECK(why(ike::Protocol::ike, "aes256gcm16-prfsha384-ecp384").find("aes256gcm16") != std::string::npos);
  CHECK(why(ike::Protocol::ike, "aes128-sha256-x25519").find("x25519") != std::string::npos);
  CHECK(why(ike::Protocol::ike, "aes128-sha1-prfsha256-modp2048") != "");
  CHECK(why(ike::Protocol::esp, "chacha20poly1305") != "");
  CHECK(why(ike::Protocol::esp, "aes256gcm16-esn") != "");
  CHECK(why(ike::Protocol::ike, "aes128-sha1-modp1024") == "");
  CHECK(why(ike::Protocol::esp, "aes256gcm16") == "");
}

TEST_CASE("IKEv1 payloads: client identities there and back") {
  for (const char* text : {"10.1.0.0/16", "0.0.0.0/0", "192.0.2.1/32", "2001:db8::/32", "::/0", "10.1.2.128/25"}) {
    const auto s = conf::Selector::of(*conf::Prefix::parse(text));
    const auto back = decode_selector(encode_selector(s));
    REQUIRE(back);
    CHECK(*back == s);
  }
  conf::Selector range = conf::Selector::of(*conf::Prefix::parse("10.0.0.0/24"));
  range.last = *conf::IpAddress::parse("10.0.0.9");
  range.protocol = 6;
  range.first_port = range.last_port = 443;
  CHECK(*decode_selector(encode_selector(range)) == range);
  CHECK(encode_selector(conf::Selector::of(*conf::Prefix::parse("10.1.0.0/16"))) ==
        test::octets("04 00 0000 0a010000 ffff0000"));
  CHECK_FALSE(decode_selector(test::octets("04 00 0000 0a010000 ff00ff00")));  // a mask with a hole
  CHECK_FALSE(decode_selector(test::octets("02 00 0000 61626364")));
}

TEST_CASE("IKEv1 payloads: vendor IDs") {
  ike::PayloadChain chain;
  add_vendors(chain, true);
  const auto raw = ike::walk_payloads(chain.first(), chain.bytes());
  REQUIRE(raw);
  std::vector<ike::Bytes> bodies;
  for (const auto& p : *raw) bodies.push_back(ike::to_bytes(p.body));
  PeerVendors v;
  v.read(bodies);
  CHECK(v.nat_traversal == NatTraversal::rfc3947);
  CHECK(v.dpd);
  CHECK(v.fragmentation);
  CHECK_FALSE(v.xauth);
  PeerVendors draft;
  const std::vector<ike::Bytes> ids{test::octets("90cb80913ebb696e086381b5ec427b1f")};
  draft.read(ids);
  CHECK(draft.nat_traversal == NatTraversal::draft_02);
}

TEST_CASE("IKEv1 payloads: fragments come together in any order, within bounds") {
  ike::Header h;
  h.major = 1;
  h.exchange = ike::Exchange::v1_main;
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::v1_certificate, ike::Bytes(5000, 0x5a));
  const ike::Bytes message = ike::assemble(h, chain);
  auto pieces = cut(message, 9);
  REQUIRE(pieces.size() == 5);
  const auto body = [](const ike::Bytes& d) { return ike::ByteView(d).subspan(ike::kHeaderSize + 4); };
  for (const bool reversed : {false, true}) {
    if (reversed) std::reverse(pieces.begin(), pieces.end());
    Reassembly r;
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
      CHECK_FALSE(r.add(body(pieces[i])));
      CHECK_FALSE(r.add(body(pieces[i])));  // twice
    }
    const auto whole = r.add(body(pieces.back()));
    REQUIRE(whole);
    CHECK(*whole == message);
    CHECK(r.empty());
  }
  Reassembly bounded;
  ike::Bytes huge(40'000, 0);
  huge[2] = 1;
  CHECK_FALSE(bounded.add(huge));
  CHECK(bounded.empty());
}

TEST_CASE("IKEv1 payloads: every truncation and mutation is decoded or refused, nothing else") {
  const auto ike_body = encode_phase1(proposals(ike::Protocol::ike, {"aes128-aes256-sha1-sha256-modp2048"}),
                                      AuthMethod::rsa, {.seconds = 86400, .kilobytes = {}});
  const auto esp_body = encode_phase2(proposals(ike::Protocol::esp, {"aes128-aes256-sha1"}), crypto::KeyExchange::ecp256,
                                      1, Encapsulation::tunnel, {.seconds = 100'000, .kilobytes = 5});
  test::each_damage(ike_body, [](auto d) { (void)decode_phase1(d); });
  test::each_damage(esp_body, [](auto d) { (void)decode_phase2(d); });
  NotifyPayload n;
  n.spi = ike::Bytes(16, 1);
  n.data = ike::Bytes(8, 2);
  test::each_damage(n.encode(), [](auto d) { (void)NotifyPayload::decode(d); });
  DeletePayload del;
  del.protocol = 3;
  del.spis = {ike::Bytes(4, 1), ike::Bytes(4, 2)};
  test::each_damage(del.encode(), [](auto d) { (void)DeletePayload::decode(d); });
  test::each_damage(encode_selector(conf::Selector::of(*conf::Prefix::parse("2001:db8::/32"))),
                    [](auto d) { (void)decode_selector(d); });
  Reassembly r;
  const ike::Bytes piece{0, 1, 1, 1, 5, 6, 7};
  test::each_damage(piece, [&](auto d) { (void)r.add(d); });
}

}  // namespace
}  // namespace causeway::ikev1

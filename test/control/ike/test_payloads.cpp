// Every payload: its wire form by hand, there and back, and damaged in every place.
#include <functional>

#include "control/ike/payloads.h"
#include "control/ikev2/sa_payload.h"
#include "test/support/catch.h"
#include "test/support/damage.h"
#include "test/support/hex.h"

using namespace causeway;
using namespace causeway::ike;
using test::octets;
using test::to_hex;

namespace {

conf::Selector selector(const char* prefix) { return conf::Selector::of(*conf::Prefix::parse(prefix)); }

// What decoding passes over cannot be written again: selectors of unknown types.
template <typename T>
bool leaves_out(const T&) {
  return false;
}
bool leaves_out(const TrafficSelectors& ts) { return ts.unknown != 0; }

// decode(encode(x)) == x, and whatever a damaged body decodes to survives the same way: a parser that takes in
// more than its writer gives out would be found here.
template <typename T>
void there_and_back(const T& value) {
  const Bytes body = value.encode();
  const auto again = T::decode(body);
  REQUIRE(again);
  CHECK(*again == value);
  int accepted = 0;
  test::each_damage(body, [&](ByteView damaged) {
    const auto decoded = T::decode(damaged);
    if (!decoded) {
      REQUIRE(decoded.error().kind == ParseError::Kind::syntax);
      REQUIRE_FALSE(decoded.error().text.empty());
      return;
    }
    ++accepted;
    if (leaves_out(*decoded)) return;
    const auto twice = T::decode(decoded->encode());
    REQUIRE(twice);
    REQUIRE(*twice == *decoded);
  });
  CHECK(accepted > 0);
}

Bytes payload_message(const std::function<void(PayloadChain&)>& fill) {
  PayloadChain chain;
  fill(chain);
  Header h;
  h.exchange = Exchange::ike_auth;
  return assemble(h, chain);
}

Parsed<Payloads> decode_message(ByteView message) {
  const auto header = parse_header(message);
  if (!header) return tl::unexpected(header.error());
  const auto raw = walk_payloads(header->first_payload, message.subspan(kHeaderSize));
  if (!raw) return tl::unexpected(raw.error());
  return decode_payloads(*raw);
}

// One message with each payload that a message may hold.
Bytes everything() {
  return payload_message([](PayloadChain& c) {
    const auto ike = *Proposal::parse(Protocol::ike, "aes256gcm16-prfsha384-ecp384", false);
    c.add(PayloadType::sa, ikev2::encode_sa(ikev2::numbered(std::vector{ike}, {})));
    c.add(PayloadType::key_exchange, KeyExchangePayload{crypto::KeyExchange::ecp256, Bytes(64, 7)}.encode());
    c.add(PayloadType::id_initiator, Identity::parse("gw.example.com")->encode());
    c.add(PayloadType::id_responder, Identity::parse("C=CN, CN=gw")->encode());
    c.add(PayloadType::certificate,
          CertificatePayload{CertificatePayload::Encoding::x509_signature, octets("3000")}.encode());
    c.add(
        PayloadType::certificate_request,
        CertificateRequestPayload{CertificatePayload::Encoding::x509_signature, {Bytes(20, 1), Bytes(20, 2)}}.encode());
    c.add(PayloadType::auth, AuthPayload{AuthPayload::Method::shared_key, Bytes(32, 3)}.encode());
    c.add(PayloadType::nonce, Bytes(32, 4));
    c.add(PayloadType::notify, NotifyPayload::of(NotifyType::initial_contact).encode());
    c.add(PayloadType::notify, NotifyPayload::of_child(NotifyType::rekey_sa, 0x01020304).encode());
    c.add(PayloadType::delete_sa, DeletePayload{Protocol::esp, {1, 2}}.encode());
    c.add(PayloadType::vendor, octets("010203"));
    c.add(PayloadType::ts_initiator,
          TrafficSelectors{{selector("10.1.0.0/16"), selector("2001:db8::/32")}, 0}.encode());
    c.add(PayloadType::ts_responder, TrafficSelectors{{selector("10.2.0.0/16")}, 0}.encode());
    c.add(PayloadType::configuration, octets("01000000"));
    c.add(PayloadType::eap, octets("02010004"));
    c.add(static_cast<PayloadType>(210), octets("99"));
  });
}

}  // namespace

TEST_CASE("KE: group, reserved octets, value") {
  const KeyExchangePayload p{crypto::KeyExchange::curve25519, octets("0102")};
  CHECK(to_hex(p.encode()) == "001f00000102");
  there_and_back(p);
  CHECK_FALSE(KeyExchangePayload::decode(octets("001f0000")));
}

TEST_CASE("CERT and CERTREQ: encoding, data; authorities are SHA-1 hashes") {
  there_and_back(CertificatePayload{CertificatePayload::Encoding::x509_signature, octets("308200")});
  const CertificateRequestPayload r{CertificatePayload::Encoding::x509_signature, {Bytes(20, 0xaa), Bytes(20, 0xbb)}};
  CHECK(r.encode().size() == 41);
  there_and_back(r);
  there_and_back(CertificateRequestPayload{CertificatePayload::Encoding::hash_and_url, {octets("0102")}});
  CHECK(CertificateRequestPayload::decode(octets("04")));
  CHECK_FALSE(CertificateRequestPayload::decode(Bytes(22, 4)));
}

TEST_CASE("AUTH: method, reserved octets, data") {
  const AuthPayload p{AuthPayload::Method::digital_signature, octets("aabb")};
  CHECK(to_hex(p.encode()) == "0e000000aabb");
  there_and_back(p);
}

TEST_CASE("Nonces have 16 to 256 octets") {
  for (const std::size_t n : {16u, 32u, 256u}) CHECK(decode_nonce(Bytes(n)));
  for (const std::size_t n : {0u, 1u, 15u, 257u}) CHECK_FALSE(decode_nonce(Bytes(n)));
}

TEST_CASE("N: protocol, SPI, type, data") {
  CHECK(to_hex(NotifyPayload::of(NotifyType::set_window_size, octets("0000000a")).encode()) == "000040010000000a");
  const auto rekey = NotifyPayload::of_child(NotifyType::rekey_sa, 0x01020304, octets("ff"));
  CHECK(to_hex(rekey.encode()) == "0304400901020304ff");
  CHECK(rekey.child_spi() == 0x01020304u);
  CHECK_FALSE(NotifyPayload::of(NotifyType::rekey_sa).child_spi());
  CHECK(NotifyPayload::of(NotifyType::invalid_ke_payload, octets("0014")).data_u16() == 20);
  CHECK_FALSE(NotifyPayload::of(NotifyType::invalid_ke_payload, octets("001400")).data_u16());
  there_and_back(rekey);
  there_and_back(NotifyPayload::of(NotifyType::cookie, Bytes(8, 1)));
  CHECK_FALSE(NotifyPayload::decode(octets("0303400901020304")));  // an ESP SPI of 3 octets
  CHECK(is_error(NotifyType::state_not_found));
  CHECK_FALSE(is_error(NotifyType::initial_contact));
  CHECK(name(NotifyType::no_proposal_chosen) == "NO_PROPOSAL_CHOSEN");
  CHECK(name(static_cast<NotifyType>(12345)) == "notify 12345");
}

TEST_CASE("D: SPIs of ESP have four octets, an IKE SA has none") {
  CHECK(to_hex(DeletePayload{Protocol::ike, {}}.encode()) == "01000000");
  CHECK(to_hex(DeletePayload{Protocol::esp, {0x01020304, 5}}.encode()) == "030400020102030400000005");
  there_and_back(DeletePayload{Protocol::esp, {0x01020304, 5, 6}});
  CHECK_FALSE(DeletePayload::decode(octets("01080001")));
  CHECK_FALSE(DeletePayload::decode(octets("0304000201020304")));
  CHECK_FALSE(DeletePayload::decode(octets("03040001010203040506")));
  CHECK_FALSE(DeletePayload::decode(octets("09040000")));
}

TEST_CASE("TS: ranges of both families with protocol and ports; unknown types are counted, not refused") {
  conf::Selector tcp = selector("10.1.0.0/16");
  tcp.protocol = 6;
  tcp.first_port = tcp.last_port = 443;
  const TrafficSelectors ts{{tcp, selector("2001:db8::/32")}, 0};
  CHECK(to_hex(ts.encode()) ==
        "02000000"
        "0706001001bb01bb0a0100000a01ffff"
        "080000280000ffff20010db800000000000000000000000020010db8ffffffffffffffffffffffff");
  there_and_back(ts);
  const auto with_unknown =
      TrafficSelectors::decode(octets("02000000 0900000c0000ffffaabbccdd 070000100000ffff0a0000000a0000ff"));
  REQUIRE(with_unknown);
  CHECK(with_unknown->unknown == 1);
  CHECK(with_unknown->selectors == std::vector{selector("10.0.0.0/24")});
}

TEST_CASE("TS: backward ranges, wrong counts and lengths are refused; OPAQUE ports are taken") {
  CHECK_FALSE(TrafficSelectors::decode(octets("00000000")));
  CHECK_FALSE(TrafficSelectors::decode(octets("01000000 070000100000ffff0a0000ff0a000000")));
  CHECK_FALSE(TrafficSelectors::decode(octets("01000000 07000010000200010a0000000a0000ff")));
  CHECK(TrafficSelectors::decode(octets("01000000 07000010ffff00000a0000000a0000ff")));
  CHECK_FALSE(TrafficSelectors::decode(octets("02000000 070000100000ffff0a0000000a0000ff")));
  CHECK_FALSE(TrafficSelectors::decode(octets("01000000 070000100000ffff0a0000000a0000ff00")));
  CHECK_FALSE(TrafficSelectors::decode(octets("01000000 0700000f0000ffff0a0000000a0000")));
  CHECK_FALSE(TrafficSelectors::decode(octets("01000000 070000030000")));
}

TEST_CASE("SK and SKF: what is sealed, and the octets before it") {
  Header h;
  Bytes message = encrypted_prefix(h, PayloadType::encrypted, PayloadType::notify, 5);
  const Bytes sealed = octets("0102030405");
  message.insert(message.end(), sealed.begin(), sealed.end());
  const auto sk =
      decode_encrypted(message, walk_payloads(PayloadType::encrypted, ByteView(message).subspan(kHeaderSize))->front());
  REQUIRE(sk);
  CHECK_FALSE(sk->is_fragment);
  CHECK(sk->first_inside == PayloadType::notify);
  CHECK(to_hex(sk->sealed) == "0102030405");
  CHECK(sk->aad.size() == message.size() - 5);

  message = encrypted_prefix(h, PayloadType::encrypted_fragment, PayloadType::notify, 7);
  const Bytes fragment = octets("00010003aabbcc");
  message.insert(message.end(), fragment.begin(), fragment.end());
  const auto decode = [&] {
    return decode_encrypted(
        message, walk_payloads(PayloadType::encrypted_fragment, ByteView(message).subspan(kHeaderSize))->front());
  };
  const auto skf = decode();
  REQUIRE(skf);
  CHECK(skf->is_fragment);
  CHECK(skf->fragment == 1);
  CHECK(skf->total == 3);
  CHECK(to_hex(skf->sealed) == "aabbcc");
  CHECK(skf->aad.size() == message.size() - 3);  // with the fragment numbers (RFC 7383 2.5)
  const std::size_t numbers = kHeaderSize + kPayloadHeaderSize;
  message[numbers + 1] = 2;  // a second fragment that names a payload type
  CHECK_FALSE(decode());
  message[kHeaderSize] = 0;
  CHECK(decode());
  message[numbers + 1] = 4;  // 4 of 3
  CHECK_FALSE(decode());
  message[numbers + 1] = 0;
  CHECK_FALSE(decode());
}

TEST_CASE("All payloads of a message come out by their role") {
  const auto p = decode_message(everything());
  REQUIRE(p);
  CHECK(p->sa);
  REQUIRE(p->key_exchange);
  CHECK(p->key_exchange->group == crypto::KeyExchange::ecp256);
  CHECK(p->id_initiator->str() == "gw.example.com");
  CHECK(p->id_responder->str() == "C=CN, CN=gw");
  CHECK(p->certificates.size() == 1);
  CHECK(p->certificate_requests.size() == 1);
  CHECK(p->auth->data == Bytes(32, 3));
  CHECK(p->nonce == Bytes(32, 4));
  CHECK(p->notifies.size() == 2);
  REQUIRE(p->find(NotifyType::rekey_sa) != nullptr);
  CHECK(p->find(NotifyType::rekey_sa)->child_spi() == 0x01020304u);
  CHECK(p->find(NotifyType::cookie) == nullptr);
  CHECK(p->error() == nullptr);
  CHECK(p->data_of(NotifyType::initial_contact) == std::vector<Bytes>{{}});
  CHECK(p->deletes.size() == 1);
  CHECK(p->vendors.size() == 1);
  CHECK(p->ts_initiator->selectors.size() == 2);
  CHECK(p->ts_responder->selectors.size() == 1);
  CHECK(p->configuration == octets("01000000"));
  CHECK(p->eap == octets("02010004"));
  CHECK(p->ignored == std::vector{static_cast<PayloadType>(210)});
}

TEST_CASE("Any damage to any octet of a message is refused or read within its octets") {
  const Bytes message = everything();
  int refused = 0, taken = 0;
  test::each_truncation(message, [&](ByteView v) { CHECK_FALSE(decode_message(v)); });
  test::each_mutation(message, [&](ByteView v) {
    const auto p = decode_message(v);
    p ? ++taken : ++refused;
    if (!p) REQUIRE_FALSE(p.error().text.empty());
    if (p && p->sa) (void)ikev2::decode_sa(*p->sa);
  });
  CHECK(refused > 100);
  CHECK(taken > 100);
}

TEST_CASE("An unknown payload is ignored, and refused with its type where it is critical") {
  const auto with = [](PayloadType t, bool critical) {
    return decode_message(payload_message([&](PayloadChain& c) {
      c.add(PayloadType::nonce, Bytes(3));  // broken on purpose: the critical payload must be told first
      c.add(t, octets("01"), critical);
    }));
  };
  const auto unknown = with(static_cast<PayloadType>(250), true);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().kind == ParseError::Kind::unsupported_critical);
  CHECK(unknown.error().payload == 250);
  CHECK(with(static_cast<PayloadType>(250), false).error().kind == ParseError::Kind::syntax);
  // The critical bit on a payload that is known has no meaning (RFC 7296 2.5).
  CHECK(with(PayloadType::vendor, true).error().kind == ParseError::Kind::syntax);
  CHECK(decode_message(payload_message([](PayloadChain& c) { c.add(PayloadType::vendor, octets("01"), true); })));
  // IKEv1's numbers mean nothing in IKEv2.
  CHECK(with(PayloadType::v1_sa, true).error().kind == ParseError::Kind::unsupported_critical);
}

TEST_CASE("What may stand once and stands twice is refused") {
  const std::vector<std::pair<PayloadType, Bytes>> once = {
      {PayloadType::sa, octets("00")},
      {PayloadType::key_exchange, octets("0013000001")},
      {PayloadType::id_initiator, octets("0200000061")},
      {PayloadType::id_responder, octets("0200000061")},
      {PayloadType::auth, octets("0200000061")},
      {PayloadType::nonce, Bytes(16)},
      {PayloadType::ts_initiator, TrafficSelectors{{selector("10.0.0.0/8")}, 0}.encode()},
      {PayloadType::ts_responder, TrafficSelectors{{selector("10.0.0.0/8")}, 0}.encode()},
      {PayloadType::configuration, octets("01")},
      {PayloadType::eap, octets("01")},
  };
  for (const auto& [type, body] : once) {
    CAPTURE(name(type));
    const auto times = [type = type, &body = body](int n) {
      return decode_message(payload_message([&](PayloadChain& c) {
        for (int i = 0; i < n; ++i) c.add(type, body);
      }));
    };
    CHECK(times(1));
    CHECK_FALSE(times(2));
  }
}

TEST_CASE("The first error notify is found among status ones") {
  const auto p = decode_message(payload_message([](PayloadChain& c) {
    c.add(PayloadType::notify, NotifyPayload::of(NotifyType::initial_contact).encode());
    c.add(PayloadType::notify, NotifyPayload::of(NotifyType::ts_unacceptable).encode());
  }));
  REQUIRE(p);
  REQUIRE(p->error() != nullptr);
  CHECK(p->error()->type == NotifyType::ts_unacceptable);
}

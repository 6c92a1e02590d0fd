// Writes first inputs for the targets: DIR/<target>/seed-NN. They need not be kept in step with the code; what the
// fuzzers found on top of them is what the corpus is worth.
//
//   build-fuzz/test/fuzz/seeds test/fuzz/corpus
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

#include "control/ike/payloads.h"
#include "control/ikev2/sa_payload.h"
#include "crypto/signature.h"
#include "test/fuzz/fuzz.h"
#include "test/support/certificates.h"
#include "test/support/ike_pair.h"
#include "test/support/packets.h"

namespace {

using namespace causeway;
using fuzz::Bytes;

std::filesystem::path folder;
std::map<std::string, int> numbers;

void seed(const std::string& target, const Bytes& bytes) {
  std::filesystem::create_directories(folder / target);
  const std::string name = "seed-" + std::to_string(100 + numbers[target]++);
  std::ofstream(folder / target / name, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}
void seed(const std::string& target, std::string_view text) { seed(target, Bytes(text.begin(), text.end())); }

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

void ike_messages() {
  for (const std::string suite : {"aes128gcm16-prfsha256-x25519", "aes256-sha256-ecp256", "aes128-sha1-modp2048"}) {
    test::IkePair pair({.seed = 3, .adjust = [&](ike::PeerSettings& s, bool) { s.config.ike.proposals = {suite}; }});
    pair.start(pair.a);
    pair.run(ike::Time{3000}, [&] { return pair.both_up(); });
    for (const auto& datagram : pair.history) seed("ike_message", datagram.bytes);
  }
}

// [type, body] as ike_peer reads them; the same as a chain for ike_inside.
using Chain = std::vector<std::pair<ike::PayloadType, Bytes>>;
Bytes as_steps(const Chain& chain) {
  Bytes out{static_cast<std::uint8_t>(chain.size())};
  for (const auto& [type, body] : chain) {
    out.push_back(static_cast<std::uint8_t>(static_cast<unsigned>(type) - 33));
    if (body.size() < 255) {
      out.push_back(static_cast<std::uint8_t>(body.size()));
    } else {
      out.insert(out.end(), {255, static_cast<std::uint8_t>(body.size() >> 8), static_cast<std::uint8_t>(body.size())});
    }
    out.insert(out.end(), body.begin(), body.end());
  }
  return out;
}
Bytes as_chain(const Chain& chain) {
  ike::PayloadChain payloads;
  for (const auto& [type, body] : chain) payloads.add(type, body);
  return joined({{static_cast<std::uint8_t>(payloads.first())}, ike::to_bytes(payloads.bytes())});
}

std::vector<Chain> chains() {
  using ike::NotifyPayload;
  using ike::NotifyType;
  using ike::PayloadType;
  const auto settings = test::pair_settings(false);
  const auto esp = *ike::Proposal::parse(ike::Protocol::esp, "aes128gcm16", false);
  const auto esp_pfs = *ike::Proposal::parse(ike::Protocol::esp, "aes128gcm16-x25519", false);
  const auto ike_suite = *ike::Proposal::parse(ike::Protocol::ike, "aes128gcm16-prfsha256-x25519", false);
  const Bytes spi{1, 2, 3, 4}, long_spi{1, 2, 3, 4, 5, 6, 7, 8}, nonce(32, 9), point(32, 5);
  const auto sa = [](const ike::Proposal& p, const Bytes& s) {
    return ikev2::encode_sa(ikev2::numbered(std::span(&p, 1), s));
  };
  const Bytes ke = ike::KeyExchangePayload{crypto::KeyExchange::curve25519, point}.encode();
  const Bytes ts_a = ike::TrafficSelectors{settings.children[0].selectors.local, 0}.encode();
  const Bytes ts_b = ike::TrafficSelectors{settings.children[0].selectors.remote, 0}.encode();
  const auto notify = [](const NotifyPayload& n) { return std::pair{PayloadType::notify, n.encode()}; };
  std::vector<Chain> out;
  out.push_back({});
  out.push_back({{PayloadType::sa, sa(esp, spi)},
                 {PayloadType::nonce, nonce},
                 {PayloadType::ts_initiator, ts_a},
                 {PayloadType::ts_responder, ts_b}});
  out.push_back({{PayloadType::sa, sa(esp_pfs, spi)},
                 {PayloadType::nonce, nonce},
                 {PayloadType::key_exchange, ke},
                 {PayloadType::ts_initiator, ts_a},
                 {PayloadType::ts_responder, ts_b}});
  out.push_back({notify(NotifyPayload::of_child(NotifyType::rekey_sa, 0xdeadbeef)),
                 {PayloadType::sa, sa(esp_pfs, spi)},
                 {PayloadType::nonce, nonce},
                 {PayloadType::key_exchange, ke},
                 {PayloadType::ts_initiator, ts_a},
                 {PayloadType::ts_responder, ts_b}});
  out.push_back(
      {{PayloadType::sa, sa(ike_suite, long_spi)}, {PayloadType::nonce, nonce}, {PayloadType::key_exchange, ke}});
  out.push_back({{PayloadType::delete_sa, ike::DeletePayload{ike::Protocol::ike, {}}.encode()}});
  out.push_back({{PayloadType::delete_sa, ike::DeletePayload{ike::Protocol::esp, {0xdeadbeef}}.encode()}});
  for (const NotifyType type :
       {NotifyType::temporary_failure, NotifyType::child_sa_not_found, NotifyType::no_additional_sas,
        NotifyType::invalid_ke_payload, NotifyType::authentication_failed, NotifyType::initial_contact,
        NotifyType::additional_ts_possible, NotifyType::cookie, NotifyType::use_transport_mode,
        NotifyType::invalid_syntax})
    out.push_back({notify(NotifyPayload::of(type, {0, 31}))});
  const Bytes id = ike::Identity::of(settings.local.address).encode();
  out.push_back({{PayloadType::id_initiator, id},
                 {PayloadType::id_responder, id},
                 {PayloadType::auth, ike::AuthPayload{ike::AuthPayload::Method::shared_key, Bytes(32, 3)}.encode()},
                 {PayloadType::sa, sa(esp, spi)},
                 {PayloadType::ts_initiator, ts_a},
                 {PayloadType::ts_responder, ts_b}});
  out.push_back({{PayloadType::certificate, ike::CertificatePayload{{}, Bytes(40, 3)}.encode()},
                 {PayloadType::certificate_request, ike::CertificateRequestPayload{{}, {Bytes(20, 1)}}.encode()}});
  return out;
}

void ike_insides() {
  for (const Chain& chain : chains()) {
    seed("ike_inside", as_chain(chain));
    for (const std::uint8_t mode : {0, 1}) {
      // A request in each exchange; the answer to a rekey of the engine's, of the child and of the IKE SA.
      for (const std::uint8_t exchange : {0, 1}) seed("ike_peer", joined({{mode, 0, exchange}, as_steps(chain)}));
      for (const std::uint8_t what : {0x05, 0x0d}) seed("ike_peer", joined({{mode, what, 0, 2, 1}, as_steps(chain)}));
    }
    seed("ike_peer", joined({{3, 0, 2}, as_steps(chain)}));
    seed("ike_peer", joined({{2, 2, 2}, as_steps(chain)}));
  }
}

// Every way to start, every setting, on a wire that carries all; two commands each, so that every rekey, delete and
// further child is begun by either side and by both.
void sessions(const std::string& target, std::initializer_list<std::uint8_t> starts) {
  const Bytes arrives(14, 11), fewer(8, 11);
  for (const std::uint8_t start : starts)
    for (const std::uint8_t settings : {0, 1, 2, 3, 4, 8, 16, 19, 32, 64, 128, 131})
      for (const std::uint8_t first : {0, 2, 4, 6, 8, 10})
        seed(target, joined({{start, settings},
                             arrives,
                             {20, first},
                             fewer,
                             {30, static_cast<std::uint8_t>(first + 1)},
                             fewer,
                             {30}}));
}

// Every way to prove oneself, with one child or several, and what goes with octet 0's other bits: rekeyed by either side,
// by both in one moment, left to its lifetimes, closed.
void proofs(const std::string& target, unsigned shift, std::initializer_list<std::uint8_t> further) {
  const Bytes arrives(16, 11);
  for (unsigned proof = 0; proof < 16; ++proof)
    for (const std::uint8_t more : further)
      for (const std::uint8_t start : {1, 2})
        for (const std::uint8_t settings : {0, 3, 8, 20, 64, 128, 131, 195}) {
          const auto first = static_cast<std::uint8_t>(start | proof << shift | more);
          seed(target, joined({{first, settings}, arrives, {20, 2}, arrives, {30, 16}, arrives, {200, 18}, {250, 19},
                               {250, 10}}));
          seed(target, joined({{first, settings}, arrives, {20, 1, 0, 2, 0, 0, 0, 3}, arrives, {250, 18}}));
        }
}

// One session in which each message in turn meets each fate, or from which on nothing arrives any more.
void whims(const std::string& target, std::initializer_list<std::uint8_t> starts) {
  for (const std::uint8_t start : starts)
    for (const std::uint8_t settings : {0, 3, 128})
      for (std::size_t n = 0; n < 12; ++n) {
        const Bytes before(n, 11), after(16, 11);
        for (const Bytes& fate : {Bytes{0}, Bytes{1}, Bytes{5, 0, 0, 40, 7}, Bytes{8}, Bytes{9, 0, 3, 1, 2, 3},
                                  Bytes{9, 1, 2, 0, 19}, Bytes{9, 2, 0}, Bytes(40, 0)})
          seed(target, joined({{start, settings}, before, fate, after, {20, 1, 0, 2}, after, {250, 18}}));
      }
}

void certificates() {
  const test::TestKey root_key = test::TestKey::of(test::KeyKind::p256),
                      key = test::TestKey::of(test::KeyKind::rsa2048);
  const test::CertificateSpec root{
      .subject = "C=CN, O=Causeway Test, CN=Root",
      .issuer = {},
      .extensions = {{"basicConstraints", "critical,CA:TRUE"}, {"nameConstraints", "permitted;DNS:example.com"}}};
  const test::CertificateSpec gw{
      .subject = "CN=gw",
      .issuer = root.subject,
      .extensions = {{"subjectAltName", "DNS:gw.example.com,IP:192.0.2.1,email:a@example.com"},
                     {"keyUsage", "digitalSignature"},
                     {"extendedKeyUsage", "ipsecIKE"}}};
  const Bytes root_der = test::make_certificate(root, root_key, root_key),
              gw_der = test::make_certificate(gw, key, root_key);
  const Bytes crl = test::make_crl({.issuer = root.subject, .revoked = {3, 4}}, root_key);
  const std::string pem = test::to_pem("CERTIFICATE", gw_der) + test::to_pem("CERTIFICATE", root_der);
  seed("certificate", joined({{0, 0}, root_der}));
  seed("certificate", joined({{0, 0}, gw_der}));
  seed("certificate", joined({{0, 0}, Bytes(pem.begin(), pem.end())}));
  seed("certificate", joined({{2, 0}, crl}));
  const std::string private_key = root_key.pem();
  seed("certificate", joined({{3, 0}, Bytes(private_key.begin(), private_key.end())}));
  seed("certificate", joined({{3, 0}, key.spki()}));
  const Bytes data(64, 2);  // not what the target verifies against
  const std::array hashes{crypto::Hash::sha2_256};
  for (const auto& [number, kind] :
       {std::pair<std::uint8_t, test::KeyKind>{0, test::KeyKind::rsa2048}, {1, test::KeyKind::p256}}) {
    const std::string text = test::TestKey::of(kind).pem();
    const auto signer =
        crypto::PrivateKey::parse(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
    seed("certificate", joined({{1, number}, signer->sign(data, hashes)->data}));
    seed("certificate", joined({{1, static_cast<std::uint8_t>(number * 5 + 4)}, signer->sign(data, {})->data}));
  }
}

void texts() {
  for (const char* text : {"10.1.2.3", "2001:db8::1/64", "10.1.0.0/16[tcp/8000-8080]", "10.1.0.1-10.1.0.9", "1h30m",
                           "1800MB", "aes256gcm16-prfsha384-ecp384", "aes128-aes256-sha1-sha256-modp2048-esn",
                           "chacha20poly1305-prfsha256-x25519-ke1_mlkem768", "C=CN, O=Example, CN=gw",
                           "@gw.example.com", "admin@example.com", "keyid:#0a0b", "0x00112233", "0sAAECAwQ="})
    seed("values", std::string_view(text));
  for (const char* text :
       {R"({"cmd":"status"})", R"({"cmd":"show","tunnel":"hangzhou"})", R"({"cmd":"show-port","port":"wan"})",
        R"({"cmd":"up","tunnel":"hangzhou","timeout":30,"wait":true})", R"({"cmd":"down","tunnel":"hangzhou"})",
        R"({"cmd":"rekey","tunnel":"hangzhou","child":"net"})", R"({"cmd":"counters"})", R"({"cmd":"routes"})",
        R"({"cmd":"neighbors"})", R"({"cmd":"log","follow":false})"})
    seed("admin", std::string_view(text));
}

Bytes inner_seed() {
  return test::udp_packet({.source = "10.2.0.7", .destination = "10.1.0.5"}, 1, 2, test::counting(72));
}

void frames() {
  using namespace test;
  const Bytes us = mac_address("02:00:00:00:00:01"), peer = mac_address("02:00:00:00:00:02");
  const Ipv4Fields to{.source = "198.51.100.9", .destination = "192.0.2.1"};
  const Bytes ip[] = {
      udp_packet(to, 500, 500, counting(44)),
      udp_packet(to, 4500, 4500, counting(44)),
      ipv4({.source = "198.51.100.9", .destination = "192.0.2.1", .protocol = 50}, counting(44)),
      ipv4({.source = "198.51.100.9", .destination = "192.0.2.1", .protocol = 1}, icmp(8, 0, 1, counting(40))),
      ipv4({.source = "198.51.100.9", .destination = "192.0.2.1", .protocol = 1},
           icmp(3, 4, 1400,
                udp_packet({.source = "192.0.2.1", .destination = "198.51.100.9"}, 4500, 4500, counting(16)))),
      udp_packet({.source = "10.1.0.9", .destination = "10.2.0.9"}, 9, 9, counting(40)),
      fragments_of(udp_packet(to, 500, 500, counting(64)), 32)[0],
      fragments_of(udp_packet(to, 500, 500, counting(64)), 32)[1]};
  Bytes all;
  const auto add = [&](std::uint8_t port, Bytes frame) {
    frame.resize((frame.size() + 7) / 8 * 8);
    const Bytes one = joined({{port, static_cast<std::uint8_t>(frame.size() / 8)}, frame});
    seed("frames", one);
    all.insert(all.end(), one.begin(), one.end());
  };
  for (const Bytes& packet : ip) add(0, ethernet(us, peer, 0x0800, packet));
  add(1, ethernet(us, peer, 0x0800, ip[5]));
  add(0, ethernet(Bytes(6, 0xff), peer, 0x0806, arp(true, peer, "192.0.2.9", Bytes(6), "192.0.2.1")));
  seed("frames", all);
  seed("fragments", Bytes{0x10, 0, 16, 1, 0x10, 8, 16, 1, 0x00, 16, 4, 1});
  seed("fragments", Bytes{0x00, 16, 4, 1, 0x10, 8, 16, 1, 0x10, 0, 16, 1, 0x10, 4, 16, 1});
  seed("neighbors", Bytes{0, 1, 0, 3, 1, 1, 0, 2, 4, 0, 2, 4, 0, 3, 4, 2, 1, 200, 4, 7, 0, 69, 0, 0});
  // flags, type, code, four octets, body: echo, fragmentation needed, packet too big, solicitation and advertisement
  const Bytes quoted4 = udp_packet({.source = "192.0.2.1", .destination = "198.51.100.9"}, 4500, 4500, counting(16));
  const Bytes target = ipv6_address("2001:db8::1"), link{1, 1, 2, 0, 0, 0, 0, 0x99};
  seed("icmp", joined({{0, 8, 0, 0, 0, 0, 1}, counting(40)}));
  seed("icmp", joined({{0, 3, 4, 0, 0, 5, 0}, quoted4}));
  seed("icmp", joined({{6, 8, 0, 0, 0, 0, 1}, counting(100)}));
  seed("icmp", joined({{1, 128, 0, 0, 0, 0, 1}, counting(40)}));
  seed("icmp",
       joined({{1, 2, 0, 0, 0, 5, 0},
               udp6_packet({.source = "2001:db8::1", .destination = "2001:db8::9"}, 4500, 4500, counting(30))}));
  seed("icmp", joined({{1, 135, 0, 0, 0, 0, 0}, target, link}));
  seed("icmp", joined({{1, 136, 0, 0x60, 0, 0, 0}, target, {2}, Bytes(link.begin() + 1, link.end())}));
  for (std::uint8_t sa = 0; sa < 6; ++sa) {
    seed("esp_inbound", joined({{0, sa, 0, 16}, counting(30)}));
    seed("esp_inbound", joined({{1, sa, 0, 0, 0, 100}, inner_seed(), {sa, 1, 0, 30, 1}}));
    seed("esp_outbound", joined({{sa, static_cast<std::uint8_t>(sa & 1), 0, 200}, inner_seed()}));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: seeds DIRECTORY\n";
    return 2;
  }
  folder = argv[1];
  ike_messages();
  ike_insides();
  sessions("ike_session", {1, 2, 3});
  sessions("ikev1_session", {1, 2, 3, 5, 6});
  proofs("ike_session", 2, {0, 64, 128, 192});
  proofs("ikev1_session", 3, {0, 4, 128, 132});
  whims("ike_session", {1, 5, 2});
  whims("ikev1_session", {1, 5, 9, 13});
  certificates();
  texts();
  frames();
  return 0;
}

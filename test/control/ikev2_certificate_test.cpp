// Certificates in IKE_AUTH between two of ours: every kind of key, and every refusal by its own reason.
#include "test/crypto/pki.h"
#include "test/support/ike_pair.h"

namespace causeway {
namespace {

using test::IkePair;
using test::KeyKind;
using test::Pki;
using test::Time;

// Side a is gw "a.example.com", side b "b.example.com", each below root > sub of its own Pki `of`.
struct Site {
  std::shared_ptr<const crypto::Credential> credential;
  std::shared_ptr<const crypto::TrustStore> trust;
};

std::span<const std::uint8_t> octets(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::shared_ptr<const crypto::Credential> credential_of(const Pki& pki, bool with_sub = true) {
  auto key = crypto::PrivateKey::parse(octets(pki.gw_key.pem()));
  REQUIRE(key);
  std::vector<crypto::Certificate> chain{pki.gw_certificate()};
  if (with_sub) chain.push_back(pki.sub_certificate());
  auto made = crypto::Credential::make(std::move(chain), *key);
  REQUIRE(made);
  return std::make_shared<const crypto::Credential>(std::move(*made));
}

std::shared_ptr<const crypto::TrustStore> trust_of(const Pki& pki) {
  return std::make_shared<const crypto::TrustStore>(pki.store());
}

Pki pki_of(const std::string& name, KeyKind gw = KeyKind::p256) {
  Pki pki(KeyKind::p256, KeyKind::p256, gw);
  pki.gw.subject = "C=CN, O=Causeway Test, CN=" + name;
  Pki::set(pki.gw, "subjectAltName", "DNS:" + name);
  return pki;
}

test::PairOptions with_certificates(const Site& a, const Site& b) {
  return {.adjust = [a, b](ike::PeerSettings& s, bool is_b) {
    s.config.auth = conf::AuthMethod::cert;
    s.config.local_id = is_b ? "b.example.com" : "a.example.com";
    s.config.remote_id = is_b ? "a.example.com" : "b.example.com";
    s.credential = is_b ? b.credential : a.credential;
    s.trust = is_b ? b.trust : a.trust;
    s.psk = {};
  }};
}

TEST_CASE("IKEv2 certificates: every kind of key proves both sides, in pieces where the path needs them") {
  const KeyKind kind =
      GENERATE(KeyKind::rsa2048, KeyKind::rsa3072, KeyKind::p256, KeyKind::p384, KeyKind::p521, KeyKind::ed25519);
  const Pki a = pki_of("a.example.com", kind), b = pki_of("b.example.com", kind);
  IkePair pair(with_certificates({credential_of(a), trust_of(b)}, {credential_of(b), trust_of(a)}));
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  for (const auto& r : pair.a.ike_closed) UNSCOPED_INFO("a: " << r.text);
  for (const auto& r : pair.b.ike_closed) UNSCOPED_INFO("b: " << r.text);
  REQUIRE(pair.both_up());
  CHECK(pair.difference().empty());
  CHECK(pair.a.ike()->status().remote_id == "b.example.com");
  for (const auto& d : pair.history) CHECK(d.bytes.size() <= 1280 - 28);
}

TEST_CASE("IKEv2 certificates: a path that takes no large pieces gets small ones after some tries") {
  const Pki a = pki_of("a.example.com", KeyKind::rsa3072), b = pki_of("b.example.com", KeyKind::rsa3072);
  IkePair pair(with_certificates({credential_of(a), trust_of(b)}, {credential_of(b), trust_of(a)}));
  pair.wire = [](const test::InFlight& d) {
    if (d.to_b && d.bytes.size() > 700) return test::Fate{};
    return test::Fate{{Time{20}, std::nullopt}};
  };
  pair.start(pair.a);
  pair.run(Time{60'000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
}

TEST_CASE("IKEv2 certificates: the certificate's subject is the identity where no other is set") {
  const Pki a = pki_of("a.example.com"), b = pki_of("b.example.com");
  auto options = with_certificates({credential_of(a), trust_of(b)}, {credential_of(b), trust_of(a)});
  options.adjust = [inner = options.adjust](ike::PeerSettings& s, bool is_b) {
    inner(s, is_b);
    s.config.local_id.clear();
    s.config.remote_id = is_b ? "C=CN, O=Causeway Test, CN=a.example.com" : "any";
  };
  IkePair pair(options);
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
  CHECK(pair.a.ike()->status().remote_id == "C=CN, O=Causeway Test, CN=b.example.com");
}

struct Refusal {
  std::string name;  // what the reason must say
  std::function<void(Pki&)> spoil;
};

const std::vector<Refusal>& refusals() {
  static const std::vector<Refusal> all = {
      {"expired", [](Pki& p) { p.gw.not_after = test::day(10); }},
      {"not yet valid", [](Pki& p) { p.gw.not_before = test::day(100); }},
      {"unknown CA",
       [](Pki& p) {
         p.root.subject = "C=CN, O=Somebody Else, CN=Root";
         p.sub.issuer = p.root.subject;
         p.root_key = test::TestKey::of(KeyKind::p256, 20);
       }},
      {"revoked", [](Pki&) {}},  // by the list, below
      {"wrong identity", [](Pki& p) { Pki::set(p.gw, "subjectAltName", "DNS:other.example.com"); }},
      {"weak key", [](Pki& p) { p.gw_key = test::TestKey::of(KeyKind::rsa1024, 3); }},
      {"chain too long", [](Pki& p) { Pki::set(p.root, "basicConstraints", "critical,CA:TRUE,pathlen:0"); }},
      {"not a CA", [](Pki& p) { Pki::set(p.sub, "basicConstraints", "critical,CA:FALSE"); }},
      {"key usage", [](Pki& p) { Pki::set(p.gw, "keyUsage", "critical,keyAgreement"); }},
      {"name constraints", [](Pki& p) { Pki::set(p.sub, "nameConstraints", "critical,permitted;DNS:example.org"); }},
  };
  return all;
}

TEST_CASE("IKEv2 certificates: each bad one is refused with its own reason, by the initiator and by the responder") {
  const bool spoil_a = GENERATE(false, true);
  for (const Refusal& refusal : refusals()) {
    INFO(refusal.name << ", the bad one is " << (spoil_a ? "the initiator's" : "the responder's"));
    Pki good_a = pki_of("a.example.com"), good_b = pki_of("b.example.com");
    Pki a = good_a, b = good_b;
    refusal.spoil(spoil_a ? a : b);
    const auto trust = [&](const Pki& good, const Pki& actual, bool is_bad) {
      if (!is_bad) return trust_of(good);
      // A path length that forbids is the trusted root's own; a foreign root is not trusted.
      crypto::TrustStore store;
      store.add_ca(refusal.name == "chain too long" ? actual.root_certificate() : good.root_certificate());
      if (refusal.name == "revoked") {
        const auto list = test::make_crl(
            {.issuer = test::kSub, .this_update = test::day(0), .next_update = test::day(60), .revoked = {3}},
            good.sub_key);
        REQUIRE(store.add_crls(list));
      }
      return std::make_shared<const crypto::TrustStore>(std::move(store));
    };
    auto options = with_certificates({credential_of(a), trust(good_b, b, !spoil_a)},
                                     {credential_of(b), trust(good_a, a, spoil_a)});
    options.adjust = [inner = options.adjust, spoil_a](ike::PeerSettings& s, bool is_b) {
      inner(s, is_b);
      s.config.legacy = is_b != spoil_a;  // else a weak key would not even sign
    };
    IkePair pair(options);
    pair.start(pair.a);
    pair.run(Time{120'000});
    REQUIRE(pair.both_down());
    REQUIRE(pair.stuck().empty());
    const auto& judge = spoil_a ? pair.b : pair.a;
    REQUIRE_FALSE(judge.ike_closed.empty());
    const ike::Reason& reason = judge.ike_closed.front();
    CHECK(reason.cause == ike::Cause::certificate);
    CHECK(reason.text.find("(" + refusal.name + ")") != std::string::npos);
    INFO(reason.text);
    if (spoil_a) {
      REQUIRE_FALSE(pair.a.ike_closed.empty());
      CHECK(pair.a.ike_closed.front().cause == ike::Cause::peer_refused_authentication);
      CHECK(pair.a.ike_closed.front().text.find("certificate") != std::string::npos);
    }
  }
}

TEST_CASE("IKEv2 certificates: a pre-shared key where a certificate is asked for, and the other way round") {
  const Pki a = pki_of("a.example.com"), b = pki_of("b.example.com");
  auto options = with_certificates({credential_of(a), trust_of(b)}, {credential_of(b), trust_of(a)});
  const bool a_has_psk = GENERATE(false, true);
  options.adjust = [inner = options.adjust, a_has_psk](ike::PeerSettings& s, bool is_b) {
    const auto psk = s.psk;
    inner(s, is_b);
    if (is_b == a_has_psk) return;
    s.config.auth = conf::AuthMethod::psk;
    s.psk = psk;
  };
  IkePair pair(options);
  pair.start(pair.a);
  pair.run(Time{120'000});
  REQUIRE(pair.both_down());
  CHECK(pair.b.ike_closed.front().text.find("another method") != std::string::npos);
}

}  // namespace
}  // namespace causeway

// Certificates in IKE_AUTH between two of ours: every kind of key, and every refusal by its own reason.
#include "test/control/certificate_pair.h"

namespace causeway {
namespace {

using test::credential_of;
using test::IkePair;
using test::KeyKind;
using test::Pki;
using test::pki_of;
using test::Refusal;
using test::refusals;
using test::trust_against;
using test::trust_of;
using test::with_certificates;
using test::Time;

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

TEST_CASE("IKEv2 certificates: each bad one is refused with its own reason, by the initiator and by the responder") {
  const bool spoil_a = GENERATE(false, true);
  for (const Refusal& refusal : refusals()) {
    INFO(refusal.name << ", the bad one is " << (spoil_a ? "the initiator's" : "the responder's"));
    Pki good_a = pki_of("a.example.com"), good_b = pki_of("b.example.com");
    Pki a = good_a, b = good_b;
    refusal.spoil(spoil_a ? a : b);
    const auto trust = [&](const Pki& good, const Pki& actual, bool is_bad) {
      return is_bad ? trust_against(refusal, good, actual) : trust_of(good);
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

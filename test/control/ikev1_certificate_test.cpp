// RSA signatures in IKEv1 (RFC 2409 5.1) between two of ours, in both modes: what proves, what is refused and why.
#include "test/control/certificate_pair.h"
#include "test/control/ikev1_pair.h"

namespace causeway {
namespace {

using test::aggressive_options;
using test::credential_of;
using test::Fate;
using test::IkePair;
using test::ikev1_options;
using test::InFlight;
using test::KeyKind;
using test::kLong;
using test::kOnTime;
using test::PairOptions;
using test::Pki;
using test::pki_of;
using test::Refusal;
using test::refusals;
using test::require_agreement;
using test::Time;
using test::trust_against;
using test::trust_of;
using test::with_certificates;

PairOptions in_mode(bool aggressive, PairOptions options) {
  return aggressive ? aggressive_options(std::move(options)) : ikev1_options(std::move(options));
}

Pki rsa_pki(const std::string& name) { return pki_of(name, KeyKind::rsa2048); }

PairOptions good_pair() {
  const Pki a = rsa_pki("a.example.com"), b = rsa_pki("b.example.com");
  return with_certificates({credential_of(a), trust_of(b)}, {credential_of(b), trust_of(a)});
}

TEST_CASE("IKEv1 certificates: RSA signatures prove both sides, in main mode and in aggressive mode") {
  const bool aggressive = GENERATE(false, true);
  const KeyKind kind = GENERATE(KeyKind::rsa2048, KeyKind::rsa3072);
  const Pki a = pki_of("a.example.com", kind), b = pki_of("b.example.com", kind);
  IkePair pair(in_mode(aggressive,
                       with_certificates({credential_of(a), trust_of(b)}, {credential_of(b), trust_of(a)})));
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  require_agreement(pair);
  REQUIRE(pair.both_up());
  CHECK(pair.a.ike()->status().remote_id == "b.example.com");
  CHECK(pair.b.ike()->status().remote_id == "a.example.com");
  for (const auto& d : pair.history) CHECK(d.bytes.size() <= 1280 - 28);  // in pieces, where the path needs them
}

TEST_CASE("IKEv1 certificates: the subject is the identity where no other is set") {
  auto options = good_pair();
  options.adjust = [inner = options.adjust](ike::PeerSettings& s, bool is_b) {
    inner(s, is_b);
    s.config.local_id.clear();
    s.config.remote_id = is_b ? "C=CN, O=Causeway Test, CN=a.example.com" : "C=CN, O=Causeway Test, CN=b.example.com";
  };
  IkePair pair(ikev1_options(std::move(options)));
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  require_agreement(pair);
  REQUIRE(pair.both_up());
}

TEST_CASE("IKEv1 certificates: each datagram lost, its proofs in pieces among them, is sent again") {
  for (const bool aggressive : {false, true}) {
    IkePair clean(in_mode(aggressive, good_pair()));
    clean.start(clean.a);
    clean.run(Time{5000}, [&] { return clean.both_up(); });
    REQUIRE(clean.both_up());
    const int messages = static_cast<int>(clean.history.size());
    CHECK(messages > (aggressive ? 6 : 9));  // a proof with its chain is longer than a datagram
    for (int n = 0; n < messages; ++n) {
      IkePair pair(in_mode(aggressive, good_pair()));
      pair.wire = [&](const InFlight& d) { return d.number == n ? Fate{} : Fate{kOnTime}; };
      pair.start(pair.a);
      pair.run(kLong);
      INFO((aggressive ? "aggressive" : "main") << " mode, datagram " << n);
      require_agreement(pair);
      REQUIRE(pair.both_up());
    }
  }
}

// Where the responder judges, its initiator hears nothing (RFC 2408 5.5 leaves a notify to the peer's choice, and it
// would not be proven): it names its certificate among what can be wrong.
TEST_CASE("IKEv1 certificates: each bad one is refused with its own reason, by the initiator and by the responder") {
  const bool spoil_a = GENERATE(false, true);
  const bool aggressive = GENERATE(false, true);
  for (const Refusal& refusal : refusals()) {
    INFO(refusal.name << ", the bad one is " << (spoil_a ? "the initiator's" : "the responder's"));
    const Pki good_a = rsa_pki("a.example.com"), good_b = rsa_pki("b.example.com");
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
    IkePair pair(in_mode(aggressive, std::move(options)));
    pair.start(pair.a);
    pair.run(kLong);
    REQUIRE(pair.both_down());
    REQUIRE(pair.stuck().empty());
    REQUIRE(pair.a.established + pair.b.established <= 1);
    const auto& judge = spoil_a ? pair.b : pair.a;
    REQUIRE_FALSE(judge.ike_closed.empty());
    const ike::Reason& reason = judge.ike_closed.front();
    INFO(reason.text);
    CHECK(reason.cause == ike::Cause::certificate);
    CHECK(reason.text.find("(" + refusal.name + ")") != std::string::npos);
    CHECK((spoil_a ? pair.b : pair.a).established == 0);
    if (spoil_a && !aggressive) {
      REQUIRE_FALSE(pair.a.ike_closed.empty());
      CHECK(pair.a.ike_closed.front().text.find("our certificate \"") != std::string::npos);
    }
  }
}

TEST_CASE("IKEv1 certificates: a key that is not RSA is named by the side that has it") {
  const Pki a = pki_of("a.example.com", KeyKind::p256), b = rsa_pki("b.example.com");
  IkePair pair(ikev1_options(with_certificates({credential_of(a), trust_of(b)}, {credential_of(b), trust_of(a)})));
  pair.start(pair.a);
  pair.run(kLong);
  REQUIRE(pair.both_down());
  REQUIRE_FALSE(pair.a.ike_closed.empty());
  INFO(pair.a.ike_closed.front().text);
  CHECK(pair.a.ike_closed.front().text.find("use an RSA key, or version = 2") != std::string::npos);
}

TEST_CASE("IKEv1 certificates: a pre-shared key where a certificate is asked for, and the other way round") {
  const bool a_has_psk = GENERATE(false, true);
  auto options = good_pair();
  options.adjust = [inner = options.adjust, a_has_psk](ike::PeerSettings& s, bool is_b) {
    const auto psk = s.psk;
    inner(s, is_b);
    if (is_b == a_has_psk) return;
    s.config.auth = conf::AuthMethod::psk;
    s.psk = psk;
  };
  IkePair pair(ikev1_options(std::move(options)));
  pair.start(pair.a);
  pair.run(kLong);
  REQUIRE(pair.both_down());
  REQUIRE_FALSE(pair.b.ike_closed.empty());
  INFO(pair.b.ike_closed.front().text);
  CHECK(pair.b.ike_closed.front().text.find("wants to authenticate by") != std::string::npos);
}

}  // namespace
}  // namespace causeway

#include "test/crypto/pki.h"

using namespace causeway::crypto;
using namespace causeway::test;

namespace {

using Verdict = tl::expected<std::vector<Certificate>, CertificateError>;

// Refused for that reason, at that certificate, with a sentence that names it and goes on to a cure.
void refused(const Verdict& verdict, CertificateProblem problem, const std::string& subject) {
  REQUIRE_FALSE(verdict);
  INFO(verdict.error().text);
  CHECK(name_of(verdict.error().problem) == name_of(problem));
  CHECK(verdict.error().subject == subject);
  CHECK(verdict.error().text.find(subject) != std::string::npos);
  CHECK(verdict.error().text.size() > subject.size() + 40);
}

}  // namespace

TEST_CASE("A good chain with an intermediate is accepted: RSA, ECDSA, Ed25519, Ed448 and mixed") {
  const std::tuple<KeyKind, KeyKind, KeyKind> rows[] = {
      {KeyKind::rsa2048, KeyKind::rsa2048, KeyKind::rsa2048}, {KeyKind::p256, KeyKind::p256, KeyKind::p256},
      {KeyKind::p384, KeyKind::p384, KeyKind::p384},          {KeyKind::p521, KeyKind::p521, KeyKind::p521},
      {KeyKind::ed25519, KeyKind::ed25519, KeyKind::ed25519}, {KeyKind::ed448, KeyKind::ed448, KeyKind::ed448},
      {KeyKind::rsa2048, KeyKind::p384, KeyKind::ed25519},    {KeyKind::ed25519, KeyKind::rsa2048, KeyKind::p256},
  };
  for (const auto& [r, s, g] : rows) {
    const Pki pki(r, s, g);
    const auto chain = pki.judge();
    INFO((chain ? "" : chain.error().text));
    REQUIRE(chain);
    REQUIRE(chain->size() == 3);
    CHECK(chain->front().subject() == kGw);
    CHECK(chain->back().subject() == kRoot);
  }
}

TEST_CASE("Certificates signed with RSASSA-PSS are accepted") {
  Pki pki(KeyKind::rsa2048);
  pki.gw.pss = pki.sub.pss = true;
  CHECK(pki.judge());
}

TEST_CASE("A chain holds whatever order and company the peer sends it in") {
  const Pki pki;
  Pki stranger;
  stranger.sub.subject = "CN=Somebody else";
  const auto verdict = validate(std::vector{pki.gw_certificate(), stranger.sub_certificate(), pki.root_certificate(),
                                            pki.gw_certificate(), pki.sub_certificate()},
                                pki.store(), std::nullopt, day(100));
  REQUIRE(verdict);
  CHECK(verdict->size() == 3);
}

TEST_CASE("A certificate before and after its time is refused as not yet valid and as expired, to the second") {
  const Pki pki;
  using std::chrono::seconds;
  CHECK(pki.judge(day(0)));
  CHECK(pki.judge(day(365) - seconds(1)));
  refused(pki.judge(day(0) - seconds(1)), CertificateProblem::not_yet_valid, kGw);
  refused(pki.judge(day(365) + seconds(1)), CertificateProblem::expired, kGw);
  CHECK(pki.judge(day(400)).error().text.find("2027-01-01 00:00 UTC") != std::string::npos);
}

TEST_CASE("An expired or not yet valid CA above a good certificate is named itself") {
  Pki pki;
  pki.sub.not_after = day(50);
  refused(pki.judge(), CertificateProblem::expired, kSub);
  pki = Pki();
  pki.root.not_after = day(50);
  refused(pki.judge(), CertificateProblem::expired, kRoot);
  pki = Pki();
  pki.sub.not_before = day(150);
  refused(pki.judge(), CertificateProblem::not_yet_valid, kSub);
}

TEST_CASE("A chain to a CA that we do not know is refused as such, and so is one whose intermediate is missing") {
  const Pki pki;
  Pki other;
  other.root.subject = "CN=Another root";
  refused(validate(pki.sent(), other.store(), std::nullopt, day(100)), CertificateProblem::unknown_ca, kSub);
  refused(validate(std::vector{pki.gw_certificate()}, pki.store(), std::nullopt, day(100)),
          CertificateProblem::unknown_ca, kGw);
  CertificateSpec self = pki.gw;
  self.issuer = {};
  refused(
      validate(std::vector{read(make_certificate(self, pki.gw_key, pki.gw_key))}, pki.store(), std::nullopt, day(100)),
      CertificateProblem::unknown_ca, kGw);
  const auto root_sent = validate(std::vector{pki.gw_certificate(), pki.sub_certificate(), pki.root_certificate()},
                                  other.store(), std::nullopt, day(100));
  refused(root_sent, CertificateProblem::unknown_ca, kRoot);
}

TEST_CASE("A CA of the same name with another key is a bad signature, or another key where identifiers tell") {
  const Pki pki;
  Pki forged;
  forged.root_key = TestKey::of(KeyKind::p256, 20);
  refused(validate(pki.sent(), forged.store(), std::nullopt, day(100)), CertificateProblem::bad_signature, kSub);

  Pki with_ids;
  Pki::set(with_ids.sub, "authorityKeyIdentifier", "DER:30168014" + std::string(40, 'A'));
  Pki::set(forged.root, "subjectKeyIdentifier", std::string(40, 'B'));
  const auto verdict = validate(with_ids.sent(), forged.store(), std::nullopt, day(100));
  refused(verdict, CertificateProblem::unknown_ca, kSub);
  CHECK(verdict.error().text.find("another key") != std::string::npos);
}

TEST_CASE("CA rollover: of two CAs of one name with different keys the right one is found, in any order") {
  const Pki pki;
  Pki renewed;
  renewed.root_key = TestKey::of(KeyKind::p256, 21);
  renewed.root.serial = 77;
  for (const bool first : {true, false}) {
    TrustStore both;
    both.add_ca(first ? pki.root_certificate() : renewed.root_certificate());
    both.add_ca(first ? renewed.root_certificate() : pki.root_certificate());
    CHECK(validate(pki.sent(), both, std::nullopt, day(100)));
    CHECK(validate(renewed.sent(), both, std::nullopt, day(100)));
  }
}

TEST_CASE("CA renewal: of two certificates for one CA key, the expired one does not stand in the way") {
  Pki pki;
  Pki old = pki;
  old.root.not_after = day(10);
  TrustStore both;
  both.add_ca(old.root_certificate());
  both.add_ca(pki.root_certificate());
  CHECK(validate(pki.sent(), both, std::nullopt, day(100)));
  old = pki;
  old.sub.not_after = day(10);
  CHECK(validate(std::vector{pki.gw_certificate(), old.sub_certificate(), pki.sub_certificate()}, pki.store(),
                 std::nullopt, day(100)));
}

TEST_CASE("What `ca` names is trusted as it stands: an intermediate alone, or one peer's self-signed certificate") {
  const Pki pki;
  TrustStore intermediate;
  intermediate.add_ca(pki.sub_certificate());
  CHECK(validate(std::vector{pki.gw_certificate()}, intermediate, std::nullopt, day(100))->size() == 2);
  CertificateSpec self = pki.gw;
  self.issuer = {};
  const Certificate own = read(make_certificate(self, pki.gw_key, pki.gw_key));
  TrustStore pinned;
  pinned.add_ca(own);
  CHECK(validate(std::vector{own}, pinned, std::nullopt, day(100))->size() == 1);
  refused(validate(std::vector{own}, pinned, std::nullopt, day(400)), CertificateProblem::expired, kGw);
  refused(validate(std::vector{pki.gw_certificate()}, pinned, std::nullopt, day(100)), CertificateProblem::unknown_ca,
          kGw);
}

TEST_CASE("An altered certificate is refused as a bad signature") {
  const Pki pki;
  auto der = make_certificate(pki.gw, pki.gw_key, pki.sub_key);
  const std::string name = "gw.example.com";
  const auto at = std::search(der.begin(), der.end(), name.begin(), name.end());
  REQUIRE(at != der.end());
  *at = 'x';
  refused(validate(std::vector{read(der), pki.sub_certificate()}, pki.store(), std::nullopt, day(100)),
          CertificateProblem::bad_signature, kGw);
}

TEST_CASE("An issuer without the CA bit is refused as no CA, whichever way the bit is missing") {
  for (const std::string constraints : {"", "CA:FALSE", "critical,CA:FALSE"}) {
    Pki pki;
    Pki::set(pki.sub, "basicConstraints", constraints);
    refused(pki.judge(), CertificateProblem::not_a_ca, kSub);
    pki = Pki();
    Pki::set(pki.root, "basicConstraints", constraints);
    refused(pki.judge(), CertificateProblem::not_a_ca, kRoot);
  }
  Pki version1;
  version1.root.extensions.clear();
  refused(version1.judge(), CertificateProblem::not_a_ca, kRoot);
}

TEST_CASE("A gateway's own certificate cannot issue another one") {
  const Pki pki;
  CertificateSpec mallory = pki.gw;
  mallory.subject = "CN=mallory";
  mallory.issuer = kGw;
  const Certificate forged = read(make_certificate(mallory, TestKey::of(KeyKind::p256, 30), pki.gw_key));
  const auto verdict =
      validate(std::vector{forged, pki.gw_certificate(), pki.sub_certificate()}, pki.store(), std::nullopt, day(100));
  REQUIRE_FALSE(verdict);
  CHECK((verdict.error().problem == CertificateProblem::not_a_ca ||
         verdict.error().problem == CertificateProblem::key_usage));
}

TEST_CASE("A chain longer than the limit, or than pathLenConstraint allows, is refused as too long") {
  const Pki pki;
  refused(pki.judge(day(100), {.max_chain = 2}), CertificateProblem::chain_too_long, kGw);
  CHECK(pki.judge(day(100), {.max_chain = 3}));

  Pki constrained;
  Pki::set(constrained.root, "basicConstraints", "critical,CA:TRUE,pathlen:0");
  refused(constrained.judge(), CertificateProblem::chain_too_long, kRoot);
}

TEST_CASE("Seven certificates in a row exceed the default limit, and six do not") {
  const TestKey key = TestKey::of(KeyKind::ed25519, 40);
  std::vector<Certificate> sent;
  TrustStore six, seven;
  for (int level = 0; level < 7; ++level) {  // level 0 is the gateway
    CertificateSpec spec;
    spec.subject = "CN=level " + std::to_string(level);
    spec.issuer = level == 6 ? "" : "CN=level " + std::to_string(level + 1);
    if (level > 0) spec.extensions = {{"basicConstraints", "critical,CA:TRUE"}};
    if (level == 0) spec.extensions = {{"keyUsage", "digitalSignature"}};
    const Certificate made = read(make_certificate(spec, key, key));
    if (level == 5) six.add_ca(made);
    if (level == 6) seven.add_ca(made);
    if (level < 6) sent.push_back(made);
  }
  CHECK(validate(sent, six, std::nullopt, day(10)));
  refused(validate(sent, seven, std::nullopt, day(10)), CertificateProblem::chain_too_long, "CN=level 0");
}

TEST_CASE("Weak keys are refused anywhere in the chain, by name and length, unless legacy is set") {
  for (const KeyKind kind : {KeyKind::rsa1024, KeyKind::p224}) {
    refused(Pki(KeyKind::p256, KeyKind::p256, kind).judge(), CertificateProblem::weak_key, kGw);
    refused(Pki(KeyKind::p256, kind, KeyKind::p256).judge(), CertificateProblem::weak_key, kSub);
    refused(Pki(kind, KeyKind::p256, KeyKind::p256).judge(), CertificateProblem::weak_key, kRoot);
    CHECK(Pki(kind).judge(day(100), {.legacy = true}));
  }
}

TEST_CASE("SHA-1 signatures are refused unless legacy is set, MD5 always; a root's own signature matters to nobody") {
  Pki pki(KeyKind::rsa2048);
  pki.root.digest = "MD5";
  CHECK(pki.judge());
  pki.gw.digest = "SHA1";
  refused(pki.judge(), CertificateProblem::weak_signature, kGw);
  CHECK(pki.judge(day(100), {.legacy = true}));
  pki.gw.digest = "SHA256";
  pki.sub.digest = "MD5";
  refused(pki.judge(), CertificateProblem::weak_signature, kSub);
  refused(pki.judge(day(100), {.legacy = true}), CertificateProblem::weak_signature, kSub);
}

TEST_CASE("Key usage: an issuer needs keyCertSign, the peer digitalSignature or nonRepudiation, if it says anything") {
  Pki pki;
  Pki::set(pki.sub, "keyUsage", "critical,digitalSignature,cRLSign");
  refused(pki.judge(), CertificateProblem::key_usage, kSub);
  pki = Pki();
  Pki::set(pki.gw, "keyUsage", "critical,keyEncipherment");
  refused(pki.judge(), CertificateProblem::key_usage, kGw);
  for (const std::string good : {"", "nonRepudiation", "digitalSignature,keyEncipherment"}) {
    Pki::set(pki.gw, "keyUsage", good);
    CHECK(pki.judge());
  }
}

TEST_CASE("Extended key usage: IPsec, any and TLS ends are taken, anything else alone is refused") {
  Pki pki;
  for (const std::string good : {"ipsecIKE", "critical,ipsecIKE", "anyExtendedKeyUsage", "serverAuth,clientAuth",
                                 "1.3.6.1.5.5.8.2.2", "codeSigning,ipsecIKE", "ipsecEndSystem"}) {
    INFO(good);
    Pki::set(pki.gw, "extendedKeyUsage", good);
    CHECK(pki.judge());
  }
  for (const std::string bad : {"codeSigning", "critical,emailProtection", "timeStamping,OCSPSigning"}) {
    Pki::set(pki.gw, "extendedKeyUsage", bad);
    refused(pki.judge(), CertificateProblem::extended_key_usage, kGw);
  }
}

TEST_CASE("Name constraints hold for DNS names, addresses and mailboxes") {
  const std::pair<std::string, bool> rows[] = {
      {"critical,permitted;DNS:example.com", true},
      {"critical,permitted;DNS:example.org", false},
      {"critical,excluded;DNS:gw.example.com", false},
      {"permitted;IP:198.51.100.0/255.255.255.0,permitted;IP:2001:db8::/ffff:ffff::", true},
      {"critical,permitted;IP:10.0.0.0/255.0.0.0", false},
      {"critical,excluded;email:example.com", false},
  };
  for (const auto& [constraints, good] : rows) {
    INFO(constraints);
    Pki pki;
    Pki::set(pki.sub, "nameConstraints", constraints);
    if (good)
      CHECK(pki.judge());
    else
      refused(pki.judge(), CertificateProblem::name_constraints, kGw);
  }
}

TEST_CASE("A critical extension that is not understood is refused, a non-critical one ignored") {
  Pki pki;
  Pki::set(pki.gw, "1.2.3.4.5", "DER:0500");
  CHECK(pki.judge());
  Pki::set(pki.gw, "1.2.3.4.5", "critical,DER:0500");
  refused(pki.judge(), CertificateProblem::critical_extension, kGw);
  pki = Pki();
  Pki::set(pki.sub, "1.2.3.4.5", "critical,DER:0500");
  refused(pki.judge(), CertificateProblem::critical_extension, kSub);
}

TEST_CASE("No certificate, and far too many, are refused as such") {
  const Pki pki;
  const auto none = validate({}, pki.store(), std::nullopt, day(100));
  REQUIRE_FALSE(none);
  CHECK(none.error().problem == CertificateProblem::no_certificate);
  refused(validate(std::vector(17, pki.gw_certificate()), pki.store(), std::nullopt, day(100)),
          CertificateProblem::chain_too_long, kGw);
}

TEST_CASE("A peer that sends many CAs of one name, each signing each, makes us work only so much") {
  const TestKey key = TestKey::of(KeyKind::p256, 50);
  std::vector<Certificate> sent;
  for (int i = 0; i < 16; ++i) {
    CertificateSpec spec{.subject = "CN=maze",
                         .issuer = "CN=maze",
                         .serial = static_cast<std::uint64_t>(i + 1),
                         .extensions = {{"basicConstraints", "critical,CA:TRUE"}}};
    sent.push_back(read(make_certificate(spec, key, key)));
  }
  const auto verdict = validate(sent, Pki().store(), std::nullopt, day(100));
  REQUIRE_FALSE(verdict);
  INFO(verdict.error().text);
  CHECK((verdict.error().problem == CertificateProblem::unknown_ca ||
         verdict.error().problem == CertificateProblem::other));
}

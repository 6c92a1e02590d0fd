#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "test/crypto/pki.h"

using namespace causeway::crypto;
using namespace causeway::test;
using Bytes = std::vector<std::uint8_t>;

namespace {

std::span<const std::uint8_t> octets(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

CertificateProblem problem_with(const Certificate& certificate, std::uint8_t type, std::span<const std::uint8_t> data) {
  const auto refusal = certificate.refuses({type, data});
  if (!refusal) return CertificateProblem::other;
  CHECK(refusal->text.find(": ") != std::string::npos);
  return refusal->problem;
}

TrustStore store_with(const Pki& pki, const std::vector<Bytes>& lists) {
  TrustStore store = pki.store();
  for (const Bytes& list : lists) REQUIRE(store.add_crls(list));
  return store;
}

CertificateProblem crl_problem(const Pki& pki, const std::vector<Bytes>& lists, WallTime now = day(10),
                               CrlPolicy policy = CrlPolicy::standard) {
  const auto verdict = validate(pki.sent(), store_with(pki, lists), std::nullopt, now, {.crl = policy});
  return verdict ? CertificateProblem::other : verdict.error().problem;
}
constexpr auto kGood = CertificateProblem::other;  // what crl_problem() and problem_with() say of good ones

class Folder {
 public:
  Folder() {
    std::string name = "/tmp/causeway-pki-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
    const std::string file = path_ + "/" + name;
    std::ofstream(file) << text;
    std::filesystem::permissions(file, std::filesystem::perms::owner_read);
    return file;
  }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("A certificate tells its subject, issuer, names, validity, serial number and key") {
  const Pki pki;
  const Certificate gw = pki.gw_certificate();
  CHECK(gw.subject() == kGw);
  CHECK(gw.issuer() == kSub);
  CHECK(gw.serial() == "03");
  CHECK(gw.not_before() == day(0));
  CHECK(gw.not_after() == day(365));
  CHECK_FALSE(gw.is_ca());
  CHECK(pki.sub_certificate().is_ca());
  CHECK(pki.root_certificate().self_issued());
  CHECK_FALSE(gw.self_issued());
  CHECK(gw.public_key().name() == "ECDSA P-256");
  CHECK(gw.names() == std::vector<std::string>{"DNS:gw.example.com", "IP:198.51.100.7",
                                               "IP:2001:0db8:0000:0000:0000:0000:0000:0007", "email:ops@example.com"});
  const std::string alone = "CN=gw, OU=Gateways";
  Pki other;
  other.gw.subject = alone;
  const Certificate named = other.gw_certificate();
  CHECK(Bytes(named.subject_der().begin(), named.subject_der().end()) == make_name(alone));
}

TEST_CASE("Control characters, NUL and foreign letters in a subject come out as escapes") {
  CertificateSpec spec;
  spec.subject = "CN=a\nb\x1b[31m, O=\xe9\x98\xbf";
  spec.extensions = {{"keyUsage", "digitalSignature"}};
  const TestKey key = TestKey::of(KeyKind::p256);
  const Certificate odd = read(make_certificate(spec, key, key));
  for (const char c : odd.subject()) CHECK((c >= 0x20 && c < 0x7f));
}

TEST_CASE("An identity fits only what the certificate holds of its very kind (RFC 4945 3.1)") {
  const Certificate gw = Pki().gw_certificate();
  const auto wrong = CertificateProblem::wrong_identity;
  const Bytes v4{198, 51, 100, 7};
  const Bytes v6{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};
  CHECK(problem_with(gw, 1, v4) == kGood);
  CHECK(problem_with(gw, 5, v6) == kGood);
  CHECK(problem_with(gw, 2, octets("gw.example.com")) == kGood);
  CHECK(problem_with(gw, 2, octets("GW.Example.COM")) == kGood);
  CHECK(problem_with(gw, 3, octets("ops@example.com")) == kGood);
  CHECK(problem_with(gw, 9, make_name(kGw)) == kGood);
  CHECK(problem_with(gw, 9, make_name(kGw, true)) == kGood);  // PrintableString instead of UTF8String

  CHECK(problem_with(gw, 1, Bytes{198, 51, 100, 8}) == wrong);
  CHECK(problem_with(gw, 2, octets("example.com")) == wrong);
  CHECK(problem_with(gw, 2, octets("x.gw.example.com")) == wrong);
  CHECK(problem_with(gw, 2, octets("*.example.com")) == wrong);
  CHECK(problem_with(gw, 2, octets("gw")) == wrong);  // a CN is no name (RFC 4945 3.1.9)
  CHECK(problem_with(gw, 2, octets("ops@example.com")) == wrong);
  CHECK(problem_with(gw, 2, octets("198.51.100.7")) == wrong);
  CHECK(problem_with(gw, 3, octets("root@example.com")) == wrong);
  CHECK(problem_with(gw, 9, make_name("C=CN, CN=gw")) == wrong);
  CHECK(problem_with(gw, 9, make_name("CN=gw, O=Causeway Test, C=CN")) == wrong);
  CHECK(problem_with(gw, 9, octets("not a name")) == wrong);
  CHECK(problem_with(gw, 11, octets("whatever")) == wrong);
  for (const std::uint8_t type : {0, 1, 2, 3, 4, 5, 9, 10, 11, 200}) CHECK(problem_with(gw, type, {}) == wrong);
  const auto text = gw.refuses({2, octets("vpn.example.net")})->text;
  CHECK(text.find("vpn.example.net") != std::string::npos);
  CHECK(text.find("DNS:gw.example.com") != std::string::npos);
}

TEST_CASE("Wildcards in a certificate fit nothing, and an embedded NUL does not shorten a name") {
  Pki pki;
  Pki::set(pki.gw, "subjectAltName", "DNS:*.example.com");
  CHECK(pki.gw_certificate().refuses({2, octets("gw.example.com")}));
  // SEQUENCE { [2] "gw\0.evil" }
  Pki::set(pki.gw, "subjectAltName",
           "DER:300A8208677700"
           "2E6576696C");
  CHECK(pki.gw_certificate().refuses({2, octets("gw")}));
}

TEST_CASE("A KEY_ID fits the subjectKeyIdentifier") {
  Pki pki;
  Pki::set(pki.gw, "subjectKeyIdentifier", "0102030405");
  CHECK_FALSE(pki.gw_certificate().refuses({11, Bytes{1, 2, 3, 4, 5}}));
  CHECK(pki.gw_certificate().refuses({11, Bytes{1, 2, 3, 4}}));
}

TEST_CASE("Validation refuses a good chain under a false identity, after the chain itself was found good") {
  const Pki pki;
  CHECK(validate(pki.sent(), pki.store(), ClaimedIdentity{2, octets("gw.example.com")}, day(100)));
  const auto verdict = validate(pki.sent(), pki.store(), ClaimedIdentity{2, octets("other.example.com")}, day(100));
  REQUIRE_FALSE(verdict);
  CHECK(verdict.error().problem == CertificateProblem::wrong_identity);
  CHECK(validate(pki.sent(), pki.store(), ClaimedIdentity{2, octets("other.example.com")}, day(999)).error().problem ==
        CertificateProblem::expired);
}

TEST_CASE("A revoked gateway is refused with date and reason, and so is one below a revoked CA") {
  const Pki pki;
  const Bytes clean_root = make_crl({.issuer = kRoot, .revoked = {}}, pki.root_key);
  const Bytes clean_sub = make_crl({.issuer = kSub, .revoked = {99}}, pki.sub_key);
  CHECK(crl_problem(pki, {clean_root, clean_sub}) == kGood);
  const Bytes gw_revoked = make_crl({.issuer = kSub, .revoked = {3}}, pki.sub_key);
  CHECK(crl_problem(pki, {clean_root, gw_revoked}) == CertificateProblem::revoked);
  const Bytes sub_revoked = make_crl({.issuer = kRoot, .revoked = {2}}, pki.root_key);
  CHECK(crl_problem(pki, {sub_revoked, clean_sub}) == CertificateProblem::revoked);
  CHECK(crl_problem(pki, {gw_revoked}, day(10), CrlPolicy::lenient) == CertificateProblem::revoked);
  CHECK(crl_problem(pki, {gw_revoked}, day(10), CrlPolicy::ignore) == kGood);

  const auto verdict = validate(pki.sent(), store_with(pki, {gw_revoked}), std::nullopt, day(10));
  REQUIRE_FALSE(verdict);
  CHECK(verdict.error().text.find("2026-01-01") != std::string::npos);
  CHECK(verdict.error().text.find("key compromise") != std::string::npos);
}

TEST_CASE("A missing revocation list matters as the policy says") {
  const Pki pki;
  const Bytes root_list = make_crl({.issuer = kRoot, .revoked = {}}, pki.root_key);
  const Bytes sub_list = make_crl({.issuer = kSub, .revoked = {}}, pki.sub_key);
  CHECK(crl_problem(pki, {}) == kGood);
  CHECK(crl_problem(pki, {root_list}) == CertificateProblem::crl_missing);
  CHECK(crl_problem(pki, {sub_list}) == kGood);
  CHECK(crl_problem(pki, {root_list}, day(10), CrlPolicy::lenient) == kGood);
  CHECK(crl_problem(pki, {}, day(10), CrlPolicy::strict) == CertificateProblem::crl_missing);
  CHECK(crl_problem(pki, {sub_list}, day(10), CrlPolicy::strict) == CertificateProblem::crl_missing);
  CHECK(crl_problem(pki, {sub_list, root_list}, day(10), CrlPolicy::strict) == kGood);
}

TEST_CASE("An expired revocation list is refused as such, of whichever CA, but by the lenient policy still honoured") {
  const Pki pki;
  const Bytes sub_list = make_crl({.issuer = kSub, .next_update = day(5), .revoked = {}}, pki.sub_key);
  CHECK(crl_problem(pki, {sub_list}, day(4)) == kGood);
  CHECK(crl_problem(pki, {sub_list}) == CertificateProblem::crl_expired);
  CHECK(crl_problem(pki, {sub_list}, day(10), CrlPolicy::lenient) == kGood);
  const Bytes revoking = make_crl({.issuer = kSub, .next_update = day(5), .revoked = {3}}, pki.sub_key);
  CHECK(crl_problem(pki, {revoking}, day(10), CrlPolicy::lenient) == CertificateProblem::revoked);
  const Bytes fresh = make_crl({.issuer = kSub, .revoked = {}}, pki.sub_key);
  const Bytes old_root = make_crl({.issuer = kRoot, .next_update = day(5), .revoked = {}}, pki.root_key);
  CHECK(crl_problem(pki, {fresh, old_root}) == CertificateProblem::crl_expired);
  CHECK(crl_problem(pki, {sub_list, fresh}) == kGood);  // the newer of two lists counts
}

TEST_CASE("A revocation list from the future, of a foreign key, or with a weak hash is not acceptable") {
  const Pki pki(KeyKind::rsa2048);
  CHECK(crl_problem(pki, {make_crl({.issuer = kSub, .this_update = day(20), .revoked = {}}, pki.sub_key)}) ==
        CertificateProblem::crl_bad);
  CHECK(crl_problem(pki, {make_crl({.issuer = kSub, .revoked = {}}, TestKey::of(KeyKind::rsa2048, 99))}) ==
        CertificateProblem::crl_bad);
  CHECK(crl_problem(pki, {make_crl({.issuer = kSub, .revoked = {}, .digest = "SHA1"}, pki.sub_key)}) ==
        CertificateProblem::weak_signature);
  TrustStore store;
  const auto delta = store.add_crls(make_crl({.issuer = kSub, .revoked = {}, .delta = true}, pki.sub_key));
  REQUIRE_FALSE(delta);
  CHECK(delta.error().problem == CertificateProblem::crl_bad);
}

TEST_CASE("CERTREQ names each CA by the SHA-1 of its key, and our chain answers those above it alone") {
  const Pki pki;
  const TrustStore store = pki.store();
  const Bytes request = store.request();
  REQUIRE(request.size() == 20);
  CHECK(std::equal(request.begin(), request.end(), pki.root_certificate().key_hash().begin()));

  const auto key = PrivateKey::parse(octets(pki.gw_key.pem()));
  REQUIRE(key);
  const auto own = Credential::make(pki.sent(), *key);
  REQUIRE(own);
  const KeyHash sub_hash = pki.sub_certificate().key_hash();
  CHECK(own->answers(sub_hash, {}));
  CHECK_FALSE(own->answers(request, {}));  // the root is not in our file
  CHECK(own->answers(request, store.cas()));
  CHECK_FALSE(own->answers(Bytes(20, 7), store.cas()));
  CHECK(own->answers({}, {}));
  Bytes two(20, 7);
  two.insert(two.end(), request.begin(), request.end());
  two.push_back(1);
  CHECK(own->answers(two, store.cas()));
}

TEST_CASE("Files: PEM chains, DER, foreign blocks between, and a key that does not belong") {
  const Pki pki;
  const Folder folder;
  const std::string gw = to_pem("CERTIFICATE", make_certificate(pki.gw, pki.gw_key, pki.sub_key));
  const std::string sub = to_pem("CERTIFICATE", make_certificate(pki.sub, pki.sub_key, pki.root_key));
  const Bytes root = make_certificate(pki.root, pki.root_key, pki.root_key);
  const std::string all = folder.write("gw.pem", "a remark\n" + pki.gw_key.pem() + gw + "\n" + sub);
  const std::string der = folder.write("root.der", std::string(root.begin(), root.end()));
  const std::string key = folder.write("gw.key", pki.gw_key.pem());
  const std::string alien = folder.write("alien.key", TestKey::of(KeyKind::p256, 60).pem());
  const Bytes list = make_crl({.issuer = kSub, .revoked = {}}, pki.sub_key);
  const std::string crl = folder.write("crl.pem", to_pem("X509 CRL", list) + to_pem("X509 CRL", list));

  CHECK(load_certificates(all)->size() == 2);
  const auto credential = Credential::load(all, key);
  REQUIRE(credential);
  const auto store = TrustStore::load(der, crl);
  REQUIRE(store);
  CHECK(store->has_crls());
  CHECK(validate(credential->chain, *store, std::nullopt, day(10)));

  const auto wrong_key = Credential::load(all, alien);
  REQUIRE_FALSE(wrong_key);
  CHECK(wrong_key.error().text.find("does not belong to") != std::string::npos);
  CHECK(load_certificates(key).error().problem == CertificateProblem::unreadable);
  CHECK(load_certificates("/nonexistent.pem").error().text.find("/nonexistent.pem") != std::string::npos);
  CHECK(TrustStore::load(der, all).error().problem == CertificateProblem::unreadable);
  const std::string broken = folder.write("broken.pem", gw.substr(0, gw.size() / 2));
  CHECK(load_certificates(broken).error().problem == CertificateProblem::unreadable);
}

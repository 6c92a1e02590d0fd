#include "test/fuzz/session_settings.h"

#include <array>
#include <map>

#include "crypto/x509.h"
#include "test/fuzz/fuzz.h"

namespace causeway::fuzz {
namespace {

using test::KeyKind;
using test::TestKey;

const std::string kRoot = "C=CN, O=Causeway Test, CN=Root";

std::string subject(bool is_b) { return is_b ? "C=CN, O=Causeway Test, CN=b" : "C=CN, O=Causeway Test, CN=a"; }
std::string domain(bool is_b) { return is_b ? "b.example.com" : "a.example.com"; }

crypto::Certificate read(const Bytes& der) {
  auto certificate = crypto::Certificate::from_der(der);
  must(certificate.has_value(), "a certificate of the test can be read");
  return *certificate;
}

// Two gateways below one root; made once, since keys take their time.
struct Pki {
  TestKey root_key = TestKey::of(KeyKind::p256, 1), other_root_key = TestKey::of(KeyKind::p256, 2);
  std::shared_ptr<const crypto::TrustStore> trust, other_trust, with_list;
  std::array<std::shared_ptr<const crypto::Credential>, 2> good, expired;

  explicit Pki(KeyKind kind) {
    const auto root = [](const TestKey& key) {
      return read(test::make_certificate({.subject = kRoot,
                                          .issuer = {},
                                          .not_before = test::day(-100),
                                          .not_after = test::day(3650),
                                          .extensions = {{"basicConstraints", "critical,CA:TRUE"},
                                                         {"keyUsage", "critical,keyCertSign,cRLSign"}}},
                                         key, key));
    };
    crypto::TrustStore store, other, list;
    store.add_ca(root(root_key));
    other.add_ca(root(other_root_key));
    list.add_ca(root(root_key));
    const auto revoked = test::make_crl(
        {.issuer = kRoot, .this_update = test::day(0), .next_update = test::day(60), .revoked = {10, 11}}, root_key);
    must(list.add_crls(revoked).has_value(), "a list of the test can be read");
    trust = std::make_shared<const crypto::TrustStore>(std::move(store));
    other_trust = std::make_shared<const crypto::TrustStore>(std::move(other));
    with_list = std::make_shared<const crypto::TrustStore>(std::move(list));
    for (const bool is_b : {false, true}) {
      good[is_b] = credential(kind, is_b, 365);
      expired[is_b] = credential(kind, is_b, 5);
    }
  }

  [[nodiscard]] std::shared_ptr<const crypto::Credential> credential(KeyKind kind, bool is_b, int until) const {
    const TestKey key = TestKey::of(kind, is_b ? 4 : 3);
    const std::string pem = key.pem();
    auto own = crypto::PrivateKey::parse(std::span(reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size()));
    must(own.has_value(), "a key of the test can be read");
    auto made = crypto::Credential::make(
        {read(test::make_certificate({.subject = subject(is_b),
                                      .issuer = kRoot,
                                      .not_after = test::day(until),
                                      .serial = is_b ? 11U : 10U,
                                      .extensions = {{"subjectAltName", "DNS:" + domain(is_b)},
                                                     {"keyUsage", "digitalSignature"}}},
                                     key, root_key))},
        *own);
    must(made.has_value(), "certificate and key of the test belong together");
    return std::make_shared<const crypto::Credential>(std::move(*made));
  }
};

const Pki& pki(KeyKind kind) {
  static std::map<KeyKind, Pki> made;
  return made.try_emplace(kind, kind).first->second;
}

void certified(ike::PeerSettings& s, bool is_b, KeyKind key) {
  s.config.auth = conf::AuthMethod::cert;
  s.config.local_id = domain(is_b);
  s.config.remote_id = domain(!is_b);
  s.credential = pki(key).good[is_b];
  s.trust = pki(key).trust;
}

void named(ike::PeerSettings& s, bool is_b, const std::string& a, const std::string& b) {
  s.config.local_id = is_b ? b : a;
  s.config.remote_id = is_b ? a : b;
}

void quantum_safe(ike::PeerSettings& s, std::string id, std::initializer_list<std::uint8_t> secret, bool required) {
  s.config.ike.ppk_id = std::move(id);
  s.config.ike.ppk_required = required;
  s.ppk = crypto::Secret(std::span(secret.begin(), secret.size()));
}

}  // namespace

void choose_proof(ike::PeerSettings& s, bool is_b, unsigned proof, KeyKind key) {
  switch (proof % kProofs) {
    case 1:
      return certified(s, is_b, key);
    case 2:  // the subject is the identity
      certified(s, is_b, key);
      s.config.local_id.clear();
      s.config.remote_id = subject(!is_b);
      return;
    case 3:
      certified(s, is_b, key);
      if (!is_b) s.trust = pki(key).other_trust;
      return;
    case 4:
      certified(s, is_b, key);
      if (!is_b) s.trust = pki(key).with_list;
      return;
    case 5:
      certified(s, is_b, key);
      if (!is_b) s.config.remote_id = "c.example.com";
      return;
    case 6:
      return named(s, is_b, domain(false), domain(true));
    case 7:
      return named(s, is_b, "ops@example.com", "keyid:#0a0b0c");
    case 8:
      named(s, is_b, subject(false), subject(true));
      if (!is_b) s.config.remote_id = "C=CN, O=Causeway Test, CN=*";
      return;
    case 9:  // b calls itself otherwise than a expects
      named(s, is_b, domain(false), domain(true));
      if (!is_b) s.config.remote_id = "C=CN, O=Somebody Else, CN=b";
      return;
    case 10:
      if (!is_b) quantum_safe(s, "site-7", {1, 2, 3}, true);
      return;
    case 11:
      return quantum_safe(s, is_b ? "site-7" : "site-8", {1, 2, 3}, !is_b);
    case 12:
      return quantum_safe(s, "site-7", {is_b ? std::uint8_t{9} : std::uint8_t{1}, 2, 3}, false);
    case 13:  // one proves by certificate, the other one wants a key
      if (!is_b) certified(s, is_b, key);
      return;
    case 14:
      certified(s, is_b, key);
      if (is_b) s.credential = pki(key).expired[is_b];
      return;
    case 15:
      return named(s, is_b, "2001:db8::1", "*.example.com");
    default:
      return;
  }
}

void add_children(ike::PeerSettings& s, bool is_b, bool apart) {
  const auto net = [](const char* text) { return conf::Selector::of(*conf::Prefix::parse(text)); };
  auto& first = s.children.front().selectors;
  if (is_b && apart) {
    first.remote = {net("10.77.0.0/16")};
    return;
  }
  if (is_b) {  // one child for both networks of its own, and less of a's
    first.local.push_back(net("10.3.0.0/16"));
    first.remote = {net("10.1.0.0/17"), net("10.1.128.0/18")};
    return;
  }
  s.children.push_back({2, "more", {first.local, {net("10.3.0.0/16"), net("10.9.0.0/16")}}});
}

}  // namespace causeway::fuzz

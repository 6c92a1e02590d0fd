// Pairs that prove themselves by certificates, and everything that may be wrong with one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "test/crypto/pki.h"
#include "test/support/ike_pair.h"

namespace causeway::test {

// Side a is gw "a.example.com", side b "b.example.com", each below root > sub of its own Pki `of`.
struct Site {
  std::shared_ptr<const crypto::Credential> credential;
  std::shared_ptr<const crypto::TrustStore> trust;
};

inline std::span<const std::uint8_t> octets_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::shared_ptr<const crypto::Credential> credential_of(const Pki& pki, bool with_sub = true) {
  auto key = crypto::PrivateKey::parse(octets_of(pki.gw_key.pem()));
  REQUIRE(key);
  std::vector<crypto::Certificate> chain{pki.gw_certificate()};
  if (with_sub) chain.push_back(pki.sub_certificate());
  auto made = crypto::Credential::make(std::move(chain), *key);
  REQUIRE(made);
  return std::make_shared<const crypto::Credential>(std::move(*made));
}

inline std::shared_ptr<const crypto::TrustStore> trust_of(const Pki& pki) {
  return std::make_shared<const crypto::TrustStore>(pki.store());
}

inline Pki pki_of(const std::string& name, KeyKind gw = KeyKind::p256) {
  Pki pki(KeyKind::p256, KeyKind::p256, gw);
  pki.gw.subject = "C=CN, O=Causeway Test, CN=" + name;
  Pki::set(pki.gw, "subjectAltName", "DNS:" + name);
  return pki;
}

inline PairOptions with_certificates(const Site& a, const Site& b) {
  return {.adjust = [a, b](ike::PeerSettings& s, bool is_b) {
    s.config.auth = conf::AuthMethod::cert;
    s.config.local_id = is_b ? "b.example.com" : "a.example.com";
    s.config.remote_id = is_b ? "a.example.com" : "b.example.com";
    s.credential = is_b ? b.credential : a.credential;
    s.trust = is_b ? b.trust : a.trust;
    s.psk = {};
  }};
}

struct Refusal {
  std::string name;  // what the reason must say
  std::function<void(Pki&)> spoil;
};

inline const std::vector<Refusal>& refusals() {
  static const std::vector<Refusal> all = {
      {"expired", [](Pki& p) { p.gw.not_after = day(10); }},
      {"not yet valid", [](Pki& p) { p.gw.not_before = day(100); }},
      {"unknown CA",
       [](Pki& p) {
         p.root.subject = "C=CN, O=Somebody Else, CN=Root";
         p.sub.issuer = p.root.subject;
         p.root_key = TestKey::of(KeyKind::p256, 20);
       }},
      {"revoked", [](Pki&) {}},  // by the list, below
      {"wrong identity", [](Pki& p) { Pki::set(p.gw, "subjectAltName", "DNS:other.example.com"); }},
      {"weak key", [](Pki& p) { p.gw_key = TestKey::of(KeyKind::rsa1024, 3); }},
      {"chain too long", [](Pki& p) { Pki::set(p.root, "basicConstraints", "critical,CA:TRUE,pathlen:0"); }},
      {"not a CA", [](Pki& p) { Pki::set(p.sub, "basicConstraints", "critical,CA:FALSE"); }},
      {"key usage", [](Pki& p) { Pki::set(p.gw, "keyUsage", "critical,keyAgreement"); }},
      {"name constraints", [](Pki& p) { Pki::set(p.sub, "nameConstraints", "critical,permitted;DNS:example.org"); }},
  };
  return all;
}

// Whom the one trusts that checks `actual`, which is `good` or a spoilt copy of it.
inline std::shared_ptr<const crypto::TrustStore> trust_against(const Refusal& refusal, const Pki& good,
                                                               const Pki& actual) {
  // A path length that forbids is the trusted root's own; a foreign root is not trusted.
  crypto::TrustStore store;
  store.add_ca(refusal.name == "chain too long" ? actual.root_certificate() : good.root_certificate());
  if (refusal.name == "revoked") {
    const auto list = make_crl(
        {.issuer = kSub, .this_update = day(0), .next_update = day(60), .revoked = {3}}, good.sub_key);
    REQUIRE(store.add_crls(list));
  }
  return std::make_shared<const crypto::TrustStore>(std::move(store));
}

}  // namespace causeway::test

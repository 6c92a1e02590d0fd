#include "control/ike/proposal.h"
#include "crypto/dh.h"
#include "test/support/catch.h"

using namespace causeway::ike;
using causeway::crypto::Encryption;
using causeway::crypto::EspSuite;
using causeway::crypto::Integrity;
using causeway::crypto::KeyExchange;
using causeway::crypto::Prf;

namespace {

Proposal parsed(Protocol protocol, std::string_view text, bool legacy = false) {
  auto p = Proposal::parse(protocol, text, legacy);
  INFO(text);
  if (!p) FAIL(p.error());
  return *p;
}
Proposal ike(std::string_view text) { return parsed(Protocol::ike, text, true); }
Proposal esp(std::string_view text) { return parsed(Protocol::esp, text, true); }

std::string error(Protocol protocol, std::string_view text, bool legacy = false) {
  const auto p = Proposal::parse(protocol, text, legacy);
  INFO(text);
  REQUIRE_FALSE(p);
  return p.error();
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Reason refused(std::vector<Proposal> ours, std::vector<Proposal> theirs, SelectOptions options = {}) {
  const auto choice = select(ours, theirs, options);
  REQUIRE_FALSE(choice);
  CHECK(choice.error().cause == Cause::no_common_proposal);
  CHECK(choice.error().ours == str(ours));
  CHECK(choice.error().theirs == str(theirs));
  return choice.error();
}

Choice chosen(std::vector<Proposal> ours, std::vector<Proposal> theirs, SelectOptions options = {}) {
  const auto choice = select(ours, theirs, options);
  if (!choice) FAIL(choice.error().text);
  return *choice;
}

}  // namespace

TEST_CASE("An IKE suite means what strongSwan means by it") {
  const Proposal p = parsed(Protocol::ike, "aes256-sha256-modp2048");
  CHECK(p.encryption == std::vector{Cipher{Encryption::aes_cbc, 256}});
  CHECK(p.integrity == std::vector{Integrity::hmac_sha2_256_128});
  CHECK(p.prf == std::vector{Prf::hmac_sha2_256});
  CHECK(p.key_exchange == std::vector{KeyExchange::modp2048});

  const Proposal gcm = parsed(Protocol::ike, "aes256gcm16-prfsha384-ecp384");
  CHECK(gcm.encryption == std::vector{Cipher{Encryption::aes_gcm_16, 256}});
  CHECK(gcm.integrity.empty());
  CHECK(gcm.prf == std::vector{Prf::hmac_sha2_384});

  // With an AEAD an integrity name stands for the PRF alone.
  CHECK(parsed(Protocol::ike, "aes256gcm16-sha384-ecp384") == gcm);

  const Proposal several = ike("aes128-aes256-sha256-sha1-modp2048-ecp256");
  CHECK(several.encryption.size() == 2);
  CHECK(several.integrity == std::vector{Integrity::hmac_sha2_256_128, Integrity::hmac_sha1_96});
  CHECK(several.prf == std::vector{Prf::hmac_sha2_256, Prf::hmac_sha1});
  CHECK(several.key_exchange == std::vector{KeyExchange::modp2048, KeyExchange::ecp256});

  const Proposal own_prf = ike("aes128-sha256-prfsha512-x25519");
  CHECK(own_prf.prf == std::vector{Prf::hmac_sha2_512});
}

TEST_CASE("An ESP suite may have a group for PFS and extended sequence numbers") {
  const Proposal p = parsed(Protocol::esp, "aes128-sha256-modp3072-esn-noesn");
  CHECK(p.key_exchange == std::vector{KeyExchange::modp3072});
  CHECK(p.esn == std::vector{true, false});
  CHECK(p.prf.empty());
  const Proposal plain = parsed(Protocol::esp, "aes256gcm16");
  CHECK(plain.key_exchange.empty());
  CHECK(plain.esn.empty());
  CHECK(parsed(Protocol::esp, "aes256gcm16-ecp384").without_key_exchange() == plain);
  CHECK(esp("null-sha256").encryption == std::vector{Cipher{Encryption::null, 0}});
}

TEST_CASE("Other spellings of strongSwan's are understood") {
  CHECK(ike("aes-sha-modp1024") == ike("aes128-sha1-modp1024"));
  CHECK(ike("aes128gcm128-prfsha256-curve25519") == ike("aes128gcm16-prfsha256-x25519"));
  CHECK(esp("aes256gcm") == esp("aes256gcm16"));
  CHECK(esp("aes256gcm64") == esp("aes256gcm8"));
  CHECK(esp("aes256-sha2_256") == esp("aes256-sha256"));
  CHECK(esp("aes256-sha2_256_96") == esp("aes256-sha256_96"));
}

TEST_CASE("What was parsed is written back in the same spelling") {
  for (const char* text : {"aes256gcm16-prfsha384-ecp384", "aes128-sha1-modp1024", "aes128-aes256-sha256-sha1-modp2048",
                           "3des-md5-modp768", "chacha20poly1305-prfsha256-x25519", "aes128-sha256-prfsha512-ecp521",
                           "aes256ctr-aesxcbc-modp4096", "aes128gcm8-aes192gcm12-prfaesxcbc-modp1536"}) {
    CHECK(ike(text).str() == text);
    CHECK(ike(ike(text).str()) == ike(text));
  }
  for (const char* text : {"aes256gcm16", "aes128-sha256-modp2048", "null-sha1", "aes128gmac", "aes256-sha512-esn",
                           "aes128-sha1-noesn-esn", "chacha20poly1305-ecp256-none"}) {
    CHECK(esp(text).str() == text);
    CHECK(esp(esp(text).str()) == esp(text));
  }
}

TEST_CASE("Every cipher, integrity algorithm, PRF and group of the table can be written in a suite") {
  for (const auto& e : causeway::crypto::encryptions()) {
    if (e.for_ike)
      CHECK(ike(std::string(e.name) + (e.aead() ? "-prfsha256-x25519" : "-sha256-x25519")).has_aead() == e.aead());
    if (e.for_esp) CHECK(esp(std::string(e.name) + (e.aead() ? "" : "-sha256")).encryption.front().id == e.id);
  }
  for (const auto& i : causeway::crypto::integrities()) {
    CHECK(ike("aes128-" + std::string(i.name) + "-x25519").integrity.front() == i.id);
  }
  for (const auto& p : causeway::crypto::prfs())
    CHECK(ike("aes128gcm16-" + std::string(p.name) + "-x25519").prf.front() == p.id);
  for (const auto& k : causeway::crypto::key_exchanges()) {
    const std::string text = "aes128-sha256-" + std::string(k.name);
    if (causeway::crypto::unavailable(k.id).empty()) {
      CHECK(ike(text).key_exchange.front() == k.id);
      CHECK(ike("aes128-sha256-x25519-ke1_" + std::string(k.name)).additional[0].front() == k.id);
    } else {
      CHECK(has(error(Protocol::ike, text), "needs OpenSSL 3.5"));
    }
  }
}

TEST_CASE("A suite that cannot be is refused with what is missing") {
  CHECK(has(error(Protocol::ike, "aes256-modp2048"), "a cipher without integrity"));
  CHECK(has(error(Protocol::ike, "aes256-sha256"), "no key exchange"));
  CHECK(has(error(Protocol::ike, "aes256gcm16-ecp384"), "no PRF"));
  CHECK(has(error(Protocol::ike, "sha256-modp2048"), "no cipher"));
  CHECK(has(error(Protocol::ike, "aes256gcm16-aes256-sha256-modp2048"), "write two"));
  CHECK(has(error(Protocol::ike, "aes256-sha256-modp2048-esn"), "belongs to esp"));
  CHECK(has(error(Protocol::ike, "null-sha256-modp2048"), "cannot protect IKE"));
  CHECK(has(error(Protocol::ike, "aes256-sha256-none"), "no algorithm known"));
  CHECK(has(error(Protocol::esp, "aes256"), "a cipher without integrity"));
  CHECK(has(error(Protocol::esp, "aes256-sha256-prfsha256"), "belongs to ike"));
  CHECK(has(error(Protocol::esp, "aes256-sha256-rot13"), "'rot13' is no algorithm known here"));
  CHECK(has(error(Protocol::esp, "aes256-sha256-ke8_ecp256"), "no algorithm known here"));
  for (const char* text : {"", "-", "aes256-", "-aes256-sha256", "aes256--sha256", "AES256-SHA256"}) {
    CHECK(has(error(Protocol::esp, text), "no algorithm known here"));
  }
}

TEST_CASE("Legacy algorithms need legacy = true, and the error says so") {
  for (const char* text : {"3des-sha1-modp2048", "aes128-md5-modp2048", "aes128-sha1-modp1024", "aes128-sha1-modp1536",
                           "aes128gcm8-prfsha256-modp2048", "aes128-sha256_96-modp2048"}) {
    CHECK(has(error(Protocol::ike, text), "legacy = true"));
    CHECK(Proposal::parse(Protocol::ike, text, true));
  }
  CHECK(has(error(Protocol::esp, "null-sha256"), "legacy = true"));
  const std::vector<std::string> texts = {"aes128-sha256-modp2048", "3des-sha1-modp2048"};
  CHECK_FALSE(parse_proposals(Protocol::ike, texts, false));
  CHECK(parse_proposals(Protocol::ike, texts, true)->size() == 2);
  CHECK_FALSE(parse_proposals(Protocol::ike, {}, true));
}

TEST_CASE("The responder takes its first proposal that meets any, and its own order within") {
  const Choice c = chosen({ike("aes256gcm16-prfsha384-ecp384"), ike("aes256-aes128-sha256-modp2048-ecp256")},
                          {ike("aes128-sha1-modp1024"), ike("aes128-aes256-sha256-ecp256-modp2048")});
  CHECK(c.ours == 1);
  CHECK(c.theirs == 1);
  CHECK(c.name() == "aes256-sha256-modp2048");
  CHECK(c.proposal() == ike("aes256-sha256-modp2048"));
  const Choice first = chosen({ike("aes256gcm16-prfsha384-ecp384"), ike("aes256-sha256-modp2048")},
                              {ike("aes256-sha256-modp2048"), ike("aes256gcm16-prfsha384-ecp384")});
  CHECK(first.name() == "aes256gcm16-prfsha384-ecp384");
  CHECK(first.ours == 0);
  CHECK(first.theirs == 1);
}

TEST_CASE("An ESP choice becomes the suite of the data path") {
  const Choice gcm = chosen({esp("aes256gcm16")}, {esp("aes128gcm16-aes256gcm16-esn-noesn")});
  CHECK(gcm.esp_suite() == EspSuite{Encryption::aes_gcm_16, 256, Integrity::none, false});
  const Choice cbc = chosen({esp("aes128-sha256-esn")}, {esp("aes128-sha256-esn-noesn")});
  CHECK(cbc.esp_suite() == EspSuite{Encryption::aes_cbc, 128, Integrity::hmac_sha2_256_128, true});
  CHECK(cbc.name() == "aes128-sha256-esn");
}

TEST_CASE("A refusal names each field that differs, both sides' values, and the cure") {
  Reason r = refused({ike("aes256-sha256-modp2048")}, {ike("aes128-sha1-modp1024")});
  CHECK(has(r.text, "encryption (ours aes256, theirs aes128)"));
  CHECK(has(r.text, "integrity (ours sha256, theirs sha1)"));
  CHECK(has(r.text, "PRF (ours prfsha256, theirs prfsha1)"));
  CHECK(has(r.text, "key exchange (ours modp2048, theirs modp1024)"));
  CHECK(has(r.text, "add aes128-sha1-modp1024 to ike.proposals here, or aes256-sha256-modp2048 at the peer"));

  r = refused({ike("aes256-sha256-modp2048")}, {ike("aes256-sha256-ecp256-modp1536")});
  CHECK(has(r.text, "differ in key exchange (ours modp2048, theirs ecp256 or modp1536):"));
  r = refused({esp("aes256-sha256")}, {esp("aes256-sha384")});
  CHECK(has(r.text, "differ in integrity (ours sha256, theirs sha384): add aes256-sha384 to esp.proposals"));
  r = refused({esp("aes256gcm16")}, {esp("aes256-sha256")});
  CHECK(has(r.text, "differ in encryption (ours aes256gcm16, theirs aes256):"));
  r = refused({esp("aes256gcm16-noesn")}, {esp("aes256gcm16-esn")});
  CHECK(has(r.text, "differ in extended sequence numbers (ours off, theirs on):"));
  r = refused({esp("aes256gcm16-modp2048")}, {esp("aes256gcm16")});
  CHECK(has(r.text, "differ in PFS group (ours modp2048, theirs none):"));
  r = refused({esp("aes256gcm16")}, {ike("aes256gcm16-prfsha256-modp2048")});
  CHECK(has(r.text, "protocol (ours ESP, theirs IKE)"));
  r = refused({esp("aes256gcm16")}, {});
  CHECK(has(r.text, "no proposal that can be understood"));
}

TEST_CASE("The nearest pair of proposals is the one that a refusal speaks of") {
  const Reason r = refused({ike("chacha20poly1305-prfsha512-x25519"), ike("aes256-sha256-modp2048")},
                           {ike("3des-md5-modp1024"), ike("aes256-sha256-modp3072")});
  CHECK(has(r.text, "ours aes256-sha256-modp2048 and theirs aes256-sha256-modp3072 come nearest"));
}

TEST_CASE("Key exchanges do not count for the child of IKE_AUTH") {
  const SelectOptions auth{.ignore_key_exchange = true};
  CHECK(chosen({esp("aes256gcm16-ecp384")}, {esp("aes256gcm16")}, auth).key_exchange == KeyExchange::none);
  CHECK(chosen({esp("aes256gcm16")}, {esp("aes256gcm16-ecp256")}, auth).name() == "aes256gcm16");
}

TEST_CASE("An AEAD goes with no integrity or with NONE, and with nothing else") {
  Proposal theirs = esp("aes256gcm16");
  theirs.integrity = {Integrity::none};
  CHECK(chosen({esp("aes256gcm16")}, {theirs}).integrity == Integrity::none);
  theirs.integrity = {Integrity::hmac_sha2_256_128};
  CHECK(has(refused({esp("aes256gcm16")}, {theirs}).text, "integrity"));
  // A peer that mixes both kinds in one proposal is served with the one that is complete.
  theirs.encryption.push_back({Encryption::aes_cbc, 256});
  Proposal ours = esp("aes256-sha256");
  CHECK(chosen({ours}, {theirs}).name() == "aes256-sha256");
}

TEST_CASE("A group that is optional on one side gives way to the other's need") {
  CHECK(chosen({esp("aes256gcm16-ecp384-none")}, {esp("aes256gcm16")}).key_exchange == KeyExchange::none);
  CHECK(chosen({esp("aes256gcm16-ecp384-none")}, {esp("aes256gcm16-ecp384")}).key_exchange == KeyExchange::ecp384);
  CHECK(chosen({esp("aes256gcm16")}, {esp("aes256gcm16-ecp384-none")}).key_exchange == KeyExchange::none);
}

TEST_CASE("Additional key exchanges are chosen one of each kind") {
  Proposal ours = ike("aes256gcm16-prfsha256-x25519"), theirs = ours;
  ours.additional[0] = {KeyExchange::mlkem768};
  theirs.additional[0] = {KeyExchange::mlkem1024, KeyExchange::mlkem768};
  CHECK(chosen({ours}, {theirs}).additional[0] == KeyExchange::mlkem768);
  CHECK(chosen({ours}, {theirs}).name() == "aes256gcm16-prfsha256-x25519-ke1_mlkem768");
  theirs.additional[0].clear();
  CHECK(has(refused({ours}, {theirs}).text, "additional key exchange 1 (ours mlkem768, theirs none)"));
  ours.additional[0].push_back(KeyExchange::none);
  CHECK(chosen({ours}, {theirs}).additional[0] == KeyExchange::none);
}

TEST_CASE("An answer must be one of each from what was offered") {
  const std::vector<Proposal> ours = {ike("aes256gcm16-prfsha384-ecp384"), ike("aes128-aes256-sha256-modp2048-ecp256")};
  const auto answer = [&](std::vector<Proposal> a) { return accept_answer(ours, a); };
  REQUIRE(answer({ike("aes256-sha256-ecp256")}));
  CHECK(answer({ike("aes256-sha256-ecp256")})->ours == 1);
  CHECK_FALSE(answer({}));
  CHECK_FALSE(answer({ours[1]}));
  CHECK_FALSE(answer({ike("aes256-sha256-ecp256"), ike("aes256-sha256-ecp256")}));
  const auto other = answer({ike("aes256-sha512-ecp256")});
  REQUIRE_FALSE(other);
  CHECK(has(other.error().text, "the peer chose what we did not offer"));
  CHECK(has(other.error().text, "integrity (ours sha256, theirs sha512)"));
}

TEST_CASE("A group that a peer asks for is known as offered or not") {
  const std::vector<Proposal> ours = {ike("aes256gcm16-prfsha384-ecp384"), ike("aes256-sha256-modp2048-ecp256")};
  CHECK(offers(ours, KeyExchange::ecp256));
  CHECK(offers(ours, KeyExchange::ecp384));
  CHECK_FALSE(offers(ours, KeyExchange::modp1024));
  CHECK_FALSE(offers(ours, KeyExchange::none));
}

TEST_CASE("Identifiers that the table does not know are shown by number") {
  Proposal p = ike("aes256-sha256-modp2048");
  p.encryption = {{static_cast<Encryption>(23), 256}};
  p.integrity = {static_cast<Integrity>(99)};
  p.prf = {static_cast<Prf>(98)};
  p.key_exchange = {static_cast<KeyExchange>(97)};
  CHECK(p.str() == "encryption23_256-integrity99-prf98-group97");
  CHECK(has(refused({ike("aes256-sha256-modp2048")}, {p}).text, "theirs group97"));
}

TEST_CASE("A peer's endless offer does not make an endless reason") {
  Proposal theirs = ike("aes128-sha1-modp1024");
  for (unsigned i = 0; i < 250; ++i) theirs.key_exchange.push_back(static_cast<KeyExchange>(1000 + i));
  const std::vector<Proposal> many(100, theirs), ours = {ike("aes256-sha256-modp2048")};
  const auto choice = select(ours, many);
  REQUIRE_FALSE(choice);
  CHECK(choice.error().text.size() < 2000);
  CHECK(choice.error().theirs.size() < 500);
}

// Why an IKEv2 tunnel is down: the reason names the cause and its cure, and forged notifies end nothing.
#include "test/support/catch.h"
#include "test/support/ike_pair.h"

namespace causeway {
namespace {

using Catch::Matchers::Contains;
using test::Fate;
using test::IkePair;
using test::Time;

using Adjust = std::function<void(ike::PeerSettings&, bool)>;

IkePair attempt(Adjust adjust) { return IkePair({.adjust = std::move(adjust)}); }

crypto::Secret secret(std::string_view text) {
  return crypto::Secret(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

TEST_CASE("a wrong pre-shared key: the verifier knows it, the refused side ranks what it can have been") {
  auto pair = attempt([](ike::PeerSettings& s, bool is_b) {
    if (is_b) s.psk = secret("another key");
  });
  pair.start(pair.a);
  pair.run(Time{60'000});
  CHECK(pair.both_down());
  REQUIRE(pair.b.ike_closed.size() == 1);
  CHECK(pair.b.ike_closed[0].cause == ike::Cause::authentication_failed);
  CHECK_THAT(pair.b.ike_closed[0].text, Contains("pre-shared key of 192.0.2.1 is not ours"));
  REQUIRE(pair.a.ike_closed.size() == 1);
  CHECK(pair.a.ike_closed[0].cause == ike::Cause::peer_refused_authentication);
  REQUIRE(pair.a.ike_closed[0].candidates.size() == 2);
  CHECK_THAT(pair.a.ike_closed[0].candidates[0], Contains("pre-shared key"));
  CHECK_THAT(pair.a.ike_closed[0].candidates[1], Contains("identity"));
  CHECK(pair.stuck().empty());
}

TEST_CASE("a wrong identity of the initiator is named by the responder with both identities and the cure") {
  auto pair = attempt([](ike::PeerSettings& s, bool is_b) {
    if (!is_b) s.config.local_id = "gw.example.com";
  });
  pair.start(pair.a);
  pair.run(Time{60'000});
  CHECK(pair.both_down());
  REQUIRE(pair.b.ike_closed.size() == 1);
  const auto& reason = pair.b.ike_closed[0];
  CHECK(reason.cause == ike::Cause::wrong_identity);
  CHECK_THAT(reason.text, Contains("gw.example.com") && Contains("192.0.2.1") && Contains("remote_id"));
  CHECK(pair.a.ike_closed.at(0).cause == ike::Cause::peer_refused_authentication);
}

TEST_CASE("a wrong identity of the responder is named by the initiator, and the responder is told") {
  auto pair = attempt([](ike::PeerSettings& s, bool is_b) {
    if (is_b) s.config.local_id = "gw.example.com";
  });
  pair.start(pair.a);
  pair.run(Time{60'000});
  CHECK(pair.both_down());
  REQUIRE(pair.a.ike_closed.size() == 1);
  CHECK(pair.a.ike_closed[0].cause == ike::Cause::wrong_identity);
  CHECK_THAT(pair.a.ike_closed[0].text, Contains("gw.example.com") && Contains("expected") && Contains("192.0.2.2"));
  CHECK(pair.b.ike_closed.at(0).cause == ike::Cause::peer_refused_authentication);
  CHECK(pair.b.inbound.empty());
}

TEST_CASE("IKE proposals with nothing in common: both offers are kept side by side") {
  auto pair = attempt([](ike::PeerSettings& s, bool is_b) {
    if (is_b) s.config.ike.proposals = {"aes256-sha512-modp4096"};
  });
  pair.start(pair.a);
  pair.run(Time{60'000});
  CHECK(pair.both_down());
  REQUIRE_FALSE(pair.b.ike_closed.empty());
  CHECK(pair.b.ike_closed[0].cause == ike::Cause::no_common_proposal);
  CHECK_THAT(pair.b.ike_closed[0].ours, Contains("aes256-sha512-modp4096"));
  CHECK_THAT(pair.b.ike_closed[0].theirs, Contains("aes128gcm16-prfsha256-x25519"));
  REQUIRE(pair.a.ike_closed.size() == 1);
  CHECK(pair.a.ike_closed[0].cause == ike::Cause::peer_refused_proposal);
  CHECK_THAT(pair.a.ike_closed[0].text, Contains("aes128gcm16-prfsha256-x25519") && Contains("ike.proposals"));
  // It did not wait longer than for one answer, nor shorter.
  CHECK(pair.a.sent == 1);
}

TEST_CASE("ESP proposals with nothing in common: the IKE SA stands and the child says why not") {
  auto pair = attempt([](ike::PeerSettings& s, bool is_b) {
    if (is_b) s.config.esp.proposals = {"aes256-sha512"};
  });
  pair.start(pair.a);
  pair.run(Time{5'000});
  CHECK(pair.a.established == 1);
  CHECK(pair.b.established == 1);
  REQUIRE(pair.a.child_failed.size() == 1);
  CHECK(pair.a.child_failed[0].cause == ike::Cause::peer_refused_proposal);
  CHECK_THAT(pair.a.child_failed[0].text, Contains("aes128gcm16") && Contains("esp.proposals"));
  REQUIRE(pair.b.child_failed.size() == 1);
  CHECK(pair.b.child_failed[0].cause == ike::Cause::no_common_proposal);
  CHECK_THAT(pair.b.child_failed[0].ours, Contains("aes256-sha512"));
  CHECK_THAT(pair.b.child_failed[0].theirs, Contains("aes128gcm16"));
  CHECK(pair.a.env.allocated.empty());
  CHECK(pair.b.env.allocated.empty());
}

TEST_CASE("traffic selectors that do not meet: the IKE SA stands and the child says why not") {
  auto pair = attempt([](ike::PeerSettings& s, bool is_b) {
    if (is_b) s.children[0].selectors.remote = {conf::Selector::of(*conf::Prefix::parse("172.16.0.0/12"))};
  });
  pair.start(pair.a);
  pair.run(Time{5'000});
  REQUIRE(pair.a.child_failed.size() == 1);
  CHECK(pair.a.child_failed[0].cause == ike::Cause::selectors_refused);
  CHECK_THAT(pair.a.child_failed[0].text, Contains("10.1.0.0/16") && Contains("10.2.0.0/16"));
  REQUIRE(pair.b.child_failed.size() == 1);
  CHECK(pair.b.child_failed[0].cause == ike::Cause::selectors_disjoint);
  CHECK(pair.a.inbound.empty());
  CHECK(pair.b.inbound.empty());
  CHECK(pair.a.env.allocated.empty());
}

TEST_CASE("a silent peer: how often it was asked, for how long, and what to look at") {
  IkePair pair;
  pair.b.answers = false;
  pair.start(pair.a);
  pair.run(Time{60'000});
  REQUIRE(pair.a.ike_closed.size() == 1);
  CHECK(pair.a.ike_closed[0].cause == ike::Cause::peer_silent);
  CHECK_THAT(pair.a.ike_closed[0].text,
             Contains("no answer from 192.0.2.2:500 in 28 s: sent 5, got 0") && Contains("UDP 500"));
  CHECK(pair.a.env.allocated.empty());
}

TEST_CASE("a peer that answers IKE_SA_INIT only: the reason points at port and proof") {
  IkePair pair;
  pair.wire = [](const test::InFlight& d) { return d.number >= 2 ? Fate{} : Fate{{Time{20}, std::nullopt}}; };
  pair.start(pair.a);
  pair.run(Time{60'000});
  CHECK(pair.both_down());
  CHECK_THAT(pair.a.ike_closed.at(0).text, Contains("answered IKE_SA_INIT but not IKE_AUTH"));
  CHECK_THAT(pair.b.ike_closed.at(0).text, Contains("fell silent after IKE_SA_INIT"));
}

TEST_CASE("forged unprotected notifies do not abort an attempt, nor end an established SA") {
  IkePair pair;
  const std::uint16_t type = GENERATE(std::uint16_t{14}, std::uint16_t{24}, std::uint16_t{7}, std::uint16_t{4});
  // A reply with the SPIs of what side a sent last, an error notify, and no protection.
  const auto forge = [&](const test::Bytes& seen) {
    test::Bytes m(seen.begin(), seen.begin() + 28);
    m[16] = 41;
    m[19] = 0x20;
    const test::Bytes notify{0, 0, 0, 8, 0, 0, static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type)};
    m.insert(m.end(), notify.begin(), notify.end());
    m[27] = static_cast<std::uint8_t>(m.size());
    return m;
  };
  pair.start(pair.a);
  pair.inject(pair.a, forge(pair.history.back().bytes));  // before the true answer
  pair.run(Time{30}, [&] { return pair.history.size() == 3; });
  pair.inject(pair.a, forge(pair.history.back().bytes));  // to IKE_AUTH
  pair.run(Time{5'000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
  for (const auto& d : pair.history) pair.inject(d.to_b ? pair.a : pair.b, forge(d.bytes));
  pair.run(Time{60'000});
  CHECK(pair.both_up());
  CHECK(pair.difference().empty());
}

TEST_CASE("what the peer is told of a failure is the RFC's notify and nothing more") {
  auto pair = attempt([](ike::PeerSettings& s, bool is_b) {
    if (is_b) s.psk = secret("another key");
  });
  pair.start(pair.a);
  pair.run(Time{1'000});
  // Header, SK with IV, a notify without data, pad length and ICV of AES-GCM.
  REQUIRE(pair.history.size() == 4);
  CHECK(pair.history[3].bytes.size() == 28 + 4 + 8 + 8 + 1 + 16);
}

}  // namespace
}  // namespace causeway

// PPK (RFC 8784) and additional key exchanges (RFC 9242, RFC 9370) between two of ours, and on a wire that loses.
#include "control/ikev2/cookie.h"
#include "test/support/catch.h"
#include "test/support/ike_pair.h"

namespace causeway {
namespace {

using test::Bytes;
using test::Fate;
using test::IkePair;
using test::InFlight;
using test::PairOptions;
using test::Time;

// --- PPK ---------------------------------------------------------------------------------------------------

struct Ppk {
  std::string id, secret;  // empty: none
  bool required = true;
};

PairOptions with_ppk(const Ppk& a, const Ppk& b) {
  return {.adjust = [a, b](ike::PeerSettings& s, bool is_b) {
    const Ppk& own = is_b ? b : a;
    s.config.ike.ppk_id = own.id;
    s.config.ike.ppk_required = own.required;
    s.ppk = crypto::Secret(std::span(reinterpret_cast<const std::uint8_t*>(own.secret.data()), own.secret.size()));
  }};
}

TEST_CASE("IKEv2 PPK: used where both have it, left out where one has none and nobody insists") {
  const Ppk none, key{"site-7", "quantum", true}, optional{"site-7", "quantum", false},
      other{"site-8", "something else", false};
  const auto [a, b] = GENERATE_COPY(table<Ppk, Ppk>({{key, key},
                                                     {optional, key},
                                                     {key, optional},
                                                     {optional, none},
                                                     {none, optional},
                                                     {optional, other},
                                                     {none, none}}));
  IkePair pair(with_ppk(a, b));
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  INFO("'" << a.id << "' and '" << b.id << "'");
  REQUIRE(pair.both_up());
  CHECK(pair.difference().empty());
  pair.with(pair.a, [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.rekey_ike(now, out); });
  pair.run(Time{10'000});
  CHECK(pair.both_up());
  CHECK(pair.difference().empty());
}

TEST_CASE("IKEv2 PPK: one that is required and not there, or another, is refused by its reason") {
  const Ppk none, key{"site-7", "quantum", true}, other{"site-8", "quantum", true}, wrong{"site-7", "classical", true};
  const auto [a, b, text] = GENERATE_COPY(table<Ppk, Ppk, std::string>({{key, none, "does not use a post-quantum"},
                                                                        {none, key, "does not use a post-quantum"},
                                                                        {key, other, "\"site-7\""},
                                                                        {key, wrong, "is not ours"}}));
  IkePair pair(with_ppk(a, b));
  pair.start(pair.a);
  pair.run(Time{120'000});
  INFO("'" << a.id << "' and '" << b.id << "'");
  REQUIRE(pair.both_down());
  CHECK(pair.stuck().empty());
  std::string said;
  for (const auto* side : {&pair.a, &pair.b}) {
    for (const auto& r : side->ike_closed) said += r.text + "\n";
  }
  INFO(said);
  CHECK(said.find(text) != std::string::npos);
}

// --- additional key exchanges -------------------------------------------------------------------------------

PairOptions with_rounds(const std::string& proposal, std::uint64_t seed = 1, std::uint16_t packet = 1280) {
  return {.seed = seed, .adjust = [=](ike::PeerSettings& s, bool) {
            s.config.ike.proposals = {proposal};
            s.ike_packet = packet;
          }};
}

const std::string kThree = "aes256gcm16-prfsha384-x25519-ke1_ecp384-ke2_modp2048-ke5_ecp256";

TEST_CASE("IKEv2 additional key exchanges: one IKE_INTERMEDIATE each, and other keys in the end") {
  const auto [proposal, rounds] = GENERATE(
      table<std::string, int>({{"aes128-sha256-x25519-ke1_ecp256", 1}, {kThree, 3}, {"aes128-sha256-x25519", 0}}));
  IkePair pair(with_rounds(proposal));
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  INFO(proposal);
  REQUIRE(pair.both_up());
  CHECK(pair.difference().empty());
  CHECK(pair.a.ike()->status().suite == proposal);
  int seen = 0;
  for (const InFlight& d : pair.history) seen += d.bytes.at(18) == 43 ? 1 : 0;
  CHECK(seen == 2 * rounds);
  // Rekeys inherit their strength.
  pair.with(pair.b, [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.rekey_ike(now, out); });
  pair.run(Time{10'000});
  CHECK(pair.both_up());
  CHECK(pair.difference().empty());
}

TEST_CASE("IKEv2 additional key exchanges: every message lost, doubled or changed, whole and in pieces") {
  const std::uint16_t packet = GENERATE(std::uint16_t{1280}, std::uint16_t{300});
  IkePair clean(with_rounds(kThree, 1, packet));
  clean.start(clean.a);
  clean.run(Time{2000}, [&] { return clean.both_up(); });
  REQUIRE(clean.both_up());
  for (int n = 0; n < static_cast<int>(clean.history.size()); ++n) {
    for (int kind = 0; kind < 3; ++kind) {
      if (n < 2 && kind == 2) continue;  // IKE_SA_INIT has no protection of its own
      IkePair pair(with_rounds(kThree, 1, packet));
      pair.wire = [&](const InFlight& d) -> Fate {
        if (d.number != n) return {{Time{20}, std::nullopt}};
        Bytes changed = d.bytes;
        changed.back() ^= 1;
        if (kind == 0) return {};
        if (kind == 1) return {{Time{20}, std::nullopt}, {Time{2700}, std::nullopt}};
        return {{Time{20}, changed}};
      };
      pair.start(pair.a);
      pair.run(Time{200'000}, [&] { return pair.both_up(); });
      INFO("datagram " << n << ", kind " << kind << ", packets of " << packet);
      REQUIRE(pair.both_up());
      REQUIRE(pair.difference().empty());
    }
  }
}

TEST_CASE("IKEv2 additional key exchanges: a peer without them takes the proposal without, or none") {
  IkePair pair({.adjust = [](ike::PeerSettings& s, bool is_b) {
    s.config.ike.proposals = is_b ? std::vector<std::string>{"aes128-sha256-x25519"}
                                  : std::vector<std::string>{"aes128-sha256-x25519-ke1_ecp256-ke1_none"};
  }});
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  CHECK(pair.both_up());
}

// --- cookies ------------------------------------------------------------------------------------------------

TEST_CASE("IKEv2 cookie: holds for its address, SPI and nonce, for one to two lives of the secret") {
  crypto::SeededRandom random(7);
  ikev2::CookieSecret secret;
  const auto from = *conf::IpAddress::parse("192.0.2.1"), other = *conf::IpAddress::parse("192.0.2.2");
  const Bytes nonce(32, 5), other_nonce(32, 6);
  const Time begin{1000}, life = ikev2::CookieSecret::kLife;
  CHECK_FALSE(secret.made({}, from, 1, nonce, begin));
  const auto cookie = secret.bake(from, 1, nonce, begin, random);
  CHECK(cookie.size() <= 64);
  CHECK(secret.made(cookie, from, 1, nonce, begin));
  CHECK_FALSE(secret.made(cookie, other, 1, nonce, begin));
  CHECK_FALSE(secret.made(cookie, from, 2, nonce, begin));
  CHECK_FALSE(secret.made(cookie, from, 1, other_nonce, begin));
  for (std::size_t i = 0; i < cookie.size(); ++i) {
    Bytes changed = cookie;
    changed[i] ^= 1;
    CHECK_FALSE(secret.made(changed, from, 1, nonce, begin));
    CHECK_FALSE(secret.made(ike::ByteView(cookie).first(i), from, 1, nonce, begin));
  }
  const auto next = secret.bake(from, 1, nonce, begin + life, random);
  CHECK(next != cookie);
  CHECK(secret.made(cookie, from, 1, nonce, begin + life));
  CHECK_FALSE(secret.made(cookie, from, 1, nonce, begin + 2 * life));
  (void)secret.bake(from, 1, nonce, begin + 2 * life, random);
  CHECK_FALSE(secret.made(cookie, from, 1, nonce, begin + 2 * life));
  CHECK(secret.made(next, from, 1, nonce, begin + 2 * life));
}

TEST_CASE("IKEv2 cookie: asked for in one datagram smaller than the request, which then comes back with it") {
  IkePair pair;
  pair.b.answers = false;
  pair.start(pair.a);
  const Bytes first = pair.history.at(0).bytes;
  const auto& b = *pair.b.settings.front();
  ike::Datagram request{b.local, *b.remote, first};
  ikev2::CookieSecret secret;
  crypto::SeededRandom random(3);
  CHECK(ikev2::cookie_state(request, secret, Time{1000}) == ikev2::CookieState::absent);
  ike::Effects out;
  ikev2::ask_for_cookie(request, secret, random, Time{1000}, out);
  REQUIRE(out.size() == 1);
  const auto& send = std::get<ike::Send>(out.front());
  CHECK(send.message.size() < first.size());
  pair.inject(pair.a, send.message);
  pair.run(Time{400});
  REQUIRE(pair.history.size() == 2);
  request.bytes = pair.history.at(1).bytes;
  CHECK(ikev2::cookie_state(request, secret, Time{2000}) == ikev2::CookieState::proven);
  request.remote.address = *conf::IpAddress::parse("192.0.2.77");
  CHECK(ikev2::cookie_state(request, secret, Time{2000}) == ikev2::CookieState::absent);
  for (std::size_t n = 0; n < first.size(); ++n) {
    request.bytes.assign(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(n));
    CHECK(ikev2::cookie_state(request, secret, Time{2000}) == ikev2::CookieState::unusable);
  }
}

// --- childless (RFC 6023) ------------------------------------------------------------------------------------

TEST_CASE("IKEv2: where the peer wants it so, IKE_AUTH goes without a child, which CREATE_CHILD_SA brings") {
  const std::uint64_t seed = GENERATE(range(1, 13));
  IkePair pair({.seed = seed, .adjust = [](ike::PeerSettings& s, bool is_b) { s.childless = !is_b; }, .traffic = true});
  crypto::SeededRandom dice(seed * 31);
  if (seed > 1) {
    pair.wire = [&](const InFlight&) {
      Fate fate;
      const int copies = dice.below(5) == 0 ? 0 : dice.below(5) == 0 ? 2 : 1;
      for (int i = 0; i < copies; ++i) fate.push_back({Time{5 + dice.below(200)}, std::nullopt});
      return fate;
    };
  }
  pair.start(pair.a);
  pair.run(Time{60'000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
  if (seed == 1) CHECK(pair.history.size() == 6);  // IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA
  pair.run(Time{10'000});
  CHECK(pair.difference().empty());
  CHECK(pair.stuck().empty());
  CHECK(pair.a.child_failed.empty());
  CHECK(pair.packets_lost == 0);
}

}  // namespace
}  // namespace causeway

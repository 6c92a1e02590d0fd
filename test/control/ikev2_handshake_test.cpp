// The handshake of IKEv2 between two of ours, on a wire that does to each message what wires do.
#include <functional>

#include "test/support/catch.h"
#include "test/support/ike_pair.h"

namespace causeway {
namespace {

using test::Arrival;
using test::Fate;
using test::IkePair;
using test::InFlight;
using test::PairOptions;
using test::Time;

constexpr Time kLatency{20};
constexpr Time kLong{300'000};  // longer than every retransmission, half-open life and liveness check together

const Arrival kOnTime{kLatency, std::nullopt};

// The only two ends a negotiation may have.
void require_agreement(const IkePair& pair) {
  for (const auto& n : pair.a.notices) UNSCOPED_INFO("a: " << n);
  for (const auto& n : pair.b.notices) UNSCOPED_INFO("b: " << n);
  REQUIRE(pair.stuck().empty());
  if (pair.both_up()) {
    REQUIRE(pair.difference().empty());
    return;
  }
  REQUIRE(pair.both_down());
  REQUIRE_FALSE(pair.a.ike_closed.empty());
  for (const auto* side : {&pair.a, &pair.b}) {
    for (const auto& reason : side->ike_closed) {
      REQUIRE(reason.cause != ike::Cause::none);
      REQUIRE_FALSE(reason.text.empty());
    }
  }
}

// One handshake in which the n-th datagram meets `fate`.
void handshake_with(int n, const std::function<Fate(const InFlight&)>& fate, PairOptions options = {}) {
  IkePair pair(std::move(options));
  pair.wire = [&](const InFlight& d) { return d.number == n ? fate(d) : Fate{kOnTime}; };
  pair.start(pair.a);
  pair.run(kLong);
  INFO("datagram " << n);
  require_agreement(pair);
  REQUIRE(pair.both_up());
}

TEST_CASE("IKEv2 handshake: two round trips make both sides hold the same child") {
  IkePair pair;
  /* IKE_SA_INIT { SA, KE, Ni, N(NATD_S), N(NATD_D) } --> */
  /* <-- IKE_SA_INIT { SA, KE, Nr, N(NATD_S), N(NATD_D) } */
  /* IKE_AUTH { IDi, N(INITIAL_CONTACT), AUTH, SA, TSi, TSr } --> */
  /* <-- IKE_AUTH { IDr, AUTH, SA, TSi, TSr } */
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  require_agreement(pair);
  REQUIRE(pair.both_up());
  CHECK(pair.history.size() == 4);
  CHECK(pair.a.established == 1);
  CHECK(pair.b.established == 1);
  CHECK_FALSE(pair.a.outbound.at(1)->udp_encap);
  const auto status = pair.a.ike()->status();
  CHECK(status.initiator);
  CHECK(status.suite == "aes128gcm16-prfsha256-x25519");
  CHECK(status.remote_id == "192.0.2.2");
  CHECK(status.children.size() == 1);
}

TEST_CASE("IKEv2 handshake: every suite of the first release works between two of ours") {
  const std::string ike = GENERATE(as<std::string>{}, "aes128-sha1-modp2048", "aes256-sha256-modp3072",
                                   "aes256-sha384-modp4096", "aes192-sha512-ecp256", "aes256gcm16-prfsha384-ecp384",
                                   "aes128gcm16-prfsha256-ecp521", "aes256gcm16-prfsha512-x25519");
  const std::string esp = GENERATE(as<std::string>{}, "aes128gcm16", "aes256-sha256", "aes128-sha1");
  IkePair pair({.adjust = [&](ike::PeerSettings& s, bool) {
    s.config.ike.proposals = {ike};
    s.config.esp.proposals = {esp};
  }});
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  INFO(ike << " with " << esp);
  require_agreement(pair);
  REQUIRE(pair.both_up());
  CHECK(pair.a.outbound.at(1)->suite.name() == esp);
}

TEST_CASE("IKEv2 handshake: each message lost is sent again and the pair ends established") {
  for (int n = 0; n < 4; ++n) handshake_with(n, [](const InFlight&) { return Fate{}; });
}

TEST_CASE("IKEv2 handshake: each message twice, at once or much later, changes nothing") {
  for (const Time again : {Time{0}, Time{1}, Time{25}, Time{3000}, Time{60'000}}) {
    for (int n = 0; n < 4; ++n) {
      handshake_with(n, [&](const InFlight&) { return Fate{kOnTime, {kLatency + again, std::nullopt}}; });
    }
  }
}

TEST_CASE("IKEv2 handshake: each message delayed past its repetitions is harmless") {
  for (const Time delay : {Time{1900}, Time{2100}, Time{6000}, Time{20'000}, Time{40'000}}) {
    for (int n = 0; n < 4; ++n) {
      handshake_with(n, [&](const InFlight&) { return Fate{{delay, std::nullopt}}; });
    }
  }
}

TEST_CASE("IKEv2 handshake: a message that overtakes the one before it is harmless") {
  // Every repetition is reordered as well: each pair of neighbours swaps places.
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    IkePair pair({.seed = seed});
    pair.wire = [&](const InFlight& d) { return Fate{{d.number % 2 == 0 ? Time{2500} : Time{10}, std::nullopt}}; };
    pair.start(pair.a);
    pair.run(kLong, [&] { return pair.both_up(); });
    require_agreement(pair);
    REQUIRE(pair.both_up());
  }
}

TEST_CASE("IKEv2 handshake: each protected message corrupted in any byte is sent again and the pair ends established") {
  IkePair clean;
  clean.start(clean.a);
  clean.run(Time{1000}, [&] { return clean.both_up(); });
  for (int n = 2; n < 4; ++n) {
    const std::size_t size = clean.history.at(static_cast<std::size_t>(n)).bytes.size();
    for (std::size_t at = 0; at < size; at += 3) {
      handshake_with(n, [&](const InFlight& d) {
        auto changed = d.bytes;
        changed.at(at) ^= 0x41;
        return Fate{{kLatency, changed}};
      });
    }
  }
}

TEST_CASE("IKEv2 handshake: IKE_SA_INIT corrupted in any byte ends established or down with a reason") {
  IkePair clean;
  clean.start(clean.a);
  clean.run(Time{1000}, [&] { return clean.both_up(); });
  int up = 0;
  for (int n = 0; n < 2; ++n) {
    const std::size_t size = clean.history.at(static_cast<std::size_t>(n)).bytes.size();
    for (std::size_t at = 0; at < size; ++at) {
      for (const std::uint8_t flip : {0x01, 0x80}) {
        IkePair pair;
        pair.wire = [&](const InFlight& d) {
          if (d.number != n) return Fate{kOnTime};
          auto changed = d.bytes;
          changed.at(at) ^= flip;
          return Fate{{kLatency, changed}};
        };
        pair.start(pair.a);
        pair.run(kLong);
        INFO("datagram " << n << ", octet " << at);
        require_agreement(pair);
        up += pair.both_up() ? 1 : 0;
      }
    }
  }
  CHECK(up > 0);
}

TEST_CASE(
    "IKEv2 handshake: on a random lossy, duplicating, reordering, corrupting wire the pair always agrees in the end") {
  int up = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    IkePair pair({.seed = seed});
    crypto::SeededRandom dice(seed * 977);
    bool calm = false;
    pair.wire = [&](const InFlight& d) {
      if (calm) return Fate{kOnTime};
      Fate fate;
      const int copies = dice.below(10) < 3 ? 0 : dice.below(10) < 3 ? 2 : 1;
      for (int i = 0; i < copies; ++i) {
        Arrival arrival{Time{5 + dice.below(dice.below(4) == 0 ? 5000 : 100)}, std::nullopt};
        if (dice.below(10) == 0) {
          arrival.changed = d.bytes;
          arrival.changed->at(dice.below(static_cast<std::uint32_t>(d.bytes.size()))) ^=
              static_cast<std::uint8_t>(1 + dice.below(255));
        }
        fate.push_back(arrival);
      }
      return fate;
    };
    pair.start(pair.a);
    if (seed % 3 == 0) pair.start(pair.b);
    pair.run(Time{60'000});
    calm = true;
    pair.run(kLong);
    INFO("seed " << seed);
    if (seed % 3 == 0) {
      // Both began: there may be two IKE SAs, and one can have failed. None may hang.
      REQUIRE(pair.stuck().empty());
    } else {
      require_agreement(pair);
    }
    up += pair.both_up() ? 1 : 0;
  }
  CHECK(up > 150);
}

TEST_CASE("IKEv2 handshake: the peer's wish for another group or a cookie is followed") {
  SECTION("INVALID_KE_PAYLOAD, once") {
    IkePair pair({.adjust = [](ike::PeerSettings& s, bool is_b) {
      s.config.ike.proposals = is_b ? std::vector<std::string>{"aes128-sha256-ecp256"}
                                    : std::vector<std::string>{"aes128-sha256-x25519-ecp256"};
    }});
    /* IKE_SA_INIT { SA, KE(x25519), Ni } --> */
    /* <-- IKE_SA_INIT { N(INVALID_KE_PAYLOAD: ecp256) } */
    /* IKE_SA_INIT { SA, KE(ecp256), Ni } --> */
    pair.start(pair.a);
    pair.run(Time{5000}, [&] { return pair.both_up(); });
    require_agreement(pair);
    REQUIRE(pair.both_up());
    CHECK(pair.history.size() == 6);
    CHECK(pair.a.ike()->status().suite == "aes128-sha256-ecp256");
  }
  SECTION("with each of its messages lost once") {
    for (int n = 0; n < 6; ++n) {
      handshake_with(n, [](const InFlight&) { return Fate{}; }, {.adjust = [](ike::PeerSettings& s, bool is_b) {
                       s.config.ike.proposals = is_b ? std::vector<std::string>{"aes128-sha256-ecp256"}
                                                     : std::vector<std::string>{"aes128-sha256-x25519-ecp256"};
                     }});
    }
  }
}

TEST_CASE("IKEv2 handshake: a cookie is sent back in front, the rest unchanged") {
  IkePair pair;
  pair.b.answers = false;
  pair.start(pair.a);
  REQUIRE(pair.history.size() == 1);
  const auto first = pair.history[0].bytes;
  /* <-- IKE_SA_INIT { N(COOKIE) } */
  test::Bytes reply(first.begin(), first.begin() + 28);
  reply[16] = 41;    // first payload: Notify
  reply[19] = 0x20;  // response
  const test::Bytes notify{0, 0, 0, 12, 0, 0, 0x40, 0x06, 0xaa, 0xbb, 0xcc, 0xdd};
  reply.insert(reply.end(), notify.begin(), notify.end());
  reply[27] = static_cast<std::uint8_t>(reply.size());
  pair.inject(pair.a, reply);
  pair.run(Time{400});
  /* IKE_SA_INIT { N(COOKIE), SA, KE, Ni } --> */
  REQUIRE(pair.history.size() == 2);
  const auto second = pair.history[1].bytes;
  REQUIRE(second.size() == first.size() + notify.size());
  CHECK(second[16] == 41);
  CHECK(std::equal(notify.begin() + 8, notify.end(), second.begin() + 28 + 8));
  CHECK(std::equal(first.begin() + 28, first.end(), second.begin() + 28 + 12));
  CHECK(second[28] == first[16]);
  // The same cookie again is a repetition and earns nothing.
  pair.inject(pair.a, reply);
  CHECK(pair.history.size() == 2);
}

TEST_CASE("IKEv2 handshake: NAT is found, IKE floats to 4500 and ESP goes into UDP") {
  SECTION("nobody behind a NAT") {
    IkePair pair;
    pair.start(pair.a);
    pair.run(Time{2000}, [&] { return pair.both_up(); });
    CHECK(pair.history.at(2).destination.port == 500);
    CHECK_FALSE(pair.a.outbound.at(1)->udp_encap);
  }
  SECTION("the initiator behind one: it keeps the mapping alive, the responder does not") {
    IkePair pair;
    pair.a.behind_nat = true;
    pair.start(pair.a);
    pair.run(Time{2000}, [&] { return pair.both_up(); });
    require_agreement(pair);
    REQUIRE(pair.both_up());
    CHECK(pair.history.at(2).destination.port == 4500);
    CHECK(pair.a.ike()->status().nat_us);
    CHECK_FALSE(pair.a.ike()->status().nat_peer);
    CHECK(pair.b.ike()->status().nat_peer);
    CHECK(pair.b.outbound.at(1)->udp_encap);
    CHECK(pair.b.outbound.at(1)->peer_behind_nat_only);
    CHECK(pair.b.outbound.at(1)->remote.port == 24500);
    pair.run(Time{100'000});
    CHECK(pair.a.keepalives >= 2);
    CHECK(pair.b.keepalives == 0);
    CHECK(pair.difference().empty());
  }
  SECTION("encap = force on either side") {
    const bool on_b = GENERATE(false, true);
    IkePair pair({.adjust = [&](ike::PeerSettings& s, bool is_b) {
      if (is_b == on_b) s.config.encap = conf::Encap::force;
    }});
    pair.start(pair.a);
    pair.run(Time{2000}, [&] { return pair.both_up(); });
    require_agreement(pair);
    REQUIRE(pair.both_up());
    CHECK(pair.a.outbound.at(1)->udp_encap);
    CHECK(pair.b.outbound.at(1)->udp_encap);
    CHECK(pair.history.at(2).destination.port == 4500);
  }
  SECTION("port 4500 from the first message") {
    IkePair pair({.adjust = [](ike::PeerSettings& s, bool) { s.config.ike.port_4500_from_start = true; }});
    pair.start(pair.a);
    pair.run(Time{2000}, [&] { return pair.both_up(); });
    REQUIRE(pair.both_up());
    CHECK(pair.history.at(0).destination.port == 4500);
    CHECK_FALSE(pair.a.outbound.at(1)->udp_encap);
  }
}

TEST_CASE("IKEv2 handshake: selectors are narrowed to what both sides allow") {
  IkePair pair({.adjust = [](ike::PeerSettings& s, bool is_b) {
    const auto any = conf::Selector::of(*conf::Prefix::parse("0.0.0.0/0"));
    if (!is_b) s.children[0].selectors = {{any}, {any}};
  }});
  pair.start(pair.a);
  pair.run(Time{2000}, [&] { return pair.both_up(); });
  require_agreement(pair);
  REQUIRE(pair.both_up());
  CHECK(pair.a.outbound.at(1)->selectors.local.at(0).str() == "10.1.0.0/16");
  CHECK(pair.a.outbound.at(1)->selectors.remote.at(0).str() == "10.2.0.0/16");
}

TEST_CASE("IKEv2: liveness is asked when the peer is silent, and ESP from it is as good as an answer") {
  IkePair pair;
  pair.start(pair.a);
  pair.run(Time{2000}, [&] { return pair.both_up(); });
  SECTION("idle: INFORMATIONAL { } --> <-- INFORMATIONAL { }") {
    pair.run(Time{100'000});
    CHECK(pair.a.ike()->status().dpd_sent + pair.b.ike()->status().dpd_sent >= 2);
    CHECK(pair.difference().empty());
  }
  SECTION("ESP arrives: nobody asks") {
    for (int i = 0; i < 100; ++i) {
      pair.run(Time{1000});
      pair.with(pair.a, [](ike::IkeSa& sa, Time now, ike::Effects&) { sa.esp_received(0, now); });
      pair.with(pair.b, [](ike::IkeSa& sa, Time now, ike::Effects&) { sa.esp_received(0, now); });
    }
    CHECK(pair.a.ike()->status().dpd_sent == 0);
    CHECK(pair.b.ike()->status().dpd_sent == 0);
  }
  SECTION("a dead peer is noticed, and why is said") {
    pair.b.answers = false;
    pair.run(Time{120'000});
    CHECK(pair.a.sas.empty());
    REQUIRE(pair.a.ike_closed.size() == 1);
    CHECK(pair.a.ike_closed[0].cause == ike::Cause::peer_silent);
    CHECK(pair.a.ike_closed[0].text.find("192.0.2.2") != std::string::npos);
    CHECK(pair.a.inbound.empty());
    CHECK(pair.a.outbound.empty());
  }
}

TEST_CASE("IKEv2: deletes of the IKE SA and of a child work from both sides, also when messages are lost") {
  const bool from_b = GENERATE(false, true);
  const int lost = GENERATE(-1, 4, 5);  // the request, the answer
  IkePair pair;
  pair.wire = [&](const InFlight& d) { return d.number == lost ? Fate{} : Fate{kOnTime}; };
  pair.start(pair.a);
  pair.run(Time{2000}, [&] { return pair.both_up(); });
  test::Side& closer = from_b ? pair.b : pair.a;
  test::Side& other = from_b ? pair.a : pair.b;
  SECTION("IKE SA") {
    /* INFORMATIONAL { D(IKE) } --> <-- INFORMATIONAL { } */
    pair.with(closer, [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.close(now, out); });
    pair.run(kLong);
    CHECK(pair.both_down());
    CHECK(pair.stuck().empty());
    REQUIRE(other.ike_closed.size() == 1);
    CHECK(other.ike_closed[0].cause == ike::Cause::closed_by_peer);
    CHECK(closer.ike_closed.at(0).cause == ike::Cause::closed_by_us);
    CHECK(pair.a.inbound.empty());
    CHECK(pair.b.inbound.empty());
  }
  SECTION("child: the IKE SA stays") {
    /* INFORMATIONAL { D(ESP) } --> <-- INFORMATIONAL { D(ESP) } */
    pair.with(closer, [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.close_child(1, now, out); });
    pair.run(Time{60'000});
    CHECK(pair.a.sas.size() == 1);
    CHECK(pair.b.sas.size() == 1);
    CHECK(pair.a.inbound.empty());
    CHECK(pair.b.inbound.empty());
    CHECK(pair.a.outbound.empty());
    CHECK(pair.b.outbound.empty());
    CHECK(other.child_closed.at(0).cause == ike::Cause::closed_by_peer);
    CHECK(pair.stuck().empty());
  }
}

TEST_CASE("IKEv2: a delete that overtakes the answer to IKE_AUTH is not answered before it") {
  IkePair pair;
  pair.wire = [](const InFlight& d) { return d.number == 3 ? Fate{} : Fate{kOnTime}; };
  /* IKE_AUTH request --> <-- its response, lost; <-- INFORMATIONAL { D(ESP) } */
  pair.start(pair.a);
  pair.run(Time{1000}, [&] { return pair.b.up(); });
  REQUIRE(pair.b.up());
  REQUIRE_FALSE(pair.a.up());
  pair.with(pair.b, [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.close_child(1, now, out); });
  pair.run(kLong);
  // Were the delete confirmed at once, the child that comes with the response would have no other end.
  CHECK(pair.a.sas.size() == 1);
  CHECK(pair.b.sas.size() == 1);
  CHECK(pair.a.outbound.empty());
  CHECK(pair.a.inbound.empty());
  CHECK(pair.b.inbound.empty());
  REQUIRE(pair.a.child_closed.size() == 1);
  CHECK(pair.a.child_closed[0].cause == ike::Cause::closed_by_peer);
  CHECK(pair.stuck().empty());
}

TEST_CASE("IKEv2: a Send waits for the inbound SA in front of it, so that a reply never outruns its SA") {
  IkePair pair({.install_delay = Time{300}});
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  require_agreement(pair);
  REQUIRE(pair.both_up());
}

}  // namespace
}  // namespace causeway

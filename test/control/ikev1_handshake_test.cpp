// Main, aggressive and quick mode of IKEv1 between two of ours, on a wire that does to each message what wires do.
#include <algorithm>
#include <functional>

#include "test/control/ikev1_pair.h"

namespace causeway {
namespace {

using test::aggressive_options;
using test::Fate;
using test::IkePair;
using test::ikev1_options;
using test::InFlight;
using test::kLatency;
using test::kLong;
using test::kOnTime;
using test::PairOptions;
using test::require_agreement;
using test::Time;

struct Mode {
  const char* name;
  PairOptions (*options)(PairOptions);
  int messages;   // of phase 1 and the first quick mode
  int protected_from;
};
constexpr Mode kModes[] = {{"main", ikev1_options, 9, 4}, {"aggressive", aggressive_options, 6, 2}};

// One negotiation in which the n-th datagram meets `fate`.
void handshake_with(const Mode& mode, int n, const std::function<Fate(const InFlight&)>& fate) {
  IkePair pair(mode.options({}));
  pair.wire = [&](const InFlight& d) { return d.number == n ? fate(d) : Fate{kOnTime}; };
  pair.start(pair.a);
  pair.run(kLong);
  INFO(mode.name << " mode, datagram " << n);
  require_agreement(pair);
  REQUIRE(pair.both_up());
}

TEST_CASE("IKEv1 handshake: main mode and quick mode make both sides hold the same child") {
  IkePair pair(ikev1_options());
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  require_agreement(pair);
  REQUIRE(pair.both_up());
  CHECK(pair.history.size() == 9);
  CHECK(pair.a.established == 1);
  CHECK(pair.b.established == 1);
  CHECK_FALSE(pair.a.outbound.at(1)->udp_encap);
  const auto status = pair.a.ike()->status();
  CHECK(status.version == 1);
  CHECK(status.initiator);
  CHECK(status.suite == "aes128-sha1-modp2048");
  CHECK(status.remote_id == "192.0.2.2");
  CHECK(status.children.size() == 1);
}

TEST_CASE("IKEv1 handshake: aggressive mode and quick mode make both sides hold the same child") {
  IkePair pair(aggressive_options());
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  require_agreement(pair);
  REQUIRE(pair.both_up());
  CHECK(pair.history.size() == 6);
}

TEST_CASE("IKEv1 handshake: every suite of the list works between two of ours, with PFS and without") {
  const std::string ike =
      GENERATE(as<std::string>{}, "3des-md5-modp768", "3des-sha1-modp1024", "aes128-md5-modp1536",
               "aes192-sha256-modp2048", "aes256-sha384-modp3072", "aes256-sha512-ecp256", "aes128-sha256-ecp384",
               "aes256-sha512-ecp521", "aes128-sha1-modp4096");
  const std::string esp = GENERATE(as<std::string>{}, "aes128gcm16", "aes256-sha256", "3des-md5");
  const std::string pfs = GENERATE(as<std::string>{}, "", "-modp1024", "-ecp256");
  const bool aggressive = GENERATE(false, true);
  const PairOptions options{.adjust = [&](ike::PeerSettings& s, bool) {
    s.config.legacy = true;
    s.config.ike.proposals = {ike};
    s.config.esp.proposals = {esp + pfs};
    s.config.esp.pfs = !pfs.empty();
  }};
  IkePair pair(aggressive ? aggressive_options(options) : ikev1_options(options));
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  INFO(ike << " with " << esp << pfs);
  require_agreement(pair);
  REQUIRE(pair.both_up());
  CHECK(pair.a.ike()->status().suite == ike);
  CHECK(pair.a.outbound.at(1)->suite.name() == esp);
  CHECK(pair.a.outbound.at(1)->key_exchange == (pfs.empty() ? "" : pfs.substr(1)));
}

TEST_CASE("IKEv1 handshake: each message lost is sent again and the pair ends established") {
  for (const Mode& mode : kModes) {
    for (int n = 0; n < mode.messages; ++n) handshake_with(mode, n, [](const InFlight&) { return Fate{}; });
  }
}

TEST_CASE("IKEv1 handshake: each message twice, at once or much later, changes nothing") {
  for (const Mode& mode : kModes) {
    for (const Time again : {Time{0}, Time{1}, Time{25}, Time{3000}, Time{60'000}}) {
      for (int n = 0; n < mode.messages; ++n) {
        handshake_with(mode, n, [&](const InFlight&) { return Fate{kOnTime, {kLatency + again, std::nullopt}}; });
      }
    }
  }
}

TEST_CASE("IKEv1 handshake: each message delayed past its repetitions is harmless") {
  for (const Mode& mode : kModes) {
    for (const Time delay : {Time{1900}, Time{2100}, Time{6000}, Time{20'000}}) {
      for (int n = 0; n < mode.messages; ++n) {
        handshake_with(mode, n, [&](const InFlight&) { return Fate{{delay, std::nullopt}}; });
      }
    }
  }
}

TEST_CASE("IKEv1 handshake: a message that overtakes the one before it is harmless") {
  for (const Mode& mode : kModes) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      IkePair pair(mode.options({.seed = seed}));
      pair.wire = [&](const InFlight& d) { return Fate{{d.number % 2 == 0 ? Time{2500} : Time{10}, std::nullopt}}; };
      pair.start(pair.a);
      pair.run(kLong, [&] { return pair.both_up(); });
      INFO(mode.name << " mode, seed " << seed);
      require_agreement(pair);
      REQUIRE(pair.both_up());
    }
  }
}

TEST_CASE("IKEv1 handshake: each protected message corrupted in any byte is sent again and the pair ends established") {
  for (const Mode& mode : kModes) {
    IkePair clean(mode.options({}));
    clean.start(clean.a);
    clean.run(Time{1000}, [&] { return clean.both_up(); });
    for (int n = mode.protected_from; n < mode.messages; ++n) {
      const std::size_t size = clean.history.at(static_cast<std::size_t>(n)).bytes.size();
      for (std::size_t at = 0; at < size; at += 5) {
        INFO("octet " << at);
        handshake_with(mode, n, [&](const InFlight& d) {
          auto changed = d.bytes;
          changed.at(at) ^= 0x41;
          return Fate{{kLatency, changed}};
        });
      }
    }
  }
}

TEST_CASE("IKEv1 handshake: unprotected messages corrupted in any byte end established or down with a reason") {
  for (const Mode& mode : kModes) {
    IkePair clean(mode.options({}));
    clean.start(clean.a);
    clean.run(Time{1000}, [&] { return clean.both_up(); });
    for (int n = 0; n < mode.protected_from; ++n) {
      const std::size_t size = clean.history.at(static_cast<std::size_t>(n)).bytes.size();
      for (std::size_t at = 0; at < size; at += 7) {
        IkePair pair(mode.options({}));
        pair.wire = [&](const InFlight& d) {
          if (d.number != n) return Fate{kOnTime};
          auto changed = d.bytes;
          changed.at(at) ^= 0x41;
          return Fate{{kLatency, changed}};
        };
        pair.start(pair.a);
        pair.run(kLong);
        INFO(mode.name << " mode, datagram " << n << ", octet " << at);
        require_agreement(pair);
      }
    }
  }
}

TEST_CASE("IKEv1 handshake: a wire that loses, doubles and reorders a third of everything") {
  for (const Mode& mode : kModes) {
    int up = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
      IkePair pair(mode.options({.seed = seed}));
      crypto::SeededRandom dice(seed * 77);
      pair.wire = [&](const InFlight&) {
        Fate fate;
        for (std::uint32_t copies = dice.below(3); copies > 0; --copies) fate.push_back({Time{dice.below(3000)}, {}});
        return fate;
      };
      pair.start(pair.a);
      pair.run(Time{100'000}, [&] { return pair.both_up(); });
      pair.wire = nullptr;
      pair.run(kLong);
      INFO(mode.name << " mode, seed " << seed);
      up += pair.both_up() ? 1 : 0;
      if (pair.both_up() || pair.both_down()) {
        require_agreement(pair);
        continue;
      }
      // Phase 1 came up and the child did not, on either side: the tunnel asks for it again.
      REQUIRE(pair.stuck() == "");
      REQUIRE(pair.a.outbound.empty());
      REQUIRE(pair.b.outbound.empty());
      REQUIRE(pair.a.child_failed.size() + pair.a.child_closed.size() + pair.b.child_failed.size() > 0);
    }
    CHECK(up >= 30);
  }
}

TEST_CASE("IKEv1 handshake: behind a NAT both sides move to port 4500 and encapsulate") {
  for (const Mode& mode : kModes) {
    for (const bool initiator : {true, false}) {
      IkePair pair(mode.options({.adjust = [](ike::PeerSettings& s, bool is_b) {
        s.config.remote_id = is_b ? "192.0.2.1" : "192.0.2.2";
        s.config.local_id = is_b ? "192.0.2.2" : "192.0.2.1";
      }}));
      (initiator ? pair.a : pair.b).behind_nat = true;
      if (!initiator) continue;  // nobody reaches a host behind a NAT that did not speak first
      pair.start(pair.a);
      pair.run(Time{5000}, [&] { return pair.both_up(); });
      INFO(mode.name);
      require_agreement(pair);
      REQUIRE(pair.both_up());
      CHECK(pair.a.outbound.at(1)->udp_encap);
      CHECK(pair.b.outbound.at(1)->udp_encap);
      CHECK(pair.a.ike()->status().nat_us);
      CHECK(pair.b.ike()->status().nat_peer);
      CHECK(pair.history.back().destination.port == 4500);
    }
  }
}

TEST_CASE("IKEv1 handshake: encap = force makes the peer find a NAT") {
  IkePair pair(ikev1_options({.adjust = [](ike::PeerSettings& s, bool is_b) {
    if (!is_b) s.config.encap = conf::Encap::force;
  }}));
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  require_agreement(pair);
  REQUIRE(pair.both_up());
  CHECK(pair.a.outbound.at(1)->udp_encap);
  CHECK(pair.b.outbound.at(1)->udp_encap);
}

TEST_CASE("IKEv1 handshake: until our cookie is echoed a responder sends nothing by timer and one datagram for one") {
  IkePair pair(ikev1_options());
  pair.wire = [&](const InFlight& d) { return d.to_b ? Fate{kOnTime} : Fate{}; };
  pair.start(pair.a);
  pair.run(kLong);
  const auto to = [&](bool b) {
    return std::ranges::count_if(pair.history, [&](const InFlight& d) { return d.to_b == b; });
  };
  CHECK(to(false) == to(true));
  CHECK(pair.both_down());
}

TEST_CASE("IKEv1 handshake: a wrong pre-shared key is named by whoever can know it") {
  for (const Mode& mode : kModes) {
    IkePair pair(mode.options({.adjust = [](ike::PeerSettings& s, bool is_b) {
      if (is_b) s.psk = crypto::Secret(std::vector<std::uint8_t>{1, 2, 3, 4});
    }}));
    pair.start(pair.a);
    pair.run(kLong);
    INFO(mode.name);
    REQUIRE(pair.both_down());
    const auto& knows = mode.protected_from == 4 ? pair.b : pair.a;  // main: who reads message 5; aggressive: 2
    REQUIRE_FALSE(knows.ike_closed.empty());
    CHECK(knows.ike_closed.front().text.find("pre-shared key is not the same") != std::string::npos);
  }
}

TEST_CASE("IKEv1 handshake: aggressive mode answers only identities that it knows, and only where it is configured") {
  SECTION("an unknown identity") {
    IkePair pair(aggressive_options({.adjust = [](ike::PeerSettings& s, bool is_b) {
      if (!is_b) s.config.local_id = "stranger.example.com";
    }}));
    pair.start(pair.a);
    pair.run(kLong);
    CHECK(pair.b.sent == 0);
    REQUIRE_FALSE(pair.b.ike_closed.empty());
    CHECK(pair.b.ike_closed.front().cause == ike::Cause::wrong_identity);
  }
  SECTION("a main mode tunnel") {
    IkePair pair(ikev1_options({.adjust = [](ike::PeerSettings& s, bool is_b) {
      if (!is_b) s.config.ike.mode = conf::IkeMode::aggressive;
    }}));
    pair.start(pair.a);
    pair.run(kLong);
    REQUIRE_FALSE(pair.b.ike_closed.empty());
    CHECK(pair.b.ike_closed.front().text.find("aggressive mode") != std::string::npos);
    for (const InFlight& d : pair.history) {
      if (!d.to_b) CHECK(d.bytes.size() < 80);  // a refusal, no hash
    }
  }
}

TEST_CASE("IKEv1 handshake: proposals, selectors and PFS that do not meet are named") {
  struct Case {
    std::function<void(ike::PeerSettings&, bool)> adjust;
    const char* at_a;
    const char* at_b;
  };
  const Case cases[] = {
      {[](ike::PeerSettings& s, bool is_b) {
         if (is_b) s.config.ike.proposals = {"aes256-sha256-modp2048"};
       },
       "refused our IKE proposal aes128-sha1-modp2048", "encryption (ours aes256, theirs aes128)"},
      {[](ike::PeerSettings& s, bool is_b) {
         if (is_b) s.config.esp.proposals = {"aes256-sha256"};
       },
       "phase 1 is good", "encryption (ours aes256, theirs aes128)"},
      {[](ike::PeerSettings& s, bool is_b) {
         s.config.esp.pfs = true;
         s.config.legacy = true;
         s.config.esp.proposals = {is_b ? "aes128-sha1-modp2048" : "aes128-sha1-modp1024"};
       },
       "PFS group", "PFS group (ours modp2048, theirs modp1024)"},
      {[](ike::PeerSettings& s, bool is_b) {
         if (is_b) s.children[0].selectors.remote = {conf::Selector::of(*conf::Prefix::parse("10.9.0.0/16"))};
       },
       "does not accept our traffic selectors", "the peer asks for 10.2.0.0/16 === 10.1.0.0/16"},
  };
  for (const Case& c : cases) {
    IkePair pair(ikev1_options({.adjust = c.adjust}));
    pair.start(pair.a);
    pair.run(Time{60'000});
    const auto text = [](const test::Side& side) {
      std::string all;
      for (const auto& r : side.ike_closed) all += r.text + "\n";
      for (const auto& r : side.child_failed) all += r.text + "\n";
      return all;
    };
    INFO("a: " << text(pair.a) << "b: " << text(pair.b));
    CHECK(text(pair.a).find(c.at_a) != std::string::npos);
    CHECK(text(pair.b).find(c.at_b) != std::string::npos);
    CHECK(pair.stuck() == "");
  }
}

TEST_CASE("IKEv1 handshake: PFS that no proposal names is a wish, and a peer without gets its child") {
  IkePair pair(ikev1_options({.adjust = [](ike::PeerSettings& s, bool is_b) { s.config.esp.pfs = !is_b; }}));
  pair.start(pair.a);
  pair.run(Time{10'000});
  require_agreement(pair);
  REQUIRE(pair.both_up());
  CHECK(pair.a.outbound.at(1)->key_exchange.empty());
}

}  // namespace
}  // namespace causeway

// Rekeys of children and of the IKE SA, from one side and from both at once, on a wire that loses, delays and
// repeats: one live SA of each kind remains, equal on both sides, and no packet is lost by the swap.
#include <cstdlib>
#include <functional>
#include <string_view>

#include "test/support/catch.h"
#include "test/support/ike_pair.h"

namespace causeway {
namespace {

using test::Arrival;
using test::Fate;
using test::IkePair;
using test::InFlight;
using test::PairOptions;
using test::Side;
using test::Time;

constexpr Time kLatency{20};
const Arrival kOnTime{kLatency, std::nullopt};

using Action = std::function<void(ike::IkeSa&, Time, ike::Effects&)>;
const Action kRekeyChild = [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.rekey_child(1, now, out); };
const Action kRekeyIke = [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.rekey_ike(now, out); };
const Action kDeleteChild = [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.close_child(1, now, out); };
const Action kDeleteIke = [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.close(now, out); };

void bring_up(IkePair& pair) {
  pair.start(pair.a);
  pair.run(Time{2000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
}

// After all is done: one IKE SA, one child, no grace time left, nothing lost.
void require_one_of_each(const IkePair& pair) {
  for (const auto& n : pair.a.notices) UNSCOPED_INFO("a: " << n);
  for (const auto& n : pair.b.notices) UNSCOPED_INFO("b: " << n);
  REQUIRE(pair.stuck().empty());
  REQUIRE(pair.a.sas.size() == 1);
  REQUIRE(pair.b.sas.size() == 1);
  REQUIRE(pair.a.inbound.size() == 1);
  REQUIRE(pair.b.inbound.size() == 1);
  REQUIRE(pair.difference().empty());
  REQUIRE(pair.a.ike()->status().spi_initiator == pair.b.ike()->status().spi_initiator);
  REQUIRE(pair.a.ike()->status().spi_responder == pair.b.ike()->status().spi_responder);
  INFO(pair.first_loss);
  REQUIRE(pair.packets_sent > 0);
  REQUIRE(pair.packets_lost == 0);
}

TEST_CASE("child rekey: new keys on both sides, the old SA goes, nothing is lost") {
  const bool from_b = GENERATE(false, true);
  const bool pfs = GENERATE(false, true);
  IkePair pair({.adjust = [&](ike::PeerSettings& s, bool) { s.config.esp.pfs = pfs; }, .traffic = true});
  bring_up(pair);
  const auto before = pair.a.outbound.at(1)->spi_out;
  /* CREATE_CHILD_SA { N(REKEY_SA), SA, Ni, [KEi,] TSi, TSr } --> */
  /* <-- CREATE_CHILD_SA { SA, Nr, [KEr,] TSi, TSr } */
  /* INFORMATIONAL { D(old) } --> <-- INFORMATIONAL { D(old) } */
  pair.with(from_b ? pair.b : pair.a, kRekeyChild);
  pair.run(Time{10'000});
  require_one_of_each(pair);
  CHECK(pair.a.outbound.at(1)->spi_out != before);
  CHECK(pair.a.outbound.at(1)->key_exchange == (pfs ? "x25519" : ""));
  CHECK(pair.a.rekeyed == 1);
  CHECK(pair.b.rekeyed == 1);
  CHECK(pair.history.size() == 8);
}

TEST_CASE("IKE rekey: the successor inherits the children, message ids begin at 0, the old one goes") {
  const bool from_b = GENERATE(false, true);
  IkePair pair({.traffic = true});
  bring_up(pair);
  const auto child = pair.a.outbound.at(1)->spi_out;
  const auto before = pair.a.ike()->local_spi();
  /* CREATE_CHILD_SA { SA, Ni, KEi } --> <-- CREATE_CHILD_SA { SA, Nr, KEr } */
  /* INFORMATIONAL { D(IKE) } --> <-- INFORMATIONAL { } */
  pair.with(from_b ? pair.b : pair.a, kRekeyIke);
  pair.run(Time{10'000});
  require_one_of_each(pair);
  CHECK(pair.a.ike()->local_spi() != before);
  CHECK(pair.a.ike()->status().initiator == !from_b);
  CHECK(pair.a.outbound.at(1)->spi_out == child);
  // The new IKE SA works: a child rekey in the other direction goes through it.
  pair.with(from_b ? pair.a : pair.b, kRekeyChild);
  pair.run(Time{10'000});
  require_one_of_each(pair);
  CHECK(pair.a.outbound.at(1)->spi_out != child);
}

TEST_CASE("lifetimes: children and IKE SA are rekeyed before they end, for as long as one likes") {
  IkePair pair({.adjust =
                    [](ike::PeerSettings& s, bool) {
                      s.config.esp.lifetime = conf::Seconds{60};
                      s.config.ike.lifetime = conf::Seconds{200};
                    },
                .traffic = true});
  bring_up(pair);
  pair.run(Time{1'800'000});
  CHECK(pair.a.rekeyed >= 30);
  CHECK(pair.a.child_failed.empty());
  CHECK(pair.packets_lost == 0);
  // At rest: no rekey may be in the middle.
  pair.run(Time{60'000}, [&] {
    return pair.a.live() == 1 && pair.b.live() == 1 && pair.a.sas.size() == 1 && pair.b.sas.size() == 1;
  });
  CHECK(pair.difference().empty());
  CHECK(pair.stuck().empty());
}

TEST_CASE("a rekey with another group than the peer wants is asked for again with that one") {
  IkePair pair({.adjust =
                    [](ike::PeerSettings& s, bool is_b) {
                      s.config.esp.proposals = {is_b ? "aes128gcm16-ecp256" : "aes128gcm16-x25519-ecp256"};
                    },
                .traffic = true});
  bring_up(pair);
  pair.with(pair.a, kRekeyChild);
  pair.run(Time{10'000});
  require_one_of_each(pair);
  CHECK(pair.a.outbound.at(1)->key_exchange == "ecp256");
}

TEST_CASE("a peer without PFS gets its rekey without, unless a proposal names the group") {
  const bool from_b = GENERATE(false, true);
  IkePair pair({.adjust = [](ike::PeerSettings& s, bool is_b) { s.config.esp.pfs = !is_b; }, .traffic = true});
  bring_up(pair);
  pair.with(from_b ? pair.b : pair.a, kRekeyChild);
  pair.run(Time{10'000});
  require_one_of_each(pair);
  CHECK(pair.a.rekeyed == 1);
  CHECK(pair.a.outbound.at(1)->key_exchange.empty());
}

TEST_CASE("a refused rekey is said with both offers, and the old keys serve on") {
  IkePair pair(
      {.adjust = [](ike::PeerSettings& s,
                    bool is_b) { s.config.esp.proposals = {is_b ? "aes128gcm16-ecp256" : "aes128gcm16-x25519"}; },
       .traffic = true});
  bring_up(pair);
  pair.with(pair.a, kRekeyChild);
  pair.run(Time{10'000});
  CHECK(pair.both_up());
  CHECK(pair.packets_lost == 0);
  CHECK(pair.difference().empty());
  bool said = false;
  for (const auto& n : pair.a.notices) said = said || n.find("pfs") != std::string::npos;
  CHECK(said);
}

// --- the collision matrix ----------------------------------------------------------------------------------

struct Rekey {
  const char* name;
  const Action* action;
};
const Rekey kKinds[] = {{"child", &kRekeyChild}, {"IKE", &kRekeyIke}};

// What the wire does to the n-th datagram after the rekeys began.
struct Fault {
  const char* name;
  Fate fate;
};
std::vector<Fault> faults() {
  return {{"lost", {}},
          {"delayed past the next", {{Time{70}, std::nullopt}}},
          {"delayed past two more", {{Time{110}, std::nullopt}}},
          {"delayed past a repetition", {{Time{6000}, std::nullopt}}},
          {"duplicated at once", {kOnTime, kOnTime}},
          {"duplicated later", {kOnTime, {Time{90}, std::nullopt}}}};
}

// Begins `first` on a and, `offset` later, `second` on b; the n-th datagram from then on meets `fate`.
void collide(IkePair& pair, const Action* first, const Action* second, Time offset, int n, const Fate& fate) {
  bring_up(pair);
  pair.run(Time{500});
  const int base = static_cast<int>(pair.history.size());
  pair.wire = [=](const InFlight& d) { return d.number == base + n ? fate : Fate{kOnTime}; };
  if (first != nullptr) pair.with(pair.a, *first);
  if (offset > Time{0}) pair.run(offset);
  if (second != nullptr) pair.with(pair.b, *second);
}

TEST_CASE("collision matrix: rekeys of either kind from one side or both, each message lost, delayed or repeated") {
  for (const Rekey& kind : kKinds) {
    for (const int sides : {1, 2, 3}) {
      for (const Time offset : {Time{0}, Time{10}, Time{30}, Time{50}}) {
        if (sides != 3 && offset > Time{0}) continue;
        for (const Fault& fault : faults()) {
          for (int n = 0; n < (sides == 3 ? 10 : 4); ++n) {
            // Several seeds: the nonces decide who wins.
            for (std::uint64_t seed = 1; seed <= 3; ++seed) {
              IkePair pair({.seed = seed, .traffic = true});
              collide(pair, (sides & 1) != 0 ? kind.action : nullptr, (sides & 2) != 0 ? kind.action : nullptr, offset,
                      n, fault.fate);
              pair.run(Time{20'000});
              pair.stop_traffic();
              pair.run(Time{130'000});
              INFO(kind.name << " rekey, sides " << sides << ", second after " << offset.count() << " ms, datagram "
                             << n << " " << fault.name << ", seed " << seed);
              require_one_of_each(pair);
              REQUIRE(pair.a.child_failed.empty());
              REQUIRE(pair.b.child_failed.empty());
            }
          }
        }
      }
    }
  }
}

TEST_CASE("collision matrix: a child rekey on one side meets an IKE rekey on the other") {
  for (const Time offset : {Time{0}, Time{10}, Time{30}, Time{50}, Time{90}}) {
    for (const Fault& fault : faults()) {
      for (int n = 0; n < 8; ++n) {
        for (const bool swapped : {false, true}) {
          IkePair pair({.traffic = true});
          collide(pair, swapped ? &kRekeyIke : &kRekeyChild, swapped ? &kRekeyChild : &kRekeyIke, offset, n,
                  fault.fate);
          pair.run(Time{20'000});
          pair.stop_traffic();
          pair.run(Time{130'000});
          INFO("second after " << offset.count() << " ms, datagram " << n << " " << fault.name << ", swapped "
                               << swapped);
          require_one_of_each(pair);
        }
      }
    }
  }
}

TEST_CASE("collision matrix: rekeys followed by a delete end with nothing on either side") {
  for (const Rekey& kind : kKinds) {
    for (const Action* deletion : {&kDeleteChild, &kDeleteIke}) {
      for (const bool b_deletes : {false, true}) {
        for (const Time offset : {Time{0}, Time{10}, Time{30}, Time{50}}) {
          for (const Fault& fault : faults()) {
            for (int n = 0; n < 6; ++n) {
              IkePair pair;
              collide(pair, kind.action, kind.action, Time{0}, n, fault.fate);
              pair.run(offset);
              pair.with_all(b_deletes ? pair.b : pair.a, *deletion);
              pair.run(Time{300'000});
              INFO(kind.name << " rekey, " << (deletion == &kDeleteIke ? "IKE" : "child") << " deleted by "
                             << (b_deletes ? "b" : "a") << " after " << offset.count() << " ms, datagram " << n << " "
                             << fault.name);
              REQUIRE(pair.stuck().empty());
              // Either it is gone everywhere, or (a rekey overtook the delete) the same on both sides.
              if (!pair.a.inbound.empty() || !pair.b.inbound.empty()) REQUIRE(pair.difference().empty());
              REQUIRE(pair.a.sas.size() == pair.b.sas.size());
              if (deletion == &kDeleteIke) REQUIRE(pair.both_down());
            }
          }
        }
      }
    }
  }
}

TEST_CASE("a peer that is rekeyed without end keeps a bounded number of SAs") {
  IkePair pair({.traffic = true});
  bring_up(pair);
  for (int i = 0; i < 200; ++i) {
    pair.with(i % 2 == 0 ? pair.a : pair.b, kRekeyChild);
    pair.run(Time{60 + i % 5 * 15});
    REQUIRE(pair.a.live() <= 16);
    REQUIRE(pair.b.live() <= 16);
  }
  pair.run(Time{20'000});
  require_one_of_each(pair);
}

TEST_CASE("a child the peer takes one pair at a time comes up pair by pair, each with keys of its own") {
  const auto more = conf::Selector::of(*conf::Prefix::parse("10.3.0.0/16"));
  IkePair pair({.adjust = [&](ike::PeerSettings& s, bool is_b) {
    if (is_b) {  // one child for both of its networks
      s.children[0].selectors.local.push_back(more);
    } else {  // a child for each
      s.children.push_back({2, "more", {s.children[0].selectors.local, {more}}});
    }
  }});
  bring_up(pair);
  pair.with(pair.a, [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.create_child(2, now, out); });
  pair.run(Time{5000});
  REQUIRE(pair.a.outbound.size() == 2);
  REQUIRE(pair.b.outbound.size() == 2);
  CHECK(pair.b.outbound.begin()->second->part_of == ike::kNoChild);
  CHECK(pair.b.outbound.rbegin()->second->part_of == 1);
  CHECK(pair.difference().empty());
  CHECK(pair.stuck().empty());
}

TEST_CASE("an address from which nobody answers is not believed, and ends nothing") {
  // The trial of a new address: whoever caught a packet can send it from anywhere, and must not end anything by it.
  IkePair pair({.adjust = [](ike::PeerSettings& s, bool) { s.config.ike.dpd.idle = conf::Seconds{0}; }});
  pair.b.behind_nat = true;
  bring_up(pair);
  const conf::Endpoint elsewhere{*conf::IpAddress::parse("198.51.100.77"), 4500};
  pair.with(pair.a, [&](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.peer_moved(elsewhere, now, out); });
  pair.run(Time{60'000});
  CHECK(pair.both_up());
  CHECK(pair.a.ike()->status().remote != elsewhere);
}

// CAUSEWAY_WATCH=seed prints what happens there.
std::uint64_t watched() {
  const char* seed = std::getenv("CAUSEWAY_WATCH");
  return seed == nullptr ? 0 : std::strtoull(seed, nullptr, 10);
}

// Seeds, not seconds: a run can be repeated. The first few hundred are what a minute gives with sanitizers on one core.
std::uint64_t seeds() {
  const char* is_long = std::getenv("CAUSEWAY_LONG");
  return is_long != nullptr && std::string_view(is_long) == "yes" ? 600 : 120;
}

TEST_CASE("any order of rekeys on a random wire ends in agreement") {
  std::uint64_t lost = 0, sent = 0;
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    IkePair pair({.seed = seed, .install_delay = Time{seed % 4 * 5}, .traffic = true, .journal = seed == watched()});
    crypto::SeededRandom dice(seed * 7919);
    bring_up(pair);
    bool calm = false;
    pair.wire = [&](const InFlight&) {
      if (calm) return Fate{kOnTime};
      Fate fate;
      const int copies = dice.below(10) < 2 ? 0 : dice.below(10) < 2 ? 2 : 1;
      for (int i = 0; i < copies; ++i) fate.push_back({Time{5 + dice.below(200)}, std::nullopt});
      return fate;
    };
    for (int i = 0; i < 20; ++i) {
      Side& side = dice.below(2) == 0 ? pair.a : pair.b;
      pair.with(side, dice.below(3) == 0 ? kRekeyIke : kRekeyChild);
      pair.run(Time{dice.below(3) == 0 ? dice.below(30'000) : dice.below(200)});
    }
    calm = true;
    pair.run(Time{60'000});
    pair.stop_traffic();
    pair.run(Time{140'000});
    INFO("seed " << seed);
    if (pair.both_down()) continue;  // five losses in a row end an IKE SA, as they should
    require_one_of_each(pair);
    sent += pair.packets_sent;
    lost += pair.packets_lost;
  }
  CHECK(sent > 0);
  CHECK(lost == 0);
}

}  // namespace
}  // namespace causeway

// Rekeys of children and of the IKE SA from one side: one live SA of each kind remains, equal on both sides, and no
// packet is lost by the swap. Both sides at once: ikev2_collisions_test.cpp.
#include "test/control/ikev2_rekey.h"

namespace causeway {
namespace {

using test::IkePair;
using test::Time;
using test::bring_up;
using test::kRekeyChild;
using test::kRekeyIke;
using test::require_one_of_each;

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

}  // namespace
}  // namespace causeway

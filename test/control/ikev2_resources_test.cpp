// Children for one worker each (RFC 9611): asked for, answered, refused, rekeyed, deleted, by one side or both at once, on
// a wire that loses, delays and repeats. What each side sends on, the other has; the first child is never disturbed.
#include <cstdlib>
#include <functional>
#include <set>
#include <string_view>

#include "test/support/catch.h"
#include "test/support/ike_pair.h"

namespace causeway {
namespace {

using test::Fate;
using test::IkePair;
using test::InFlight;
using test::PairOptions;
using test::Side;
using test::Time;

constexpr Time kLatency{20};

auto create(ike::ChildSlot slot) {
  return [slot](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.create_child(slot, now, out); };
}
auto rekey(ike::ChildSlot slot) {
  return [slot](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.rekey_child(slot, now, out); };
}
auto remove(ike::ChildSlot slot) {
  return [slot](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.close_child(slot, now, out); };
}
void rekey_ike(ike::IkeSa& sa, Time now, ike::Effects& out) { sa.rekey_ike(now, out); }

// Slot 1 is the child that every worker may use; slots 2, 3, ... are for the others.
std::function<void(ike::PeerSettings&, bool)> workers(ike::Resource of_a, ike::Resource of_b) {
  return [=](ike::PeerSettings& s, bool is_b) {
    s.resources = is_b ? of_b : of_a;
    const auto selectors = s.children.front().selectors;
    for (ike::Resource r = 1; r < s.resources; ++r) {
      s.children.push_back({.slot = 1U + r,
                            .name = "net/" + std::to_string(r),
                            .selectors = selectors,
                            .beside = 1,
                            .resource = r});
    }
  };
}

void bring_up(IkePair& pair) {
  pair.start(pair.a);
  pair.run(Time{2000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
}

std::multiset<ike::Resource> resources(const Side& side) {
  std::multiset<ike::Resource> out;
  for (const auto& [slot, sa] : side.outbound) out.insert(sa->resource);
  return out;
}

// `children` pairs on both sides, all for the same selectors, all but one beside that one.
void require_children(const IkePair& pair, std::size_t children) {
  for (const auto& n : pair.a.notices) UNSCOPED_INFO("a: " << n);
  for (const auto& n : pair.b.notices) UNSCOPED_INFO("b: " << n);
  REQUIRE(pair.stuck().empty());
  REQUIRE(pair.difference() == "");
  for (const Side* side : {&pair.a, &pair.b}) {
    REQUIRE(side->outbound.size() == children);
    REQUIRE(side->inbound.size() == children);
    for (const auto& [slot, sa] : side->outbound) {
      REQUIRE(sa->selectors == side->outbound.at(1)->selectors);
      REQUIRE(sa->suite == side->outbound.at(1)->suite);
      REQUIRE(sa->beside == (slot == 1 ? ike::kNoChild : 1));
      REQUIRE(sa->carries() == 1);
      REQUIRE(sa->by_resource);
    }
  }
  INFO(pair.first_loss);
  REQUIRE(pair.packets_lost == 0);
}

TEST_CASE("RFC 9611: a child for each worker of the side that has more, and the other side shares them out") {
  const bool pfs = GENERATE(false, true);
  IkePair pair({.adjust = [&](ike::PeerSettings& s, bool is_b) {
                  workers(3, 2)(s, is_b);
                  s.config.esp.pfs = pfs;
                },
                .traffic = true});
  bring_up(pair);
  CHECK(pair.a.outbound.at(1)->by_resource);
  CHECK(pair.b.outbound.at(1)->by_resource);
  const auto first = pair.a.outbound.at(1)->spi_out;
  pair.with(pair.a, create(2));
  pair.with(pair.a, create(3));
  pair.run(Time{1000});
  require_children(pair, 3);
  CHECK(pair.a.outbound.at(1)->spi_out == first);
  CHECK(pair.a.rekeyed == 0);
  CHECK(resources(pair.a) == std::multiset<ike::Resource>{0, 1, 2});
  CHECK(resources(pair.b) == std::multiset<ike::Resource>{0, 0, 1});  // the fewest first (RFC 9611 4)
  CHECK(pair.a.child_failed.empty());
}

TEST_CASE("RFC 9611: who answers sends on a worker's child only when the peer has the answer") {
  IkePair pair({.adjust = workers(2, 2), .traffic = true});
  bring_up(pair);
  const int base = static_cast<int>(pair.history.size());
  // The request, and the answer lost twice.
  pair.wire = [=](const InFlight& d) {
    const bool answer = !d.to_b && d.number < base + 5;
    return answer ? Fate{} : Fate{{kLatency, std::nullopt}};
  };
  pair.with(pair.a, create(2));
  pair.run(Time{2500});
  CHECK(pair.b.inbound.size() == 2);
  CHECK(pair.b.outbound.size() == 1);
  pair.run(Time{20'000});
  require_children(pair, 2);
}

TEST_CASE("RFC 9611: a peer that says nothing when it has the answer is sent to after a while all the same") {
  IkePair pair({.adjust = workers(2, 2), .traffic = true});
  bring_up(pair);
  const int base = static_cast<int>(pair.history.size());
  // What a sends behind the request is lost for as long as it does no harm.
  pair.wire = [=](const InFlight& d) {
    const bool later = d.to_b && d.number > base;
    return later ? Fate{} : Fate{{kLatency, std::nullopt}};
  };
  pair.with(pair.a, create(2));
  pair.run(Time{29'000});
  CHECK(pair.b.outbound.size() == 1);
  pair.run(Time{3000});
  CHECK(pair.b.outbound.size() == 2);
  pair.wire = nullptr;
  pair.run(Time{10'000});
  require_children(pair, 2);
}

TEST_CASE("RFC 9611: a side that does not want it says nothing, and answers TS_MAX_QUEUE to who asks") {
  const bool wanted_by_b = GENERATE(false, true);
  IkePair pair({.adjust = workers(wanted_by_b ? 1 : 2, wanted_by_b ? 2 : 1), .traffic = true});
  bring_up(pair);
  CHECK_FALSE(pair.a.outbound.at(1)->by_resource);
  CHECK_FALSE(pair.b.outbound.at(1)->by_resource);
  Side& asks = wanted_by_b ? pair.b : pair.a;
  const auto before = asks.outbound.at(1)->spi_out;
  pair.with(asks, create(2));
  pair.run(Time{20'000});
  REQUIRE(asks.child_failed.size() == 1);
  CHECK(asks.child_failed.front().text.find("takes no further child") != std::string::npos);
  CHECK(asks.outbound.at(1)->spi_out == before);
  CHECK(pair.a.outbound.size() == 1);
  CHECK(pair.a.live() == 1);
  CHECK(pair.difference() == "");
  CHECK(pair.stuck() == "");
  CHECK(pair.packets_lost == 0);
}

TEST_CASE("RFC 9611: however many a peer asks for, there is a bound") {
  IkePair pair({.adjust = workers(80, 2)});
  bring_up(pair);
  for (ike::ChildSlot slot = 2; slot <= 80; ++slot) pair.with(pair.a, create(slot));
  pair.run(Time{30'000});
  CHECK(pair.a.outbound.size() == 65);
  CHECK(pair.a.child_failed.size() == 79 - 64);
  CHECK(pair.difference() == "");
  CHECK(pair.b.ike()->status().children.size() == 65);
}

TEST_CASE("RFC 9611: a rekey keeps the worker, from either side, and leaves the other children alone") {
  const bool from_b = GENERATE(false, true);
  const bool ike_too = GENERATE(false, true);
  IkePair pair({.adjust = workers(3, 3), .traffic = true});
  bring_up(pair);
  pair.with(pair.a, create(2));
  pair.with(pair.a, create(3));
  pair.run(Time{1000});
  require_children(pair, 3);
  if (ike_too) {
    pair.with(from_b ? pair.a : pair.b, rekey_ike);
    pair.run(Time{2000});
    REQUIRE(pair.a.sas.size() == 1);
  }
  Side& side = from_b ? pair.b : pair.a;
  for (int round = 0; round < 2; ++round) {
    const auto before = side.outbound;
    for (const auto& [slot, sa] : before) pair.with(side, rekey(slot));
    pair.run(Time{10'000});
    require_children(pair, 3);
    for (const auto& [slot, sa] : before) {
      CHECK(side.outbound.at(slot)->spi_out != sa->spi_out);
      CHECK(side.outbound.at(slot)->resource == sa->resource);
    }
    CHECK(resources(pair.a) == std::multiset<ike::Resource>{0, 1, 2});
    CHECK(resources(pair.b) == std::multiset<ike::Resource>{0, 1, 2});
  }
}

TEST_CASE("RFC 9611: one that is deleted takes no other with it, and another may take its place") {
  const bool from_b = GENERATE(false, true);
  IkePair pair({.adjust = workers(3, 3), .traffic = true});
  bring_up(pair);
  pair.with(pair.a, create(2));
  pair.with(pair.a, create(3));
  pair.run(Time{1000});
  Side& side = from_b ? pair.b : pair.a;
  pair.with(side, remove(side.outbound.rbegin()->first));
  pair.run(Time{10'000});
  require_children(pair, 2);
  const ike::ChildSlot missing = pair.a.outbound.contains(2) ? 3 : 2;
  pair.with(pair.a, create(missing));
  pair.run(Time{10'000});
  require_children(pair, 3);
  CHECK(resources(pair.b) == std::multiset<ike::Resource>{0, 1, 2});
}

TEST_CASE("RFC 9611: both sides ask at once: nothing is refused, lost or left over") {
  for (const Time offset : {Time{0}, Time{10}, Time{30}, Time{50}}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      IkePair pair({.seed = seed, .adjust = workers(2, 2), .traffic = true});
      bring_up(pair);
      pair.run(Time{500});
      pair.with(pair.a, create(2));
      if (offset > Time{0}) pair.run(offset);
      pair.with(pair.b, create(2));
      pair.run(Time{20'000});
      require_children(pair, 3);
      CHECK(pair.a.child_failed.empty());
      CHECK(pair.b.child_failed.empty());
    }
  }
}

// CAUSEWAY_WATCH=seed prints what happens there.
std::uint64_t watched() {
  const char* seed = std::getenv("CAUSEWAY_WATCH");
  return seed == nullptr ? 0 : std::strtoull(seed, nullptr, 10);
}

std::uint64_t seeds() {
  const char* is_long = std::getenv("CAUSEWAY_LONG");
  return is_long != nullptr && std::string_view(is_long) == "yes" ? 200 : 60;
}

// Twenty commands at random on a wire that loses, repeats and reorders, then a good wire and time enough.
void at_random(IkePair& pair, std::uint64_t seed, bool first_too) {
  crypto::SeededRandom dice(seed * 7919);
  bring_up(pair);
  bool calm = false;
  pair.wire = [&](const InFlight&) {
    if (calm) return Fate{{kLatency, std::nullopt}};
    Fate fate;
    const int copies = dice.below(10) < 2 ? 0 : dice.below(10) < 2 ? 2 : 1;
    for (int i = 0; i < copies; ++i) fate.push_back({Time{5 + dice.below(200)}, std::nullopt});
    return fate;
  };
  for (int i = 0; i < 20; ++i) {
    Side& side = dice.below(2) == 0 ? pair.a : pair.b;
    std::vector<ike::ChildSlot> there;
    for (const auto& [slot, sa] : side.outbound) there.push_back(slot);
    const auto any = [&] { return there[dice.below(static_cast<std::uint32_t>(there.size()))]; };
    switch (there.empty() ? 0 : dice.below(6)) {
      case 0:
      case 1:
        pair.with(side, create((first_too ? 1 : 2) + dice.below(side.settings.front()->resources - 1U)));
        break;
      case 2:
      case 3:
        pair.with(side, rekey(any()));
        break;
      case 4:
        if (const auto slot = any(); slot != 1 || first_too) pair.with(side, remove(slot));
        break;
      default:
        pair.with(side, rekey_ike);
    }
    pair.run(Time{dice.below(3) == 0 ? dice.below(30'000) : dice.below(200)});
  }
  calm = true;
  pair.run(Time{60'000});
  pair.stop_traffic();
  pair.run(Time{140'000});
  pair.wire = nullptr;
}

TEST_CASE("RFC 9611: any order of requests, rekeys and deletes on a random wire ends in agreement") {
  std::uint64_t ended = 0;
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    IkePair pair({.seed = seed, .adjust = workers(4, 3), .install_delay = Time{seed % 4 * 5}, .traffic = true, .journal = seed == watched()});
    at_random(pair, seed, false);
    INFO("seed " << seed);
    if (pair.both_down()) continue;  // losses in a row end an IKE SA, as they should
    ++ended;
    REQUIRE(pair.a.outbound.contains(1));
    require_children(pair, pair.a.outbound.size());
    REQUIRE(pair.a.sas.size() == 1);
    REQUIRE(pair.b.sas.size() == 1);
  }
  CHECK(ended > seeds() / 2);
}

TEST_CASE("RFC 9611: the same where the first child goes as well, and one side may take for it what the other does not") {
  std::uint64_t ended = 0;
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    IkePair pair({.seed = 1000 + seed, .adjust = workers(4, 3), .install_delay = Time{seed % 4 * 5}, .traffic = true, .journal = seed == watched()});
    at_random(pair, seed, true);
    for (const auto& n : pair.a.notices) UNSCOPED_INFO("a: " << n);
    for (const auto& n : pair.b.notices) UNSCOPED_INFO("b: " << n);
    INFO("seed " << seed);
    REQUIRE(pair.stuck() == "");
    if (pair.both_down()) continue;
    ++ended;
    if (pair.both_up()) REQUIRE(pair.difference() == "");
    REQUIRE(pair.a.live() == pair.b.live());
  }
  CHECK(ended > seeds() / 2);
}

}  // namespace
}  // namespace causeway

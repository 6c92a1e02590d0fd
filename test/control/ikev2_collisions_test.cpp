// Rekeys and deletes of both sides at once, on a wire that loses, delays and repeats: whatever the order, one live SA
// of each kind remains, equal on both sides, and no packet is lost by the swap.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string_view>

#include "test/control/ikev2_rekey.h"

namespace causeway {
namespace {

using test::Action;
using test::Fate;
using test::IkePair;
using test::InFlight;
using test::Side;
using test::Time;
using test::bring_up;
using test::kDeleteChild;
using test::kDeleteIke;
using test::kOnTime;
using test::kRekeyChild;
using test::kRekeyIke;
using test::require_one_of_each;

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

TEST_CASE("collision matrix: both sides rekey child and IKE SA at once") {
  const Action all = [](ike::IkeSa& sa, Time now, ike::Effects& out) {
    sa.rekey_child(1, now, out);
    sa.rekey_ike(now, out);
  };
  for (const Time offset : {Time{0}, Time{10}, Time{30}, Time{50}}) {
    for (const Fault& fault : faults()) {
      for (int n = 0; n < 10; ++n) {
        IkePair pair({.seed = static_cast<std::uint64_t>(n + 1), .traffic = true});
        collide(pair, &all, &all, offset, n, fault.fate);
        pair.run(Time{20'000});
        pair.stop_traffic();
        pair.run(Time{130'000});
        INFO("second after " << offset.count() << " ms, datagram " << n << " " << fault.name);
        require_one_of_each(pair);
      }
    }
  }
}

// IKE_FOLLOWUP_KE (RFC 9370) makes the rekey of an IKE SA last: what the other side begins meanwhile goes with it.
TEST_CASE("collision matrix: a rekey in several key exchanges meets everything, at any moment") {
  const auto begin = [](IkePair& pair, const Action& action, Time offset) {
    bring_up(pair);
    pair.run(Time{500});
    pair.with(pair.b, kRekeyIke);
    pair.run(offset);
    pair.with(pair.a, action);
    pair.run(Time{20'000});
    pair.stop_traffic();
    pair.run(Time{130'000});
  };
  const auto suites = [](ike::PeerSettings& s, bool) {
    s.config.ike.proposals = {"aes256gcm16-prfsha384-x25519-ke1_ecp256-ke2_ecp384"};
  };
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (int ms = 0; ms <= 160; ms += 5) {
      INFO("second after " << ms << " ms, seed " << seed);
      for (const Action* action : {&kRekeyChild, &kRekeyIke}) {
        IkePair pair({.seed = seed, .adjust = suites, .traffic = true});
        begin(pair, *action, Time{ms});
        require_one_of_each(pair);
      }
      IkePair pair({.seed = seed, .adjust = suites});
      begin(pair, kDeleteChild, Time{ms});
      REQUIRE(pair.stuck().empty());
      REQUIRE(pair.a.sas.size() == 1);
      REQUIRE(pair.b.sas.size() == 1);
      REQUIRE(pair.a.inbound.empty());
      REQUIRE(pair.b.inbound.empty());
    }
  }
}

// What the two sides begin at once, and a delete behind it.
struct Pairing {
  const char* name;
  const Action *a, *b;  // nullptr: nothing
};
const Pairing kPairings[] = {
    {"child rekey by a", &kRekeyChild, nullptr},
    {"IKE rekey by a", &kRekeyIke, nullptr},
    {"child rekeys by both", &kRekeyChild, &kRekeyChild},
    {"IKE rekeys by both", &kRekeyIke, &kRekeyIke},
    {"child rekey by a, IKE rekey by b", &kRekeyChild, &kRekeyIke},
    {"IKE rekey by a, child rekey by b", &kRekeyIke, &kRekeyChild}};

void rekey_and_delete(const Pairing& pairing, const Action& deletion, bool b_deletes, Time offset, int n,
                      const Fault& fault) {
  IkePair pair;
  collide(pair, pairing.a, pairing.b, Time{0}, n, fault.fate);
  pair.run(offset);
  pair.with_all(b_deletes ? pair.b : pair.a, deletion);
  pair.run(Time{300'000});
  const bool whole = &deletion == &kDeleteIke;
  INFO(pairing.name << ", " << (whole ? "IKE" : "child") << " deleted by " << (b_deletes ? "b" : "a") << " after "
                    << offset.count() << " ms, datagram " << n << " " << fault.name);
  REQUIRE(pair.stuck().empty());
  // Either it is gone everywhere, or (a rekey overtook the delete) the same on both sides.
  if (!pair.a.inbound.empty() || !pair.b.inbound.empty()) REQUIRE(pair.difference().empty());
  REQUIRE(pair.a.sas.size() == pair.b.sas.size());
  if (whole) REQUIRE(pair.both_down());
}

TEST_CASE("collision matrix: rekeys followed by a delete end with nothing on either side") {
  for (const Pairing& pairing : kPairings) {
    for (const Action* deletion : {&kDeleteChild, &kDeleteIke}) {
      for (const bool b_deletes : {false, true}) {
        for (const Time offset : {Time{0}, Time{10}, Time{30}, Time{50}}) {
          for (const Fault& fault : faults()) {
            for (int n = 0; n < 6; ++n) {
              rekey_and_delete(pairing, *deletion, b_deletes, offset, n, fault);
            }
          }
        }
      }
    }
  }
}

// CAUSEWAY_WATCH=seed prints what happens there.
std::uint64_t watched() {
  const char* seed = std::getenv("CAUSEWAY_WATCH");
  return seed == nullptr ? 0 : std::strtoull(seed, nullptr, 10);
}

bool is_long() {
  const char* set = std::getenv("CAUSEWAY_LONG");
  return set != nullptr && std::string_view(set) == "yes";
}

// Seeds, so that a run can be repeated: a fixed number of them, or, in the long form, as many as a minute gives.
class Seeds {
 public:
  bool next() {
    const bool more = is_long() ? std::chrono::steady_clock::now() < end_ : last_ < kFew;
    if (more) ++last_;
    return more;
  }
  [[nodiscard]] std::uint64_t seed() const { return last_; }

 private:
  static constexpr std::uint64_t kFew = 120;
  std::uint64_t last_ = 0;
  std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + std::chrono::seconds(60);
};

TEST_CASE("any order of rekeys on a random wire ends in agreement") {
  std::uint64_t lost = 0, sent = 0;
  Seeds seeds;
  while (seeds.next()) {
    const std::uint64_t seed = seeds.seed();
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
  std::printf("figure a random wire, seeds 1 to %llu: %llu packets sent, %llu lost\n",
              static_cast<unsigned long long>(seeds.seed()), static_cast<unsigned long long>(sent),
              static_cast<unsigned long long>(lost));
}

}  // namespace
}  // namespace causeway

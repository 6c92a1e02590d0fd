// Which tunnel of a group carries the traffic, in virtual time.
#include "control/tunnel_groups.h"

#include <set>

#include "test/support/catch.h"

using namespace causeway;
using control::Health;
using control::Time;
using control::TunnelGroups;

namespace {

// Tunnels of group "hq": paris (weight 10), lyon (5), nice (5); and alone, of no group.
struct Hq {
  static conf::Config config() {
    conf::Config c;
    const auto add = [&](const char* name, const char* group, int weight) {
      conf::Tunnel t;
      t.name = name;
      t.group = group;
      t.weight = weight;
      c.tunnels.push_back(t);
    };
    add("lyon", "hq", 5);
    add("alone", "", 1);
    add("paris", "hq", 10);
    add("nice", "hq", 5);
    return c;
  }
  static constexpr ike::TunnelId lyon = 0, alone = 1, paris = 2, nice = 3;

  TunnelGroups groups{config()};
  std::set<ike::TunnelId> up;
  Time now{1000};

  std::vector<TunnelGroups::Switch> choose() {
    return groups.choose([this](ike::TunnelId id) { return up.contains(id); }, now);
  }
  ike::TunnelId used() const {
    for (const auto id : {lyon, paris, nice})
      if (groups.in_use(id)) return id;
    return alone;
  }
};

}  // namespace

TEST_CASE("groups: the heaviest tunnel is meant to carry the traffic, and one without a group always does") {
  Hq hq;
  CHECK(hq.choose().empty());
  CHECK(hq.used() == Hq::paris);
  CHECK(hq.groups.in_use(Hq::alone));
  hq.up = {Hq::paris, Hq::lyon, Hq::nice};
  CHECK(hq.choose().empty());
  CHECK(hq.used() == Hq::paris);
}

TEST_CASE("groups: a tunnel that goes down is left at once; the heavier one is taken again when it has lasted") {
  Hq hq;
  hq.up = {Hq::paris, Hq::lyon, Hq::nice};
  hq.choose();
  hq.up.erase(Hq::paris);
  const auto away = hq.choose();
  REQUIRE(away.size() == 1);
  CHECK(away[0].from == Hq::paris);
  CHECK(away[0].to == Hq::lyon);
  CHECK(away[0].why == "paris is down");
  CHECK(away[0].group == "hq");

  hq.up.insert(Hq::paris);
  hq.now += Time{1};
  CHECK(hq.choose().empty());
  hq.now += TunnelGroups::kProving - Time{1};
  CHECK(hq.choose().empty());
  hq.up.erase(Hq::paris);  // it flaps: the wait begins anew
  CHECK(hq.choose().empty());
  hq.up.insert(Hq::paris);
  CHECK(hq.choose().empty());
  hq.now += TunnelGroups::kProving - Time{1};
  CHECK(hq.choose().empty());
  hq.now += Time{1};
  const auto back = hq.choose();
  REQUIRE(back.size() == 1);
  CHECK(back[0].to == Hq::paris);
  CHECK(back[0].why.find("greater weight") != std::string::npos);
}

TEST_CASE("groups: of equal weight the one in use stays") {
  Hq hq;
  hq.up = {Hq::nice};
  CHECK(hq.choose().size() == 1);
  CHECK(hq.used() == Hq::nice);
  hq.up = {Hq::nice, Hq::lyon};
  hq.now += 10 * TunnelGroups::kProving;
  CHECK(hq.choose().empty());
  CHECK(hq.used() == Hq::nice);
}

TEST_CASE("groups: a tunnel that is established and whose probe is silent carries nothing, until it answers again") {
  Hq hq;
  hq.up = {Hq::paris, Hq::lyon};
  hq.choose();
  hq.groups.set_health(Hq::paris, true);
  CHECK(hq.choose().empty());
  hq.groups.set_health(Hq::paris, false);
  const auto away = hq.choose();
  REQUIRE(away.size() == 1);
  CHECK(away[0].to == Hq::lyon);
  CHECK(away[0].why == "paris does not answer its probe");
  CHECK(hq.groups.health(Hq::paris) == Health::silent);
  hq.groups.set_health(Hq::paris, true);
  CHECK(hq.choose().empty());
  hq.now += TunnelGroups::kProving;
  REQUIRE(hq.choose().size() == 1);
  CHECK(hq.used() == Hq::paris);
}

TEST_CASE("groups: what a probe said is forgotten with the SA it went through") {
  Hq hq;
  hq.up = {Hq::paris, Hq::lyon};
  hq.choose();
  hq.groups.set_health(Hq::paris, false);
  hq.choose();
  hq.up.erase(Hq::paris);
  hq.choose();
  hq.up.insert(Hq::paris);
  hq.choose();
  CHECK(hq.groups.health(Hq::paris) == Health::unknown);
  hq.now += TunnelGroups::kProving;
  CHECK(hq.choose().size() == 1);
  CHECK(hq.used() == Hq::paris);
}

TEST_CASE("groups: where none can carry the traffic the last one keeps it") {
  Hq hq;
  hq.up = {Hq::nice};
  hq.choose();
  hq.up.clear();
  CHECK(hq.choose().empty());
  CHECK(hq.used() == Hq::nice);
}

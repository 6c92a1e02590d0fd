#include <algorithm>

#include "conf/rules.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

bool whole_family(const Selector& s) {
  const auto prefix = s.as_prefix();
  return prefix && prefix->length == 0;
}

bool has_family(const std::vector<Selector>& list, Family family) {
  return std::ranges::any_of(list, [&](const Selector& s) { return s.first.family == family; });
}

// Both sides given, and each side's IP versions met on the other.
void check_presence(const Tunnel& t, const std::string& key, Report& report) {
  const auto missing = [&](const std::string& name, const std::vector<Selector>& list, const char* what) {
    if (list.empty() && !report.meant.contains(name) && !report.places.contains(name + "[0]"))
      report.error(name, std::string(what) + " such as [\"10.1.0.0/16\"]");
  };
  missing(key + ".local_subnets", t.local_subnets, "needs at least one own network");
  missing(key + ".remote_subnets", t.remote_subnets, "needs at least one network of the peer");
  if (t.local_subnets.empty() || t.remote_subnets.empty()) return;
  for (const Selector& remote : t.remote_subnets) {
    if (!has_family(t.local_subnets, remote.first.family)) {
      report.error(key + ".remote_subnets", remote.str() + " has no local subnet of its IP version to talk to");
    }
  }
  for (const Selector& local : t.local_subnets) {
    if (!has_family(t.remote_subnets, local.first.family)) {
      report.error(key + ".local_subnets", local.str() + " has no remote subnet of its IP version to talk to");
    }
  }
}

// A remote that is all of an address family makes the tunnel route-based: local subnets then say
// nothing about where packets go.
void check_remote_inside_local(const Tunnel& t, const std::string& key, Report& report) {
  for (const Selector& remote : t.remote_subnets) {
    if (whole_family(remote)) continue;
    for (const Selector& local : t.local_subnets) {
      // Addresses alone: ports and protocols do not tell here from there.
      const Selector here{.first = local.first, .last = local.last}, there{.first = remote.first, .last = remote.last};
      if (here.contains(there)) {
        report.error(key + ".remote_subnets",
                     "remote " + remote.str() + (here == there ? " equals" : " lies inside") + " local " + local.str() +
                         ": its own hosts would be sent to the peer; name smaller local subnets");
      } else if (there.contains(here)) {
        report.note(key + ".remote_subnets", "remote " + remote.str() + " is larger than local " + local.str() +
                                                 " and holds it: what is connected, and what is more specific, wins");
      }
    }
  }
}

void check_routes(const Tunnel& t, const std::string& key, Report& report) {
  const bool given = report.places.contains(key + ".routes");
  if (!t.route_based()) {
    if (!t.routes.empty())
      report.error(key + ".routes", "is for route-based tunnels: remote_subnets has no \"0.0.0.0/0\" or \"::/0\"");
    return;
  }
  if (t.routes.empty()) {
    if (report.places.contains(key + ".routes[0]") || report.meant.contains(key + ".routes")) return;
    report.error(given ? key + ".routes" : key + ".remote_subnets",
                 "with " + std::string(has_family(t.remote_subnets, Family::v4) ? "0.0.0.0/0" : "::/0") +
                     " the tunnel is route-based, and what enters it is missing: give it routes = [\"...\"]");
    return;
  }
  for (const Prefix& route : t.routes) {
    const Selector wanted = Selector::of(route);
    if (std::ranges::none_of(t.remote_subnets, [&](const Selector& remote) { return remote.contains(wanted); })) {
      report.error(key + ".routes", route.str() + " is in none of remote_subnets");
    }
  }
}

void check_translation(const Tunnel& t, const std::string& key, Report& report) {
  for (std::size_t i = 0; i < t.translate.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const auto& [real, seen] = t.translate[i];
      const auto& [other_real, other_seen] = t.translate[j];
      if (real.overlaps(other_real) || seen.overlaps(other_seen)) {
        report.error(key + ".translate", real.str() + " seen as " + seen.str() + " overlaps " + other_real.str() +
                                             " seen as " + other_seen.str() + ": translation is one to one");
      }
    }
  }
  for (const auto& [real, seen_as] : t.translate) {
    const Selector seen = Selector::of(seen_as);
    if (std::ranges::none_of(t.local_subnets, [&](const Selector& local) { return local.contains(seen); })) {
      report.error(key + ".translate", seen_as.str() + " is in none of local_subnets, which are as the peer sees them");
    }
  }
}

// What decides which packets enter a tunnel: its remote subnets, or the routes in place of a /0.
std::vector<Selector> destinations(const Tunnel& t) {
  std::vector<Selector> result;
  for (const Selector& s : t.remote_subnets) {
    if (!whole_family(s)) result.push_back(s);
  }
  for (const Prefix& route : t.routes) result.push_back(Selector::of(route));
  return result;
}

void check_pair(const Tunnel& earlier, const Tunnel& later, const std::string& key, Report& report) {
  if (!later.group.empty() && later.group == earlier.group) return;
  const std::vector<Selector> theirs = destinations(earlier);
  for (const Selector& remote : destinations(later)) {
    if (std::ranges::find(theirs, remote) == theirs.end()) continue;
    for (const Selector& local : later.local_subnets) {
      if (std::ranges::find(earlier.local_subnets, local) == earlier.local_subnets.end()) continue;
      report.error(key + "." + (later.route_based() ? "routes" : "remote_subnets"),
                   local.str() + " to " + remote.str() + " is also what tunnel " + earlier.name +
                       " protects; put both tunnels into one group, or make them differ");
      return;
    }
  }
}

}  // namespace

void check_selectors(const Draft& draft, Report& report) {
  const auto& tunnels = draft.config.tunnels;
  for (std::size_t i = 0; i < tunnels.size(); ++i) {
    const std::string& key = draft.tunnel_keys[i];
    check_presence(tunnels[i], key, report);
    check_remote_inside_local(tunnels[i], key, report);
    check_routes(tunnels[i], key, report);
    check_translation(tunnels[i], key, report);
    for (std::size_t j = 0; j < i; ++j) check_pair(tunnels[j], tunnels[i], key, report);
  }
}

}  // namespace causeway::conf

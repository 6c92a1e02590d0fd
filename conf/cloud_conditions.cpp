// The conditions that the points of a cloud profile name: plain questions about a tunnel.
#include <algorithm>
#include <array>

#include "conf/cloud.h"

namespace causeway::conf {
namespace {

struct Condition {
  std::string_view name;
  bool (*holds)(const Tunnel& tunnel, const Cloud& cloud);
};

bool several(const Tunnel& t) {
  return !t.route_based() && (t.local_subnets.size() > 1 || t.remote_subnets.size() > 1);
}

bool overlap(const std::vector<Selector>& list) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (list[i].intersect(list[j])) return true;
    }
  }
  return false;
}

bool is_network(const Selector& s) { return s.as_prefix().has_value() && s.protocol == 0; }

bool has_v6(const std::vector<Selector>& list) {
  return std::ranges::any_of(list, [](const Selector& s) { return s.first.family == Family::v6; });
}

constexpr std::array kConditions = {
    Condition{"ikev1", [](const Tunnel& t, const Cloud&) { return t.ike.version == 1; }},
    Condition{"aggressive", [](const Tunnel& t, const Cloud&) { return t.ike.mode == IkeMode::aggressive; }},
    Condition{"certificate", [](const Tunnel& t, const Cloud&) { return t.auth == AuthMethod::cert; }},
    Condition{"responder",
              [](const Tunnel& t, const Cloud&) { return t.role == Role::responder || t.start == Start::wait; }},
    Condition{"may_answer_v1",
              [](const Tunnel& t, const Cloud&) { return t.ike.version == 1 && t.role != Role::initiator; }},
    Condition{"follows_ike", [](const Tunnel& t, const Cloud&) { return t.ike.version == 1 && t.child_follows_ike; }},
    Condition{"silent", [](const Tunnel& t, const Cloud&) { return t.ike.dpd.idle.count() == 0; }},
    Condition{"few_tries",
              [](const Tunnel& t, const Cloud&) { return t.ike.dpd.idle.count() != 0 && t.ike.dpd.tries < 5; }},
    Condition{"no_fragment", [](const Tunnel& t, const Cloud&) { return t.ike.version == 2 && !t.ike.fragment; }},
    Condition{"bytes", [](const Tunnel& t, const Cloud&) { return t.esp.bytes != 0; }},
    Condition{"no_bytes", [](const Tunnel& t, const Cloud&) { return t.esp.bytes == 0; }},
    Condition{"no_pfs", [](const Tunnel& t, const Cloud&) { return !t.esp.pfs; }},
    Condition{"esp_longer", [](const Tunnel& t, const Cloud&) { return t.esp.lifetime >= t.ike.lifetime; }},
    Condition{"policy_based",
              [](const Tunnel& t, const Cloud&) { return !t.remote_subnets.empty() && !t.route_based(); }},
    Condition{"several_pairs", [](const Tunnel& t, const Cloud&) { return several(t); }},
    Condition{"several_joint",
              [](const Tunnel& t, const Cloud&) { return several(t) && t.selectors == SelectorShape::joint; }},
    Condition{"several_separate",
              [](const Tunnel& t, const Cloud&) { return several(t) && t.selectors == SelectorShape::pairs; }},
    Condition{"local_overlap",
              [](const Tunnel& t, const Cloud&) { return !t.route_based() && overlap(t.local_subnets); }},
    Condition{"remote_overlap",
              [](const Tunnel& t, const Cloud&) { return !t.route_based() && overlap(t.remote_subnets); }},
    Condition{"local_ranges",
              [](const Tunnel& t, const Cloud&) { return !std::ranges::all_of(t.local_subnets, is_network); }},
    Condition{"remote_ranges",
              [](const Tunnel& t, const Cloud&) { return !std::ranges::all_of(t.remote_subnets, is_network); }},
    Condition{"ipv6",
              [](const Tunnel& t, const Cloud&) { return has_v6(t.local_subnets) || has_v6(t.remote_subnets); }},
    Condition{"df_clear", [](const Tunnel& t, const Cloud&) { return t.df == DfPolicy::clear; }},
    Condition{"df_copy", [](const Tunnel& t, const Cloud&) { return t.df == DfPolicy::copy; }},
    Condition{"large_mtu", [](const Tunnel& t, const Cloud& c) { return c.mtu != 0 && t.mtu.value_or(9216) > c.mtu; }},
};

constexpr auto kNames = [] {
  std::array<std::string_view, kConditions.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kConditions[i].name;
  return names;
}();

}  // namespace

std::span<const std::string_view> cloud_conditions() { return kNames; }

bool cloud_condition(std::string_view name, const Tunnel& tunnel, const Cloud& cloud) {
  const auto found = std::ranges::find(kConditions, name, &Condition::name);
  return found != kConditions.end() && found->holds(tunnel, cloud);
}

}  // namespace causeway::conf

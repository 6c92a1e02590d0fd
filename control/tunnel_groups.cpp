#include "control/tunnel_groups.h"

#include <algorithm>
#include <utility>

namespace causeway::control {

TunnelGroups::TunnelGroups(const conf::Config& config) {
  for (std::size_t i = 0; i < config.tunnels.size(); ++i) {
    const conf::Tunnel& tunnel = config.tunnels[i];
    if (tunnel.group.empty()) continue;
    auto group = std::ranges::find(groups_, tunnel.group, &Group::name);
    if (group == groups_.end()) group = groups_.insert(groups_.end(), Group{tunnel.group, {}});
    group->members.push_back({static_cast<ike::TunnelId>(i), tunnel.name, tunnel.weight});
  }
  std::erase_if(groups_, [](const Group& g) { return g.members.size() < 2; });
  for (Group& group : groups_) std::ranges::stable_sort(group.members, std::greater{}, &Member::weight);
}

std::vector<TunnelGroups::Switch> TunnelGroups::choose(const std::function<bool(ike::TunnelId)>& established, Time now) {
  std::vector<Switch> switches;
  for (Group& group : groups_) {
    for (Member& m : group.members) {
      m.established = established(m.tunnel);
      if (!m.established) m.health = Health::unknown;  // of another life
      const bool able = m.established && m.health != Health::silent;
      if (!able) {
        m.able_since.reset();
      } else if (!m.able_since) {
        m.able_since = now;
      }
    }
    if (auto change = choose(group, now)) switches.push_back(std::move(*change));
  }
  return switches;
}

std::optional<TunnelGroups::Switch> TunnelGroups::choose(Group& group, Time now) {
  const Member& used = group.members[group.in_use];
  const auto best = std::ranges::find_if(group.members, &Member::able);
  if (best == group.members.end() || &*best == &used) return std::nullopt;
  std::string why;
  if (!used.established) {
    why = used.name + " is down";
  } else if (!used.able()) {
    why = used.name + " does not answer its probe";
  } else if (best->weight == used.weight) {
    return std::nullopt;  // as good as the other: it stays
  } else if (now < *best->able_since + kProving) {
    return std::nullopt;
  } else {
    why = best->name + " has the greater weight and has lasted " + std::to_string(kProving.count() / 1000) + " s";
  }
  Switch change{group.name, used.tunnel, best->tunnel, std::move(why)};
  group.in_use = static_cast<std::size_t>(best - group.members.begin());
  return change;
}

void TunnelGroups::set_health(ike::TunnelId tunnel, bool answers) {
  for (Group& group : groups_) {
    for (Member& m : group.members) {
      if (m.tunnel == tunnel) m.health = answers ? Health::answers : Health::silent;
    }
  }
}

const TunnelGroups::Member* TunnelGroups::find(ike::TunnelId tunnel, const Group** in) const {
  for (const Group& group : groups_) {
    const auto m = std::ranges::find(group.members, tunnel, &Member::tunnel);
    if (m == group.members.end()) continue;
    if (in != nullptr) *in = &group;
    return &*m;
  }
  return nullptr;
}

bool TunnelGroups::in_use(ike::TunnelId tunnel) const {
  const Group* group = nullptr;
  const Member* m = find(tunnel, &group);
  return m == nullptr || &group->members[group->in_use] == m;
}

Health TunnelGroups::health(ike::TunnelId tunnel) const {
  const Member* m = find(tunnel);
  return m == nullptr ? Health::unknown : m->health;
}

}  // namespace causeway::control

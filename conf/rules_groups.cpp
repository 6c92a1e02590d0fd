// Tunnels that stand in for one another (`group`): what keeps one from taking over.
#include <algorithm>

#include "conf/rules.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

bool takes(const std::vector<Selector>& side, const IpAddress& address) {
  return std::ranges::any_of(side, [&](const Selector& s) {
    return s.first.family == address.family && s.first <= address && address <= s.last;
  });
}

// The probe goes through the tunnel, from an address of ours: both ends must be inside its selectors.
void check_probe(const Config& config, const Tunnel& tunnel, const std::string& key, Report& report) {
  if (!tunnel.probe || !tunnel.probe_host) return;
  const IpAddress& host = *tunnel.probe_host;
  if (!takes(tunnel.remote_subnets, host)) {
    report.error(key + ".probe", host.str() + " is in none of remote_subnets: nothing can ask it through this tunnel");
    return;
  }
  const bool from_inside = std::ranges::any_of(config.ports, [&](const Port& port) {
    return std::ranges::any_of(port.addresses, [&](const Prefix& own) {
      return own.address.family == host.family && takes(tunnel.local_subnets, own.address);
    });
  });
  if (from_inside) return;
  report.note(key + ".probe", "no port has an address inside local_subnets, so " + host.str() +
                                  " is not asked: give one to the port of the inside network");
}

}  // namespace

void check_groups(const Draft& draft, Report& report) {
  const auto& tunnels = draft.config.tunnels;
  for (std::size_t i = 0; i < tunnels.size(); ++i) {
    const Tunnel& t = tunnels[i];
    const std::string& key = draft.tunnel_keys[i];
    check_probe(draft.config, t, key, report);
    if (t.group.empty()) continue;
    const auto same = [&](const Tunnel& other) { return other.group == t.group; };
    if (std::ranges::count_if(tunnels, same) == 1) {
      report.note(key + ".group", "nothing stands by: " + in_quotes(t.group) + " has no other tunnel");
    } else if (t.start == Start::traffic) {
      report.note(key + ".start", "a tunnel of a group takes the traffic over only while it is up: use start = \"now\"");
    }
  }
}

}  // namespace causeway::conf

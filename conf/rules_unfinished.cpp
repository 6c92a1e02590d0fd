// Settings that are understood but that this version does not carry out. Refused, since a filter or an
// identity check that is silently left out is worse than none that was asked for. Whoever builds one
// takes its line away here.
#include "conf/rules.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

constexpr const char* kNotYet = "is not available in this version";

void check_tunnel(const Tunnel& t, const std::string& key, Report& report) {
  if (!t.translate.empty()) report.error(key + ".translate", kNotYet);
}

}  // namespace

void check_unfinished(const Draft& draft, Report& report) {
  const Config& config = draft.config;
  for (std::size_t i = 0; i < config.ports.size(); ++i) {
    const std::string& key = draft.port_keys[i];
    if (config.ports[i].vlan != 0) report.error(key + ".vlan", std::string("any but 0 ") + kNotYet);
    if (config.ports[i].host.value_or(false)) report.error(key + ".host", std::string("true ") + kNotYet);
  }
  for (std::size_t i = 0; i < config.tunnels.size(); ++i) check_tunnel(config.tunnels[i], draft.tunnel_keys[i], report);
  if (!config.rules.empty()) report.error("rules", kNotYet);
}

}  // namespace causeway::conf

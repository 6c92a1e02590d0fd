#include "test/control/json_text.h"

#include "control/ctl_text.h"
#include "control/ctl_top.h"

namespace causeway::control::testing {

std::string at(const std::string& json, const std::string& pointer) {
  const Json value = Json::parse(json, nullptr, false);
  if (value.is_discarded()) return "not JSON";
  const Json::json_pointer path(pointer);
  return value.contains(path) ? value.at(path).dump() : "missing";
}

std::string printed_status(const std::vector<TunnelReport>& tunnels, bool colour) {
  return status_text(status_json(tunnels), colour);
}

std::string printed_tunnel(const TunnelReport& tunnel, bool colour) {
  return tunnel_text(tunnel_json(tunnel, true), colour);
}

std::vector<std::string> printed_by_all(const std::string& json) {
  std::vector<std::string> texts;
  for (const auto print :
       {status_text, tunnel_text, ports_text, counters_text, routes_text, neighbors_text, log_text}) {
    texts.push_back(print(Json::parse(json), false));
  }
  texts.push_back(console_text(Json::parse(json)));
  texts.push_back(rates_text(Json::parse(json), false));
  texts.push_back(rates_text(rates_json(Json::parse(json), Json::parse(json), 1), false));
  return texts;
}

}  // namespace causeway::control::testing

// Reports as the JSON that users, scripts and tests depend on. Only the admin files include this: the
// JSON library is large.
#pragma once

#include <nlohmann/json.hpp>

#include "control/admin_backend.h"

namespace causeway::control {

using Json = nlohmann::ordered_json;  // keys in the order they are documented

Json status_json(const std::vector<TunnelReport>& tunnels);  // {"tunnels":[...]}
Json tunnel_json(const TunnelReport& tunnel, bool everything);
Json counters_json(const CountersReport& counters);
Json port_json(const dataplane::PortStatus& port);
Json routes_json(const std::vector<RouteReport>& routes);                      // {"routes":[...]}
Json neighbors_json(const std::vector<dataplane::NeighborStatus>& neighbors);  // {"neighbors":[...]}
// {"tunnel","cloud","title","lang","fields":[{"parameter","label","verified","value"}],"hints":[]}
Json console_json(const conf::ConsoleSheet& sheet);
// {"tunnel","verdict","certain","others":[],"text","evidence":[],"cure_here","cure_there"}
Json verdict_json(const diagnosis::Verdict& verdict);
Json log_json(const LogLine& line);  // {"time":"2026-01-31T09:08:07.123Z","level","tunnel","text"}

std::string state_name(TunnelReport::State state);
std::string to_line(const Json& json);  // without line breaks; octets that are not UTF-8 are replaced

}  // namespace causeway::control

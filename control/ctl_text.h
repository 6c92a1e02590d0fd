// The daemon's answers as text for people. Missing fields print as "-": an older daemon is no error.
#pragma once

#include <string>

#include "control/admin_json.h"

namespace causeway::control {

std::string status_text(const Json& status, bool colour);
std::string tunnel_text(const Json& tunnel, bool colour);
std::string ports_text(const Json& ports, bool colour);
std::string counters_text(const Json& counters, bool colour);
std::string routes_text(const Json& routes, bool colour);
std::string neighbors_text(const Json& neighbors, bool colour);
std::string console_text(const Json& sheet);
std::string verdict_text(const Json& verdict, bool chinese);
std::string log_text(const Json& line, bool colour);  // with its line break

}  // namespace causeway::control

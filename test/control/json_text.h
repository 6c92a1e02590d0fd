// JSON for tests as text, so that only json_text.cpp needs the library (it is slow to compile).
#pragma once

#include <string>
#include <vector>

#include "control/admin_backend.h"

namespace causeway::control::testing {

// The value at a JSON pointer ("/result/tunnels/0/name") as JSON without spaces; "missing" where there is
// none, "not JSON" where the text is none.
std::string at(const std::string& json, const std::string& pointer);

// What causewayctl prints for these reports.
std::string printed_status(const std::vector<TunnelReport>& tunnels, bool colour);
std::string printed_tunnel(const TunnelReport& tunnel, bool colour);
// By every printer, for an answer of any shape.
std::vector<std::string> printed_by_all(const std::string& json);

}  // namespace causeway::control::testing

// Reading an answer's fields without trusting its shape: a field that is missing or of another type is "-",
// nothing, or an empty list, and no octet of it can steer a terminal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/admin_json.h"
#include "control/ctl_table.h"

namespace causeway::control {

std::string printable(const std::string& text);         // control characters become "?"
const Json& member(const Json& json, const char* key);  // null where there is none
std::string text_at(const Json& json, const char* key);
std::optional<std::int64_t> number_at(const Json& json, const char* key);
const Json& list_at(const Json& json, const char* key);

// A first column of text, then numbers aligned to the right.
void table_row(Table& table, const std::vector<std::string>& cells);

}  // namespace causeway::control

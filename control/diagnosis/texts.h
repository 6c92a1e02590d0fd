// The words of the diagnosis, English and Chinese side by side. "{peer}" and the like are filled in from the facts.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "conf/console.h"

namespace causeway::control::diagnosis {

struct Text {
  std::string_view key, en, zh;
};
std::span<const Text> texts();

using Values = std::map<std::string, std::string, std::less<>>;  // by placeholder

// The text of that key, filled in; a placeholder without a value becomes "?".
std::string fill(std::string_view key, conf::Language language, const Values& values);

}  // namespace causeway::control::diagnosis

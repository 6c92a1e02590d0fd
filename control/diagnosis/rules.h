// The rows that a tunnel's troubles are told apart by, in the order in which they are tried.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "control/diagnosis/facts.h"

namespace causeway::control::diagnosis {

struct Rule {
  std::string_view row;
  std::string_view key;  // of its texts: KEY.text, KEY.here, KEY.there
  bool (*holds)(const Facts&);
  std::vector<std::string_view> evidence;  // keys of texts; those about what was not seen are left out
  std::vector<std::string_view> or_else;   // rows that this evidence fits as well: the verdict is not certain
  std::vector<std::string_view> explains;  // rows whose evidence this one brings with it
};

std::span<const Rule> rules();

}  // namespace causeway::control::diagnosis

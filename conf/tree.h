// A parsed configuration file before it has a meaning: names, values and where they stand. Made by the
// loader from libconfig's own tree, so that nothing else depends on libconfig.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "conf/complaint.h"

namespace causeway::conf {

struct Node {
  enum class Kind : std::uint8_t { integer, real, boolean, text, group, array, list };
  Kind kind = Kind::group;
  std::string name;  // empty inside arrays and lists, and for the root
  Place place;
  std::int64_t integer = 0;
  double real = 0;
  bool boolean = false;
  std::string text;
  std::vector<Node> children;  // of group, array and list
};

}  // namespace causeway::conf

// What the diagnosis comes to.
#pragma once

#include <string>
#include <vector>

namespace causeway::control::diagnosis {

struct Verdict {
  std::string tunnel;
  std::string row = "healthy";  // "D1" ... "L1", "healthy"; "unknown": down, and no row is about that
  bool certain = true;
  std::vector<std::string> others;  // rows that hold too, or that would look the same
  std::string text;
  std::vector<std::string> evidence;
  std::string cure_here, cure_there;
};

}  // namespace causeway::control::diagnosis

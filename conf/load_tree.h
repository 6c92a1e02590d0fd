// libconfig's grammar alone: a text becomes a tree of names and values with their places.
#pragma once

#include <string>

#include "conf/complaint.h"
#include "conf/tree.h"

namespace causeway::conf {

// `report.file` names the text, and its directory is where @include looks. False where there is no tree:
// the reason is then among the report's errors.
bool parse_tree(const std::string& text, Report& report, Node& root);

std::string directory_of(const std::string& path);  // "." where the path has none

}  // namespace causeway::conf

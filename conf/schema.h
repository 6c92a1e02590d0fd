// From a parsed file to typed values: which keys there are and what each takes.
#pragma once

#include <string>
#include <vector>

#include "conf/complaint.h"
#include "conf/config.h"
#include "conf/tree.h"

namespace causeway::conf {

// The configuration as read, with the key of each element for complaints (same order and length).
struct Draft {
  Config config;
  std::vector<std::string> port_keys, route_keys, tunnel_keys, policy_keys, rule_keys, crypto_keys;
};

// `directory`: what relative file names are relative to.
Draft read_schema(const Node& root, const std::string& directory, Report& report);

}  // namespace causeway::conf

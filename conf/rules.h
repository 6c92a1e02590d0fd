// What keys must be to each other: checked after each was read by itself. Complaints only; the one thing
// changed is `start`, which becomes `wait` where a tunnel can only be answered.
#pragma once

#include "conf/complaint.h"
#include "conf/schema.h"

namespace causeway::conf {

void check_ports(const Draft& draft, Report& report);       // ports, routes, policies, rules, workers, socket
void check_tunnels(Draft& draft, Report& report);           // each tunnel by itself
void check_selectors(const Draft& draft, Report& report);   // what tunnels protect, alone and against each other
void check_unfinished(const Draft& draft, Report& report);  // what this version does not carry out
void check_files(const Draft& draft, Report& report);       // PSK files, certificates and keys

}  // namespace causeway::conf

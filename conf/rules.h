// What keys must be to each other: checked after each was read by itself. Complaints only; the one thing
// changed is `start`, which becomes `wait` where a tunnel can only be answered.
#pragma once

#include <span>

#include "conf/cloud.h"
#include "conf/complaint.h"
#include "conf/schema.h"

namespace causeway::conf {

void check_ports(const Draft& draft, Report& report);       // ports, routes, policies, rules, workers, socket
void check_tunnels(Draft& draft, Report& report);           // each tunnel by itself
void check_selectors(const Draft& draft, Report& report);   // what tunnels protect, alone and against each other
void check_groups(const Draft& draft, Report& report);      // tunnels that stand in for one another
void check_weak(const Draft& draft, Report& report);        // algorithms that work and should not be used
void check_clouds(const Draft& draft, CloudBook& book,
                  Report& report);                                      // what each tunnel's cloud cannot or should not
void check_files(const Draft& draft, CloudBook& book, Report& report);  // PSK files, certificates and keys

// A pre-shared key against its cloud's rules. Complaints do not quote it.
void check_cloud_psk(std::span<const std::uint8_t> key, const Cloud& cloud, const std::string& where, Report& report);

}  // namespace causeway::conf

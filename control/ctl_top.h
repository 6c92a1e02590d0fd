// `causewayctl top`: what each tunnel carries right now, from two answers to `status` and the time between them.
#pragma once

#include "control/admin_json.h"
#include "control/ctl_run.h"

namespace causeway::control {

// {"interval_s","tunnels":[{"name","state","bits_in_s","bits_out_s","packets_in_s","packets_out_s"}]}. A counter that
// went back (a new SA) counts from zero; a tunnel that was not there before has no rates yet.
Json rates_json(const Json& before, const Json& after, double seconds);
std::string rates_text(const Json& rates, bool colour);

// Until interrupted, or `count` times.
int run_top(const CtlCommand& command, bool colour);

}  // namespace causeway::control

// `causewayctl import`: another gateway's configuration as ours. Asks no daemon.
#pragma once

#include "control/ctl_run.h"

namespace causeway::control {

// The configuration goes to stdout, or with `output` to that file, and the key files beside it (mode 600). No file
// that is there already is written over. What could not be carried goes to stderr, too.
int run_import(const CtlCommand& command);

}  // namespace causeway::control

// One command of causewayctl, from its arguments to its exit code. Apart from the command line's parser,
// so that neither it nor the tests need the JSON library.
#pragma once

#include <cstdint>
#include <string>

namespace causeway::control {

struct CtlCommand {
  enum class What : std::uint8_t { status, show, show_port, up, down, rekey, counters, routes, neighbors, log };
  What what = What::status;
  std::string socket = "/run/causeway/causeway.sock";
  bool json = false;     // print the answer's JSON
  std::string tunnel;    // of show, up, down, rekey
  std::string port;      // of show_port; empty: every port
  std::string child;     // of rekey; empty: every child
  bool ike = false;      // of rekey
  bool follow = false;   // of log
  bool no_wait = false;  // of up
  int timeout = 30;      // seconds, of up, down and rekey
};

// Prints to stdout, errors to stderr. 0 done, 1 refused or failed, 3 no daemon, 4 no such tunnel.
int run_command(const CtlCommand& command);

}  // namespace causeway::control

// One command of causewayctl, from its arguments to its exit code. Apart from the command line's parser,
// so that neither it nor the tests need the JSON library.
#pragma once

#include <cstdint>
#include <string>

namespace causeway::control {

struct CtlCommand {
  enum class What : std::uint8_t {
    status,
    show,
    show_port,
    up,
    down,
    rekey,
    counters,
    routes,
    neighbors,
    log,
    console,
    import,
    top,
    diagnose,
    rehearse
  };
  What what = What::status;
  std::string socket = "/run/causeway/causeway.sock";
  bool json = false;        // print the answer's JSON
  std::string tunnel;       // of show, up, down, rekey, console, diagnose, rehearse
  std::string port;         // of show_port; empty: every port
  std::string child;        // of rekey; empty: every child
  bool ike = false;         // of rekey
  bool follow = false;      // of log
  bool no_wait = false;     // of up
  bool yes = false;         // of rehearse: although it may interrupt
  std::string config;       // of console: the file itself is asked, not the daemon
  std::string lang = "en";  // of console and diagnose
  std::string file;         // of import
  std::string output;       // of import; empty: to stdout
  std::string cloud;        // of import; empty: none
  int interval = 1;         // seconds, of top
  int count = 0;            // of top; 0: until interrupted
  int timeout = 30;         // seconds, of up, down, rekey and rehearse
};

// `import`, and `console` with a configuration, ask no daemon. Prints to stdout, errors to stderr. 0 done, 1 refused or
// failed, 3 no daemon, 4 no such tunnel.
int run_command(const CtlCommand& command);

}  // namespace causeway::control

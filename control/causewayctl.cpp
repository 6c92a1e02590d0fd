// causewayctl: asks a running causewayd, and prints its answer for people or (--json) for scripts.
// Exits 0 done, 1 refused or failed, 2 usage, 3 no daemon, 4 no such tunnel.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>

#include "control/admin_client.h"
#include "control/admin_json.h"
#include "control/ctl_fields.h"
#include "control/ctl_text.h"

namespace causeway::control {
namespace {

constexpr int kDone = 0, kFailed = 1, kUsage = 2, kNoDaemon = 3;

using Printer = std::function<std::string(const Json&, bool colour)>;

struct Settings {
  std::string socket = "/run/causeway/causeway.sock";
  bool json = false;
  std::string tunnel, port, child;
  bool ike = false, follow = false, no_wait = false;
  int timeout = 30;
};

// What the command line came to: a request, and how its result is printed.
struct Command {
  Json request;
  Printer print;
};

std::string outcome_text(const Json& result, bool) { return text_at(result, "text") + "\n"; }

int say_error(const Settings& settings, int code, const std::string& text) {
  if (settings.json) std::cout << to_line({{"error", text}, {"code", code}}) << std::endl;
  std::cerr << "causewayctl: " << text << std::endl;
  return code;
}

int run(const Settings& settings, const Command& command) {
  auto client = AdminClient::connect(settings.socket);
  if (!client) return say_error(settings, kNoDaemon, client.error());
  if (!client->send(to_line(command.request))) return say_error(settings, kNoDaemon, "causewayd went away");
  const bool colour = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  while (const auto line = client->receive()) {
    const Json answer = Json::parse(*line, nullptr, false);
    if (member(answer, "ok") == false) {
      const auto code = number_at(answer, "code").value_or(kFailed);
      return say_error(settings, static_cast<int>(code), text_at(answer, "error"));
    }
    if (member(answer, "ok") != true) return say_error(settings, kFailed, "causewayd answered what is no answer");
    if (const Json& entry = member(answer, "line"); !entry.is_null()) {
      std::cout << (settings.json ? to_line(entry) + "\n" : log_text(entry, colour)) << std::flush;
      if (!std::cout) return kDone;  // whoever read it has left
      continue;
    }
    if (!command.print) return kDone;
    const Json& result = member(answer, "result");
    std::cout << (settings.json ? to_line(result) + "\n" : command.print(result, colour)) << std::flush;
    return kDone;
  }
  return say_error(settings, kNoDaemon, "causewayd went away");
}

void add_timeout(CLI::App* app, Settings& s) {
  app->add_option("--timeout", s.timeout, "seconds to wait")->check(CLI::Range(1, 3600))->capture_default_str();
}

// Commands that only ask.
void add_questions(CLI::App& app, Settings& s, Command& command) {
  app.add_subcommand("status", "Every tunnel: its state, SAs, traffic, and why it is down")->callback([&] {
    command = {{{"cmd", "status"}}, status_text};
  });
  auto* show = app.add_subcommand("show", "One tunnel in full, or the ports: show TUNNEL, show port [NAME]");
  show->add_option("tunnel", s.tunnel, "a tunnel's name, or \"port\"")->required();
  show->add_option("name", s.port, "a port's name, after \"port\"");
  show->callback([&] {
    if (s.tunnel == "port") {
      command = {{{"cmd", "show-port"}, {"port", s.port}}, ports_text};
    } else if (!s.port.empty()) {
      throw CLI::ValidationError("show", "takes one tunnel; " + s.port + " is one too many");
    } else {
      command = {{{"cmd", "show"}, {"tunnel", s.tunnel}}, tunnel_text};
    }
  });
  app.add_subcommand("counters", "Drops by name, workers, crypto engines, pools")->callback([&] {
    command = {{{"cmd", "counters"}}, counters_text};
  });
  app.add_subcommand("routes", "Where packets go")->callback([&] { command = {{{"cmd", "routes"}}, routes_text}; });
  app.add_subcommand("neighbors", "Who answers ARP and neighbor discovery")->callback([&] {
    command = {{{"cmd", "neighbors"}}, neighbors_text};
  });
  auto* log = app.add_subcommand("log", "The recent log");
  log->add_flag("-f,--follow", s.follow, "and what comes, until interrupted");
  log->callback([&] { command = {{{"cmd", "log"}, {"follow", s.follow}}, nullptr}; });
}

// Commands that change something.
void add_orders(CLI::App& app, Settings& s, Command& command) {
  const auto with_tunnel = [&](const char* name, const char* text) {
    auto* sub = app.add_subcommand(name, text);
    sub->add_option("tunnel", s.tunnel, "the tunnel's name")->required();
    add_timeout(sub, s);
    return sub;
  };
  auto* up = with_tunnel("up", "Begins a tunnel, and waits until it is established");
  up->add_flag("--no-wait", s.no_wait, "only begin");
  up->callback([&] {
    command = {{{"cmd", "up"}, {"tunnel", s.tunnel}, {"timeout", s.timeout}, {"wait", !s.no_wait}}, outcome_text};
  });
  with_tunnel("down", "Ends a tunnel's SAs; it stays down until `up`")->callback([&] {
    command = {{{"cmd", "down"}, {"tunnel", s.tunnel}, {"timeout", s.timeout}}, outcome_text};
  });
  auto* rekey = with_tunnel("rekey", "Renews keys: every child's, one child's, or IKE's");
  auto* ike = rekey->add_flag("--ike", s.ike, "the IKE SA's");
  rekey->add_option("--child", s.child, "this child's")->excludes(ike);
  rekey->callback([&] {
    command = {{{"cmd", "rekey"}, {"tunnel", s.tunnel}, {"ike", s.ike}, {"child", s.child}, {"timeout", s.timeout}},
               outcome_text};
  });
}

int main_of(int argc, char** argv) {
  Settings settings;
  Command command;
  CLI::App app("Asks a running causewayd.", "causewayctl");
  app.add_option("--socket", settings.socket, "the daemon's admin socket")->capture_default_str();
  app.add_flag("--json", settings.json, "print JSON");
  app.require_subcommand(0, 1);
  app.fallthrough();
  add_questions(app, settings, command);
  add_orders(app, settings, command);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) throw CLI::RequiredError("A subcommand");  // behind options that are none
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kDone : kUsage;
  }
  return run(settings, command);
}

}  // namespace
}  // namespace causeway::control

int main(int argc, char** argv) {
  try {
    return causeway::control::main_of(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "causewayctl: %s\n", e.what());
    return 1;
  }
}

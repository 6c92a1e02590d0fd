// causewayctl: asks a running causewayd, and prints its answer for people or (--json) for scripts.
// Exits 0 done, 1 refused or failed, 2 usage, 3 no daemon, 4 no such tunnel.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "control/ctl_run.h"

namespace causeway::control {
namespace {

using What = CtlCommand::What;

constexpr int kDone = 0, kUsage = 2;

// Commands that only ask.
void add_questions(CLI::App& app, CtlCommand& command) {
  const auto ask = [&](const char* name, const char* text, What what) {
    auto* sub = app.add_subcommand(name, text);
    sub->callback([&command, what] { command.what = what; });
    return sub;
  };
  ask("status", "Every tunnel: its state, SAs, traffic, and why it is down", What::status);
  auto* show = app.add_subcommand("show", "One tunnel in full, or the ports: show TUNNEL, show port [NAME]");
  show->add_option("tunnel", command.tunnel, "a tunnel's name, or \"port\"")->required();
  show->add_option("name", command.port, "a port's name, after \"port\"");
  show->callback([&] {
    command.what = command.tunnel == "port" ? What::show_port : What::show;
    if (command.what == What::show && !command.port.empty()) {
      throw CLI::ValidationError("show", "takes one tunnel; " + command.port + " is one too many");
    }
  });
  ask("counters", "Drops by name, workers, crypto engines, pools", What::counters);
  ask("routes", "Where packets go", What::routes);
  ask("neighbors", "Who answers ARP and neighbor discovery", What::neighbors);
  auto* top = ask("top", "What each tunnel carries right now, until interrupted", What::top);
  top->add_option("--interval", command.interval, "seconds between")->check(CLI::Range(1, 3600))->capture_default_str();
  top->add_option("--count", command.count, "so often, then end")->check(CLI::Range(1, 1000000));
  ask("log", "The recent log", What::log)->add_flag("-f,--follow", command.follow, "and what comes, until interrupted");
}

// What to type into the cloud's console, from the running daemon or from a file.
void add_console(CLI::App& app, CtlCommand& command) {
  auto* sub = app.add_subcommand("console", "The values to type into the cloud's console, field by field");
  sub->add_option("tunnel", command.tunnel, "the tunnel's name")->required();
  sub->add_option("--lang", command.lang, "en or zh")->check(CLI::IsMember({"en", "zh"}))->capture_default_str();
  sub->add_option("--config", command.config, "ask this configuration file, not the daemon");
  sub->callback([&command] { command.what = What::console; });
}

// What is wrong with a tunnel.
void add_diagnose(CLI::App& app, CtlCommand& command) {
  auto* sub = app.add_subcommand("diagnose", "What is wrong with a tunnel: verdict, evidence, cure on either side");
  sub->add_option("tunnel", command.tunnel, "the tunnel's name")->required();
  sub->add_option("--lang", command.lang, "en or zh")->check(CLI::IsMember({"en", "zh"}))->capture_default_str();
  sub->callback([&command] { command.what = What::diagnose; });
}

// Another gateway's configuration as ours; no daemon is asked.
void add_import(CLI::App& app, CtlCommand& command) {
  auto* sub = app.add_subcommand("import", "A swanctl.conf, FortiGate or RouterOS commands as a configuration of ours");
  sub->add_option("file", command.file, "the file to read")->required();
  sub->add_option("-o,--output", command.output, "write it to this new file, and the keys beside it");
  sub->add_option("--cloud", command.cloud, "put its tunnels on this cloud's profile");
  sub->callback([&command] { command.what = What::import; });
}

// Commands that change something.
void add_orders(CLI::App& app, CtlCommand& command) {
  const auto order = [&](const char* name, const char* text, What what) {
    auto* sub = app.add_subcommand(name, text);
    sub->add_option("tunnel", command.tunnel, "the tunnel's name")->required();
    sub->add_option("--timeout", command.timeout, "seconds to wait")->check(CLI::Range(1, 3600))->capture_default_str();
    sub->callback([&command, what] { command.what = what; });
    return sub;
  };
  order("up", "Begins a tunnel, and waits until it is established", What::up)
      ->add_flag("--no-wait", command.no_wait, "only begin");
  order("down", "Ends a tunnel's SAs; it stays down until `up`", What::down);
  order("rehearse", "A rekey of a child and of the IKE SA now, so that tonight's failure shows at noon", What::rehearse)
      ->add_flag("--yes", command.yes, "although the peer is known to interrupt the tunnel for it");
  auto* rekey = order("rekey", "Renews keys: every child's, one child's, or IKE's", What::rekey);
  auto* ike = rekey->add_flag("--ike", command.ike, "the IKE SA's");
  rekey->add_option("--child", command.child, "this child's")->excludes(ike);
}

int main_of(int argc, char** argv) {
  CtlCommand command;
  CLI::App app("Asks a running causewayd.", "causewayctl");
  app.add_option("--socket", command.socket, "the daemon's admin socket")->capture_default_str();
  app.add_flag("--json", command.json, "print JSON");
  app.require_subcommand(0, 1);
  app.fallthrough();
  add_questions(app, command);
  add_console(app, command);
  add_diagnose(app, command);
  add_import(app, command);
  add_orders(app, command);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) throw CLI::RequiredError("A subcommand");  // behind options that are none
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kDone : kUsage;
  }
  return run_command(command);
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

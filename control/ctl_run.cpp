#include "control/ctl_run.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "conf/console.h"
#include "conf/loader.h"
#include "control/admin_client.h"
#include "control/ctl_fields.h"
#include "control/ctl_import.h"
#include "control/ctl_text.h"
#include "control/ctl_top.h"

namespace causeway::control {
namespace {

using What = CtlCommand::What;

constexpr int kDone = 0, kFailed = 1, kNoDaemon = 3, kNoTunnel = 4;

Json request_of(const CtlCommand& c) {
  switch (c.what) {
    case What::status:
      break;
    case What::show:
      return {{"cmd", "show"}, {"tunnel", c.tunnel}};
    case What::show_port:
      return {{"cmd", "show-port"}, {"port", c.port}};
    case What::up:
      return {{"cmd", "up"}, {"tunnel", c.tunnel}, {"timeout", c.timeout}, {"wait", !c.no_wait}};
    case What::down:
      return {{"cmd", "down"}, {"tunnel", c.tunnel}, {"timeout", c.timeout}};
    case What::rekey:
      return {{"cmd", "rekey"}, {"tunnel", c.tunnel}, {"ike", c.ike}, {"child", c.child}, {"timeout", c.timeout}};
    case What::counters:
      return {{"cmd", "counters"}};
    case What::routes:
      return {{"cmd", "routes"}};
    case What::neighbors:
      return {{"cmd", "neighbors"}};
    case What::log:
      return {{"cmd", "log"}, {"follow", c.follow}};
    case What::console:
      return {{"cmd", "console"}, {"tunnel", c.tunnel}, {"lang", c.lang}};
    case What::diagnose:
      return {{"cmd", "diagnose"}, {"tunnel", c.tunnel}, {"lang", c.lang}};
    case What::rehearse:
      return {{"cmd", "rehearse"}, {"tunnel", c.tunnel}, {"sure", c.yes}, {"timeout", c.timeout}};
    case What::import:
    case What::top:
      break;  // not by one question
  }
  return {{"cmd", "status"}};
}

std::string text_of(What what, const Json& result, bool colour) {
  switch (what) {
    case What::status:
      return status_text(result, colour);
    case What::show:
      return tunnel_text(result, colour);
    case What::show_port:
      return ports_text(result, colour);
    case What::counters:
      return counters_text(result, colour);
    case What::routes:
      return routes_text(result, colour);
    case What::neighbors:
      return neighbors_text(result, colour);
    case What::log:
      return "";  // its lines were printed as they came
    case What::console:
      return console_text(result);
    case What::diagnose:
      break;  // in the language asked for: see print_line()
    case What::up:
    case What::down:
    case What::rekey:
    case What::rehearse:
    case What::import:
    case What::top:
      break;
  }
  return text_at(result, "text") + "\n";
}

int say_error(const CtlCommand& command, int code, const std::string& text) {
  if (command.json) std::cout << to_line({{"error", text}, {"code", code}}) << std::endl;
  std::cerr << "causewayctl: " << text << std::endl;
  return code;
}

// Nothing where the answer goes on, else the exit code.
std::optional<int> print_line(const CtlCommand& command, const std::string& line, bool colour) {
  const Json answer = Json::parse(line, nullptr, false);
  if (member(answer, "ok") == false) {
    return say_error(command, static_cast<int>(number_at(answer, "code").value_or(kFailed)), text_at(answer, "error"));
  }
  if (member(answer, "ok") != true) return say_error(command, kFailed, "causewayd answered what is no answer");
  if (const Json& entry = member(answer, "line"); !entry.is_null()) {
    std::cout << (command.json ? to_line(entry) + "\n" : log_text(entry, colour)) << std::flush;
    return std::cout ? std::nullopt : std::optional(kDone);  // or whoever read it has left
  }
  const Json& result = member(answer, "result");
  if (command.what != What::log) {
    std::cout << (command.json ? to_line(result) + "\n"
                  : command.what == What::diagnose ? verdict_text(result, command.lang == "zh")
                                                   : text_of(command.what, result, colour))
              << std::flush;
  }
  return kDone;
}

// The same answer as the daemon's, from a configuration that need not be running.
int run_console(const CtlCommand& command, bool colour) {
  const conf::Loaded loaded =
      conf::load(command.config, {.check_proposal = {}, .check_files = false});
  if (!loaded.ok()) return say_error(command, kFailed, loaded.report.errors.front().str());
  const auto& tunnels = loaded.config.tunnels;
  const auto tunnel = std::ranges::find(tunnels, command.tunnel, &conf::Tunnel::name);
  if (tunnel == tunnels.end())
    return say_error(command, kNoTunnel,
                     "there is no tunnel " + conf::in_quotes(command.tunnel) + " in " + command.config);
  conf::CloudBook clouds;
  const conf::Cloud* cloud = clouds.find(tunnel->cloud);
  if (cloud == nullptr)
    return say_error(command, kFailed, "tunnel " + tunnel->name + " names no cloud: give it cloud = \"...\"");
  const auto language = command.lang == "zh" ? conf::Language::chinese : conf::Language::english;
  const Json result = console_json(conf::console_sheet(loaded.config, *tunnel, *cloud, language));
  std::cout << (command.json ? to_line(result) + "\n" : text_of(What::console, result, colour)) << std::flush;
  return kDone;
}

}  // namespace

int run_command(const CtlCommand& command) {
  const bool colour = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  if (command.what == What::console && !command.config.empty()) return run_console(command, colour);
  if (command.what == What::import) return run_import(command);
  if (command.what == What::top) return run_top(command, colour);
  auto client = AdminClient::connect(command.socket);
  if (!client) return say_error(command, kNoDaemon, client.error());
  if (client->send(to_line(request_of(command)))) {
    while (const auto line = client->receive()) {
      if (const auto code = print_line(command, *line, colour)) return *code;
    }
  }
  return say_error(command, kNoDaemon, "causewayd went away");
}

}  // namespace causeway::control

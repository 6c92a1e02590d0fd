#include "control/ctl_run.h"

#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "control/admin_client.h"
#include "control/ctl_fields.h"
#include "control/ctl_text.h"

namespace causeway::control {
namespace {

using What = CtlCommand::What;

constexpr int kDone = 0, kFailed = 1, kNoDaemon = 3;

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
    case What::up:
    case What::down:
    case What::rekey:
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
    std::cout << (command.json ? to_line(result) + "\n" : text_of(command.what, result, colour)) << std::flush;
  }
  return kDone;
}

}  // namespace

int run_command(const CtlCommand& command) {
  auto client = AdminClient::connect(command.socket);
  if (!client) return say_error(command, kNoDaemon, client.error());
  const bool colour = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  if (client->send(to_line(request_of(command)))) {
    while (const auto line = client->receive()) {
      if (const auto code = print_line(command, *line, colour)) return *code;
    }
  }
  return say_error(command, kNoDaemon, "causewayd went away");
}

}  // namespace causeway::control

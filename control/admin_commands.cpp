#include "control/admin_commands.h"

#include <algorithm>

#include "conf/values.h"
#include "control/admin_json.h"

namespace causeway::control {
namespace {

constexpr int kRefused = 1, kNoRequest = 2, kNoTunnel = 4;
constexpr int kDefaultTimeout = 30, kLongestTimeout = 3600;  // seconds

std::string result_answer(Json result) { return to_line({{"ok", true}, {"result", std::move(result)}}); }

// One request: its fields with their types checked, and what is wrong with it.
class Request {
 public:
  Request(Json json, AdminBackend& backend, Asker& asker) : json_(std::move(json)), backend_(backend), asker_(asker) {}

  void run() {
    const std::string command = text("cmd");
    for (const auto& [name, handler] : kHandlers) {
      if (name == command) return (this->*handler)();
    }
    std::vector<std::string_view> names;
    for (const auto& [name, handler] : kHandlers) names.push_back(name);
    const std::string_view meant = conf::nearest(command, names);
    fail(kNoRequest, "there is no command " + conf::in_quotes(command) +
                         (meant.empty() ? "" : "; did you mean " + conf::in_quotes(meant) + "?"));
  }

 private:
  using Handler = void (Request::*)();

  [[nodiscard]] std::string text(const char* key) const {
    const auto found = json_.find(key);
    return found != json_.end() && found->is_string() ? found->get<std::string>() : std::string();
  }
  [[nodiscard]] bool flag(const char* key, bool otherwise) const {
    const auto found = json_.find(key);
    return found != json_.end() && found->is_boolean() ? found->get<bool>() : otherwise;
  }
  [[nodiscard]] int timeout() const {
    const auto found = json_.find("timeout");
    if (found == json_.end() || !found->is_number_integer()) return kDefaultTimeout;
    return static_cast<int>(std::clamp<std::int64_t>(found->get<std::int64_t>(), 1, kLongestTimeout));
  }
  void fail(int code, const std::string& why) { asker_.end(error_answer(code, why)); }
  void give(Json result) { asker_.end(result_answer(std::move(result))); }

  void no_tunnel(const std::string& name) {
    std::vector<std::string> known;
    for (const TunnelReport& t : backend_.tunnels()) known.push_back(t.name);
    const std::vector<std::string_view> views(known.begin(), known.end());
    const std::string_view meant = conf::nearest(name, views);
    fail(kNoTunnel, "there is no tunnel " + conf::in_quotes(name) +
                        (meant.empty() ? "" : "; did you mean " + conf::in_quotes(meant) + "?"));
  }
  // The tunnel a command is about, or an answer given already.
  bool has_tunnel(std::string& name) {
    name = text("tunnel");
    if (name.empty()) {
      fail(kNoRequest, "which tunnel? \"tunnel\" is missing");
      return false;
    }
    if (backend_.tunnel(name)) return true;
    no_tunnel(name);
    return false;
  }

  void status() { give(status_json(backend_.tunnels())); }
  void show() {
    const std::string name = text("tunnel");
    if (name.empty()) return fail(kNoRequest, "which tunnel? \"tunnel\" is missing");
    const auto report = backend_.tunnel(name);
    if (!report) return no_tunnel(name);
    give(tunnel_json(*report, true));
  }
  void show_port() {
    const std::string name = text("port");
    Json ports = Json::array();
    for (const auto& port : backend_.counters().ports) {
      if (name.empty() || port.name == name) ports.push_back(port_json(port));
    }
    if (!name.empty() && ports.empty()) return fail(kRefused, "there is no port " + conf::in_quotes(name));
    give({{"ports", std::move(ports)}});
  }
  void console() {
    const std::string lang = text("lang");
    if (!lang.empty() && lang != "en" && lang != "zh") return fail(kNoRequest, "\"lang\" is \"en\" or \"zh\"");
    std::string tunnel;
    if (!has_tunnel(tunnel)) return;
    const auto sheet = backend_.console(tunnel, lang == "zh" ? conf::Language::chinese : conf::Language::english);
    if (!sheet) return fail(static_cast<int>(sheet.error().code), sheet.error().text);
    give(console_json(*sheet));
  }
  void diagnose() {
    const std::string lang = text("lang");
    if (!lang.empty() && lang != "en" && lang != "zh") return fail(kNoRequest, "\"lang\" is \"en\" or \"zh\"");
    std::string tunnel;
    if (!has_tunnel(tunnel)) return;
    const auto verdict = backend_.diagnose(tunnel, lang == "zh" ? conf::Language::chinese : conf::Language::english);
    if (!verdict) return fail(static_cast<int>(verdict.error().code), verdict.error().text);
    give(verdict_json(*verdict));
  }
  void rehearse() {
    std::string tunnel;
    if (has_tunnel(tunnel)) backend_.rehearse(tunnel, flag("sure", false), waiter(tunnel, "not rehearsed"));
  }
  void counters() { give(counters_json(backend_.counters())); }
  void routes() { give(routes_json(backend_.routes())); }
  void neighbors() { give(neighbors_json(backend_.neighbors())); }

  void log() {
    const auto lines = backend_.log();
    for (const LogLine& line : lines) asker_.line(log_answer(line));
    if (flag("follow", false)) return asker_.follow_log();
    give({{"lines", lines.size()}});
  }

  // Why a tunnel is not up yet, in the words of its report.
  static std::string late_text(const AdminBackend& backend, const std::string& tunnel, int seconds,
                               const std::string& what) {
    std::string why = what + " within " + std::to_string(seconds) + " s";
    if (const auto report = backend.tunnel(tunnel)) {
      if (!report->down_reason.empty()) {
        why += ": " + report->down_reason;
      } else if (!report->stage.empty()) {
        why += ": " + report->stage;
      }
    }
    return error_answer(kRefused, why);
  }
  Done waiter(const std::string& tunnel, const std::string& what) {
    const int seconds = timeout();
    return asker_.later(std::chrono::seconds(seconds), [this_backend = &backend_, tunnel, seconds, what] {
      return late_text(*this_backend, tunnel, seconds, what);
    });
  }

  void up() {
    std::string tunnel;
    if (!has_tunnel(tunnel)) return;
    if (flag("wait", true)) return backend_.up(tunnel, waiter(tunnel, "not established"));
    // What is refused is so at once; all else goes on without us.
    const auto at_once = std::make_shared<std::optional<Outcome>>();
    backend_.up(tunnel, [at_once](const Outcome& outcome) { *at_once = outcome; });
    asker_.end(outcome_answer(*at_once ? **at_once : Outcome{Outcome::Code::done, "begun"}));
  }
  void down() {
    std::string tunnel;
    if (has_tunnel(tunnel)) backend_.down(tunnel, waiter(tunnel, "not down"));
  }
  void rekey() {
    std::string tunnel;
    if (!has_tunnel(tunnel)) return;
    const std::string child = text("child");
    if (flag("ike", false) && !child.empty()) return fail(kNoRequest, "either \"ike\" or \"child\"");
    const auto what = flag("ike", false) ? AdminBackend::RekeyWhat::ike
                      : child.empty()    ? AdminBackend::RekeyWhat::all_children
                                         : AdminBackend::RekeyWhat::child;
    backend_.rekey(tunnel, what, child, waiter(tunnel, "not renewed"));
  }

  static constexpr std::pair<std::string_view, Handler> kHandlers[] = {
      {"status", &Request::status},       {"show", &Request::show},
      {"show-port", &Request::show_port}, {"up", &Request::up},
      {"down", &Request::down},           {"rekey", &Request::rekey},
      {"counters", &Request::counters},   {"routes", &Request::routes},
      {"neighbors", &Request::neighbors}, {"log", &Request::log},
      {"console", &Request::console},     {"diagnose", &Request::diagnose},
      {"rehearse", &Request::rehearse},
  };

  Json json_;
  AdminBackend& backend_;
  Asker& asker_;
};

}  // namespace

void answer_request(std::string_view text, AdminBackend& backend, Asker& asker) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return asker.end(error_answer(kNoRequest, "a request is a line with one JSON object such as {\"cmd\":\"status\"}"));
  }
  Request(std::move(json), backend, asker).run();
}

std::string log_answer(const LogLine& line) { return to_line({{"ok", true}, {"line", log_json(line)}}); }

std::string outcome_answer(const Outcome& outcome) {
  if (outcome.code == Outcome::Code::done) return result_answer({{"text", outcome.text}});
  return error_answer(static_cast<int>(outcome.code), outcome.text);
}

std::string error_answer(int code, std::string_view text) {
  return to_line({{"ok", false}, {"code", code}, {"error", text}});
}

}  // namespace causeway::control

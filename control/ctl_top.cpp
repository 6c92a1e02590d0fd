#include "control/ctl_top.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <thread>

#include "control/admin_client.h"
#include "control/ctl_fields.h"
#include "control/ctl_table.h"

namespace causeway::control {
namespace {

constexpr int kDone = 0, kFailed = 1, kNoDaemon = 3;

struct Sum {
  std::uint64_t packets_in = 0, bytes_in = 0, packets_out = 0, bytes_out = 0;
};

// Of all children of one tunnel, each counted from zero where it went back.
Sum grown(const Json& before, const Json& after) {
  Sum sum;
  for (const Json& child : list_at(after, "children")) {
    const Json* old = nullptr;
    for (const Json& candidate : list_at(before, "children")) {
      if (text_at(candidate, "name") == text_at(child, "name")) old = &candidate;
    }
    const auto add = [&](const char* key, std::uint64_t& to) {
      const auto now = number_at(child, key).value_or(0);
      const auto then = old == nullptr ? now : number_at(*old, key).value_or(0);
      to += static_cast<std::uint64_t>(now >= then ? now - then : now);
    };
    add("packets_in", sum.packets_in);
    add("bytes_in", sum.bytes_in);
    add("packets_out", sum.packets_out);
    add("bytes_out", sum.bytes_out);
  }
  return sum;
}

std::string bits_text(std::int64_t per_second) {
  constexpr std::array kUnits = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"};
  auto value = static_cast<double>(per_second);
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

std::int64_t rate(std::uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<std::int64_t>(static_cast<double>(count) / seconds + 0.5) : 0;
}

}  // namespace

Json rates_json(const Json& before, const Json& after, double seconds) {
  Json tunnels = Json::array();
  for (const Json& tunnel : list_at(after, "tunnels")) {
    const std::string name = text_at(tunnel, "name");
    Json line = {{"name", name}, {"state", text_at(tunnel, "state")}};
    for (const Json& old : list_at(before, "tunnels")) {
      if (text_at(old, "name") != name) continue;
      const Sum sum = grown(old, tunnel);
      line["bits_in_s"] = rate(8 * sum.bytes_in, seconds);
      line["bits_out_s"] = rate(8 * sum.bytes_out, seconds);
      line["packets_in_s"] = rate(sum.packets_in, seconds);
      line["packets_out_s"] = rate(sum.packets_out, seconds);
    }
    tunnels.push_back(std::move(line));
  }
  return {{"interval_s", seconds}, {"tunnels", std::move(tunnels)}};
}

std::string rates_text(const Json& rates, bool colour) {
  Table table({"tunnel", "state", "in", "out", "packets in/s", "packets out/s"});
  for (const Json& tunnel : list_at(rates, "tunnels")) {
    const std::string state = text_at(tunnel, "state");
    const auto bits = [&](const char* key) {
      const auto value = number_at(tunnel, key);
      return Cell{value ? bits_text(*value) : "-", Paint::plain, true};
    };
    const auto count = [&](const char* key) {
      const auto value = number_at(tunnel, key);
      return Cell{value ? count_text(static_cast<std::uint64_t>(*value)) : "-", Paint::plain, true};
    };
    table.row({{text_at(tunnel, "name"), Paint::bold},
               {state, state == "established"  ? Paint::good
                       : state == "connecting" ? Paint::wait
                                               : Paint::bad},
               bits("bits_in_s"),
               bits("bits_out_s"),
               count("packets_in_s"),
               count("packets_out_s")});
  }
  return table.empty() ? "no tunnels are configured\n" : table.str(colour);
}

int run_top(const CtlCommand& command, bool colour) {
  using Clock = std::chrono::steady_clock;
  const auto fail = [&](int code, const std::string& text) {
    std::cerr << "causewayctl: " << printable(text) << std::endl;
    return code;
  };
  auto client = AdminClient::connect(command.socket);
  if (!client) return fail(kNoDaemon, client.error());
  const bool screen = !command.json && ::isatty(STDOUT_FILENO) == 1;
  Json before;
  Clock::time_point then{};
  for (int shown = 0; command.count == 0 || shown < command.count;) {
    if (!client->send(to_line({{"cmd", "status"}}))) return fail(kNoDaemon, "causewayd went away");
    const auto line = client->receive();
    if (!line) return fail(kNoDaemon, "causewayd went away");
    const Json answer = Json::parse(*line, nullptr, false);
    if (member(answer, "ok") != true) return fail(kFailed, "causewayd answered what is no answer");
    const auto now = Clock::now();
    if (!before.is_null()) {
      const Json rates =
          rates_json(before, member(answer, "result"), std::chrono::duration<double>(now - then).count());
      if (screen) std::cout << "\x1b[H\x1b[2J";
      std::cout << (command.json ? to_line(rates) + "\n" : rates_text(rates, colour) + (screen ? "" : "\n"))
                << std::flush;
      if (!std::cout) return kDone;  // whoever read it has left
      ++shown;
    }
    before = member(answer, "result");
    then = now;
    if (command.count != 0 && shown >= command.count) break;
    std::this_thread::sleep_for(std::chrono::seconds(command.interval));
  }
  return kDone;
}

}  // namespace causeway::control

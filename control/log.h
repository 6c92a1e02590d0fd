// The daemon's log: to stderr (a journal adds its own time), and the recent lines in memory for
// `causewayctl log`. Used by the control thread alone; never given a key.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/admin_backend.h"

namespace causeway::control {

enum class Level : std::uint8_t { debug, info, warning, error };

std::string_view level_name(Level level);
// "debug", "info", "warning", "error"; false for another word.
bool parse_level(std::string_view text, Level& out);

class Log {
 public:
  enum class To : std::uint8_t { standard_error, memory };  // memory: recent() alone
  explicit Log(Level level, To to = To::standard_error);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(Level level, std::string_view tunnel, std::string_view text);
  void debug(std::string_view text) { write(Level::debug, "", text); }
  void info(std::string_view text) { write(Level::info, "", text); }
  void warning(std::string_view text) { write(Level::warning, "", text); }
  void error(std::string_view text) { write(Level::error, "", text); }

  [[nodiscard]] std::vector<LogLine> recent() const { return {lines_.begin(), lines_.end()}; }  // oldest first
  [[nodiscard]] std::uint64_t written() const { return written_; }                              // lines since the start

 private:
  struct Sink;
  std::unique_ptr<Sink> sink_;
  Level level_;
  std::deque<LogLine> lines_;
  std::uint64_t written_ = 0;
};

}  // namespace causeway::control

#include "control/log.h"

#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <cstdlib>
#include <utility>

namespace causeway::control {

namespace {

constexpr std::size_t kKept = 2000;
constexpr std::array<std::string_view, 4> kNames{"debug", "info", "warning", "error"};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      break;
  }
  return spdlog::level::err;
}

}  // namespace

struct Log::Sink {
  explicit Sink(spdlog::logger l) : logger(std::move(l)) {}
  spdlog::logger logger;
};

std::string_view level_name(Level level) { return kNames[static_cast<std::size_t>(level)]; }

bool parse_level(std::string_view text, Level& out) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] != text) continue;
    out = static_cast<Level>(i);
    return true;
  }
  return false;
}

Log::Log(Level level, To to) : level_(level) {
  spdlog::sink_ptr sink;
  if (to == To::standard_error) {
    sink = std::make_shared<spdlog::sinks::stderr_color_sink_st>();
  } else {
    sink = std::make_shared<spdlog::sinks::null_sink_st>();
  }
  sink_ = std::make_unique<Sink>(spdlog::logger("causewayd", std::move(sink)));
  sink_->logger.set_level(to_spdlog(level));
  sink_->logger.flush_on(spdlog::level::debug);
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  sink_->logger.set_pattern(journal ? "%l: %v" : "%Y-%m-%d %H:%M:%S.%e %^%l%$: %v");
}

Log::~Log() = default;

void Log::write(Level level, std::string_view tunnel, std::string_view text) {
  if (level < level_) return;
  lines_.push_back(
      {std::chrono::system_clock::now(), std::string(level_name(level)), std::string(tunnel), std::string(text)});
  if (lines_.size() > kKept) lines_.pop_front();
  ++written_;
  if (tunnel.empty()) {
    sink_->logger.log(to_spdlog(level), "{}", text);
  } else {
    sink_->logger.log(to_spdlog(level), "{}: {}", tunnel, text);
  }
}

}  // namespace causeway::control

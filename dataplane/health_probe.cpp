#include "dataplane/health_probe.h"

#include <utility>

namespace causeway::dataplane {

std::optional<std::uint16_t> HealthProbe::tick(std::uint64_t now_ms, std::uint16_t& next_sequence) {
  if (now_ms < next_ms_) return std::nullopt;
  if (std::exchange(waiting_, true)) count(false);
  next_ms_ = now_ms + kEveryMs;
  return sequence_ = next_sequence++;
}

bool HealthProbe::answered(std::uint16_t sequence) {
  if (!waiting_ || sequence != sequence_) return false;
  waiting_ = false;
  count(true);
  return true;
}

void HealthProbe::count(bool answer) {
  if (!answers_ && answer) answers_ = true;
  if (answers_ == answer) {
    in_a_row_ = 0;
  } else if (++in_a_row_ == kInARow) {
    answers_ = answer;
    in_a_row_ = 0;
  }
}

std::optional<bool> HealthProbe::take_change() {
  if (answers_ == told_) return std::nullopt;
  told_ = answers_;
  return told_;
}

}  // namespace causeway::dataplane

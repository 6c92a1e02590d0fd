// Where a worker's cycles go, for the bench: one mark at the end of each stage of a burst. A worker without a
// clock pays one predicted branch a mark.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <x86intrin.h>

namespace causeway::dataplane {

enum class Stage : std::uint8_t { rx, classify, prepare, crypto, finish, tx };
inline constexpr std::size_t kStages = 6;

class StageClock {
 public:
  void start() { last_ = __rdtsc(); }
  void mark(Stage stage) {
    const std::uint64_t now = __rdtsc();
    cycles[static_cast<std::size_t>(stage)] += now - last_;
    last_ = now;
  }
  std::array<std::uint64_t, kStages> cycles{};  // since the reader last cleared them

 private:
  std::uint64_t last_ = 0;
};

inline void mark(StageClock* clock, Stage stage) {
  if (clock != nullptr) [[unlikely]]
    clock->mark(stage);
}

}  // namespace causeway::dataplane

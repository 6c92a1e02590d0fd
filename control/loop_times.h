// What the control thread has cost: processor time, which a busy machine does not blur.
#pragma once

#include <chrono>

namespace causeway::control {

struct LoopTimes {
  std::chrono::microseconds spent{0};    // since the loop began
  std::chrono::microseconds longest{0};  // one round of it: for as long every other tunnel waited
  std::chrono::microseconds round{0};    // the one under way, so far
};

}  // namespace causeway::control

// What the control thread has cost: processor time, which a busy machine does not blur.
#pragma once

#include <chrono>

namespace causeway::control {

struct LoopTimes {
  std::chrono::microseconds spent{0};    // since the loop began
  std::chrono::microseconds longest{0};  // one round of it: for as long every other tunnel waited
};

}  // namespace causeway::control

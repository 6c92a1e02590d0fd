// The control thread's loop: the only place that reads the real clock. Sleeps in epoll for a tick at most,
// sooner where a descriptor has something, and steps the controller.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>

#include "control/ike/effects.h"
#include "control/loop_times.h"

namespace causeway::control {

class MainLoop {
 public:
  MainLoop();
  ~MainLoop();
  MainLoop(const MainLoop&) = delete;
  MainLoop& operator=(const MainLoop&) = delete;

  // `ready` runs on this thread whenever `fd` is readable, until the loop ends. A descriptor without a
  // function only wakes the loop; it is read here (an eventfd).
  void watch(int fd, std::function<void()> ready = nullptr);
  // Calls `step` at each tick and after each descriptor's function, until it says false.
  void run(const std::function<bool(ike::Time now)>& step);

  // Milliseconds since one second before the loop was made: never zero, which means "never" elsewhere.
  [[nodiscard]] ike::Time now() const;
  [[nodiscard]] LoopTimes times() const;

 private:
  int epoll_ = -1, timer_ = -1;
  std::chrono::steady_clock::time_point origin_;
  std::map<int, std::function<void()>> watched_;
  std::chrono::microseconds round_began_{0};  // in processor time of this thread
  LoopTimes times_;
};

}  // namespace causeway::control

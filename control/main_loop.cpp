#include "control/main_loop.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace causeway::control {

namespace {

constexpr long kTickNanoseconds = 1'000'000;

std::chrono::microseconds thread_time() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::seconds(t.tv_sec) +
                                                               std::chrono::nanoseconds(t.tv_nsec));
}

void drain(int fd) {  // an eventfd or timerfd: eight octets say how often
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n = read(fd, &count, sizeof count);
}

}  // namespace

MainLoop::MainLoop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      origin_(std::chrono::steady_clock::now() - std::chrono::seconds(1)) {
  const itimerspec tick{{0, kTickNanoseconds}, {0, kTickNanoseconds}};
  if (epoll_ < 0 || timer_ < 0 || timerfd_settime(timer_, 0, &tick, nullptr) != 0) {
    throw std::system_error(errno, std::generic_category(), "control loop");
  }
  watch(timer_);
}

MainLoop::~MainLoop() {
  close(timer_);
  close(epoll_);
}

void MainLoop::watch(int fd, std::function<void()> ready) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  watched_[fd] = std::move(ready);
}

void MainLoop::run(const std::function<bool(ike::Time now)>& step) {
  std::array<epoll_event, 16> events{};
  round_began_ = thread_time();
  while (step(now())) {
    const auto spent = thread_time() - round_began_;
    round_began_ += spent;
    times_.spent += spent;
    times_.longest = std::max(times_.longest, spent);
    const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
    for (int i = 0; i < n; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      const auto& ready = watched_[fd];
      if (ready) {
        ready();
      } else {
        drain(fd);
      }
    }
  }
}

LoopTimes MainLoop::times() const {
  LoopTimes times = times_;
  times.round = thread_time() - round_began_;
  return times;
}

ike::Time MainLoop::now() const {
  return std::chrono::duration_cast<ike::Time>(std::chrono::steady_clock::now() - origin_);
}

}  // namespace causeway::control

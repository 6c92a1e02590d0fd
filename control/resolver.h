// Looks host names up without stalling the control thread: one helper thread that does nothing else.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "conf/address.h"

namespace causeway::control {

class Resolver {
 public:
  struct Answer {
    std::uint32_t tag = 0;  // as given to ask()
    std::optional<conf::IpAddress> address;
    std::string error;
  };

  Resolver();   // begins no thread before the first question
  ~Resolver();  // a lookup under way is waited for
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  void ask(std::uint32_t tag, std::string name, conf::Family family);
  [[nodiscard]] int event_fd() const { return event_; }  // readable where take() has something
  std::vector<Answer> take();

 private:
  struct Question {
    std::uint32_t tag;
    std::string name;
    conf::Family family;
  };
  void work();

  int event_ = -1;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Question> questions_;
  std::vector<Answer> answers_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace causeway::control

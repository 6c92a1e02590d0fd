#include "control/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

namespace causeway::control {

namespace {

Resolver::Answer look_up(std::uint32_t tag, const std::string& name, conf::Family family) {
  addrinfo hints{};
  hints.ai_family = family == conf::Family::v4 ? AF_INET : AF_INET6;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(name.c_str(), nullptr, &hints, &found);
  if (error != 0) return {tag, std::nullopt, gai_strerror(error)};
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* octets = family == conf::Family::v4
                           ? static_cast<const void*>(&reinterpret_cast<sockaddr_in*>(found->ai_addr)->sin_addr)
                           : static_cast<const void*>(&reinterpret_cast<sockaddr_in6*>(found->ai_addr)->sin6_addr);
  inet_ntop(hints.ai_family, octets, text.data(), text.size());
  freeaddrinfo(found);
  return {tag, conf::IpAddress::parse(text.data()), ""};
}

}  // namespace

Resolver::Resolver() : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

Resolver::~Resolver() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    questions_.clear();
  }
  ready_.notify_one();
  if (thread_.joinable()) thread_.join();
  close(event_);
}

void Resolver::ask(std::uint32_t tag, std::string name, conf::Family family) {
  const std::lock_guard lock(mutex_);
  questions_.push_back({tag, std::move(name), family});
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  ready_.notify_one();
}

std::vector<Resolver::Answer> Resolver::take() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n = read(event_, &count, sizeof count);
  const std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

void Resolver::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ready_.wait(lock, [this] { return ending_ || !questions_.empty(); });
    if (ending_) return;
    const Question question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    Answer answer = look_up(question.tag, question.name, question.family);
    lock.lock();
    answers_.push_back(std::move(answer));
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = write(event_, &one, sizeof one);
  }
}

}  // namespace causeway::control

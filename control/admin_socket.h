// The listening end of the admin socket: made so that exactly one live daemon owns a path.
#pragma once

#include <sys/types.h>

#include <string>
#include <tl/expected.hpp>

namespace causeway::control {

// A file descriptor that closes itself.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.release()) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_ = -1;
};

class AdminSocket {
 public:
  // Makes the directory (0755) where it is missing, replaces what a dead daemon left, and refuses where a
  // live one answers: one sentence with the cure. Takes "<path>.lock" for as long as it lives, so that two
  // daemons never both believe a socket stale. Opened before any port is touched, so that a second daemon
  // ends before it disturbs the first.
  static tl::expected<AdminSocket, std::string> open(const std::string& path);
  AdminSocket(AdminSocket&& other) noexcept = default;
  AdminSocket& operator=(AdminSocket&&) = delete;
  ~AdminSocket();  // removes the socket file, unless somebody put another in its place

  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  AdminSocket() = default;

  std::string path_;
  OwnedFd lock_, socket_;  // no lock: moved from, or never opened
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace causeway::control

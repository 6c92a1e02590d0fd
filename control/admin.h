// The admin socket: a unix socket, mode 0600, that takes one JSON object a line and answers in lines
// (README, "JSON"). Runs on the control thread and never blocks: a client that does not read is dropped.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "control/admin_backend.h"

namespace causeway::control {

// A listening socket, removed from the file system when released. Opened before any port is touched, so
// that a second daemon ends before it disturbs the first.
class AdminSocket {
 public:
  // Makes the directory where it is missing. The error is one sentence: another causewayd answers there
  // (with its process id), or the path cannot be used. What a dead daemon left behind is replaced.
  static tl::expected<AdminSocket, std::string> open(const std::string& path);
  AdminSocket(AdminSocket&& other) noexcept;
  AdminSocket& operator=(AdminSocket&& other) noexcept;
  ~AdminSocket();

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  AdminSocket(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_ = -1;
  std::string path_;
};

class AdminServer {
 public:
  AdminServer(AdminSocket socket, AdminBackend& backend);  // the backend outlives it
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // An epoll descriptor of its own: readable where poll() has something to do.
  [[nodiscard]] int fd() const;
  // Serves whoever waits, and ends what is due (time-outs, followed logs). Also called at each tick: cheap
  // where nothing is to be done. `now`: milliseconds of the control thread's clock.
  void poll(std::chrono::milliseconds now);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway::control

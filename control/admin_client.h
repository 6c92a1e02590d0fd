// The asking end of the admin socket, as causewayctl uses it. Blocks.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "control/admin_socket.h"

namespace causeway::control {

class AdminClient {
 public:
  // The error is one sentence: there is no daemon, or it may not be asked.
  static tl::expected<AdminClient, std::string> connect(const std::string& path);

  // One request, without its line break. False where the daemon has gone.
  bool send(std::string_view request);
  // One line of an answer, without its line break; nothing where the daemon has gone.
  std::optional<std::string> receive();

 private:
  explicit AdminClient(OwnedFd fd) : fd_(std::move(fd)) {}

  OwnedFd fd_;
  std::string buffer_;
};

}  // namespace causeway::control

#include "control/admin_client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace causeway::control {

tl::expected<AdminClient, std::string> AdminClient::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return tl::unexpected("no socket has such a path: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.valid() && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return AdminClient(std::move(fd));
  }
  const int error = errno;
  if (error == ENOENT || error == ECONNREFUSED) {
    return tl::unexpected("no causewayd answers on " + path + ": is it running, and is this its socket (--socket)?");
  }
  if (error == EACCES || error == EPERM) return tl::unexpected("may not use " + path + ": root may");
  return tl::unexpected("cannot use " + path + ": " + std::strerror(error));
}

bool AdminClient::send(std::string_view request) {
  std::string text(request);
  text += '\n';
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t put = ::send(fd_.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    sent += static_cast<std::size_t>(put);
  }
  return true;
}

std::optional<std::string> AdminClient::receive() {
  while (true) {
    if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    std::array<char, 16384> piece;
    const ssize_t got = ::recv(fd_.get(), piece.data(), piece.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    buffer_.append(piece.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace causeway::control

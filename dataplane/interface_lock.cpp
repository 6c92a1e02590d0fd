#include "dataplane/interface_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace causeway::dataplane {
namespace {

constexpr const char* kFolder = "/run/causeway";

}  // namespace

tl::expected<InterfaceLock, std::string> InterfaceLock::take(const std::string& interface) {
  struct stat space {};
  if (::stat("/proc/self/ns/net", &space) != 0) return tl::unexpected(std::string("/proc is not there"));
  ::mkdir(kFolder, 0755);  // most often there already
  const std::string file = std::string(kFolder) + "/" + std::to_string(space.st_ino) + "-" + interface + ".lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return tl::unexpected(file + ": " + std::strerror(errno));
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return InterfaceLock(fd);
  const int error = errno;
  ::close(fd);
  return tl::unexpected(
      error == EWOULDBLOCK ? "another causewayd uses the interface " + interface : file + ": " + std::strerror(error));
}

InterfaceLock::~InterfaceLock() {
  if (fd_ >= 0) ::close(fd_);
}

InterfaceLock::InterfaceLock(InterfaceLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

InterfaceLock& InterfaceLock::operator=(InterfaceLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

}  // namespace causeway::dataplane

#include "control/admin_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace causeway::control {
namespace {

using Error = tl::unexpected<std::string>;

std::string reason(const std::string& what) { return what + ": " + std::strerror(errno); }

bool same_file(int fd, const std::string& path) {
  struct stat open {
  }, named{};
  return ::fstat(fd, &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_dev == named.st_dev &&
         open.st_ino == named.st_ino;
}

// An invalid descriptor where another process holds the lock.
tl::expected<OwnedFd, std::string> take_lock(const std::string& path) {
  while (true) {
    OwnedFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.valid()) return Error(reason("cannot create " + path));
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return OwnedFd();
      return Error(reason("cannot lock " + path));
    }
    // Its holder may have removed it on leaving, between our open and our lock: then lock what is there now.
    if (same_file(lock.get(), path)) return lock;
  }
}

bool fill(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.data(), path.size());
  return true;
}

bool somebody_answers(const sockaddr_un& address) {
  const OwnedFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return false;
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
  return errno == EAGAIN || errno == EINPROGRESS;  // alive, with a full backlog
}

tl::expected<void, std::string> make_directory(const std::string& path) {
  const auto directory = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (directory.empty() || std::filesystem::exists(directory, error)) return {};
  if (!std::filesystem::create_directories(directory, error) && error) {
    return Error("cannot create " + directory.string() + " for the admin socket: " + error.message());
  }
  using std::filesystem::perms;
  const auto mode = perms::owner_all | perms::group_read | perms::group_exec | perms::others_read | perms::others_exec;
  std::filesystem::permissions(directory, mode, error);
  return {};
}

// Leaves `path` free to bind to, or says why it is not.
tl::expected<void, std::string> clear_the_way(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) return Error(path + " exists and is not a socket: move it, or name another socket");
  if (somebody_answers(address)) return Error("another causewayd already answers on " + path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return Error(reason("cannot remove the stale socket " + path));
  return {};
}

}  // namespace

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) ::close(fd_);
}

tl::expected<AdminSocket, std::string> AdminSocket::open(const std::string& path) {
  sockaddr_un address{};
  if (!fill(path, address)) return Error("the admin socket's path is longer than a socket's may be: " + path);
  if (auto made = make_directory(path); !made) return Error(made.error());
  auto lock = take_lock(path + ".lock");
  if (!lock) return Error(lock.error());
  if (!lock->valid()) return Error("another causewayd already runs with the socket " + path);
  if (auto clear = clear_the_way(path, address); !clear) return Error(clear.error());

  AdminSocket result;
  result.lock_ = std::move(*lock);
  result.socket_ = OwnedFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = result.socket_.get();
  if (fd < 0) return Error(reason("cannot make the admin socket"));
  // Before bind, so that the file is never there with a wider mode.
  if (::fchmod(fd, 0600) != 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::listen(fd, 16) != 0) {
    return Error(reason("cannot make the admin socket " + path));
  }
  struct stat made {};
  if (::lstat(path.c_str(), &made) != 0) return Error(reason("cannot find the admin socket " + path));
  result.path_ = path;
  result.device_ = made.st_dev;
  result.inode_ = made.st_ino;
  return result;
}

AdminSocket::~AdminSocket() {
  if (!lock_.valid()) return;
  struct stat found {};
  if (!path_.empty() && ::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
  // Still locked: whoever opened it meanwhile finds it gone after locking and starts again.
  if (!path_.empty()) ::unlink((path_ + ".lock").c_str());
}

}  // namespace causeway::control

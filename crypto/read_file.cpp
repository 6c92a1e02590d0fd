#include "crypto/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace causeway::crypto {
namespace {

constexpr off_t kLargest = 1 << 20;

struct Descriptor {
  int fd;
  explicit Descriptor(const std::string& path) : fd(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

tl::expected<Secret, std::string> read_file(const std::string& path, bool secret) {
  const Descriptor file(path);
  struct stat info {};
  if (file.fd < 0 || fstat(file.fd, &info) != 0)
    return tl::unexpected("cannot read " + path + ": " + std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return tl::unexpected(path + " is not a file");
  if (info.st_size > kLargest) return tl::unexpected(path + " is too large to hold keys or certificates");
  if (secret && (info.st_mode & S_IROTH) != 0)
    return tl::unexpected("everybody may read the private key " + path + ": chmod 600 " + path);
  Secret out(static_cast<std::size_t>(info.st_size));
  std::size_t have = 0;
  while (have < out.size()) {
    const ssize_t n = read(file.fd, out.bytes().data() + have, out.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected("cannot read " + path + ": " + std::strerror(errno));
    if (n == 0) return tl::unexpected(path + " changed while it was read");
    have += static_cast<std::size_t>(n);
  }
  return out;
}

}  // namespace causeway::crypto

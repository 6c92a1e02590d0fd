#include "control/admin_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "test/conf/conf_text.h"
#include "test/control/admin_fakes.h"
#include "test/support/catch.h"

using causeway::conf::testing::TempDir;
using causeway::control::AdminSocket;
using causeway::control::testing::open_descriptors;
using causeway::control::testing::TestClient;

namespace {

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

bool exists(const std::string& path) { return std::filesystem::exists(path); }

// A socket file that nobody listens on, as a killed daemon leaves it.
void leave_stale(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::close(fd);
}

}  // namespace

TEST_CASE("the socket is its owner's alone, in a directory made where it was missing, and goes with its daemon") {
  const TempDir dir;
  const std::string path = dir.file("run/causeway/c.sock");
  {
    const auto socket = AdminSocket::open(path);
    REQUIRE(socket);
    CHECK(mode_of(path) == 0600);
    CHECK(mode_of(dir.file("run/causeway")) == 0755);
    const TestClient client(path);
  }
  CHECK_FALSE(exists(path));
  CHECK_FALSE(exists(path + ".lock"));
}

TEST_CASE("the socket's mode does not depend on the umask") {
  const TempDir dir;
  const mode_t before = ::umask(0);
  const auto socket = AdminSocket::open(dir.file("c.sock"));
  ::umask(before);
  REQUIRE(socket);
  CHECK(mode_of(dir.file("c.sock")) == 0600);
}

TEST_CASE("a second daemon on the same socket is refused, and the first goes on") {
  const TempDir dir;
  const std::string path = dir.file("c.sock");
  const auto first = AdminSocket::open(path);
  REQUIRE(first);
  const std::size_t before = open_descriptors();
  const auto second = AdminSocket::open(path);
  REQUIRE_FALSE(second);
  CHECK(second.error() == "another causewayd already runs with the socket " + path);
  CHECK(open_descriptors() == before);
  CHECK(exists(path));
  const TestClient client(path);
}

TEST_CASE("a live socket without a lock is respected too") {
  const TempDir dir;
  const std::string path = dir.file("c.sock");
  const auto first = AdminSocket::open(path);
  REQUIRE(first);
  std::filesystem::remove(path + ".lock");
  const auto second = AdminSocket::open(path);
  REQUIRE_FALSE(second);
  CHECK(second.error() == "another causewayd already answers on " + path);
}

TEST_CASE("a stale socket is replaced") {
  const TempDir dir;
  const std::string path = dir.file("c.sock");
  leave_stale(path);
  std::ofstream(path + ".lock") << "";  // and a lock that nobody holds
  const auto socket = AdminSocket::open(path);
  REQUIRE(socket);
  const TestClient client(path);
}

TEST_CASE("what is no socket is left alone, with one clear error") {
  const TempDir dir;
  const std::string path = dir.write("c.sock", "precious", std::filesystem::perms::owner_read);
  const auto socket = AdminSocket::open(path);
  REQUIRE_FALSE(socket);
  CHECK(socket.error().find("is not a socket") != std::string::npos);
  CHECK(exists(path));
}

TEST_CASE("a socket that another daemon put in the place of ours is not removed") {
  const TempDir dir;
  const std::string path = dir.file("c.sock");
  {
    const auto socket = AdminSocket::open(path);
    REQUIRE(socket);
    std::filesystem::remove(path);
    leave_stale(path);
  }
  CHECK(exists(path));
}

TEST_CASE("paths that cannot be used are one clear error") {
  const TempDir dir;
  CHECK(AdminSocket::open(dir.file(std::string(200, 'x'))).error().find("longer than a socket's may be") !=
        std::string::npos);
  dir.write("file", "", std::filesystem::perms::owner_read);
  CHECK_FALSE(AdminSocket::open(dir.file("file/c.sock")));
  CHECK_FALSE(AdminSocket::open(""));
}

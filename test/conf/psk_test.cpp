#include "conf/psk.h"

#include <sys/stat.h>

#include "test/conf/conf_text.h"
#include "test/support/catch.h"

using causeway::conf::parse_psk;
using causeway::conf::Psk;
using causeway::conf::read_psk;
using causeway::conf::testing::TempDir;

namespace {

auto parse(std::string_view text) {
  return parse_psk({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::string key_of(std::string_view text) {
  const auto psk = parse(text);
  REQUIRE(psk);
  return {psk->octets.bytes().begin(), psk->octets.bytes().end()};
}

}  // namespace

TEST_CASE("one trailing newline is not part of a PSK, everything else is") {
  CHECK(key_of("secret") == "secret");
  CHECK(key_of("secret\n") == "secret");
  CHECK(key_of("secret\n\n") == "secret\n");
  CHECK(key_of(" secret \n") == " secret ");
  CHECK(key_of("secret\r\n") == "secret\r");
  CHECK_FALSE(parse(""));
  CHECK_FALSE(parse("\n"));
}

TEST_CASE("0x is hexadecimal and 0s is base64 (RFC 4648 10)") {
  CHECK(key_of("0x414243\n") == "ABC");
  CHECK(key_of("0X4a4B") == "JK");
  CHECK(key_of("0sZg==") == "f");
  CHECK(key_of("0sZm8=") == "fo");
  CHECK(key_of("0sZm9v") == "foo");
  CHECK(key_of("0sZm9vYg==\n") == "foob");
  CHECK(key_of("0sZm9vYmE") == "fooba");
  CHECK(key_of("0sZm9vYmFy") == "foobar");
  CHECK(key_of("00secret") == "00secret");
  for (const char* bad :
       {"0x", "0x4", "0x4g", "0x41 42", "0s", "0sZ", "0sZg=", "0sZm9v=", "0s====", "0sZh==", "0sZm 9v", "0sZg==\n\n"}) {
    INFO(bad);
    CHECK_FALSE(parse(bad));
  }
}

TEST_CASE("weak PSKs are warned of, good ones are not, and no warning quotes the key") {
  for (const char* weak : {"secret", "123456789012345", "aaaaaaaaaaaaaaaaaaaaaaaa", "abababababababababababab",
                           "0x0000000000000000000000000000000000000000"}) {
    INFO(weak);
    const auto psk = parse(weak);
    REQUIRE(psk);
    REQUIRE_FALSE(psk->warnings.empty());
    CHECK(psk->warnings[0].find("weak") != std::string::npos);
    CHECK(psk->warnings[0].find(weak) == std::string::npos);
  }
  for (const char* good : {"J9tKq2mZ8vXw4LrB7nYc1PdF6sGh3QaE", "0x8f1c2a9b7e4d3f60517283a4b5c6d7e8",
                           "0sPGdTYlvBhrDoj7QJcgp8Zn3mOKePOYLvqSrpV+kYdEM="}) {
    INFO(good);
    CHECK(parse(good)->warnings.empty());
  }
  CHECK(parse("J9tKq2mZ8vXw4LrB7nYc1PdF6sGh3QaE \n")->warnings.size() == 1);
}

TEST_CASE("a PSK file that others can read or write, is no file or is too large is refused") {
  const TempDir dir;
  using std::filesystem::perms;
  const auto owner = perms::owner_read | perms::owner_write;
  CHECK(read_psk(dir.write("good", "secret\n", owner)));
  CHECK(read_psk(dir.write("group", "secret\n", owner | perms::group_read)));
  CHECK(read_psk(dir.write("read", "secret\n", owner | perms::others_read)).error().find("read by everybody") !=
        std::string::npos);
  CHECK(read_psk(dir.write("write", "secret\n", owner | perms::others_write)).error().find("written by everybody") !=
        std::string::npos);
  CHECK(read_psk(dir.write("empty", "", owner)).error().find("holds no key") != std::string::npos);
  CHECK(read_psk(dir.write("large", std::string(4097, 'x'), owner)).error().find("larger than a key") !=
        std::string::npos);
  CHECK(read_psk(dir.write("full", std::string(4096, 'x'), owner)));
  CHECK(read_psk(dir.file("")).error().find("not a regular file") != std::string::npos);
  CHECK(read_psk(dir.file("none")).error().find("No such file") != std::string::npos);
  REQUIRE(::mkfifo(dir.file("fifo").c_str(), 0600) == 0);
  CHECK(read_psk(dir.file("fifo")).error().find("not a regular file") != std::string::npos);
}

TEST_CASE("every truncation and every changed octet of a PSK is a key or a reason") {
  for (const std::string text : {"0x8f1c2a9b7e4d3f60\n", "0sPGdTYlvBhrDoj7QJ\n", "plain text\n"}) {
    for (std::size_t length = 0; length <= text.size(); ++length) {
      const auto psk = parse(text.substr(0, length));
      CHECK((psk ? !psk->octets.bytes().empty() : !psk.error().empty()));
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
      for (int value = 0; value < 256; ++value) {
        std::string mutated = text;
        mutated[i] = static_cast<char>(value);
        const auto psk = parse(mutated);
        REQUIRE((psk ? !psk->octets.bytes().empty() : !psk.error().empty()));
      }
    }
  }
}

#include "conf/psk.h"

#include <fcntl.h>
#include <string.h>  // explicit_bzero
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <optional>

#include "conf/values.h"

namespace causeway::conf {
namespace {

using Error = tl::unexpected<std::string>;
using Octets = std::span<const std::uint8_t>;

constexpr std::size_t kLargest = 4096;  // octets of the file

int hex_value(std::uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int base64_value(std::uint8_t c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

// Reserved before it is filled, so that no part of a key stays behind in a buffer that grew.
std::vector<std::uint8_t> reserved(std::size_t size) {
  std::vector<std::uint8_t> octets;
  octets.reserve(size);
  return octets;
}

std::optional<WipedOctets> from_hex(Octets digits) {
  if (digits.empty() || digits.size() % 2 != 0) return std::nullopt;
  WipedOctets out(std::vector<std::uint8_t>(digits.size() / 2));
  for (std::size_t i = 0; i < out.bytes().size(); ++i) {
    const int high = hex_value(digits[2 * i]), low = hex_value(digits[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.bytes()[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return out;
}

// RFC 4648 4; the padding may be left out.
std::optional<WipedOctets> from_base64(Octets text) {
  std::size_t padding = 0;
  while (!text.empty() && text.back() == '=' && padding < 2) {
    text = text.first(text.size() - 1);
    ++padding;
  }
  const std::size_t rest = text.size() % 4;
  if (text.empty() || rest == 1 || (padding != 0 && (rest + padding) % 4 != 0)) return std::nullopt;
  WipedOctets out(std::vector<std::uint8_t>(text.size() * 3 / 4));
  std::uint32_t bits = 0;
  int held = 0;
  std::size_t filled = 0;
  for (const std::uint8_t c : text) {
    const int value = base64_value(c);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out.bytes()[filled++] = static_cast<std::uint8_t>(bits >> held);
    }
  }
  if ((bits & ((1U << held) - 1)) != 0) return std::nullopt;  // bits that belong to no octet
  return out;
}

WipedOctets copy_of(Octets octets) {
  auto copy = reserved(octets.size());
  copy.assign(octets.begin(), octets.end());
  return WipedOctets(std::move(copy));
}

// How many different octets there are, and Shannon's entropy over their frequencies times the length:
// no measure of a key's origin, but what is below the bar is guessable for sure.
void judge(Octets key, std::vector<std::string>& warnings) {
  constexpr double kEnoughBits = 48;
  constexpr std::size_t kEnoughOctets = 16;
  if (key.size() < kEnoughOctets) {
    warnings.push_back("the key is weak: " + std::to_string(key.size()) +
                       " octets, and 16 or more are wanted; try: openssl rand -base64 32");
    return;
  }
  std::array<std::size_t, 256> counts{};
  for (const std::uint8_t octet : key) ++counts[octet];
  double bits = 0;
  for (const std::size_t count : counts) {
    if (count == 0) continue;
    const double share = static_cast<double>(count) / static_cast<double>(key.size());
    bits -= static_cast<double>(count) * std::log2(share);
  }
  if (bits < kEnoughBits) {
    warnings.push_back("the key is weak: it repeats itself; try: openssl rand -base64 32");
  }
}

struct Descriptor {
  int fd;
  explicit Descriptor(int opened) : fd(opened) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

WipedOctets& WipedOctets::operator=(WipedOctets&& other) noexcept {
  if (this != &other) {
    wipe();
    octets_ = std::move(other.octets_);
    other.octets_.clear();
  }
  return *this;
}

void WipedOctets::wipe() noexcept {
  if (!octets_.empty()) explicit_bzero(octets_.data(), octets_.size());
}

tl::expected<Psk, std::string> parse_psk(std::span<const std::uint8_t> contents) {
  if (!contents.empty() && contents.back() == '\n') contents = contents.first(contents.size() - 1);
  if (contents.empty()) return Error("holds no key");
  Psk psk;
  const bool marked = contents.size() >= 2 && contents[0] == '0';
  if (marked && (contents[1] == 'x' || contents[1] == 'X')) {
    auto key = from_hex(contents.subspan(2));
    if (!key) return Error("begins with 0x, but an even number of hexadecimal digits does not follow");
    psk.octets = std::move(*key);
  } else if (marked && (contents[1] == 's' || contents[1] == 'S')) {
    auto key = from_base64(contents.subspan(2));
    if (!key) return Error("begins with 0s, but base64 does not follow");
    psk.octets = std::move(*key);
  } else {
    psk.octets = copy_of(contents);
    const std::uint8_t last = contents.back();
    if (last == '\n' || last == '\r' || last == ' ' || last == '\t') {
      psk.warnings.emplace_back("the key ends in white space (only one newline is left out); the peer's must too");
    }
  }
  judge(psk.octets.bytes(), psk.warnings);
  return psk;
}

tl::expected<Psk, std::string> read_psk(const std::string& path) {
  const auto failed = [&](const std::string& why) { return Error(in_quotes(path) + " " + why); };
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.fd < 0) return failed(std::string("cannot be read: ") + std::strerror(errno));
  struct stat status {};
  if (::fstat(file.fd, &status) != 0 || !S_ISREG(status.st_mode)) return failed("is not a regular file");
  if ((status.st_mode & S_IROTH) != 0)
    return failed("can be read by everybody; chmod 600 it, and consider the key known");
  if ((status.st_mode & S_IWOTH) != 0) return failed("can be written by everybody; chmod 600 it");
  WipedOctets contents(std::vector<std::uint8_t>(kLargest + 1));
  std::size_t filled = 0;
  while (filled < contents.bytes().size()) {
    const ssize_t got = ::read(file.fd, contents.bytes().data() + filled, contents.bytes().size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(std::string("cannot be read: ") + std::strerror(errno));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  if (filled > kLargest) return failed("is larger than a key: more than 4096 octets");
  auto psk = parse_psk(contents.bytes().first(filled));
  if (!psk) return failed(psk.error());
  return psk;
}

}  // namespace causeway::conf

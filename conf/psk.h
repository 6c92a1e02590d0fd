// Pre-shared keys from files, never from the configuration itself.
//
// A file holds the key as text, as "0x" and hexadecimal digits, or as "0s" and base64 (RFC 4648 4). One
// trailing newline is not part of the key. A file that others can read or write is refused.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace causeway::conf {

// Octets that are wiped when released. Movable, not copyable: whoever keeps them takes the only copy
// (or copies bytes() into a type of its own that wipes too).
class WipedOctets {
 public:
  WipedOctets() = default;
  explicit WipedOctets(std::vector<std::uint8_t> octets) : octets_(std::move(octets)) {}
  WipedOctets(WipedOctets&& other) noexcept { octets_.swap(other.octets_); }
  WipedOctets& operator=(WipedOctets&& other) noexcept;
  WipedOctets(const WipedOctets&) = delete;
  WipedOctets& operator=(const WipedOctets&) = delete;
  ~WipedOctets() { wipe(); }

  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return octets_; }
  [[nodiscard]] std::span<std::uint8_t> bytes() { return octets_; }

 private:
  void wipe() noexcept;
  std::vector<std::uint8_t> octets_;
};

struct Psk {
  WipedOctets octets;                 // never empty
  std::vector<std::string> warnings;  // why it is weak or odd; does not quote the key
};

// The error is one sentence that names the file, never its contents.
tl::expected<Psk, std::string> read_psk(const std::string& path);

// The decoding alone, of a file's contents.
tl::expected<Psk, std::string> parse_psk(std::span<const std::uint8_t> contents);

}  // namespace causeway::conf

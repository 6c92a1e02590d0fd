// Octets written as hexadecimal text in tests: spaces and line ends do not count.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::test {

inline std::vector<std::uint8_t> octets(std::string_view hex) {
  std::vector<std::uint8_t> out;
  int high = -1;
  for (const char c : hex) {
    if (c == ' ' || c == '\n') continue;
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) throw std::invalid_argument("not hexadecimal: " + std::string(hex));
    if (high < 0) {
      high = digit;
    } else {
      out.push_back(static_cast<std::uint8_t>(high << 4 | digit));
      high = -1;
    }
  }
  if (high >= 0) throw std::invalid_argument("an odd digit: " + std::string(hex));
  return out;
}

inline std::vector<std::uint8_t> text_octets(std::string_view text) { return {text.begin(), text.end()}; }

inline std::string to_hex(std::span<const std::uint8_t> v) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t o : v) {
    out += kDigits[o >> 4];
    out += kDigits[o & 15];
  }
  return out;
}

}  // namespace causeway::test

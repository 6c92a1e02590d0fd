// Small helpers for text that came from a peer or a configuration: ASCII only, independent of the locale.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "control/ike/bytes.h"

namespace causeway::ike {

inline std::string_view as_text(ByteView octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}
inline ByteView as_octets(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
inline bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
inline bool equal_without_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

inline std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// For reasons and logs: what a peer sent may be as long as a datagram.
std::string shortened(std::string text, std::size_t limit = 400);

std::string hex(ByteView octets);                      // "0a0b"
std::optional<Bytes> from_hex(std::string_view text);  // colons between octets are allowed

}  // namespace causeway::ike

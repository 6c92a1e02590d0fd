#include "control/ike/text.h"

namespace causeway::ike {
namespace {

std::optional<std::uint8_t> digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (lower(c) >= 'a' && lower(c) <= 'f') return static_cast<std::uint8_t>(lower(c) - 'a' + 10);
  return std::nullopt;
}

}  // namespace

std::string shortened(std::string text, std::size_t limit) {
  if (text.size() > limit) {
    text.resize(limit);
    text += "...";
  }
  return text;
}

std::string hex(ByteView octets) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t o : octets) {
    text += kDigits[o >> 4];
    text += kDigits[o & 15];
  }
  return text;
}

std::optional<Bytes> from_hex(std::string_view text) {
  Bytes out;
  while (!text.empty()) {
    if (!out.empty() && text.front() == ':') text.remove_prefix(1);
    if (text.size() < 2) return std::nullopt;
    const auto high = digit(text[0]), low = digit(text[1]);
    if (!high || !low) return std::nullopt;
    out.push_back(static_cast<std::uint8_t>(*high << 4 | *low));
    text.remove_prefix(2);
  }
  return out;
}

}  // namespace causeway::ike

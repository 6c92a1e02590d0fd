// What every fuzz target stands on: octets read as choices, and a check that ends the process.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::fuzz {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

// A property that any input must keep. libFuzzer takes the abort as a find, and keeps the input.
inline void must(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: broken: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

// The input as a stream of choices; behind its end everything is zero, so that a prefix of an input is an input.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data, size) {}
  explicit Input(ByteView data) : data_(data) {}

  std::uint8_t u8() {
    if (data_.empty()) return 0;
    const std::uint8_t value = data_[0];
    data_ = data_.subspan(1);
    return value;
  }
  std::uint16_t u16() {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  bool flag() { return (u8() & 1) != 0; }
  ByteView take(std::size_t n) {
    const ByteView out = data_.first(std::min(n, data_.size()));
    data_ = data_.subspan(out.size());
    return out;
  }
  Bytes bytes(std::size_t n) {
    const ByteView view = take(n);
    return {view.begin(), view.end()};
  }
  // Octets with their own length in front: one octet, or two where it is 255.
  Bytes string() {
    const std::size_t n = u8();
    return bytes(n == 255 ? u16() : n);
  }
  [[nodiscard]] ByteView rest() { return take(data_.size()); }
  [[nodiscard]] bool empty() const { return data_.empty(); }
  [[nodiscard]] std::size_t left() const { return data_.size(); }

 private:
  ByteView data_;
};

inline std::string_view text(ByteView v) { return {reinterpret_cast<const char*>(v.data()), v.size()}; }

}  // namespace causeway::fuzz

// Reading and writing network-order octets with bounds that cannot be forgotten.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace causeway::ike {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline Bytes to_bytes(ByteView v) { return Bytes(v.begin(), v.end()); }

// Walks over octets it does not own. Reading past the end gives zeros or an empty view and makes ok()
// false for good, so that a parser may read all its fields first and ask once.
class Reader {
 public:
  explicit Reader(ByteView data) : data_(data) {}

  std::uint8_t u8() {
    const ByteView v = take(1);
    return v.empty() ? std::uint8_t{0} : v[0];
  }
  std::uint16_t be16() { return static_cast<std::uint16_t>(big_endian(2)); }
  std::uint32_t be32() { return static_cast<std::uint32_t>(big_endian(4)); }
  std::uint64_t be64() { return big_endian(8); }

  ByteView take(std::size_t n) {
    if (!ok_ || n > data_.size()) {
      ok_ = false;
      return {};
    }
    const ByteView v = data_.first(n);
    data_ = data_.subspan(n);
    return v;
  }
  void skip(std::size_t n) { take(n); }
  ByteView rest() { return take(ok_ ? data_.size() : 0); }
  // A reader of the next n octets alone; one that failed already where there are fewer.
  Reader sub(std::size_t n) {
    Reader r(take(n));
    r.ok_ = ok_;
    return r;
  }

  [[nodiscard]] std::size_t left() const { return ok_ ? data_.size() : 0; }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return ok_ && data_.empty(); }  // everything was read, and nothing too much

 private:
  std::uint64_t big_endian(std::size_t n) {
    std::uint64_t value = 0;
    for (const std::uint8_t o : take(n)) value = value << 8 | o;
    return value;
  }

  ByteView data_;
  bool ok_ = true;
};

// Appends to a vector it owns. Each width takes exactly its own type: an int where a be16 belongs does
// not compile, so that no length is cut off silently.
class Writer {
 public:
  Writer() = default;
  explicit Writer(Bytes begin) : out_(std::move(begin)) {}

  void u8(std::same_as<std::uint8_t> auto v) { out_.push_back(v); }
  void be16(std::same_as<std::uint16_t> auto v) { big_endian(v, 2); }
  void be32(std::same_as<std::uint32_t> auto v) { big_endian(v, 4); }
  void be64(std::same_as<std::uint64_t> auto v) { big_endian(v, 8); }
  void bytes(ByteView v) { out_.insert(out_.end(), v.begin(), v.end()); }
  void zeros(std::size_t n) { out_.resize(out_.size() + n); }

  // Overwrites what was written at `position` before: lengths that are known only at the end.
  void patch_u8(std::size_t position, std::same_as<std::uint8_t> auto v) { out_.at(position) = v; }
  void patch_be16(std::size_t position, std::same_as<std::uint16_t> auto v) {
    out_.at(position) = static_cast<std::uint8_t>(v >> 8);
    out_.at(position + 1) = static_cast<std::uint8_t>(v);
  }
  void patch_be32(std::size_t position, std::same_as<std::uint32_t> auto v) {
    patch_be16(position, static_cast<std::uint16_t>(v >> 16));
    patch_be16(position + 2, static_cast<std::uint16_t>(v));
  }

  [[nodiscard]] std::size_t size() const { return out_.size(); }
  [[nodiscard]] ByteView view() const { return out_; }
  Bytes take() { return std::move(out_); }

 private:
  void big_endian(std::uint64_t v, unsigned octets) {
    for (unsigned i = octets; i-- > 0;) out_.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
  }

  Bytes out_;
};

}  // namespace causeway::ike

// Octets that must not outlive their use: wiped when released, locked in memory where the system
// allows it, never written to a log or a core dump (MADV_DONTDUMP), compared in constant time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace causeway::crypto {

// Overwrites so that the compiler cannot leave it out.
void wipe(std::span<std::uint8_t> octets) noexcept;

// True where both are equal; the time depends on the lengths alone.
bool equal_constant_time(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept;

// An owned, wiped octet string. Copyable on purpose (an SA and its IKE SA may both need a key);
// every copy is wiped. Never printable.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::size_t size);
  explicit Secret(std::span<const std::uint8_t> octets);
  Secret(const Secret&);
  Secret(Secret&&) noexcept;
  Secret& operator=(const Secret&);
  Secret& operator=(Secret&&) noexcept;
  ~Secret();

  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
  [[nodiscard]] std::span<std::uint8_t> bytes() { return {data_, size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] Secret slice(std::size_t offset, std::size_t length) const;
  void append(std::span<const std::uint8_t> octets);

  friend bool operator==(const Secret& a, const Secret& b) { return equal_constant_time(a.bytes(), b.bytes()); }

 private:
  std::uint8_t* data_ = nullptr;  // from the locked arena (secrets.cpp), released by the destructor
  std::size_t size_ = 0;
};

}  // namespace causeway::crypto

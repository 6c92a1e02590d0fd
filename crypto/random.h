// Randomness as a value that is passed in, so that state machines read none of their own and tests
// can give them a seeded one.
#pragma once

#include <cstdint>
#include <span>

namespace causeway::crypto {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;
  std::uint64_t next_u64();
  std::uint32_t below(std::uint32_t bound);  // uniform in [0, bound); bound > 0
};

// The operating system's generator through OpenSSL; aborts the process where it fails, because
// nothing secret may be made without it.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

// For tests and jitter only: a fixed seed gives a fixed stream. Never for keys.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> out) override;

 private:
  std::uint64_t state_;
};

}  // namespace causeway::crypto

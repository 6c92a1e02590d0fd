// Inbound SPIs are ours to choose, so they say where to go: which worker, and which slot of its table.
//
//     31      26 25              10 9          0
//    +----------+------------------+------------+
//    |  bucket  |       slot       | generation |   then all 32 bits through a keyed permutation
//    +----------+------------------+------------+
//
// A bucket is mapped to a worker by a table that control can rewrite, like a NIC's RETA. A slot belongs to
// one SA at a time, whatever its bucket; its generation differs each time it is given out, and the free
// slots stand in a FIFO, so that a value comes back only after 65,536 x 1,024 others. The permutation hides
// all of it: an observer learns neither how many SAs there are nor which share a core, and whoever forges
// SPIs cannot aim at one. It hides structure, not data: the ICV is what authenticates.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace causeway::dataplane {

inline constexpr std::uint32_t kSpiBuckets = 64;
inline constexpr std::uint32_t kSpiSlots = 65536;
inline constexpr std::uint32_t kSpiGenerations = 1024;
inline constexpr std::uint32_t kFirstSpi = 256;  // 0 and 1-255 are reserved (RFC 4303 2.1)

struct SpiParts {
  std::uint32_t bucket = 0, slot = 0, generation = 0;
  bool operator==(const SpiParts&) const = default;
};

// A Feistel network over two 16-bit halves with a multiplicative round function: a few nanoseconds, and
// several packets' decodings overlap.
class SpiCodec {
 public:
  static constexpr std::size_t kKeyOctets = 48;
  explicit SpiCodec(std::span<const std::uint8_t, kKeyOctets> key);

  [[nodiscard]] std::uint32_t encode(SpiParts parts) const {
    const std::uint32_t plain = parts.bucket << 26 | parts.slot << 10 | parts.generation;
    std::uint32_t left = plain >> 16, right = plain & 0xffff;
    for (const Round& round : rounds_) {
      const std::uint32_t next = left ^ mix(right, round);
      left = right;
      right = next;
    }
    return left << 16 | right;
  }
  [[nodiscard]] SpiParts decode(std::uint32_t spi) const {
    std::uint32_t left = spi >> 16, right = spi & 0xffff;
    for (std::size_t i = rounds_.size(); i-- > 0;) {
      const std::uint32_t previous = right ^ mix(left, rounds_[i]);
      right = left;
      left = previous;
    }
    const std::uint32_t plain = left << 16 | right;
    return {plain >> 26, plain >> 10 & 0xffff, plain & 0x3ff};
  }

 private:
  struct Round {
    std::uint32_t add, multiply;
  };
  static std::uint32_t mix(std::uint32_t half, const Round& round) {
    std::uint32_t x = (half + round.add) * round.multiply;
    x ^= x >> 15;
    x *= 0x2c1b3c6d;
    return x >> 16;
  }
  std::array<Round, 6> rounds_;
};

// Bucket -> worker. Written by control, read by every worker.
class BucketMap {
 public:
  explicit BucketMap(unsigned workers) {
    for (std::uint32_t i = 0; i < kSpiBuckets; ++i) set(i, static_cast<std::uint8_t>(i % workers));
  }
  void set(std::uint32_t bucket, std::uint8_t worker) { worker_[bucket].store(worker, std::memory_order_relaxed); }
  [[nodiscard]] unsigned worker(std::uint32_t bucket) const { return worker_[bucket].load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<std::uint8_t>, kSpiBuckets> worker_{};
};

// Control's side: gives SPIs out and takes them back. Not for workers.
class SpiAllocator {
 public:
  explicit SpiAllocator(const SpiCodec& codec);

  // 0: every slot is taken. Equal affinities share a bucket, so a tunnel keeps its worker across rekeys.
  std::uint32_t allocate(std::uint32_t affinity) { return allocate_in(bucket(affinity)); }
  std::uint32_t allocate_in(std::uint32_t bucket);
  void release(std::uint32_t spi);  // what was not given out is ignored
  [[nodiscard]] std::uint32_t in_use() const { return kSpiSlots - static_cast<std::uint32_t>(free_.size()); }
  [[nodiscard]] static std::uint32_t bucket(std::uint32_t affinity) { return (affinity * 0x9e3779b1U) >> 26; }

 private:
  SpiCodec codec_;
  std::deque<std::uint16_t> free_;
  struct Slot {
    std::uint16_t generation = 0;
    std::uint32_t spi = 0;  // while given out
  };
  std::vector<Slot> slots_;
};

}  // namespace causeway::dataplane

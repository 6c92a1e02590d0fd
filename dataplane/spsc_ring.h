// A ring with one producer thread and one consumer thread: the only way anything crosses between the
// control thread and a worker, or between two workers. Bounded, without locks, without allocation
// after construction. Elements are plain values; what they point to changes owner with them.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

namespace causeway::dataplane {

inline constexpr std::size_t kCacheLine = 64;

template <typename T>
class SpscRing {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit SpscRing(std::size_t capacity)  // rounded up to a power of two
      : size_(std::bit_ceil(capacity)), mask_(size_ - 1), slots_(std::make_unique<T[]>(size_)) {}

  // Producer. Appends as many of `items` as there is room for, in order; says how many.
  std::size_t push(std::span<const T> items) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (size_ - (tail - head_seen_) < items.size()) head_seen_ = head_.load(std::memory_order_acquire);
    const std::size_t n = std::min(items.size(), size_ - (tail - head_seen_));
    for (std::size_t i = 0; i < n; ++i) slots_[(tail + i) & mask_] = items[i];
    tail_.store(tail + n, std::memory_order_release);
    return n;
  }
  bool push(const T& item) { return push(std::span<const T>(&item, 1)) == 1; }

  // Consumer. Takes up to out.size() elements, oldest first; says how many.
  std::size_t pop(std::span<T> out) {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (tail_seen_ - head < out.size()) tail_seen_ = tail_.load(std::memory_order_acquire);
    const std::size_t n = std::min(out.size(), tail_seen_ - head);
    for (std::size_t i = 0; i < n; ++i) out[i] = slots_[(head + i) & mask_];
    if (n != 0) head_.store(head + n, std::memory_order_release);
    return n;
  }
  bool pop(T& out) { return pop(std::span<T>(&out, 1)) == 1; }

  // Consumer: whether there is nothing to pop, for less than a pop costs.
  [[nodiscard]] bool drained() const {
    return tail_.load(std::memory_order_acquire) == head_.load(std::memory_order_relaxed);
  }

  // Either side: exact for the one that asks about its own end, a moment old for the other.
  [[nodiscard]] std::size_t size() const {
    return tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_acquire);
  }
  [[nodiscard]] bool empty() const { return size() == 0; }
  // Anyone: how many elements went in and came out so far.
  [[nodiscard]] std::uint64_t pushed() const { return tail_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t popped() const { return head_.load(std::memory_order_acquire); }
  [[nodiscard]] std::size_t capacity() const { return size_; }

 private:
  const std::size_t size_, mask_;
  const std::unique_ptr<T[]> slots_;
  alignas(kCacheLine) std::atomic<std::size_t> tail_{0};  // written by the producer
  std::size_t head_seen_ = 0;                             // producer's
  alignas(kCacheLine) std::atomic<std::size_t> head_{0};  // written by the consumer
  std::size_t tail_seen_ = 0;                             // consumer's
};

}  // namespace causeway::dataplane

#include "crypto/secrets.h"

#include <openssl/crypto.h>
#include <sys/mman.h>

#include <array>
#include <bit>
#include <cstring>
#include <mutex>
#include <new>
#include <stdexcept>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define CAUSEWAY_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CAUSEWAY_ASAN 1
#endif
#endif
#ifdef CAUSEWAY_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace causeway::crypto {
namespace {

// What is not handed out is poisoned, so that AddressSanitizer sees use after release in the arena as in the heap.
void poison([[maybe_unused]] const std::uint8_t* p, [[maybe_unused]] std::size_t n) {
#ifdef CAUSEWAY_ASAN
  __asan_poison_memory_region(p, n);
#endif
}
void unpoison([[maybe_unused]] const std::uint8_t* p, [[maybe_unused]] std::size_t n) {
#ifdef CAUSEWAY_ASAN
  __asan_unpoison_memory_region(p, n);
#endif
}

std::uint8_t* map_locked(std::size_t size) {
  void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  // Best effort both: a low RLIMIT_MEMLOCK must not keep a gateway from starting.
  (void)mlock(p, size);
  (void)madvise(p, size, MADV_DONTDUMP);
  return static_cast<std::uint8_t*>(p);
}

// Slots of powers of two from 16 to 4096 octets, carved from locked regions that are never given back:
// the set of secrets of a gateway is small and returns to the same sizes. Larger ones are mapped one by one.
// A mutex guards it, because keys are released on whichever thread drops the last copy; that is never a worker.
class Arena {
 public:
  std::uint8_t* allocate(std::size_t size) {
    if (size > kLargestSlot) return map_locked(size);
    const std::size_t c = size_class(size);
    const std::lock_guard lock(mutex_);
    if (free_[c].empty()) carve(c);
    std::uint8_t* slot = free_[c].back();
    free_[c].pop_back();
    unpoison(slot, size);
    return slot;
  }

  void release(std::uint8_t* p, std::size_t size) noexcept {
    wipe({p, size});
    if (size > kLargestSlot) {
      munmap(p, size);
      return;
    }
    const std::size_t c = size_class(size);
    poison(p, slot_size(c));
    const std::lock_guard lock(mutex_);
    free_[c].push_back(p);  // never allocates: carve() reserved room for every slot
  }

 private:
  static constexpr std::size_t kSmallestSlot = 16, kLargestSlot = 4096, kRegion = 65536;
  static constexpr std::size_t kClasses = 9;
  static_assert(kSmallestSlot << (kClasses - 1) == kLargestSlot);

  static constexpr std::size_t slot_size(std::size_t c) { return kSmallestSlot << c; }
  static constexpr std::size_t size_class(std::size_t size) {
    const std::size_t rounded = std::bit_ceil(size < kSmallestSlot ? kSmallestSlot : size);
    return static_cast<std::size_t>(std::countr_zero(rounded) - std::countr_zero(kSmallestSlot));
  }

  void carve(std::size_t c) {
    const std::size_t count = kRegion / slot_size(c);
    free_[c].reserve(slots_[c] + count);
    std::uint8_t* region = map_locked(kRegion);
    slots_[c] += count;
    for (std::size_t i = count; i-- > 0;) free_[c].push_back(region + i * slot_size(c));
    poison(region, kRegion);
  }

  std::mutex mutex_;
  std::array<std::vector<std::uint8_t*>, kClasses> free_;
  std::array<std::size_t, kClasses> slots_{};
};

Arena& arena() {
  // Never destroyed: secrets with static storage may outlive any order of destruction.
  static Arena& instance = *new Arena;
  return instance;
}

}  // namespace

void wipe(std::span<std::uint8_t> octets) noexcept {
  if (!octets.empty()) OPENSSL_cleanse(octets.data(), octets.size());
}

bool equal_constant_time(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

Secret::Secret(std::size_t size) : data_(size == 0 ? nullptr : arena().allocate(size)), size_(size) {
  if (size != 0) std::memset(data_, 0, size);
}

Secret::Secret(std::span<const std::uint8_t> octets) : Secret(octets.size()) {
  if (!octets.empty()) std::memcpy(data_, octets.data(), octets.size());
}

Secret::Secret(const Secret& other) : Secret(other.bytes()) {}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) *this = Secret(other);
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    if (data_ != nullptr) arena().release(data_, size_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Secret::~Secret() {
  if (data_ != nullptr) arena().release(data_, size_);
}

Secret Secret::slice(std::size_t offset, std::size_t length) const {
  if (offset > size_ || length > size_ - offset) throw std::out_of_range("Secret::slice beyond its end");
  return Secret(bytes().subspan(offset, length));
}

void Secret::append(std::span<const std::uint8_t> octets) {
  Secret longer(size_ + octets.size());
  if (size_ != 0) std::memcpy(longer.data_, data_, size_);
  if (!octets.empty()) std::memcpy(longer.data_ + size_, octets.data(), octets.size());
  *this = std::move(longer);
}

}  // namespace causeway::crypto

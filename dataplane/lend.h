// The cryptography of inbound ESP lent to other cores, order kept exactly.
//
// The owner of an SA receives, checks and orders; what takes the time is decryption. So it keeps a FIFO of prepared
// batches and offers some of them to other workers, which do nothing but the cryptography, in place: no allocation, no
// counting, no window. Batches leave the FIFO in the order in which they were filled, whoever decrypted them, local and
// lent alike, so turning lending on or off reorders nothing; the replay window, advanced in finish, is the authority.
//
// Nobody waits for anybody. A lender that has not begun when its time is up loses the batch again (a core that sleeps
// or was descheduled is found by that), the owner takes a share of its own, and a lender that is busy is not asked.
// Only a batch that a lender is in the middle of is waited for; meanwhile the owner goes on until the FIFO is full,
// then leaves packets in its receive queues.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "crypto/esp_engine.h"
#include "dataplane/counters.h"
#include "dataplane/spsc_ring.h"

namespace causeway::dataplane {

struct alignas(kCacheLine) LentBatch {
  // idle -> local -> idle, or idle -> offered -> taken -> done -> idle, or idle -> offered -> withdrawn -> idle.
  // The owner makes every step but these: a lender takes what is offered, says when it is done, and lets go of what
  // it finds withdrawn in its ring.
  enum class State : std::uint8_t { idle, local, offered, taken, done, withdrawn };
  std::atomic<State> state{State::idle};
  std::uint16_t lender = 0;       // index into LendQueue's
  std::uint64_t withdraw_at = 0;  // cycles
  crypto::EspBatch batch;
};
using LendRing = SpscRing<LentBatch*>;  // from one owner to one lender

// Lender: decrypts one batch of `ring`, if there is one.
bool help(LendRing& ring, crypto::EspEngine& engine);

class LendQueue {
 public:
  static constexpr std::size_t kDepth = 32;        // batches in the FIFO
  static constexpr std::size_t kLeastPackets = 8;  // a batch of fewer is not worth the way to another core

  // How one lender is reached; it says of itself when it has more than enough to do of its own.
  struct Lender {
    LendRing* ring = nullptr;
    const std::atomic<bool>* overloaded = nullptr;
  };
  // `patience`: cycles after which a batch that nobody began is taken back.
  LendQueue(const std::vector<Lender>& lenders, std::uint64_t patience);

  [[nodiscard]] bool has_lenders() const { return !lenders_.empty(); }
  [[nodiscard]] bool empty() const { return head_ == tail_; }
  [[nodiscard]] bool room(std::size_t batches) const { return tail_ - head_ + batches <= kDepth; }
  crypto::EspBatch& next();  // the batch to fill; there must be room for it
  // What next() gave goes behind all others: offered, or decrypted here.
  void push(bool lend, crypto::EspEngine& engine, std::uint64_t now);
  // The oldest, once it is decrypted; nullptr: not yet. `idle`: there is nothing better to do than to take it back,
  // so patience is short.
  crypto::EspBatch* front(crypto::EspEngine& engine, std::uint64_t now, bool idle);
  void pop();
  // Positions: whatever was pushed before `pushed()` said n is gone when `popped()` says n.
  [[nodiscard]] std::uint64_t pushed() const { return tail_; }
  [[nodiscard]] std::uint64_t popped() const { return head_; }
  [[nodiscard]] std::uint64_t lent() const { return lent_; }
  [[nodiscard]] std::uint64_t taken_back() const { return taken_back_; }

 private:
  struct Known {
    Lender lender;
    std::uint32_t under_way = 0;
    std::uint64_t asked_again_at = 0;  // after it let a batch lie
  };
  LentBatch*& at(std::uint64_t position) { return order_[position % kDepth]; }
  bool offer(LentBatch& slot, std::uint64_t now);

  std::vector<Known> lenders_;
  std::size_t count_ = 0;  // of slots: the FIFO's, and what lenders that sleep have not let go of
  std::unique_ptr<LentBatch[]> slots_;
  std::size_t free_ = 0;  // where the next idle slot is looked for
  std::array<LentBatch*, kDepth> order_{};
  const std::uint64_t patience_;
  std::uint64_t head_ = 0, tail_ = 0;
  std::size_t turn_ = 0;      // of lenders
  std::size_t in_a_row_ = 0;  // lent since one was decrypted here
  std::uint64_t lent_ = 0, taken_back_ = 0;
};

// Whether a worker has more than it can do: bursts that come full, with hysteresis, so that lending is not switched
// with every burst.
class Saturation {
 public:
  void saw(bool full_burst) {
    level_ = full_burst ? std::min(level_ + 1, kMost) : std::max(level_ - 1, 0);
    if (level_ > kOn) on_ = true;
    if (level_ < kOff) on_ = false;
  }
  [[nodiscard]] bool on() const { return on_; }

 private:
  static constexpr int kMost = 1024, kOn = 768, kOff = 256;
  int level_ = 0;
  bool on_ = false;
};

}  // namespace causeway::dataplane

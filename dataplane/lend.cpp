#include "dataplane/lend.h"

namespace causeway::dataplane {
namespace {

using State = LentBatch::State;
constexpr std::uint32_t kAtOnce = 2;         // batches with one lender: one in work, one that waits
constexpr std::uint64_t kIdleShare = 8;      // of the patience is what an owner has that is idle
constexpr std::uint64_t kForgiveAfter = 64;  // times the patience, until a lender that slept is asked again

void decrypt(crypto::EspBatch& batch, crypto::EspEngine& engine) {
  engine.submit(batch);
  while (engine.collect() != nullptr) {
  }
}

}  // namespace

bool help(LendRing& ring, crypto::EspEngine& engine) {
  LentBatch* slot = nullptr;
  if (!ring.pop(slot)) return false;
  State offered = State::offered;
  if (!slot->state.compare_exchange_strong(offered, State::taken, std::memory_order_acquire)) {
    slot->state.store(State::idle, std::memory_order_release);  // withdrawn: from now on its owner may fill it again
    return true;
  }
  decrypt(slot->batch, engine);
  slot->state.store(State::done, std::memory_order_release);
  return true;
}

LendQueue::LendQueue(const std::vector<Lender>& lenders, std::uint64_t patience) : patience_(patience) {
  for (const Lender& lender : lenders) lenders_.push_back({.lender = lender});
  if (lenders.empty()) return;
  count_ = kDepth + kAtOnce * lenders.size();
  slots_ = std::make_unique<LentBatch[]>(count_);
}

// There is an idle one: of those outside the FIFO each lender holds kAtOnce at most.
crypto::EspBatch& LendQueue::next() {
  while (slots_[free_].state.load(std::memory_order_acquire) != State::idle) free_ = (free_ + 1) % count_;
  at(tail_) = &slots_[free_];
  crypto::EspBatch& batch = at(tail_)->batch;
  batch.count = 0;
  batch.direction = crypto::EspBatch::Direction::decrypt;
  return batch;
}

void LendQueue::push(bool lend, crypto::EspEngine& engine, std::uint64_t now) {
  LentBatch& slot = *at(tail_++);
  if (lend && in_a_row_ < lenders_.size() * kAtOnce && offer(slot, now)) {
    ++in_a_row_;
    ++lent_;
    return;
  }
  in_a_row_ = 0;
  slot.state.store(State::local, std::memory_order_relaxed);
  decrypt(slot.batch, engine);
}

bool LendQueue::offer(LentBatch& slot, std::uint64_t now) {
  for (std::size_t i = 0; i < lenders_.size(); ++i) {
    const std::size_t index = (turn_ + i) % lenders_.size();
    Known& known = lenders_[index];
    if (known.under_way >= kAtOnce || known.lender.ring->size() >= kAtOnce || now < known.asked_again_at ||
        known.lender.overloaded->load(std::memory_order_relaxed))
      continue;
    slot.lender = static_cast<std::uint16_t>(index);
    slot.withdraw_at = now + patience_;
    slot.state.store(State::offered, std::memory_order_relaxed);
    if (!known.lender.ring->push(&slot)) {
      slot.state.store(State::idle, std::memory_order_relaxed);
      continue;
    }
    ++known.under_way;
    turn_ = index + 1;
    return true;
  }
  return false;
}

crypto::EspBatch* LendQueue::front(crypto::EspEngine& engine, std::uint64_t now, bool idle) {
  if (empty()) return nullptr;
  LentBatch& slot = *at(head_);
  const State state = slot.state.load(std::memory_order_acquire);
  if (state == State::local || state == State::done) return &slot.batch;
  const std::uint64_t spared = idle ? patience_ - patience_ / kIdleShare : 0;
  if (state == State::taken || now < slot.withdraw_at - spared) return nullptr;
  State offered = State::offered;
  if (!slot.state.compare_exchange_strong(offered, State::withdrawn, std::memory_order_acq_rel)) return nullptr;
  if (now >= slot.withdraw_at) lenders_[slot.lender].asked_again_at = now + kForgiveAfter * patience_;
  ++taken_back_;
  decrypt(slot.batch, engine);
  // It cannot be front() again before pop(): whoever asks gets it at once, and this position then moves on.
  return &slot.batch;
}

void LendQueue::pop() {
  LentBatch& slot = *at(head_++);
  switch (slot.state.load(std::memory_order_relaxed)) {
    case State::done:
      --lenders_[slot.lender].under_way;
      [[fallthrough]];
    case State::local:
      slot.state.store(State::idle, std::memory_order_relaxed);
      return;
    default:  // withdrawn: its lender lets go of it when it comes by
      --lenders_[slot.lender].under_way;
  }
}

}  // namespace causeway::dataplane

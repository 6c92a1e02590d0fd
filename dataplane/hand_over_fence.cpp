#include "dataplane/hand_over_fence.h"

#include "dataplane/mailbox.h"

namespace causeway::dataplane {

HandOverFence::HandOverFence(std::span<Mailbox* const> all, std::size_t own)
    : all_(all.begin(), all.end()), own_(own), pushed_(all.size() * all.size()), polls_(all.size()) {}

void HandOverFence::put_up() {
  if (all_.size() < 2) return;
  moves_ = 0;
  hops_ = kHops;
  emptied_ = false;
  note_rings();
}

void HandOverFence::move_behind() {
  ++moves_;
  hops_ = kHops;
  emptied_ = false;
  note_rings();
}

void HandOverFence::look() {
  if (!emptied_) {
    if (!rings_passed()) return;
    emptied_ = true;
    note_rounds();
  }
  if (!rounds_passed()) return;
  if (--hops_ == 0) return;
  emptied_ = false;
  note_rings();
}

void HandOverFence::note_rings() {
  std::size_t at = 0;
  for (const Mailbox* to : all_)
    for (const auto& ring : to->from) pushed_[at++] = ring->pushed();
}

bool HandOverFence::rings_passed() const {
  std::size_t at = 0;
  for (const Mailbox* to : all_) {
    for (const auto& ring : to->from) {
      if (ring->popped() < pushed_[at++]) return false;
    }
  }
  return true;
}

// Who has taken a packet out is in the middle of a round until its polls say more. Our own round has ended: this is
// asked at the head of the next.
void HandOverFence::note_rounds() {
  for (std::size_t w = 0; w < all_.size(); ++w) polls_[w] = all_[w]->counters.polls.get() + (w == own_ ? 0 : 1);
}

bool HandOverFence::rounds_passed() const {
  for (std::size_t w = 0; w < all_.size(); ++w) {
    if (all_[w]->counters.polls.get() < polls_[w]) return false;
  }
  return true;
}

}  // namespace causeway::dataplane

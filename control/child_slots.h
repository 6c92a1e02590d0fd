// The numbers by which the data path knows children: the configured ones have the first, the rest is given out to parts
// of children (tunnel_parts.cpp) and comes back.
#pragma once

#include <set>

#include "control/ike/effects.h"

namespace causeway::control {

class ChildSlots {
 public:
  // `first`: the lowest that is free. `end`: one that no child ever has, so that what is sent to it is dropped.
  ChildSlots(ike::ChildSlot first, ike::ChildSlot end) : next_(first), end_(end) {}

  ike::ChildSlot allocate() {
    if (!free_.empty()) return free_.extract(free_.begin()).value();
    return next_ < end_ ? next_++ : ike::kNoChild;
  }
  void release(ike::ChildSlot slot) { free_.insert(slot); }
  [[nodiscard]] ike::ChildSlot nobody() const { return end_; }

 private:
  std::set<ike::ChildSlot> free_;
  ike::ChildSlot next_;
  ike::ChildSlot end_;
};

}  // namespace causeway::control

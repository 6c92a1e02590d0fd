#include "control/ike/retransmit.h"

#include <algorithm>

namespace causeway::ike {

Time RetransmitSchedule::wait_after(int transmissions) const {
  Time wait = first;
  for (int i = 1; i < transmissions && wait < limit; ++i) wait = wait * growth_percent / 100;
  return std::min(wait, limit);
}

Time RetransmitSchedule::total() const {
  Time sum{0};
  for (int i = 1; i <= tries; ++i) sum += wait_after(i);
  return sum;
}

Retransmission::Due Retransmission::poll(Time now) {
  if (now < due_) return Due::no;
  if (transmissions_ >= schedule_.tries) return Due::give_up;
  ++transmissions_;
  due_ = now + schedule_.wait_after(transmissions_);
  return Due::send_again;
}

}  // namespace causeway::ike

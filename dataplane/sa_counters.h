// Counters of one SA: written by its owner alone, read by control. What each means is said at SaCounters.
#pragma once

#include "dataplane/counters.h"
#include "dataplane/sa_spec.h"

namespace causeway::dataplane {

struct SaCounterBlock {
  Counter packets, bytes, sequence, last_used_ms;  // every packet
  Counter icv_failed, replayed, replay_distance, selector_mismatch, too_big, no_route, no_neighbor;
  Counter tcp_asked, tcp_answered, echo_asked, echo_answered, own;  // questions.h

  [[nodiscard]] SaCounters read() const;
};

}  // namespace causeway::dataplane

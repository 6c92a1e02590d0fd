#include "dataplane/sa_counters.h"

namespace causeway::dataplane {

SaCounters SaCounterBlock::read() const {
  SaCounters out;
  out.packets = packets.get();
  out.bytes = bytes.get();
  out.icv_failed = icv_failed.get();
  out.replayed = replayed.get();
  out.selector_mismatch = selector_mismatch.get();
  out.too_big = too_big.get();
  out.no_route = no_route.get();
  out.no_neighbor = no_neighbor.get();
  out.sequence = sequence.get();
  out.last_used_ms = last_used_ms.get();
  return out;
}

}  // namespace causeway::dataplane

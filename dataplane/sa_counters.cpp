#include "dataplane/sa_counters.h"

#include <algorithm>

namespace causeway::dataplane {

SaCounters SaCounterBlock::read() const {
  SaCounters out;
  out.packets = packets.get();
  out.bytes = bytes.get();
  out.icv_failed = icv_failed.get();
  out.replayed = replayed.get();
  out.replay_distance = replay_distance.get();
  out.selector_mismatch = selector_mismatch.get();
  out.too_big = too_big.get();
  out.no_route = no_route.get();
  out.no_neighbor = no_neighbor.get();
  out.tcp_asked = tcp_asked.get();
  out.tcp_answered = tcp_answered.get();
  out.echo_asked = echo_asked.get();
  out.echo_answered = echo_answered.get();
  out.own = own.get();
  out.sequence = sequence.get();
  out.last_used_ms = last_used_ms.get();
  return out;
}

SaCounters& SaCounters::operator+=(const SaCounters& other) {
  packets += other.packets;
  bytes += other.bytes;
  icv_failed += other.icv_failed;
  replayed += other.replayed;
  replay_distance = std::max(replay_distance, other.replay_distance);
  selector_mismatch += other.selector_mismatch;
  too_big += other.too_big;
  no_route += other.no_route;
  no_neighbor += other.no_neighbor;
  tcp_asked += other.tcp_asked;
  tcp_answered += other.tcp_answered;
  echo_asked += other.echo_asked;
  echo_answered += other.echo_answered;
  own += other.own;
  sequence = std::max(sequence, other.sequence);
  last_used_ms = std::max(last_used_ms, other.last_used_ms);
  return *this;
}

}  // namespace causeway::dataplane

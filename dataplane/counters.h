// What a worker counts: written by that worker alone, read by the control thread at any time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dataplane/drop.h"
#include "dataplane/spsc_ring.h"

namespace causeway::dataplane {

// A counter with one writer: no locked instruction, no torn read.
class Counter {
 public:
  void add(std::uint64_t n = 1) { set(get() + n); }
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct alignas(kCacheLine) Counters {
  Counter rx, tx, handed_over, polls, idle_polls;
  Counter keepalives;                 // RFC 3948 2.3: received and, as it asks, ignored
  Counter echo_replies;               // ICMP echo to an own address
  Counter icmp_errors;                // that we sent
  Counter icmp_limited;               // that the rate limit kept back
  Counter fragmented;                 // packets cut before a link or a tunnel that takes less
  Counter outer_fragmented;           // outer packets cut behind encryption: below 1280 octets of path (IPv6 inside)
  Counter reassembled;                // datagrams for us that came in fragments
  Counter mss_clamped;                // SYNs whose maximum segment size was lowered
  Counter linearised;                 // chained packets made one segment
  Counter to_host, from_host;         // own traffic, by way of the kernel (host = true)
  Counter host_refused;               // routes that the kernel did not take
  Counter sas_inbound, sas_outbound;  // in its table now
  Counter lent, taken_back, helped;   // batches given to other workers to decrypt; taken back; decrypted for others
  std::array<Counter, kDropCount> drops;

  void drop(Drop why, std::uint64_t n = 1) { drops[static_cast<std::size_t>(why)].add(n); }
};

}  // namespace causeway::dataplane

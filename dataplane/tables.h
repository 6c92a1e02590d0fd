// Everything a worker looks up per packet besides SAs, as one immutable value: the control thread
// publishes a new one, workers load the pointer once an iteration, and the old one is freed when
// rte_rcu_qsbr says that every worker has passed a quiescent state.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "conf/address.h"
#include "dataplane/policy.h"
#include "dataplane/routes.h"

namespace causeway::dataplane {

using Mac = std::array<std::uint8_t, 6>;

// Neighbors whose MAC address is known, or known not to answer. Open addressing; made whole.
class NeighborTable {
 public:
  struct Entry {
    conf::IpAddress address;
    std::uint16_t port = 0;
    Mac mac{};
    bool stale = false;   // usable, but whoever uses it tells the control thread, which asks again
    bool failed = false;  // does not answer: drop, do not ask
    bool used = false;    // of the slot
  };
  NeighborTable() : NeighborTable(std::vector<Entry>{}) {}
  explicit NeighborTable(const std::vector<Entry>& entries) : slots_(std::bit_ceil(2 * entries.size() + 2)) {
    for (const Entry& e : entries) {
      std::size_t i = hash(e.port, e.address) & (slots_.size() - 1);
      while (slots_[i].used) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = e;
      slots_[i].used = true;
    }
  }
  [[nodiscard]] const Entry* find(std::uint16_t port, const conf::IpAddress& a) const {
    for (std::size_t i = hash(port, a) & (slots_.size() - 1); slots_[i].used; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].port == port && slots_[i].address == a) return &slots_[i];
    }
    return nullptr;
  }

 private:
  static std::size_t hash(std::uint16_t port, const conf::IpAddress& a) {
    std::uint64_t high, low;
    std::memcpy(&high, a.octets.data(), 8);
    std::memcpy(&low, a.octets.data() + 8, 8);
    std::uint64_t h = (high ^ (low * 0x9e3779b97f4a7c15ULL) ^ port) * 0xff51afd7ed558ccdULL;
    return h ^ (h >> 32);
  }
  std::vector<Entry> slots_;
};

struct Tables {
  std::shared_ptr<const RouteTable> routes;
  std::shared_ptr<const PolicyTable> policies;
  std::shared_ptr<const NeighborTable> neighbors;
};

}  // namespace causeway::dataplane

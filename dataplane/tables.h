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
#include "dataplane/rules.h"
#include "dataplane/translate.h"

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
  explicit NeighborTable(const std::vector<Entry>& entries) : slots_(std::bit_ceil(2 * entries.size() + 2)), mask_(slots_.size() - 1) {
    for (const Entry& e : entries) {
      std::size_t i = hash(e.port, e.address) & mask_;
      while (slots_[i].used) i = (i + 1) & mask_;
      slots_[i] = e;
      slots_[i].used = true;
    }
  }
  [[nodiscard]] const Entry* find(std::uint16_t port, const conf::IpAddress& a) const {
    for (std::size_t i = hash(port, a) & mask_; slots_[i].used; i = (i + 1) & mask_) {
      if (slots_[i].port == port && slots_[i].address == a) return &slots_[i];
    }
    return nullptr;
  }
  // The same for IPv4; octets in network order.
  [[nodiscard]] const Entry* find_v4(std::uint16_t port, const std::uint8_t* address) const {
    std::uint32_t wanted;
    std::memcpy(&wanted, address, 4);
    for (std::size_t i = mix(wanted, 0, port) & mask_; slots_[i].used; i = (i + 1) & mask_) {
      std::uint32_t found;
      std::memcpy(&found, slots_[i].address.octets.data(), 4);
      if (found == wanted && slots_[i].port == port && slots_[i].address.family == conf::Family::v4) return &slots_[i];
    }
    return nullptr;
  }

 private:
  static std::size_t hash(std::uint16_t port, const conf::IpAddress& a) {
    std::uint64_t high, low;
    std::memcpy(&high, a.octets.data(), 8);
    std::memcpy(&low, a.octets.data() + 8, 8);
    return mix(high, low, port);
  }
  static std::size_t mix(std::uint64_t high, std::uint64_t low, std::uint16_t port) {
    const std::uint64_t h = (high ^ (low * 0x9e3779b97f4a7c15ULL) ^ port) * 0xff51afd7ed558ccdULL;
    return h ^ (h >> 32);
  }
  std::vector<Entry> slots_;
  std::size_t mask_;
};

struct Tables {
  std::shared_ptr<const RouteTable> routes;
  std::shared_ptr<const PolicyTable> policies;
  std::shared_ptr<const NeighborTable> neighbors;
  std::shared_ptr<const RuleTable> rules;  // empty where there are none
  std::shared_ptr<const TranslationTable> translations = {};  // the same
  std::uint64_t generation = 0;  // of this value: what a worker remembers of one is void for the next
  std::uint64_t decisions = 0;   // the generation since when all but the neighbors is the same

  // Nothing but routes, policies and neighbors decides: plain.cpp may.
  [[nodiscard]] bool plain() const { return !rules && !translations; }
};

}  // namespace causeway::dataplane

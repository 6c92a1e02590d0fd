// Longest-prefix match over IPv4 or IPv6 addresses: a trie with a first level of 16 bits and further
// levels of 8, shorter prefixes pushed down to the leaves, so a lookup is at most three loads for IPv4
// (nearly always one or two) and fifteen for IPv6. Built once, then only read.
//
// rte_lpm would take 64 MiB a table, twice while one is swapped for the next; this takes 256 KiB and
// 1 KiB for each /16 (and so on) that is subdivided, and is the same for both families.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "conf/address.h"

namespace causeway::dataplane {

class Lpm {
 public:
  static constexpr std::uint32_t kNone = 0;  // the value of an address that no prefix covers

  // Of one family. Values are 1..2^31-1; of two equal prefixes the later wins.
  struct Entry {
    conf::Prefix prefix;
    std::uint32_t value = kNone;
  };
  Lpm() : nodes_(kFirst, kNone) {}
  explicit Lpm(std::vector<Entry> entries);

  // `address`: 4 or 16 octets in network order, as long as the family's.
  [[nodiscard]] std::uint32_t lookup(const std::uint8_t* address) const {
    std::uint32_t entry = nodes_[static_cast<std::size_t>(address[0]) << 8 | address[1]];
    for (std::size_t octet = 2; (entry & kSubtable) != 0; ++octet)
      entry = nodes_[(entry & ~kSubtable) + address[octet]];
    return entry;
  }

 private:
  static constexpr std::size_t kFirst = 65536, kNext = 256;
  static constexpr std::uint32_t kSubtable = 0x80000000U;

  void insert(const Entry& entry);

  std::vector<std::uint32_t> nodes_;  // a value, or kSubtable | where the next level starts
};

}  // namespace causeway::dataplane

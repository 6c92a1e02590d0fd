#include "dataplane/lpm.h"

#include <algorithm>

namespace causeway::dataplane {

// Entries go in from the shortest to the longest prefix, so each only overwrites what is less specific.
Lpm::Lpm(std::vector<Entry> entries) : nodes_(kFirst, kNone) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.prefix.length < b.prefix.length; });
  for (const Entry& entry : entries) insert(entry);
}

void Lpm::insert(const Entry& entry) {
  const auto& octets = entry.prefix.address.octets;
  std::size_t base = 0;
  std::size_t index = static_cast<std::size_t>(octets[0]) << 8 | octets[1];
  std::size_t depth = 16;
  for (; entry.prefix.length > depth; depth += 8) {
    std::uint32_t node = nodes_[base + index];
    if ((node & kSubtable) == 0) {
      const auto start = static_cast<std::uint32_t>(nodes_.size());
      nodes_.resize(nodes_.size() + kNext, node);
      node = nodes_[base + index] = kSubtable | start;
    }
    base = node & ~kSubtable;
    index = octets[depth / 8];
  }
  const std::size_t span = std::size_t{1} << (depth - entry.prefix.length);
  const std::size_t first = base + (index & ~(span - 1));
  std::fill_n(nodes_.begin() + static_cast<std::ptrdiff_t>(first), span, entry.value);
}

}  // namespace causeway::dataplane

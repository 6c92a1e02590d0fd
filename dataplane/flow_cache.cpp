#include "dataplane/flow_cache.h"

#include <rte_malloc.h>

#include <algorithm>
#include <new>
#include <utility>

namespace causeway::dataplane {

FlowCache::FlowCache(std::uint64_t first_secret, std::uint64_t second_secret, int socket)
    : sets_(static_cast<Set*>(rte_zmalloc_socket("flows", kOctets, RTE_CACHE_LINE_SIZE, socket))),
      secrets_{first_secret, second_secret} {
  if (sets_ == nullptr) throw std::bad_alloc();
}

void FlowCache::Free::operator()(Set* memory) const { rte_free(memory); }

// The newer one stands first, so that of three flows in one set the two that come most often tend to stay.
void FlowCache::insert(const Key& key, void* to) {
  auto& ways = const_cast<Set&>(set(key)).ways;
  const bool second_is_void = ways[0].epoch < first_valid(ways[0].rest);
  if (!second_is_void && (ways[0].addresses != key.addresses_ || ways[0].rest != key.rest_)) ways[1] = ways[0];
  ways[0] = {key.addresses_, key.rest_, to, epoch_, 0};
}

void FlowCache::forget(bool decisions) {
  if (++epoch_ == 0) {
    std::fill_n(sets_.get(), kSets, Set{});  // the number of an epoch comes again: nothing of it may be left
    epoch_ = decided_ = 1;
  }
  if (decisions) decided_ = epoch_;
}

}  // namespace causeway::dataplane

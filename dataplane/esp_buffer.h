// ESP works in place, on octets that are contiguous, ours alone, and have room around them.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/counters.h"

namespace causeway::dataplane {

// `m` as such a buffer, with `head` octets of room before its data and `tail` behind: itself where it is one
// already (nearly always), else made one segment in place, else a copy in a buffer of `pool`, and `m` is freed.
// Counted in `moved` where octets had to move. nullptr: no buffer is free or large enough; `m` is untouched.
rte_mbuf* own_segment(rte_mbuf* m, std::uint32_t head, std::uint32_t tail, rte_mempool* pool, Counter* moved);

}  // namespace causeway::dataplane

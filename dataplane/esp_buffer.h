// ESP works in place, on octets that are contiguous, ours alone, and have room around them.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/counters.h"

namespace causeway::dataplane {

// `m` as such a buffer, with `head` octets of room before its data and `tail` behind: itself where it is one
// already (nearly always), else made one segment in place, else a copy in a buffer of `pool`, and `m` is freed.
// Counted in `moved` where octets had to move. nullptr: no buffer is free or large enough; `m` is untouched.
rte_mbuf* make_own_segment(rte_mbuf* m, std::uint32_t head, std::uint32_t tail, rte_mempool* pool, Counter* moved);
inline rte_mbuf* own_segment(rte_mbuf* m, std::uint32_t head, std::uint32_t tail, rte_mempool* pool, Counter* moved) {
  const bool direct = (m->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) == 0;
  const bool roomy = m->data_off >= head && std::uint32_t{m->data_off} + m->data_len + tail <= m->buf_len;
  if (direct && roomy && m->nb_segs == 1 && rte_mbuf_refcnt_read(m) == 1) [[likely]]
    return m;
  return make_own_segment(m, head, tail, pool, moved);
}

}  // namespace causeway::dataplane

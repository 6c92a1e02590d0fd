#include "dataplane/esp_buffer.h"

#include <cstring>

#include "dataplane/packet.h"

namespace causeway::dataplane {

namespace {

// An indirect buffer's octets belong to another (rte_ipv4_fragment_packet makes such); so may an external
// one's, and any buffer's that is referenced twice.
bool ours_alone(const rte_mbuf* m) {
  if (rte_mbuf_refcnt_read(m) != 1 || RTE_MBUF_CLONED(m)) return false;
  return !RTE_MBUF_HAS_EXTBUF(m) || rte_mbuf_ext_refcnt_read(m->shinfo) == 1;
}

rte_mbuf* copy(const rte_mbuf* m, std::uint32_t tail, rte_mempool* pool) {
  if (pool == nullptr || m->pkt_len + tail > UINT16_MAX) return nullptr;
  rte_mbuf* out = rte_pktmbuf_alloc(pool);
  if (out == nullptr) return nullptr;
  char* to = rte_pktmbuf_append(out, static_cast<std::uint16_t>(m->pkt_len));
  if (to == nullptr || rte_pktmbuf_tailroom(out) < tail) {
    rte_pktmbuf_free(out);
    return nullptr;
  }
  for (const rte_mbuf* segment = m; segment != nullptr; segment = segment->next) {
    std::memcpy(to, rte_pktmbuf_mtod(segment, const char*), segment->data_len);
    to += segment->data_len;
  }
  out->port = m->port;
  meta(out) = *static_cast<const PacketMeta*>(rte_mbuf_to_priv(const_cast<rte_mbuf*>(m)));
  return out;
}

}  // namespace

rte_mbuf* make_own_segment(rte_mbuf* m, std::uint32_t head, std::uint32_t tail, rte_mempool* pool, Counter* moved) {
  const bool usable = ours_alone(m) && rte_pktmbuf_headroom(m) >= head;
  const std::uint32_t behind_first = m->pkt_len - m->data_len;
  const bool roomy = std::uint32_t{m->data_off} + m->data_len + behind_first + tail <= m->buf_len;
  if (usable && roomy && m->nb_segs == 1) return m;
  if (usable && roomy && rte_pktmbuf_linearize(m) == 0) {
    if (moved != nullptr) moved->add();
    return m;
  }
  rte_mbuf* one = copy(m, tail, pool);
  if (one == nullptr || rte_pktmbuf_headroom(one) < head) {
    rte_pktmbuf_free(one);
    return nullptr;
  }
  rte_pktmbuf_free(m);
  if (moved != nullptr) moved->add();
  return one;
}

}  // namespace causeway::dataplane

#include "dataplane/fragment.h"

#include <algorithm>

#include "dataplane/headers.h"
#include "dataplane/packet.h"

namespace causeway::dataplane {
namespace {

bool copy_octets(const rte_mbuf* m, std::uint32_t offset, std::uint32_t length, std::uint8_t* to) {
  const void* from = rte_pktmbuf_read(m, offset, length, to);
  if (from == nullptr) return false;
  if (from != to) std::memcpy(to, from, length);
  return true;
}

// RFC 791 3.1: only options with the copied flag go into later fragments; the others become padding, so
// that all pieces have headers of one length.
void keep_copied_options(std::uint8_t* options, std::size_t length) {
  constexpr std::uint8_t kEnd = 0, kNop = 1, kCopied = 0x80;
  while (length > 0 && options[0] != kEnd) {
    std::size_t step = 1;
    if (options[0] != kNop) {
      if (length < 2 || options[1] < 2 || options[1] > length) return;
      step = options[1];
      if ((options[0] & kCopied) == 0) std::fill_n(options, step, kNop);
    }
    options += step;
    length -= step;
  }
}

}  // namespace

std::size_t fragment_copy(rte_mempool* pool, rte_mbuf* m, std::uint16_t mtu, std::span<rte_mbuf*> out) {
  const auto& original = *at<rte_ipv4_hdr>(m, 0);
  const std::uint16_t header = header_octets(original);
  const std::uint32_t payload = rte_pktmbuf_pkt_len(m) - header;
  if (mtu < kLeastIpv4Mtu || payload == 0) return 0;
  const std::uint32_t piece = (mtu - header) & ~7U;
  const std::uint32_t base = fragment_octets(original);
  std::size_t count = 0;
  for (std::uint32_t offset = 0; offset < payload; offset += piece) {
    const std::uint32_t n = std::min(piece, payload - offset);
    rte_mbuf* copy = count < out.size() ? rte_pktmbuf_alloc(pool) : nullptr;
    if (copy != nullptr) out[count++] = copy;
    auto* to = copy == nullptr
                   ? nullptr
                   : reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(copy, static_cast<std::uint16_t>(header + n)));
    if (to == nullptr || !copy_octets(m, 0, header, to) || !copy_octets(m, header + offset, n, to + header)) {
      rte_pktmbuf_free_bulk(out.data(), static_cast<unsigned>(count));
      return 0;
    }
    if (offset != 0) keep_copied_options(to + kIpv4Header, header - kIpv4Header);
    auto& ip = *at<rte_ipv4_hdr>(copy, 0);
    const bool more = offset + n < payload || more_fragments(original);
    ip.total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(header + n));
    ip.fragment_offset =
        rte_cpu_to_be_16(static_cast<std::uint16_t>((base + offset) / 8 | (more ? RTE_IPV4_HDR_MF_FLAG : 0)));
    set_checksum(ip);
    meta(copy) = meta(m);
  }
  return count;
}

PacketPtr linearise(rte_mempool* pool, PacketPtr m) {
  if (m->nb_segs == 1) return m;
  PacketPtr one(rte_pktmbuf_alloc(pool));
  if (!one) return one;
  const std::uint32_t length = rte_pktmbuf_pkt_len(m.get());
  auto* to = length > UINT16_MAX
                 ? nullptr
                 : reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(one.get(), static_cast<std::uint16_t>(length)));
  if (to == nullptr || !copy_octets(m.get(), 0, length, to)) return nullptr;
  meta(one.get()) = meta(m.get());
  return one;
}

}  // namespace causeway::dataplane

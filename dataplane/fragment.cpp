#include "dataplane/fragment.h"

#include <algorithm>

#include "dataplane/headers.h"
#include "dataplane/ip_header.h"
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

struct Cut {
  std::uint16_t header, fragment_header;  // octets copied into every piece, and of the header put behind them
  std::uint32_t id;
};

bool copy_piece(const rte_mbuf* m, const Cut& cut, std::uint32_t offset, std::uint32_t length, rte_mbuf* copy) {
  const std::uint32_t front = cut.header + cut.fragment_header;
  auto* to = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(copy, static_cast<std::uint16_t>(front + length)));
  return to != nullptr && copy_octets(m, 0, cut.header, to) && copy_octets(m, cut.header + offset, length, to + front);
}

void finish_v4(rte_mbuf* piece, const IpHeader& original, std::uint32_t offset, bool more) {
  auto& ip = *at<rte_ipv4_hdr>(piece, 0);
  if (offset != 0) keep_copied_options(at<std::uint8_t>(piece, kIpv4Header), original.upper - kIpv4Header);
  const std::uint32_t place = original.fragment_offset + offset;
  more |= original.more_fragments;
  ip.total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(rte_pktmbuf_pkt_len(piece)));
  ip.fragment_offset = rte_cpu_to_be_16(static_cast<std::uint16_t>(place / 8 | (more ? RTE_IPV4_HDR_MF_FLAG : 0)));
  set_checksum(ip);
}

void finish_v6(rte_mbuf* piece, const Cut& cut, std::uint32_t offset, bool more) {
  auto* ip = at<std::uint8_t>(piece, 0);
  auto* fragment = ip + cut.header;
  put_be16(ip + 4, static_cast<std::uint16_t>(rte_pktmbuf_pkt_len(piece) - kIpv6Header));
  fragment[0] = ip[6];
  fragment[1] = 0;
  put_be16(fragment + 2, static_cast<std::uint16_t>(offset | (more ? 1U : 0U)));
  const std::uint32_t id = rte_cpu_to_be_32(cut.id);
  std::memcpy(fragment + 4, &id, sizeof id);
  ip[6] = kProtocolFragment;
}

}  // namespace

std::size_t fragment_copy(rte_mempool* pool, rte_mbuf* m, std::uint16_t mtu, std::uint32_t id,
                          std::span<rte_mbuf*> out) {
  const auto ip = read_ip(m, 0);
  if (!ip) return 0;
  const bool v4 = ip->family == conf::Family::v4;
  if (mtu < (v4 ? kLeastIpv4Mtu : kLeastIpv6Mtu) || (!v4 && ip->fragment)) return 0;
  // IPv6: all behind the fixed header goes into the pieces, which have a fragment header each.
  const Cut cut{
      .header = v4 ? ip->upper : kIpv6Header, .fragment_header = v4 ? std::uint16_t{0} : kFragmentHeader, .id = id};
  if (rte_pktmbuf_pkt_len(m) <= cut.header) return 0;
  const std::uint32_t payload = rte_pktmbuf_pkt_len(m) - cut.header;
  const std::uint32_t piece = (mtu - cut.header - cut.fragment_header) & ~7U;
  std::size_t count = 0;
  for (std::uint32_t offset = 0; offset < payload; offset += piece) {
    const std::uint32_t n = std::min(piece, payload - offset);
    rte_mbuf* copy = count < out.size() ? rte_pktmbuf_alloc(pool) : nullptr;
    if (copy != nullptr) out[count++] = copy;
    if (copy == nullptr || !copy_piece(m, cut, offset, n, copy)) {
      rte_pktmbuf_free_bulk(out.data(), static_cast<unsigned>(count));
      return 0;
    }
    if (v4) {
      finish_v4(copy, *ip, offset, offset + n < payload);
    } else {
      finish_v6(copy, cut, offset, offset + n < payload);
    }
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

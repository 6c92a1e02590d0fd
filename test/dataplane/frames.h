// Packet buffers from octets and back, for tests of single stages.
#pragma once

#include <algorithm>
#include <stdexcept>

#include "dataplane/packet.h"
#include "dataplane/packet_ptr.h"
#include "test/support/eal.h"
#include "test/support/packets.h"

namespace causeway::test {

inline Bytes octets(rte_mbuf* m, std::uint32_t offset = 0) {
  Bytes out(rte_pktmbuf_pkt_len(m) - offset);
  const void* data =
      out.empty() ? nullptr : rte_pktmbuf_read(m, offset, static_cast<std::uint32_t>(out.size()), out.data());
  if (data != nullptr && data != out.data())
    std::copy_n(static_cast<const std::uint8_t*>(data), out.size(), out.begin());
  return out;
}

struct FrameLab {
  Pool pool = packet_pool(1023, 4096);

  dataplane::PacketPtr make(std::span<const std::uint8_t> bytes) {
    dataplane::PacketPtr m(rte_pktmbuf_alloc(pool.get()));
    if (!m) throw std::runtime_error("the packet pool is empty");
    dataplane::meta(m.get()) = dataplane::PacketMeta{};
    auto* to = rte_pktmbuf_append(m.get(), static_cast<std::uint16_t>(bytes.size()));
    if (to == nullptr) throw std::runtime_error("no room for so many octets");
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::uint8_t*>(to));
    return m;
  }
  // In two buffers, the first of which has `first` octets.
  dataplane::PacketPtr make_chain(std::span<const std::uint8_t> bytes, std::size_t first) {
    dataplane::PacketPtr head = make(bytes.first(first));
    if (rte_pktmbuf_chain(head.get(), make(bytes.subspan(first)).release()) != 0) throw std::runtime_error("no chain");
    return head;
  }
  [[nodiscard]] unsigned in_use() const { return rte_mempool_in_use_count(pool.get()); }
};

}  // namespace causeway::test

// Ownership of a packet outside a worker's burst. Workers move bare pointers in arrays (packet.h); a
// packet that is kept longer has an owner.
#pragma once

#include <rte_mbuf.h>

#include <memory>

namespace causeway::dataplane {

struct PacketFree {
  void operator()(rte_mbuf* m) const { rte_pktmbuf_free(m); }
};
using PacketPtr = std::unique_ptr<rte_mbuf, PacketFree>;

}  // namespace causeway::dataplane

// Where no hugepages are reserved, DPDK's memory is pages of 4 KiB, and the translation of addresses costs each packet some
// twenty cycles. Most kernels give huge pages to whoever asks for them by memory they touch (transparent huge pages), but
// not to DPDK's own, which is a shared file. So pools, tables and SAs get a heap of their own there.
#pragma once

#include <cstddef>

namespace causeway::dataplane {

// The heap's socket number for DPDK's calls; SOCKET_ID_ANY where there can be none. One a process, made by the first call:
// `octets` are set aside, and taken as they are touched.
int ordinary_heap(std::size_t octets);

// The one that is there, or SOCKET_ID_ANY.
int ordinary_heap();

}  // namespace causeway::dataplane

#include "dataplane/ordinary_heap.h"

#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_memory.h>
#include <sys/mman.h>

#include <cstdint>
#include <vector>

namespace causeway::dataplane {
namespace {

constexpr const char* kName = "causeway";
constexpr std::uintptr_t kHuge = std::uintptr_t{2} << 20;

}  // namespace

int ordinary_heap() {
  const int socket = rte_malloc_heap_get_socket(kName);
  return socket < 0 ? SOCKET_ID_ANY : socket;
}

int ordinary_heap(std::size_t octets) {
  octets = (octets + kHuge - 1) & ~(kHuge - 1);
  void* reserved = ::mmap(nullptr, octets + kHuge, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return SOCKET_ID_ANY;
  const auto begin = (reinterpret_cast<std::uintptr_t>(reserved) + kHuge - 1) & ~(kHuge - 1);
  auto* memory = reinterpret_cast<void*>(begin);
  // Keys will be there: never in a core dump.
  const bool huge = ::madvise(memory, octets, MADV_DONTDUMP) == 0 && ::madvise(memory, octets, MADV_HUGEPAGE) == 0;
  std::vector<rte_iova_t> addresses;
  if (rte_eal_iova_mode() == RTE_IOVA_VA)
    for (std::uintptr_t at = begin; at < begin + octets; at += kHuge) addresses.push_back(at);
  if (huge && rte_malloc_heap_create(kName) == 0) {
    if (rte_malloc_heap_memory_add(kName, memory, octets, addresses.empty() ? nullptr : addresses.data(),
                                   static_cast<unsigned>(octets / kHuge), kHuge) == 0)
      return ordinary_heap();
    rte_malloc_heap_destroy(kName);
  }
  ::munmap(reserved, octets + kHuge);
  return SOCKET_ID_ANY;
}

}  // namespace causeway::dataplane

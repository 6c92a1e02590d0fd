#include "test/dataplane/guarded.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

namespace causeway::test {

namespace {
constexpr std::size_t kPage = 4096;
}

GuardedArea::GuardedArea() {
  void* memory = ::mmap(nullptr, kRoom + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  memory_ = static_cast<std::uint8_t*>(memory);
  if (::mprotect(memory_ + kPage, kRoom, PROT_READ | PROT_WRITE) != 0) std::abort();
}

GuardedArea::~GuardedArea() { ::munmap(memory_, kRoom + 2 * kPage); }

void GuardedArea::attach(rte_mbuf* m, std::span<const std::uint8_t> octets, std::uint16_t head, std::uint16_t tail,
                         Edge edge) {
  const std::size_t room = head + octets.size() + tail;
  if (room > kRoom || used_) std::abort();
  used_ = true;
  shared_.free_cb = [](void*, void* area) { static_cast<GuardedArea*>(area)->used_ = false; };
  shared_.fcb_opaque = this;
  rte_mbuf_ext_refcnt_set(&shared_, 1);
  std::uint8_t* start = memory_ + kPage + (edge == Edge::back ? kRoom - room : 0);
  rte_pktmbuf_attach_extbuf(m, start, 0, static_cast<std::uint16_t>(room), &shared_);
  m->data_off = head;
  m->data_len = static_cast<std::uint16_t>(octets.size());
  m->pkt_len = m->data_len;
  std::copy(octets.begin(), octets.end(), start + head);
}

GuardedArea& GuardedBuffers::next() {
  for (const auto& area : areas_)
    if (area->free()) return *area;
  return *areas_.emplace_back(std::make_unique<GuardedArea>());
}

}  // namespace causeway::test

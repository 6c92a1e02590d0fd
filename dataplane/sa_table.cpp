#include "dataplane/sa_table.h"

#include <rte_malloc.h>

#include <new>

namespace causeway::dataplane {

namespace {

template <typename Sa>
Sa** pointers(std::size_t count, int socket) {
  void* memory = rte_zmalloc_socket("sa-table", count * sizeof(Sa*), RTE_CACHE_LINE_SIZE, socket);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<Sa**>(memory);
}

}  // namespace

void SaTable::Free::operator()(void* memory) const { rte_free(memory); }

SaTable::SaTable(const SpiCodec& codec, int socket)
    : codec_(codec),
      inbound_(pointers<InboundSa>(kSpiSlots, socket)),
      outbound_(pointers<OutboundSa>(kMaxChildSlots, socket)) {}

bool SaTable::insert(InboundSa& sa) {
  InboundSa*& slot = inbound_[codec_.decode(sa.spi).slot];
  if (slot != nullptr) return false;
  slot = &sa;
  changed();
  ++inbound_count_;
  return true;
}

bool SaTable::insert(OutboundSa& sa) {
  if (sa.child >= kMaxChildSlots) return false;
  sa.older = outbound_[sa.child];
  outbound_[sa.child] = &sa;
  changed();
  ++outbound_count_;
  return true;
}

InboundSa* SaTable::remove_inbound(std::uint32_t spi) {
  InboundSa* sa = find_inbound(spi);
  if (sa == nullptr) return nullptr;
  inbound_[codec_.decode(spi).slot] = nullptr;
  --inbound_count_;
  changed();
  return sa;
}

OutboundSa* SaTable::find_outbound(ChildSlot child, std::uint32_t spi) const {
  OutboundSa* sa = find_outbound(child);
  while (sa != nullptr && sa->spi != spi) sa = sa->older;
  return sa;
}

OutboundSa* SaTable::remove_outbound(ChildSlot child, std::uint32_t spi) {
  if (child >= kMaxChildSlots) return nullptr;
  for (OutboundSa** link = &outbound_[child]; *link != nullptr; link = &(*link)->older) {
    OutboundSa* sa = *link;
    if (sa->spi != spi) continue;
    *link = sa->older;
    sa->older = nullptr;
    --outbound_count_;
    changed();
    return sa;
  }
  return nullptr;
}

}  // namespace causeway::dataplane

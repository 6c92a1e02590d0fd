// The SAs of one worker. Inbound: the SPI names its slot, so a lookup is one decode, one array access and
// a comparison of the whole SPI. Outbound: by child, which has one current SA; those before it stay until
// they are removed, so that packets already chosen for them are sent. Outer addresses are never part of a
// lookup (RFC 4301 4.1 lets a unicast SPI stand alone).
//
// Touched by the owning worker alone. It holds SAs by bare pointer: they belong to whoever installed them,
// and are freed by control after they came back.
#pragma once

#include <cstdint>
#include <memory>

#include "dataplane/sa.h"
#include "dataplane/spi.h"

namespace causeway::dataplane {

class SaTable {
 public:
  SaTable(const SpiCodec& codec, int socket);

  [[nodiscard]] InboundSa* find_inbound(std::uint32_t spi) const {
    InboundSa* sa = inbound_[codec_.decode(spi).slot];
    return sa != nullptr && sa->spi == spi ? sa : nullptr;
  }
  [[nodiscard]] InboundSa* const* inbound_slot(const SpiParts& parts) const { return &inbound_[parts.slot]; }
  // What is in the SPI's slot: it may be another SPI's. For prefetching, without a look at it.
  [[nodiscard]] InboundSa* find_slot(std::uint32_t spi) const { return inbound_[codec_.decode(spi).slot]; }
  // nullptr where the child has none.
  [[nodiscard]] OutboundSa* find_outbound(ChildSlot child) const {
    return child < kMaxChildSlots ? outbound_[child] : nullptr;
  }

  bool insert(InboundSa& sa);                    // false: its slot is taken
  bool insert(OutboundSa& sa);                   // becomes its child's current one; false: no such child slot
  InboundSa* remove_inbound(std::uint32_t spi);  // nullptr where it is not here
  // The current one or one before it; when the current one goes, the one before it becomes current.
  OutboundSa* remove_outbound(ChildSlot child, std::uint32_t spi);
  [[nodiscard]] OutboundSa* find_outbound(ChildSlot child, std::uint32_t spi) const;

  // Grows with every change of the table: what was remembered of it before is void.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }

  // Above so many SAs, those of a burst are prefetched: fewer are in the cache anyway.
  static constexpr std::uint32_t kFew = 64;
  [[nodiscard]] bool many() const { return inbound_count_ + outbound_count_ > kFew; }
  [[nodiscard]] std::uint32_t inbound_count() const { return inbound_count_; }
  [[nodiscard]] std::uint32_t outbound_count() const { return outbound_count_; }

 private:
  void changed() { ++changes_; }
  struct Free {
    void operator()(void* memory) const;
  };
  SpiCodec codec_;
  std::unique_ptr<InboundSa*[], Free> inbound_;    // by slot
  std::unique_ptr<OutboundSa*[], Free> outbound_;  // by child
  std::uint32_t inbound_count_ = 0, outbound_count_ = 0;
  std::uint64_t changes_ = 0;
};

}  // namespace causeway::dataplane

#include "dataplane/spi.h"

#include <cstring>

namespace causeway::dataplane {

SpiCodec::SpiCodec(std::span<const std::uint8_t, kKeyOctets> key) : rounds_{} {
  static_assert(kKeyOctets == sizeof(rounds_));
  std::memcpy(rounds_.data(), key.data(), key.size());
  for (Round& round : rounds_) round.multiply |= 1;  // odd: no bit of the half is lost
}

SpiAllocator::SpiAllocator(const SpiCodec& codec) : codec_(codec), slots_(kSpiSlots) {
  for (std::uint32_t i = 0; i < kSpiSlots; ++i) free_.push_back(static_cast<std::uint16_t>(i));
}

std::uint32_t SpiAllocator::allocate_in(std::uint32_t bucket) {
  if (free_.empty()) return 0;
  const std::uint16_t index = free_.front();
  free_.pop_front();
  Slot& slot = slots_[index];
  do {
    slot.generation = static_cast<std::uint16_t>((slot.generation + 1) % kSpiGenerations);
    slot.spi = codec_.encode({bucket, index, slot.generation});
  } while (slot.spi < kFirstSpi);
  return slot.spi;
}

void SpiAllocator::release(std::uint32_t spi) {
  const SpiParts parts = codec_.decode(spi);
  Slot& slot = slots_[parts.slot];
  if (spi == 0 || slot.spi != spi) return;
  slot.spi = 0;
  free_.push_back(static_cast<std::uint16_t>(parts.slot));
}

}  // namespace causeway::dataplane

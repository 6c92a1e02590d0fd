// The neighbor cache under any sequence of packets to send, answers, announcements and time: it stays within its
// bounds, every packet is sent or counted, and whoever does not answer is given up.
//
//   for each event: octet kind, octet address, octet time in quarters of a second
#include "dataplane/neighbor.h"
#include "test/dataplane/frames.h"
#include "test/fuzz/fuzz.h"

namespace {

using namespace causeway;
using namespace causeway::dataplane;
using fuzz::must;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static test::FrameLab lab;
  const NeighborCache::Limits limits{.entries = 8, .held_per_neighbor = 3, .held_in_all = 10};
  NeighborCache cache(limits);
  fuzz::Input input(data, size);
  std::uint64_t now = 1000, held = 0, released = 0, dropped = 0;
  const auto settle = [&](const NeighborCache::Effects& effects) {
    for (const auto& release : effects.release) released += release.packets.size();
    dropped += effects.no_neighbor + effects.queue_full;
  };
  while (!input.empty()) {
    const std::uint8_t kind = input.u8();
    const auto address = conf::IpAddress::from_v4(0xc0000200U + input.u8() % 16);
    const auto port = static_cast<std::uint16_t>(kind >> 7);
    now += std::uint64_t{input.u8()} * 250;
    const Mac mac{2, 0, 0, 0, 0, static_cast<std::uint8_t>(kind >> 4 & 7)};
    NeighborCache::Effects effects;
    switch (kind % 6) {
      case 0:
      case 1:
        ++held;
        cache.hold(port, address, {lab.make(fuzz::Bytes(60)), 0}, now, effects);
        break;
      case 2:
        cache.used(port, address, now, effects);
        break;
      case 3:
        cache.learned(port, address, mac, true, false, now, effects);
        break;
      case 4:
        cache.learned(port, address, mac, false, (kind & 8) != 0, now, effects);
        break;
      default:
        if ((kind & 64) != 0) cache.forget_port(port, effects);
    }
    cache.tick(now, effects);
    settle(effects);
    must(cache.held() <= limits.held_in_all, "no more packets wait than may");
    must(held == released + dropped + cache.held(), "every packet is sent, waits, or is counted");
    if (cache.take_changed()) (void)cache.table();
    (void)cache.status(now);
  }
  for (int second = 0; second < 20; ++second) {
    NeighborCache::Effects effects;
    cache.tick(now += 1000, effects);
    settle(effects);
  }
  must(cache.held() == 0 && held == released + dropped, "nothing waits for ever");
  must(lab.in_use() == 0, "a buffer was leaked");
  return 0;
}

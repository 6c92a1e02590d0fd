// Fragments of datagrams in any number, order and overlap. Each datagram's octets are a function of its identifier
// and their place: what is put together is exactly that, without a hole, whatever came in between.
//
//   for each fragment: octet identifier and flags, octet offset in eights, octet length in fours, octet time
#include "dataplane/reassembly.h"
#include "test/dataplane/frames.h"
#include "test/fuzz/fuzz.h"

namespace {

using namespace causeway;
using namespace causeway::dataplane;
using fuzz::must;

std::uint8_t octet_at(std::uint8_t id, std::size_t place) {
  return static_cast<std::uint8_t>(place * 7 + place / 256 + id);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static test::FrameLab lab;
  static Counters counters;
  static test::Pool big = test::packet_pool(31, 16'000);
  {
    Reassembly reassembly(big.get(), counters);
    fuzz::Input input(data, size);
    std::uint64_t now = 1000;
    for (int count = 0; count < 400 && !input.empty(); ++count) {
      const std::uint8_t flags = input.u8(), id = flags & 15;
      const std::size_t offset = std::size_t{input.u8()} * 8;
      fuzz::Bytes body(std::size_t{input.u8()} * 4);
      now += input.u8();
      for (std::size_t i = 0; i < body.size(); ++i) body[i] = octet_at(id, offset + i);
      const bool more = (flags & 16) != 0;
      const test::Ipv4Fields fields{.source = "192.0.2.9",
                                    .destination = "192.0.2.1",
                                    .protocol = 17,
                                    .id = id,
                                    .fragment = static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000U : 0U))};
      const PacketPtr whole = reassembly.add(lab.make(test::ipv4(fields, body)), now);
      must(reassembly.held() <= Reassembly::kHeld, "memory is bounded");
      if (!whole) continue;
      const fuzz::Bytes packet = test::octets(whole.get());
      must(test::sound_ipv4(packet) || packet[9] == 17, "a whole datagram has a sound header");
      for (std::size_t i = 20; i < packet.size(); ++i)
        must(packet[i] == octet_at(id, i - 20), "a datagram is put together from its own octets in their places");
    }
  }
  must(lab.in_use() == 0 && rte_mempool_in_use_count(big.get()) == 0, "a buffer was leaked");
  return 0;
}

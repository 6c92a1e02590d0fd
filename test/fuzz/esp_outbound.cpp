// What leaves through a tunnel: any packet that passed classify comes out of the reference as it went in, or is too
// big for the tunnel, or is dropped under a name.
//
//   octet 0 SA, octet 1 flags, two octets length, then the packet's octets; its version and lengths are made to hold
#include "test/dataplane/esp_lab.h"
#include "test/fuzz/fuzz.h"

namespace {

using namespace causeway;
using namespace causeway::test;
using fuzz::Input;
using fuzz::must;

struct World {
  EspLab lab{4};
  std::vector<std::pair<SaPair, dataplane::OutboundSa*>> sas;

  World() {
    for (const bool udp : {false, true})
      for (const auto& [cipher, integrity] : {std::pair<std::string, std::string>{"aes128gcm16", ""},
                                              {"aes256", "sha256"},
                                              {"aes128ctr", "sha1"},
                                              {"chacha20poly1305", ""}}) {
        auto pair = lab.describe(dataplane::Direction::outbound, {cipher, integrity, false, udp});
        pair.spec.df = udp ? conf::DfPolicy::clear : conf::DfPolicy::copy;
        auto& sa = lab.install_outbound(pair.spec);
        sas.emplace_back(std::move(pair), &sa);
      }
  }
};

Bytes plausible(Input& input, bool v6) {
  Bytes packet = input.bytes(40U + input.u16() % 1600);
  packet.resize(std::max<std::size_t>(packet.size(), 40));
  const auto length = static_cast<std::uint16_t>(packet.size() - (v6 ? 40 : 0));
  packet[0] = v6 ? 0x60 : 0x45;
  packet[v6 ? 4 : 2] = static_cast<std::uint8_t>(length >> 8);
  packet[v6 ? 5 : 3] = static_cast<std::uint8_t>(length);
  return packet;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World w;
  Input input(data, size);
  auto& [pair, sa] = w.sas[input.u8() % w.sas.size()];
  const Bytes inner = plausible(input, input.flag());
  rte_mbuf* m = w.lab.packet(inner);
  dataplane::meta(m).sa.outbound = sa;
  dataplane::EspOutboundOut out;
  w.lab.outbound({&m, 1}, out);
  must(out.tx.count + out.too_big.count + out.drops.count == 1, "a packet goes one way");
  if (out.tx.count == 1) {
    const auto opened = reference_open(pair.reference, EspLab::octets(out.tx.packets[0]));
    must(opened.error.empty(), opened.error);
    must(opened.inner == inner, "the reference reads what went in");
    must(opened.octets <= 1500, "what leaves fits the link");
  }
  if (out.too_big.count == 1) must(inner.size() > sa->inner_mtu, "too big is too big");
  for (dataplane::Lane* lane : {&out.tx, &out.too_big, &out.drops}) EspLab::free(*lane);
  must(w.lab.in_use() == 0, "a buffer was leaked");
  return 0;
}

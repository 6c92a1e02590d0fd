// What arrives as ESP: octets of a stranger, and packets of a peer with the keys whose inside is anything, then
// bent on the way. A stranger's octets never come out in clear; a good packet in the same burst always does.
//
//   octet 0   how many packets (1-8), then for each: octet SA, octet how, and its octets
#include "test/dataplane/esp_lab.h"
#include "test/fuzz/fuzz.h"

namespace {

using namespace causeway;
using namespace causeway::test;
using fuzz::Input;
using fuzz::must;

struct Scene {
  SaPair pair;
  std::uint64_t sequence = 0;
};

struct World {
  EspLab lab{3};
  std::vector<Scene> scenes;

  World() {
    const TunnelShape shapes[] = {{"aes128gcm16", "", false, false, conf::Family::v4, 2048},
                                  {"aes256gcm16", "", true, true, conf::Family::v4, 64},
                                  {"aes256", "sha256", false, true, conf::Family::v4, 128},
                                  {"aes128", "sha1", false, false, conf::Family::v6, 2048},
                                  {"chacha20poly1305", "", false, true, conf::Family::v4, 2048},
                                  {"aes128gmac", "", true, false, conf::Family::v4, 2048}};
    for (const TunnelShape& shape : shapes) {
      scenes.push_back({lab.describe(dataplane::Direction::inbound, shape), 0});
      lab.install_inbound(scenes.back().pair.spec);
    }
  }
};

World& world() {
  static World instance;
  return instance;
}

Bytes seal(Scene& scene, const Bytes& inner, const SealOptions& options = {}) {
  return reference_seal(scene.pair.reference, ++scene.sequence, inner, options);
}

// What a peer with the keys may do: any inside, any trailer.
Bytes from_peer(Scene& scene, Input& input) {
  SealOptions options;
  const std::uint8_t how = input.u8();
  if ((how & 1) != 0) options.tfc = input.u8();
  if ((how & 2) != 0) options.extra_blocks = input.u8() % 8;
  if ((how & 4) != 0) options.next_header = input.u8();
  if ((how & 8) != 0) options.traffic_class = input.u8();
  Bytes inner =
      (how & 16) != 0 ? inner_packet(60U + input.u8(), conf::Family::v4, true) : input.bytes(input.u16() % 1500);
  for (int changes = (how & 32) != 0 ? input.u8() % 4 : 0; changes > 0 && !inner.empty(); --changes)
    inner[input.u16() % inner.size()] = input.u8();
  return seal(scene, inner, options);
}

struct Sent {
  rte_mbuf* packet;
  bool good, stranger;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World& w = world();
  Input input(data, size);
  std::vector<Sent> sent;
  const Bytes good_inner = inner_packet(100, conf::Family::v4, true);
  for (int count = 1 + input.u8() % 8; count > 0; --count) {
    Scene& scene = w.scenes[input.u8() % w.scenes.size()];
    const std::uint8_t how = input.u8();
    Bytes packet;
    const bool stranger = how % 3 != 0;
    if (how % 3 == 0) {
      packet = from_peer(scene, input);
    } else {
      packet = seal(scene, good_inner);
      if (how % 3 == 1) {  // a good one, bent behind the SPI
        const std::size_t esp = (packet[0] >> 4 == 4 ? 20U : 40U) + (scene.pair.spec.udp_encap ? 8U : 0U);
        const std::size_t at = esp + 4 + input.u16() % (packet.size() - esp - 4);
        const std::uint8_t mask = input.u8();
        packet[at] ^= mask != 0 ? mask : 1;
      } else {  // the right header, then anything
        packet.resize((packet[0] >> 4 == 4 ? 20U : 40U) + (scene.pair.spec.udp_encap ? 8U : 0U) + 4);
        const Bytes octets = input.bytes(input.u16() % 1600);
        packet.insert(packet.end(), octets.begin(), octets.end());
      }
    }
    // As one buffer or a chain; a guarded one ends at a page that must not be touched.
    const auto lie = how >= 0x80 ? EspLab::Lie::chain : how >= 0x60 ? EspLab::Lie::guarded_back : EspLab::Lie::pool;
    sent.push_back({w.lab.received(packet, lie), false, stranger});
    sent.push_back({w.lab.received(seal(scene, good_inner)), true, false});
  }
  std::vector<rte_mbuf*> burst;
  for (const Sent& s : sent) burst.push_back(s.packet);
  dataplane::EspInboundOut out;
  w.lab.inbound(burst, out);
  must(out.clear.count + out.drops.count == sent.size(), "every packet goes one way");
  for (rte_mbuf* m : out.clear.span()) {
    const auto at = std::ranges::find(sent, m, &Sent::packet);
    must(at != sent.end() && !at->stranger, "a stranger's octets came out in clear");
    if (at->good) must(EspLab::octets(m) == good_inner, "a good packet comes out as it went in");
  }
  for (rte_mbuf* m : out.drops.span()) {
    const auto at = std::ranges::find(sent, m, &Sent::packet);
    must(at != sent.end() && !at->good, "a bad packet spoilt a good one of its burst");
  }
  EspLab::free(out.clear);
  EspLab::free(out.drops);
  must(w.lab.in_use() == 0, "a buffer was leaked");
  return 0;
}

// One-to-one translation of any packet, between forbidden pages, in one buffer or in two: nothing is read or written
// beyond it, what was sound stays sound, only what may change changes, and undo gives back what there was.
//
//   octet flags (family, how it lies, way, quoted), octet protocol, octets that choose the addresses, then the rest
#include "dataplane/translate.h"
#include "test/dataplane/esp_lab.h"
#include "test/fuzz/fuzz.h"
#include "test/support/packets.h"

namespace {

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;
using fuzz::Input;
using fuzz::must;

constexpr TunnelId kTunnel = 1;

conf::Prefix prefix(const char* text) { return *conf::Prefix::parse(text); }

struct World {
  EspLab lab{5};
  TranslationTable table{std::vector<TranslationSpec>{{kTunnel, prefix("192.168.1.0/24"), prefix("10.200.7.0/24")},
                                                      {kTunnel, prefix("fd00:a::/64"), prefix("fd00:5ee:1::/64")},
                                                      {kTunnel, prefix("172.16.0.0/15"), prefix("10.202.0.0/15")}}};
};

const char* const kAddresses4[] = {"192.168.1.77", "172.17.3.4", "10.201.7.9", "10.200.7.5", "10.203.0.1"};
const char* const kAddresses6[] = {"fd00:a::5:6", "fd00:b::9", "fd00:5ee:1::7"};
// The first two (IPv6: the first) are ours, the last two (the last) what the peer sees of them.

struct Made {
  Bytes packet;
  bool seen = false;  // an address is one that translation itself makes: undo cannot know that it was there before
};

Made make(Input& input, bool v6, bool quoting) {
  const std::uint8_t protocol = input.u8(), choice = input.u8();
  const std::size_t from = choice % (v6 ? 2U : 3U), to = choice / 3U % (v6 ? 3U : 5U);
  const auto address = [v6](std::size_t i) { return v6 ? kAddresses6[i] : kAddresses4[i]; };
  Bytes body = input.bytes(1400);
  bool seen = false;
  if (quoting) {  // an ICMP error about a packet that went the other way
    const std::size_t about_from = body.empty() ? 0 : body[0] % (v6 ? 3U : 5U);
    const std::size_t about_to = body.size() < 2 ? 0 : body[1] % (v6 ? 2U : 3U);
    seen = true;  // its source may be anything
    const std::uint8_t inner = body.size() < 3 ? 17 : body[2];
    const Bytes rest(body.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(body.size(), 3)), body.end());
    if (v6) {
      const Bytes about =
          ipv6({.source = address(about_from), .destination = address(about_to), .next_header = inner}, rest);
      return {icmp6_packet({.source = address(from), .destination = address(to), .next_header = 58}, 1, 3, 0, about),
              seen};
    }
    const Bytes about =
        ipv4({.source = address(about_from), .destination = address(about_to), .protocol = inner}, rest);
    return {ipv4({.source = address(from), .destination = address(to), .protocol = 1}, icmp(3, 1, 0, about)), seen};
  }
  if (v6) return {ipv6({.source = address(from), .destination = address(to), .next_header = protocol}, body), seen};
  Bytes options(choice % 11U * 4U, 1);
  return {
      ipv4({.source = address(from), .destination = address(to), .protocol = protocol, .options = std::move(options)},
           body),
      seen};
}

// One's complement knows two zeros: a checksum that was one may come back as the other.
bool same(const Bytes& a, const Bytes& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](std::uint8_t x, std::uint8_t y) { return x == y || (x ^ y) == 0xff; });
}

bool sound(const Bytes& packet) { return packet[0] >> 4 == 4 ? sound_ipv4(packet) : sound_ipv6(packet); }

bool mentions_seen(const Bytes& packet) {
  const std::uint8_t made[][3] = {{10, 200, 7}, {10, 202, 0}, {10, 203, 0}, {0xfd, 0x00, 0x05}};
  return std::any_of(std::begin(made), std::end(made), [&](const auto& m) {
    const std::size_t octets = m[1] > 201 ? 2 : 3;
    return std::search(packet.begin() + 20, packet.end(), m, m + octets) != packet.end();
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World w;
  Input input(data, size);
  const std::uint8_t flags = input.u8();
  const bool v6 = (flags & 1) != 0;
  const Made made = make(input, v6, (flags & 8) != 0);
  Bytes packet = made.packet;
  const bool damaged = (flags & 16) != 0;
  if (damaged && packet.size() > 41) packet.resize(41 + size % (packet.size() - 41));  // its lengths say more
  const auto lie = static_cast<EspLab::Lie>(flags >> 1 & 3);
  rte_mbuf* m = w.lab.packet(packet, packet.size() > 150 ? lie : EspLab::Lie::pool, {}, 100);
  if ((flags & 32) != 0) {
    w.table.inbound(m, kTunnel);
    must(EspLab::octets(m).size() == packet.size(), "translation keeps the length");
    must(damaged || !sound(packet) || sound(EspLab::octets(m)), "what was sound is sound when it has come in");
  } else {
    w.table.outbound(m, kTunnel);
    const Bytes out = EspLab::octets(m);
    must(out.size() == packet.size(), "translation keeps the length");
    must(damaged || !sound(packet) || sound(out), "what was sound is sound when it leaves");
    const std::size_t destination = v6 ? 24 : 16, octets = v6 ? 16 : 4;
    must(std::equal(out.begin() + static_cast<std::ptrdiff_t>(destination),
                    out.begin() + static_cast<std::ptrdiff_t>(destination + octets),
                    packet.begin() + static_cast<std::ptrdiff_t>(destination)),
         "the peer's address stays");
    w.table.undo(m, kTunnel);
    if (!made.seen && !mentions_seen(packet)) must(same(EspLab::octets(m), packet), "undo gives back what there was");
  }
  rte_pktmbuf_free(m);
  must(w.lab.in_use() == 0, "a buffer was leaked");
  return 0;
}

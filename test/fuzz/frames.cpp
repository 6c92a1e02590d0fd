// Whatever a port receives: several frames one after the other, each classified and then handled as its verdict
// says: ARP read, ICMP checked, answered and quoted, fragments put together, clear packets cut to an MTU.
//
//   for each frame: octet port and flags, octet length in eights, the octets
#include "test/dataplane/frames.h"
#include "dataplane/arp.h"
#include "dataplane/classify.h"
#include "dataplane/fragment.h"
#include "dataplane/icmp.h"
#include "dataplane/reassembly.h"
#include "test/fuzz/fuzz.h"

namespace {

using namespace causeway;
using namespace causeway::dataplane;
using fuzz::Input;
using fuzz::must;

struct World : test::FrameLab {
  std::vector<PortSetup> ports = [] {
    std::vector<PortSetup> p(2);
    p[0].addresses = {*conf::Prefix::parse("192.0.2.1/24")};
    p[1].addresses = {*conf::Prefix::parse("10.1.0.1/16")};
    p[1].trusted = true;
    return p;
  }();
  RouteTable routes{ports, {}};
  std::vector<PortView> views = [] {
    std::vector<PortView> v(2);
    v[0].mac = v[1].mac = {2, 0, 0, 0, 0, 1};
    v[1].trusted = true;
    return v;
  }();
  Counters counters;
  test::Pool big = test::packet_pool(31, 16'000);
};

void on_local(World& w, rte_mbuf* m) {
  const std::uint16_t offset = meta(m).l3_offset;
  if (offset > 0) rte_pktmbuf_adj(m, offset);
  meta(m).l3_offset = 0;
  if (!icmp_holds(m)) return;
  const PacketPtr error =
      make_icmp_error(w.pool.get(), m, kIcmpUnreachable, kCodeFragmentationNeeded, 1400, 0xc0000201);
  if (error) must(test::sound_ipv4(test::octets(error.get())), "an error we send is sound");
  if (const auto quoted = read_icmp_error(m)) (void)quoted->quoted_source;
  if (test::octets(m)[(test::octets(m)[0] & 15U) * 4U] != kIcmpEcho) return;
  make_echo_reply(m);
  must(test::sound_ipv4(test::octets(m)), "a reply to a checked echo is sound");
}

void on_clear(World& w, rte_mbuf* m, std::uint16_t mtu) {
  const Flow flow = flow_of(m, meta(m).l3_offset);
  must(flow.source != nullptr && flow.destination != nullptr, "a clear packet has addresses");
  rte_pktmbuf_adj(m, meta(m).l3_offset);
  if (flow.family != conf::Family::v4) return;
  const PacketPtr error = make_icmp_error(w.pool.get(), m, kIcmpTimeExceeded, 0, 0, 0xc0000201);
  if (error) must(test::sound_ipv4(test::octets(error.get())), "an error we send is sound");
  std::array<rte_mbuf*, kMaxPieces> pieces;
  const std::size_t n = fragment_copy(w.pool.get(), m, mtu, pieces);
  for (std::size_t i = 0; i < n; ++i) {
    must(rte_pktmbuf_pkt_len(pieces[i]) <= mtu || n == 1, "a piece fits");
    rte_pktmbuf_free(pieces[i]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World w;
  {
    Reassembly reassembly(w.big.get(), w.counters);
    Input input(data, size);
    std::uint64_t now = 1000;
    for (int count = 0; count < 16 && !input.empty(); ++count) {
      const std::uint8_t flags = input.u8();
      const std::uint16_t port = flags & 1U;
      const fuzz::ByteView octets = input.take(std::size_t{input.u8()} * 8);
      const PacketPtr packet =
          (flags & 2) != 0 && octets.size() > 80 ? w.make_chain(octets, 16 + (flags >> 2)) : w.make(octets);
      rte_mbuf* m = packet.get();
      Verdict verdict = classify(m, w.views[port], port, w.routes);
      switch (verdict) {
        case Verdict::arp:
          (void)parse_arp(m);
          break;
        case Verdict::local:
          on_local(w, m);
          break;
        case Verdict::clear:
          on_clear(w, m, static_cast<std::uint16_t>(68 + flags * 4));
          break;
        case Verdict::esp:
        case Verdict::ike:
          must(meta(m).esp_offset <= rte_pktmbuf_pkt_len(m), "an offset lies in its packet");
          break;
        case Verdict::fragment: {
          PacketPtr copy = w.make(test::octets(m));
          meta(copy.get()) = meta(m);
          const PacketPtr whole = reassembly.add(std::move(copy), now += flags);
          if (whole) (void)classify_ip(whole.get(), w.views[port], port, w.routes);
          break;
        }
        default:
          break;
      }
    }
    reassembly.housekeeping(now + 100'000);
    must(reassembly.held() == 0, "fragments do not wait for ever");
  }
  must(w.in_use() == 0 && rte_mempool_in_use_count(w.big.get()) == 0, "a buffer was leaked");
  return 0;
}

// Whatever a port receives: several frames one after the other, each classified and then handled as its verdict
// says: ARP and neighbor discovery read, ICMP checked, answered and quoted, fragments put together, clear packets
// clamped and cut to an MTU. Both families.
//
//   for each frame: octet port and flags, octet length in eights, the octets
#include "test/dataplane/frames.h"
#include "dataplane/arp.h"
#include "dataplane/classify.h"
#include "dataplane/ethernet.h"
#include "dataplane/fragment.h"
#include "dataplane/icmp.h"
#include "dataplane/inner_packet.h"
#include "dataplane/nd.h"
#include "dataplane/reassembly.h"
#include "dataplane/tcp_mss.h"
#include "test/fuzz/fuzz.h"

namespace {

using namespace causeway;
using namespace causeway::dataplane;
using fuzz::Input;
using fuzz::must;

const conf::IpAddress kOwn4 = *conf::IpAddress::parse("192.0.2.1"), kOwn6 = *conf::IpAddress::parse("2001:db8::1");

struct World : test::FrameLab {
  std::vector<PortSetup> ports = [] {
    std::vector<PortSetup> p(2);
    p[0].addresses = {*conf::Prefix::parse("192.0.2.1/24"), *conf::Prefix::parse("2001:db8::1/64")};
    p[1].addresses = {*conf::Prefix::parse("10.1.0.1/16"), *conf::Prefix::parse("fd01::1/64")};
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

void must_be_sound(rte_mbuf* m, std::string_view what) {
  const test::Bytes packet = test::octets(m);
  must(packet[0] >> 4 == 4 ? test::sound_ipv4(packet) : test::sound_ipv6(packet), what);
}

void try_error(World& w, rte_mbuf* m, const IpHeader& ip, IcmpReason reason) {
  const auto& own = ip.family == conf::Family::v4 ? kOwn4 : kOwn6;
  const PacketPtr error = make_icmp_error(w.pool.get(), m, ip, reason, 1400, own);
  if (error) must_be_sound(error.get(), "an error we send is sound");
}

void on_local(World& w, rte_mbuf* m) {
  rte_pktmbuf_adj(m, meta(m).l3_offset);
  meta(m).l3_offset = 0;
  const auto ip = read_ip(m, 0);
  must(ip.has_value(), "a local packet has a header");
  if (!icmp_holds(m, *ip)) return;
  try_error(w, m, *ip, IcmpReason::too_big);
  if (const auto quoted = read_icmp_error(m, *ip)) (void)quoted->source.str();
  if (!is_echo_request(m, *ip)) return;
  make_echo_reply(m, *ip);
  must_be_sound(m, "a reply to a checked echo is sound");
}

void on_neighbor(rte_mbuf* m) {
  const EthernetHeader ethernet = read_ethernet(m);
  if (ethernet.type != RTE_ETHER_TYPE_ARP) return (void)parse_nd(m);
  rte_pktmbuf_adj(m, ethernet.octets);
  (void)parse_arp(m);
}

void on_clear(World& w, rte_mbuf* m, std::uint16_t mtu) {
  rte_pktmbuf_adj(m, meta(m).l3_offset);
  meta(m).l3_offset = 0;
  const auto ip = read_ip(m, 0);
  must(ip.has_value() && ip->total <= rte_pktmbuf_pkt_len(m), "a clear packet has a header that holds");
  const Flow flow = flow_of(m, 0, *ip);
  must(flow.source != nullptr && flow.destination != nullptr, "a clear packet has addresses");
  (void)parse_inner(test::octets(m));
  for (const IcmpReason reason : {IcmpReason::hop_limit, IcmpReason::prohibited}) try_error(w, m, *ip, reason);
  (void)clamp_mss(m, *ip, 1300);
  std::array<rte_mbuf*, kMaxPieces> pieces;
  const std::size_t n = fragment_copy(w.pool.get(), m, mtu, 7, pieces);
  for (std::size_t i = 0; i < n; ++i) {
    must(rte_pktmbuf_pkt_len(pieces[i]) <= mtu, "a piece fits");
    rte_pktmbuf_free(pieces[i]);
  }
}

void on_fragment(World& w, Reassembly& reassembly, rte_mbuf* m, const PortView& port, std::uint64_t now) {
  PacketPtr copy = w.make(test::octets(m));
  meta(copy.get()) = meta(m);
  const PacketPtr whole = reassembly.add(std::move(copy), now);
  if (!whole) return;
  meta(whole.get()).l3_offset = 0;
  const Verdict verdict = classify_ip(whole.get(), port, w.routes);
  must(verdict != Verdict::fragment, "what was put together is no fragment");
  if (verdict == Verdict::local) on_local(w, whole.get());
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
      const PortView& port = w.views[flags & 1U];
      const fuzz::ByteView octets = input.take(std::size_t{input.u8()} * 8);
      const PacketPtr packet =
          (flags & 2) != 0 && octets.size() > 80 ? w.make_chain(octets, 16 + (flags >> 2)) : w.make(octets);
      rte_mbuf* m = packet.get();
      meta(m).in_port = flags & 1U;
      switch (classify(m, read_ethernet(m), port, w.routes)) {
        case Verdict::neighbor:
          on_neighbor(m);
          break;
        case Verdict::local:
          on_local(w, m);
          break;
        case Verdict::clear:
          on_clear(w, m, static_cast<std::uint16_t>(1280 + flags));
          break;
        case Verdict::esp:
        case Verdict::ike:
          must(meta(m).esp_offset <= rte_pktmbuf_pkt_len(m), "an offset lies in its packet");
          break;
        case Verdict::fragment:
          on_fragment(w, reassembly, m, port, now += flags);
          break;
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

// ICMP, ICMPv6 and neighbor discovery behind the checksum: any message, addressed to us or on its way through, whose
// length and checksum hold, which random octets hardly ever do. What we answer or say about it is sound.
//
//   octet flags (family, for us or through, chained), octet type, octet code, four octets, then the body
#include "test/dataplane/frames.h"
#include "dataplane/ethernet.h"
#include "dataplane/icmp.h"
#include "dataplane/inner_packet.h"
#include "dataplane/nd.h"
#include "dataplane/policy.h"
#include "test/fuzz/fuzz.h"

namespace {

using namespace causeway;
using namespace causeway::dataplane;
using fuzz::Input;
using fuzz::must;

const conf::IpAddress kOwn4 = *conf::IpAddress::parse("192.0.2.1"), kOwn6 = *conf::IpAddress::parse("2001:db8::1");
const test::Bytes kOwnMac = test::mac_address("02:00:00:00:00:01"), kOtherMac = test::mac_address("02:00:00:00:00:99");

test::Bytes message(Input& input, bool v6, bool for_us) {
  const std::uint8_t type = input.u8(), code = input.u8();
  const auto rest = static_cast<std::uint32_t>(input.u16()) << 16 | input.u16();
  const fuzz::ByteView body = input.take(1400);
  if (v6) {
    const std::uint8_t hop_limit = type >= 133 && type <= 137 ? 255 : 64;  // RFC 4861 asks for 255
    return test::icmp6_packet({.source = "2001:db8::9",
                               .destination = for_us ? "2001:db8::1" : "fd01::5",
                               .next_header = 58,
                               .hop_limit = hop_limit},
                              type, code, rest, body);
  }
  return test::ipv4({.source = "192.0.2.9", .destination = for_us ? "192.0.2.1" : "10.1.0.5", .protocol = 1},
                    test::icmp(type, code, rest, body));
}

void must_be_sound(rte_mbuf* m, std::string_view what) {
  const test::Bytes packet = test::octets(m);
  must(packet[0] >> 4 == 4 ? test::sound_ipv4(packet) : test::sound_ipv6(packet), what);
}

void about(test::FrameLab& lab, rte_mbuf* m, const IpHeader& ip) {
  const auto& own = ip.family == conf::Family::v4 ? kOwn4 : kOwn6;
  for (const IcmpReason reason : {IcmpReason::too_big, IcmpReason::hop_limit, IcmpReason::no_route}) {
    const PacketPtr error = make_icmp_error(lab.pool.get(), m, ip, reason, 1400, own);
    if (!error) continue;
    must_be_sound(error.get(), "an error we send is sound");
    // RFC 792 quotes a header and eight octets at least; RFC 4443 2.4 (c) as much as fits the least MTU.
    must(rte_pktmbuf_pkt_len(error.get()) <= 1280, "an error about a packet is no amplifier");
    const auto again = read_ip(error.get(), 0);
    must(again.has_value() && !make_icmp_error(lab.pool.get(), error.get(), *again, reason, 1400, own),
         "there is no error about an error");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static test::FrameLab lab;
  Input input(data, size);
  {
    const std::uint8_t flags = input.u8();
    const bool v6 = (flags & 1) != 0, for_us = (flags & 2) == 0;
    const test::Bytes packet = message(input, v6, for_us);
    const PacketPtr owned = (flags & 4) != 0 && packet.size() > 100 ? lab.make_chain(packet, 80) : lab.make(packet);
    rte_mbuf* m = owned.get();
    const auto ip = read_ip(m, 0);
    must(ip.has_value(), "a message has a header");
    (void)parse_inner(test::octets(m));
    (void)flow_of(m, 0, *ip);
    about(lab, m, *ip);
    if (icmp_holds(m, *ip)) {
      if (const auto quoted = read_icmp_error(m, *ip)) {
        (void)quoted->source.str();
        must(!is_echo_request(m, *ip), "an error is no request");
      }
      if (is_echo_request(m, *ip)) {
        make_echo_reply(m, *ip);
        must_be_sound(m, "a reply to a checked echo is sound");
      }
    }
    if (v6) {
      const PacketPtr frame = lab.make(test::ethernet(kOwnMac, kOtherMac, RTE_ETHER_TYPE_IPV6, packet));
      meta(frame.get()).l3_offset = sizeof(rte_ether_hdr);
      if (const auto nd = parse_nd(frame.get())) {
        const PacketPtr made = make_nd(lab.pool.get(), {2, 0, 0, 0, 0, 1}, *nd);
        if (made) must_be_sound(made.get(), "a neighbor message of ours is sound");
      }
    }
  }
  must(lab.in_use() == 0, "a buffer was leaked");
  return 0;
}

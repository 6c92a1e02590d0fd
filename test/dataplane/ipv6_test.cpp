// IPv6: headers, neighbor discovery, ICMPv6, fragments, and what classification makes of them.
#include <random>

#include "dataplane/classify.h"
#include "dataplane/fragment.h"
#include "dataplane/icmp.h"
#include "dataplane/nd.h"
#include "dataplane/reassembly.h"
#include "test/dataplane/frames.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

constexpr auto kUs = "2001:db8::1", kPeer = "2001:db8::2", kFar = "2001:db8:9::7";
const Bytes kOurs = mac_address("02:00:00:00:00:01"), kTheirs = mac_address("02:00:00:00:00:02");
conf::IpAddress address(const std::string& text) { return *conf::IpAddress::parse(text); }

struct Lab : FrameLab {
  std::vector<PortSetup> ports = [] {
    std::vector<PortSetup> p(2);
    p[0].addresses = {*conf::Prefix::parse("2001:db8::1/64"), *conf::Prefix::parse("fe80::ff:fe00:1/128")};
    p[1].addresses = {*conf::Prefix::parse("fd01::1/64")};
    p[1].trusted = true;
    return p;
  }();
  RouteTable routes{ports, {}};
  PortView wan = [] {
    PortView view;
    view.mac = {2, 0, 0, 0, 0, 1};
    return view;
  }();
  PacketPtr last;

  Verdict look(const Bytes& packet, const Bytes& to = kOurs) {
    last = make(ethernet(to, kTheirs, 0x86dd, packet));
    return classify(last.get(), read_ethernet(last.get()), wan, routes);
  }
  Drop why(const Bytes& packet) {
    REQUIRE(look(packet) == Verdict::drop);
    return meta(last.get()).drop;
  }
};

// Hop-by-hop options in front of `packet`'s upper layer.
Bytes with_hop_by_hop(Bytes packet, std::size_t extra = 0) {
  Bytes options(8 + 8 * extra);
  options[0] = packet[6];
  options[1] = static_cast<std::uint8_t>(extra);
  options[2] = 1;  // PadN
  options[3] = static_cast<std::uint8_t>(4 + 8 * extra);
  packet[6] = 0;
  packet.insert(packet.begin() + 40, options.begin(), options.end());
  const std::size_t payload = packet.size() - 40;
  packet[4] = static_cast<std::uint8_t>(payload >> 8);
  packet[5] = static_cast<std::uint8_t>(payload);
  return packet;
}

std::vector<std::pair<Verdict, Bytes>> samples() {
  const Ipv6Fields to{.source = kFar, .destination = kUs};
  const Bytes body = counting(40), esp(body.begin() + 1, body.end());
  Bytes ike(4);
  ike.insert(ike.end(), body.begin(), body.end());
  return {{Verdict::ike, udp6_packet(to, 500, 500, body)},
          {Verdict::ike, udp6_packet(to, 4500, 4500, ike)},
          {Verdict::esp, udp6_packet(to, 4500, 4500, esp)},
          {Verdict::esp, ipv6({.source = kFar, .destination = kUs, .next_header = 50}, esp)},
          {Verdict::esp, with_hop_by_hop(ipv6({.source = kFar, .destination = kUs, .next_header = 50}, esp), 1)},
          {Verdict::keepalive, udp6_packet(to, 4500, 4500, Bytes{0xff})},
          {Verdict::local, icmp6_packet(to, 128, 0, 1, body)},
          {Verdict::fragment, fragments6_of(udp6_packet(to, 500, 500, body), 16, 7)[0]},
          {Verdict::clear, udp6_packet({.source = kFar, .destination = "fd01::9"}, 1, 2, body)}};
}

}  // namespace

TEST_CASE("Each kind of IPv6 packet gets its verdict, and what is refused its name") {
  Lab lab;
  for (const auto& [verdict, packet] : samples()) CHECK(lab.look(packet) == verdict);
  const Bytes body = counting(32);
  Bytes bad = udp6_packet({.source = kFar, .destination = kUs}, 500, 500, body);
  bad.back() ^= 1;
  CHECK(lab.why(bad) == Drop::bad_udp_header);
  CHECK(lab.why(udp6_packet({.source = kFar, .destination = kUs}, 500, 53, body)) == Drop::not_for_us);
  CHECK(lab.why(ipv6({.source = kFar, .destination = kUs, .next_header = 50}, Bytes(7))) == Drop::esp_malformed);
  for (const char* source : {"::", "::1", "ff02::1", "2001:db8::1", "::ffff:a00:1"})
    CHECK(lab.why(icmp6_packet({.source = source, .destination = kUs}, 128, 0, 1, body)) == Drop::martian);
  CHECK(lab.why(icmp6_packet({.source = kFar, .destination = "::1"}, 128, 0, 1, body)) == Drop::martian);
  CHECK(lab.why(icmp6_packet({.source = kFar, .destination = "ff02::1"}, 128, 0, 1, body)) == Drop::not_for_us);
  CHECK(lab.why(icmp6_packet({.source = kFar, .destination = "fd01::1"}, 128, 0, 1, body)) == Drop::untrusted_clear);
  CHECK(lab.why(udp6_packet({.source = "fe80::9", .destination = "fd01::9"}, 1, 2, body)) == Drop::not_for_us);
  Bytes routing = ipv6({.source = kFar, .destination = kUs, .next_header = 43}, Bytes{50, 2, 0, 1, 0, 0, 0, 0});
  routing.resize(routing.size() + 32);
  routing[5] = static_cast<std::uint8_t>(routing.size() - 40);
  CHECK(lab.why(routing) == Drop::bad_ip_header);  // RFC 5095
  CHECK(lab.look(icmp6_packet({.source = "fe80::9", .destination = "fe80::ff:fe00:1"}, 128, 0, 1, body)) ==
        Verdict::local);
}

TEST_CASE("IPv6 cut at every length is a drop; with every octet mutated its verdict keeps its promises") {
  Lab lab;
  std::mt19937_64 random(2);
  for (const auto& [verdict, packet] : samples()) {
    for (std::size_t n = 0; n < packet.size(); ++n)
      REQUIRE(lab.look({packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(n)}) == Verdict::drop);
    for (std::size_t at = 0; at < packet.size(); ++at) {
      for (int n = 0; n < 20; ++n) {
        Bytes changed = packet;
        changed[at] = static_cast<std::uint8_t>(n < 8 ? changed[at] ^ 1U << n : random());
        const Verdict got = lab.look(changed);
        const std::uint32_t length = rte_pktmbuf_pkt_len(lab.last.get());
        if (got == Verdict::esp) REQUIRE(meta(lab.last.get()).esp_offset + 8U <= length);
        if (got == Verdict::ike) REQUIRE(meta(lab.last.get()).esp_offset <= length);
        if (got == Verdict::local || got == Verdict::clear || got == Verdict::fragment) {
          const auto ip = read_ip(lab.last.get(), 14);
          REQUIRE(ip);
          REQUIRE(ip->total == length - 14);
          REQUIRE(ip->upper <= ip->total);
        }
      }
    }
  }
}

TEST_CASE("Neighbor discovery reads what it writes, refuses what RFC 4861 refuses, and survives any change") {
  Lab lab;
  const Mac own{2, 0, 0, 0, 0, 1};
  const NdMessage question{.solicitation = true,
                           .solicited = false,
                           .override_known = false,
                           .source = address(kPeer),
                           .destination = solicited_node(address(kUs)),
                           .target = address(kUs),
                           .link_address = {}};
  CHECK(question.destination.str() == "ff02::1:ff00:1");
  CHECK(multicast_mac(question.destination) == Mac{0x33, 0x33, 0xff, 0, 0, 1});
  CHECK(link_local(own).str() == "fe80::ff:fe00:1");
  const PacketPtr made = make_nd(lab.pool.get(), own, question);
  const Bytes packet = octets(made.get());
  REQUIRE(sound_ipv6(packet));
  CHECK(packet[7] == 255);
  CHECK(lab.look(packet, mac_address("33:33:ff:00:00:01")) == Verdict::neighbor);
  const auto read = parse_nd(lab.last.get());
  REQUIRE(read);
  CHECK(read->solicitation);
  CHECK(read->target == question.target);
  CHECK(read->source == question.source);
  CHECK(read->link_address == own);

  const auto parse = [&](const Bytes& p) {
    PacketPtr m = lab.make(p);
    meta(m.get()).l3_offset = 0;
    return parse_nd(m.get());
  };
  Bytes changed = packet;
  changed[7] = 254;  // from beyond the link
  CHECK_FALSE(parse(changed));
  for (std::size_t n = 0; n < packet.size(); ++n)
    CHECK_FALSE(parse({packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(n)}));
  for (std::size_t at = 0; at < packet.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      changed = packet;
      changed[at] ^= static_cast<std::uint8_t>(1U << bit);
      const bool unprotected = at < 4 || at == 7;  // traffic class and flow label; hop limit is checked apart
      if (!unprotected || at == 7) CHECK_FALSE(parse(changed));
    }
  }
}

TEST_CASE("An ICMPv6 echo becomes a sound reply; errors quote up to 1280 octets and name the MTU in full") {
  Lab lab;
  for (std::size_t n : {0U, 1U, 56U, 1200U}) {
    PacketPtr m =
        lab.make(icmp6_packet({.source = kFar, .destination = kUs, .hop_limit = 9}, 128, 0, 0x12345678, counting(n)));
    const IpHeader ip = *read_ip(m.get(), 0);
    REQUIRE(icmp_holds(m.get(), ip));
    REQUIRE(is_echo_request(m.get(), ip));
    make_echo_reply(m.get(), ip);
    const Bytes reply = octets(m.get());
    REQUIRE(sound_ipv6(reply));
    CHECK(reply[40] == 129);
    CHECK(Bytes(reply.begin() + 24, reply.begin() + 40) == ipv6_address(kFar));
  }
  const Bytes original = udp6_packet({.source = "fd01::5", .destination = "fd02::7"}, 1, 2, counting(1400));
  const PacketPtr big = lab.make(original);
  const PacketPtr error =
      make_icmp_error(lab.pool.get(), big.get(), *read_ip(big.get(), 0), IcmpReason::too_big, 1386, address("fd01::1"));
  REQUIRE(error);
  const Bytes packet = octets(error.get());
  CHECK(sound_ipv6(packet));
  CHECK(packet.size() == 1280);
  CHECK(packet[40] == 2);
  CHECK((packet[46] << 8 | packet[47]) == 1386);
  CHECK(std::equal(packet.begin() + 48, packet.end(), original.begin()));
  const PacketPtr about_error = lab.make(packet);
  CHECK_FALSE(make_icmp_error(lab.pool.get(), about_error.get(), *read_ip(about_error.get(), 0), IcmpReason::no_route,
                              0, address("fd01::1")));

  const Bytes sent =
      ipv6({.source = kUs, .destination = kPeer, .next_header = 50}, Bytes{0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 9});
  const PacketPtr received = lab.make(icmp6_packet({.source = kFar, .destination = kUs}, 2, 0, 1300, sent));
  const auto quoted = read_icmp_error(received.get(), *read_ip(received.get(), 0));
  REQUIRE(quoted);
  CHECK(quoted->error.spi == 0xcafebabe);
  CHECK(quoted->sequence == 9U);
  CHECK(quoted->error.mtu == 1300);
  CHECK(quoted->source == address(kUs));
}

TEST_CASE("IPv6 packets of ours are cut and put together again, with extension headers in front or not") {
  Lab lab;
  Counters counters;
  const Pool big = packet_pool(15, 16'000);
  Reassembly reassembly(big.get(), counters);
  std::mt19937_64 random(6);
  for (int round = 0; round < 200; ++round) {
    const Bytes packet =
        udp6_packet({.source = kPeer, .destination = kUs}, 4500, 4500, counting(1300 + random() % 2600));
    const auto mtu = static_cast<std::uint16_t>(1280 + random() % 200);
    const PacketPtr m = round % 2 == 0 ? lab.make(packet) : lab.make_chain(packet, 100);
    std::array<rte_mbuf*, kMaxPieces> pieces;
    const std::size_t n = fragment_copy(lab.pool.get(), m.get(), mtu, static_cast<std::uint32_t>(round), pieces);
    REQUIRE(n >= 1);
    std::vector<Bytes> made;
    for (std::size_t i = 0; i < n; ++i) {
      made.push_back(octets(pieces[i]));
      REQUIRE(made.back().size() <= mtu);
      rte_pktmbuf_free(pieces[i]);
    }
    std::shuffle(made.begin(), made.end(), random);
    PacketPtr whole;
    for (const Bytes& piece : made) whole = reassembly.add(lab.make(piece), 0);
    REQUIRE(whole);
    REQUIRE(octets(whole.get()) == packet);
  }
  // Hop-by-hop options stand in front of the fragment header and stay.
  const Bytes packet = udp6_packet({.source = kPeer, .destination = kUs}, 500, 500, counting(300));
  PacketPtr whole;
  for (Bytes piece : fragments6_of(packet, 160, 99)) whole = reassembly.add(lab.make(with_hop_by_hop(piece)), 0);
  REQUIRE(whole);
  const Bytes made = octets(whole.get());
  CHECK(made == with_hop_by_hop(packet));
  whole.reset();
  reassembly.housekeeping(100'000);
  CHECK(lab.in_use() == 0);
}

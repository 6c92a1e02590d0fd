// The first look at a frame: what it is, and that nothing a peer sends gets past the checks.
#include "dataplane/classify.h"

#include <random>

#include "test/dataplane/frames.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

const Bytes kOurs = mac_address("02:00:00:00:00:01"), kPeer = mac_address("02:00:00:00:00:02");

struct Lab : FrameLab {
  std::vector<PortSetup> ports = [] {
    std::vector<PortSetup> p(2);
    p[0].addresses = {*conf::Prefix::parse("192.0.2.1/24")};
    p[1].addresses = {*conf::Prefix::parse("10.1.0.1/24")};
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
  PacketPtr last;

  Verdict look(const Bytes& frame, std::uint16_t port = 0) {
    last = make(frame);
    meta(last.get()).in_port = port;
    return classify(last.get(), read_ethernet(last.get()), views[port], routes);
  }
  Verdict ip(const Bytes& packet, std::uint16_t port = 0) { return look(ethernet(kOurs, kPeer, 0x0800, packet), port); }
  const PacketMeta& about() { return meta(last.get()); }
};

constexpr auto kWan = "192.0.2.1", kFar = "198.51.100.9";

// One frame of each kind that has a verdict of its own.
std::vector<std::pair<Verdict, Bytes>> samples() {
  const Bytes marker(4), body = counting(40);
  Bytes ike = marker;
  ike.insert(ike.end(), body.begin(), body.end());
  const auto frame = [](const Bytes& packet) { return ethernet(kOurs, kPeer, 0x0800, packet); };
  const Ipv4Fields to{.source = kFar, .destination = kWan};
  return {{Verdict::ike, frame(udp_packet(to, 500, 500, body))},
          {Verdict::ike, frame(udp_packet(to, 4500, 4500, ike))},
          {Verdict::esp, frame(udp_packet(to, 4500, 4500, Bytes(body.begin() + 4, body.end())))},
          {Verdict::esp,
           frame(ipv4({.source = kFar, .destination = kWan, .protocol = 50}, Bytes(body.begin() + 1, body.end())))},
          {Verdict::keepalive, frame(udp_packet(to, 4500, 4500, Bytes{0xff}))},
          {Verdict::local, frame(ipv4({.source = kFar, .destination = kWan, .protocol = 1}, icmp(8, 0, 1, body)))},
          {Verdict::clear, frame(udp_packet({.source = kFar, .destination = "10.1.0.9"}, 9, 9, body))},
          {Verdict::fragment, frame(fragments_of(udp_packet(to, 500, 500, body), 16)[0])},
          {Verdict::neighbor, ethernet(Bytes(6, 0xff), kPeer, 0x0806, arp(true, kPeer, kFar, Bytes(6), kWan))}};
}

}  // namespace

TEST_CASE("Each kind of frame gets its verdict, with SPI, offsets and ports") {
  Lab lab;
  for (const auto& [verdict, frame] : samples()) CHECK(lab.look(frame) == verdict);

  const Bytes esp = counting(40);
  REQUIRE(lab.ip(ipv4({.source = kFar, .destination = kWan, .protocol = 50}, Bytes(esp.begin() + 1, esp.end()))) ==
          Verdict::esp);
  CHECK(lab.about().spi == 0x01020304);
  CHECK(lab.about().esp_offset == 34);
  CHECK(lab.about().outer_source_port == 0);
  REQUIRE(lab.ip(udp_packet({.source = kFar, .destination = kWan}, 61234, 4500, Bytes(esp.begin() + 1, esp.end()))) ==
          Verdict::esp);
  CHECK(lab.about().spi == 0x01020304);
  CHECK(lab.about().esp_offset == 42);
  CHECK(lab.about().outer_source_port == 61234);
  const Bytes ike{0, 0, 0, 0, 7};
  REQUIRE(lab.ip(udp_packet({.source = kFar, .destination = kWan}, 61234, 4500, ike)) == Verdict::ike);
  CHECK(lab.about().esp_offset == 46);
  CHECK(lab.about().udp_encapsulated);
}

TEST_CASE("What is refused is refused under its own name") {
  Lab lab;
  const auto why = [&](const Bytes& packet, std::uint16_t port = 0) {
    REQUIRE(lab.ip(packet, port) == Verdict::drop);
    return lab.about().drop;
  };
  const Bytes body = counting(32);
  Bytes bad = udp_packet({.source = kFar, .destination = kWan}, 500, 500, body);
  bad[10] ^= 1;
  CHECK(why(bad) == Drop::bad_ip_checksum);
  bad = udp_packet({.source = kFar, .destination = kWan}, 500, 500, body);
  bad[30] ^= 1;
  CHECK(why(bad) == Drop::bad_udp_header);
  CHECK(why(udp_packet({.source = kFar, .destination = kWan}, 500, 53, body)) == Drop::not_for_us);
  CHECK(why(ipv4({.source = kFar, .destination = kWan, .protocol = 6}, body)) == Drop::not_for_us);
  CHECK(why(ipv4({.source = kFar, .destination = "192.0.2.255", .protocol = 1}, icmp(8, 0, 0, body))) ==
        Drop::not_for_us);
  CHECK(why(ipv4({.source = kFar, .destination = "224.0.0.5", .protocol = 89}, body)) == Drop::not_for_us);
  for (const char* source :
       {"127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "10.1.0.1", "192.0.2.255"})
    CHECK(why(ipv4({.source = source, .destination = kWan, .protocol = 1}, icmp(8, 0, 0, body))) == Drop::martian);
  CHECK(why(ipv4({.source = kFar, .destination = "127.0.0.1", .protocol = 1}, icmp(8, 0, 0, body))) == Drop::martian);
  CHECK(why(ipv4({.source = kFar, .destination = "10.1.0.1", .protocol = 1}, icmp(8, 0, 0, body))) ==
        Drop::untrusted_clear);
  CHECK(lab.ip(ipv4({.source = "10.1.0.7", .destination = kWan, .protocol = 1}, icmp(8, 0, 0, body)), 1) ==
        Verdict::local);
  CHECK(why(ipv4({.source = kFar, .destination = kWan, .protocol = 50}, Bytes(7))) == Drop::esp_malformed);
  CHECK(why(ipv4({.source = kFar, .destination = kWan, .protocol = 1, .options = {131, 4, 4, 0}},
                 icmp(8, 0, 0, body))) == Drop::bad_ip_header);
  CHECK(why(ipv4({.source = kFar, .destination = kWan, .protocol = 1, .options = {7, 9, 4, 0}}, icmp(8, 0, 0, body))) ==
        Drop::bad_ip_header);
  CHECK(lab.ip(ipv4({.source = kFar, .destination = kWan, .protocol = 1, .options = {148, 4, 0, 0}},
                    icmp(8, 0, 0, body))) == Verdict::local);

  REQUIRE(lab.look(ethernet(mac_address("02:00:00:00:00:77"), kPeer, 0x0800,
                            udp_packet({.source = kFar, .destination = kWan}, 500, 500, body))) == Verdict::drop);
  CHECK(lab.about().drop == Drop::bad_ethernet);
  REQUIRE(lab.look(ethernet(kOurs, kPeer, 0x1234, body)) == Verdict::drop);
  CHECK(lab.about().drop == Drop::bad_ethernet);
}

TEST_CASE("Ethernet padding and octets behind a UDP datagram are cut off") {
  Lab lab;
  Bytes packet = ipv4({.source = kFar, .destination = kWan, .protocol = 50}, counting(16));
  const std::size_t real = packet.size();
  packet.resize(46 + 100);
  lab.ip(packet);
  CHECK(rte_pktmbuf_pkt_len(lab.last.get()) == 14 + real);

  const Ipv4Fields to{.source = kFar, .destination = kWan};
  Bytes datagram = udp(to, 4500, 4500, counting(50));
  datagram.resize(datagram.size() + 9, 0xee);
  REQUIRE(lab.ip(ipv4(to, datagram)) == Verdict::esp);
  CHECK(rte_pktmbuf_pkt_len(lab.last.get()) == 14 + 20 + 8 + 50);
}

TEST_CASE("Truncation at every length is a drop, or a verdict whose promises hold") {
  Lab lab;
  for (const auto& [verdict, frame] : samples()) {
    for (std::size_t n = 0; n < frame.size(); ++n) {
      const Verdict got = lab.look({frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(n)});
      INFO("cut to " << n << " of " << frame.size());
      if (verdict == Verdict::neighbor && n >= 14) continue;  // looked into later
      REQUIRE(got == Verdict::drop);
    }
  }
}

TEST_CASE("Mutation of every octet leaves every promise of the verdict true") {
  Lab lab;
  std::mt19937_64 random(5);
  for (const auto& [verdict, original] : samples()) {
    for (std::size_t at = 0; at < original.size(); ++at) {
      for (int n = 0; n < 24; ++n) {
        Bytes frame = original;
        frame[at] = n < 8 ? static_cast<std::uint8_t>(frame[at] ^ 1U << n) : static_cast<std::uint8_t>(random());
        const bool mend = n % 2 == 1;  // else the checksum shields what lies behind it
        if (mend && at >= 14 && frame.size() >= 34 && frame[12] == 8 && frame[13] == 0) {
          const std::size_t header = (frame[14] & 15U) * 4;
          if (header >= 20 && 14 + header <= frame.size()) {
            frame[24] = frame[25] = 0;
            const std::uint16_t sum = checksum(std::span(frame).subspan(14, header));
            frame[24] = static_cast<std::uint8_t>(sum >> 8);
            frame[25] = static_cast<std::uint8_t>(sum);
          }
        }
        const Verdict got = lab.look(frame);
        const std::uint32_t length = rte_pktmbuf_pkt_len(lab.last.get());
        REQUIRE(length <= frame.size());
        if (got == Verdict::esp) REQUIRE(lab.about().esp_offset + 8U <= length);
        if (got == Verdict::ike) REQUIRE(lab.about().esp_offset <= length);
        if (got == Verdict::local || got == Verdict::clear || got == Verdict::fragment) {
          REQUIRE(lab.about().l3_offset == 14);
          const Bytes packet = octets(lab.last.get(), 14);
          REQUIRE(checksum(std::span(packet).first((packet[0] & 15U) * 4U)) == 0);
          REQUIRE(packet.size() == static_cast<std::size_t>(packet[2] << 8 | packet[3]));
        }
      }
    }
  }
}

TEST_CASE("A header that is not contiguous is refused, not read beyond its buffer") {
  Lab lab;
  for (const auto& [verdict, frame] : samples()) {
    for (std::size_t first = 1; first < 42 && first < frame.size(); ++first) {
      lab.last = lab.make_chain(frame, first);
      const Verdict got = classify(lab.last.get(), read_ethernet(lab.last.get()), lab.views[0], lab.routes);
      if (got == Verdict::drop || got == Verdict::neighbor) continue;
      REQUIRE(got == verdict);
      REQUIRE(rte_pktmbuf_data_len(lab.last.get()) >= 34);
      if (got == Verdict::esp) REQUIRE(rte_pktmbuf_data_len(lab.last.get()) >= lab.about().esp_offset + 8);
    }
  }
}

TEST_CASE("Where a port shares with the kernel, what is neither ESP nor IKE is its own traffic, on the port's own link only") {
  Lab lab;
  const auto verdict = [&](const char* to, std::uint8_t protocol, std::uint16_t in_port) {
    return lab.ip(ipv4({.source = in_port == 0 ? kFar : "10.1.0.9", .destination = to, .protocol = protocol}, counting(40)),
                  in_port);
  };
  CHECK(verdict(kWan, 6, 0) == Verdict::drop);
  CHECK(lab.about().drop == Drop::not_for_us);
  lab.ports[0].host = lab.ports[1].host = true;
  lab.routes = RouteTable(lab.ports, {});
  CHECK(verdict(kWan, 6, 0) == Verdict::local);
  CHECK(verdict(kWan, 179, 0) == Verdict::local);
  CHECK(verdict(kWan, 50, 0) == Verdict::esp);
  CHECK(verdict("10.1.0.1", 6, 1) == Verdict::local);
  CHECK(verdict(kWan, 6, 1) == Verdict::local);  // a trusted port reaches every own address
  for (const std::uint8_t protocol : {6, 17, 1}) {
    // From the WAN to the LAN's address: as if it were forwarded.
    const Bytes packet = protocol == 17 ? udp_packet({.source = kFar, .destination = "10.1.0.1"}, 1, 53, counting(9))
                                        : ipv4({.source = kFar, .destination = "10.1.0.1", .protocol = protocol},
                                               protocol == 1 ? icmp(8, 0, 1, counting(9)) : counting(40));
    CHECK(lab.ip(packet, 0) == Verdict::drop);
    CHECK(lab.about().drop == Drop::untrusted_clear);
  }
  CHECK(lab.ip(udp_packet({.source = kFar, .destination = kWan}, 1, 53, counting(9))) == Verdict::local);
  CHECK(lab.ip(udp_packet({.source = kFar, .destination = kWan}, 500, 500, counting(40))) == Verdict::ike);
  const auto pieces = fragments_of(ipv4({.source = kFar, .destination = kWan, .protocol = 6}, counting(400)), 104);
  CHECK(lab.ip(pieces[1]) == Verdict::local);  // the kernel puts its own together
}

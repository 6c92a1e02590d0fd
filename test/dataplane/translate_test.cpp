// One-to-one translation: addresses, every checksum over them, quotations in ICMP errors, and the way back.
#include "dataplane/translate.h"

#include "test/dataplane/frames.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

conf::Prefix prefix(const char* text) { return *conf::Prefix::parse(text); }
conf::Selector selector(const char* text) { return conf::Selector::of(prefix(text)); }

struct Lab : FrameLab {
  TranslationTable table{std::vector<TranslationSpec>{{1, prefix("192.168.1.0/24"), prefix("10.200.7.0/24")},
                                                      {1, prefix("fd00:a::/64"), prefix("fd00:5ee:1::/64")},
                                                      {1, prefix("172.16.0.0/15"), prefix("10.202.0.0/15")}}};
  Bytes out(const Bytes& packet, TunnelId tunnel = 1) {
    const PacketPtr m = make(packet);
    table.outbound(m.get(), tunnel);
    return octets(m.get());
  }
  Bytes in(const Bytes& packet) {
    const PacketPtr m = make(packet);
    table.inbound(m.get(), 1);
    return octets(m.get());
  }
  Bytes back(const Bytes& packet) {
    const PacketPtr m = make(packet);
    table.undo(m.get(), 1);
    return octets(m.get());
  }
};

// A TCP segment with a sound checksum.
Bytes tcp(const std::string& source, const std::string& destination) {
  Bytes segment = counting(60);
  segment[12] = 0x50;
  segment[16] = segment[17] = 0;
  Bytes pseudo = ip_address(source);
  const Bytes to = ip_address(destination);
  pseudo.insert(pseudo.end(), to.begin(), to.end());
  pseudo.insert(pseudo.end(), {0, 6, 0, 60});
  pseudo.insert(pseudo.end(), segment.begin(), segment.end());
  const std::uint16_t sum = checksum(pseudo);
  segment[16] = static_cast<std::uint8_t>(sum >> 8);
  segment[17] = static_cast<std::uint8_t>(sum);
  return ipv4({.source = source, .destination = destination, .protocol = 6}, segment);
}

constexpr auto kReal = "192.168.1.77", kSeen = "10.200.7.77", kFar = "10.201.7.9";

}  // namespace

TEST_CASE("A packet that leaves is what its host would have sent from the translated address, octet by octet") {
  Lab lab;
  for (const std::size_t size : {1, 2, 57, 58, 1400}) {
    CHECK(lab.out(udp_packet({.source = kReal, .destination = kFar}, 5000, 53, counting(size))) ==
          udp_packet({.source = kSeen, .destination = kFar}, 5000, 53, counting(size)));
    CHECK(lab.in(udp_packet({.source = kFar, .destination = kSeen}, 53, 5000, counting(size))) ==
          udp_packet({.source = kFar, .destination = kReal}, 53, 5000, counting(size)));
  }
  CHECK(lab.out(tcp(kReal, kFar)) == tcp(kSeen, kFar));
  CHECK(lab.in(tcp(kFar, kSeen)) == tcp(kFar, kReal));
  const Bytes ping = icmp(8, 0, 7, counting(33));
  CHECK(lab.out(ipv4({.source = kReal, .destination = kFar, .protocol = 1, .options = Bytes(8, 1)}, ping)) ==
        ipv4({.source = kSeen, .destination = kFar, .protocol = 1, .options = Bytes(8, 1)}, ping));
  // A prefix that ends inside an octet.
  CHECK(lab.out(tcp("172.17.3.4", kFar)) == tcp("10.203.3.4", kFar));
}

TEST_CASE("UDP without a checksum stays without, and one that comes out as zero is written as all ones") {
  Lab lab;
  const auto without = [](const char* source) {
    Bytes packet = udp_packet({.source = source, .destination = kFar}, 1, 2, counting(20));
    packet[26] = packet[27] = 0;
    return packet;
  };
  CHECK(lab.out(without(kReal)) == without(kSeen));
  // Two octets of payload chosen so that the sum over the translated packet is zero (RFC 768).
  Bytes body(2);
  const Bytes probe = udp_packet({.source = kSeen, .destination = kFar}, 1, 2, body);
  body = {probe[26], probe[27]};
  const Bytes seen = udp_packet({.source = kSeen, .destination = kFar}, 1, 2, body);
  REQUIRE((seen[26] == 0xff && seen[27] == 0xff));
  CHECK(lab.out(udp_packet({.source = kReal, .destination = kFar}, 1, 2, body)) == seen);
}

TEST_CASE("IPv6: UDP, ICMPv6 and later fragments") {
  Lab lab;
  constexpr auto kReal6 = "fd00:a::5:6", kSeen6 = "fd00:5ee:1::5:6", kFar6 = "fd00:b::9";
  CHECK(lab.out(udp6_packet({.source = kReal6, .destination = kFar6}, 5000, 53, counting(99))) ==
        udp6_packet({.source = kSeen6, .destination = kFar6}, 5000, 53, counting(99)));
  CHECK(lab.in(icmp6_packet({.source = kFar6, .destination = kSeen6, .next_header = 58}, 129, 0, 7, counting(40))) ==
        icmp6_packet({.source = kFar6, .destination = kReal6, .next_header = 58}, 129, 0, 7, counting(40)));
  const auto pieces = [](const char* source) {
    return fragments6_of(udp6_packet({.source = source, .destination = kFar6}, 5000, 53, counting(300)), 104, 9);
  };
  for (std::size_t i = 0; i < pieces(kReal6).size(); ++i) CHECK(lab.out(pieces(kReal6)[i]) == pieces(kSeen6)[i]);
}

TEST_CASE("Fragments of IPv4: the first carries the datagram's checksum, the others only addresses") {
  Lab lab;
  const auto pieces = [](const char* source) {
    return fragments_of(udp_packet({.source = source, .destination = kFar}, 5000, 53, counting(300)), 104);
  };
  for (std::size_t i = 0; i < pieces(kReal).size(); ++i) CHECK(lab.out(pieces(kReal)[i]) == pieces(kSeen)[i]);
}

TEST_CASE("ICMP errors: the packet that is quoted is translated as well, with the checksums in it and over it") {
  Lab lab;
  constexpr auto kRouter = "192.168.1.254", kRouterSeen = "10.200.7.254", kElsewhere = "203.0.113.9";
  // A router on our side about a packet from the peer, quoted whole and with eight octets behind its header.
  for (const std::size_t quoted : {28U, 200U}) {
    const auto error = [&](const char* from, const char* host, bool with_tcp) {
      Bytes about = with_tcp ? tcp(kFar, host)
                             : udp_packet({.source = kFar, .destination = host}, 53, 5000, counting(30));
      if (about.size() > quoted) about.resize(quoted);
      return ipv4({.source = from, .destination = kFar, .protocol = 1}, icmp(3, 1, 0, about));
    };
    for (const bool with_tcp : {false, true}) {
      CHECK(lab.out(error(kRouter, kReal, with_tcp)) == error(kRouterSeen, kSeen, with_tcp));
      CHECK(lab.out(error(kElsewhere, kReal, with_tcp)) == error(kElsewhere, kSeen, with_tcp));
    }
    const auto theirs = [&](const char* host) {
      Bytes about = udp_packet({.source = host, .destination = kFar}, 5000, 53, counting(30));
      if (about.size() > quoted) about.resize(quoted);
      return ipv4({.source = kElsewhere, .destination = host, .protocol = 1}, icmp(11, 0, 0, about));
    };
    CHECK(lab.in(theirs(kSeen)) == theirs(kReal));
  }
  const auto six = [](const char* from, const char* host) {
    return icmp6_packet({.source = from, .destination = "fd00:b::9", .next_header = 58}, 1, 3, 0,
                        udp6_packet({.source = "fd00:b::9", .destination = host}, 53, 5000, counting(30)));
  };
  CHECK(lab.out(six("fd00:a::fe", "fd00:a::5")) == six("fd00:5ee:1::fe", "fd00:5ee:1::5"));
}

TEST_CASE("What was translated is given back to its sender as it was; other tunnels and other networks are left alone") {
  Lab lab;
  const Bytes packet = tcp(kReal, kFar);
  CHECK(lab.back(lab.out(packet)) == packet);
  CHECK(lab.out(packet, 2) == packet);
  const Bytes other = tcp("192.168.2.77", kFar);
  CHECK(lab.out(other) == other);
}

TEST_CASE("Damaged and truncated packets are left in one piece: nothing is read or written beyond them") {
  Lab lab;
  const Bytes error = ipv4({.source = "192.168.1.254", .destination = kFar, .protocol = 1},
                           icmp(3, 1, 0, udp_packet({.source = kFar, .destination = kReal}, 53, 5000, counting(9))));
  for (const Bytes& whole : {tcp(kReal, kFar), error}) {
    for (std::size_t length = 1; length <= whole.size(); ++length) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      CHECK(lab.out(cut).size() == length);
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (const int bit : {0, 3, 7}) {
        Bytes flipped = whole;
        flipped[at] ^= static_cast<std::uint8_t>(1 << bit);
        CHECK(lab.out(flipped).size() == whole.size());
      }
    }
  }
}

TEST_CASE("Policy on our side is about real addresses: each seen one stands for its real one and nothing else") {
  Lab lab;
  const auto real = lab.table.real_selectors(1, {selector("10.200.6.0/23"), selector("192.168.9.0/24")});
  const auto takes = [&](const char* a) {
    return std::any_of(real.begin(), real.end(),
                       [&](const conf::Selector& s) { return s.contains(*conf::IpAddress::parse(a)); });
  };
  CHECK(takes("192.168.1.0"));
  CHECK(takes("192.168.1.255"));
  CHECK(takes("192.168.9.5"));
  CHECK(takes("10.200.6.0"));  // the half of the selector that is not translated
  CHECK(takes("10.200.6.255"));
  CHECK_FALSE(takes("10.200.7.0"));
  CHECK_FALSE(takes("10.200.7.255"));
  CHECK_FALSE(takes("192.168.0.255"));
  CHECK_FALSE(takes("192.168.2.0"));
  CHECK_FALSE(takes("10.200.5.255"));
  CHECK(lab.table.real_selectors(2, {selector("10.200.7.0/24")}) == std::vector{selector("10.200.7.0/24")});
}

#include "conf/address.h"

#include <random>

#include "test/support/catch.h"

using causeway::conf::Endpoint;
using causeway::conf::Family;
using causeway::conf::IpAddress;
using causeway::conf::Prefix;
using causeway::conf::Selector;

namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
Prefix net(std::string_view text) { return Prefix::parse(text).value(); }
Selector sel(std::string_view text) { return Selector::of(net(text)); }

Selector with(Selector s, std::uint8_t protocol, std::uint16_t first, std::uint16_t last) {
  s.protocol = protocol;
  s.first_port = first;
  s.last_port = last;
  return s;
}

}  // namespace

TEST_CASE("addresses of both families parse and print, and nothing else does") {
  for (const char* good : {"10.1.2.3", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::", "2001:db8:0:1::"}) {
    INFO(good);
    CHECK(ip(good).str() == good);
  }
  for (const char* bad : {"", "10.1.2", "10.1.2.3.4", "10.1.2.256", "10.1.2.03", " 10.1.2.3", "10.1.2.3 ", "1:2",
                          "g::", "fe80::1%eth0", "10.1.2.3/24", "12345678901234567890123456789012345678901234567890"}) {
    INFO(bad);
    CHECK_FALSE(IpAddress::parse(bad));
  }
  CHECK_FALSE(IpAddress::parse(std::string_view("10.1.2.3\0x", 10)));
}

TEST_CASE("an address keeps network order octets and host order numbers apart") {
  CHECK(IpAddress::from_v4(0x0a010203) == ip("10.1.2.3"));
  CHECK(ip("10.1.2.3").v4() == 0x0a010203);
  CHECK(ip("10.1.2.3").octets[0] == 10);
  CHECK(ip("10.1.2.3").bytes().size() == 4);
  CHECK(IpAddress::from_octets(ip("2001:db8::7").bytes()) == ip("2001:db8::7"));
  CHECK(IpAddress::from_octets(ip("192.0.2.1").bytes()) == ip("192.0.2.1"));
  CHECK(ip("::").is_unspecified());
  CHECK(ip("0.0.0.0").is_unspecified());
  CHECK_FALSE(ip("0.0.0.1").is_unspecified());
}

TEST_CASE("addresses sort by family, then as big-endian numbers") {
  CHECK(ip("10.0.0.2") < ip("10.0.1.1"));
  CHECK(ip("9.255.255.255") < ip("10.0.0.0"));
  CHECK(ip("255.255.255.255") < ip("::"));
  CHECK(ip("::1:0") > ip("::ffff"));
}

TEST_CASE("prefixes parse with host bits kept, and refuse lengths that are not") {
  CHECK(net("192.0.2.9/24").address == ip("192.0.2.9"));
  CHECK(net("192.0.2.9/24").network().str() == "192.0.2.0/24");
  CHECK(net("10.1.2.3").length == 32);
  CHECK(net("2001:db8::1").length == 128);
  CHECK(net("0.0.0.0/0").length == 0);
  for (const char* bad : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ", "10.0.0.0/8/8", "/8",
                          "2001:db8::/129", "10.0.0.0/0x8", "10.0.0.0/999999999999"}) {
    INFO(bad);
    CHECK_FALSE(Prefix::parse(bad));
  }
}

TEST_CASE("a prefix holds its own addresses and inner prefixes, at every length") {
  for (std::uint8_t length = 0; length <= 32; ++length) {
    const Prefix p{ip("172.16.85.170"), length};
    const std::uint32_t mask = length == 0 ? 0 : ~std::uint32_t{0} << (32 - length);
    CHECK(p.first().v4() == (0xac1055aaU & mask));
    CHECK(p.last().v4() == ((0xac1055aaU & mask) | ~mask));
    CHECK(p.contains(p.first()));
    CHECK(p.contains(p.last()));
    if (length > 0) {
      CHECK_FALSE(p.contains(IpAddress::from_v4(p.last().v4() + 1)));
      CHECK_FALSE(p.contains(IpAddress::from_v4(p.first().v4() - 1)));
      CHECK(Prefix{p.address, static_cast<std::uint8_t>(length - 1)}.contains(p));
      CHECK_FALSE(p.contains(Prefix{p.address, static_cast<std::uint8_t>(length - 1)}));
    }
    CHECK(Selector::of(p).as_prefix() == p.network());
  }
  for (std::uint8_t length = 0; length <= 128; ++length) {
    const Prefix p{ip("2001:db8:55aa::a55a:1"), length};
    CHECK(p.contains(p.first()));
    CHECK(p.contains(p.last()));
    CHECK(p.network().first() == p.first());
    CHECK(Selector::of(p).as_prefix() == p.network());
  }
  CHECK_FALSE(net("0.0.0.0/0").contains(ip("::1")));
  CHECK(net("10.1.0.0/16").overlaps(net("10.0.0.0/8")));
  CHECK(net("10.0.0.0/8").overlaps(net("10.1.0.0/16")));
  CHECK_FALSE(net("10.1.0.0/16").overlaps(net("10.2.0.0/16")));
}

TEST_CASE("a selector's range is a prefix only where it is exactly one") {
  CHECK(Selector{.first = ip("10.0.0.0"), .last = ip("10.0.0.255")}.as_prefix() == net("10.0.0.0/24"));
  CHECK_FALSE(Selector{.first = ip("10.0.0.1"), .last = ip("10.0.0.255")}.as_prefix());
  CHECK_FALSE(Selector{.first = ip("10.0.0.0"), .last = ip("10.0.0.254")}.as_prefix());
  CHECK_FALSE(Selector{.first = ip("10.0.1.0"), .last = ip("10.0.2.255")}.as_prefix());
  CHECK_FALSE(Selector{.first = ip("10.0.1.0"), .last = ip("::")}.as_prefix());
}

TEST_CASE("selectors intersect in addresses, protocol and ports (RFC 7296 2.9)") {
  CHECK(sel("10.0.0.0/8").intersect(sel("10.1.0.0/16")) == sel("10.1.0.0/16"));
  CHECK_FALSE(sel("10.0.0.0/8").intersect(sel("11.0.0.0/8")));
  CHECK_FALSE(sel("0.0.0.0/0").intersect(sel("::/0")));
  const Selector tcp = with(sel("10.0.0.0/8"), 6, 0, 65535);
  const Selector http = with(sel("0.0.0.0/0"), 6, 80, 90);
  const Selector udp = with(sel("10.0.0.0/8"), 17, 0, 65535);
  CHECK(tcp.intersect(http) == with(sel("10.0.0.0/8"), 6, 80, 90));
  CHECK(with(tcp, 6, 85, 100).intersect(http) == with(tcp, 6, 85, 90));
  CHECK_FALSE(with(tcp, 6, 91, 100).intersect(http));
  CHECK_FALSE(tcp.intersect(udp));
  CHECK(sel("10.0.0.0/8").intersect(udp) == udp);
}

TEST_CASE("OPAQUE ports lie inside any and meet nothing else (RFC 4301 4.4.1.1)") {
  const Selector opaque = with(sel("10.0.0.0/8"), 17, 65535, 0);
  const Selector any = with(sel("10.0.0.0/8"), 17, 0, 65535);
  CHECK(any.contains(opaque));
  CHECK(opaque.contains(opaque));
  CHECK_FALSE(opaque.contains(any));
  CHECK(any.intersect(opaque) == opaque);
  CHECK(opaque.intersect(any) == opaque);
  CHECK_FALSE(with(any, 17, 1, 65535).intersect(opaque));
}

TEST_CASE("an intersection holds exactly what both hold, over random selectors") {
  std::mt19937 random(7);
  const auto number = [&](std::uint32_t limit) { return static_cast<std::uint16_t>(random() % limit); };
  const auto any_selector = [&] {
    Selector s;
    const std::uint32_t first = number(16);
    s.first = IpAddress::from_v4(first);
    s.last = IpAddress::from_v4(first + number(8));
    s.protocol = static_cast<std::uint8_t>(number(3));
    s.first_port = number(8);
    s.last_port = static_cast<std::uint16_t>(s.first_port + number(8));
    if (number(3) == 0) s.first_port = 0, s.last_port = 65535;
    return s;
  };
  const auto point = [&](Selector s) {
    s.first = s.last = IpAddress::from_v4(number(26));
    s.protocol = static_cast<std::uint8_t>(1 + number(2));
    s.first_port = s.last_port = number(18);
    return s;
  };
  for (int i = 0; i < 20000; ++i) {
    const Selector a = any_selector(), b = any_selector(), p = point({});
    const auto both = a.intersect(b);
    REQUIRE(both == b.intersect(a));
    REQUIRE((both && both->contains(p)) == (a.contains(p) && b.contains(p)));
    if (both) {
      REQUIRE(a.contains(*both));
      REQUIRE(b.contains(*both));
    }
    if (a.contains(b)) REQUIRE(both == b);
  }
}

TEST_CASE("selectors and endpoints print as operators write them") {
  CHECK(sel("10.1.0.0/16").str() == "10.1.0.0/16");
  CHECK(Selector{.first = ip("10.1.0.1"), .last = ip("10.1.0.9"), .protocol = 6, .first_port = 80, .last_port = 80}
            .str() == "10.1.0.1-10.1.0.9[tcp/80]");
  CHECK(with(sel("10.1.0.0/16"), 17, 500, 4500).str() == "10.1.0.0/16[udp/500-4500]");
  CHECK(with(sel("10.1.0.0/16"), 47, 0, 65535).str() == "10.1.0.0/16[47]");
  CHECK(with(sel("10.1.0.0/16"), 1, 8 << 8, 8 << 8 | 255).str() == "10.1.0.0/16[icmp/8]");
  CHECK(with(sel("10.1.0.0/16"), 1, 3 << 8 | 4, 3 << 8 | 4).str() == "10.1.0.0/16[icmp/3(4)]");
  CHECK(with(sel("10.1.0.0/16"), 6, 65535, 0).str() == "10.1.0.0/16[tcp/opaque]");
  CHECK(Endpoint{ip("198.51.100.7"), 500}.str() == "198.51.100.7:500");
  CHECK(Endpoint{ip("2001:db8::1"), 4500}.str() == "[2001:db8::1]:4500");
}

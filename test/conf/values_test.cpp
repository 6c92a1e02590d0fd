#include "conf/values.h"

#include <array>

#include "test/support/catch.h"

using causeway::conf::duration_text;
using causeway::conf::nearest;
using causeway::conf::parse_device;
using causeway::conf::parse_duration;
using causeway::conf::parse_proposal;
using causeway::conf::parse_remote;
using causeway::conf::parse_selector;
using causeway::conf::parse_size;
using causeway::conf::Seconds;

TEST_CASE("durations are units in falling order, and print as they are written") {
  for (const auto& [text, seconds] : {std::pair{"90s", 90},
                                      {"30m", 1800},
                                      {"8h", 28800},
                                      {"1d", 86400},
                                      {"1h30m", 5400},
                                      {"1d1s", 86401},
                                      {"0s", 0}}) {
    INFO(text);
    CHECK(parse_duration(text) == Seconds(seconds));
  }
  for (const char* text : {"8h", "1d1h1m1s", "59s", "0s"}) CHECK(duration_text(*parse_duration(text)) == text);
  for (const char* bad :
       {"", "8", "h", "8 h", "8H", "-8h", "30m1h", "1h1h", "8h ", "99999999999999999999s", "4000d", "1.5h", "8ms"}) {
    INFO(bad);
    CHECK_FALSE(parse_duration(bad));
  }
}

TEST_CASE("sizes have decimal and binary units") {
  CHECK(parse_size("1800MB") == 1'800'000'000);
  CHECK(parse_size("4GiB") == std::uint64_t{4} << 30);
  CHECK(parse_size("64 KiB") == 65536);
  CHECK(parse_size("7") == 7);
  CHECK(causeway::conf::size_text(1'800'000'000) == "1800 MB");
  CHECK(causeway::conf::size_text(std::uint64_t{4} << 30) == "4 GiB");
  CHECK(causeway::conf::size_text(0) == "0 B");
  for (const char* bad : {"", "MB", "1800mb", "1800M", "-1MB", "1.5GB", "99999999999999TiB", "1MB "}) {
    INFO(bad);
    CHECK_FALSE(parse_size(bad));
  }
}

TEST_CASE("selectors read as they print") {
  for (const char* text :
       {"10.1.0.0/16", "10.1.0.1-10.1.0.9", "10.1.0.0/16[tcp]", "10.1.0.0/16[udp/53]", "10.1.0.0/16[tcp/8000-8080]",
        "10.1.0.0/16[icmp/8]", "10.1.0.0/16[icmp/3(4)]", "10.1.0.0/16[47]", "2001:db8::/32[icmpv6/128(0)]",
        "2001:db8::1-2001:db8::9[132]", "0.0.0.0/0"}) {
    INFO(text);
    const auto parsed = parse_selector(text);
    REQUIRE(parsed);
    CHECK(parsed->str() == text);
  }
  for (const char* bad :
       {"", "10.1.0.0", "10.1.0.1/16", "10.1.0.9-10.1.0.1", "10.1.0.1-::1", "10.1.0.0/16[", "10.1.0.0/16]",
        "10.1.0.0/16[]", "10.1.0.0/16[tcp/]", "10.1.0.0/16[tcp/65536]", "10.1.0.0/16[tcp/9-8]", "10.1.0.0/16[any/80]",
        "10.1.0.0/16[256]", "10.1.0.0/16[icmp/256]", "10.1.0.0/16[icmp/8(]", "10.1.0.0/16[icmp/8(256)]", "::/0[icmp]",
        "10.0.0.0/8[icmpv6]", "[tcp]"}) {
    INFO(bad);
    if (std::string_view(bad) == "10.1.0.0") {
      CHECK(parse_selector(bad)->str() == "10.1.0.0/32");
    } else {
      CHECK_FALSE(parse_selector(bad));
    }
  }
}

TEST_CASE("devices are PCI addresses or vdevs") {
  for (const char* good : {"0000:3b:00.0", "3b:00.1", "net_af_packet0,iface=wan0", "net_memif1,role=server",
                           "eth_bond0", "virtio_user0,path=x"}) {
    INFO(good);
    CHECK(parse_device(good));
  }
  for (const char* bad : {"", "eth0", "0000:3b:00", "0000:3g:00.0", "net_", "enp59s0f0", "net_null0\n"}) {
    INFO(bad);
    CHECK_FALSE(parse_device(bad));
  }
}

TEST_CASE("remotes are addresses, host names or any; broken addresses are neither") {
  for (const char* good : {"198.51.100.7", "2001:db8::7", "vpn.example.net", "any", "host-1", "7eleven.example"})
    CHECK(parse_remote(good));
  for (const char* bad : {"", "198.51.100", "198.51.100.256", "0.0.0.0", "::", "-x.net", "x-.net", "x..net", "x.net.",
                          "a b", "x_y.net"}) {
    INFO(bad);
    if (std::string_view(bad) == "x.net.") {
      CHECK(parse_remote(bad));  // the root written out
    } else {
      CHECK_FALSE(parse_remote(bad));
    }
  }
}

TEST_CASE("a proposal's shape is words of lower case and digits joined by dashes") {
  for (const char* good : {"aes256gcm16-prfsha384-ecp384", "aes128-sha1-modp1024", "aes256-sha256_96", "null-sha1"})
    CHECK(parse_proposal(good));
  for (const char* bad : {"", "-aes", "aes-", "aes--sha1", "AES256", "aes256 sha1", "aes256;"})
    CHECK_FALSE(parse_proposal(bad));
}

TEST_CASE("the nearest name is the one with the fewest changes, or none") {
  constexpr std::array<std::string_view, 4> kNames = {"remote", "remote_id", "routes", "role"};
  CHECK(nearest("remot", kNames) == "remote");
  CHECK(nearest("rmeote", kNames) == "remote");
  CHECK(nearest("remoteid", kNames) == "remote_id");
  CHECK(nearest("rotues", kNames) == "routes");
  CHECK(nearest("zzzz", kNames).empty());
  CHECK(nearest(std::string(1000, 'r'), kNames).empty());
  CHECK(nearest("x", {}).empty());
}

#include "conf/loader.h"

#include <sys/stat.h>

#include <algorithm>

#include "conf/describe.h"
#include "test/conf/conf_text.h"
#include "test/support/catch.h"

using namespace std::string_literals;
using causeway::conf::Config;
using causeway::conf::load_text;
using causeway::conf::Loaded;
using causeway::conf::LoadOptions;
using causeway::conf::ProposalKind;
using causeway::conf::Seconds;
using causeway::conf::Selector;
using causeway::conf::Start;
using causeway::conf::Tunnel;
using causeway::conf::testing::all_of;
using causeway::conf::testing::changed;
using causeway::conf::testing::kGood;
using causeway::conf::testing::load_good;
using causeway::conf::testing::TempDir;

namespace {

// Exactly one error, which begins as `expected` (file, line, key) and speaks of `about`.
void refused(const std::string& text, const std::string& expected, const std::string& about) {
  const Loaded loaded = load_good(text);
  INFO(text);
  INFO(all_of(loaded.report.errors));
  REQUIRE(loaded.report.errors.size() == 1);
  CHECK(loaded.report.errors[0].str().starts_with(expected));
  CHECK(loaded.report.errors[0].reason.find(about) != std::string::npos);
}

std::string in_tunnel(const std::string& line) { return changed("    psk_file", "    " + line + "\n    psk_file"); }

// A second tunnel behind the good one.
std::string with_tunnel(const std::string& body) { return changed("  }\n);\n", "  },\n  { " + body + " }\n);\n"); }

void noted(const std::string& text, const std::string& about) {
  const Loaded loaded = load_good(text);
  INFO(all_of(loaded.report.errors));
  INFO(all_of(loaded.report.notes));
  REQUIRE(loaded.ok());
  CHECK(std::ranges::any_of(loaded.report.notes,
                            [&](const auto& n) { return n.str().find(about) != std::string::npos; }));
}

}  // namespace

TEST_CASE("a tunnel of a few lines loads, and what it leaves out has the documented defaults") {
  const Loaded loaded = load_good(kGood);
  INFO(all_of(loaded.report.errors));
  REQUIRE(loaded.ok());
  CHECK(loaded.report.notes.empty());
  const Config& c = loaded.config;
  CHECK(c.workers == std::vector<int>{1});
  CHECK(c.socket == "/run/causeway/causeway.sock");
  REQUIRE(c.ports.size() == 2);
  CHECK(c.ports[0].line == 3);
  CHECK(c.ports[0].addresses[0].str() == "203.0.113.2/24");
  CHECK(c.ports[0].mtu == 1500);
  REQUIRE(c.tunnels.size() == 1);
  const Tunnel& t = c.tunnels[0];
  CHECK(t.name == "hangzhou");
  CHECK(t.start == Start::now);
  CHECK(t.psk_file == "./h.psk");
  CHECK(t.ike.version == 2);
  CHECK(t.ike.lifetime == Seconds(8 * 3600));
  CHECK(t.esp.lifetime == Seconds(3600));
  CHECK(t.esp.replay_window == 2048);
  CHECK(t.remote_subnets[0].str() == "172.17.112.0/20");
}

TEST_CASE("every key is typed into its value") {
  const Loaded loaded = load_good(in_tunnel(
      "cores = \"spread\"; mss = 0; mtu = 1400; df = \"ignore\"; dscp = 46; ecn = \"normal\"; encap = \"force\"; "
      "role = \"initiator\"; start = \"traffic\"; selectors = \"pairs\"; legacy = true; weight = 7; group = \"g\"; "
      "ike = { version = 1; mode = \"aggressive\"; proposals = [\"aes128-sha1-modp1024\"]; lifetime = \"1d\"; "
      "dpd = { idle = 0; retry = \"2s\"; tries = 3; }; fragment = false; }; "
      "esp = { proposals = (\"aes128-sha1\"); pfs = false; lifetime = 600; bytes = \"1800MB\"; packets = 5000000000L; "
      "replay_window = 32; esn = true; };"));
  INFO(all_of(loaded.report.errors));
  REQUIRE(loaded.ok());
  const Tunnel& t = loaded.config.tunnels[0];
  CHECK(t.cores == causeway::conf::Cores::spread);
  CHECK(t.mss == 0);
  CHECK(t.mtu == 1400);
  CHECK(t.df == causeway::conf::DfPolicy::ignore);
  CHECK(t.dscp == causeway::conf::DscpPolicy::set);
  CHECK(t.dscp_value == 46);
  CHECK(t.ecn == causeway::conf::EcnPolicy::normal);
  CHECK(t.encap == causeway::conf::Encap::force);
  CHECK(t.role == causeway::conf::Role::initiator);
  CHECK(t.start == Start::traffic);
  CHECK(t.selectors == causeway::conf::SelectorShape::pairs);
  CHECK(t.legacy);
  CHECK(t.weight == 7);
  CHECK(t.group == "g");
  CHECK(t.ike.version == 1);
  CHECK(t.ike.mode == causeway::conf::IkeMode::aggressive);
  CHECK(t.ike.lifetime == Seconds(86400));
  CHECK(t.ike.dpd.idle == Seconds(0));
  CHECK(t.ike.dpd.retry == Seconds(2));
  CHECK(t.ike.dpd.tries == 3);
  CHECK_FALSE(t.ike.fragment);
  CHECK(t.esp.proposals == std::vector<std::string>{"aes128-sha1"});
  CHECK_FALSE(t.esp.pfs);
  CHECK(t.esp.lifetime == Seconds(600));
  CHECK(t.esp.bytes == 1'800'000'000);
  CHECK(t.esp.packets == 5'000'000'000);
  CHECK(t.esp.replay_window == 32);
  CHECK(t.esp.esn);
}

TEST_CASE("hugepages are MiB as a number and any size as text") {
  CHECK(load_good("hugepages = 512;\n"s + kGood).config.hugepages == 512);
  CHECK(load_good("hugepages = 0;\n"s + kGood).config.hugepages == 0);
  CHECK(load_good("hugepages = \"1GiB\";\n"s + kGood).config.hugepages == 1024);
  CHECK(load_good("hugepages = \"1GB\";\n"s + kGood).config.hugepages == 954);
  CHECK_FALSE(load_good(kGood).config.hugepages);
  refused("hugepages = \"2TiB\";\n"s + kGood, "t.conf:1: hugepages: ", "more than 1 TiB");
}

TEST_CASE("an unknown key is refused with its line and the nearest known name") {
  refused(in_tunnel("remot_id = \"x\";"), "t.conf:10: tunnels.hangzhou.remot_id: ", "did you mean \"remote_id\"?");
  refused(in_tunnel("ike = { proposal = [\"aes256\"]; };"),
          "t.conf:10: tunnels.hangzhou.ike.proposal: ", "\"proposals\"");
  refused("tunnel = ();\n"s + kGood, "t.conf:1: tunnel: ", "did you mean \"tunnels\"?");
  refused(changed("gateway =", "getaway ="), "t.conf:3: ports.wan.getaway: ", "did you mean \"gateway\"?");
  refused("zzzzzzzzzz = 1;\n"s + kGood, "t.conf:1: zzzzzzzzzz: ", "known here: workers, polling");
}

TEST_CASE("keys of the contract that this version lacks are refused as such") {
  for (const char* top : {"http = 1;", "http = { };"})
    refused(top + "\n"s + kGood, "t.conf:1: ", "is not available in this version");
  refused(in_tunnel("vti = 1;"), "t.conf:10: tunnels.hangzhou.vti: ", "is not available in this version");
}

TEST_CASE("metrics takes an address and a port") {
  CHECK(load_good(kGood).config.metrics.empty());
  for (const char* good : {"127.0.0.1:9190", "[::1]:9190", "0.0.0.0:1", "[2001:db8::1]:65535"})
    CHECK(load_good("metrics = \""s + good + "\";\n" + kGood).config.metrics == good);
  for (const char* bad : {"", "9190", ":9190", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:9190s",
                          "::1:9190", "[127.0.0.1]:9190", "[]:9190", "localhost:9190", "127.0.0.1:+1", "127.0.0.1:1,2"})
    refused("metrics = \""s + bad + "\";\n" + kGood, "t.conf:1: metrics: ", "is no address with a port");
}

TEST_CASE("a misspelt key is one error, not also a missing one") {
  refused(changed("remote =", "remot ="), "t.conf:9: tunnels.hangzhou.remot: ", "\"remote\"");
  refused(changed("psk_file =", "psk_fle ="), "t.conf:10: tunnels.hangzhou.psk_fle: ", "\"psk_file\"");
  refused(changed("local_subnets =", "local_subnet ="),
          "t.conf:11: tunnels.hangzhou.local_subnet: ", "\"local_subnets\"");
  refused(changed("addresses = [\"192", "adresses = [\"192"), "t.conf:4: ports.lan.adresses: ", "\"addresses\"");
  refused(changed("device =", "devise ="), "t.conf:3: ports.wan.devise: ", "\"device\"");
}

TEST_CASE("a value of the wrong type is refused with what was wanted and what was found") {
  refused(in_tunnel("legacy = \"yes\";"),
          "t.conf:10: tunnels.hangzhou.legacy: ", "takes true or false (without quotes), not the text \"yes\"");
  refused(in_tunnel("weight = 1.5;"),
          "t.conf:10: tunnels.hangzhou.weight: ", "takes a whole number, not a number with a fraction");
  refused(in_tunnel("start = true;"), "t.conf:10: tunnels.hangzhou.start: ", "takes text in double quotes, not true");
  refused(in_tunnel("ike = 2;"), "t.conf:10: tunnels.hangzhou.ike: ", "takes a group { ... }, not the number 2");
  refused(in_tunnel("routes = \"10.0.0.0/8\";"), "t.conf:10: tunnels.hangzhou.routes: ", "takes a list of texts");
  refused(in_tunnel("ike = { proposals = [1]; };"),
          "t.conf:10: tunnels.hangzhou.ike.proposals[0]: ", "text in double quotes, not the number 1");
}

TEST_CASE("numbers outside their range are refused with the range") {
  refused(in_tunnel("mtu = 500;"), "t.conf:10: tunnels.hangzhou.mtu: ", "500 is outside 576 to 9216");
  refused(in_tunnel("mtu = 4294968796L;"), "t.conf:10: tunnels.hangzhou.mtu: ", "4294968796 is outside");
  refused(in_tunnel("dscp = 64;"), "t.conf:10: tunnels.hangzhou.dscp: ", "0 to 63");
  refused(in_tunnel("esp = { replay_window = 16; };"), "t.conf:10: tunnels.hangzhou.esp.replay_window: ", "32 to 8192");
  refused(in_tunnel("ike = { version = 3; };"), "t.conf:10: tunnels.hangzhou.ike.version: ", "1 to 2");
  refused(in_tunnel("mss = 100;"), "t.conf:10: tunnels.hangzhou.mss: ", "below 216");
  refused(in_tunnel("esp = { lifetime = \"1s\"; };"), "t.conf:10: tunnels.hangzhou.esp.lifetime: ", "outside 5s to");
  refused(in_tunnel("esp = { lifetime = \"1y\"; };"), "t.conf:10: tunnels.hangzhou.esp.lifetime: ", "not a duration");
  refused(in_tunnel("esp = { bytes = \"10 lots\"; };"), "t.conf:10: tunnels.hangzhou.esp.bytes: ", "not a size");
  refused(changed("[1]", "[1, 2, 1]"), "t.conf:1: workers: ", "core 1 is named twice");
  refused(changed("[1]", "[-1]"), "t.conf:1: workers[0]: ", "outside 0 to 1023");
}

TEST_CASE("a choice that is none is refused with the choices and the nearest") {
  refused(in_tunnel("role = \"inititor\";"), "t.conf:10: tunnels.hangzhou.role: ", "did you mean \"initiator\"?");
  refused(in_tunnel("start = \"qqqqqqqqq\";"),
          "t.conf:10: tunnels.hangzhou.start: ", "is not one of \"now\", \"traffic\", \"wait\"");
}

TEST_CASE("every error is reported at once, in the order of the file") {
  std::string text = changed("workers = [1];", "workers = 1;");
  text = changed("203.0.113.2/24", "203.0.113.256/24", text);
  text = changed("remote = \"198.51.100.7\"", "remote = \"198.51.100\"", text);
  text = changed("172.17.112.0/20", "172.17.112.0/16", text);
  const Loaded loaded = load_good(text);
  INFO(all_of(loaded.report.errors));
  REQUIRE(loaded.report.errors.size() == 4);
  CHECK(loaded.report.errors[0].str().starts_with("t.conf:1: workers: takes a list of numbers"));
  CHECK(loaded.report.errors[1].str().starts_with("t.conf:3: ports.wan.addresses[0]: \"203.0.113.256/24\""));
  CHECK(
      loaded.report.errors[2].str().starts_with("t.conf:9: tunnels.hangzhou.remote: \"198.51.100\" is not an address"));
  CHECK(loaded.report.errors[3].str() ==
        "t.conf:12: tunnels.hangzhou.remote_subnets[0]: \"172.17.112.0/16\" has host bits set; the network is "
        "\"172.17.0.0/16\"");
}

TEST_CASE("a syntax error is told with its line, a duplicate key as such") {
  refused(changed("remote = \"198.51.100.7\";", "remote = ;"), "t.conf:9: ", "syntax error");
  refused(in_tunnel("remote = \"198.51.100.8\";"), "t.conf:10: ", "the same key is there twice");
  refused("a = \"\0\";"s + kGood, "t.conf:1: ", "contains a zero octet");
}

TEST_CASE("a lost quote or bracket is told where it was lost, not where the parser stumbled") {
  refused(changed("\"198.51.100.7\";", "\"198.51.100.7;"), "t.conf:9: ", "no closing quote");
  refused(changed("[\"192.168.123.0/24\"]", "[\"192.168.123.0/24\""),
          "t.conf:13: ", "the \"[\" of line 11 needs its \"]\"");
  refused(changed("remote =", "remote ) ="), "t.conf:9: ", "the \"{\" of line 7 needs its \"}\"");
  refused(changed("  }\n);\n", ""), "t.conf:7: ", "the \"{\" here is never closed");
  refused("}\n"s + kGood, "t.conf:1: ", "closes nothing");
  refused("# \"({[\n/* \"({[\n */ // \"(\na = ;\n", "t.conf:4: ", "syntax error here");
}

TEST_CASE("what must be there is asked for") {
  refused(changed("    remote = \"198.51.100.7\";\n", ""), "t.conf:7: tunnels.hangzhou.remote: ", "is missing");
  refused(changed("    psk_file = \"h.psk\";\n", ""), "t.conf:7: tunnels.hangzhou.psk_file: ", "is missing");
  refused(changed("name = \"hangzhou\";", ""), "t.conf:7: tunnels[0].name: ", "is missing");
  refused(changed("device = \"0000:3b:00.1\"; ", ""), "t.conf:4: ports.lan.device: ", "is missing");
  refused(changed("[\"192.168.123.1/24\"]", "[]"), "t.conf:4: ports.lan.addresses: ", "at least one own address");
  refused(changed("[\"192.168.123.0/24\"]", "[]"),
          "t.conf:11: tunnels.hangzhou.local_subnets: ", "at least one own network");
  refused(in_tunnel("auth = \"cert\"; cert = \"c\"; key = \"k\";"), "t.conf:7: tunnels.hangzhou.ca: ", "is missing");
  refused(in_tunnel("ike = { proposals = []; };"),
          "t.conf:10: tunnels.hangzhou.ike.proposals: ", "at least one proposal");
  refused("", "t.conf: ports: ", "at least one");
}

TEST_CASE("names are unique, and ports that tunnels and rules name exist") {
  refused(changed("name = \"lan\"", "name = \"wan\""),
          "t.conf:4: ports[1].name: ", "already the name of the one in line 3");
  refused(
      with_tunnel(
          "name = \"hangzhou\"; remote = \"198.51.100.8\"; psk_file = \"p\"; local_subnets = [\"192.168.123.0/24\"]; "
          "remote_subnets = [\"10.0.0.0/8\"];"),
      "t.conf:14: tunnels[1].name: ", "line 8");
  refused(in_tunnel("port = \"wam\";"),
          "t.conf:10: tunnels.hangzhou.port: ", "there is no port \"wam\"; did you mean \"wan\"?");
  refused(kGood + "rules = ( { name = \"r\"; action = \"deny\"; in = \"nowhere\"; to = \"10.0.0.0/8\"; } );\n"s,
          "t.conf:15: rules.r.in: ", "there is no port or tunnel \"nowhere\"");
  refused(changed("name = \"hangzhou\"", "name = \"port\""), "t.conf:8: tunnels.port.name: ", "show port");
  refused(changed("name = \"hangzhou\"", "name = \"hang zhou\""), "t.conf:8: tunnels[0].name: ", "is not a name");
}

TEST_CASE("ports are refused that could not work") {
  refused(changed("0000:3b:00.1", "0000:3b:00.0"), "t.conf:4: ports.lan.device: ", "already port wan in line 3");
  refused(changed("0000:3b:00.1", "eth1"), "t.conf:4: ports.lan.device: ", "net_af_packet0,iface=eth1");
  refused(changed("192.168.123.1/24", "192.168.123.0/24"), "t.conf:4: ports.lan.addresses: ", "the network itself");
  refused(changed("192.168.123.1/24", "192.168.123.255/24"), "t.conf:4: ports.lan.addresses: ", "broadcast");
  refused(changed("192.168.123.1/24", "224.0.0.1/24"), "t.conf:4: ports.lan.addresses: ", "cannot be an own address");
  refused(changed("192.168.123.1/24", "203.0.113.3/24"),
          "t.conf:4: ports.lan.addresses: ", "also the network of port wan");
  refused(changed("192.168.123.1/24", "203.0.113.2/25"),
          "t.conf:4: ports.lan.addresses: ", "also an address of port wan");
  refused(changed("203.0.113.1\"", "203.0.114.1\""), "t.conf:3: ports.wan.gateway: ", "in none of the port's networks");
  refused(changed("203.0.113.1\"", "203.0.113.2\""), "t.conf:3: ports.wan.gateway: ", "the port's own address");
  refused("socket = \"/" + std::string(107, 's') + "\";\n" + kGood, "t.conf:1: socket: ", "longer than the 107");
}

TEST_CASE("routes are refused that lead nowhere or say the same twice") {
  const auto routes = [](const std::string& list) { return kGood + "routes = ( "s + list + " );\n"; };
  CHECK(load_good(routes("{ to = \"10.0.0.0/8\"; via = \"192.168.123.9\"; }")).ok());
  refused(routes("{ to = \"10.0.0.0/8\"; via = \"192.168.124.9\"; }"), "t.conf:15: routes[0].via: ", "no neighbour");
  refused(routes("{ to = \"10.0.0.0/8\"; via = \"192.168.123.1\"; }"), "t.conf:15: routes[0].via: ", "no neighbour");
  refused(routes("{ to = \"10.0.0.0/8\"; via = \"::1\"; }"), "t.conf:15: routes[0].via: ", "not of the IP version");
  refused(routes("{ to = \"10.0.0.0/8\"; }"), "t.conf:15: routes[0].via: ", "is missing");
  refused(
      routes("{ to = \"10.0.0.0/8\"; via = \"192.168.123.9\"; },\n{ to = \"10.0.0.0/8\"; via = \"192.168.123.8\"; }"),
      "t.conf:16: routes[1].to: ", "same distance in line 15");
}

TEST_CASE("a remote that equals or lies inside a local subnet is refused with both named") {
  refused(changed("172.17.112.0/20", "192.168.123.0/24"),
          "t.conf:12: tunnels.hangzhou.remote_subnets: ", "remote 192.168.123.0/24 equals local 192.168.123.0/24");
  refused(changed("172.17.112.0/20", "192.168.123.64/26"), "t.conf:12: tunnels.hangzhou.remote_subnets: ",
          "remote 192.168.123.64/26 lies inside local 192.168.123.0/24");
  refused(
      changed("[\"172.17.112.0/20\"]", "[\"10.0.0.0/8\", \"192.168.123.1-192.168.123.9[tcp/80]\"]"),
      "t.conf:12: tunnels.hangzhou.remote_subnets: ", "remote 192.168.123.1-192.168.123.9[tcp/80] lies inside local");
}

TEST_CASE("a larger remote is accepted with a note") {
  noted(changed("172.17.112.0/20", "192.168.0.0/16"),
        "t.conf:12: tunnels.hangzhou.remote_subnets: remote 192.168.0.0/16 is larger than local 192.168.123.0/24");
}

TEST_CASE("a route-based tunnel needs routes, and routes need a route-based tunnel") {
  const std::string based = changed("172.17.112.0/20", "0.0.0.0/0");
  refused(based, "t.conf:12: tunnels.hangzhou.remote_subnets: ", "route-based, and what enters it is missing");
  refused(changed("    psk_file", "    routes = [];\n    psk_file", based),
          "t.conf:10: tunnels.hangzhou.routes: ", "is missing");
  const Loaded good = load_good(changed("    psk_file", "    routes = [\"10.0.0.0/8\"];\n    psk_file", based));
  INFO(all_of(good.report.errors));
  REQUIRE(good.ok());
  CHECK(good.config.tunnels[0].route_based());
  refused(changed("    psk_file", "    routes = [\"2001:db8::/32\"];\n    psk_file", based),
          "t.conf:10: tunnels.hangzhou.routes: ", "in none of remote_subnets");
  refused(in_tunnel("routes = [\"10.0.0.0/8\"];"), "t.conf:10: tunnels.hangzhou.routes: ", "for route-based tunnels");
}

TEST_CASE("equal selectors on two tunnels need a group") {
  const auto second = [](const std::string& more) {
    return with_tunnel(
        "name = \"two\"; remote = \"198.51.100.8\"; psk_file = \"p\"; local_subnets = [\"192.168.123.0/24\"]; " + more);
  };
  const std::string same = "remote_subnets = [\"172.17.112.0/20\"];";
  refused(second(same), "t.conf:14: tunnels.two.remote_subnets: ",
          "192.168.123.0/24 to 172.17.112.0/20 is also what tunnel hangzhou protects");
  CHECK(load_good(second("remote_subnets = [\"172.17.128.0/20\"];")).ok());
  const std::string grouped =
      changed("    psk_file", "    group = \"g\";\n    psk_file", second(same + " group = \"g\";"));
  CHECK(load_good(grouped).ok());
  refused(changed("group = \"g\"", "group = \"h\"", grouped), "t.conf:15: tunnels.two.remote_subnets: ", "one group");
  const std::string based = changed("\"172.17.112.0/20\"]", "\"0.0.0.0/0\"]; routes = [\"10.9.0.0/16\"]",
                                    second("remote_subnets = [\"0.0.0.0/0\"]; routes = [\"10.9.0.0/16\"];"));
  refused(based, "t.conf:14: tunnels.two.routes: ", "192.168.123.0/24 to 10.9.0.0/16");
}

TEST_CASE("a peer that cannot be reached or begun is refused") {
  refused(changed("198.51.100.7", "2001:db8::1"),
          "t.conf:9: tunnels.hangzhou.remote: ", "no route leads to 2001:db8::1");
  refused(changed("198.51.100.7", "203.0.113.2"), "t.conf:9: tunnels.hangzhou.remote: ", "own address of port wan");
  refused(changed("198.51.100.7", "0.0.0.0"), "t.conf:9: tunnels.hangzhou.remote: ", "write \"any\"");
  refused(in_tunnel("local = \"203.0.113.3\";"), "t.conf:10: tunnels.hangzhou.local: ", "no port's own address");
  refused(in_tunnel("local = \"203.0.113.2\"; port = \"lan\";"),
          "t.conf:10: tunnels.hangzhou.local: ", "belongs to port wan, not to lan");
  refused(changed("remote = \"198.51.100.7\";", "remote = \"any\"; start = \"now\";"),
          "t.conf:9: tunnels.hangzhou.start: ", "use \"wait\"");
  refused(changed("remote = \"198.51.100.7\";", "remote = \"any\"; role = \"initiator\";"),
          "t.conf:9: tunnels.hangzhou.role: ", "needs to know its peer");
  CHECK(load_good(changed("198.51.100.7", "any")).config.tunnels[0].start == Start::wait);
  CHECK(load_good(in_tunnel("role = \"responder\";")).config.tunnels[0].start == Start::wait);
  CHECK(load_good(changed("198.51.100.7", "vpn-1.example.net")).ok());
}

TEST_CASE("keys that contradict each other are refused") {
  refused(in_tunnel("ike = { mode = \"aggressive\"; };"), "t.conf:10: tunnels.hangzhou.ike.mode: ", "version is 2");
  refused(in_tunnel("ike = { ppk_id = \"x\"; };"), "t.conf:10: tunnels.hangzhou.ike.ppk_id: ", "needs ppk_file");
  refused(in_tunnel("ike = { ppk_file = \"x\"; };"), "t.conf:10: tunnels.hangzhou.ike.ppk_file: ", "needs ppk_id");
  refused(in_tunnel("esp = { proposals = [\"aes256\", \"aes256\"]; };"),
          "t.conf:10: tunnels.hangzhou.esp.proposals: ", "there twice");
  refused(in_tunnel("esp = { proposals = [\"AES256\"]; };"),
          "t.conf:10: tunnels.hangzhou.esp.proposals[0]: ", "is not a proposal");
  refused(in_tunnel("translate = ( { local = \"10.0.0.0/24\"; seen_as = \"192.168.123.0/25\"; } );"),
          "t.conf:10: tunnels.hangzhou.translate[0].seen_as: ", "one to one");
  refused(in_tunnel("translate = ( { local = \"10.0.0.0/24\"; seen_as = \"10.9.0.0/24\"; } );"),
          "t.conf:10: tunnels.hangzhou.translate: ", "in none of local_subnets");
  refused(kGood + "policies = ( { name = \"p\"; action = \"bypass\"; } );\n"s,
          "t.conf:15: policies.p: ", "needs from, to, or both");
  refused(
      kGood +
          "policies = ( { name = \"p\"; action = \"bypass\"; from = \"10.0.0.0/8[tcp]\"; to = \"10.0.0.0/8[udp]\"; } );\n"s,
      "t.conf:15: policies.p: ", "different protocols");
  refused(changed("[\"172.17.112.0/20\"]", "[\"172.17.112.0/20\", \"2001:db8::/32\"]"),
          "t.conf:12: tunnels.hangzhou.remote_subnets: ", "no local subnet of its IP version");
}

TEST_CASE("dubious but workable settings are noted") {
  noted(in_tunnel("legacy = true;"), "tunnels.hangzhou.legacy: algorithms that are broken");
  noted(in_tunnel("cert = \"c\";"), "tunnels.hangzhou.cert: is not used");
  noted(in_tunnel("ike = { version = 1; mode = \"aggressive\"; };"), "aggressive mode shows anyone");
  noted("ports = ( { name = \"a\"; device = \"net_null0\"; addresses = [\"10.0.0.1/8\"]; } );",
        "nothing will be encrypted");
}

TEST_CASE("a proposal checker's words stand at the proposals' line, beside the other errors") {
  LoadOptions options;
  options.check_files = false;
  options.check_proposal = [](ProposalKind kind, std::string_view proposal,
                              const Tunnel& t) -> std::optional<std::string> {
    if (kind == ProposalKind::ike && proposal == "aes512" && !t.legacy) return "there is no algorithm aes512";
    return std::nullopt;
  };
  const Loaded loaded = load_text(
      in_tunnel("ike = { proposals = [\"aes256-sha256-modp2048\", \"aes512\"]; }; weight = 0;"), "t.conf", options);
  REQUIRE(loaded.report.errors.size() == 2);
  CHECK(
      all_of(loaded.report.errors).find("t.conf:10: tunnels.hangzhou.ike.proposals: there is no algorithm aes512\n") !=
      std::string::npos);
}

TEST_CASE("a group: what keeps a tunnel from taking over is said") {
  const std::string second = R"(  },
  {
    name = "standby"; remote = "198.51.100.8"; psk_file = "h.psk"; group = "pair";
    local_subnets = ["192.168.123.0/24"]; remote_subnets = ["172.17.112.0/20"]; EXTRA
  }
);
)";
  const auto pair = [&](const std::string& first, const std::string& extra) {
    return load_good(changed("  }\n);\n", changed("EXTRA", extra, second), in_tunnel("group = \"pair\"; weight = 10; " + first)));
  };
  Loaded loaded = pair("probe = \"172.17.112.9\";", "probe = \"172.17.112.9\";");
  INFO(all_of(loaded.report.errors) << all_of(loaded.report.notes));
  CHECK(loaded.ok());
  CHECK(loaded.report.notes.empty());
  CHECK(loaded.config.tunnels[0].weight == 10);

  loaded = pair("", "start = \"traffic\";");
  CHECK(loaded.ok());
  CHECK(all_of(loaded.report.notes).find("tunnels.standby.start: a tunnel of a group takes the traffic over only while it is up") !=
        std::string::npos);
  loaded = pair("", "probe = \"10.9.9.9\";");
  CHECK_FALSE(loaded.ok());
  CHECK(all_of(loaded.report.errors).find("tunnels.standby.probe: 10.9.9.9 is in none of remote_subnets") != std::string::npos);

  loaded = load_good(in_tunnel("group = \"pair\";"));
  CHECK(loaded.ok());
  CHECK(all_of(loaded.report.notes).find("tunnels.hangzhou.group: nothing stands by: \"pair\" has no other tunnel") !=
        std::string::npos);
  loaded = load_good(changed("192.168.123.1/24", "192.168.77.1/24", in_tunnel("probe = \"172.17.112.9\";")));
  CHECK(loaded.ok());
  CHECK(all_of(loaded.report.notes).find("tunnels.hangzhou.probe: no port has an address inside local_subnets") !=
        std::string::npos);
}

TEST_CASE("files are checked: a PSK that is missing, open to all, weak or good") {
  const TempDir dir;
  using std::filesystem::perms;
  const auto owner = perms::owner_read | perms::owner_write;
  const std::string conf = dir.write("t.conf", kGood, owner);
  Loaded loaded = causeway::conf::load(conf);
  REQUIRE(loaded.report.errors.size() == 1);
  CHECK(loaded.report.errors[0].str().find("t.conf:10: tunnels.hangzhou.psk_file: ") != std::string::npos);
  CHECK(loaded.report.errors[0].reason.find("No such file") != std::string::npos);
  dir.write("h.psk", "J9tKq2mZ8vXw4LrB7nYc1PdF6sGh3QaE\n", owner | perms::others_read);
  loaded = causeway::conf::load(conf);
  REQUIRE(loaded.report.errors.size() == 1);
  CHECK(loaded.report.errors[0].reason.find("can be read by everybody") != std::string::npos);
  dir.write("h.psk", "short", owner);
  loaded = causeway::conf::load(conf);
  CHECK(loaded.ok());
  REQUIRE(loaded.report.notes.size() == 1);
  CHECK(loaded.report.notes[0].reason.find("weak") != std::string::npos);
  dir.write("h.psk", "J9tKq2mZ8vXw4LrB7nYc1PdF6sGh3QaE\n", owner);
  loaded = causeway::conf::load(conf);
  CHECK(loaded.ok());
  CHECK(loaded.report.notes.empty());
}

TEST_CASE("a configuration that cannot be read is one clear error") {
  const TempDir dir;
  CHECK(all_of(causeway::conf::load(dir.file("none.conf")).report.errors) ==
        dir.file("none.conf") + ": cannot be read: there is no such file\n");
  CHECK(all_of(causeway::conf::load(dir.file("")).report.errors).find("not a regular file") != std::string::npos);
  dir.write("empty.conf", "", std::filesystem::perms::owner_read);
  CHECK(all_of(causeway::conf::load(dir.file("empty.conf")).report.errors).find("at least one") != std::string::npos);
}

TEST_CASE("included files keep their own names and lines in errors") {
  const TempDir dir;
  dir.write("more.conf", "\n\npolling = \"lazy\";\n", std::filesystem::perms::owner_read);
  const std::string conf = dir.write("t.conf", "@include \"more.conf\"\n"s + kGood, std::filesystem::perms::owner_read);
  const Loaded loaded =
      causeway::conf::load(conf, {.check_proposal = {}, .check_files = false});
  REQUIRE(loaded.report.errors.size() == 1);
  CHECK(loaded.report.errors[0].str().find("more.conf:3: polling: \"lazy\" is not one of") != std::string::npos);
}

TEST_CASE("--check's text says in plain words what the configuration does") {
  const Loaded loaded = load_good(in_tunnel("legacy = true; role = \"initiator\"; esp = { bytes = \"1800MB\"; };"));
  REQUIRE(loaded.ok());
  const std::string text = describe(loaded);
  INFO(text);
  for (const char* expected :
       {"t.conf: 2 ports, 1 tunnel, 0 static routes\n", "1 worker, on core 1, polling without pause\n",
        "port wan: 0000:3b:00.0\n", "203.0.113.2/24, gateway 203.0.113.1, MTU 1500\n",
        "untrusted: its gateway is set\n", "trusted: no gateway, default route or tunnel peer is reached through it\n",
        "tunnel hangzhou: IKEv2 with 198.51.100.7\n", "from 203.0.113.2 on port wan\n",
        "is begun at once; the peer may not begin\n",
        "as 203.0.113.2 to 198.51.100.7, by the pre-shared key in ./h.psk\n",
        "protects 192.168.123.0/24 <-> 172.17.112.0/20\n",
        "IKE: aes256gcm16-prfsha384-ecp384, aes256-sha256-modp2048; renewed within 8h\n",
        "renewed within 1h or 1800 MB; replay window 2048\n", "note: t.conf:10: tunnels.hangzhou.legacy: "}) {
    INFO(expected);
    CHECK(text.find(expected) != std::string::npos);
  }
}

#include "conf/config.h"

#include "test/support/catch.h"

using causeway::conf::Config;
using causeway::conf::IpAddress;
using causeway::conf::Port;
using causeway::conf::Prefix;
using causeway::conf::Route;
using causeway::conf::Selector;
using causeway::conf::Tunnel;

namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
Prefix net(std::string_view text) { return Prefix::parse(text).value(); }

Port port(std::string name, std::vector<Prefix> addresses) {
  Port p;
  p.name = std::move(name);
  p.addresses = std::move(addresses);
  return p;
}

Tunnel tunnel(std::string name, std::string remote) {
  Tunnel t;
  t.name = std::move(name);
  t.remote = std::move(remote);
  return t;
}

Config two_ports() {
  Config c;
  c.ports = {port("wan", {net("203.0.113.2/24"), net("2001:db8::2/64")}), port("lan", {net("192.168.1.1/24")})};
  return c;
}

}  // namespace

TEST_CASE("a port with a gateway is untrusted, one without anything outside is trusted") {
  Config c = two_ports();
  c.ports[0].gateway = ip("203.0.113.1");
  CHECK_FALSE(c.trusted(c.ports[0]).trusted);
  CHECK(c.trusted(c.ports[0]).why == "its gateway is set");
  CHECK(c.trusted(c.ports[1]).trusted);
}

TEST_CASE("what the configuration says about trust wins over every default") {
  Config c = two_ports();
  c.ports[0].gateway = ip("203.0.113.1");
  c.ports[0].trusted = true;
  c.ports[1].trusted = false;
  CHECK(c.trusted(c.ports[0]).trusted);
  CHECK_FALSE(c.trusted(c.ports[1]).trusted);
  CHECK(c.trusted(c.ports[1]).why == "the configuration says so");
}

TEST_CASE("a port is untrusted when a tunnel names it, a default route or a peer lies behind it") {
  Config c = two_ports();
  CHECK(c.trusted(c.ports[0]).trusted);
  c.tunnels = {tunnel("a", "203.0.113.9")};
  CHECK(c.trusted(c.ports[0]).why == "tunnel a leaves through it");
  CHECK(c.trusted(c.ports[1]).trusted);
  c.tunnels[0].port = "lan";
  CHECK(c.trusted(c.ports[1]).why == "tunnel a names it as its port");
  CHECK(c.trusted(c.ports[0]).trusted);
  c.tunnels.clear();
  c.routes = {Route{net("0.0.0.0/0"), ip("203.0.113.1"), 1, 0}};
  CHECK(c.trusted(c.ports[0]).why == "the default route by 203.0.113.1 leaves through it");
}

TEST_CASE("a tunnel's port follows the longest route, then the lowest distance") {
  Config c = two_ports();
  const Tunnel far = tunnel("far", "198.51.100.7");
  CHECK(c.port_of(far) == nullptr);
  c.ports[0].gateway = ip("203.0.113.1");
  CHECK(c.port_of(far) == &c.ports[0]);
  c.routes = {Route{net("198.51.100.0/24"), ip("192.168.1.254"), 5, 0}};
  CHECK(c.port_of(far) == &c.ports[1]);
  c.routes.push_back(Route{net("198.51.100.0/24"), ip("203.0.113.77"), 4, 0});
  CHECK(c.port_of(far) == &c.ports[0]);
  CHECK(c.port_of(tunnel("near", "192.168.1.20")) == &c.ports[1]);
  CHECK(c.port_of(tunnel("name", "vpn.example.net")) == &c.ports[0]);
  CHECK(c.port_of(tunnel("six", "2001:db8:1::1")) == nullptr);
  CHECK(c.port_of(tunnel("six", "2001:db8::9")) == &c.ports[0]);
}

TEST_CASE("a tunnel's local address is its own word, else its port's first of the right family") {
  Config c = two_ports();
  c.ports[0].gateway = ip("203.0.113.1");
  Tunnel t = tunnel("t", "198.51.100.7");
  CHECK(c.local_address(t) == ip("203.0.113.2"));
  t.remote = "2001:db8::9";
  CHECK(c.local_address(t) == ip("2001:db8::2"));
  t.local = ip("2001:db8::3");
  CHECK(c.local_address(t) == ip("2001:db8::3"));
  t = tunnel("any", "any");
  t.port = "wan";
  CHECK(c.local_address(t) == ip("203.0.113.2"));
  t.port = "nowhere";
  CHECK_FALSE(c.local_address(t));
}

TEST_CASE("a tunnel with a remote subnet of length zero is route-based") {
  Tunnel t;
  t.remote_subnets = {Selector::of(net("0.0.0.0/1")), Selector::of(net("128.0.0.0/1"))};
  CHECK_FALSE(t.route_based());
  t.remote_subnets = {Selector::of(net("::/0"))};
  CHECK(t.route_based());
}

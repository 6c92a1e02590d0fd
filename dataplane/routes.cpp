#include "dataplane/routes.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint8_t full_length(const conf::IpAddress& a) { return a.family == conf::Family::v4 ? 32 : 128; }

}  // namespace

RouteTable::RouteTable(std::span<const PortSetup> ports, std::span<const RouteSpec> routes) {
  std::vector<Lpm::Entry> v4, v6;
  const auto add = [&](const conf::Prefix& prefix, NextHop hop) {
    hop.length = prefix.length;
    hops_.push_back(hop);
    auto& entries = prefix.address.family == conf::Family::v4 ? v4 : v6;
    entries.push_back({prefix, static_cast<std::uint32_t>(hops_.size())});
    if (hop.kind == NextHop::Kind::connected || hop.kind == NextHop::Kind::gateway)
      networks_.push_back({prefix, hops_.back()});
  };

  // Of equal prefixes the later wins: defaults first, then routes, then what is ours.
  for (std::uint16_t port = 0; port < ports.size(); ++port) {
    for (const conf::Prefix& own : ports[port].addresses)
      add(own.network(), {.kind = NextHop::Kind::connected, .port = port, .gateway = {}});
    if (const auto& gateway = ports[port].gateway; gateway.has_value()) {
      conf::Prefix everything{.address = {.family = gateway->family}, .length = 0};
      add(everything, {.kind = NextHop::Kind::gateway, .port = port, .gateway = *gateway});
    }
  }
  for (const RouteSpec& route : routes) {
    const auto kind = route.via ? NextHop::Kind::gateway : NextHop::Kind::connected;
    add(route.to.network(), {.kind = kind, .port = route.port, .gateway = route.via.value_or(conf::IpAddress{})});
  }
  for (std::uint16_t port = 0; port < ports.size(); ++port) {
    for (const conf::Prefix& own : ports[port].addresses) {
      if (own.address.family == conf::Family::v4 && own.length < 31) {  // RFC 3021: a /31 has no broadcast
        add({own.first(), 32}, {.kind = NextHop::Kind::broadcast, .port = port, .gateway = {}});
        add({own.last(), 32}, {.kind = NextHop::Kind::broadcast, .port = port, .gateway = {}});
      }
    }
  }
  for (std::uint16_t port = 0; port < ports.size(); ++port) {
    for (const conf::Prefix& own : ports[port].addresses) {
      add({own.address, full_length(own.address)},
          {.kind = NextHop::Kind::local, .port = port, .host = ports[port].host, .gateway = {}});
      own_.push_back({own.address, port});
    }
  }
  v4_ = Lpm(std::move(v4));
  v6_ = Lpm(std::move(v6));
}

}  // namespace causeway::dataplane

#include "conf/config.h"

#include <algorithm>

namespace causeway::conf {
namespace {

const Port* connected_port(const Config& config, const IpAddress& address) {
  const Port* best = nullptr;
  int best_length = -1;
  for (const Port& port : config.ports) {
    for (const Prefix& own : port.addresses) {
      if (own.length > best_length && own.contains(address)) {
        best = &port;
        best_length = own.length;
      }
    }
  }
  return best;
}

const Port* port_with_address(const Config& config, const IpAddress& address) {
  for (const Port& port : config.ports) {
    if (std::ranges::any_of(port.addresses, [&](const Prefix& own) { return own.address == address; })) return &port;
  }
  return nullptr;
}

const Port* port_named(const Config& config, const std::string& name) {
  const auto found = std::ranges::find(config.ports, name, &Port::name);
  return found == config.ports.end() ? nullptr : &*found;
}

// By name: the caller's port may be a copy.
bool leads_through(const Config& config, const IpAddress& next_hop, const Port& port) {
  const Port* connected = connected_port(config, next_hop);
  return connected != nullptr && connected->name == port.name;
}

// One line of the routing table as the file gives it: longest prefix first, then the lowest distance,
// where a connected network counts as 0 and a port's gateway as a default route of distance 1.
struct Candidate {
  const Port* port = nullptr;
  int length = -1;
  int distance = 256;
  [[nodiscard]] bool better_than(const Candidate& other) const {
    return length != other.length ? length > other.length : distance < other.distance;
  }
};

const Port* port_towards(const Config& config, const IpAddress& address) {
  Candidate best;
  const auto offer = [&](const Candidate& candidate) {
    if (candidate.port != nullptr && candidate.better_than(best)) best = candidate;
  };
  for (const Port& port : config.ports) {
    for (const Prefix& own : port.addresses) {
      if (own.contains(address)) offer({&port, own.length, 0});
    }
    if (port.gateway && port.gateway->family == address.family) offer({&port, 0, 1});
  }
  for (const Route& route : config.routes) {
    if (route.to.contains(address)) offer({connected_port(config, route.via), route.to.length, route.distance});
  }
  return best.port;
}

const Port* default_port(const Config& config) {
  for (const char* unspecified : {"0.0.0.0", "::"}) {
    if (const Port* port = port_towards(config, *IpAddress::parse(unspecified))) return port;
  }
  return nullptr;
}

}  // namespace

bool Tunnel::route_based() const {
  return std::ranges::any_of(remote_subnets, [](const Selector& s) {
    const auto prefix = s.as_prefix();
    return prefix && prefix->length == 0;
  });
}

const Port* Config::port_of(const Tunnel& t) const {
  if (!t.port.empty()) return port_named(*this, t.port);
  if (const auto remote = t.remote_address()) {
    // With an own `local` on another port than the route, the route still decides: that is where packets go.
    return port_towards(*this, *remote);
  }
  if (t.local) return port_with_address(*this, *t.local);
  return default_port(*this);  // a name not resolved here, or any peer: by the default route
}

std::optional<IpAddress> Config::local_address(const Tunnel& t) const {
  if (t.local) return t.local;
  const Port* port = port_of(t);
  if (port == nullptr) return std::nullopt;
  const auto remote = t.remote_address();
  for (const Prefix& own : port->addresses) {
    if (!remote || own.address.family == remote->family) return own.address;
  }
  return std::nullopt;
}

Config::Trust Config::trusted(const Port& p) const {
  if (p.trusted) return {*p.trusted, "the configuration says so"};
  if (p.gateway) return {false, "its gateway is set"};
  for (const Tunnel& tunnel : tunnels) {
    if (tunnel.port == p.name) return {false, "tunnel " + tunnel.name + " names it as its port"};
  }
  for (const Route& route : routes) {
    if (route.to.length == 0 && leads_through(*this, route.via, p)) {
      return {false, "the default route by " + route.via.str() + " leaves through it"};
    }
  }
  for (const Tunnel& tunnel : tunnels) {
    const Port* port = port_of(tunnel);
    if (port != nullptr && port->name == p.name) return {false, "tunnel " + tunnel.name + " leaves through it"};
  }
  return {true, "no gateway, default route or tunnel peer is reached through it"};
}

}  // namespace causeway::conf

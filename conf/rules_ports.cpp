#include <algorithm>
#include <set>

#include "conf/rules.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

// "is missing", unless the key is there and was complained about when it was read.
void require(Report& report, const std::string& key, bool present, std::string_view what) {
  if (!present && !report.has(key)) report.error(key, "is missing: " + std::string(what));
}

std::string at_line(const Report& report, const std::string& key) {
  return "line " + std::to_string(report.place_of(key).line);
}

template <typename T>
void check_names(const std::vector<T>& elements, const std::vector<std::string>& keys, std::string_view what,
                 bool required, Report& report) {
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (required) require(report, keys[i] + ".name", !elements[i].name.empty(), what);
    for (std::size_t j = 0; j < i; ++j) {
      if (elements[i].name.empty() || elements[i].name != elements[j].name) continue;
      report.error(keys[i] + ".name", in_quotes(elements[i].name) + " is already the name of the one in " +
                                          at_line(report, keys[j] + ".name"));
      break;
    }
  }
}

bool is_unicast(const IpAddress& a) {
  if (a.is_unspecified()) return false;
  if (a.family == Family::v4) return a.octets[0] != 127 && a.octets[0] < 224 && a.octets[0] != 0;
  return a.octets[0] != 0xff && a != *IpAddress::parse("::1");
}

void check_address(const Prefix& own, const std::string& key, Report& report) {
  if (!is_unicast(own.address)) {
    report.error(key, own.address.str() + " cannot be an own address");
    return;
  }
  const bool has_network_address = own.length <= (own.address.family == Family::v4 ? 30 : 126);
  if (has_network_address && own.address == own.first()) {
    report.error(key, own.str() + " is the network itself; the port's own address in it is needed");
  } else if (has_network_address && own.address.family == Family::v4 && own.address == own.last()) {
    report.error(key, own.str() + " is the network's broadcast address");
  }
}

void check_port(const Port& port, const std::string& key, Report& report) {
  require(report, key + ".device", !port.device.empty(), "a PCI address such as \"0000:3b:00.0\" or vdev arguments");
  if (port.addresses.empty() && !report.meant.contains(key + ".addresses") &&
      !report.places.contains(key + ".addresses[0]")) {
    report.error(key + ".addresses", "needs at least one own address such as [\"203.0.113.2/24\"]");
  }
  for (std::size_t i = 0; i < port.addresses.size(); ++i) check_address(port.addresses[i], key + ".addresses", report);
  if (!port.gateway) return;
  const IpAddress& gateway = *port.gateway;
  const auto owns = [&](const Prefix& own) { return own.address == gateway; };
  const auto reaches = [&](const Prefix& own) { return own.contains(gateway); };
  if (std::ranges::any_of(port.addresses, owns)) {
    report.error(key + ".gateway", gateway.str() + " is the port's own address");
  } else if (!port.addresses.empty() && std::ranges::none_of(port.addresses, reaches)) {
    report.error(key + ".gateway", gateway.str() + " is in none of the port's networks");
  }
}

void check_port_pair(const Port& a, const Port& b, const std::string& key_a, const std::string& key_b, Report& report) {
  if (!b.device.empty() && a.device == b.device && a.vlan == b.vlan) {
    report.error(key_b + ".device", in_quotes(b.device) + " is already port " + a.name + " in " +
                                        at_line(report, key_a + ".device") +
                                        (a.vlan == 0 ? "; two ports on one device need different vlan" : ""));
  }
  for (const Prefix& own_a : a.addresses) {
    for (const Prefix& own_b : b.addresses) {
      if (own_a.address == own_b.address) {
        report.error(key_b + ".addresses", own_b.address.str() + " is also an address of port " + a.name);
      } else if (own_a.network() == own_b.network()) {
        report.error(key_b + ".addresses", own_b.network().str() + " is also the network of port " + a.name);
      } else if (own_a.overlaps(own_b)) {
        report.note(key_b + ".addresses", own_b.network().str() + " overlaps " + own_a.network().str() + " of port " +
                                              a.name + ": the longer prefix wins");
      }
    }
  }
}

void check_route(const Draft& draft, std::size_t index, Report& report) {
  const Route& route = draft.config.routes[index];
  const std::string& key = draft.route_keys[index];
  const bool has_to = report.places.contains(key + ".to"), has_via = report.places.contains(key + ".via");
  require(report, key + ".to", has_to, "the destination network");
  require(report, key + ".via", has_via, "the next hop's address");
  if (!has_to || !has_via) return;
  if (route.to.address.family != route.via.family) {
    report.error(key + ".via", route.via.str() + " is not of the IP version of " + route.to.str());
    return;
  }
  const auto reached = [&](const Port& port) {
    return std::ranges::any_of(port.addresses,
                               [&](const Prefix& own) { return own.contains(route.via) && own.address != route.via; });
  };
  if (std::ranges::none_of(draft.config.ports, reached)) {
    report.error(key + ".via", route.via.str() + " is no neighbour: it is in no port's network");
  }
  for (std::size_t i = 0; i < index; ++i) {
    const Route& other = draft.config.routes[i];
    if (other.to == route.to && other.distance == route.distance) {
      report.error(key + ".to", route.to.str() + " has a route of the same distance in " +
                                    at_line(report, draft.route_keys[i] + ".to"));
      return;
    }
  }
}

void check_rule_place(const Draft& draft, const std::string& name, const std::string& key, Report& report) {
  if (name.empty()) return;
  const bool port = std::ranges::count(draft.config.ports, name, &Port::name) != 0;
  const bool tunnel = std::ranges::count(draft.config.tunnels, name, &Tunnel::name) != 0;
  if (port && tunnel) report.error(key, in_quotes(name) + " is the name of a port and of a tunnel");
  if (!port && !tunnel) report.error(key, "there is no port or tunnel " + in_quotes(name));
}

constexpr std::size_t kMostRules = 1024;  // each has a counter in every worker

void check_top(const Config& config, Report& report) {
  std::set<int> seen;
  for (const int core : config.workers) {
    if (!seen.insert(core).second) report.error("workers", "core " + std::to_string(core) + " is named twice");
  }
  constexpr std::size_t kLongestSocket = 107;  // sun_path with its terminator
  if (config.socket.size() > kLongestSocket) {
    report.error("socket", "is longer than the " + std::to_string(kLongestSocket) + " octets of a socket's path");
  }
  if (config.ports.empty() && !report.meant.contains("ports") && !report.places.contains("ports[0]")) {
    report.error("ports", "there are none: a gateway needs at least one");
  }
  if (config.tunnels.empty() && !report.has("tunnels"))
    report.note("tunnels", "there are none: nothing will be encrypted");
}

}  // namespace

void check_ports(const Draft& draft, Report& report) {
  const Config& config = draft.config;
  check_top(config, report);
  check_names(config.ports, draft.port_keys, "what tunnels, rules and counters call the port", true, report);
  check_names(config.tunnels, draft.tunnel_keys, "what you call the tunnel", true, report);
  check_names(config.policies, draft.policy_keys, "", false, report);
  check_names(config.rules, draft.rule_keys, "what counters call the rule", true, report);
  for (std::size_t i = 0; i < config.ports.size(); ++i) {
    check_port(config.ports[i], draft.port_keys[i], report);
    for (std::size_t j = 0; j < i; ++j) {
      check_port_pair(config.ports[j], config.ports[i], draft.port_keys[j], draft.port_keys[i], report);
    }
  }
  for (std::size_t i = 0; i < config.routes.size(); ++i) check_route(draft, i, report);
  for (std::size_t i = 0; i < config.policies.size(); ++i) {
    require(report, draft.policy_keys[i] + ".action", report.places.contains(draft.policy_keys[i] + ".action"),
            "\"bypass\" or \"discard\"");
  }
  if (config.rules.size() > kMostRules) report.error("rules", "there are more than " + std::to_string(kMostRules));
  for (std::size_t i = 0; i < config.rules.size(); ++i) {
    const std::string& key = draft.rule_keys[i];
    require(report, key + ".action", report.places.contains(key + ".action"), "\"permit\" or \"deny\"");
    const std::uint8_t from = config.rules[i].from.protocol, to = config.rules[i].to.protocol;
    if (from != 0 && to != 0 && from != to) report.error(key + ".to", "names another protocol than from: nothing is both");
    check_rule_place(draft, config.rules[i].in, key + ".in", report);
    check_rule_place(draft, config.rules[i].out, key + ".out", report);
  }
  for (std::size_t i = 0; i < config.crypto.size(); ++i) {
    require(report, draft.crypto_keys[i] + ".suite", !config.crypto[i].suite.empty(), "the suite this is about");
  }
}

}  // namespace causeway::conf

#include "dataplane/policy.h"

#include <algorithm>
#include <map>

namespace causeway::dataplane {
namespace {

bool takes_any(const std::vector<conf::Selector>& side, conf::Family family, const std::uint8_t* address,
               const Flow& flow, std::uint16_t port) {
  return std::any_of(side.begin(), side.end(), [&](const conf::Selector& s) {
    return selector_takes(s, family, address, flow.protocol, flow.ports, port);
  });
}

}  // namespace

std::vector<conf::Prefix> prefixes_of(const conf::Selector& range) {
  const std::size_t bits = range.first.size() * 8;
  std::vector<conf::Prefix> out;
  conf::IpAddress at = range.first;
  while (true) {
    conf::Prefix prefix{at, static_cast<std::uint8_t>(bits)};
    while (prefix.length > 0) {
      const conf::Prefix wider = conf::Prefix{at, static_cast<std::uint8_t>(prefix.length - 1)}.network();
      if (wider.address != at || wider.last() > range.last) break;
      prefix = wider;
    }
    out.push_back(prefix);
    at = prefix.last();
    if (at >= range.last) return out;
    for (std::size_t i = at.size(); i-- > 0 && ++at.octets[i] == 0;) {
    }
  }
}

bool selector_takes(const conf::Selector& s, conf::Family family, const std::uint8_t* address, std::uint8_t protocol,
                    bool ports, std::uint16_t port) {
  if (s.first.family != family) return false;
  const std::size_t size = s.first.size();
  if (std::memcmp(address, s.first.octets.data(), size) < 0 || std::memcmp(address, s.last.octets.data(), size) > 0)
    return false;
  if (s.protocol != 0 && s.protocol != protocol) return false;
  if (s.first_port == 0 && s.last_port == 65535) return true;
  if (s.first_port > s.last_port) return !ports;  // OPAQUE
  return ports && port >= s.first_port && port <= s.last_port;
}

PolicyTable::PolicyTable(std::span<const PolicySpec> specs, std::span<const RouteTable::Network> networks,
                         std::span<const PortSetup> ports, const std::function<std::uint16_t(TunnelId)>& owner) {
  for (const PolicySpec& spec : specs) {
    rules_.push_back({.action = spec.action,
                      .wake_on_traffic = spec.wake_on_traffic,
                      .implied = false,
                      .owner = owner(spec.tunnel),
                      .tunnel = spec.tunnel,
                      .child = spec.child,
                      .local = spec.selectors.local,
                      .remote = spec.selectors.remote});
  }
  for (const RouteTable::Network& network : networks) {
    if (network.prefix.length == 0 || network.hop.port >= ports.size() || !ports[network.hop.port].trusted) continue;
    const conf::Prefix everything{.address = {.family = network.prefix.address.family}, .length = 0};
    rules_.push_back({.action = PolicySpec::Action::bypass,
                      .wake_on_traffic = false,
                      .implied = true,
                      .owner = 0,
                      .tunnel = 0,
                      .child = 0,
                      .local = {conf::Selector::of(everything)},
                      .remote = {conf::Selector::of(network.prefix)}});
  }
  build(conf::Family::v4, v4_);
  build(conf::Family::v6, v6_);
  for (const Candidate& candidate : order_) by_address_.push_back(by_address(candidate));
}

PolicyTable::ByAddress PolicyTable::by_address(const Candidate& candidate) const {
  const auto any = [](const conf::Selector& s) { return s.protocol == 0 && s.first_port == 0 && s.last_port == 65535; };
  const PolicyRule& rule = rules_[candidate.rule];
  ByAddress out{.rule = &rule};
  if (!any(rule.remote[candidate.remote])) return out;
  for (const conf::Selector& s : rule.local) {
    if (s.first.family != conf::Family::v4) continue;
    if (out.enough || !any(s)) return {.rule = &rule};
    out = {.rule = &rule, .first = s.first.v4(), .last = s.last.v4(), .enough = true};
  }
  return out;
}

void PolicyTable::build(conf::Family family, Lpm& lpm) {
  std::map<conf::Prefix, std::vector<Candidate>> by_prefix;
  for (std::uint32_t i = 0; i < rules_.size(); ++i) {
    for (std::uint32_t r = 0; r < rules_[i].remote.size(); ++r) {
      const conf::Selector& s = rules_[i].remote[r];
      if (s.first.family != family) continue;
      for (const conf::Prefix& p : prefixes_of(s)) by_prefix[p].push_back({i, r});
    }
  }
  std::vector<Lpm::Entry> entries;
  for (const auto& [prefix, own] : by_prefix) {
    Candidates group{static_cast<std::uint32_t>(order_.size()), 0};
    order_.insert(order_.end(), own.begin(), own.end());
    for (int length = prefix.length - 1; length >= 0; --length) {
      const auto wider = by_prefix.find(conf::Prefix{prefix.address, static_cast<std::uint8_t>(length)}.network());
      if (wider != by_prefix.end()) order_.insert(order_.end(), wider->second.begin(), wider->second.end());
    }
    // Configured exceptions come before the tunnels, however short their prefixes are.
    const auto exception = [this](const Candidate& c) {
      return !rules_[c.rule].implied && rules_[c.rule].action != PolicySpec::Action::protect;
    };
    const auto first = order_.begin() + group.first;
    std::sort(first, std::stable_partition(first, order_.end(), exception),
              [](const Candidate& a, const Candidate& b) { return a.rule < b.rule; });
    group.count = static_cast<std::uint32_t>(order_.size()) - group.first;
    groups_.push_back(group);
    entries.push_back({prefix, static_cast<std::uint32_t>(groups_.size())});
  }
  lpm = Lpm(std::move(entries));
}

const PolicyRule* PolicyTable::match(const Flow& flow) const {
  const std::uint32_t value = (flow.family == conf::Family::v4 ? v4_ : v6_).lookup(flow.destination);
  if (value == Lpm::kNone) return nullptr;
  const Candidates& group = groups_[value - 1];
  for (std::uint32_t i = group.first; i < group.first + group.count; ++i) {
    const PolicyRule& rule = rules_[order_[i].rule];
    if (selector_takes(rule.remote[order_[i].remote], flow.family, flow.destination, flow.protocol, flow.ports,
                       flow.destination_port) &&
        takes_any(rule.local, flow.family, flow.source, flow, flow.source_port))
      return &rule;
  }
  return nullptr;
}

}  // namespace causeway::dataplane

// What the filter is to do (dataplane/rules.h), by trying every rule in order.
#pragma once

#include <optional>
#include <vector>

#include "dataplane/policy.h"
#include "dataplane/sa_spec.h"

namespace causeway::test {

inline bool is_at(const dataplane::RuleSpec::Place& place, std::uint16_t where) {
  using Kind = dataplane::RuleSpec::Place::Kind;
  if (place.kind == Kind::any) return true;
  return where == (place.kind == Kind::port ? place.number : 0x4000 + place.number);
}

// The first that takes the packet.
inline std::optional<std::size_t> first_rule(const std::vector<dataplane::RuleSpec>& rules, const dataplane::Flow& flow,
                                             std::uint16_t in, std::uint16_t out) {
  using dataplane::selector_takes;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (is_at(rules[i].in, in) && is_at(rules[i].out, out) &&
        selector_takes(rules[i].from, flow.family, flow.source, flow.protocol, flow.ports, flow.source_port) &&
        selector_takes(rules[i].to, flow.family, flow.destination, flow.protocol, flow.ports, flow.destination_port))
      return i;
  }
  return std::nullopt;
}

}  // namespace causeway::test

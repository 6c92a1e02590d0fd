// The stateless filter between ports and tunnels (`rules`): by addresses, protocol, ports, and by where a packet
// came from and goes to; the first rule that takes a packet decides, and one that none takes passes. It looks
// at what is forwarded, after policy and routes have said whereto; it lets nothing pass that they refuse.
//
// DPDK's rte_acl, one context for each IP version. Immutable: built by the control thread, swapped under RCU
// (tables.h); without rules there is none, and workers see a null pointer.
#pragma once

#include <rte_acl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "dataplane/policy.h"
#include "dataplane/sa_spec.h"

namespace causeway::dataplane {

// Where a packet comes from or goes to, as the filter numbers it.
constexpr std::uint16_t place_of_port(std::uint16_t port) { return port; }
constexpr std::uint16_t place_of_tunnel(TunnelId tunnel) { return static_cast<std::uint16_t>(0x4000U + tunnel); }

class RuleTable {
 public:
  struct Rule {
    std::uint16_t slot = 0;  // of its counter
    bool permit = true;
  };
  // `slots`: where each rule counts. The error is a sentence that names the rule.
  static tl::expected<std::shared_ptr<const RuleTable>, std::string> make(std::span<const RuleSpec> specs,
                                                                         std::span<const std::uint16_t> slots);
  // The first rule that takes the packet, or nullptr.
  [[nodiscard]] const Rule* match(const Flow& flow, std::uint16_t in, std::uint16_t out) const;

 private:
  struct Free {
    void operator()(rte_acl_ctx* context) const { rte_acl_free(context); }
  };
  using Context = std::unique_ptr<rte_acl_ctx, Free>;
  struct V4;
  struct V6;
  template <typename Key>
  static tl::expected<Context, std::string> build(std::span<const RuleSpec> specs);

  Context v4_, v6_;
  std::vector<Rule> rules_;
};

}  // namespace causeway::dataplane

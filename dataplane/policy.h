// The security policy database (RFC 4301 4.4.1) as workers read it: first the configured bypass and discard policies in
// their order, then longest prefix on the remote address, then the selectors, then what to do. One table answers both directions: outbound packets ask
// with (source = local, destination = remote), cleartext that came in asks with the two reversed, to
// learn whether a tunnel should have protected it.
//
// Immutable: built by the control thread, swapped under RCU (tables.h).
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

#include "conf/address.h"
#include "dataplane/lpm.h"
#include "dataplane/routes.h"
#include "dataplane/sa_spec.h"

namespace causeway::dataplane {

// What selectors look at. Octets in network order, ports in host order; for ICMP both ports are
// type << 8 | code. Where ports cannot be known (a later fragment, another protocol), `ports` is false,
// and only selectors for any port or for OPAQUE ones match (RFC 4301 4.4.1.1).
struct Flow {
  conf::Family family = conf::Family::v4;
  bool ports = false;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0, destination_port = 0;
  const std::uint8_t* source = nullptr;
  const std::uint8_t* destination = nullptr;

  [[nodiscard]] Flow reversed() const {
    Flow f = *this;
    std::swap(f.source, f.destination);
    std::swap(f.source_port, f.destination_port);
    return f;
  }
};

struct PolicyRule {
  PolicySpec::Action action = PolicySpec::Action::protect;
  bool wake_on_traffic = false;
  bool implied = false;     // stands for a connected network or a route, not for a configured policy
  std::uint16_t owner = 0;  // worker that owns the child's outbound SA
  TunnelId tunnel = 0;
  ChildSlot child = 0;
  std::vector<conf::Selector> local, remote;
};

class PolicyTable {
 public:
  // `owner` says which worker owns a tunnel's outbound SAs. A network that is connected to a trusted
  // port, or routed through one, wins over a shorter remote prefix: it is reached in clear.
  PolicyTable(std::span<const PolicySpec> specs, std::span<const RouteTable::Network> networks,
              std::span<const PortSetup> ports, const std::function<std::uint16_t(TunnelId)>& owner);

  // The rule for a flow from local (source) to remote (destination), or nullptr where none says anything.
  [[nodiscard]] const PolicyRule* match(const Flow& flow) const;
  // The same for IPv4 where the addresses alone decide; false: they do not. `remote` in network order, `local` as a number.
  [[nodiscard]] bool match_addresses(const std::uint8_t* remote, std::uint32_t local, const PolicyRule*& rule) const {
    rule = nullptr;
    const std::uint32_t value = v4_.lookup(remote);
    if (value == Lpm::kNone) return true;
    const Candidates& group = groups_[value - 1];
    for (std::uint32_t i = group.first; i < group.first + group.count; ++i) {
      const ByAddress& by = by_address_[i];
      if (!by.enough) return false;
      if (local < by.first || local > by.last) continue;
      rule = by.rule;
      return true;
    }
    return true;
  }

 private:
  struct Candidates {  // of one remote prefix: its own rules in order, then those of the prefixes around it
    std::uint32_t first = 0, count = 0;
  };
  struct Candidate {
    std::uint32_t rule = 0, remote = 0;  // index into rules_, and of one of its remote selectors
  };
  // A candidate whose selectors ask for nothing but addresses: the remote one matches by its prefix, so what is left is
  // one range of local ones.
  struct ByAddress {
    const PolicyRule* rule = nullptr;
    std::uint32_t first = 0, last = 0;
    bool enough = false;
  };
  void build(conf::Family family, Lpm& lpm);
  [[nodiscard]] ByAddress by_address(const Candidate& candidate) const;

  std::vector<PolicyRule> rules_;
  Lpm v4_, v6_;
  std::vector<Candidates> groups_;
  std::vector<Candidate> order_;
  std::vector<ByAddress> by_address_;  // as order_
};

// The fewest prefixes that together are exactly the range of a selector.
[[nodiscard]] std::vector<conf::Prefix> prefixes_of(const conf::Selector& range);

// Whether one side of a selector takes what the packet shows.
[[nodiscard]] bool selector_takes(const conf::Selector& s, conf::Family family, const std::uint8_t* address,
                                  std::uint8_t protocol, bool ports, std::uint16_t port);

}  // namespace causeway::dataplane

// From the configuration to what the rooms are started with: the data path's set-up and tables, and the
// settings of each tunnel's negotiation.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "conf/config.h"
#include "conf/loader.h"
#include "control/engine.h"
#include "control/tunnel.h"
#include "control/ike/effects.h"
#include "crypto/random.h"
#include "dataplane/dataplane.h"

namespace causeway::control {

// One word on a proposal that the configuration's shape alone does not tell: unknown algorithms, a cipher
// without integrity, legacy ones without `legacy = true`.
std::optional<std::string> check_proposal(conf::ProposalKind kind, std::string_view proposal,
                                          const conf::Tunnel& tunnel);

struct Prepared {
  std::vector<PeerSettingsPtr> peers;  // TunnelId = index = place in the configuration
  dataplane::Setup setup;
  std::vector<std::string> notes;  // what the files hold, and what is odd about it
};

// Ports, workers and memory, without policies and routes.
dataplane::Setup make_setup(const conf::Config& config);

// Reads the files of keys and certificates. Every error, each one sentence. `now`: certificates are judged by it.
tl::expected<Prepared, std::vector<std::string>> prepare(const conf::Config& config, std::chrono::sys_seconds now);

// How a tunnel's packets are shared out among its children where these do not carry what is configured: the rest goes
// to `nobody`, a slot without SAs.
struct Split {
  std::vector<Carried> carried;  // empty: as configured
  ike::ChildSlot nobody = 0;
};
// The security policy and the routes: children in their slots as prepare() gave them out. Of the tunnels of a group the
// one that is `in_use` comes first, so it has the packets that several of them are for.
dataplane::TableSpec make_table(const conf::Config& config, const std::vector<PeerSettingsPtr>& peers,
                                const std::function<Split(ike::TunnelId)>& split = {},
                                const std::function<bool(ike::TunnelId)>& in_use = {});

// One line of `causewayctl routes`; those of RouteSpec carry an index into the configuration's ports.
struct RouteLine {
  conf::Prefix to;
  std::optional<conf::IpAddress> via;
  std::uint16_t port = 0;
  std::string origin;  // "connected", "static", "gateway", "tunnel hangzhou"
  int distance = 0;
  bool active = true;  // false: a better one to the same prefix is in use
};
std::vector<RouteLine> make_routes(const conf::Config& config);

// Soft limits lie below the hard ones by an amount that differs from SA to SA, so that the two sides and
// many tunnels do not rekey at once.
dataplane::SaSpec make_sa(const ike::ChildSa& sa, dataplane::Direction direction, const conf::Tunnel& tunnel,
                          crypto::Random& random);

}  // namespace causeway::control

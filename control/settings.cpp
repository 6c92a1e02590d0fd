#include "control/settings.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <utility>

#include "conf/psk.h"
#include "control/credentials.h"
#include "control/ike/proposal.h"
#include "control/ikev1/ikev1.h"

namespace causeway::control {

namespace {

// Without extended sequence numbers an SA ends at 2^32 packets (RFC 4303 3.3.3): rekeyed well before.
constexpr std::uint64_t kSequenceLimit = std::numeric_limits<std::uint32_t>::max();

constexpr std::uint16_t kSmallestPacket = 576;  // every IPv4 path carries it (RFC 791)

std::uint16_t port_index(const conf::Config& config, const conf::Port& port) {
  for (std::size_t i = 0; i < config.ports.size(); ++i) {
    if (config.ports[i].name == port.name) return static_cast<std::uint16_t>(i);
  }
  return 0;
}

std::optional<std::uint16_t> connected_port(const conf::Config& config, const conf::IpAddress& address) {
  std::optional<std::uint16_t> best;
  int length = -1;
  for (std::size_t i = 0; i < config.ports.size(); ++i) {
    for (const conf::Prefix& own : config.ports[i].addresses) {
      if (!own.contains(address) || own.length <= length) continue;
      best = static_cast<std::uint16_t>(i);
      length = own.length;
    }
  }
  return best;
}

std::vector<ike::ChildSettings> make_children(const conf::Tunnel& tunnel, ike::ChildSlot& next_slot) {
  std::vector<ike::ChildSettings> children;
  // Quick mode names one network on each side (RFC 2409 5.5): with IKEv1 several are always one child a pair.
  const bool one_pair = tunnel.local_subnets.size() == 1 && tunnel.remote_subnets.size() == 1;
  if (one_pair || (tunnel.selectors == conf::SelectorShape::joint && tunnel.ike.version == 2)) {
    children.push_back({next_slot++, tunnel.name, {tunnel.local_subnets, tunnel.remote_subnets}});
    return children;
  }
  int number = 1;
  for (const conf::Selector& local : tunnel.local_subnets) {
    for (const conf::Selector& remote : tunnel.remote_subnets) {
      children.push_back({next_slot++, tunnel.name + "-" + std::to_string(number++), {{local}, {remote}}});
    }
  }
  return children;
}

tl::expected<dataplane::Setup::CryptoPin, std::string> crypto_pin(const conf::CryptoChoice& choice) {
  const auto suite = crypto::EspSuite::parse(choice.suite);
  if (!suite) return tl::unexpected("\"" + choice.suite + "\" is not an ESP suite such as \"aes256gcm16\" or \"aes128-sha256\"");
  dataplane::Setup::CryptoPin pin{*suite, crypto::level_of(choice.level), crypto::api_of(choice.api)};
  if (!choice.level.empty() && !pin.level)
    return tl::unexpected("level \"" + choice.level + "\" is none of \"sse\", \"avx2\", \"avx512\"");
  if (!choice.api.empty() && !pin.api)
    return tl::unexpected("api \"" + choice.api + "\" is none of \"direct\", \"job\", \"burst\", \"split\"");
  if (pin.api && !crypto::EspPlan::has(*suite, *pin.api))
    return tl::unexpected(choice.suite + " has no api \"" + choice.api + "\"");
  return pin;
}

// The port or tunnel of a rule; one name is never both (conf/rules_ports.cpp).
dataplane::RuleSpec::Place place_of(const conf::Config& config, const std::string& name) {
  using Kind = dataplane::RuleSpec::Place::Kind;
  for (std::uint32_t i = 0; i < config.ports.size(); ++i) {
    if (config.ports[i].name == name) return {Kind::port, i};
  }
  for (std::uint32_t i = 0; i < config.tunnels.size(); ++i) {
    if (config.tunnels[i].name == name) return {Kind::tunnel, i};
  }
  return {};
}

// IKEv1's main mode takes the pre-shared key before it knows more of the peer than its address (RFC 2409 5.4).
void check_any_keys(const conf::Config& config, const std::vector<PeerSettingsPtr>& peers,
                    std::vector<std::string>& errors) {
  const ike::PeerSettings* first = nullptr;
  for (const PeerSettingsPtr& p : peers) {
    const conf::Tunnel& t = p->config;
    const bool by_address = t.ike.version == 1 && t.ike.mode == conf::IkeMode::main && t.auth == conf::AuthMethod::psk;
    if (!by_address || !t.remote_is_any()) continue;
    if (first == nullptr) first = p.get();
    if (p->psk == first->psk || p->local.address != first->local.address) continue;
    errors.push_back(config.file + ":" + std::to_string(t.line) + ": tunnels." + t.name +
                     ".psk_file: main mode chooses its key by the peer's address, and with remote \"any\" it cannot tell "
                     "this tunnel's from that of " + first->config.name +
                     ": give both the same key, use ike.mode = \"aggressive\", certificates, or IKEv2");
  }
}

// A name that no other process has, and that says whose it is.
std::string file_prefix(const std::string& socket) {
  std::string prefix = "causeway";
  for (const char c : socket) prefix += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  return prefix + "-" + std::to_string(getpid());
}

}  // namespace

std::optional<std::string> check_proposal(conf::ProposalKind kind, std::string_view proposal,
                                          const conf::Tunnel& tunnel) {
  const auto protocol = kind == conf::ProposalKind::ike ? ike::Protocol::ike : ike::Protocol::esp;
  if (tunnel.ike.version == 1) {
    std::string why = ikev1::unusable_proposal(protocol, proposal, tunnel.legacy);
    return why.empty() ? std::nullopt : std::optional(std::move(why));
  }
  const auto parsed = ike::Proposal::parse(protocol, proposal, tunnel.legacy);
  if (!parsed) return parsed.error();
  const auto used = [](const auto& list) { return !list.empty(); };
  if (protocol == ike::Protocol::esp && std::ranges::any_of(parsed->additional, used)) {
    return "'" + std::string(proposal) + "': additional key exchanges belong to ike proposals: children inherit theirs";
  }
  return std::nullopt;
}

tl::expected<Prepared, std::vector<std::string>> prepare(const conf::Config& config, std::chrono::sys_seconds now) {
  Prepared prepared;
  std::vector<std::string> errors;
  ike::ChildSlot next_slot = 0;
  for (const conf::Tunnel& tunnel : config.tunnels) {
    const auto refuse = [&](const std::string& why) {
      errors.push_back(config.file + ":" + std::to_string(tunnel.line) + ": tunnels." + tunnel.name + ": " + why);
    };
    auto settings = std::make_shared<ike::PeerSettings>();
    settings->tunnel = static_cast<ike::TunnelId>(prepared.peers.size());
    settings->config = tunnel;
    if (const auto local = config.local_address(tunnel)) {
      settings->local = {*local, 500};
    } else {
      refuse("no port leads to " + tunnel.remote + ": give `port` or `local`, or a port a `gateway`");
    }
    if (const auto remote = tunnel.remote_address()) settings->remote = conf::Endpoint{*remote, 500};
    if (tunnel.auth == conf::AuthMethod::psk) {
      auto psk = conf::read_psk(tunnel.psk_file);
      if (psk) {
        settings->psk = crypto::Secret(psk->octets.bytes());
        for (const std::string& w : psk->warnings) prepared.notes.push_back("tunnel " + tunnel.name + ": " + w);
      } else {
        refuse(psk.error());
      }
    } else if (auto credentials = load_credentials(tunnel, settings->local.address, now)) {
      settings->credential = credentials->own;
      settings->trust = credentials->trust;
      for (const std::string& n : credentials->notes) prepared.notes.push_back("tunnel " + tunnel.name + ": " + n);
    } else {
      refuse(credentials.error());
    }
    if (const conf::Port* port = config.port_of(tunnel)) {
      settings->ike_packet = std::min(settings->ike_packet, std::max(port->mtu, kSmallestPacket));
    }
    if (!tunnel.ike.ppk_file.empty()) {
      auto ppk = conf::read_psk(tunnel.ike.ppk_file);
      if (ppk) {
        settings->ppk = crypto::Secret(ppk->octets.bytes());
      } else {
        refuse(ppk.error());
      }
    }
    // A child for each worker, where the peer takes them: by `spread` and `lend` they share one, and `single` means it.
    if (tunnel.cores == conf::Cores::automatic && tunnel.ike.version == 2 && config.workers.size() > 1) {
      settings->resources = static_cast<ike::Resource>(config.workers.size());
    }
    settings->children = make_children(tunnel, next_slot);
    if (settings->children.empty()) refuse("local_subnets and remote_subnets are needed");
    prepared.peers.push_back(std::move(settings));
  }
  std::vector<dataplane::Setup::CryptoPin> pins;
  for (const conf::CryptoChoice& choice : config.crypto) {
    auto pin = crypto_pin(choice);
    if (pin)
      pins.push_back(*pin);
    else
      errors.push_back(config.file + ":" + std::to_string(choice.line) + ": crypto: " + pin.error());
  }
  check_any_keys(config, prepared.peers, errors);
  if (next_slot > dataplane::kMaxChildSlots) {
    errors.push_back(config.file + ": more than " + std::to_string(dataplane::kMaxChildSlots) + " pairs of subnets");
  }
  if (!errors.empty()) return tl::unexpected(std::move(errors));

  prepared.setup = make_setup(config);
  prepared.setup.table = make_table(config, prepared.peers);
  prepared.setup.crypto = std::move(pins);
  return prepared;
}

dataplane::Setup make_setup(const conf::Config& config) {
  dataplane::Setup setup;
  setup.cores = config.workers;
  setup.polling = config.polling;
  setup.hugepages_mib = config.hugepages;
  setup.file_prefix = file_prefix(config.socket);
  for (const conf::Port& port : config.ports) {
    setup.ports.push_back({.name = port.name,
                           .device = port.device,
                           .addresses = port.addresses,
                           .gateway = port.gateway,
                           .trusted = config.trusted(port).trusted,
                           .mtu = port.mtu,
                           .vlan = port.vlan,
                           .host = port.host.value_or(false)});
  }
  return setup;
}

std::vector<RouteLine> make_routes(const conf::Config& config) {
  std::vector<RouteLine> lines;
  for (std::size_t i = 0; i < config.ports.size(); ++i) {
    const conf::Port& port = config.ports[i];
    const auto index = static_cast<std::uint16_t>(i);
    for (const conf::Prefix& own : port.addresses) {
      lines.push_back({own.network(), std::nullopt, index, "connected", 0});
    }
    if (port.gateway) {
      conf::Prefix everything;
      everything.address.family = port.gateway->family;
      lines.push_back({everything, port.gateway, index, "gateway", 1});
    }
  }
  for (const conf::Route& route : config.routes) {
    const auto port = connected_port(config, route.via);
    if (port) lines.push_back({route.to, route.via, *port, "static", route.distance});
  }
  // A tunnel that names its port leaves through it, whatever the routes to its peer say.
  for (const conf::Tunnel& tunnel : config.tunnels) {
    const auto remote = tunnel.remote_address();
    if (tunnel.port.empty() || !remote) continue;
    const conf::Port* port = config.port_of(tunnel);
    if (port == nullptr || !port->gateway || port->gateway->family != remote->family) continue;
    if (connected_port(config, *remote) == port_index(config, *port)) continue;
    const conf::Prefix host{*remote, static_cast<std::uint8_t>(remote->family == conf::Family::v4 ? 32 : 128)};
    lines.push_back({host, port->gateway, port_index(config, *port), "tunnel " + tunnel.name, 0});
  }
  std::stable_sort(lines.begin(), lines.end(), [](const RouteLine& a, const RouteLine& b) {
    return std::pair(a.to, a.distance) < std::pair(b.to, b.distance);
  });
  for (std::size_t i = 1; i < lines.size(); ++i) lines[i].active = lines[i].to != lines[i - 1].to;
  return lines;
}

namespace {

dataplane::PolicySpec protect(const ike::PeerSettings& peer, ike::ChildSlot child, const conf::SelectorSet& selectors) {
  dataplane::PolicySpec spec;
  spec.tunnel = peer.tunnel;
  spec.child = child;
  spec.selectors = selectors;
  spec.wake_on_traffic = peer.config.start == conf::Start::traffic;
  spec.route_based = peer.config.route_based();
  if (!spec.route_based) return spec;
  spec.selectors.remote.clear();
  for (const conf::Prefix& to : peer.config.routes) {
    for (const conf::Selector& remote : selectors.remote) {
      if (const auto both = remote.intersect(conf::Selector::of(to))) spec.selectors.remote.push_back(*both);
    }
  }
  return spec;
}

// As configured, but the tunnels of a group stand together, and of them the one in use is the first.
std::vector<PeerSettingsPtr> in_order(std::vector<PeerSettingsPtr> peers,
                                      const std::function<bool(ike::TunnelId)>& in_use) {
  if (!in_use) return peers;
  std::map<std::string, std::size_t> first_of;
  const auto place = [&](const PeerSettingsPtr& peer) {
    const std::string& group = peer->config.group;
    const std::size_t at = group.empty() ? peer->tunnel : first_of.try_emplace(group, peer->tunnel).first->second;
    return std::tuple(at, !in_use(peer->tunnel), peer->tunnel);
  };
  for (const PeerSettingsPtr& peer : peers) static_cast<void>(place(peer));  // groups in the order of their first
  std::ranges::sort(peers, {}, place);
  return peers;
}

}  // namespace

dataplane::TableSpec make_table(const conf::Config& config, const std::vector<PeerSettingsPtr>& peers,
                                const std::function<Split(ike::TunnelId)>& split,
                                const std::function<bool(ike::TunnelId)>& in_use) {
  using Action = dataplane::PolicySpec::Action;
  dataplane::TableSpec table;
  for (const conf::Policy& policy : config.policies) {
    dataplane::PolicySpec spec;
    spec.action = policy.action == conf::PolicyAction::bypass ? Action::bypass : Action::discard;
    spec.selectors = {{policy.from}, {policy.to}};
    table.policies.push_back(std::move(spec));
  }
  for (const PeerSettingsPtr& peer : in_order(peers, in_use)) {
    const Split how = split ? split(peer->tunnel) : Split{};
    for (const Carried& c : how.carried) table.policies.push_back(protect(*peer, c.child, c.selectors));
    for (const ike::ChildSettings& child : peer->children) {
      if (child.part_of != ike::kNoChild || child.beside != ike::kNoChild) continue;
      const ike::ChildSlot slot = how.carried.empty() ? child.slot : how.nobody;
      table.policies.push_back(protect(*peer, slot, child.selectors));
    }
    for (const auto& [real, seen] : peer->config.translate) table.translations.push_back({peer->tunnel, real, seen});
  }
  for (const conf::Rule& rule : config.rules) {
    table.rules.push_back({.name = rule.name,
                           .permit = rule.permit,
                           .in = place_of(config, rule.in),
                           .out = place_of(config, rule.out),
                           .from = rule.from,
                           .to = rule.to});
  }
  for (const RouteLine& line : make_routes(config)) {
    if (line.active) table.routes.push_back({line.to, line.via, line.port});
  }
  return table;
}

namespace {

// Whether some packet that the tunnel's policy covers is outside of what was agreed (RFC 7296 2.9).
bool narrowed(const conf::SelectorSet& agreed, const conf::Tunnel& tunnel) {
  const auto covered = [](const std::vector<conf::Selector>& by, const std::vector<conf::Selector>& wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const conf::Selector& w) {
      return std::any_of(by.begin(), by.end(), [&](const conf::Selector& s) { return s.contains(w); });
    });
  };
  // One pair of subnets a child: it is whole where it holds one of them.
  if (tunnel.selectors == conf::SelectorShape::pairs || tunnel.ike.version == 1) {
    const auto one = [](const std::vector<conf::Selector>& by, const std::vector<conf::Selector>& wanted) {
      return std::any_of(wanted.begin(), wanted.end(), [&](const conf::Selector& w) {
        return std::any_of(by.begin(), by.end(), [&](const conf::Selector& s) { return s.contains(w); });
      });
    };
    return !one(agreed.local, tunnel.local_subnets) || !one(agreed.remote, tunnel.remote_subnets);
  }
  return !covered(agreed.local, tunnel.local_subnets) || !covered(agreed.remote, tunnel.remote_subnets);
}

}  // namespace

dataplane::SaSpec make_sa(const ike::ChildSa& sa, dataplane::Direction direction, const conf::Tunnel& tunnel,
                          crypto::Random& random) {
  const bool in = direction == dataplane::Direction::inbound;
  dataplane::SaSpec spec;
  spec.direction = direction;
  spec.tunnel = sa.tunnel;
  spec.child = sa.carries();
  spec.resource = sa.resource;
  spec.spi = in ? sa.spi_in : sa.spi_out;
  spec.suite = sa.suite;
  spec.encryption_key = in ? sa.encryption_in : sa.encryption_out;
  spec.integrity_key = in ? sa.integrity_in : sa.integrity_out;
  spec.selectors = sa.selectors;
  spec.narrowed = !in && narrowed(sa.selectors, tunnel);
  spec.local = sa.local;
  spec.remote = sa.remote;
  spec.udp_encap = sa.udp_encap;
  spec.report_peer_moves = in && sa.udp_encap && sa.peer_behind_nat_only;
  spec.replay_window = tunnel.esp.replay_window;
  spec.mtu = tunnel.mtu.value_or(0);
  spec.mss = tunnel.mss;
  spec.probe = tunnel.probe;
  spec.probe_host = tunnel.probe_host;
  if (!tunnel.group.empty() && tunnel.probe) spec.health_host = tunnel.probe_host;
  spec.df = tunnel.df;
  spec.dscp = tunnel.dscp;
  spec.dscp_value = tunnel.dscp_value;
  spec.ecn_compatibility = tunnel.ecn == conf::EcnPolicy::compatibility ||
                           (tunnel.ecn == conf::EcnPolicy::automatic && tunnel.ike.version == 1);
  spec.cores = tunnel.cores;
  const auto soft = [&](std::uint64_t hard) {  // 80 to 90 percent
    return hard == 0 ? 0 : hard / 1000 * (800 + random.below(100)) + hard % 1000 * 8 / 10;
  };
  spec.hard_bytes = tunnel.esp.bytes;
  spec.soft_bytes = soft(spec.hard_bytes);
  spec.hard_packets = tunnel.esp.packets;
  if (!sa.suite.esn && (spec.hard_packets == 0 || spec.hard_packets > kSequenceLimit)) {
    spec.hard_packets = kSequenceLimit;
  }
  spec.soft_packets = soft(spec.hard_packets);
  return spec;
}

}  // namespace causeway::control

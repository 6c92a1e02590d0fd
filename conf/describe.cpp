#include "conf/describe.h"

#include <sstream>

#include "conf/cloud.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

template <typename T, typename Text>
std::string joined(const std::vector<T>& values, Text&& text) {
  std::string out;
  for (const T& value : values) {
    if (!out.empty()) out += ", ";
    out += text(value);
  }
  return out;
}

const auto kStr = [](const auto& value) { return value.str(); };
const auto kSame = [](const std::string& value) { return value; };

std::string count_of(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

void head(const Config& config, std::ostream& out) {
  out << config.file << ": " << count_of(config.ports.size(), "port") << ", "
      << count_of(config.tunnels.size(), "tunnel") << ", " << count_of(config.routes.size(), "static route") << "\n";
  if (config.workers.empty()) {
    out << "  one worker, on the first core the control thread does not use";
  } else {
    out << "  " << count_of(config.workers.size(), "worker") << ", on core" << (config.workers.size() == 1 ? " " : "s ")
        << joined(config.workers, [](int core) { return std::to_string(core); });
  }
  out << (config.polling == Polling::busy ? ", polling without pause" : ", sleeping when idle") << "\n";
  out << "  hugepages: ";
  if (!config.hugepages) {
    out << "what the system offers";
  } else if (*config.hugepages == 0) {
    out << "none (slower)";
  } else {
    out << *config.hugepages << " MiB";
  }
  out << "; admin socket " << config.socket << "; state in " << config.state_dir << "; log level " << config.log
      << "\n";
  if (!config.metrics.empty()) out << "  Prometheus metrics: http://" << config.metrics << "/metrics\n";
}

void describe_port(const Config& config, const Port& port, std::ostream& out) {
  const Config::Trust trust = config.trusted(port);
  out << "port " << port.name << ": " << port.device << "\n";
  out << "  " << joined(port.addresses, kStr);
  if (port.gateway) out << ", gateway " << port.gateway->str();
  out << ", MTU " << port.mtu;
  if (port.vlan != 0) out << ", VLAN " << port.vlan;
  if (port.host.value_or(false)) out << ", own traffic shared with the kernel";
  out << "\n  " << (trust.trusted ? "trusted: " : "untrusted: ") << trust.why << "\n";
  if (!trust.trusted) out << "  takes ESP, IKE, ARP, ND and ICMP for its own addresses; forwards nothing in clear\n";
}

std::string start_text(const Tunnel& tunnel) {
  switch (tunnel.start) {
    case Start::now:
      return "is begun at once";
    case Start::traffic:
      return "is begun by the first packet for it";
    case Start::wait:
      return "waits for the peer to begin";
  }
  return "";
}

std::string role_text(const Tunnel& tunnel) {
  switch (tunnel.role) {
    case Role::both:
      return tunnel.start == Start::wait ? "" : "; the peer may begin too";
    case Role::initiator:
      return "; the peer may not begin";
    case Role::responder:
      return "; never begun from here";
  }
  return "";
}

void describe_peer(const Config& config, const Tunnel& tunnel, std::ostream& out) {
  const Port* port = config.port_of(tunnel);
  const auto local = config.local_address(tunnel);
  const std::string own = local ? local->str() : "unknown";
  out << "tunnel " << tunnel.name << ": IKEv" << tunnel.ike.version << " with "
      << (tunnel.remote_is_any() ? "any peer that proves itself" : tunnel.remote) << "\n";
  out << "  from " << own << " on port " << (port != nullptr ? port->name : "unknown")
      << (tunnel.encap == Encap::force ? ", always in UDP" : "") << "\n";
  out << "  " << start_text(tunnel) << role_text(tunnel) << "\n";
  out << "  as " << (tunnel.local_id.empty() ? own : tunnel.local_id) << " to "
      << (!tunnel.remote_id.empty() ? tunnel.remote_id
          : tunnel.remote_is_any()  ? "any identity"
                                    : tunnel.remote)
      << ", by ";
  if (tunnel.auth == AuthMethod::psk) {
    out << "the pre-shared key in " << tunnel.psk_file << "\n";
  } else {
    out << "certificate " << tunnel.cert << ", the peer's signed by " << tunnel.ca << "\n";
  }
}

void describe_traffic(const Tunnel& tunnel, std::ostream& out) {
  out << "  protects " << joined(tunnel.local_subnets, kStr) << " <-> " << joined(tunnel.remote_subnets, kStr);
  if (tunnel.selectors == SelectorShape::pairs) out << ", a child SA for each pair";
  out << "\n";
  if (tunnel.route_based()) out << "  route-based: what enters it is " << joined(tunnel.routes, kStr) << "\n";
  if (tunnel.cores == Cores::lend) out << "  decrypted by other workers too, in order\n";
  if (tunnel.cores == Cores::spread) out << "  encrypted by every worker; the peer needs a large replay window\n";
  for (const auto& [real, seen_as] : tunnel.translate) {
    out << "  the peer sees " << real.str() << " as " << seen_as.str() << "\n";
  }
  if (!tunnel.group.empty()) out << "  in group " << tunnel.group << " with weight " << tunnel.weight << "\n";
}

void describe_crypto(const Tunnel& tunnel, std::ostream& out) {
  out << "  IKE: " << joined(tunnel.ike.proposals, kSame) << "; renewed within " << duration_text(tunnel.ike.lifetime)
      << (tunnel.ike.reauth ? " with a new proof of identity" : "") << "\n";
  out << "  ESP: " << joined(tunnel.esp.proposals, kSame) << (tunnel.esp.pfs ? ", with" : ", without")
      << " a key exchange of its own; renewed within " << duration_text(tunnel.esp.lifetime);
  if (tunnel.esp.bytes != 0) out << " or " << size_text(tunnel.esp.bytes);
  if (tunnel.esp.packets != 0) out << " or " << tunnel.esp.packets << " packets";
  out << "; replay window " << tunnel.esp.replay_window << (tunnel.esp.esn ? "; 64-bit sequence numbers" : "") << "\n";
  if (tunnel.ike.dpd.idle.count() == 0) {
    out << "  a silent peer is never asked\n";
  } else {
    out << "  a peer silent for " << duration_text(tunnel.ike.dpd.idle) << " is asked, and counts as dead after "
        << tunnel.ike.dpd.tries << " tries\n";
  }
}

// The keys of a profile that the file has lines of its own for.
void own_lines(const Node& profile, const std::string& above, const std::string& key, const std::string& file,
               const Report& report, std::vector<std::string>& out) {
  for (const Node& value : profile.children) {
    const std::string name = above + value.name;
    if (value.kind == Node::Kind::group) {
      own_lines(value, name + ".", key, file, report, out);
    } else if (report.has(key + "." + name) && report.place_of(key + "." + name).file != file) {
      out.push_back(name);
    }
  }
}

void describe_cloud(const Tunnel& tunnel, const Report& report, CloudBook& clouds, std::ostream& out) {
  const Cloud* cloud = clouds.find(tunnel.cloud);
  if (cloud == nullptr) return;
  std::vector<std::string> own;
  own_lines(cloud->tunnel, "", "tunnels." + tunnel.name, cloud->file, report, own);
  out << "  at " << cloud->title << ": by the profile " << cloud->file;
  if (!own.empty()) out << ", but for its own " << joined(own, kSame);
  out << "\n";
}

std::string name_or_any(const std::string& name) { return name.empty() ? "anywhere" : name; }

}  // namespace

std::string describe(const Loaded& loaded) {
  const Config& config = loaded.config;
  std::ostringstream out;
  CloudBook clouds;
  head(config, out);
  for (const Port& port : config.ports) describe_port(config, port, out);
  for (const Route& route : config.routes) {
    out << "route " << route.to.str() << " by " << route.via.str() << ", distance " << static_cast<int>(route.distance)
        << "\n";
  }
  for (const Tunnel& tunnel : config.tunnels) {
    describe_peer(config, tunnel, out);
    describe_cloud(tunnel, loaded.report, clouds, out);
    describe_traffic(tunnel, out);
    describe_crypto(tunnel, out);
  }
  for (const Policy& policy : config.policies) {
    out << "policy " << policy.name << ": " << (policy.action == PolicyAction::bypass ? "in clear" : "dropped")
        << ", from " << policy.from.str() << " to " << policy.to.str() << "\n";
  }
  for (const Rule& rule : config.rules) {
    out << "rule " << rule.name << ": " << (rule.permit ? "permits" : "denies") << " " << rule.from.str() << " to "
        << rule.to.str() << ", from " << name_or_any(rule.in) << " to " << name_or_any(rule.out) << "\n";
  }
  for (const Complaint& note : loaded.report.notes) out << "note: " << note.str() << "\n";
  return out.str();
}

}  // namespace causeway::conf

#include "conf/schema.h"

#include <filesystem>

#include "conf/cloud.h"
#include "conf/group.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

constexpr Seconds kMinute{60};
constexpr Seconds kDay{86400};

Port read_port(Group& group) {
  Port port;
  port.line = group.line();
  group.read_text("name", port.name, parse_name);
  group.read_text("device", port.device, parse_device);
  group.read_texts("addresses", port.addresses, parse_interface);
  group.read_text("gateway", port.gateway, parse_address);
  group.read("trusted", port.trusted);
  group.read_number("mtu", port.mtu, 576, 9216);
  group.read_number("vlan", port.vlan, 0, 4094);
  group.read("host", port.host);
  group.finish();
  return port;
}

Route read_route(Group& group) {
  Route route;
  route.line = group.line();
  group.read_text("to", route.to, parse_network);
  group.read_text("via", route.via, parse_address);
  group.read_number("distance", route.distance, 1, 255);
  group.finish();
  return route;
}

void read_ike(Group& group, IkeSettings& ike) {
  group.read_number("version", ike.version, 1, 2);
  group.read_choice("mode", ike.mode, {{"main", IkeMode::main}, {"aggressive", IkeMode::aggressive}});
  group.read_texts("proposals", ike.proposals, parse_proposal);
  group.read_duration("lifetime", ike.lifetime, Seconds(10), 366 * kDay);
  group.read("reauth", ike.reauth);
  if (auto dpd = group.group("dpd")) {
    dpd->read_duration("idle", ike.dpd.idle, Seconds(0), kDay);
    dpd->read_duration("retry", ike.dpd.retry, Seconds(1), 10 * kMinute);
    dpd->read_number("tries", ike.dpd.tries, 1, 100);
    dpd->finish();
  }
  group.read("fragment", ike.fragment);
  group.read("port_4500_from_start", ike.port_4500_from_start);
  group.read_text("ppk_id", ike.ppk_id, parse_any_text);
  group.read_text("ppk_file", ike.ppk_file, parse_any_text);
  group.read("ppk_required", ike.ppk_required);
  // IKEv1 has no AEAD and no PRF of its own in phase 1: its default is what of the usual one it can say.
  if (ike.version == 1 && ike.proposals == IkeSettings{}.proposals) ike.proposals = {"aes256-sha256-modp2048"};
  group.finish();
}

void read_esp(Group& group, EspSettings& esp) {
  std::optional<std::uint64_t> bytes;
  group.read_texts("proposals", esp.proposals, parse_proposal);
  group.read("pfs", esp.pfs);
  group.read_duration("lifetime", esp.lifetime, Seconds(5), 366 * kDay);
  group.read_size("bytes", bytes, 1);
  esp.bytes = bytes.value_or(esp.bytes);
  group.read_number("packets", esp.packets, 0, INT64_MAX);
  group.read_number("replay_window", esp.replay_window, 32, 8192);
  group.read("esn", esp.esn);
  group.finish();
}

// "copy", or the code point to set.
void read_dscp(Group& group, Tunnel& tunnel) {
  const Node* node = group.take("dscp");
  if (node == nullptr || (node->kind == Node::Kind::text && node->text == "copy")) return;
  if (node->kind == Node::Kind::integer && node->integer >= 0 && node->integer <= 63) {
    tunnel.dscp = DscpPolicy::set;
    tunnel.dscp_value = static_cast<std::uint8_t>(node->integer);
    return;
  }
  group.report().error(group.key("dscp"), "takes \"copy\", or the code point to set, 0 to 63");
}

// true, false, or the host to ask.
void read_probe(Group& group, Tunnel& tunnel) {
  const Node* node = group.take("probe");
  if (node == nullptr) return;
  if (node->kind == Node::Kind::boolean) {
    tunnel.probe = node->boolean;
    return;
  }
  if (node->kind == Node::Kind::text) {
    if (tunnel.probe_host = IpAddress::parse(node->text); tunnel.probe_host) return;
  }
  group.report().error(group.key("probe"), "takes true, false, or the address of a host behind the peer that answers pings");
}

void read_translate(Group& tunnel_group, Tunnel& tunnel) {
  for (Group& group : tunnel_group.groups("translate")) {
    std::optional<Prefix> real, seen_as;
    group.read_text("local", real, parse_network);
    group.read_text("seen_as", seen_as, parse_network);
    group.finish();
    Report& report = group.report();
    if (!real && !report.places.contains(group.key("local")))
      report.error(group.key("local"), "is missing: the local network as it is");
    if (!seen_as && !report.places.contains(group.key("seen_as")))
      report.error(group.key("seen_as"), "is missing: the network the peer sees in its place");
    if (!real || !seen_as) continue;
    if (real->length != seen_as->length || real->address.family != seen_as->address.family) {
      report.error(group.key("seen_as"),
                   seen_as->str() + " is not of the size of " + real->str() + ": translation is one to one");
      continue;
    }
    tunnel.translate.emplace_back(*real, *seen_as);
  }
}

void read_packet_choices(Group& group, Tunnel& tunnel) {
  group.read_choice(
      "cores", tunnel.cores,
      {{"auto", Cores::automatic}, {"single", Cores::single}, {"spread", Cores::spread}, {"lend", Cores::lend}});
  group.read_number("mss", tunnel.mss, 0, 9176);
  group.read_number("mtu", tunnel.mtu, 576, 9216);
  group.read_choice(
      "df", tunnel.df,
      {{"copy", DfPolicy::copy}, {"set", DfPolicy::set}, {"clear", DfPolicy::clear}, {"ignore", DfPolicy::ignore}});
  read_dscp(group, tunnel);
  group.read_choice(
      "ecn", tunnel.ecn,
      {{"auto", EcnPolicy::automatic}, {"normal", EcnPolicy::normal}, {"compatibility", EcnPolicy::compatibility}});
}

void read_peer(Group& group, Tunnel& tunnel) {
  group.read_text("port", tunnel.port, parse_name);
  group.read_text("local", tunnel.local, parse_address);
  group.read_text("remote", tunnel.remote, parse_remote);
  group.read_text("local_id", tunnel.local_id, parse_any_text);
  group.read_text("remote_id", tunnel.remote_id, parse_any_text);
  group.read_choice("auth", tunnel.auth, {{"psk", AuthMethod::psk}, {"cert", AuthMethod::cert}});
  group.read_choice("role", tunnel.role,
                    {{"both", Role::both}, {"initiator", Role::initiator}, {"responder", Role::responder}});
  group.read_choice("start", tunnel.start, {{"now", Start::now}, {"traffic", Start::traffic}, {"wait", Start::wait}});
  group.read_choice("encap", tunnel.encap, {{"auto", Encap::automatic}, {"force", Encap::force}});
}

Tunnel read_tunnel(Group& group) {
  Tunnel tunnel;
  tunnel.line = group.line();
  group.read_text("name", tunnel.name, parse_name);
  group.read_text("cloud", tunnel.cloud, parse_cloud);
  group.unavailable("vti");
  read_peer(group, tunnel);
  for (const auto& [name, file] : {std::pair{"psk_file", &tunnel.psk_file},
                                   {"cert", &tunnel.cert},
                                   {"key", &tunnel.key},
                                   {"ca", &tunnel.ca},
                                   {"crl", &tunnel.crl}}) {
    group.read_text(name, *file, parse_any_text);
  }
  group.read_texts("local_subnets", tunnel.local_subnets, parse_selector);
  group.read_texts("remote_subnets", tunnel.remote_subnets, parse_selector);
  group.read_choice("selectors", tunnel.selectors, {{"joint", SelectorShape::joint}, {"pairs", SelectorShape::pairs}});
  group.read_texts("routes", tunnel.routes, parse_network);
  read_packet_choices(group, tunnel);
  group.read_text("group", tunnel.group, parse_name);
  group.read_number("weight", tunnel.weight, 1, 255);
  group.read_text("inside", tunnel.inside, parse_interface);
  group.read("child_follows_ike", tunnel.child_follows_ike);
  group.read("legacy", tunnel.legacy);
  read_probe(group, tunnel);
  read_translate(group, tunnel);
  if (auto ike = group.group("ike")) read_ike(*ike, tunnel.ike);
  if (auto esp = group.group("esp")) read_esp(*esp, tunnel.esp);
  group.finish();
  return tunnel;
}

// `from` and `to`: at least one; the other is then any address of the same family.
void read_from_to(Group& group, Selector& from, Selector& to) {
  std::optional<Selector> given_from, given_to;
  group.read_text("from", given_from, parse_selector);
  group.read_text("to", given_to, parse_selector);
  Report& report = group.report();
  const bool has_from = report.places.contains(group.key("from")), has_to = report.places.contains(group.key("to"));
  if (!has_from && !has_to) report.error(group.path(), "needs from, to, or both");
  if ((has_from && !given_from) || (has_to && !given_to) || (!has_from && !has_to)) return;
  const auto any_like = [](const Selector& other) {
    Selector any = Selector::of(Prefix{IpAddress{.family = other.first.family}, 0});
    any.protocol = other.protocol;
    return any;
  };
  from = given_from ? *given_from : any_like(*given_to);
  to = given_to ? *given_to : any_like(*given_from);
  if (from.first.family != to.first.family) report.error(group.path(), "from and to are of different IP versions");
  if (from.protocol != 0 && to.protocol != 0 && from.protocol != to.protocol) {
    report.error(group.path(), "from and to name different protocols");
  }
}

Policy read_policy(Group& group) {
  Policy policy;
  policy.line = group.line();
  group.read_text("name", policy.name, parse_name);
  group.read_choice("action", policy.action, {{"bypass", PolicyAction::bypass}, {"discard", PolicyAction::discard}});
  read_from_to(group, policy.from, policy.to);
  group.finish();
  return policy;
}

Rule read_rule(Group& group) {
  Rule rule;
  rule.line = group.line();
  group.read_text("name", rule.name, parse_name);
  group.read_choice("action", rule.permit, {{"permit", true}, {"deny", false}});
  group.read_text("in", rule.in, parse_name);
  group.read_text("out", rule.out, parse_name);
  read_from_to(group, rule.from, rule.to);
  group.finish();
  return rule;
}

CryptoChoice read_crypto(Group& group) {
  CryptoChoice choice;
  choice.line = group.line();
  group.read_text("suite", choice.suite, parse_proposal);
  group.read_text("level", choice.level, parse_name);
  group.read_text("api", choice.api, parse_name);
  group.finish();
  return choice;
}

template <typename T>
void read_elements(Group& root, std::string_view name, T (*read)(Group&), std::vector<T>& out,
                   std::vector<std::string>& keys) {
  for (Group& group : root.groups(name)) {
    keys.push_back(group.path());
    out.push_back(read(group));
  }
}

void resolve_files(Config& config, const std::string& directory) {
  for (Tunnel& t : config.tunnels) {
    for (std::string* file : {&t.psk_file, &t.cert, &t.key, &t.ca, &t.crl, &t.ike.ppk_file}) {
      if (!file->empty()) *file = (std::filesystem::path(directory) / *file).string();
    }
  }
}

}  // namespace

Draft read_schema(const Node& root, const std::string& directory, Report& report) {
  Draft draft;
  Config& config = draft.config;
  Group top(root, "", report);
  top.read_numbers("workers", config.workers, 0, 1023);
  top.read_choice("polling", config.polling, {{"busy", Polling::busy}, {"adaptive", Polling::adaptive}});
  top.read_text("socket", config.socket, parse_any_text);
  top.read_text("state_dir", config.state_dir, parse_any_text);
  constexpr std::uint64_t kMiB = 1 << 20;
  std::optional<std::uint64_t> hugepages;
  top.read_size("hugepages", hugepages, kMiB);
  if (hugepages) {
    const std::uint64_t mib = *hugepages / kMiB + (*hugepages % kMiB != 0 ? 1 : 0);
    if (mib > 1024 * 1024) {
      report.error("hugepages", "more than 1 TiB");
    } else {
      config.hugepages = static_cast<std::uint32_t>(mib);
    }
  }
  top.read_choice<std::string>("log", config.log,
                               {{"debug", "debug"}, {"info", "info"}, {"warning", "warning"}, {"error", "error"}});
  top.unavailable("http");
  top.read_text("metrics", config.metrics, parse_listener);
  read_elements(top, "ports", read_port, config.ports, draft.port_keys);
  read_elements(top, "routes", read_route, config.routes, draft.route_keys);
  read_elements(top, "tunnels", read_tunnel, config.tunnels, draft.tunnel_keys);
  read_elements(top, "policies", read_policy, config.policies, draft.policy_keys);
  read_elements(top, "rules", read_rule, config.rules, draft.rule_keys);
  read_elements(top, "crypto", read_crypto, config.crypto, draft.crypto_keys);
  top.finish();
  resolve_files(config, directory);
  return draft;
}

}  // namespace causeway::conf

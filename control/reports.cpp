// What Controller answers to those who administer it.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "control/controller.h"

namespace causeway::control {

namespace {

constexpr std::uint16_t kIpAndTcpHeaders = 40;

std::vector<std::string> texts(const std::vector<conf::Selector>& selectors) {
  std::vector<std::string> all;
  for (const conf::Selector& s : selectors) all.push_back(s.str());
  return all;
}

std::optional<std::int64_t> left(std::uint64_t limit, std::uint64_t used) {
  if (limit == 0) return std::nullopt;
  return static_cast<std::int64_t>(limit > used ? limit - used : 0);
}

// The nearer of two limits.
std::optional<std::int64_t> nearer(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

std::uint64_t open_files() {
  std::error_code error;
  std::uint64_t count = 0;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    ++count;
  }
  return count == 0 ? 0 : count - 1;  // one is the listing's own
}

std::uint64_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6));
  }
  return 0;
}

std::string dpd_mode(const conf::Dpd& dpd) {
  if (dpd.idle.count() == 0) return "off";
  return "idle " + std::to_string(dpd.idle.count()) + " s, retry " + std::to_string(dpd.retry.count()) + " s, " +
         std::to_string(dpd.tries) + " tries";
}

}  // namespace

tl::expected<conf::ConsoleSheet, Outcome> Controller::console(std::string_view name, conf::Language language) const {
  const auto tunnel = std::ranges::find(config_.tunnels, name, &conf::Tunnel::name);
  if (tunnel == config_.tunnels.end())
    return tl::unexpected(Outcome{Outcome::Code::no_such_tunnel, "there is no tunnel " + std::string(name)});
  conf::CloudBook clouds;
  const conf::Cloud* cloud = clouds.find(tunnel->cloud);
  if (cloud == nullptr)
    return tl::unexpected(
        Outcome{Outcome::Code::failed, "tunnel " + tunnel->name + " names no cloud: give it cloud = \"...\""});
  const auto now = this->tunnel(name);
  return conf::console_sheet(config_, *tunnel, *cloud, language, now && now->ike && now->ike->nat_us);
}

std::vector<TunnelReport> Controller::tunnels() const {
  std::vector<TunnelReport> all;
  for (const auto& t : gateway_.tunnels()) all.push_back(report(*t, false));
  return all;
}

std::optional<TunnelReport> Controller::tunnel(std::string_view name) const {
  const auto id = gateway_.find(name);
  if (!id) return std::nullopt;
  return report(*gateway_.tunnels()[*id], true);
}

TunnelReport Controller::report(const Tunnel& tunnel, bool all) const {
  const conf::Tunnel& config = tunnel.settings().config;
  TunnelReport r;
  r.name = tunnel.name();
  r.state = static_cast<TunnelReport::State>(tunnel.state());
  r.down_reason = tunnel.down_reason().value_or("");
  if (r.state == TunnelReport::State::established) {
    r.notice = tunnel.notice();
    if (r.notice.empty() && !groups_.in_use(tunnel.settings().tunnel))
      r.notice = "stands by: another tunnel of group " + config.group + " carries the traffic";
  }
  if (const TwoAddresses* two = tunnel.two_addresses()) r.esp_from = two->esp.str();
  const auto ike = tunnel.ike_status();
  if (ike) r.stage = ike->stage;
  if (ike && ike->established) {
    IkeReport& i = r.ike.emplace();
    i.version = ike->version;
    i.initiator = ike->initiator;
    i.local = ike->local.str();
    i.remote = ike->remote.str();
    i.nat_us = ike->nat_us;
    i.nat_peer = ike->nat_peer;
    i.suite = ike->suite;
    i.established_s = ago(ike->established_at);
    if (ike->rekey_at) i.rekey_in_s = -ago(*ike->rekey_at);
    i.spi_initiator = ike->spi_initiator;
    i.spi_responder = ike->spi_responder;
    i.local_id = ike->local_id;
    i.remote_id = ike->remote_id;
    i.retransmitted = ike->retransmitted;
  }
  for (const LiveChild& live : tunnel.live_children()) {
    ChildReport& c = r.children.emplace_back();
    report_child(tunnel, live, c, all);
    if (!ike) continue;
    for (const ike::ChildStatus& s : ike->children) {
      if (s.slot == live.sa->child && s.rekey_at) c.rekey_in_s = c.soft_left.seconds = -ago(*s.rekey_at);
    }
  }
  if (!all) return r;
  if (const conf::Port* port = config_.port_of(config)) r.port = port->name;
  r.group = config.group;
  r.weight = config.weight;
  r.in_use = groups_.in_use(tunnel.settings().tunnel);
  const Health health = groups_.health(tunnel.settings().tunnel);
  if (health != Health::unknown) r.health = health == Health::answers ? "answers" : "silent";
  const TunnelCounts& counts = tunnel.counts();
  r.ike_created = counts.begun;
  r.ike_established = counts.established;
  r.ike_dropped = counts.dropped;
  r.children_created = counts.children_created + counts.children_failed;
  r.children_established = counts.children_created;
  if (const NegotiationTimes& n = tunnel.negotiation(); n.count != 0) {
    r.negotiation_min_ms = n.min.count();
    r.negotiation_avg_ms = n.total.count() / static_cast<std::int64_t>(n.count);
    r.negotiation_max_ms = n.max.count();
  }
  r.dpd_mode = dpd_mode(config.ike.dpd);
  if (ike) {
    r.dpd_sent = ike->dpd_sent;
    r.dpd_received = ike->dpd_received;
    if (ike->nat_us || ike->nat_peer) r.nat_port = ike->remote.port;
  }
  r.keepalives_sent = keepalives_[tunnel.settings().tunnel];
  for (auto entry = tunnel.history().rbegin(); entry != tunnel.history().rend(); ++entry) {
    r.history.push_back(std::to_string(ago(entry->at)) + " s ago: " + entry->text);
  }
  report_falls(tunnel, r);
  return r;
}

void Controller::report_child(const Tunnel& tunnel, const LiveChild& live, ChildReport& r, bool all) const {
  const ike::ChildSa& sa = *live.sa;
  r.name = tunnel.child_name(sa.child);
  r.suite = sa.suite.name();
  r.udp_encap = sa.udp_encap;
  r.spi_in = sa.spi_in;
  r.spi_out = sa.spi_out;
  const auto in =
      dataplane_.counters(dataplane::Direction::inbound, sa.spi_in, sa.carries()).value_or(dataplane::SaCounters{});
  const auto out =
      dataplane_.counters(dataplane::Direction::outbound, sa.spi_out, sa.carries()).value_or(dataplane::SaCounters{});
  r.packets_in = in.packets;
  r.bytes_in = in.bytes;
  r.packets_out = out.packets;
  r.bytes_out = out.bytes;
  if (!all) return;
  const conf::Tunnel& config = tunnel.settings().config;
  r.local = texts(sa.selectors.local);
  r.remote = texts(sa.selectors.remote);
  r.mtu = dataplane_.effective_mtu(sa.spi_out, sa.carries());
  if (config.mss) {
    r.mss = *config.mss;
  } else if (r.mtu > kIpAndTcpHeaders) {
    r.mss = static_cast<std::uint16_t>(r.mtu - kIpAndTcpHeaders);
  }
  r.replay_window = config.esp.replay_window;
  r.sequence_in = in.sequence;
  r.sequence_out = out.sequence;
  r.hard_left.seconds = std::max<std::int64_t>(0, config.esp.lifetime.count() - ago(live.since));
  const auto add = [&](std::uint32_t spi, const dataplane::SaCounters& used) {
    const auto limits = limits_.find({spi, sa.child});
    if (limits == limits_.end()) return;
    const Limits& l = limits->second;
    r.soft_left.bytes = nearer(r.soft_left.bytes, left(l.soft_bytes, used.bytes));
    r.hard_left.bytes = nearer(r.hard_left.bytes, left(l.hard_bytes, used.bytes));
    r.soft_left.packets = nearer(r.soft_left.packets, left(l.soft_packets, used.packets));
    r.hard_left.packets = nearer(r.hard_left.packets, left(l.hard_packets, used.packets));
  };
  add(sa.spi_in, in);
  add(sa.spi_out, out);
  if (in.last_used_ms != 0) r.last_in_s = ago(Time(in.last_used_ms));
  if (out.last_used_ms != 0) r.last_out_s = ago(Time(out.last_used_ms));
  r.replay_distance = in.replay_distance;
  r.drops = {{"icv_failed", in.icv_failed},
             {"replayed", in.replayed},
             {"selector_mismatch", in.selector_mismatch},
             {"too_big", in.too_big + out.too_big},
             {"no_route", in.no_route + out.no_route},
             {"no_neighbor", in.no_neighbor + out.no_neighbor}};
}

CountersReport Controller::counters() const {
  CountersReport r;
  r.drops = dataplane_.drops();
  r.treated = dataplane_.treated();
  r.ports = dataplane_.ports();
  r.workers = dataplane_.workers();
  r.crypto = dataplane_.crypto();
  r.pools = dataplane_.pools();
  r.rules = dataplane_.rules();
  std::uint64_t children = 0;
  for (const auto& t : gateway_.tunnels()) children += t->live_children().size();
  const GatewayCounters& g = gateway_.counters();
  r.control = {{"ike_sas", gateway_.ike_sas()},
               {"half_open", gateway_.half_open()},
               {"children", children},
               {"fds", open_files()},
               {"rss_kib", resident_kib()},
               {"ike_malformed", g.malformed},
               {"ike_unknown_spi", g.unknown_spi},
               {"ike_unknown_peer", g.unknown_peer},
               {"ike_half_open_limit", g.half_open_limit},
               {"ike_cookies_asked", g.cookies_asked},
               {"ike_role_dropped", g.role_dropped},
               {"ike_queue_full", queue_full_}};
  if (times_) {
    const LoopTimes t = times_();
    r.control["control_cpu_us"] = static_cast<std::uint64_t>(t.spent.count());
    r.control["control_longest_us"] = static_cast<std::uint64_t>(t.longest.count());
  }
  return r;
}

std::vector<RouteReport> Controller::routes() const {
  std::vector<RouteReport> all;
  for (const RouteLine& line : make_routes(config_)) {
    all.push_back({line.to.str(), line.via ? line.via->str() : "", config_.ports[line.port].name, line.origin,
                   line.distance, line.active});
  }
  for (const auto& t : gateway_.tunnels()) {
    const conf::Tunnel& config = t->settings().config;
    const bool up = t->state() == TunnelState::established;
    const auto add = [&](const std::string& to) { all.push_back({to, "", "", "tunnel " + config.name, 0, up}); };
    if (config.route_based()) {
      for (const conf::Prefix& to : config.routes) add(to.str());
    } else {
      for (const conf::Selector& to : config.remote_subnets) add(to.str());
    }
  }
  return all;
}

std::vector<dataplane::NeighborStatus> Controller::neighbors() const { return dataplane_.neighbors(); }

std::vector<LogLine> Controller::log() const { return log_.recent(); }

}  // namespace causeway::control

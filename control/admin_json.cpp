#include "control/admin_json.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace causeway::control {
namespace {

std::string hex(std::uint64_t value, int digits) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%0*llx", digits, static_cast<unsigned long long>(value));
  return text.data();
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json limits_json(const ChildReport::Limits& limits) {
  return {{"s", or_null(limits.seconds)}, {"bytes", or_null(limits.bytes)}, {"packets", or_null(limits.packets)}};
}

Json ike_json(const IkeReport& ike, bool everything) {
  const char* nat = ike.nat_us ? (ike.nat_peer ? "both" : "us") : (ike.nat_peer ? "peer" : "none");
  Json json = {{"version", ike.version},
               {"role", ike.initiator ? "initiator" : "responder"},
               {"local", ike.local},
               {"remote", ike.remote},
               {"nat", nat},
               {"suite", ike.suite},
               {"established_s", ike.established_s},
               {"rekey_in_s", or_null(ike.rekey_in_s)}};
  if (everything) {
    json["spi_initiator"] = hex(ike.spi_initiator, 16);
    json["spi_responder"] = hex(ike.spi_responder, 16);
    json["local_id"] = ike.local_id;
    json["remote_id"] = ike.remote_id;
    json["retransmitted"] = ike.retransmitted;
  }
  return json;
}

Json child_json(const ChildReport& child, bool everything) {
  Json json = {{"name", child.name},
               {"suite", child.suite},
               {"encap", child.udp_encap ? "udp" : "native"},
               {"spi_in", hex(child.spi_in, 8)},
               {"spi_out", hex(child.spi_out, 8)},
               {"packets_in", child.packets_in},
               {"bytes_in", child.bytes_in},
               {"packets_out", child.packets_out},
               {"bytes_out", child.bytes_out},
               {"rekey_in_s", or_null(child.rekey_in_s)}};
  if (everything) {
    json["local"] = child.local;
    json["remote"] = child.remote;
    json["mtu"] = child.mtu;
    json["mss"] = child.mss;
    json["replay_window"] = child.replay_window;
    json["replay_distance"] = child.replay_distance;
    json["sequence_in"] = child.sequence_in;
    json["sequence_out"] = child.sequence_out;
    json["soft_left"] = limits_json(child.soft_left);
    json["hard_left"] = limits_json(child.hard_left);
    json["last_in_s"] = or_null(child.last_in_s);
    json["last_out_s"] = or_null(child.last_out_s);
    json["drops"] = child.drops;
  }
  return json;
}

Json worker_json(const dataplane::WorkerStatus& worker) {
  return {{"core", worker.core},
          {"rx", worker.rx},
          {"tx", worker.tx},
          {"handed_over", worker.handed_over},
          {"polls", worker.polls},
          {"idle_polls", worker.idle_polls},
          {"lent", worker.lent},
          {"taken_back", worker.taken_back},
          {"helped", worker.helped},
          {"sas_inbound", worker.sas_inbound},
          {"sas_outbound", worker.sas_outbound}};
}

// An array of what `convert` makes of each; [] where there is none.
template <typename T, typename Convert>
Json each(const std::vector<T>& values, Convert&& convert) {
  Json json = Json::array();
  for (const T& value : values) json.push_back(convert(value));
  return json;
}

}  // namespace

std::string state_name(TunnelReport::State state) {
  switch (state) {
    case TunnelReport::State::connecting:
      return "connecting";
    case TunnelReport::State::established:
      return "established";
    case TunnelReport::State::down:
      break;
  }
  return "down";
}

Json tunnel_json(const TunnelReport& tunnel, bool everything) {
  Json json = {{"name", tunnel.name},
               {"state", state_name(tunnel.state)},
               {"ike", tunnel.ike ? ike_json(*tunnel.ike, everything) : Json(nullptr)},
               {"children", each(tunnel.children, [&](const ChildReport& c) { return child_json(c, everything); })},
               {"down_reason", tunnel.down_reason.empty() ? Json(nullptr) : Json(tunnel.down_reason)},
               {"stage", tunnel.stage.empty() ? Json(nullptr) : Json(tunnel.stage)}};
  if (!tunnel.notice.empty()) json["notice"] = tunnel.notice;
  if (!tunnel.esp_from.empty()) json["esp_from"] = tunnel.esp_from;
  if (everything) {
    json["port"] = tunnel.port;
    json["group"] = tunnel.group.empty() ? Json(nullptr)
                                         : Json{{"name", tunnel.group},
                                                {"weight", tunnel.weight},
                                                {"in_use", tunnel.in_use},
                                                {"probe", tunnel.health.empty() ? Json(nullptr) : Json(tunnel.health)}};
    json["ike_sas"] = {
        {"created", tunnel.ike_created}, {"established", tunnel.ike_established}, {"dropped", tunnel.ike_dropped}};
    json["child_sas"] = {{"created", tunnel.children_created}, {"established", tunnel.children_established}};
    json["negotiation_ms"] = {{"min", or_null(tunnel.negotiation_min_ms)},
                              {"avg", or_null(tunnel.negotiation_avg_ms)},
                              {"max", or_null(tunnel.negotiation_max_ms)}};
    json["dpd"] = {{"mode", tunnel.dpd_mode}, {"sent", tunnel.dpd_sent}, {"received", tunnel.dpd_received}};
    json["natt"] = {{"keepalives_sent", tunnel.keepalives_sent}, {"peer_port", or_null(tunnel.nat_port)}};
    json["history"] = tunnel.history;
    json["falls"] = each(tunnel.falls, [](const TunnelReport::Fall& f) {
      return Json{{"ago_s", f.ago_s}, {"up_s", f.up_s}, {"reason", f.text}};
    });
  }
  return json;
}

Json status_json(const std::vector<TunnelReport>& tunnels) {
  return {{"tunnels", each(tunnels, [](const TunnelReport& t) { return tunnel_json(t, false); })}};
}

Json port_json(const dataplane::PortStatus& port) {
  return {{"name", port.name},
          {"device", port.device},
          {"driver", port.driver},
          {"mac", port.mac},
          {"up", port.up},
          {"trusted", port.trusted},
          {"mtu", port.mtu},
          {"host", port.host.empty() ? Json(nullptr) : Json(port.host)},
          {"rx_queues", port.rx_queues},
          {"tx_queues", port.tx_queues},
          {"steering", port.steering},
          {"fallbacks", port.fallbacks},
          {"counters", port.counters},
          {"xstats", port.xstats}};
}

Json counters_json(const CountersReport& counters) {
  const auto crypto = [](const dataplane::CryptoStatus& c) {
    return Json{{"suite", c.suite}, {"level", c.level}, {"api", c.api}, {"packets", c.packets}, {"octets", c.octets}};
  };
  const auto pool = [](const dataplane::PoolStatus& p) {
    return Json{{"name", p.name}, {"size", p.size}, {"in_use", p.in_use}};
  };
  const auto rule = [](const dataplane::RuleStatus& r) {
    return Json{{"name", r.name}, {"action", r.permit ? "permit" : "deny"}, {"packets", r.packets}};
  };
  return {{"drops", counters.drops},
          {"treated", counters.treated},
          {"ports", each(counters.ports, port_json)},
          {"workers", each(counters.workers, worker_json)},
          {"crypto", each(counters.crypto, crypto)},
          {"pools", each(counters.pools, pool)},
          {"rules", each(counters.rules, rule)},
          {"control", counters.control}};
}

Json routes_json(const std::vector<RouteReport>& routes) {
  return {{"routes", each(routes, [](const RouteReport& r) {
             return Json{{"to", r.to},         {"via", r.via},           {"port", r.port},
                         {"origin", r.origin}, {"distance", r.distance}, {"active", r.active}};
           })}};
}

Json neighbors_json(const std::vector<dataplane::NeighborStatus>& neighbors) {
  return {
      {"neighbors", each(neighbors, [](const dataplane::NeighborStatus& n) {
         return Json{{"port", n.port}, {"address", n.address}, {"mac", n.mac}, {"state", n.state}, {"age_s", n.age_s}};
       })}};
}

Json console_json(const conf::ConsoleSheet& sheet) {
  Json fields = Json::array();
  for (const conf::ConsoleField& f : sheet.fields)
    fields.push_back({{"parameter", f.parameter}, {"label", f.label}, {"verified", f.verified}, {"value", f.value}});
  return {{"tunnel", sheet.tunnel},      {"cloud", sheet.cloud},
          {"title", sheet.title},        {"lang", sheet.language == conf::Language::chinese ? "zh" : "en"},
          {"fields", std::move(fields)}, {"hints", sheet.hints}};
}

Json verdict_json(const diagnosis::Verdict& v) {
  return {{"tunnel", v.tunnel},     {"verdict", v.row},         {"certain", v.certain},     {"others", v.others},
          {"text", v.text},         {"evidence", v.evidence},   {"cure_here", v.cure_here}, {"cure_there", v.cure_there}};
}

Json log_json(const LogLine& line) {
  const auto since = line.time.time_since_epoch();
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(since).count();
  const std::time_t seconds = static_cast<std::time_t>(ms >= 0 ? ms / 1000 : 0);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 40> date{};
  std::array<char, 48> text{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data(), text.size(), "%s.%03dZ", date.data(), static_cast<int>(ms >= 0 ? ms % 1000 : 0));
  return {{"time", text.data()},
          {"level", line.level},
          {"tunnel", line.tunnel.empty() ? Json(nullptr) : Json(line.tunnel)},
          {"text", line.text}};
}

std::string to_line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace causeway::control

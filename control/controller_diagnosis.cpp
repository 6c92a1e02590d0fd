// The controller's part in explaining: it gathers what was seen of a tunnel (diagnosis/facts.h), keeps why each went
// down, and rehearses rekeys.
#include <algorithm>
#include <array>
#include <utility>

#include "control/controller.h"
#include "control/ike/selectors.h"

namespace causeway::control {

namespace {

constexpr Time kAnsweredLately{60'000};
constexpr std::chrono::hours kFallsOf{24};
constexpr std::chrono::seconds kQuietEnough{30};

std::chrono::sys_seconds wall_clock() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

// Not routed on the Internet (RFC 1918, RFC 6598).
bool is_private(const conf::IpAddress& a) {
  static const std::array kPrivate = {*conf::Prefix::parse("10.0.0.0/8"), *conf::Prefix::parse("172.16.0.0/12"),
                                      *conf::Prefix::parse("192.168.0.0/16"), *conf::Prefix::parse("100.64.0.0/10")};
  return std::ranges::any_of(kPrivate, [&](const conf::Prefix& p) { return p.contains(a); });
}

}  // namespace

// --- seen each second -------------------------------------------------------------------------------------------

void Controller::watch_traffic(const Tunnel& tunnel) {
  std::vector<TrafficWatch::Seen> in, out;
  for (const LiveChild& live : tunnel.receiving_children()) {
    const auto c = dataplane_.counters(dataplane::Direction::inbound, live.sa->spi_in, live.sa->carries());
    if (c) in.push_back({live.sa->spi_in, *c});
  }
  for (const LiveChild& live : tunnel.live_children()) {
    const auto c = dataplane_.counters(dataplane::Direction::outbound, live.sa->spi_out, live.sa->carries());
    if (c) out.push_back({live.sa->spi_out, *c});
  }
  traffic_[tunnel.settings().tunnel].look(in, out, now_);
}

void Controller::take_sample(const dataplane::Event& event) {
  if (const auto* asked = std::get_if<dataplane::Asked>(&event)) {
    if (asked->tunnel < traffic_.size()) traffic_[asked->tunnel].asked(*asked, now_);
  } else if (const auto* outside = std::get_if<dataplane::OutsideSelectors>(&event)) {
    if (outside->tunnel >= traffic_.size()) return;
    const auto children = gateway_.tunnels()[outside->tunnel]->receiving_children();
    const bool theirs = std::ranges::any_of(children, [&](const LiveChild& live) {
      return std::ranges::any_of(live.sa->selectors.remote,
                                 [&](const conf::Selector& s) { return s.contains(outside->source); });
    });
    traffic_[outside->tunnel].outside(outside->source, theirs);
  }
}

// --- why it went down -----------------------------------------------------------------------------------------------

void Controller::keep_falls() {
  for (const auto& tunnel : gateway_.tunnels()) {
    std::uint64_t& kept = falls_kept_[tunnel->settings().tunnel];
    const auto fresh = std::min<std::uint64_t>(tunnel->fallen() - kept, tunnel->falls().size());
    kept = tunnel->fallen();
    for (auto fall = tunnel->falls().end() - static_cast<std::ptrdiff_t>(fresh); fall != tunnel->falls().end(); ++fall) {
      const auto seconds = [](Time t) { return std::chrono::floor<std::chrono::seconds>(t); };
      history_.add(tunnel->name(), {wall_clock() - seconds(now_ - fall->at), seconds(fall->up), seconds(fall->idle),
                                    fall->by_command, fall->reason.cause, fall->reason.symptom, fall->reason.text});
    }
  }
  if (!history_.unsaved() || now_ < next_save_) return;
  if (const auto saved = history_.save(); !saved) log_.warning(saved.error());
  next_save_ = now_ + Time(history_.octets() / 1000);  // of thousands of tunnels, now and then
}

void Controller::report_falls(const Tunnel& tunnel, TunnelReport& report) const {
  const auto& falls = history_.of(tunnel.name());
  for (auto fall = falls.rbegin(); fall != falls.rend(); ++fall) {
    report.falls.push_back({std::max<std::int64_t>(0, (wall_clock() - fall->at).count()), fall->up.count(), fall->text});
  }
}

// Those of a trouble that lasts: a tunnel that is up for far longer than it ever was between two falls is cured.
std::vector<diagnosis::Fall> Controller::recent_falls(const Tunnel& tunnel) const {
  std::vector<diagnosis::Fall> out;
  std::chrono::seconds longest{0};
  for (const PastFall& fall : history_.of(tunnel.name())) {
    const auto at = wall_clock() - fall.at;
    if (fall.by_command || at > kFallsOf) continue;
    longest = std::max(longest, fall.up);
    out.push_back({at, fall.up, fall.idle, fall.cause, fall.symptom});
  }
  if (tunnel.up_since() && now_ - *tunnel.up_since() > std::max(2 * longest, kQuietEnough)) out.clear();
  return out;
}

// --- the facts --------------------------------------------------------------------------------------------------------

diagnosis::Path Controller::path_facts(const Tunnel& tunnel) const {
  diagnosis::Path p;
  const conf::Tunnel& config = config_.tunnels[tunnel.settings().tunnel];
  p.esp_ever_in = tunnel.esp_seen();
  p.probe_configured = config.probe && config.probe_host.has_value();
  p.switched_to_udp = tunnel.settings().config.encap == conf::Encap::force && config.encap != conf::Encap::force;
  p.trial_failed = tunnel.udp_trial_failed();
  if (const TwoAddresses* two = tunnel.two_addresses()) p.ike_from = two->ike.str(), p.esp_from = two->esp.str();
  if (const auto ike = tunnel.ike_status(); ike && ike->established) p.liveness = now_ - ike->last_heard < kAnsweredLately;
  for (const LiveChild& live : tunnel.live_children()) {
    p.native = p.native || !live.sa->udp_encap;
    const auto view = dataplane_.path(live.sa->spi_out, live.sa->carries());
    if (!view.host) continue;
    p.probe_host = view.host->str();
    p.probe_answered = view.answered;
    p.probe_silent = view.silent;
    p.found = view.found;
    p.most = view.most;
    const std::uint32_t mtu = dataplane_.effective_mtu(live.sa->spi_out, live.sa->carries());
    p.mss = config.mss.value_or(static_cast<std::uint16_t>(mtu > 40 ? mtu - 40 : 0));
  }
  return p;
}

diagnosis::Facts Controller::facts(const Tunnel& tunnel) const {
  const ike::PeerSettings& settings = tunnel.settings();
  const conf::Tunnel& config = settings.config;
  diagnosis::Facts f;
  f.tunnel = config.name;
  f.cloud = config.cloud;
  f.peer = settings.remote ? settings.remote->address.str() : config.remote;
  f.local = settings.local.address.str();
  f.local_id = config.local_id.empty() ? f.local : config.local_id;
  const auto as_address = conf::IpAddress::parse(f.local_id);
  f.local_id_private = as_address && is_private(*as_address);
  f.version = config.ike.version;
  f.pairs = config.selectors == conf::SelectorShape::pairs;
  f.begins = tunnel.may_initiate() && config.start == conf::Start::now;
  f.esp_lifetime_s = config.esp.lifetime.count();
  f.ike_lifetime_s = config.ike.lifetime.count();

  f.up = tunnel.state() == TunnelState::established;
  f.connecting = tunnel.state() == TunnelState::connecting;
  f.taken_down = tunnel.taken_down();
  f.nat_us = tunnel.nat_seen_us();
  f.nat_peer = tunnel.nat_seen_peer();
  const TunnelCounts& counts = tunnel.counts();
  f.attempts = counts.attempts;
  f.by_us = counts.established_by_us;
  f.by_peer = counts.established - counts.established_by_us;
  f.knocks = counts.dropped;
  f.icmp = tunnel.icmp_evidence();
  const ike::Reason& reason = tunnel.last_reason();
  f.failure = {reason.cause, reason.symptom, reason.text, reason.ours, reason.theirs};
  if (const auto ike = tunnel.ike_status()) {
    f.stage = ike->stage;
    f.dpd_sent = ike->dpd_sent;
    f.retransmitted = ike->retransmitted;
  }
  for (const conf::SelectorSet& set : tunnel.left_out()) f.narrowed.push_back(ike::str(set));
  for (const Tunnel::Configured& c : tunnel.configured_children()) f.wanted.push_back({c.name, ike::str(c.selectors), c.up});
  f.traffic = traffic_[settings.tunnel].traffic(now_);
  if (!f.narrowed.empty()) {
    const auto drops = dataplane_.drops();
    if (const auto found = drops.find("no_child_for_selector"); found != drops.end()) f.traffic.no_child = found->second;
  }
  f.path = path_facts(tunnel);
  f.falls = recent_falls(tunnel);
  return f;
}

tl::expected<diagnosis::Verdict, Outcome> Controller::diagnose(std::string_view name, conf::Language language) const {
  const auto id = gateway_.find(name);
  if (!id) return tl::unexpected(Outcome{Outcome::Code::no_such_tunnel, "there is no tunnel " + std::string(name)});
  return diagnosis::diagnose(facts(*gateway_.tunnels()[*id]), language);
}

// --- tonight's rekeys, now ------------------------------------------------------------------------------------------------

void Controller::rehearse(std::string_view name, bool sure, Done done) {
  const auto id = gateway_.find(name);
  if (!id) return done({Outcome::Code::no_such_tunnel, "no tunnel is called " + std::string(name)});
  const Tunnel& t = *gateway_.tunnels()[*id];
  const auto children = t.live_children();
  if (t.state() != TunnelState::established || children.empty()) return done({Outcome::Code::failed, "it is not up"});
  const conf::Tunnel& config = t.settings().config;
  if (!sure && config.ike.version == 1) {
    conf::CloudBook clouds;
    const conf::Cloud* cloud = clouds.find(config.cloud);
    if (cloud != nullptr && !cloud->rekey_interrupts_v1.empty()) {
      return done({Outcome::Code::failed, cloud->title + " " + cloud->rekey_interrupts_v1 +
                                              ". Nothing was done; to rehearse all the same: causewayctl rehearse " +
                                              std::string(name) + " --yes"});
    }
  }
  const std::string tunnel(name), child = t.child_name(children.front().sa->child);
  const std::string with = config.esp.pfs ? " with PFS" : " (pfs = false: without PFS)";
  const std::string kept = "; the SAs in use are untouched";
  rekey(tunnel, RekeyWhat::child, child, [this, tunnel, child, with, kept, done = std::move(done)](const Outcome& first) {
    if (first.code != Outcome::Code::done) {
      return done({Outcome::Code::failed, "the rekey of child " + child + with + " failed: " + first.text + kept});
    }
    rekey(tunnel, RekeyWhat::ike, "", [child, with, kept, done](const Outcome& second) {
      if (second.code != Outcome::Code::done) {
        return done({Outcome::Code::failed, "child " + child + " was rekeyed" + with +
                                                ", but the rekey of the IKE SA failed: " + second.text + kept});
      }
      done({Outcome::Code::done, "child " + child + " was rekeyed" + with + ", and the IKE SA: tonight's rekeys will pass"});
    });
  });
}

}  // namespace causeway::control

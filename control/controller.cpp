#include "control/controller.h"

#include <algorithm>
#include <array>
#include <utility>

namespace causeway::control {

namespace {

constexpr Time kLook{1000};
constexpr Time kFiles{10'000};  // how soon a renewed certificate or list is taken
constexpr Time kDownPatience{3000};
constexpr int kMostInGrace = 16;  // inbound SAs of a child

Level level_of(ike::Notice::Level level) {
  switch (level) {
    case ike::Notice::Level::debug:
      return Level::debug;
    case ike::Notice::Level::info:
      return Level::info;
    case ike::Notice::Level::warning:
      break;
  }
  return Level::warning;
}

// RFC 792 and RFC 4443, as far as a tunnel's peer may cause them.
std::string icmp_text(const dataplane::IcmpError& e) {
  static constexpr std::array<std::string_view, 16> kUnreachable{"network unreachable",
                                                                 "host unreachable",
                                                                 "protocol unreachable",
                                                                 "port unreachable",
                                                                 "fragmentation needed",
                                                                 "source route failed",
                                                                 "network unknown",
                                                                 "host unknown",
                                                                 "source host isolated",
                                                                 "network prohibited",
                                                                 "host prohibited",
                                                                 "network unreachable for this service",
                                                                 "host unreachable for this service",
                                                                 "communication prohibited",
                                                                 "host precedence violation",
                                                                 "precedence cutoff"};
  std::string what = "type " + std::to_string(e.type) + " code " + std::to_string(e.code);
  if (e.from.family == conf::Family::v4 && e.type == 3 && e.code < kUnreachable.size()) what = kUnreachable[e.code];
  if (e.from.family == conf::Family::v4 && e.type == 11) what = "time exceeded";
  return "ICMP " + what + " from " + e.from.str();
}

}  // namespace

namespace {

ike::ChildSlot first_free_slot(const std::vector<PeerSettingsPtr>& peers) {
  ike::ChildSlot first = 0;
  for (const auto& peer : peers) {
    for (const auto& child : peer->children) first = std::max(first, child.slot + 1);
  }
  return first;
}

}  // namespace

Controller::Controller(conf::Config config, std::vector<PeerSettingsPtr> peers, dataplane::Dataplane& dataplane,
                       Engine engine, crypto::Random& random, Log& log)
    : config_(std::move(config)),
      slots_(first_free_slot(peers), dataplane::kMaxChildSlots - 1),
      groups_(config_),
      dataplane_(dataplane),
      random_(random),
      log_(log),
      gateway_(std::move(peers), *this, std::move(engine)),
      order_([this](Action& action, std::uint64_t token) { carry(action, token); }),
      files_(config_.tunnels),
      keepalives_(config_.tunnels.size()),
      traffic_(config_.tunnels.size()),
      falls_kept_(config_.tunnels.size()) {}

Controller::~Controller() = default;

void Controller::begin(Time now) {
  now_ = now;
  if (const auto complaint = history_.load(config_.state_dir)) log_.warning(*complaint);
  Actions actions;
  gateway_.begin(now_, actions);
  run(std::move(actions));
}

void Controller::step(Time now) {
  now_ = now;
  dataplane_.poll(now_, [this](dataplane::Event&& event) { take(std::move(event)); });
  // What is left of the queue comes next round, at once: a round that used up its shares has outlasted its tick.
  queue_.serve(spent_, [this](dataplane::Event&& event) { handle(std::move(event)); });
  answer_names();
  if (now_ >= next_look_) {
    next_look_ = now_ + kLook;
    look_for_signs_of_life();
    keep_falls();
  }
  if (now_ >= next_files_) {
    next_files_ = now_ + kFiles;
    renew_credentials();
  }
  if (const auto due = gateway_.deadline(); due && *due <= now_) {
    Actions actions;
    const Share share(spent_);
    gateway_.tick(now_, actions, [&share] { return share.used_up(); });
    run(std::move(actions));
  }
  while (!removals_.empty() && removals_.begin()->first <= now_) {
    const SaKey key = removals_.begin()->second;
    removals_.erase(removals_.begin());
    remove(dataplane::Direction::inbound, key.spi, key.child);
  }
  if (!groups_.empty()) choose_of_groups();
  if (policies_changed_) publish_policies();
  if (!waiting_.empty()) end_commands();
}

void Controller::shut_down(Time now) {
  now_ = now;
  keep_falls();
  Actions actions;
  gateway_.down_all(now_, actions);
  run(std::move(actions));
}

std::chrono::sys_seconds Controller::wall_time() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

// What is established stays; the next proof is made and judged with the new files. Files that are wrong change nothing.
void Controller::renew_credentials() {
  for (const std::size_t i : files_.changed()) {
    const auto id = static_cast<ike::TunnelId>(i);
    const std::string& name = config_.tunnels[i].name;
    auto now = load_credentials(config_.tunnels[i], gateway_.tunnels()[id]->settings().local.address, wall_time());
    if (!now) {
      log_.write(Level::warning, name, "the changed certificate files are not taken: " + now.error());
      continue;
    }
    gateway_.renew_credentials(id, std::move(now->own), std::move(now->trust));
    log_.write(Level::info, name, "the changed certificate files are taken: " + now->notes.front());
  }
}

bool Controller::finished() const { return gateway_.idle() && order_.empty(); }

// --- actions -> data path -----------------------------------------------------------------------------------

void Controller::carry(Action& action, std::uint64_t token) {
  using dataplane::Direction;
  const ike::TunnelId id = action.tunnel;
  if (auto* send = std::get_if<ike::Send>(&action.what)) {
    dataplane_.send(send->local, send->remote, send->local.port == 4500, send->message);
  } else if (auto* alive = std::get_if<ike::SendKeepalive>(&action.what)) {
    ++keepalives_[id];
    dataplane_.send_keepalive(alive->local, alive->remote);
  } else if (auto* in = std::get_if<ike::InstallInbound>(&action.what)) {
    install(*in->sa, Direction::inbound, token);
  } else if (auto* use = std::get_if<ike::UseOutbound>(&action.what)) {
    install(*use->sa, Direction::outbound, 0);
  } else if (auto* gone_in = std::get_if<ike::RemoveInbound>(&action.what)) {
    remove_later(gone_in->spi, gone_in->child, gone_in->after);
  } else if (auto* gone_out = std::get_if<ike::RemoveOutbound>(&action.what)) {
    remove(Direction::outbound, gone_out->spi, gone_out->child);
  } else if (auto* moved = std::get_if<ike::EndpointsChanged>(&action.what)) {
    for (const LiveChild& live : gateway_.tunnels()[id]->live_children()) {
      const auto& spis = moved->spis_out;
      if (std::find(spis.begin(), spis.end(), live.sa->spi_out) == spis.end()) continue;
      dataplane_.update_endpoints(live.sa->spi_out, live.sa->carries(), moved->local, moved->remote);
    }
  } else if (auto* notice = std::get_if<ike::Notice>(&action.what)) {
    log_.write(level_of(notice->level), config_.tunnels[id].name, notice->text);
  } else if (std::holds_alternative<PoliciesChanged>(action.what)) {
    policies_changed_ = true;
  } else if (auto* resolve = std::get_if<Resolve>(&action.what)) {
    const auto family = gateway_.tunnels()[id]->settings().local.address.family;
    resolver_.ask(id, resolve->name, family);
  }
}

// A peer that rekeys all the time would pile up SAs in their grace: beyond the bound the oldest goes at once.
void Controller::remove_later(std::uint32_t spi, ike::ChildSlot child, Time grace) {
  if (grace <= Time(0)) return remove(dataplane::Direction::inbound, spi, child);
  const auto same = [&](const auto& entry) { return entry.second.child == child; };
  if (std::count_if(removals_.begin(), removals_.end(), same) >= kMostInGrace) {
    const auto oldest = std::find_if(removals_.begin(), removals_.end(), same);
    const SaKey key = oldest->second;
    removals_.erase(oldest);
    remove(dataplane::Direction::inbound, key.spi, key.child);
  }
  removals_.emplace(now_ + grace, SaKey{spi, child});
}

void Controller::choose_of_groups() {
  const auto established = [this](ike::TunnelId id) {
    return gateway_.tunnels()[id]->state() == TunnelState::established;
  };
  for (const TunnelGroups::Switch& change : groups_.choose(established, now_)) {
    const std::string& to = config_.tunnels[change.to].name;
    log_.write(Level::warning, to,
               "carries the traffic of group " + change.group + " now, instead of " +
                   config_.tunnels[change.from].name + ": " + change.why);
    policies_changed_ = true;
  }
}

// Once for all that changed in a step: a table is made whole.
void Controller::publish_policies() {
  policies_changed_ = false;
  std::vector<PeerSettingsPtr> peers;
  for (const auto& tunnel : gateway_.tunnels()) peers.push_back(tunnel->settings_ptr());
  const auto published = dataplane_.publish(make_table(
      config_, peers, [this](ike::TunnelId id) { return Split{gateway_.tunnels()[id]->carried(), slots_.nobody()}; },
      [this](ike::TunnelId id) { return groups_.in_use(id); }));
  if (!published) log_.error("the data path keeps its old tables: " + published.error());
}

void Controller::install(const ike::ChildSa& sa, dataplane::Direction direction, std::uint64_t token) {
  auto spec = make_sa(sa, direction, config_.tunnels[sa.tunnel], random_);
  limits_[{spec.spi, sa.child}] = {sa.carries(), spec.soft_bytes, spec.hard_bytes, spec.soft_packets, spec.hard_packets};
  dataplane_.install(std::move(spec), token);
}

void Controller::remove(dataplane::Direction direction, std::uint32_t spi, ike::ChildSlot child) {
  const auto known = limits_.find({spi, child});
  const ike::ChildSlot carries = known == limits_.end() ? child : known->second.carries;
  if (known != limits_.end()) limits_.erase(known);
  if (direction == dataplane::Direction::inbound) packets_in_.erase(spi);
  dataplane_.remove(direction, spi, carries);
}

// --- data path -> gateway -------------------------------------------------------------------------------------

// What costs much waits for its turn; the rest is dealt with at once.
void Controller::take(dataplane::Event&& event) {
  using Lane = WorkQueue::Lane;
  auto lane = Lane::wishes;
  if (const auto* ike = std::get_if<dataplane::IkeDatagram>(&event)) {
    const auto standing = gateway_.standing(ike->bytes);
    lane = standing == Gateway::Standing::established ? Lane::live
           : standing == Gateway::Standing::half_open ? Lane::half_open
                                                      : Lane::first;
  } else if (!std::holds_alternative<dataplane::Wanted>(event) &&
             !std::holds_alternative<dataplane::LimitReached>(event) &&
             !std::holds_alternative<dataplane::PeerMoved>(event)) {
    return handle(std::move(event));
  }
  if (!queue_.put(lane, std::move(event))) ++queue_full_;
}

void Controller::handle(dataplane::Event&& event) {
  Actions actions;
  if (auto* ike = std::get_if<dataplane::IkeDatagram>(&event)) {
    ike::Datagram datagram{ike->local, ike->remote, std::move(ike->bytes)};
    gateway_.receive(datagram, now_, actions);
  } else if (const auto* installed = std::get_if<dataplane::Installed>(&event)) {
    on_installed(*installed);
  } else if (const auto* wanted = std::get_if<dataplane::Wanted>(&event)) {
    gateway_.wanted(wanted->tunnel, wanted->child, {{wanted->source}, {wanted->destination}}, now_, actions);
  } else if (const auto* moved = std::get_if<dataplane::PeerMoved>(&event)) {
    gateway_.peer_moved(moved->tunnel, moved->spi, moved->from, now_, actions);
  } else if (const auto* elsewhere = std::get_if<dataplane::EspElsewhere>(&event)) {
    gateway_.esp_elsewhere(elsewhere->tunnel, elsewhere->spi, elsewhere->from, now_, actions);
  } else if (const auto* limit = std::get_if<dataplane::LimitReached>(&event)) {
    gateway_.limit_reached(limit->tunnel, limit->spi, limit->child, limit->hard, now_, actions);
  } else if (const auto* icmp = std::get_if<dataplane::IcmpError>(&event)) {
    on_icmp(*icmp);
  } else if (std::holds_alternative<dataplane::Asked>(event) || std::holds_alternative<dataplane::OutsideSelectors>(event)) {
    take_sample(event);
  } else if (const auto* unknown = std::get_if<dataplane::UnknownEsp>(&event)) {
    gateway_.unknown_esp(unknown->from, now_);
  } else if (const auto* health = std::get_if<dataplane::TunnelHealth>(&event)) {
    on_health(*health);
  } else if (const auto* link = std::get_if<dataplane::LinkChanged>(&event)) {
    const std::string port = link->port < config_.ports.size() ? config_.ports[link->port].name : "?";
    log_.warning("port " + port +
                 (link->up ? ": link is up" : ": link is down; its neighbors are forgotten, the SAs are kept"));
  } else if (const auto* reset = std::get_if<dataplane::PortReset>(&event)) {
    const std::string port = reset->port < config_.ports.size() ? config_.ports[reset->port].name : "?";
    log_.warning("port " + port + ": the device asked for a reset" +
                 (reset->error.empty() ? " and runs again" : ": " + reset->error + "; tried again in a second"));
  }
  run(std::move(actions));
}

void Controller::on_installed(const dataplane::Installed& event) {
  if (!event.ok) {
    const auto direction = event.direction == dataplane::Direction::inbound ? "inbound" : "outbound";
    log_.error(std::string("the data path refused an ") + direction + " SA: " + event.why);
  }
  const auto pending = order_.installed(event.token);
  if (event.ok || !pending) return;
  Actions actions;
  gateway_.install_failed(pending->tunnel, pending->spi, pending->child, event.why, now_, actions);
  run(std::move(actions));
}

void Controller::on_health(const dataplane::TunnelHealth& event) {
  groups_.set_health(event.tunnel, event.answers);
  const conf::Tunnel& tunnel = config_.tunnels[event.tunnel];
  const std::string host = tunnel.probe_host ? tunnel.probe_host->str() : "the probe's host";
  log_.write(event.answers ? Level::info : Level::warning, tunnel.name,
             host + (event.answers ? " answers through the tunnel"
                                   : " does not answer through the tunnel: look at the peer's routes and filters"));
}

void Controller::on_icmp(const dataplane::IcmpError& event) {
  const std::string text = icmp_text(event);
  log_.debug(text + " about " + event.quoted_remote.str());
  gateway_.icmp_error(event.quoted_remote.address, text, now_);
}

// Authenticated packets are as good as answers to a liveness check (RFC 7296 2.4).
void Controller::look_for_signs_of_life() {
  for (const auto& tunnel : gateway_.tunnels()) {
    for (const LiveChild& live : tunnel->receiving_children()) {
      const auto c = dataplane_.counters(dataplane::Direction::inbound, live.sa->spi_in, live.sa->carries());
      if (!c) continue;
      std::uint64_t& seen = packets_in_[live.sa->spi_in];
      if (c->packets <= seen) continue;
      seen = c->packets;
      const Time when = c->last_used_ms != 0 ? std::min(now_, Time(c->last_used_ms)) : now_;
      gateway_.esp_received(tunnel->settings().tunnel, live.sa->spi_in, when);
    }
    watch_traffic(*tunnel);
    if (tunnel->watches_path()) look_at_path(*tunnel);
  }
}

void Controller::look_at_path(const Tunnel& tunnel) {
  const TrafficWatch& seen = traffic_[tunnel.settings().tunnel];
  Actions actions;
  gateway_.traffic(tunnel.settings().tunnel, seen.packets_in(), seen.packets_out(), now_, actions);
  run(std::move(actions));
}

void Controller::answer_names() {
  for (const Resolver::Answer& answer : resolver_.take()) {
    Actions actions;
    gateway_.resolved(answer.tag, answer.address, answer.error, now_, actions);
    run(std::move(actions));
  }
}

// --- commands ---------------------------------------------------------------------------------------------------

void Controller::up(std::string_view name, Done done) {
  const auto id = gateway_.find(name);
  if (!id) return done({Outcome::Code::no_such_tunnel, "no tunnel is called " + std::string(name)});
  const Tunnel& t = *gateway_.tunnels()[*id];
  waiting_.push_back({Waiting::For::up, *id, t.counts().attempts_failed, 0, Time::max(), std::move(done)});
  Actions actions;
  gateway_.up(*id, now_, actions);
  run(std::move(actions));
  end_commands();
}

void Controller::down(std::string_view name, Done done) {
  const auto id = gateway_.find(name);
  if (!id) return done({Outcome::Code::no_such_tunnel, "no tunnel is called " + std::string(name)});
  waiting_.push_back({Waiting::For::down, *id, 0, 0, now_ + kDownPatience, std::move(done)});
  Actions actions;
  gateway_.down(*id, now_, actions);
  run(std::move(actions));
  end_commands();
}

void Controller::rekey(std::string_view name, RekeyWhat what, std::string_view child, Done done) {
  const auto id = gateway_.find(name);
  if (!id) return done({Outcome::Code::no_such_tunnel, "no tunnel is called " + std::string(name)});
  const Tunnel& t = *gateway_.tunnels()[*id];
  if (t.state() != TunnelState::established) return done({Outcome::Code::failed, "it is not up"});
  const auto children = t.live_children();
  const auto called = [&](const LiveChild& l) { return t.child_name(l.sa->child) == child; };
  if (what == RekeyWhat::child && std::none_of(children.begin(), children.end(), called)) {
    return done({Outcome::Code::failed, "no child that is up is called " + std::string(child)});
  }
  if (what == RekeyWhat::ike) {
    waiting_.push_back({Waiting::For::rekey_ike, *id, t.counts().ike_rekeys_refused, t.counts().ike_rekeyed,
                        now_ + std::chrono::seconds(60), std::move(done)});
  } else {
    waiting_.push_back({Waiting::For::rekey, *id, t.counts().children_failed + t.counts().child_rekeys_refused, t.counts().rekeyed,
                        now_ + std::chrono::seconds(60), std::move(done)});
  }
  Actions actions;
  if (what == RekeyWhat::ike) gateway_.rekey_ike(*id, now_, actions);
  for (const LiveChild& l : children) {
    if (what == RekeyWhat::all_children || (what == RekeyWhat::child && called(l))) {
      gateway_.rekey_child(*id, t.child_name(l.sa->child), now_, actions);
    }
  }
  run(std::move(actions));
  end_commands();
}

void Controller::end_commands() {
  std::vector<std::pair<Done, Outcome>> ended;
  std::erase_if(waiting_, [&](Waiting& w) {
    auto result = outcome(w);
    if (result) ended.emplace_back(std::move(w.done), std::move(*result));
    return result.has_value();
  });
  for (auto& [done, result] : ended) done(std::move(result));
}

std::optional<Outcome> Controller::outcome(const Waiting& w) const {
  const Tunnel& t = *gateway_.tunnels()[w.tunnel];
  switch (w.what) {
    case Waiting::For::up:
      if (t.state() == TunnelState::established) return Outcome{Outcome::Code::done, "established"};
      if (t.counts().attempts_failed > w.failed_before || !t.may_initiate() || t.taken_down()) {
        return Outcome{Outcome::Code::failed, t.down_reason().value_or("it did not come up")};
      }
      return std::nullopt;
    case Waiting::For::down:
      if (t.idle() && t.live_children().empty()) return Outcome{Outcome::Code::done, "down"};
      if (!t.taken_down()) return Outcome{Outcome::Code::failed, "another command brought it up again"};
      if (now_ >= w.until) return Outcome{Outcome::Code::done, "down; the peer has not confirmed it"};
      return std::nullopt;
    case Waiting::For::rekey:
      if (t.counts().rekeyed > w.created_before) return Outcome{Outcome::Code::done, "rekeyed"};
      if (t.counts().children_failed + t.counts().child_rekeys_refused > w.failed_before || t.state() != TunnelState::established) {
        return Outcome{Outcome::Code::failed, t.last_reason().text};
      }
      if (now_ >= w.until) return Outcome{Outcome::Code::failed, "the peer has not answered"};
      return std::nullopt;
    case Waiting::For::rekey_ike:
      if (t.counts().ike_rekeyed > w.created_before) return Outcome{Outcome::Code::done, "rekeyed"};
      if (t.counts().ike_rekeys_refused > w.failed_before || t.state() != TunnelState::established) {
        return Outcome{Outcome::Code::failed, t.last_reason().text.empty() ? "it was refused; the log says why" : t.last_reason().text};
      }
      if (now_ >= w.until) return Outcome{Outcome::Code::failed, "the peer has not answered"};
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace causeway::control

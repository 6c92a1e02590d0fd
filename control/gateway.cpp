#include "control/gateway.h"

#include <algorithm>
#include <utility>

#include "crypto/hash.h"

namespace causeway::control {

namespace {

// The fixed header that IKEv1 and IKEv2 share (RFC 7296 3.1, RFC 2408 3.1).
struct Header {
  std::uint64_t spi_initiator = 0, spi_responder = 0;
  int version = 0;
  bool from_initiator = false;  // IKEv2 only
};

constexpr std::ptrdiff_t kBeginningAtOnce = 64;  // tunnels that connect for the first time
constexpr int kBegunInAStep = 16;             // at most: the first answers are to come while others begin
constexpr std::size_t kMaxSources = 4096;
constexpr std::uint32_t kBegunASecond = 50;  // IKE SAs that others may begin on the long run: each costs a key exchange

std::optional<Header> parse_header(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < 28) return std::nullopt;
  const auto be64 = [&](std::size_t at) {
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < 8; ++i) v = v << 8 | bytes[at + i];
    return v;
  };
  Header h{be64(0), be64(8), bytes[17] >> 4, (bytes[19] & 0x08) != 0};
  if (h.spi_initiator == 0 || (h.version != 1 && h.version != 2)) return std::nullopt;
  return h;
}

}  // namespace

Gateway::Gateway(std::vector<PeerSettingsPtr> settings, ike::Environment& environment, Engine engine,
                 HalfOpenLimits limits)
    : environment_(environment),
      engine_(std::move(engine)),
      limits_(limits),
      unproven_rate_(kBegunASecond, static_cast<std::uint32_t>(2 * limits.unproven)) {
  for (auto& s : settings) tunnels_.push_back(std::make_unique<Tunnel>(std::move(s), environment_, engine_));
  indexed_.resize(tunnels_.size());
  deadline_of_.resize(tunnels_.size());
  remote_of_.resize(tunnels_.size());
  for (ike::TunnelId id = 0; id < tunnels_.size(); ++id) index_remote(id);
}

Tunnel* Gateway::at(ike::TunnelId id) { return id < tunnels_.size() ? tunnels_[id].get() : nullptr; }

void Gateway::begin(Time now, Actions& out) {
  for (ike::TunnelId id = 0; id < tunnels_.size(); ++id) {
    tunnels_[id]->begin(now, out);
    refresh(id);
    if (tunnels_[id]->waits_its_turn()) to_begin_.push_back(id);
  }
  begin_more(now, out);
}

// A thousand tunnels that begin in one moment overrun their peers, their own queues, and each other's answers. Those
// whose peer asked for a cookie wait a while before they come with it, and keep nobody waiting.
void Gateway::begin_more(Time now, Actions& out, const std::function<bool()>& enough) {
  if (to_begin_.empty() && beginning_.empty()) return;
  std::erase_if(beginning_, [&](ike::TunnelId id) { return !tunnels_[id]->connecting(); });
  if (to_begin_.empty()) return;
  auto busy = std::ranges::count_if(beginning_, [&](ike::TunnelId id) { return !tunnels_[id]->pauses(); });
  for (int n = 0; n < kBegunInAStep && !to_begin_.empty() && busy < kBeginningAtOnce; ++n, ++busy) {
    const ike::TunnelId id = to_begin_.front();
    to_begin_.pop_front();
    tunnels_[id]->take_turn(now, out);
    refresh(id);
    beginning_.push_back(id);
    if (enough && enough()) break;
  }
}

Gateway::Standing Gateway::standing(std::span<const std::uint8_t> message) const {
  const auto header = parse_header(message);
  if (!header) return Standing::first;
  // Either SPI may be ours: whoever forges one goes no further than the queue of those it claims to be.
  for (const std::uint64_t spi : {header->spi_initiator, header->spi_responder}) {
    const auto it = index_.find(spi);
    if (it == index_.end()) continue;
    return tunnels_[it->second.tunnel]->established(spi) ? Standing::established : Standing::half_open;
  }
  return Standing::first;
}

void Gateway::receive(const ike::Datagram& datagram, Time now, Actions& out) {
  const auto header = parse_header(datagram.bytes);
  if (!header) {
    ++counters_.malformed;
    return;
  }
  // IKEv2 says who of the two sends; IKEv1 does not, so both SPIs are tried.
  const std::uint64_t first = header->from_initiator ? header->spi_responder : header->spi_initiator;
  if (const auto it = index_.find(first); first != 0 && it != index_.end()) {
    deliver(first, datagram, now, out);
    return;
  }
  if (header->version == 1 && index_.contains(header->spi_responder)) {
    deliver(header->spi_responder, datagram, now, out);
    return;
  }
  const bool may_be_first = header->spi_responder == 0 && (header->from_initiator || header->version == 1);
  if (!may_be_first) {
    ++counters_.unknown_spi;
    return;
  }
  const auto known = first_messages_.find(first_message(header->spi_initiator, datagram));
  if (known != first_messages_.end()) {
    deliver(known->second, datagram, now, out);
    return;
  }
  admit(datagram, header->spi_initiator, header->version, now, out);
}

void Gateway::deliver(std::uint64_t local_spi, const ike::Datagram& datagram, Time now, Actions& out) {
  const ike::TunnelId id = index_.at(local_spi).tunnel;
  auto moved = tunnels_[id]->receive(local_spi, datagram, now, out);
  if (moved) {  // the identities say that it is another tunnel's
    const ike::TunnelId owner = moved->sa->tunnel();
    const auto entry = index_.extract(local_spi);
    std::erase(indexed_[id], local_spi);
    if (Tunnel* t = at(owner)) {
      index_[local_spi] = {owner, entry.mapped().first};
      indexed_[owner].push_back(local_spi);
      t->adopt(std::move(moved->sa), std::move(moved->effects), now, out);
      refresh(owner);
    }
  }
  refresh(id);
}

// Room for another half-open IKE SA of this sender; what it costs it is taken.
bool Gateway::admits(const ike::Datagram& datagram, bool proven, std::size_t tunnels, int version, Time now) {
  // IKEv1 knows no cookies: it never takes the room that IKEv2 has for those who show one.
  if (half_open_.size() >= (version == 1 ? limits_.total / 2 : limits_.total)) return false;
  if (!proven) return true;
  if (sources_.size() > kMaxSources) std::erase_if(sources_, [](const auto& s) { return s.second.half_open == 0; });
  const auto most = std::max(limits_.per_address, 2 * tunnels);
  const auto burst = static_cast<std::uint32_t>(2 * most);
  Source& source = sources_.try_emplace(datagram.remote.address, Source{0, {kBegunASecond, burst}}).first->second;
  return source.half_open < most && source.begun.take(static_cast<std::uint64_t>(now.count()));
}

void Gateway::admit(const ike::Datagram& datagram, std::uint64_t initiator_spi, int version, Time now, Actions& out) {
  const auto allowed = candidates(datagram, version);
  if (allowed.empty()) {
    if (knock(datagram, version, now, out)) return;
    ++counters_.unknown_peer;
    other_version_began(datagram, version, now, out);
    return;
  }
  if (version == 1 && !admits_aggressive(datagram, now)) {
    ++counters_.half_open_limit;
    return;
  }
  ike::Effects effects;
  const bool proven = !engine_.proven || engine_.proven(datagram, now);
  if (!proven && (unproven_ >= limits_.unproven || !unproven_rate_.take(static_cast<std::uint64_t>(now.count())))) {
    ++counters_.cookies_asked;
    engine_.ask_for_proof(datagram, environment_, now, effects);
    for (ike::Effect& e : effects) {
      if (auto* send = std::get_if<ike::Send>(&e)) put(out, allowed.front()->tunnel, std::move(*send));
    }
    return;
  }
  if (!admits(datagram, proven, allowed.size(), version, now)) {
    ++counters_.half_open_limit;
    return;
  }
  auto sa = engine_.accept(datagram, allowed, environment_, now, effects);
  const ike::TunnelId id = sa ? sa->tunnel() : allowed.front()->tunnel;
  Tunnel* tunnel = at(id);
  if (tunnel == nullptr) return;
  if (!sa) {
    tunnel->refused(std::move(effects), now, out);
    return;
  }
  const std::uint64_t local_spi = sa->local_spi();
  const FirstMessage first = first_message(initiator_spi, datagram);
  index_[local_spi] = {id, first};
  indexed_[id].push_back(local_spi);
  first_messages_[first] = local_spi;
  open_half(local_spi, datagram.remote.address, proven);
  tunnel->adopt(std::move(sa), std::move(effects), now, out);
  refresh(id);
}

// Nobody is let in by this, but a tunnel that wonders why it is down has its answer.
void Gateway::other_version_began(const ike::Datagram& datagram, int version, Time now, Actions& out) {
  const auto known = by_remote_.find(datagram.remote.address);
  if (known == by_remote_.end()) return;
  for (const ike::TunnelId id : known->second) {
    const ike::PeerSettings& s = tunnels_[id]->settings();
    if (s.config.ike.version == version || s.local.address != datagram.local.address) continue;
    tunnels_[id]->other_version_began(datagram.remote, version, now, out);
  }
}

void Gateway::open_half(std::uint64_t local_spi, const conf::IpAddress& from, bool proven) {
  half_open_[local_spi] = {from, proven};
  if (const auto s = sources_.find(from); proven && s != sources_.end()) ++s->second.half_open;
  if (!proven) ++unproven_;
}

void Gateway::close_half(std::uint64_t local_spi) {
  const auto half = half_open_.find(local_spi);
  if (half == half_open_.end()) return;
  if (const auto s = sources_.find(half->second.from); half->second.proven && s != sources_.end()) {
    --s->second.half_open;
  }
  if (!half->second.proven) --unproven_;
  half_open_.erase(half);
}

Gateway::FirstMessage Gateway::first_message(std::uint64_t initiator_spi, const ike::Datagram& datagram) {
  FirstMessage first{initiator_spi, datagram.remote, {}};
  const auto digest = crypto::hash(crypto::Hash::sha2_256, {datagram.bytes});
  std::copy_n(digest.begin(), first.digest.size(), first.digest.begin());
  return first;
}

// A tunnel is found by its peer's address, which changes where that is a name.
void Gateway::index_remote(ike::TunnelId id) {
  const ike::PeerSettings& s = tunnels_[id]->settings();
  if (s.config.remote_is_any()) {
    any_remote_.insert(id);
    return;
  }
  const auto now = s.remote ? std::optional(s.remote->address) : std::nullopt;
  auto& place = remote_of_[id];
  if (place == now) return;
  if (place) by_remote_[*place].erase(id);
  if (place && by_remote_[*place].empty()) by_remote_.erase(*place);
  if (now) by_remote_[*now].insert(id);
  place = now;
}

std::vector<PeerSettingsPtr> Gateway::candidates(const ike::Datagram& datagram, int version) const {
  std::vector<PeerSettingsPtr> out;
  const auto consider = [&](ike::TunnelId id) {
    const Tunnel& t = *tunnels_[id];
    const ike::PeerSettings& s = t.settings();
    if (!t.accepts() || s.config.ike.version != version || s.local.address != datagram.local.address) return;
    out.push_back(t.settings_ptr());
  };
  if (const auto it = by_remote_.find(datagram.remote.address); it != by_remote_.end()) {
    std::ranges::for_each(it->second, consider);
  }
  std::ranges::for_each(any_remote_, consider);
  return out;
}

void Gateway::refresh(ike::TunnelId id) {
  const Tunnel& tunnel = *tunnels_[id];
  index_remote(id);
  const auto current = tunnel.local_spis();
  auto& known = indexed_[id];
  for (const std::uint64_t spi : known) {
    if (std::find(current.begin(), current.end(), spi) != current.end()) {
      if (!tunnel.half_open(spi)) close_half(spi);
      continue;
    }
    const auto entry = index_.find(spi);
    if (entry != index_.end() && entry->second.tunnel == id) {
      if (entry->second.first) first_messages_.erase(*entry->second.first);
      index_.erase(entry);
      close_half(spi);
    }
  }
  for (const std::uint64_t spi : current) index_.try_emplace(spi, Entry{id, std::nullopt});
  known = current;

  const auto next = tunnel.deadline();
  auto& place = deadline_of_[id];
  if (place == next) return;
  if (place) deadlines_.erase({*place, id});
  if (next) deadlines_.insert({*next, id});
  place = next;
}

void Gateway::tick(Time now, Actions& out, const std::function<bool()>& enough) {
  begin_more(now, out, enough);
  std::vector<ike::TunnelId> due;
  for (const auto& [when, id] : deadlines_) {
    if (when > now) break;
    due.push_back(id);
  }
  for (const ike::TunnelId id : due) {
    tunnels_[id]->tick(now, out);
    refresh(id);
    if (enough && enough()) break;
  }
}

std::optional<Time> Gateway::deadline() const {
  if (!to_begin_.empty()) return Time{0};
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.begin()->first;
}

void Gateway::up(ike::TunnelId id, Time now, Actions& out) {
  if (Tunnel* t = at(id)) t->up(now, out), refresh(id);
}

void Gateway::down(ike::TunnelId id, Time now, Actions& out) {
  if (Tunnel* t = at(id)) t->down(now, out), refresh(id);
}

void Gateway::rekey_child(ike::TunnelId id, std::string_view child, Time now, Actions& out) {
  if (Tunnel* t = at(id)) t->rekey_child(child, now, out), refresh(id);
}

void Gateway::rekey_ike(ike::TunnelId id, Time now, Actions& out) {
  if (Tunnel* t = at(id)) t->rekey_ike(now, out), refresh(id);
}

void Gateway::down_all(Time now, Actions& out) {
  for (ike::TunnelId id = 0; id < tunnels_.size(); ++id) down(id, now, out);
}

bool Gateway::idle() const {
  return std::all_of(tunnels_.begin(), tunnels_.end(), [](const auto& t) { return t->idle(); });
}

void Gateway::wanted(ike::TunnelId id, ike::ChildSlot child, const conf::SelectorSet& packet, Time now, Actions& out) {
  if (Tunnel* t = at(id)) t->wanted(child, packet, now, out), refresh(id);
}

void Gateway::resolved(ike::TunnelId id, const std::optional<conf::IpAddress>& address, const std::string& error,
                       Time now, Actions& out) {
  if (Tunnel* t = at(id)) t->resolved(address, error, now, out), refresh(id);
}

void Gateway::limit_reached(ike::TunnelId id, std::uint32_t spi, ike::ChildSlot child, bool hard, Time now,
                            Actions& out) {
  if (Tunnel* t = at(id)) t->limit_reached(spi, child, hard, now, out), refresh(id);
}

void Gateway::install_failed(ike::TunnelId id, std::uint32_t spi, ike::ChildSlot child, const std::string& why,
                             Time now, Actions& out) {
  if (Tunnel* t = at(id)) t->install_failed(spi, child, why, now, out), refresh(id);
}

void Gateway::peer_moved(ike::TunnelId id, std::uint32_t spi_in, const conf::Endpoint& from, Time now, Actions& out) {
  if (Tunnel* t = at(id)) t->peer_moved(spi_in, from, now, out), refresh(id);
}

void Gateway::icmp_error(const conf::IpAddress& peer, const std::string& text, Time now) {
  for (const auto& t : tunnels_) {
    if (t->settings().remote && t->settings().remote->address == peer) t->icmp_error(text, now);
  }
}

void Gateway::renew_credentials(ike::TunnelId id, std::shared_ptr<const crypto::Credential> own,
                                std::shared_ptr<const crypto::TrustStore> trust) {
  if (Tunnel* t = at(id)) t->renew_credentials(std::move(own), std::move(trust));
}

void Gateway::esp_elsewhere(ike::TunnelId id, std::uint32_t spi_in, const conf::IpAddress& from, Time now, Actions& out) {
  if (Tunnel* t = at(id)) t->esp_elsewhere(spi_in, from, now, out);
}

void Gateway::unknown_esp(const conf::IpAddress& peer, Time now) {
  if (const auto known = by_remote_.find(peer); known != by_remote_.end()) {
    for (const ike::TunnelId id : known->second) tunnels_[id]->unknown_esp(now);
  }
  for (const auto& t : tunnels_) {
    if (const auto* two = t->two_addresses(); two != nullptr && two->esp == peer) t->unknown_esp(now);
  }
}

void Gateway::esp_received(ike::TunnelId id, std::uint32_t spi_in, Time when) {
  if (Tunnel* t = at(id)) t->esp_received(spi_in, when), refresh(id);
}

std::optional<ike::TunnelId> Gateway::find(std::string_view name) const {
  for (ike::TunnelId id = 0; id < tunnels_.size(); ++id) {
    if (tunnels_[id]->name() == name) return id;
  }
  return std::nullopt;
}

}  // namespace causeway::control

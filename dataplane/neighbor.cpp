#include "dataplane/neighbor.h"

#include <array>
#include <cstdio>
#include <utility>

namespace causeway::dataplane {

void NeighborCache::enter(Entry& entry, State state, std::uint64_t now_ms) {
  entry.state = state;
  entry.since_ms = now_ms;
  entry.asked = 0;
  switch (state) {
    case State::incomplete:
    case State::probe:
      entry.next_ms = now_ms;
      break;
    case State::reachable:
      entry.next_ms = now_ms + kReachableMs;
      break;
    case State::stale:
      entry.next_ms = now_ms + kForgetMs;
      break;
    case State::failed:
      entry.next_ms = now_ms + kFailedMs;
      break;
  }
  changed_ = true;
}

void NeighborCache::ask(const Key& key, Entry& entry, std::uint64_t now_ms, Effects& out) {
  const bool direct = entry.state == State::probe && entry.asked < 2;
  out.ask.push_back({key.port, key.address, direct ? std::optional<Mac>(entry.mac) : std::nullopt});
  ++entry.asked;
  entry.next_ms = now_ms + kAskMs;
}

void NeighborCache::discard(Entry& entry, Effects& out) {
  held_ -= entry.held.size();
  out.no_neighbor += entry.held.size();
  entry.held.clear();
}

void NeighborCache::hold(std::uint16_t port, const conf::IpAddress& address, Held held, std::uint64_t now_ms,
                         Effects& out) {
  const Key key{port, address};
  auto it = entries_.find(key);
  if (it == entries_.end()) {
    if (entries_.size() >= limits_.entries) {
      ++out.queue_full;
      return;
    }
    it = entries_.emplace(key, Entry{}).first;
    enter(it->second, State::incomplete, now_ms);
    ask(key, it->second, now_ms, out);
  }
  Entry& entry = it->second;
  switch (entry.state) {
    case State::failed:
      ++out.no_neighbor;
      return;
    case State::incomplete: {
      const std::size_t most = held.own ? limits_.own_per_neighbor : limits_.held_per_neighbor;
      if (entry.held.size() >= most || held_ >= limits_.held_in_all) {
        ++out.queue_full;
        return;
      }
      entry.held.push_back(std::move(held));
      ++held_;
      return;
    }
    default: {  // answered while the packet was under way to us
      Release release{port, entry.mac, {}};
      release.packets.push_back(std::move(held));
      out.release.push_back(std::move(release));
    }
  }
}

void NeighborCache::used(std::uint16_t port, const conf::IpAddress& address, std::uint64_t now_ms, Effects& out) {
  const auto it = entries_.find(Key{port, address});
  if (it == entries_.end() || it->second.state != State::stale) return;
  enter(it->second, State::probe, now_ms);
  ask(it->first, it->second, now_ms, out);
}

void NeighborCache::learned(std::uint16_t port, const conf::IpAddress& address, const Mac& mac, bool answer,
                            bool create, std::uint64_t now_ms, Effects& out) {
  const Key key{port, address};
  auto it = entries_.find(key);
  if (it == entries_.end()) {
    if (!create || entries_.size() >= limits_.entries) return;
    it = entries_.emplace(key, Entry{}).first;
    it->second.mac = mac;
    enter(it->second, State::stale, now_ms);
    return;
  }
  Entry& entry = it->second;
  const bool known = entry.state != State::incomplete && entry.state != State::failed;
  const bool moved = known && entry.mac != mac;
  entry.mac = mac;
  if (answer) {
    enter(entry, State::reachable, now_ms);
  } else if (!known || moved) {
    enter(entry, State::stale, now_ms);
  }
  if (!entry.held.empty()) {
    held_ -= entry.held.size();
    out.release.push_back({port, mac, std::move(entry.held)});
    entry.held.clear();
  }
}

void NeighborCache::forget_port(std::uint16_t port, Effects& out) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (it->first.port != port) {
      ++it;
      continue;
    }
    discard(it->second, out);
    it = entries_.erase(it);
    changed_ = true;
  }
}

void NeighborCache::on_timer(const Key& key, Entry& entry, std::uint64_t now_ms, Effects& out) {
  switch (entry.state) {
    case State::incomplete:
    case State::probe:
      if (entry.asked < (entry.state == State::probe ? kProbes : kFirstQuestions)) {
        ask(key, entry, now_ms, out);
      } else {
        discard(entry, out);
        enter(entry, State::failed, now_ms);
      }
      return;
    case State::reachable:
      enter(entry, State::stale, now_ms);
      return;
    case State::stale:
    case State::failed:
      return;  // forgotten by the caller
  }
}

void NeighborCache::tick(std::uint64_t now_ms, Effects& out) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    Entry& entry = it->second;
    if (now_ms < entry.next_ms) {
      ++it;
    } else if (entry.state == State::stale || entry.state == State::failed) {
      it = entries_.erase(it);
      changed_ = true;
    } else {
      on_timer(it->first, entry, now_ms, out);
      ++it;
    }
  }
}

bool NeighborCache::take_changed() { return std::exchange(changed_, false); }

std::vector<NeighborTable::Entry> NeighborCache::table() const {
  std::vector<NeighborTable::Entry> out;
  for (const auto& [key, entry] : entries_) {
    if (entry.state == State::incomplete) continue;
    out.push_back({.address = key.address,
                   .port = key.port,
                   .mac = entry.mac,
                   .stale = entry.state == State::stale,
                   .failed = entry.state == State::failed,
                   .used = true});
  }
  return out;
}

std::vector<NeighborStatus> NeighborCache::status(std::uint64_t now_ms) const {
  static constexpr std::array kNames = {"incomplete", "reachable", "stale", "stale", "failed"};
  std::vector<NeighborStatus> out;
  for (const auto& [key, entry] : entries_) {
    std::array<char, 18> mac{};
    if (entry.state != State::incomplete) {
      std::snprintf(mac.data(), mac.size(), "%02x:%02x:%02x:%02x:%02x:%02x", entry.mac[0], entry.mac[1], entry.mac[2],
                    entry.mac[3], entry.mac[4], entry.mac[5]);
    }
    out.push_back({.port = std::to_string(key.port),
                   .address = key.address.str(),
                   .mac = mac.data(),
                   .state = kNames[static_cast<std::size_t>(entry.state)],
                   .age_s = now_ms > entry.since_ms ? (now_ms - entry.since_ms) / 1000 : 0});
  }
  return out;
}

std::optional<Mac> NeighborCache::mac(std::uint16_t port, const conf::IpAddress& address) const {
  const auto it = entries_.find(Key{port, address});
  if (it == entries_.end() || it->second.state == State::incomplete || it->second.state == State::failed)
    return std::nullopt;
  return it->second.mac;
}

}  // namespace causeway::dataplane

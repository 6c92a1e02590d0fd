// A data path without packets: keeps the SAs it is given, acknowledges them a little later, and hands IKE
// datagrams to a wire that loses, repeats, delays and damages them as its seed says.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "crypto/random.h"
#include "dataplane/dataplane.h"

namespace causeway::control::test {

struct WireFaults {  // in percent
  std::uint32_t lose = 0, repeat = 0, damage = 0;
  std::uint32_t least_delay = 5, most_delay = 5;  // ms; a spread reorders
};

class FakeDataplane;

class Wire {
 public:
  explicit Wire(std::uint64_t seed, WireFaults faults = {}) : random_(seed), faults(faults) {}
  void attach(const conf::IpAddress& address, FakeDataplane& plane) { planes_[address] = &plane; }
  void carry(dataplane::Milliseconds now, dataplane::IkeDatagram datagram);
  void deliver(dataplane::Milliseconds now);
  std::uint64_t carried = 0;
  dataplane::IkeDatagram last;  // of those carried

 private:
  crypto::SeededRandom random_;
  std::multimap<dataplane::Milliseconds, dataplane::IkeDatagram> under_way_;
  std::map<conf::IpAddress, FakeDataplane*> planes_;

 public:
  WireFaults faults;
};

class FakeDataplane final : public dataplane::Dataplane {
 public:
  using Milliseconds = dataplane::Milliseconds;
  dataplane::TableSpec table;  // as last published
  FakeDataplane(Wire& wire, std::uint32_t first_spi, Milliseconds install_delay = Milliseconds(3))
      : wire_(wire), install_delay_(install_delay), next_spi_(first_spi) {}

  void poll(Milliseconds now, const std::function<void(dataplane::Event&&)>& sink) override {
    now_ = now;
    for (auto due = events_.begin(); due != events_.end() && due->first <= now; due = events_.erase(due)) {
      if (const auto* done = std::get_if<dataplane::Installed>(&due->second);
          done != nullptr && done->direction == dataplane::Direction::inbound) {
        receiving.insert(done->spi);
      }
      ready_.push_back(std::move(due->second));
    }
    while (!ready_.empty()) {
      dataplane::Event event = std::move(ready_.front());
      ready_.pop_front();
      sink(std::move(event));
    }
  }
  int event_fd() const override { return -1; }

  std::uint32_t allocate_spi(std::uint32_t, std::uint16_t) override {
    allocated.insert(next_spi_);
    return next_spi_++;
  }
  void release_spi(std::uint32_t spi) override { allocated.erase(spi); }
  void install(dataplane::SaSpec spec, std::uint64_t token) override {
    const auto direction = spec.direction;
    const auto spi = spec.spi;
    if (direction == dataplane::Direction::inbound) {
      inbound.insert_or_assign(spi, std::move(spec));
    } else {
      auto& slot = outbound[spec.child];  // newest last: the one in use
      std::erase_if(slot, [&](const dataplane::SaSpec& s) { return s.spi == spi; });
      slot.push_back(std::move(spec));
    }
    events_.emplace(now_ + install_delay_, dataplane::Installed{direction, spi, token, true, ""});
  }
  void remove(dataplane::Direction direction, std::uint32_t spi, dataplane::ChildSlot child) override {
    if (direction == dataplane::Direction::inbound) {
      inbound.erase(spi);
      receiving.erase(spi);
      allocated.erase(spi);
    } else {
      auto& slot = outbound[child];
      std::erase_if(slot, [&](const dataplane::SaSpec& s) { return s.spi == spi; });
      if (slot.empty()) outbound.erase(child);
    }
  }
  void update_endpoints(std::uint32_t, dataplane::ChildSlot, conf::Endpoint, conf::Endpoint) override {}
  tl::expected<void, std::string> publish(const dataplane::TableSpec& spec) override {
    table = spec;
    return {};
  }
  void send(const conf::Endpoint& local, const conf::Endpoint& remote, bool natt,
            std::span<const std::uint8_t> message) override {
    ++sent;
    wire_.carry(now_, {remote, local, natt, {message.begin(), message.end()}});
  }
  void send_keepalive(const conf::Endpoint&, const conf::Endpoint&) override {}
  std::optional<dataplane::SaCounters> counters(dataplane::Direction direction, std::uint32_t spi,
                                                dataplane::ChildSlot) const override {
    const auto found = counted.find({direction, spi});
    return found == counted.end() ? dataplane::SaCounters{} : found->second;
  }
  std::map<std::string, std::uint64_t> drops() const override { return {}; }
  std::map<std::string, std::uint64_t> treated() const override { return {}; }
  std::vector<dataplane::PortStatus> ports() const override { return {}; }
  std::vector<dataplane::WorkerStatus> workers() const override { return {}; }
  std::vector<dataplane::NeighborStatus> neighbors() const override { return {}; }
  std::vector<dataplane::CryptoStatus> crypto() const override { return {}; }
  std::vector<dataplane::PoolStatus> pools() const override { return {}; }
  std::vector<dataplane::RuleStatus> rules() const override { return {}; }
  std::uint32_t effective_mtu(std::uint32_t, dataplane::ChildSlot) const override { return 1400; }

  void arrive(dataplane::Event event) { ready_.push_back(std::move(event)); }

  // What a packet for the child would be sent with; nullptr: dropped for want of an SA.
  // `resource`: by a worker that may have an SA of its own.
  [[nodiscard]] const dataplane::SaSpec* sends_with(dataplane::ChildSlot child, std::uint16_t resource = 0) const {
    const auto slot = outbound.find(child);
    if (slot == outbound.end()) return nullptr;
    const auto own = std::find_if(slot->second.rbegin(), slot->second.rend(),
                                  [&](const dataplane::SaSpec& s) { return s.resource == resource; });
    if (own != slot->second.rend()) return &*own;
    return resource == 0 ? nullptr : sends_with(child);
  }
  // Whether a packet sent with `spec` would be taken here.
  [[nodiscard]] bool takes(const dataplane::SaSpec& spec) const {
    const auto sa = inbound.find(spec.spi);
    return sa != inbound.end() && receiving.contains(spec.spi) && sa->second.suite == spec.suite &&
           sa->second.encryption_key == spec.encryption_key && sa->second.integrity_key == spec.integrity_key;
  }
  [[nodiscard]] bool empty() const { return inbound.empty() && outbound.empty() && allocated.empty(); }

  std::uint64_t sent = 0;  // IKE messages
  std::map<std::pair<dataplane::Direction, std::uint32_t>, dataplane::SaCounters> counted;  // set by tests
  std::map<std::uint32_t, dataplane::SaSpec> inbound;
  std::set<std::uint32_t> receiving;  // inbound, and acknowledged
  std::map<dataplane::ChildSlot, std::vector<dataplane::SaSpec>> outbound;
  std::set<std::uint32_t> allocated;

 private:
  Wire& wire_;
  Milliseconds now_{0};
  Milliseconds install_delay_;
  std::uint32_t next_spi_;
  std::multimap<Milliseconds, dataplane::Event> events_;
  std::deque<dataplane::Event> ready_;
};

inline void Wire::carry(dataplane::Milliseconds now, dataplane::IkeDatagram datagram) {
  ++carried;
  last = datagram;
  if (random_.below(100) < faults.lose) return;
  const auto copies = random_.below(100) < faults.repeat ? 2U : 1U;
  for (std::uint32_t i = 0; i < copies; ++i) {
    dataplane::IkeDatagram copy = datagram;
    if (random_.below(100) < faults.damage && !copy.bytes.empty()) {
      copy.bytes[random_.below(static_cast<std::uint32_t>(copy.bytes.size()))] ^=
          static_cast<std::uint8_t>(1U << random_.below(8));
    }
    const auto delay = faults.least_delay + random_.below(faults.most_delay - faults.least_delay + 1);
    under_way_.emplace(now + dataplane::Milliseconds(delay), std::move(copy));
  }
}

inline void Wire::deliver(dataplane::Milliseconds now) {
  while (!under_way_.empty() && under_way_.begin()->first <= now) {
    auto node = under_way_.extract(under_way_.begin());
    const auto to = planes_.find(node.mapped().local.address);
    if (to != planes_.end()) to->second->arrive(std::move(node.mapped()));
  }
}

}  // namespace causeway::control::test

// What control/ is tested with: IKE SAs that do what the test tells them, and an environment without
// chance.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/gateway.h"

namespace causeway::control::test {

using namespace std::chrono_literals;

inline conf::IpAddress ip(const char* text) { return *conf::IpAddress::parse(text); }
inline conf::Selector net(const char* text) { return conf::Selector::of(*conf::Prefix::parse(text)); }

class FakeEnvironment final : public ike::Environment {
 public:
  explicit FakeEnvironment(std::uint64_t seed = 1) : random_(seed) {}
  crypto::Random& random() override { return random_; }
  std::uint32_t allocate_spi(ike::TunnelId, ike::Resource) override { return next_spi++; }
  void release_spi(std::uint32_t) override {}
  std::chrono::sys_seconds wall_time() override { return {}; }
  ike::ChildSlot allocate_slot() override { return next_slot++; }
  std::uint32_t next_spi = 0x1000;
  ike::ChildSlot next_slot = 1000;

 private:
  crypto::SeededRandom random_;
};

class FakeIke;
using FakeIkes = std::vector<FakeIke*>;  // those alive, oldest first; the tunnel owns them

class FakeIke final : public ike::IkeSa {
 public:
  FakeIke(FakeIkes& alive, std::uint64_t spi, PeerSettingsPtr peer, bool initiator, std::uint64_t spi_initiator)
      : alive_(alive), spi_(spi), peer(std::move(peer)), tunnel_id(this->peer->tunnel) {
    state.initiator = initiator;
    state.spi_initiator = spi_initiator;
    if (this->peer->remote) state.remote = *this->peer->remote;
    alive_.push_back(this);
  }
  ~FakeIke() override { std::erase(alive_, this); }

  void start(ike::ChildSlot child, Time, ike::Effects& out) override {
    calls.push_back("start " + std::to_string(child));
    out.push_back(ike::Send{peer->local, *peer->remote, {1, 2, 3}});
  }
  void receive(const ike::Datagram&, Time, ike::Effects& out) override { give(out); }
  void tick(Time now, ike::Effects& out) override {
    if (!when || now < *when) return;
    when.reset();
    give(out);
  }
  std::optional<Time> deadline() const override { return when; }
  void create_child(ike::ChildSlot child, Time, ike::Effects& out) override { call("create", child, out); }
  void close_child(ike::ChildSlot child, Time, ike::Effects& out) override { call("close", child, out); }
  void rekey_child(ike::ChildSlot child, Time, ike::Effects& out) override { call("rekey", child, out); }
  void rekey_ike(Time, ike::Effects&) override { calls.push_back("rekey ike"); }
  void close(Time, ike::Effects& out) override {
    calls.push_back("close");
    if (closes_at_once) out.push_back(ike::IkeClosed{{ike::Cause::closed_by_us, "closed by us", "", "", {}}});
  }
  void esp_received(std::uint32_t /*spi_in*/, Time at) override { alive_at = at; }
  void check_liveness(Time now, ike::Effects& /*out*/) override { asked_at = now; }
  void not_alone() override { told_not_alone = true; }
  void peer_moved(const conf::Endpoint& from, Time, ike::Effects&) override { calls.push_back("moved " + from.str()); }
  ike::TunnelId tunnel() const override { return tunnel_id; }
  std::uint64_t local_spi() const override { return spi_; }
  bool owns_reply_to(std::uint64_t, const conf::Endpoint&) const override { return false; }
  ike::IkeStatus status() const override { return state; }

 private:
  void call(const char* what, ike::ChildSlot child, ike::Effects& out) {
    calls.push_back(std::string(what) + " " + std::to_string(child));
    give(out);
  }
  void give(ike::Effects& out) {
    for (auto& e : pending) out.push_back(std::move(e));
    pending.clear();
  }
  FakeIkes& alive_;
  std::uint64_t spi_;

 public:
  PeerSettingsPtr peer;
  ike::TunnelId tunnel_id;
  ike::IkeStatus state;
  ike::Effects pending;      // given out at the next receive(), due tick() or child call
  std::optional<Time> when;  // deadline
  bool closes_at_once = true;
  std::optional<Time> alive_at, asked_at;
  bool told_not_alone = false;
  std::vector<std::string> calls;
};

// Makes FakeIkes; `alive` is how the test reaches them.
struct FakeEngine {
  FakeIkes alive;
  std::uint64_t next_spi = 100;
  bool accepts = true;
  bool first_contact = false;               // of the last initiated
  std::size_t asked = 0;                    // calls of accept
  std::vector<PeerSettingsPtr> candidates;  // of the last

  Engine engine() {
    return {[this](PeerSettingsPtr peer, ike::Environment&, bool first) {
              first_contact = first;
              const std::uint64_t spi = next_spi++;
              return std::make_unique<FakeIke>(alive, spi, std::move(peer), true, spi);
            },
            [this](const ike::Datagram& request, std::span<const PeerSettingsPtr> allowed, ike::Environment&, Time,
                   ike::Effects& out) -> std::unique_ptr<ike::IkeSa> {
              ++asked;
              candidates.assign(allowed.begin(), allowed.end());
              if (!accepts) return nullptr;
              out.push_back(ike::Send{request.local, request.remote, {4, 5, 6}});
              return std::make_unique<FakeIke>(alive, next_spi++, allowed.front(), false, 7);
            }};
  }
};

inline std::shared_ptr<ike::PeerSettings> settings(conf::Start start = conf::Start::now, ike::TunnelId id = 0,
                                                   const char* remote = "203.0.113.2") {
  auto s = std::make_shared<ike::PeerSettings>();
  s->tunnel = id;
  s->config.name = "site" + std::to_string(id);
  s->config.start = start;
  s->config.remote = remote;
  s->local = {ip("198.51.100.2"), 500};
  if (const auto a = conf::IpAddress::parse(remote)) s->remote = conf::Endpoint{*a, 500};
  s->children = {{id * 10, s->config.name, {{net("10.1.0.0/16")}, {net("10.2.0.0/16")}}}};
  return s;
}

inline std::shared_ptr<const ike::ChildSa> child_sa(const ike::PeerSettings& s, std::uint32_t spi_in,
                                                    ike::ChildSlot slot) {
  auto sa = std::make_shared<ike::ChildSa>();
  sa->tunnel = s.tunnel;
  sa->child = slot;
  sa->spi_in = spi_in;
  sa->spi_out = spi_in + 0x100000;
  sa->suite = {crypto::Encryption::aes_gcm_16, 256, crypto::Integrity::none, false};
  sa->selectors = s.children.front().selectors;
  for (const auto& child : s.children) {
    if (child.slot == slot) sa->selectors = child.selectors;
  }
  return sa;
}

// What an IKE SA gives out when it gets established with a child.
inline ike::Effects come_up(const ike::PeerSettings& s, std::uint32_t spi_in, bool with_ike = true, int child = 0) {
  auto sa = child_sa(s, spi_in, s.children[static_cast<std::size_t>(child)].slot);
  ike::Effects e;
  e.push_back(ike::InstallInbound{sa});
  e.push_back(ike::UseOutbound{sa});
  if (with_ike) e.push_back(ike::IkeEstablished{});
  e.push_back(ike::ChildEstablished{sa, false});
  return e;
}

inline ike::Effects end(ike::Cause cause, std::string text, std::vector<std::string> candidates = {}) {
  ike::Effects e;
  e.push_back(ike::IkeClosed{{cause, std::move(text), "", "", std::move(candidates)}});
  return e;
}

template <class T>
std::vector<T> all(const Actions& actions) {
  std::vector<T> found;
  for (const Action& a : actions) {
    if (const auto* t = std::get_if<T>(&a.what)) found.push_back(*t);
  }
  return found;
}

}  // namespace causeway::control::test

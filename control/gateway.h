// All tunnels behind one door: finds the IKE SA that a datagram belongs to, admits first messages, and
// passes every other event to the tunnel it concerns. Pure: events and the time in, actions out.
//
// A first message from an address that no tunnel allows is dropped before anything of it is parsed but
// the fixed header. Half-open IKE SAs (a responder's, not yet authenticated) are bounded, in total and by
// source address, so that nobody can fill memory without a key.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/action.h"
#include "control/engine.h"
#include "control/tunnel.h"

namespace causeway::control {

struct HalfOpenLimits {
  std::size_t total = 1024;
  std::size_t per_address = 32;
};

struct GatewayCounters {
  std::uint64_t malformed = 0;        // no IKE header, or of another version's
  std::uint64_t unknown_spi = 0;      // for an IKE SA that is not ours, or no longer
  std::uint64_t unknown_peer = 0;     // a first message from an address no tunnel allows
  std::uint64_t half_open_limit = 0;  // a first message beyond the bounds
};

class Gateway {
 public:
  // `environment` outlives the gateway. `settings`: one for each tunnel, TunnelId = its index.
  Gateway(std::vector<PeerSettingsPtr> settings, ike::Environment& environment, Engine engine,
          HalfOpenLimits limits = {});

  void begin(Time now, Actions& out);
  void receive(const ike::Datagram& datagram, Time now, Actions& out);
  void tick(Time now, Actions& out);  // cheap where nothing is due
  [[nodiscard]] std::optional<Time> deadline() const;

  void up(ike::TunnelId tunnel, Time now, Actions& out);
  void down(ike::TunnelId tunnel, Time now, Actions& out);
  void rekey_child(ike::TunnelId tunnel, std::string_view child, Time now, Actions& out);
  void rekey_ike(ike::TunnelId tunnel, Time now, Actions& out);
  void down_all(Time now, Actions& out);  // the daemon ends
  [[nodiscard]] bool idle() const;        // no IKE SA is left

  void wanted(ike::TunnelId tunnel, ike::ChildSlot child, Time now, Actions& out);
  void resolved(ike::TunnelId tunnel, const std::optional<conf::IpAddress>& address, const std::string& error, Time now,
                Actions& out);
  void limit_reached(ike::TunnelId tunnel, std::uint32_t spi, ike::ChildSlot child, bool hard, Time now, Actions& out);
  void install_failed(ike::TunnelId tunnel, std::uint32_t spi, ike::ChildSlot child, const std::string& why, Time now,
                      Actions& out);
  void peer_moved(ike::TunnelId tunnel, std::uint32_t spi_in, const conf::Endpoint& from, Time now, Actions& out);
  // `peer`: to whom the packet went that the error quotes.
  void icmp_error(const conf::IpAddress& peer, const std::string& text, Time now);
  void esp_received(ike::TunnelId tunnel, std::uint32_t spi_in, Time when);

  [[nodiscard]] const std::vector<std::unique_ptr<Tunnel>>& tunnels() const { return tunnels_; }
  [[nodiscard]] std::optional<ike::TunnelId> find(std::string_view name) const;
  [[nodiscard]] std::size_t ike_sas() const { return index_.size(); }
  [[nodiscard]] std::size_t half_open() const { return half_open_.size(); }
  [[nodiscard]] const GatewayCounters& counters() const { return counters_; }

 private:
  using FirstMessage = std::pair<std::uint64_t, conf::Endpoint>;  // the initiator's SPI and where it came from

  // What is known of an IKE SA without asking its tunnel.
  struct Entry {
    ike::TunnelId tunnel = 0;
    std::optional<FirstMessage> first;  // we answered: its first message may come again
  };

  void admit(const ike::Datagram& datagram, std::uint64_t initiator_spi, int version, Time now, Actions& out);
  void deliver(std::uint64_t local_spi, const ike::Datagram& datagram, Time now, Actions& out);
  [[nodiscard]] std::vector<PeerSettingsPtr> candidates(const ike::Datagram& datagram, int version) const;
  // After anything that may have changed a tunnel: its place in the index and its next deadline.
  void refresh(ike::TunnelId id);
  [[nodiscard]] Tunnel* at(ike::TunnelId id);

  ike::Environment& environment_;
  Engine engine_;
  HalfOpenLimits limits_;
  std::vector<std::unique_ptr<Tunnel>> tunnels_;
  std::unordered_map<std::uint64_t, Entry> index_;        // by local SPI
  std::vector<std::vector<std::uint64_t>> indexed_;       // by tunnel: its SPIs in index_
  std::map<FirstMessage, std::uint64_t> first_messages_;  // -> local SPI
  std::map<std::uint64_t, conf::IpAddress> half_open_;    // local SPI -> from where
  std::map<conf::IpAddress, std::size_t> half_open_by_address_;
  std::set<std::pair<Time, ike::TunnelId>> deadlines_;
  std::vector<std::optional<Time>> deadline_of_;  // by tunnel: its place in deadlines_
  GatewayCounters counters_;
};

}  // namespace causeway::control

// All tunnels behind one door: finds the IKE SA that a datagram belongs to, admits first messages, and
// passes every other event to the tunnel it concerns. Pure: events and the time in, actions out.
//
// A first message from an address that no tunnel allows is dropped before anything of it is parsed but
// the fixed header. Half-open IKE SAs (a responder's, not yet authenticated) are bounded, so that nobody can fill
// memory or make us compute without a key. A sender that has not shown that it receives at its address shares one
// small bound with all others of its kind; beyond it, it is asked for a cookie and nothing is kept (RFC 7296 2.6).
// Bounds by source address count proven senders alone: nobody can use up another's by its address.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/action.h"
#include "control/engine.h"
#include "control/tunnel.h"
#include "dataplane/token_bucket.h"

namespace causeway::control {

struct HalfOpenLimits {
  std::size_t total = 1024;
  std::size_t unproven = 32;     // of these, begun without a cookie
  std::size_t per_address = 32;  // of these, begun by one address with one; more where more tunnels are with it
};

struct GatewayCounters {
  std::uint64_t malformed = 0;        // no IKE header, or of another version's
  std::uint64_t unknown_spi = 0;      // for an IKE SA that is not ours, or no longer
  std::uint64_t unknown_peer = 0;     // a first message from an address no tunnel allows
  std::uint64_t half_open_limit = 0;  // a first message beyond the bounds
  std::uint64_t cookies_asked = 0;    // a first message answered with a cookie, nothing kept
  std::uint64_t role_dropped = 0;     // a first message for a tunnel with role = initiator
};

class Gateway {
 public:
  // `environment` outlives the gateway. `settings`: one for each tunnel, TunnelId = its index.
  Gateway(std::vector<PeerSettingsPtr> settings, ike::Environment& environment, Engine engine,
          HalfOpenLimits limits = {});

  void begin(Time now, Actions& out);
  void receive(const ike::Datagram& datagram, Time now, Actions& out);
  // Whose message this is, before anything is done about it.
  enum class Standing : std::uint8_t { established, half_open, first };
  [[nodiscard]] Standing standing(std::span<const std::uint8_t> message) const;
  // Cheap where nothing is due. When `enough` says so, what is due still is left for the next time.
  void tick(Time now, Actions& out, const std::function<bool()>& enough = nullptr);
  [[nodiscard]] std::optional<Time> deadline() const;

  void up(ike::TunnelId tunnel, Time now, Actions& out);
  void down(ike::TunnelId tunnel, Time now, Actions& out);
  void rekey_child(ike::TunnelId tunnel, std::string_view child, Time now, Actions& out);
  void rekey_ike(ike::TunnelId tunnel, Time now, Actions& out);
  void down_all(Time now, Actions& out);  // the daemon ends
  [[nodiscard]] bool idle() const;        // no IKE SA is left

  void wanted(ike::TunnelId tunnel, ike::ChildSlot child, const conf::SelectorSet& packet, Time now, Actions& out);
  void resolved(ike::TunnelId tunnel, const std::optional<conf::IpAddress>& address, const std::string& error, Time now,
                Actions& out);
  void limit_reached(ike::TunnelId tunnel, std::uint32_t spi, ike::ChildSlot child, bool hard, Time now, Actions& out);
  void install_failed(ike::TunnelId tunnel, std::uint32_t spi, ike::ChildSlot child, const std::string& why, Time now,
                      Actions& out);
  void peer_moved(ike::TunnelId tunnel, std::uint32_t spi_in, const conf::Endpoint& from, Time now, Actions& out);
  void esp_elsewhere(ike::TunnelId tunnel, std::uint32_t spi_in, const conf::IpAddress& from, Time now, Actions& out);
  // `peer`: to whom the packet went that the error quotes.
  void unknown_esp(const conf::IpAddress& peer, Time now);  // ESP for SAs that are not ours came from there
  void icmp_error(const conf::IpAddress& peer, const std::string& text, Time now);
  // For IKE SAs that begin from now on.
  void renew_credentials(ike::TunnelId tunnel, std::shared_ptr<const crypto::Credential> own,
                         std::shared_ptr<const crypto::TrustStore> trust);
  void esp_received(ike::TunnelId tunnel, std::uint32_t spi_in, Time when);
  void traffic(ike::TunnelId tunnel, std::uint64_t packets_in, std::uint64_t packets_out, Time now, Actions& out);

  [[nodiscard]] const std::vector<std::unique_ptr<Tunnel>>& tunnels() const { return tunnels_; }
  [[nodiscard]] std::optional<ike::TunnelId> find(std::string_view name) const;
  [[nodiscard]] std::size_t ike_sas() const { return index_.size(); }
  [[nodiscard]] std::size_t half_open() const { return half_open_.size(); }
  [[nodiscard]] const GatewayCounters& counters() const { return counters_; }

 private:
  // The initiator's SPI, where it came from, and what it says: a message that somebody forged with the SPI of
  // another's does not stand in that one's way.
  struct FirstMessage {
    std::uint64_t spi = 0;
    conf::Endpoint from;
    std::array<std::uint8_t, 16> digest{};
    auto operator<=>(const FirstMessage&) const = default;
  };
  static FirstMessage first_message(std::uint64_t initiator_spi, const ike::Datagram& datagram);

  // What is known of an IKE SA without asking its tunnel.
  struct Entry {
    ike::TunnelId tunnel = 0;
    std::optional<FirstMessage> first;  // we answered: its first message may come again
  };

  void begin_more(Time now, Actions& out, const std::function<bool()>& enough = nullptr);
  void admit(const ike::Datagram& datagram, std::uint64_t initiator_spi, int version, Time now, Actions& out);
  // A peer began what `role = "initiator"` leaves to us: dropped, counted, and its tunnel looks whether it lives.
  bool knock(const ike::Datagram& datagram, int version, Time now, Actions& out);
  // IKEv1's aggressive mode costs a key exchange before anything is proven: so many a second and no more.
  bool admits_aggressive(const ike::Datagram& datagram, Time now);
  void deliver(std::uint64_t local_spi, const ike::Datagram& datagram, Time now, Actions& out);
  [[nodiscard]] bool admits(const ike::Datagram& datagram, bool proven, std::size_t tunnels, int version, Time now);
  void open_half(std::uint64_t local_spi, const conf::IpAddress& from, bool proven);
  void close_half(std::uint64_t local_spi);
  void index_remote(ike::TunnelId id);
  void other_version_began(const ike::Datagram& datagram, int version, Time now, Actions& out);
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
  struct HalfOpen {
    conf::IpAddress from;
    bool proven = false;
  };
  struct Source {  // an address that has proven itself
    std::size_t half_open = 0;
    dataplane::TokenBucket begun;
  };
  std::map<std::uint64_t, HalfOpen> half_open_;  // by local SPI
  std::size_t unproven_ = 0;                     // of these
  dataplane::TokenBucket unproven_rate_;
  std::map<conf::IpAddress, Source> sources_;
  std::map<conf::IpAddress, std::set<ike::TunnelId>> by_remote_;  // tunnels whose peer has this address
  std::vector<std::optional<conf::IpAddress>> remote_of_;         // by tunnel: its place in by_remote_
  std::set<ike::TunnelId> any_remote_;
  std::set<std::pair<Time, ike::TunnelId>> deadlines_;
  std::vector<std::optional<Time>> deadline_of_;    // by tunnel: its place in deadlines_
  dataplane::TokenBucket aggressive_rate_{10, 20};  // a second, and at once
  std::deque<ike::TunnelId> to_begin_;  // those that connect by themselves, until their turn comes
  std::vector<ike::TunnelId> beginning_;
  GatewayCounters counters_;
};

}  // namespace causeway::control

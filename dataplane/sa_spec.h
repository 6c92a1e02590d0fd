// What the control thread tells the data path about SAs, policies and routes: plain data, no DPDK.
// The data path builds its own hot structures from it (sa.h, policy.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "conf/address.h"
#include "conf/packet_policy.h"
#include "crypto/algorithms.h"
#include "crypto/secrets.h"

namespace causeway::dataplane {

using TunnelId = std::uint32_t;  // index of the tunnel in the running configuration, stable across reloads
using ChildSlot = std::uint32_t; // names a child across its rekeys; control gives it out; < kMaxChildSlots
inline constexpr ChildSlot kMaxChildSlots = 65536;

enum class Direction : std::uint8_t { inbound, outbound };

// One unidirectional ESP SA (RFC 4301 4.4.2.1), tunnel mode.
struct SaSpec {
  Direction direction = Direction::inbound;
  TunnelId tunnel = 0;
  ChildSlot child = 0;
  std::uint32_t spi = 0;  // inbound: ours, from SpiAllocator; outbound: the peer's. Host order
  crypto::EspSuite suite;
  crypto::Secret encryption_key;  // cipher key followed by the salt, if the cipher has one
  crypto::Secret integrity_key;   // empty for an AEAD
  conf::SelectorSet selectors;    // local = ours, remote = the peer's, in both directions
  conf::Endpoint local, remote;   // outer addresses; ports count where udp_encap is set (RFC 3948)
  bool udp_encap = false;         // how we send; inbound accepts both forms always
  bool report_peer_moves = false; // peer behind NAT and we are not: see PeerMoved
  std::uint32_t replay_window = 2048;  // packets; 0 turns the check off (never by configuration)
  // Outbound only, octets of the whole outer IP packet; 0: the port's MTU
  std::uint16_t path_mtu = 0;
  std::uint16_t mtu = 0;  // configured inner MTU; 0: computed
  bool probe = false;     // find out what the path carries (path_probe.h)...
  std::optional<conf::IpAddress> probe_host;  // ...by this host behind the peer, else by one that is seen
  std::optional<conf::IpAddress> health_host;  // asked through this very tunnel whether it answers: see TunnelHealth
  std::optional<std::uint16_t> mss;  // unset: computed; 0: off
  conf::DfPolicy df = conf::DfPolicy::copy;
  conf::DscpPolicy dscp = conf::DscpPolicy::copy;
  std::uint8_t dscp_value = 0;
  bool ecn_compatibility = false;  // RFC 6040 4.3
  bool narrowed = false;           // `selectors` are less than the policy that leads here: each packet is held against them
  // Limits; 0: none. Soft ones are told once by an event, hard ones stop the SA.
  std::uint64_t soft_bytes = 0, hard_bytes = 0;
  std::uint64_t soft_packets = 0, hard_packets = 0;
  conf::Cores cores = conf::Cores::single;
  // RFC 9611: 0 for the SA that every worker may use, which is with the child's owner; else the SA of one worker alone,
  // so many behind the owner, which sends on it what it would hand to the owner. An inbound one is where its SPI says.
  std::uint16_t resource = 0;
};

// One line of the security policy database: what `selectors` cover goes to `child` (protect), or
// passes in clear (bypass), or is dropped (discard). First match in order among the candidates of the
// longest remote prefix. A protect rule whose child has no SA drops and counts (RFC 4301 5.1).
struct PolicySpec {
  enum class Action : std::uint8_t { protect, bypass, discard };
  Action action = Action::protect;
  TunnelId tunnel = 0;
  ChildSlot child = 0;
  conf::SelectorSet selectors;
  bool wake_on_traffic = false;  // a drop for want of an SA is told to control
  bool route_based = false;      // /0 remote: `selectors.remote` here are the tunnel's routes
};

struct RouteSpec {
  conf::Prefix to;
  std::optional<conf::IpAddress> via;  // unset: connected on `port`
  std::uint16_t port = 0;              // index into the configuration's ports
};

// One line of the stateless filter between ports and tunnels (rules.h).
struct RuleSpec {
  struct Place {
    enum class Kind : std::uint8_t { any, port, tunnel };
    Kind kind = Kind::any;
    std::uint32_t number = 0;  // of the port or tunnel
  };
  std::string name;  // counted under it
  bool permit = true;
  Place in, out;
  conf::Selector from, to;  // of one family
};
inline constexpr std::size_t kMaxRules = 1024;

// A network of ours that a tunnel's peer sees as another of the same size (translate.h).
struct TranslationSpec {
  TunnelId tunnel = 0;
  conf::Prefix real, seen;
};

// Everything a worker looks up per packet besides SAs. Immutable once published: swapped under RCU.
struct TableSpec {
  std::vector<PolicySpec> policies;
  std::vector<RouteSpec> routes;
  std::vector<RuleSpec> rules;
  std::vector<TranslationSpec> translations;
};

// Per-SA counters as read by the control thread; each written by the SA's owner alone.
struct SaCounters {
  std::uint64_t packets = 0, bytes = 0;  // bytes: inner IP octets
  std::uint64_t icv_failed = 0, replayed = 0, selector_mismatch = 0, too_big = 0, no_route = 0, no_neighbor = 0;
  // Packets that want an answer, and those that are one (questions.h). Our own probes are neither.
  std::uint64_t tcp_asked = 0, tcp_answered = 0, echo_asked = 0, echo_answered = 0;
  std::uint64_t own = 0;  // of the packets: our probes, and what came for this box
  std::uint64_t replay_distance = 0;     // how far behind the highest the worst replayed or late one was
  std::uint64_t sequence = 0;            // inbound: highest authenticated; outbound: last used
  std::uint64_t last_used_ms = 0;        // on the control thread's clock; 0: never

  SaCounters& operator+=(const SaCounters& other);  // of another replica of the same SA
};

}  // namespace causeway::dataplane

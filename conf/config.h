// The configuration as typed values with their defaults: what the loader makes of the file and every
// other room reads. Names are those of the configuration keys. Nothing here includes libconfig.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "conf/address.h"
#include "conf/packet_policy.h"

namespace causeway::conf {

using Seconds = std::chrono::seconds;

enum class AuthMethod : std::uint8_t { psk, cert };
enum class Role : std::uint8_t { both, initiator, responder };
enum class Start : std::uint8_t { now, traffic, wait };
enum class Encap : std::uint8_t { automatic, force };
enum class SelectorShape : std::uint8_t { joint, pairs };
enum class IkeMode : std::uint8_t { main, aggressive };

struct Port {
  std::string name;
  std::string device;  // PCI address "0000:3b:00.0" or vdev arguments "net_af_packet0,iface=wan0"
  std::vector<Prefix> addresses;  // own address with its network's length, host bits kept
  std::optional<IpAddress> gateway;
  std::optional<bool> trusted;  // unset: see Config::trusted(), which says why
  std::uint16_t mtu = 1500;     // octets of IP packet
  std::uint16_t vlan = 0;       // 802.1Q identifier; 0: untagged
  std::optional<bool> host;     // give own traffic to the kernel by a tap; unset: off
  int line = 0;                 // where it stands in the file, for messages
};

struct Route {
  Prefix to;
  IpAddress via;
  std::uint8_t distance = 1;
  int line = 0;
};

struct Dpd {
  Seconds idle{30};  // silence of the peer before it is asked; 0: never asked
  Seconds retry{5};  // first wait for an answer, growing by the retransmission rule
  int tries = 5;     // unanswered requests before the peer counts as dead
};

struct IkeSettings {
  int version = 2;
  IkeMode mode = IkeMode::main;
  std::vector<std::string> proposals{"aes256gcm16-prfsha384-ecp384", "aes256-sha256-modp2048"};
  Seconds lifetime{8 * 3600};
  bool reauth = false;
  Dpd dpd;
  bool fragment = true;
  bool port_4500_from_start = false;
  std::string ppk_id;
  std::string ppk_file;
  bool ppk_required = true;  // a peer without it is refused
};

struct EspSettings {
  std::vector<std::string> proposals{"aes256gcm16", "aes256-sha256"};
  bool pfs = true;  // a key exchange at each rekey of a child, with the IKE proposal's group where the peer has one too;
                    // a group named in a proposal is a must
  Seconds lifetime{3600};
  std::uint64_t bytes = 0;    // 0: no limit
  std::uint64_t packets = 0;  // 0: no limit
  std::uint32_t replay_window = 2048;  // packets, 32..8192 (a power of two is not required)
  bool esn = false;
};

struct Tunnel {
  std::string name;
  std::string cloud;  // profile name, empty: none
  std::string port;   // name of the port its outer packets use; empty: by route to `remote`
  std::optional<IpAddress> local;
  std::string remote;  // address, host name, or "any"
  std::string local_id;   // as written; empty: the local address
  std::string remote_id;  // as written; empty: the remote address; "any"
  AuthMethod auth = AuthMethod::psk;
  std::string psk_file, cert, key, ca, crl;
  Role role = Role::both;
  Start start = Start::now;
  Encap encap = Encap::automatic;
  std::vector<Selector> local_subnets;
  std::vector<Selector> remote_subnets;
  SelectorShape selectors = SelectorShape::joint;
  std::vector<Prefix> routes;  // what enters a route-based tunnel (remote 0.0.0.0/0)
  Cores cores = Cores::automatic;
  std::optional<std::uint16_t> mss;  // unset: computed; 0: do not clamp
  std::optional<std::uint16_t> mtu;
  DfPolicy df = DfPolicy::copy;
  DscpPolicy dscp = DscpPolicy::copy;
  std::uint8_t dscp_value = 0;
  EcnPolicy ecn = EcnPolicy::automatic;
  std::string group;
  int weight = 1;
  std::optional<Prefix> inside;
  bool child_follows_ike = false;
  bool legacy = false;
  bool probe = true;                    // find out what the path to the peer carries...
  std::optional<IpAddress> probe_host;  // ...by this host behind it; unset: one that is seen
  std::vector<std::pair<Prefix, Prefix>> translate;  // 1:1: real local prefix, prefix the peer sees
  IkeSettings ike;
  EspSettings esp;
  int line = 0;

  [[nodiscard]] bool remote_is_any() const { return remote == "any"; }
  [[nodiscard]] std::optional<IpAddress> remote_address() const { return IpAddress::parse(remote); }
  [[nodiscard]] bool route_based() const;  // a remote subnet of /0
};

enum class PolicyAction : std::uint8_t { bypass, discard };
struct Policy {
  std::string name;
  PolicyAction action = PolicyAction::bypass;
  Selector from, to;
  int line = 0;
};

struct Rule {  // stateless filter between ports and tunnels
  std::string name;
  bool permit = true;
  std::string in, out;  // port or tunnel names, empty: any
  Selector from, to;
  int line = 0;
};

struct CryptoChoice {  // (speed) pins an engine level and API for a suite
  std::string suite, level, api;
  int line = 0;
};

struct Config {
  std::string file;
  std::vector<int> workers{};  // cores; empty: one worker on the first core that is not the control thread's
  Polling polling = Polling::busy;
  std::string socket = "/run/causeway/causeway.sock";
  std::string state_dir = "/var/lib/causeway";
  std::optional<std::uint32_t> hugepages;  // MiB; unset: what the system offers; 0: run without
  std::string log = "info";
  std::string metrics;  // address and port where Prometheus asks; empty: nowhere
  std::vector<Port> ports;
  std::vector<Route> routes;
  std::vector<Tunnel> tunnels;
  std::vector<Policy> policies;
  std::vector<Rule> rules;
  std::vector<CryptoChoice> crypto;

  struct Trust {
    bool trusted;
    std::string why;  // "its gateway is set", "tunnel hangzhou leaves through it", ...
  };
  [[nodiscard]] Trust trusted(const Port& p) const;
  // The port a tunnel's outer packets leave through, or nullptr where no route leads to its remote.
  [[nodiscard]] const Port* port_of(const Tunnel& t) const;
  // The address a tunnel's outer packets carry: `local`, else the port's first of the right family.
  [[nodiscard]] std::optional<IpAddress> local_address(const Tunnel& t) const;
};

}  // namespace causeway::conf

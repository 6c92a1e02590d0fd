// The data path as the control thread sees it: one object that owns EAL, ports, workers and the rings
// between. Everything here is called by the control thread alone, which is the EAL main lcore.
// No DPDK type crosses this header.
//
// Messages transfer ownership: an SaSpec becomes an SA that belongs to a worker from install_*() on,
// and comes back as Retired when removed; keys are wiped then. Nothing here blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <variant>
#include <vector>

#include "crypto/esp_engine.h"
#include "dataplane/sa_spec.h"

namespace causeway::dataplane {

class StageClock;  // stage_clock.h

using Milliseconds = std::chrono::milliseconds;  // since an origin the control thread chose

// --- events, worker -> control -------------------------------------------------------------------

// The SA is in its owner's table: the peer may now be told to use it.
struct Installed {
  Direction direction;
  std::uint32_t spi;
  std::uint64_t token;  // as given to install()
  bool ok = true;       // false: the table was full or the suite is not available; `why` says it
  std::string why;
};
// The SA is out of every table, its memory wiped and freed. Final counters.
struct Retired {
  Direction direction;
  std::uint32_t spi;
  TunnelId tunnel;
  SaCounters counters;
};
// An IKE datagram addressed to us, without UDP header and without the non-ESP marker.
// `natt`: it came on 4500 behind the marker (RFC 3948 2.2).
struct IkeDatagram {
  conf::Endpoint local, remote;
  bool natt = false;
  std::vector<std::uint8_t> bytes;
};
// Traffic for a protected destination found no SA; sent at most once a second per child.
struct Wanted {
  TunnelId tunnel;
  ChildSlot child;
  conf::Selector source, destination;  // the packet's own, single addresses and ports
};
struct PeerMoved {  // an authenticated packet that advanced the window came from elsewhere (RFC 7296 2.23)
  TunnelId tunnel;
  std::uint32_t spi;
  conf::Endpoint from;
};
struct EspElsewhere {  // the same, and not the address that IKE had when the SA was made; once a second and SA while it lasts
  TunnelId tunnel;
  std::uint32_t spi;
  conf::IpAddress from;
};
struct LimitReached {
  Direction direction;
  std::uint32_t spi;
  TunnelId tunnel;
  ChildSlot child;
  bool hard = false;
};
// An ICMP error that quotes a packet of ours towards `quoted_remote` (evidence, never a cause).
struct IcmpError {
  conf::IpAddress from;
  conf::Endpoint quoted_remote;
  std::uint8_t type = 0, code = 0;
  std::uint16_t mtu = 0;  // fragmentation needed / packet too big
  std::uint32_t spi = 0;  // of a quoted ESP packet
};
struct UnknownEsp {  // the SPI is not ours, or no longer (evidence: anybody may send it); at most once a second and
                     // worker
  conf::IpAddress from;
  std::uint32_t spi;
};
// Samples for those who diagnose, a few a second of each worker at most.
struct Asked {  // a TCP SYN or an echo request left for a host behind the peer, or that host answered an echo
  TunnelId tunnel;
  conf::IpAddress host;
  std::uint16_t port = 0;  // 0: echo
  bool answered = false;
};
struct OutsideSelectors {  // decrypted, and not of its SA's networks
  TunnelId tunnel;
  conf::IpAddress source;
};
struct LinkChanged {
  std::uint16_t port;
  bool up;
};
struct PortReset {  // the device asked for a reset (RTE_ETH_EVENT_INTR_RESET)
  std::uint16_t port;
  std::string error;  // empty: it runs again; else it is tried again each second
};
struct TunnelHealth {  // whether SaSpec::health_host answers through the tunnel; told when it changes
  TunnelId tunnel;
  bool answers;
};
using Event = std::variant<Installed, Retired, IkeDatagram, Wanted, PeerMoved, EspElsewhere, LimitReached, IcmpError,
                           UnknownEsp, Asked, OutsideSelectors, LinkChanged, PortReset, TunnelHealth>;

// --- what operators see ---------------------------------------------------------------------------

struct PortStatus {
  std::string name, device, driver, mac;
  std::string host;  // the kernel's interface that shares own traffic; empty: none
  bool up = false, trusted = false;
  std::uint16_t mtu = 0, rx_queues = 0, tx_queues = 0;
  std::string steering;                // how packets are dealt to workers: "rss on ip udp tcp; 2 SPI rules"
  std::vector<std::string> fallbacks;  // "receive checksum: in software (the device has no offload)"
  std::map<std::string, std::uint64_t> counters;
  std::map<std::string, std::uint64_t> xstats;  // the driver's own, where they are not zero
};
struct WorkerStatus {
  unsigned core = 0;
  std::uint64_t rx = 0, tx = 0, handed_over = 0, polls = 0, idle_polls = 0;
  std::uint64_t lent = 0, taken_back = 0, helped = 0;  // batches: given to other workers to decrypt, taken back again,
                                                       // decrypted for others
  std::uint32_t sas_inbound = 0, sas_outbound = 0;
};
struct NeighborStatus {
  std::string port, address, mac, state;  // state: incomplete, reachable, stale, failed
  std::uint64_t age_s = 0;
};
struct CryptoStatus {  // what serves a suite in batches of up to so many packets, of so many octets on average at least
  std::string suite, level, api;
  std::uint32_t packets = 0, octets = 0;
};
struct PoolStatus {  // for leak tests and `--json counters`
  std::string name;
  std::uint32_t size = 0, in_use = 0;
};

struct RuleStatus {
  std::string name;
  bool permit = true;
  std::uint64_t packets = 0;  // that it decided about
};

// --- what it is started with: control makes it from the configuration ------------------------------

struct PortSetup {
  std::string name;
  std::string device;                   // PCI address, or vdev arguments
  std::vector<conf::Prefix> addresses;  // own addresses, host bits kept
  std::optional<conf::IpAddress> gateway;
  bool trusted = false;
  std::uint16_t mtu = 1500;
  std::uint16_t vlan = 0;
  bool host = false;
};
struct Setup {
  std::vector<int> cores;  // one worker each; empty: one worker on a core of its choice
  conf::Polling polling = conf::Polling::busy;
  std::optional<std::uint32_t> hugepages_mib;  // 0: run without
  std::string file_prefix;                     // unique per process (from the admin socket's path)
  std::vector<PortSetup> ports;
  TableSpec table;
  // Instead of what calibration finds; unset: as found.
  struct CryptoPin {
    crypto::EspSuite suite;
    std::optional<crypto::EspLevel> level;
    std::optional<crypto::EspApi> api;
  };
  std::vector<CryptoPin> crypto;
  std::vector<StageClock*> stage_clocks;  // by worker: for the bench; empty: none
};

struct StartError {
  std::string text;       // names the port or resource and the cure
  bool resources = true;  // exit code 3; else 1
};

class Dataplane {
 public:
  // Brings up EAL, ports and workers as the configuration says. Only one per process.
  static tl::expected<std::unique_ptr<Dataplane>, StartError> start(const Setup& setup);
  virtual ~Dataplane() = default;  // stops workers, retires every SA, closes ports

  // Drains every ring, runs ARP/ND and housekeeping, then hands events to `sink` in order.
  virtual void poll(Milliseconds now, const std::function<void(Event&&)>& sink) = 0;
  // Becomes readable when a worker has something for a control thread that sleeps in epoll.
  [[nodiscard]] virtual int event_fd() const = 0;

  // An inbound SPI whose bits name the owner (spi.h). 0: every slot is taken.
  // `affinity`: equal values share an owner (a tunnel keeps its bucket across rekeys). `resource`: see SaSpec.
  virtual std::uint32_t allocate_spi(std::uint32_t affinity, std::uint16_t resource = 0) = 0;
  virtual void release_spi(std::uint32_t spi) = 0;  // for one that was never installed

  // Inbound: the SPI table gets it. Outbound: becomes the SA its child slot sends on, and the one
  // before it stays installed until removed. `Installed` with `token` follows, in order.
  virtual void install(SaSpec spec, std::uint64_t token) = 0;
  virtual void remove(Direction direction, std::uint32_t spi, ChildSlot child) = 0;  // `Retired` follows
  virtual void update_endpoints(std::uint32_t spi_out, ChildSlot child, conf::Endpoint local,
                                conf::Endpoint remote) = 0;

  // The error is a sentence; nothing has changed then.
  virtual tl::expected<void, std::string> publish(const TableSpec& table) = 0;

  // Sends one UDP datagram from an own address; routed, resolved and fragmented here (RFC 791).
  // natt: put the non-ESP marker in front (RFC 3948 2.2). Owned copy is made.
  virtual void send(const conf::Endpoint& local, const conf::Endpoint& remote, bool natt,
                    std::span<const std::uint8_t> message) = 0;
  virtual void send_keepalive(const conf::Endpoint& local, const conf::Endpoint& remote) = 0;  // RFC 3948 2.3

  [[nodiscard]] virtual std::optional<SaCounters> counters(Direction direction, std::uint32_t spi,
                                                           ChildSlot child) const = 0;
  [[nodiscard]] virtual std::map<std::string, std::uint64_t> drops() const = 0;  // summed over workers, every name
  // What was done to packets that went on: fragmented, reassembled and the like. Summed over workers, every name.
  [[nodiscard]] virtual std::map<std::string, std::uint64_t> treated() const = 0;
  [[nodiscard]] virtual std::vector<PortStatus> ports() const = 0;
  [[nodiscard]] virtual std::vector<WorkerStatus> workers() const = 0;
  [[nodiscard]] virtual std::vector<NeighborStatus> neighbors() const = 0;
  [[nodiscard]] virtual std::vector<CryptoStatus> crypto() const = 0;
  [[nodiscard]] virtual std::vector<PoolStatus> pools() const = 0;
  [[nodiscard]] virtual std::vector<RuleStatus> rules() const = 0;
  [[nodiscard]] virtual std::uint32_t effective_mtu(std::uint32_t spi_out, ChildSlot child) const = 0;  // inner octets

  // What is known of the way to a peer, from asking a host behind it (path_probe.h).
  struct PathView {
    std::optional<conf::IpAddress> host;
    bool answered = false, silent = false;  // the last question was; or was not, three times
    std::uint16_t found = 0, most = 0;  // outer octets that pass, and that the port takes; found is 0 where not known
  };
  [[nodiscard]] virtual PathView path(std::uint32_t /*spi_out*/, ChildSlot /*child*/) const { return {}; }

  // One text per drop name, for counters, capture and diagnose.
  static std::string_view drop_text(std::string_view name);
};

}  // namespace causeway::dataplane

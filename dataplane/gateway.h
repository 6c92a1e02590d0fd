// The Dataplane that runs on DPDK: owns ports, pools, workers and rings, and does on the control
// thread what workers leave to it: ARP, waiting packets, our own datagrams.
//   gateway.cpp       start, stop, tables, what operators see
//   gateway_poll.cpp  rings from the workers
//   gateway_neighbors.cpp  ARP and neighbor discovery
//   gateway_sas.cpp   security associations: given to workers and taken back
//   gateway_mtu.cpp   what the paths to peers carry
//   gateway_ports.cpp devices: buffers, links, resets, steering
//   gateway_send.cpp  our own datagrams
//   gateway_probe.cpp  what paths carry that do not say so
//   gateway_host.cpp  own traffic shared with the kernel
#pragma once

#include <rte_malloc.h>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "crypto/esp_engine.h"
#include "crypto/random.h"
#include "dataplane/arp.h"
#include "dataplane/dataplane.h"
#include "dataplane/health_probe.h"
#include "dataplane/host_network.h"
#include "dataplane/host_tap.h"
#include "dataplane/mailbox.h"
#include "dataplane/neighbor.h"
#include "dataplane/path_mtu.h"
#include "dataplane/path_probe.h"
#include "dataplane/port.h"
#include "dataplane/sa.h"
#include "dataplane/spi.h"
#include "dataplane/worker.h"

namespace causeway::dataplane {

class Gateway final : public Dataplane {
 public:
  using Sink = std::function<void(Event&&)>;

  explicit Gateway(const Setup& setup) : setup_(setup) {}
  ~Gateway() override;
  tl::expected<void, StartError> bring_up();

  void poll(Milliseconds now, const Sink& sink) override;
  [[nodiscard]] int event_fd() const override { return events_ < 0 ? shared_.wake_up.fd : events_; }
  std::uint32_t allocate_spi(std::uint32_t affinity, std::uint16_t resource = 0) override;
  void release_spi(std::uint32_t spi) override;
  void install(SaSpec spec, std::uint64_t token) override;
  void remove(Direction direction, std::uint32_t spi, ChildSlot child) override;
  void update_endpoints(std::uint32_t spi_out, ChildSlot child, conf::Endpoint local, conf::Endpoint remote) override;
  tl::expected<void, std::string> publish(const TableSpec& table) override;
  void send(const conf::Endpoint& local, const conf::Endpoint& remote, bool natt,
            std::span<const std::uint8_t> message) override;
  void send_keepalive(const conf::Endpoint& local, const conf::Endpoint& remote) override;
  [[nodiscard]] std::optional<SaCounters> counters(Direction direction, std::uint32_t spi,
                                                   ChildSlot child) const override;
  [[nodiscard]] std::map<std::string, std::uint64_t> drops() const override;
  [[nodiscard]] std::map<std::string, std::uint64_t> treated() const override;
  [[nodiscard]] std::vector<PortStatus> ports() const override;
  [[nodiscard]] std::vector<WorkerStatus> workers() const override;
  [[nodiscard]] std::vector<NeighborStatus> neighbors() const override;
  [[nodiscard]] std::vector<CryptoStatus> crypto() const override;
  [[nodiscard]] std::vector<PoolStatus> pools() const override;
  [[nodiscard]] std::vector<RuleStatus> rules() const override;
  [[nodiscard]] std::uint32_t effective_mtu(std::uint32_t spi_out, ChildSlot child) const override;
  [[nodiscard]] PathView path(std::uint32_t spi_out, ChildSlot child) const override;

 private:
  struct PoolFree {
    void operator()(rte_mempool* p) const { rte_mempool_free(p); }
  };
  struct RteFree {
    void operator()(void* p) const { rte_free(p); }
  };
  struct OldTables {  // that a worker may still be reading
    std::uint64_t token;
    std::unique_ptr<const Tables> tables;
  };

  // SAs that workers have, had or are about to get; here until their Retired.
  struct SaKey {
    Direction direction;
    std::uint32_t spi;
    ChildSlot child;  // 0 for inbound ones, whose SPI is enough
    auto operator<=>(const SaKey&) const = default;
  };
  struct SaRecord {
    TunnelId tunnel = 0;
    ChildSlot child = 0;
    std::uint16_t worker = 0;  // its owner; of a spread SA, which every worker has a replica of, the first of them
    InboundSaPtr inbound;
    std::vector<OutboundSaPtr> outbound;       // one; of a spread SA one for each worker
    std::unique_ptr<SharedSequence> shared;    // of a spread SA
    std::size_t installing = 0, retiring = 0;  // reports that are still to come
    std::uint64_t soft_bytes = 0, hard_bytes = 0, soft_packets = 0, hard_packets = 0;  // 0: none
    bool soft_told = false, hard_told = false, removing = false;
    // Outbound: where it sends, and what its packets take.
    conf::Endpoint local = {}, remote = {};
    bool udp_encap = false;
    EspSizes sizes = {};
    std::uint16_t configured_mtu = 0, fixed_path_mtu = 0;  // 0: by the inner packet; by the path
    std::uint32_t mtu = 0;                                 // effective, inner octets
    bool probe = false;                                    // see SaSpec
    std::optional<conf::IpAddress> probe_host = {};
    struct Health {  // see SaSpec::health_host
      conf::IpAddress host;
      conf::SelectorSet selectors;
    };
    std::optional<Health> health = {};
    [[nodiscard]] SaCounters counters() const;  // summed over replicas
    std::uint64_t packets_seen = 0;             // inbound: when its rate was last looked at
    bool steered = false;
  };

  // gateway.cpp
  tl::expected<void, StartError> open_devices();
  tl::expected<void, StartError> start_workers();
  WorkerSetup worker_setup(std::uint16_t w);
  void stop_workers();
  void drain_rings();
  tl::expected<std::vector<std::uint16_t>, std::string> slots_of(std::span<const RuleSpec> rules);
  void swap_tables(Tables tables);
  [[nodiscard]] std::uint16_t owner_of(TunnelId tunnel) const;
  [[nodiscard]] std::uint16_t worker_of(TunnelId tunnel, std::uint16_t resource) const;

  // gateway_poll.cpp
  void take_punts(Mailbox& mail, std::uint16_t worker, const Sink& sink);
  void take_notices(Mailbox& mail, const Sink& sink);
  void on_ike(rte_mbuf* m, const Sink& sink);
  void on_arp(rte_mbuf* m, std::uint16_t port, NeighborCache::Effects& out);
  void on_nd(rte_mbuf* m, std::uint16_t port, NeighborCache::Effects& out);
  void ask(const NeighborCache::Ask& question);
  [[nodiscard]] bool owns(std::uint16_t port, const conf::IpAddress& address) const;
  [[nodiscard]] bool on_link(std::uint16_t port, const conf::IpAddress& address) const;
  void send_on_link(PacketPtr packet, std::uint16_t port, const Mac& to, std::uint16_t type);
  void on_wanted(const WantedNote& note, const Sink& sink);
  void apply(NeighborCache::Effects&& effects);
  void announce(std::uint16_t port);
  void sleep_or_wake();

  // gateway_ports.cpp
  tl::expected<void, StartError> make_pools();
  void watch_links(const Sink& sink);
  void reset_devices(const Sink& sink);
  void steer();
  void forget_steering(std::uint32_t spi);

  // gateway_sas.cpp
  static SaKey key_of(Direction direction, std::uint32_t spi, ChildSlot child);
  void refuse(const SaSpec& spec, std::uint64_t token, std::string why);
  tl::expected<void, std::string> build(const SaSpec& spec, SaRecord& record);
  void tell_owners(const SaRecord& record, const Command& what);
  void take_reports(Mailbox& mail, std::uint16_t worker, const Sink& sink);
  void on_report(const InstallReport& report, const Sink& sink);
  void on_report(const RetireReport& report, const Sink& sink);
  void forget(std::map<SaKey, SaRecord>::iterator it);
  void tell_limit(const LimitReached& limit, const Sink& sink);
  void check_limits(const Sink& sink);
  void check_limits(const SaKey& key, SaRecord& record, const Sink& sink);

  // gateway_mtu.cpp
  [[nodiscard]] std::uint16_t path_mtu(const SaRecord& record) const;
  [[nodiscard]] std::uint16_t port_mtu(const SaRecord& record) const;
  void set_mtu(const SaKey& key, SaRecord& record);
  void path_changed(const PathMtu::Path& path);
  void on_quoted(const QuotedPacket& quoted);
  void forget_paths();

  // gateway_probe.cpp
  [[nodiscard]] const conf::IpAddress* own_address_for(ChildSlot child, const conf::IpAddress& to) const;
  void probe_paths();
  void send_probe(const SaRecord& record, const PathProbe::Send& what);
  void on_echo_answer(const EchoAnswer& answer);
  void on_host_seen(const HostSeen& seen);
  void set_found(const PathMtu::Path& path, std::uint16_t found, std::uint16_t most);

  // gateway_health.cpp
  [[nodiscard]] const conf::IpAddress* own_address_inside(const conf::SelectorSet& selectors,
                                                          const conf::IpAddress& to) const;
  void probe_health(const Sink& sink);

  // gateway_host.cpp
  tl::expected<void, StartError> open_hosts();
  void tell_host_routes(std::span<const PolicySpec> policies);
  void to_host(PacketPtr packet, std::uint16_t port);
  void from_host(std::uint16_t port);
  void poll_hosts();

  // gateway_send.cpp
  static constexpr std::size_t kBacklogLimit = 4096;  // frames that wait for room in a worker's command ring
  void send_udp(const conf::Endpoint& local, const conf::Endpoint& remote, std::span<const std::uint8_t> head,
                std::span<const std::uint8_t> body);
  std::vector<PacketPtr> datagrams_v4(const conf::Endpoint& local, const conf::Endpoint& remote,
                                      std::span<std::uint8_t> datagram, std::uint16_t mtu);
  std::vector<PacketPtr> datagrams_v6(const conf::Endpoint& local, const conf::Endpoint& remote,
                                      std::span<std::uint8_t> datagram, std::uint16_t mtu);
  void route_out(PacketPtr packet, const NextHop& hop, const conf::IpAddress& destination);
  void transmit(PacketPtr frame, std::uint16_t port, std::uint16_t worker);
  bool push(std::uint16_t worker, const Command& what);
  void command(std::uint16_t worker, const Command& what);
  void flush_backlog();

  struct Host {  // of a port that shares own traffic with the kernel
    HostTap tap;
    HostNetwork network;
    TokenBucket limit{50'000, 1'000};  // packets from the kernel
  };

  Setup setup_;
  Shared shared_;
  std::unique_ptr<rte_mempool, PoolFree> pool_, jumbo_pool_;
  std::unique_ptr<rte_rcu_qsbr, RteFree> rcu_;
  std::vector<std::unique_ptr<Port>> devices_;
  std::vector<Port*> ports_;  // the device of each configured port, several of which may be VLANs of one
  std::vector<std::unique_ptr<Mailbox>> mailboxes_;
  std::vector<std::deque<Command>> backlog_;  // of commands that did not fit a ring, by worker
  std::vector<std::size_t> under_way_;        // installs and removals not reported yet, by worker
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  std::vector<int> cores_;
  std::vector<int> nodes_;                // NUMA nodes of the workers' cores; SOCKET_ID_ANY: not known
  int memory_socket_ = SOCKET_ID_ANY;     // of pools and tables
  std::vector<int> sockets_;              // of the workers' SAs: those nodes, or the one heap in ordinary memory
  std::unique_ptr<const Tables> tables_;  // what workers read now
  std::uint64_t generation_ = 0;
  std::deque<OldTables> old_tables_;
  std::vector<RuleSpec> rules_;                      // of the tables, in order
  std::map<std::string, std::uint16_t> rule_slots_;  // of each name that ever counted

  std::uint64_t now_ms_ = 0;
  NeighborCache neighbors_;
  std::vector<std::unique_ptr<Host>> hosts_;  // by port; empty where the kernel has no part
  int events_ = -1;                           // epoll over the workers' wake-up and the taps; -1: no taps
  std::vector<bool> link_up_;
  std::uint64_t next_link_ms_ = 0, next_steer_ms_ = 0;
  struct Reset {
    std::uint64_t token;  // workers keep off the device when they have passed it
    std::uint64_t at_ms;  // not tried before
  };
  std::map<std::size_t, Reset> resets_;  // under way, by device
  int announcements_ = 2;                // gratuitous ARP still to send for each address
  std::uint64_t next_announcement_ms_ = 0;
  std::unordered_map<ChildSlot, std::uint64_t> wanted_ms_;
  std::map<SaKey, SaRecord> sas_;   // here until their Retired
  std::vector<Event> undelivered_;  // events that arose outside poll()
  std::set<SaKey> spread_;          // those of them that are
  std::uint64_t next_limits_ms_ = 0, next_spread_limits_ms_ = 0;
  PathMtu path_mtus_;
  struct Probing {
    PathProbe probe;
    bool in_use = true;  // some SA has the path
  };
  std::map<PathMtu::Path, Probing> probes_;
  std::uint16_t probe_sequence_ = 0;  // of both kinds of probes
  struct HealthWatch {
    HealthProbe probe;
    bool in_use = true;  // some SA of the tunnel carries it
  };
  std::map<TunnelId, HealthWatch> healths_;
  std::uint64_t next_health_ms_ = 0;
  std::uint64_t next_probe_ms_ = 0;
  std::optional<crypto::EspPlan> plan_;
  std::optional<crypto::EspEngine> engine_;  // the control thread's, to expand keys with
  std::optional<SpiCodec> codec_;
  std::optional<BucketMap> buckets_;
  std::optional<SpiAllocator> spis_;
  crypto::SystemRandom random_;
  std::uint32_t packet_id_ = 0;  // of our own datagrams
  Counters counters_;            // the control thread's own drops
  std::string note_;
};

}  // namespace causeway::dataplane

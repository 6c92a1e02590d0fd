// Joins the gateway to the data path and to whoever administers it: data path events go into the
// gateway, its actions are carried out in order, and questions are answered from both.
//
// Driven by step(now): main_loop.h calls it with the real clock, tests with a virtual one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "conf/config.h"
#include "control/admin_backend.h"
#include "control/child_slots.h"
#include "control/credentials.h"
#include "control/diagnosis/engine.h"
#include "control/down_history.h"
#include "control/effect_order.h"
#include "control/gateway.h"
#include "control/log.h"
#include "control/loop_times.h"
#include "control/resolver.h"
#include "control/settings.h"
#include "control/traffic_watch.h"
#include "control/tunnel_groups.h"
#include "control/work_queue.h"
#include "crypto/random.h"
#include "dataplane/dataplane.h"

namespace causeway::control {

class Controller final : public ike::Environment, public AdminBackend {
 public:
  // `log`, `random` and `dataplane` outlive it.
  Controller(conf::Config config, std::vector<PeerSettingsPtr> peers, dataplane::Dataplane& dataplane, Engine engine,
             crypto::Random& random, Log& log);
  ~Controller() override;

  void begin(Time now);
  void step(Time now);
  // Ends every tunnel with a DELETE; step() goes on until finished().
  void shut_down(Time now);
  [[nodiscard]] bool finished() const;  // nothing is left to close or to send
  [[nodiscard]] int resolver_fd() const { return resolver_.event_fd(); }
  [[nodiscard]] const Gateway& gateway() const { return gateway_; }
  // For counters(), and to share out a round's processor time; without it a round does all there is to do.
  void watch_times(std::function<LoopTimes()> times) { times_ = std::move(times); }

  // ike::Environment
  crypto::Random& random() override { return random_; }
  std::uint32_t allocate_spi(ike::TunnelId tunnel, ike::Resource resource) override {
    return dataplane_.allocate_spi(tunnel, resource);
  }
  void release_spi(std::uint32_t spi) override { dataplane_.release_spi(spi); }
  std::chrono::sys_seconds wall_time() override;
  ike::ChildSlot allocate_slot() override { return slots_.allocate(); }
  void release_slot(ike::ChildSlot slot) override { slots_.release(slot); }

  // AdminBackend
  [[nodiscard]] std::vector<TunnelReport> tunnels() const override;
  [[nodiscard]] std::optional<TunnelReport> tunnel(std::string_view name) const override;
  [[nodiscard]] CountersReport counters() const override;
  [[nodiscard]] std::vector<RouteReport> routes() const override;
  [[nodiscard]] std::vector<dataplane::NeighborStatus> neighbors() const override;
  [[nodiscard]] tl::expected<conf::ConsoleSheet, Outcome> console(std::string_view tunnel,
                                                                  conf::Language language) const override;
  [[nodiscard]] std::vector<LogLine> log() const override;
  [[nodiscard]] std::uint64_t log_written() const override { return log_.written(); }
  void up(std::string_view tunnel, Done done) override;
  void down(std::string_view tunnel, Done done) override;
  void rekey(std::string_view tunnel, RekeyWhat what, std::string_view child, Done done) override;
  // controller_diagnosis.cpp
  [[nodiscard]] tl::expected<diagnosis::Verdict, Outcome> diagnose(std::string_view tunnel,
                                                                   conf::Language language) const override;
  void rehearse(std::string_view tunnel, bool sure, Done done) override;
  [[nodiscard]] diagnosis::Facts facts(const Tunnel& tunnel) const;

 private:
  struct SaKey {
    std::uint32_t spi;
    ike::ChildSlot child;
    auto operator<=>(const SaKey&) const = default;
  };
  struct Limits {
    ike::ChildSlot carries = 0;  // by this slot the data path knows the SA
    std::uint64_t soft_bytes = 0, hard_bytes = 0, soft_packets = 0, hard_packets = 0;
  };
  struct Waiting {  // a command that has not ended
    enum class For : std::uint8_t { up, down, rekey, rekey_ike } what;
    ike::TunnelId tunnel;
    std::uint64_t failed_before;   // attempts, when it was given
    std::uint64_t created_before;  // children and IKE SAs; rekey_ike: IKE SAs alone
    Time until;                    // down: not waited for longer
    Done done;
  };

  void carry(Action& action, std::uint64_t token);
  void install(const ike::ChildSa& sa, dataplane::Direction direction, std::uint64_t token);
  void remove(dataplane::Direction direction, std::uint32_t spi, ike::ChildSlot child);
  void take(dataplane::Event&& event);
  void handle(dataplane::Event&& event);
  void on_installed(const dataplane::Installed& event);
  void on_health(const dataplane::TunnelHealth& event);
  void on_icmp(const dataplane::IcmpError& event);
  void run(Actions actions) { order_.push(std::move(actions)); }
  void end_commands();
  [[nodiscard]] std::optional<Outcome> outcome(const Waiting& w) const;
  void look_for_signs_of_life();
  void look_at_path(const Tunnel& tunnel);
  void answer_names();
  void watch_traffic(const Tunnel& tunnel);
  void take_sample(const dataplane::Event& event);
  void keep_falls();
  void report_falls(const Tunnel& tunnel, TunnelReport& report) const;
  [[nodiscard]] std::vector<diagnosis::Fall> recent_falls(const Tunnel& tunnel) const;
  [[nodiscard]] diagnosis::Path path_facts(const Tunnel& tunnel) const;
  void renew_credentials();
  void report_child(const Tunnel& tunnel, const LiveChild& live, ChildReport& report, bool all) const;
  [[nodiscard]] TunnelReport report(const Tunnel& tunnel, bool all) const;
  [[nodiscard]] std::int64_t ago(Time t) const {
    return std::chrono::duration_cast<std::chrono::seconds>(now_ - t).count();
  }

  void publish_policies();
  void choose_of_groups();
  void remove_later(std::uint32_t spi, ike::ChildSlot child, Time grace);

  conf::Config config_;
  ChildSlots slots_;
  bool policies_changed_ = false;
  TunnelGroups groups_;
  dataplane::Dataplane& dataplane_;
  crypto::Random& random_;
  Log& log_;
  Resolver resolver_;
  Gateway gateway_;
  EffectOrder order_;
  Time now_{0};
  std::function<LoopTimes()> times_;
  const ProcessorTime spent_ = [this] { return times_ ? times_().round : std::chrono::microseconds(0); };
  WorkQueue queue_;
  std::uint64_t queue_full_ = 0;  // IKE messages lost for want of room in it
  Time next_look_{0}, next_files_{0};
  CredentialFiles files_;
  std::multimap<Time, SaKey> removals_;  // inbound SAs in their grace
  std::map<SaKey, Limits> limits_;                                        // of installed SAs, both directions
  std::unordered_map<std::uint32_t, std::uint64_t> packets_in_;           // by inbound SPI, as of the last look
  std::vector<std::uint64_t> keepalives_;                                 // sent, by tunnel
  std::vector<Waiting> waiting_;
  std::vector<TrafficWatch> traffic_;         // by tunnel
  std::vector<std::uint64_t> falls_kept_;     // of Tunnel::fallen(), by tunnel
  DownHistory history_;
  Time next_save_{0};
};

}  // namespace causeway::control

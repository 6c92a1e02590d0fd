// What the admin socket asks of the gateway: plain questions with plain answers, and a few commands.
// The controller implements it; the server (admin.h) makes the JSON of the contract from it, so that
// shapes and units live in one place. Called by the control thread alone; nothing here blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "conf/console.h"
#include "control/diagnosis/verdict.h"
#include "dataplane/dataplane.h"

namespace causeway::control {

// Times are seconds relative to the moment of asking: "ago" or "from now".

struct ChildReport {
  std::string name;
  std::string suite;  // "aes256gcm16"
  bool udp_encap = false;
  std::uint32_t spi_in = 0, spi_out = 0;  // host order
  std::uint64_t packets_in = 0, bytes_in = 0, packets_out = 0, bytes_out = 0;
  std::optional<std::int64_t> rekey_in_s;

  // Below: `show` only.
  std::vector<std::string> local, remote;  // selectors as negotiated
  std::uint32_t mtu = 0;                   // inner octets
  std::uint16_t mss = 0;                   // what TCP is clamped to; 0: not clamped
  std::uint32_t replay_window = 0;
  std::uint64_t replay_distance = 0;  // how far behind the highest the worst replayed or late packet was
  std::uint64_t sequence_in = 0;      // highest authenticated
  std::uint64_t sequence_out = 0;     // last used
  struct Limits {                     // what is left; unset: no limit
    std::optional<std::int64_t> seconds, bytes, packets;
  };
  Limits soft_left, hard_left;
  std::optional<std::int64_t> last_in_s, last_out_s;  // since the last packet; unset: none yet
  std::map<std::string, std::uint64_t> drops;         // of this child: "icv_failed", "replayed", ...
};

struct IkeReport {
  int version = 2;
  bool initiator = false;
  std::string local, remote;  // "203.0.113.2:4500"
  bool nat_us = false, nat_peer = false;
  std::string suite;  // "aes256gcm16-prfsha384-ecp384"
  std::int64_t established_s = 0;
  std::optional<std::int64_t> rekey_in_s;

  // Below: `show` only.
  std::uint64_t spi_initiator = 0, spi_responder = 0;
  std::string local_id, remote_id;
  std::uint64_t retransmitted = 0;
};

struct TunnelReport {
  std::string name;
  enum class State : std::uint8_t { down, connecting, established };
  State state = State::down;  // established: at least one child is installed in both directions
  std::optional<IkeReport> ike;
  std::vector<ChildReport> children;
  std::string esp_from;     // where ESP of the peer comes from, if not from IKE's address
  std::string notice;       // what is odd about it while it is up; empty: nothing
  std::string down_reason;  // one sentence; empty: none (established)
  std::string stage;        // while connecting: "waiting for the answer to IKE_SA_INIT (3 sent)"

  // Below: `show` only.
  std::string port;               // the outer packets' port
  std::string group;              // and what follows; empty: none
  int weight = 1;
  bool in_use = true;             // of its group it is the one that carries the traffic
  std::string health;             // of the probe through it: "answers", "silent"; empty: no word
  std::uint64_t ike_created = 0;  // IKE SAs begun, and of them...
  std::uint64_t ike_established = 0;
  std::uint64_t ike_dropped = 0;  // begun by the peer although role = initiator
  std::uint64_t children_created = 0, children_established = 0;
  std::optional<std::int64_t> negotiation_min_ms, negotiation_avg_ms, negotiation_max_ms;
  std::string dpd_mode;  // "idle 30 s, retry 5 s, 5 tries", or "off"
  std::uint64_t dpd_sent = 0, dpd_received = 0;
  std::uint64_t keepalives_sent = 0;      // NAT-T (RFC 3948 2.3)
  std::optional<std::uint16_t> nat_port;  // the peer's port as its NAT shows it
  std::vector<std::string> history;       // what happened since the start, newest first
  struct Fall {
    std::int64_t ago_s = 0, up_s = 0;
    std::string text;
  };
  std::vector<Fall> falls;  // each time that it went down, newest first, across restarts
};

struct RouteReport {
  std::string to, via, port, origin;  // origin: "connected", "static", "gateway", "tunnel hangzhou"
  int distance = 0;
  bool active = true;  // false: a better one of the same prefix is in use
};

struct CountersReport {
  std::map<std::string, std::uint64_t> drops, treated;
  std::vector<dataplane::PortStatus> ports;
  std::vector<dataplane::WorkerStatus> workers;
  std::vector<dataplane::CryptoStatus> crypto;
  std::vector<dataplane::PoolStatus> pools;
  std::vector<dataplane::RuleStatus> rules;
  std::map<std::string, std::uint64_t> control;  // "ike_sas", "children", "fds", "rss_kib", ...
};

struct LogLine {
  std::chrono::system_clock::time_point time;
  std::string level;   // "debug", "info", "warning", "error"
  std::string tunnel;  // empty: about no tunnel
  std::string text;
};

// How a command ended. `text`: the reason of a refusal or failure, or a word about what was done.
struct Outcome {
  enum class Code : std::uint8_t { done = 0, failed = 1, no_such_tunnel = 4 };
  Code code = Code::done;
  std::string text;
};
using Done = std::function<void(Outcome)>;

class AdminBackend {
 public:
  virtual ~AdminBackend() = default;

  [[nodiscard]] virtual std::vector<TunnelReport> tunnels() const = 0;  // in the configuration's order
  [[nodiscard]] virtual std::optional<TunnelReport> tunnel(std::string_view name) const = 0;  // every field filled
  [[nodiscard]] virtual CountersReport counters() const = 0;
  [[nodiscard]] virtual std::vector<RouteReport> routes() const = 0;
  [[nodiscard]] virtual std::vector<dataplane::NeighborStatus> neighbors() const = 0;
  // What to type into the cloud's console, or why there is nothing to say.
  [[nodiscard]] virtual tl::expected<conf::ConsoleSheet, Outcome> console(std::string_view tunnel,
                                                                          conf::Language language) const = 0;
  // What is wrong with it, by what was seen.
  [[nodiscard]] virtual tl::expected<diagnosis::Verdict, Outcome> diagnose(std::string_view tunnel,
                                                                           conf::Language language) const = 0;
  [[nodiscard]] virtual std::vector<LogLine> log() const = 0;   // the recent ones, oldest first
  [[nodiscard]] virtual std::uint64_t log_written() const = 0;  // lines since the start: has it grown?

  // Begins, and calls `done` exactly once: at once (also before returning) where the tunnel is up already
  // or the command is refused, else when it is established or this attempt failed for good, with the
  // reason. The gateway goes on trying by itself after a failure. The asker may be gone by then: `done`
  // is safe to call as long as the AdminServer lives. Time-outs are the server's.
  virtual void up(std::string_view tunnel, Done done) = 0;
  // Called when the SAs are gone here (deletes sent); the tunnel stays down until `up` or traffic.
  virtual void down(std::string_view tunnel, Done done) = 0;
  enum class RekeyWhat : std::uint8_t { all_children, ike, child };
  virtual void rekey(std::string_view tunnel, RekeyWhat what, std::string_view child, Done done) = 0;
  // Tonight's rekeys now: a child's, then the IKE SA's. Refused where the peer is known to interrupt the tunnel for it,
  // unless `sure`.
  virtual void rehearse(std::string_view tunnel, bool sure, Done done) = 0;
};

}  // namespace causeway::control

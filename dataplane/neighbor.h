// Neighbors of our ports: who has which MAC address, asked for by ARP (RFC 826) or neighbor discovery
// (RFC 4861), and the packets that wait for the answer. A state machine without I/O that the control
// thread drives; workers read the table made of it (tables.h).
//
//   incomplete --answer--> reachable --30 s--> stale --used--> probe --answer--> reachable
//       |                                        |               |
//       +-- 3 questions unanswered --> failed <--|---------------+ 5 unanswered
//                                                +-- 10 min unused --> forgotten
//
// A failed neighbor is remembered for 3 s, so that traffic for it costs no question each, then forgotten.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "conf/address.h"
#include "dataplane/dataplane.h"
#include "dataplane/packet_ptr.h"
#include "dataplane/tables.h"

namespace causeway::dataplane {

class NeighborCache {
 public:
  struct Limits {
    std::size_t entries = 4096;          // that an answer or a packet may create
    std::size_t held_per_neighbor = 16;  // packets that wait
    std::size_t own_per_neighbor = 256;  // of ours: all tunnels of a router that just started begin at once
    std::size_t held_in_all = 512;
  };
  static constexpr std::uint64_t kReachableMs = 30'000, kForgetMs = 600'000, kAskMs = 1'000, kFailedMs = 3'000;
  static constexpr int kFirstQuestions = 3, kProbes = 5;  // the first two probes go to the known MAC alone

  struct Held {
    PacketPtr packet;
    std::uint16_t worker = 0;  // that punted it, and is to send it: order within a flow holds
    bool own = false;          // the control thread made it
  };
  // What the caller is to do, in order.
  struct Ask {
    std::uint16_t port;
    conf::IpAddress address;
    std::optional<Mac> to;  // unset: broadcast
  };
  struct Release {
    std::uint16_t port;
    Mac mac;
    std::vector<Held> packets;
  };
  struct Effects {
    std::vector<Ask> ask;
    std::vector<Release> release;
    std::uint64_t no_neighbor = 0, queue_full = 0;  // packets dropped, by reason
  };

  NeighborCache() = default;
  explicit NeighborCache(Limits limits) : limits_(limits) {}

  // A packet for a neighbor that the worker did not know.
  void hold(std::uint16_t port, const conf::IpAddress& address, Held held, std::uint64_t now_ms, Effects& out);
  // A stale entry was used.
  void used(std::uint16_t port, const conf::IpAddress& address, std::uint64_t now_ms, Effects& out);
  // Somebody said who has `address`. `answer`: to a question of ours, so the neighbor is there;
  // otherwise it only tells the address (a request to us, a gratuitous announcement), which makes a new
  // entry where `create` is set, and changes a known one.
  void learned(std::uint16_t port, const conf::IpAddress& address, const Mac& mac, bool answer, bool create,
               std::uint64_t now_ms, Effects& out);
  void forget_port(std::uint16_t port, Effects& out);  // the link went down
  void tick(std::uint64_t now_ms, Effects& out);

  // True once after each change that workers should see.
  bool take_changed();
  [[nodiscard]] std::vector<NeighborTable::Entry> table() const;
  [[nodiscard]] std::vector<NeighborStatus> status(std::uint64_t now_ms) const;  // NeighborStatus::port: its number
  [[nodiscard]] std::optional<Mac> mac(std::uint16_t port, const conf::IpAddress& address) const;
  [[nodiscard]] std::size_t held() const { return held_; }

 private:
  enum class State : std::uint8_t { incomplete, reachable, stale, probe, failed };
  struct Key {
    std::uint16_t port;
    conf::IpAddress address;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    State state = State::incomplete;
    Mac mac{};
    std::uint64_t since_ms = 0;  // when it entered this state
    std::uint64_t next_ms = 0;   // when the state's timer is due
    int asked = 0;
    std::vector<Held> held;
  };
  void enter(Entry& entry, State state, std::uint64_t now_ms);
  void ask(const Key& key, Entry& entry, std::uint64_t now_ms, Effects& out);
  void discard(Entry& entry, Effects& out);
  void on_timer(const Key& key, Entry& entry, std::uint64_t now_ms, Effects& out);

  Limits limits_{};
  std::map<Key, Entry> entries_;
  std::size_t held_ = 0;
  bool changed_ = false;
};

}  // namespace causeway::dataplane

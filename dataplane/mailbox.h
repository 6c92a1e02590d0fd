// What crosses between the control thread and a worker, and between two workers: plain values on
// single-producer single-consumer rings. Whoever takes a message owns what it points to.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "dataplane/counters.h"
#include "dataplane/dataplane.h"
#include "dataplane/icmp.h"
#include "dataplane/lend.h"
#include "dataplane/packet.h"
#include "dataplane/spsc_ring.h"

namespace causeway::dataplane {

// --- control -> worker ------------------------------------------------------------------------------

struct TransmitFrame {  // a whole frame, to leave through `port`, of which this worker has a transmit queue
  rte_mbuf* frame;
  std::uint16_t port;
};
struct SendOwn {  // a packet of the box itself, from its IP header on: by policy and route, like any other
  rte_mbuf* packet;
  std::uint16_t port;  // whose tap it came by
};
struct SendInto {  // the same into the SA of a child, whatever policy says
  rte_mbuf* packet;
  ChildSlot child;
};
struct InstallInbound {  // answered by InstallReport
  InboundSa* sa;
  std::uint64_t token;
};
struct InstallOutbound {
  OutboundSa* sa;
  std::uint64_t token;
};
struct RemoveSa {  // answered by RetireReport
  Direction direction;
  std::uint32_t spi;
  ChildSlot child;
};
struct SetEndpoints {
  std::uint32_t spi;
  ChildSlot child;
  conf::Endpoint local, remote;
};
struct SetPathMtu {
  std::uint32_t spi;
  ChildSlot child;
  std::uint16_t mtu;
};
using Command = std::variant<TransmitFrame, SendOwn, SendInto, InstallInbound, InstallOutbound, RemoveSa, SetEndpoints, SetPathMtu>;

// --- worker -> control, never lost: control has no more outstanding than fits -----------------------

struct InstallReport {
  Direction direction;
  std::uint32_t spi;
  ChildSlot child;
  std::uint64_t token;
  bool ok;
};
struct RetireReport {  // out of every table: the control thread may free it. Nothing where it was not there
  Direction direction;
  std::uint32_t spi;
  ChildSlot child;
};
using Report = std::variant<InstallReport, RetireReport>;

// --- worker -> control, lossy -----------------------------------------------------------------------

struct WantedNote {  // see Wanted
  TunnelId tunnel;
  ChildSlot child;
  conf::IpAddress source, destination;
  std::uint8_t protocol;
  bool ports;
  std::uint16_t source_port, destination_port;
};
struct StaleNeighborUsed {
  std::uint16_t port;
  conf::IpAddress address;
};
struct EchoAnswer {  // to a question of path_probe.h, out of a tunnel
  conf::IpAddress from;
  std::uint16_t sequence;
};
struct HostSeen {  // behind the peer of `child`
  ChildSlot child;
  conf::IpAddress address;
};
using Notice = std::variant<WantedNote, StaleNeighborUsed, QuotedPacket, PeerMoved, EspElsewhere, LimitReached, UnknownEsp,
                            EchoAnswer, HostSeen, Asked, OutsideSelectors>;

// A packet for the control thread. Classes have a ring and a rate each, so that none starves another.
// `ike_first`: IKE messages that begin something, which anybody may send: a flood of them leaves the others room.
enum class PuntClass : std::uint8_t { ike, ike_first, neighbor, resolve, host };
inline constexpr std::size_t kPuntClasses = 5;
struct Punt {
  rte_mbuf* packet = nullptr;
  std::uint16_t port;          // received on; for resolve: to leave through; for host: whose tap it is for
  conf::IpAddress next_hop{};  // resolve: whose MAC is not known; the packet starts at its IP header
};

// --- worker -> worker -------------------------------------------------------------------------------

struct HandOver {
  enum class Kind : std::uint8_t {
    esp,      // for the owner of meta.spi, which looks it up again
    encrypt,  // an inner packet for the owner of meta.child's outbound SA
    frame,    // a whole frame for the owner of a transmit queue of `port`
  };
  rte_mbuf* packet = nullptr;
  Kind kind;
  std::uint16_t port;
};
using HandOverRing = SpscRing<HandOver>;
inline constexpr std::size_t kHandOverRing = 2048, kPuntRing = 512;  // packets that may wait in one

// The rings of one worker; it is the consumer of `commands` and of what others hand over to it.
struct Mailbox {
  explicit Mailbox(std::size_t workers) : from(workers), to_help(workers) {
    for (auto& ring : from) ring = std::make_unique<HandOverRing>(kHandOverRing);
    for (auto& ring : to_help) ring = std::make_unique<LendRing>(8);
  }
  SpscRing<Command> commands{4096};
  SpscRing<Report> reports{8192};
  SpscRing<Notice> notices{1024};
  std::array<SpscRing<Punt>, kPuntClasses> punts{SpscRing<Punt>(kPuntRing), SpscRing<Punt>(kPuntRing),
                                                 SpscRing<Punt>(kPuntRing), SpscRing<Punt>(kPuntRing),
                                                 SpscRing<Punt>(kPuntRing)};
  std::vector<std::unique_ptr<HandOverRing>> from;  // by the worker that fills it
  std::vector<std::unique_ptr<LendRing>> to_help;   // by the worker whose batches they are
  std::atomic<bool> overloaded{false};  // this worker has no time to help others
  Counters counters;
  std::array<Counter, kMaxRules> rules;  // packets that met a rule, by its slot
};

// How a worker wakes a control thread that sleeps in epoll: one write for each sleep, none while it is awake.
struct WakeUp {
  int fd = -1;
  alignas(kCacheLine) std::atomic<bool> sleeping{false};  // set by control, cleared by whoever wakes it
};

}  // namespace causeway::dataplane

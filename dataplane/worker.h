// A worker: one thread that receives, decides, encrypts or decrypts, and sends, to completion, a burst
// at a time. See ARCHITECTURE.md, "Life of a packet". It never logs, allocates, locks, throws or makes a
// system call, except to wake a control thread that sleeps and to sleep itself in adaptive polling.
#pragma once

#include <rte_mempool.h>
#include <rte_rcu_qsbr.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "conf/packet_policy.h"
#include "crypto/esp_engine.h"
#include "dataplane/classify.h"
#include "dataplane/esp.h"
#include "dataplane/flow_cache.h"
#include "dataplane/hand_over_fence.h"
#include "dataplane/icmp.h"
#include "dataplane/lend.h"
#include "dataplane/mailbox.h"
#include "dataplane/packet.h"
#include "dataplane/packet_ptr.h"
#include "dataplane/plain_inbound.h"
#include "dataplane/plain_outbound.h"
#include "dataplane/reassembly.h"
#include "dataplane/sa_table.h"
#include "dataplane/spi.h"
#include "dataplane/stage_clock.h"
#include "dataplane/tables.h"
#include "dataplane/token_bucket.h"

namespace causeway::dataplane {

// What all workers share with the control thread, besides their mailboxes.
struct Shared {
  std::atomic<const Tables*> tables{nullptr};  // written by control
  rte_rcu_qsbr* rcu = nullptr;
  WakeUp wake_up;
  std::atomic<std::int64_t> clock_offset_ms{0};  // control's clock minus the cycle counter's; written by control
  std::uint16_t probe_id = 0;                    // of our echo requests; set before the workers start
  std::atomic<bool> stop{false};
};

struct WorkerSetup {
  std::uint16_t index = 0;
  int core = -1;  // -1: wherever the system puts it
  conf::Polling polling = conf::Polling::busy;
  std::vector<PortView> ports;
  struct RxQueue {
    std::uint16_t device, queue;                                 // DPDK's numbers
    std::vector<std::pair<std::uint16_t, std::uint16_t>> vlans;  // VLAN (0: untagged) and its port, of `ports`
    const PortState* state = &kAlwaysUp;
  };
  std::vector<RxQueue> rx_queues;
  int socket = -1;  // of the memory for its tables
  rte_mempool* pool = nullptr;
  rte_mempool* jumbo_pool = nullptr;  // of buffers that hold what a chain or a set of fragments holds
  const crypto::EspPlan* plan = nullptr;
  const SpiCodec* codec = nullptr;
  const BucketMap* buckets = nullptr;
  std::vector<Mailbox*> mailboxes;  // of all workers, by index
  std::array<std::uint64_t, 2> flow_secrets{};
  StageClock* stages = nullptr;     // the bench's
};

class Worker {
 public:
  Worker(WorkerSetup setup, Shared& shared);
  void run();  // the thread's body, until Shared::stop

 private:
  struct TxBuffer {
    std::array<rte_mbuf*, kMaxBurst> frames;
    std::uint16_t count = 0;
  };
  struct HandOverBuffer {
    std::array<HandOver, kMaxBurst> items;
    std::uint16_t count = 0;
  };
  // worker.cpp: the loop and what comes in
  bool iterate();
  bool receive(const WorkerSetup::RxQueue& queue);
  bool take_commands();
  void on(const TransmitFrame& command);
  void on(const SendOwn& command);
  void on(const SendInto& command);
  void on(const InstallInbound& command);
  void on(const InstallOutbound& command);
  void on(const RemoveSa& command);
  void on(const SetEndpoints& command);
  void on(const SetPathMtu& command);
  bool take_hand_overs();
  void process(std::span<rte_mbuf*> frames, const WorkerSetup::RxQueue& queue);
  void dispatch(rte_mbuf* m, Verdict verdict);
  void on_fragment(rte_mbuf* m);
  void report(const Report& what);
  void rest(std::uint32_t idle);
  [[nodiscard]] std::uint64_t now_ms() const;

  // tunnel.cpp: ESP in and out
  EspContext esp_context();
  void on_esp(rte_mbuf* m);
  void decrypt();
  void finish_decrypted(const EspInboundOut& out);
  void on_decrypted(rte_mbuf* m);
  void note_question(rte_mbuf* m, const IpHeader& ip, OutboundSa& sa);
  void note_question(rte_mbuf* m, const IpHeader& ip, InboundSa& sa);
  void protect(rte_mbuf* m, const PolicyRule& rule);
  void encrypt_for_child(rte_mbuf* m);
  void encrypt();
  void encrypt_burst(std::span<rte_mbuf* const> packets, bool again);
  void on_too_big(rte_mbuf* m, bool again);
  void send_outer(rte_mbuf* m);
  void remember_way(OutboundSa& sa, const NextHop& hop, const IpHeader& ip);
  bool clamp(rte_mbuf* m, const IpHeader& ip, const OutboundSa& sa);
  void want(rte_mbuf* m);
  void pass_on(const EspNotices& notices);
  void finish();

  // helping.cpp: the cryptography of inbound ESP on other cores
  [[nodiscard]] bool lends() const;
  void decrypt_in_turn();
  bool settle(bool idle);
  bool help_others();
  void retire(const RetireReport& what);

  // plain.cpp: the common packet, decided by few looks; what it does not take is untouched
  bool plain_frame(rte_mbuf* m, std::uint16_t in_port);
  bool plain_decrypted(rte_mbuf* m);
  [[nodiscard]] const NeighborTable::Entry* plain_neighbor(const std::uint8_t* ip) const;
  bool known_clear(rte_mbuf* m, std::uint8_t* frame, const PlainHeader& header, std::uint16_t in_port);
  bool known_esp(rte_mbuf* m, std::uint8_t* frame, const PlainHeader& header, std::uint16_t in_port, std::uint16_t esp);
  void encrypt_plain();
  void decrypt_plain();
  bool plain_opened(const crypto::EspJob& job, const PlainInbound::Packet& packet, PlainOpened& run);
  bool find_way(const InboundSa& sa, const std::uint8_t* ip, const PlainHeader& header, PlainOpened& run);
  void open_generally(const crypto::EspJob& job, const PlainInbound::Packet& packet);
  void take_clear(rte_mbuf* m, std::uint16_t in_port, std::uint32_t total, OutboundSa& sa);
  void take_esp(rte_mbuf* m, std::uint16_t in_port, std::uint32_t total, std::uint16_t esp, InboundSa* sa);
  void prefetch_flows(std::span<rte_mbuf* const> frames, std::uint16_t in_port) const;

  // forward.cpp: policy and routes, on packets that start at their IP header
  void on_clear(rte_mbuf* m);
  void on_local(rte_mbuf* m);
  void forward(rte_mbuf* m, const IpHeader& ip);
  [[nodiscard]] const PolicyRule* rule_of_quoted(rte_mbuf* m, const IpHeader& ip) const;
  bool ruled_out(rte_mbuf* m, const IpHeader& ip, std::uint16_t out);
  void send_own(PacketPtr m, std::uint16_t in_port);
  void send_ip(rte_mbuf* m, const NextHop& hop);
  void send_icmp_error(rte_mbuf* original, IcmpReason reason, std::uint16_t mtu);
  void fit_and_send(rte_mbuf* m, const NextHop& hop, std::uint16_t mtu);
  void fit_and_send(rte_mbuf* m, const NextHop& hop) { fit_and_send(m, hop, setup_.ports[hop.port].mtu); }

  // output.cpp: frames out, packets up and over
  void send_frame(rte_mbuf* m, std::uint16_t port) {
    if (!setup_.ports[port].tx_queue || m->nb_segs > 1) [[unlikely]]
      return send_specially(m, port);
    queue_frame(m, port);
  }
  void queue_frame(rte_mbuf* m, std::uint16_t port) {
    TxBuffer& buffer = tx_[port];
    buffer.frames[buffer.count++] = m;
    if (buffer.count == kMaxBurst) flush(port);
  }
  void send_specially(rte_mbuf* m, std::uint16_t port);
  void flush(std::uint16_t port);
  void flush_all();
  void punt(PuntClass to, const Punt& what);
  void notice(const Notice& what);
  void hand_over(std::uint16_t worker, const HandOver& what);
  void flush_hand_overs(std::uint16_t worker);
  void drop(rte_mbuf* m, Drop why);
  void tell_of_unknown_esp(rte_mbuf* m);
  void wake_control();

  const WorkerSetup setup_;
  Shared& shared_;
  Mailbox& mail_;
  Counters& counters_;
  const Tables* tables_ = nullptr;  // valid until the next quiescent state
  std::uint64_t now_ms_ = 0;
  std::uint64_t unknown_esp_told_ms_ = 0;
  std::uint32_t fragment_id_ = 0;  // of our own IPv6 packets
  crypto::EspEngine engine_;
  SaTable sas_;
  FlowCache flows_;
  IpIds ip_ids_;
  Reassembly reassembly_;
  Lane to_decrypt_, to_encrypt_;  // empty between bursts, as are:
  PlainInbound plain_inbound_;    // whose packets go before those of to_decrypt_
  PlainOutbound plain_outbound_;  // and to_encrypt_
  bool in_turn_ = false;          // decryption goes through lending_: decrypt_in_turn()
  LendQueue lending_;             // batches that are being decrypted
  HandOverFence fence_;           // while it stands nothing is received
  Saturation saturation_;
  bool full_burst_ = false;                         // some burst of this round was
  std::uint32_t lend_sas_ = 0, automatic_sas_ = 0;  // inbound ones in the table, by their `cores`
  struct Retiring {
    std::uint64_t position;  // of lending_: once it is popped, no batch refers to the SA
    RetireReport report;
  };
  SpscRing<Retiring> retiring_;  // in order
  Retiring first_retiring_{};
  bool retires_ = false;  // first_retiring_ stands for one
  std::uint64_t ms_per_tick_;     // times 2^64
  std::vector<TxBuffer> tx_;                   // by port
  std::vector<HandOverBuffer> handing_over_;  // by worker
  std::array<TokenBucket, kPuntClasses> punt_limits_;
  TokenBucket icmp_errors_{100, 50}, echo_replies_{20'000, 2'000}, stale_notes_{100, 20}, wanted_{200, 100},
      hosts_seen_{5, 5};
  TokenBucket questions_{20, 20}, outside_{5, 5};
};

}  // namespace causeway::dataplane

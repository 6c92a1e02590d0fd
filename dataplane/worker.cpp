#include "dataplane/worker.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_prefetch.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <string>

namespace causeway::dataplane {
namespace {

// Adaptive polling: this many empty rounds before the first sleep, and sleeps that grow to the longest.
constexpr std::uint32_t kEmptyRounds = 64;
constexpr std::uint32_t kShortestSleepUs = 10, kLongestSleepUs = 200;
constexpr std::uint32_t kRoundsAtEachLength = 8;
constexpr std::size_t kBatchesOfABurst = 2;                    // that one burst may become
constexpr std::uint32_t kRoundsToDoze = 4096, kDozeUs = 1000;  // nothing for most of a second

constexpr std::uint64_t kLendPatienceUs = 100;  // a busy core that polls comes by more often

std::vector<LendQueue::Lender> lenders(const WorkerSetup& setup) {
  std::vector<LendQueue::Lender> out;
  for (std::size_t w = 0; w < setup.mailboxes.size(); ++w) {
    if (w != setup.index)
      out.push_back({setup.mailboxes[w]->to_help[setup.index].get(), &setup.mailboxes[w]->overloaded});
  }
  return out;
}

}  // namespace

Worker::Worker(WorkerSetup setup, Shared& shared)
    : setup_(std::move(setup)),
      shared_(shared),
      mail_(*setup_.mailboxes[setup_.index]),
      counters_(mail_.counters),
      engine_(*setup_.plan),
      sas_(*setup_.codec, setup_.socket),
      flows_(setup_.flow_secrets[0], setup_.flow_secrets[1], setup_.socket),
      ip_ids_(setup_.index, static_cast<unsigned>(setup_.mailboxes.size())),
      reassembly_(setup_.jumbo_pool, counters_),
      lending_(lenders(setup_), rte_get_tsc_hz() / 1'000'000 * kLendPatienceUs),
      fence_(setup_.mailboxes, setup_.index),
      retiring_(mail_.reports.capacity()),
      ms_per_tick_(UINT64_MAX / (rte_get_tsc_hz() / 1000) + 1),
      tx_(setup_.ports.size()),
      handing_over_(setup_.mailboxes.size()),
      // per second and at once: IKE, its first messages, ARP and neighbor discovery, packets that wait for a neighbor,
      // own traffic
      punt_limits_{TokenBucket(20'000, 400), TokenBucket(12'000, 300), TokenBucket(5'000, 200), TokenBucket(5'000, 400),
                   TokenBucket(50'000, 500)} {}

// Called every poll: a multiplication, where a division would be the dearest instruction of an idle one.
std::uint64_t Worker::now_ms() const {
  __extension__ using Wide = unsigned __int128;
  const auto ticks = static_cast<std::uint64_t>((Wide{rte_get_tsc_cycles()} * ms_per_tick_) >> 64);
  return ticks + static_cast<std::uint64_t>(shared_.clock_offset_ms.load(std::memory_order_relaxed));
}

void Worker::run() {
  rte_thread_register();  // a mempool cache of its own
  ::pthread_setname_np(::pthread_self(), ("worker-" + std::to_string(setup_.index)).c_str());
  if (setup_.core >= 0) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<unsigned>(setup_.core), &cpus);
    ::pthread_setaffinity_np(::pthread_self(), sizeof cpus, &cpus);
  }
  ::prctl(PR_SET_TIMERSLACK, 1000UL);
  rte_rcu_qsbr_thread_register(shared_.rcu, setup_.index);
  rte_rcu_qsbr_thread_online(shared_.rcu, setup_.index);
  std::uint32_t idle = 0;
  while (!shared_.stop.load(std::memory_order_relaxed)) {
    const bool busy = iterate();
    counters_.polls.add();
    if (busy) {
      idle = 0;
    } else {
      counters_.idle_polls.add();
      if (setup_.polling == conf::Polling::adaptive) rest(++idle);
    }
  }
  while (!lending_.empty()) settle(true);  // a lender ends what it is in the middle of before it stops
  flush_all();
  rte_rcu_qsbr_thread_offline(shared_.rcu, setup_.index);
  rte_rcu_qsbr_thread_unregister(shared_.rcu, setup_.index);
  rte_thread_unregister();
}

void Worker::rest(std::uint32_t idle) {
  if (idle < kEmptyRounds) return;
  const std::uint32_t step = std::min((idle - kEmptyRounds) / kRoundsAtEachLength, 8U);
  const std::uint32_t us = idle > kRoundsToDoze ? kDozeUs : std::min(kShortestSleepUs << step, kLongestSleepUs);
  const timespec length{0, static_cast<long>(us) * 1000};
  ::nanosleep(&length, nullptr);
}

// The table is loaded before commands are taken: frames that the control thread held for a neighbor are
// in the ring before the table that knows it, so they leave before later packets of the same flow.
bool Worker::iterate() {
  rte_rcu_qsbr_quiescent(shared_.rcu, setup_.index);
  tables_ = shared_.tables.load(std::memory_order_acquire);
  now_ms_ = now_ms();
  full_burst_ = false;
  bool busy = take_commands();
  // Neither of the first two ever goes back, so their sum is a new one after any change.
  flows_.at(tables_->decisions + sas_.changes(), tables_->generation);
  if (fence_.stands()) fence_.look();
  for (const auto& queue : setup_.rx_queues) {
    // A FIFO of batches that is full leaves packets in their queue: nothing is dropped for a slow lender.
    if (lending_.room(kBatchesOfABurst) && !fence_.stands()) busy |= receive(queue);
  }
  busy |= take_hand_overs();
  saturation_.saw(full_burst_);
  if (mail_.overloaded.load(std::memory_order_relaxed) != saturation_.on())
    mail_.overloaded.store(saturation_.on(), std::memory_order_relaxed);
  busy |= help_others();
  if (retires_ || !lending_.empty()) busy |= settle(!busy);
  reassembly_.housekeeping(now_ms_);
  flush_all();
  return busy;
}

bool Worker::take_commands() {
  if (mail_.commands.drained()) return false;
  std::array<Command, kMaxBurst> commands;
  const std::size_t n = mail_.commands.pop(commands);
  for (std::size_t i = 0; i < n; ++i) std::visit([this](const auto& command) { on(command); }, commands[i]);
  return n != 0;
}

void Worker::on(const TransmitFrame& command) { send_frame(command.frame, command.port); }

// To its end, before another command may take away the SA that it meets.
void Worker::on(const SendOwn& command) {
  send_own(PacketPtr(command.packet), command.port);
  finish();
}

void Worker::on(const SendInto& command) {
  meta(command.packet).child = command.child;
  encrypt_for_child(command.packet);
  finish();
}

void Worker::on(const InstallInbound& command) {
  InboundSa& sa = *command.sa;
  const bool ok = sas_.insert(sa);
  if (ok && sa.cores == conf::Cores::lend) ++lend_sas_;
  if (ok && sa.cores == conf::Cores::automatic) ++automatic_sas_;
  counters_.sas_inbound.set(sas_.inbound_count());
  report(InstallReport{Direction::inbound, sa.spi, sa.child, command.token, ok});
}

// An SA of this worker's own where there was none: until now it handed the child's packets to its owner.
void Worker::on(const InstallOutbound& command) {
  OutboundSa& sa = *command.sa;
  if (sa.beside_owner && sas_.find_outbound(sa.child) == nullptr) fence_.put_up();
  const bool ok = sas_.insert(sa);
  counters_.sas_outbound.set(sas_.outbound_count());
  report(InstallReport{Direction::outbound, sa.spi, sa.child, command.token, ok});
}

// Between bursts no packet refers to an SA but those of batches that are being decrypted, and rings between workers
// carry packets only: once it is out of the table, and these are home, nobody can reach it.
void Worker::on(const RemoveSa& command) {
  if (command.direction == Direction::inbound) {
    const InboundSa* sa = sas_.remove_inbound(command.spi);
    if (sa != nullptr && sa->cores == conf::Cores::lend) --lend_sas_;
    if (sa != nullptr && sa->cores == conf::Cores::automatic) --automatic_sas_;
  } else {
    const OutboundSa* sa = sas_.remove_outbound(command.child, command.spi);
    // From now on the owner encrypts them again.
    if (sa != nullptr && sa->beside_owner && sas_.find_outbound(command.child) == nullptr) fence_.put_up();
  }
  counters_.sas_inbound.set(sas_.inbound_count());
  counters_.sas_outbound.set(sas_.outbound_count());
  retire({command.direction, command.spi, command.child});
}

void Worker::on(const SetEndpoints& command) {
  if (OutboundSa* sa = sas_.find_outbound(command.child, command.spi); sa != nullptr)
    set_endpoints(*sa, command.local, command.remote);
}

void Worker::on(const SetPathMtu& command) {
  if (OutboundSa* sa = sas_.find_outbound(command.child, command.spi); sa != nullptr) set_path_mtu(*sa, command.mtu);
}

bool Worker::receive(const WorkerSetup::RxQueue& queue) {
  if (!queue.state->attached.load(std::memory_order_acquire)) return false;
  std::array<rte_mbuf*, kMaxBurst> frames;
  const std::uint16_t n = rte_eth_rx_burst(queue.device, queue.queue, frames.data(), kMaxBurst);
  full_burst_ |= n == kMaxBurst;
  if (n == 0) return false;
  counters_.rx.add(n);
  for (std::uint16_t i = 0; i < n; ++i) rte_prefetch0(rte_pktmbuf_mtod(frames[i], void*));
  mark(setup_.stages, Stage::rx);
  process({frames.data(), n}, queue);
  return true;
}

void Worker::process(std::span<rte_mbuf*> frames, const WorkerSetup::RxQueue& queue) {
  const bool plain = queue.vlans.size() == 1 && queue.vlans.front().first == 0 && tables_->plain();
  in_turn_ = lends();
  if (plain && sas_.many()) prefetch_flows(frames, queue.vlans.front().second);
  for (rte_mbuf* m : frames) {
    if (plain && plain_frame(m, queue.vlans.front().second)) continue;
    const EthernetHeader ethernet = read_ethernet(m);
    const auto port = std::find_if(queue.vlans.begin(), queue.vlans.end(),
                                   [&](const auto& vlan) { return vlan.first == ethernet.vlan; });
    meta(m) = PacketMeta{};
    if (port == queue.vlans.end()) {
      drop(m, ethernet.octets == 0 ? Drop::truncated : Drop::bad_ethernet);
      continue;
    }
    meta(m).in_port = port->second;
    dispatch(m, classify(m, ethernet, setup_.ports[port->second], *tables_->routes));
  }
  mark(setup_.stages, Stage::classify);
  finish();
}

namespace {

// The responder's SPI (IKEv1: its cookie) is not chosen yet (RFC 7296 3.1).
bool begins_ike(rte_mbuf* m) {
  constexpr std::uint32_t kSpis = 16;
  std::array<std::uint8_t, kSpis> buffer{};
  const auto* spis = static_cast<const std::uint8_t*>(rte_pktmbuf_read(m, meta(m).esp_offset, kSpis, buffer.data()));
  return spis == nullptr || std::all_of(spis + 8, spis + kSpis, [](std::uint8_t o) { return o == 0; });
}

}  // namespace

void Worker::dispatch(rte_mbuf* m, Verdict verdict) {
  const std::uint16_t port = meta(m).in_port;
  switch (verdict) {
    case Verdict::drop:
      return drop(m, meta(m).drop);
    case Verdict::esp:
      return on_esp(m);
    case Verdict::clear:
      rte_pktmbuf_adj(m, meta(m).l3_offset);
      return on_clear(m);
    case Verdict::local:
      rte_pktmbuf_adj(m, meta(m).l3_offset);
      return on_local(m);
    case Verdict::fragment:
      return on_fragment(m);
    case Verdict::ike:
      return punt(begins_ike(m) ? PuntClass::ike_first : PuntClass::ike, {.packet = m, .port = port, .next_hop = {}});
    case Verdict::neighbor:
      return punt(PuntClass::neighbor, {.packet = m, .port = port, .next_hop = {}});
    case Verdict::keepalive:
      counters_.keepalives.add();
      return rte_pktmbuf_free(m);
  }
}

void Worker::on_fragment(rte_mbuf* m) {
  PacketPtr whole = reassembly_.add(PacketPtr(m), now_ms_);
  if (!whole) return;
  rte_mbuf* datagram = whole.release();
  const std::uint16_t port = meta(datagram).in_port;
  dispatch(datagram, classify_ip(datagram, setup_.ports[port], *tables_->routes));
}

bool Worker::take_hand_overs() {
  bool busy = false;
  for (auto& ring : mail_.from) {
    if (!lending_.room(kBatchesOfABurst)) break;
    if (ring->drained()) continue;
    std::array<HandOver, kMaxBurst> items;
    const std::size_t n = ring->pop(items);
    full_burst_ |= n == kMaxBurst;
    busy |= n != 0;
    for (std::size_t i = 0; i < n; ++i) {
      rte_mbuf* m = items[i].packet;
      switch (items[i].kind) {
        case HandOver::Kind::frame:
          send_frame(m, items[i].port);
          break;
        case HandOver::Kind::esp:
          meta(m).sa.inbound = nullptr;
          meta(m).new_flow = false;  // by tables that may not be ours
          to_decrypt_.push(m);
          break;
        case HandOver::Kind::encrypt:
          encrypt_for_child(m);
          break;
      }
    }
    finish();
  }
  return busy;
}

}  // namespace causeway::dataplane

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
constexpr std::uint32_t kRoundsToDoze = 4096, kDozeUs = 1000;  // nothing for most of a second

}  // namespace

Worker::Worker(WorkerSetup setup, Shared& shared)
    : setup_(std::move(setup)),
      shared_(shared),
      mail_(*setup_.mailboxes[setup_.index]),
      counters_(mail_.counters),
      tx_(setup_.ports.size()),
      // per second and at once: IKE, ARP, packets that wait for a neighbor
      punt_limits_{TokenBucket(20'000, 400), TokenBucket(5'000, 200), TokenBucket(5'000, 400)} {}

std::uint64_t Worker::now_ms() const {
  const std::uint64_t ticks = rte_get_tsc_cycles() / (rte_get_tsc_hz() / 1000);
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
  bool busy = take_commands();
  for (const auto& queue : setup_.rx_queues) busy |= receive(queue);
  busy |= take_hand_overs();
  flush_all();
  return busy;
}

bool Worker::take_commands() {
  std::array<Command, kMaxBurst> commands;
  const std::size_t n = mail_.commands.pop(commands);
  for (std::size_t i = 0; i < n; ++i) {
    if (const auto* transmit = std::get_if<TransmitFrame>(&commands[i])) send_frame(transmit->frame, transmit->port);
  }
  return n != 0;
}

bool Worker::receive(const WorkerSetup::RxQueue& queue) {
  std::array<rte_mbuf*, kMaxBurst> frames;
  const std::uint16_t n = rte_eth_rx_burst(setup_.ports[queue.port].id, queue.queue, frames.data(), kMaxBurst);
  if (n == 0) return false;
  counters_.rx.add(n);
  for (std::uint16_t i = 0; i < n; ++i) {
    rte_prefetch0(rte_pktmbuf_mtod(frames[i], void*));
    meta(frames[i]).in_port = queue.port;
  }
  process({frames.data(), n});
  return true;
}

void Worker::process(std::span<rte_mbuf*> frames) {
  for (rte_mbuf* m : frames) {
    const std::uint16_t port = meta(m).in_port;
    switch (classify(m, setup_.ports[port], port, *tables_->routes)) {
      case Verdict::drop:
        drop(m, meta(m).drop);
        break;
      case Verdict::esp:
        drop(m, Drop::unknown_spi);
        break;
      case Verdict::clear:
        rte_pktmbuf_adj(m, meta(m).l3_offset);
        on_clear(m);
        break;
      case Verdict::local:
        rte_pktmbuf_adj(m, meta(m).l3_offset);
        on_local(m);
        break;
      case Verdict::fragment:
        drop(m, Drop::fragment_invalid);
        break;
      case Verdict::ike:
        punt(PuntClass::ike, {.packet = m, .port = port, .next_hop = {}});
        break;
      case Verdict::arp:
        punt(PuntClass::arp, {.packet = m, .port = port, .next_hop = {}});
        break;
      case Verdict::keepalive:
        counters_.keepalives.add();
        rte_pktmbuf_free(m);
        break;
    }
  }
}

bool Worker::take_hand_overs() {
  bool busy = false;
  for (auto& ring : mail_.from) {
    std::array<HandOver, kMaxBurst> items;
    const std::size_t n = ring->pop(items);
    busy |= n != 0;
    for (std::size_t i = 0; i < n; ++i) {
      switch (items[i].kind) {
        case HandOver::Kind::frame:
          send_frame(items[i].packet, items[i].port);
          break;
        case HandOver::Kind::esp:
        case HandOver::Kind::encrypt:
          drop(items[i].packet, Drop::no_sa);
          break;
      }
    }
  }
  return busy;
}

}  // namespace causeway::dataplane

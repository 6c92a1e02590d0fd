// What leaves a worker: frames to a device, packets up to the control thread and over to other workers,
// and drops, each under its name.
#include <rte_ethdev.h>
#include <unistd.h>

#include "dataplane/fragment.h"
#include "dataplane/worker.h"

namespace causeway::dataplane {

void Worker::drop(rte_mbuf* m, Drop why) {
  counters_.drop(why);
  if (why == Drop::unknown_spi) tell_of_unknown_esp(m);
  rte_pktmbuf_free(m);
}

void Worker::tell_of_unknown_esp(rte_mbuf* m) {
  if (unknown_esp_told_ms_ != 0 && now_ms_ < unknown_esp_told_ms_ + 1000) return;
  unknown_esp_told_ms_ = now_ms_;
  if (const auto ip = read_ip(m, meta(m).l3_offset)) {
    notice(UnknownEsp{conf::IpAddress::from_octets({ip->source, ip->address_octets()}), meta(m).spi});
  }
}

void Worker::wake_control() {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // the message is in its ring before we look
  if (!shared_.wake_up.sleeping.load(std::memory_order_relaxed) ||
      !shared_.wake_up.sleeping.exchange(false, std::memory_order_acq_rel))
    return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(shared_.wake_up.fd, &one, sizeof one);
}

void Worker::punt(PuntClass to, const Punt& what) {
  const auto index = static_cast<std::size_t>(to);
  if (!punt_limits_[index].take(now_ms_)) return drop(what.packet, Drop::punt_rate_limited);
  if (!mail_.punts[index].push(what)) return drop(what.packet, Drop::punt_full);
  wake_control();
}

// Never full: the control thread has no more installs and removals under way than the ring takes.
void Worker::report(const Report& what) {
  mail_.reports.push(what);
  wake_control();
}

void Worker::notice(const Notice& what) {
  if (mail_.notices.push(what)) wake_control();
}

// In batches: the ring's cache lines travel between the cores once for all packets of a burst.
void Worker::hand_over(std::uint16_t worker, const HandOver& what) {
  HandOverBuffer& buffer = handing_over_[worker];
  buffer.items[buffer.count++] = what;
  if (buffer.count == kMaxBurst) flush_hand_overs(worker);
}

void Worker::flush_hand_overs(std::uint16_t worker) {
  HandOverBuffer& buffer = handing_over_[worker];
  const std::span<const HandOver> items(buffer.items.data(), buffer.count);
  const std::size_t taken = setup_.mailboxes[worker]->from[setup_.index]->push(items);
  counters_.handed_over.add(taken);
  for (const HandOver& item : items.subspan(taken)) drop(item.packet, Drop::handover_full);
  buffer.count = 0;
}

// A chain, or for a port of which another worker has the queue.
void Worker::send_specially(rte_mbuf* m, std::uint16_t port) {
  const PortView& view = setup_.ports[port];
  if (!view.tx_queue) return hand_over(view.tx_owner, {m, HandOver::Kind::frame, port});
  if (m->nb_segs > 1 && !view.chains) {
    m = linearise(setup_.jumbo_pool, PacketPtr(m)).release();
    if (m == nullptr) return counters_.drop(Drop::no_buffer);
    counters_.linearised.add();
  }
  queue_frame(m, port);
}

// A queue that is full is tried once more; what it still does not take is dropped, never waited for.
void Worker::flush(std::uint16_t port) {
  TxBuffer& buffer = tx_[port];
  const PortView& view = setup_.ports[port];
  if (!view.state->attached.load(std::memory_order_acquire) || !view.state->link.load(std::memory_order_relaxed)) {
    for (std::uint16_t i = 0; i < buffer.count; ++i) drop(buffer.frames[i], Drop::link_down);
    buffer.count = 0;
    return;
  }
  std::uint16_t sent = rte_eth_tx_burst(view.id, *view.tx_queue, buffer.frames.data(), buffer.count);
  if (sent < buffer.count) {
    sent = static_cast<std::uint16_t>(sent + rte_eth_tx_burst(view.id, *view.tx_queue, buffer.frames.data() + sent,
                                                              static_cast<std::uint16_t>(buffer.count - sent)));
  }
  counters_.tx.add(sent);
  for (std::uint16_t i = sent; i < buffer.count; ++i) drop(buffer.frames[i], Drop::tx_full);
  buffer.count = 0;
}

void Worker::flush_all() {
  for (std::uint16_t port = 0; port < tx_.size(); ++port) {
    if (tx_[port].count != 0) flush(port);
  }
  for (std::uint16_t worker = 0; worker < handing_over_.size(); ++worker) {
    if (handing_over_[worker].count != 0) flush_hand_overs(worker);
  }
}

}  // namespace causeway::dataplane

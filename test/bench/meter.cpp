#include "test/bench/meter.h"

#include <rte_cycles.h>
#include <rte_mempool.h>
#include <x86intrin.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "dataplane/arp.h"
#include "dataplane/headers.h"
#include "dataplane/packet.h"

namespace causeway::bench {

using namespace causeway::dataplane;

namespace {

constexpr std::uint32_t kWarmPairs = 64;  // that begin a measurement and do not count
constexpr std::uint64_t kAwayUs = 50;     // nothing of ours takes so long: the machine was away
constexpr std::size_t kTrials = 60;       // batches by which the fastest way of the library is found

// A driver's release: references are looked at, then the buffers go back to their pool at once.
void release(rte_mbuf** frames, std::uint16_t count) {
  rte_mempool* pool = frames[0]->pool;
  void* buffers[2 * kMaxBurst];
  unsigned n = 0;
  for (std::uint16_t i = 0; i < count; ++i) {
    rte_mbuf* m = rte_pktmbuf_prefree_seg(frames[i]);
    if (m == nullptr) continue;
    if (m->pool == pool)
      buffers[n++] = m;
    else
      rte_mempool_put(m->pool, m);
  }
  rte_mempool_put_bulk(pool, buffers, n);
}

}  // namespace

std::uint64_t tsc() {
  _mm_lfence();
  const std::uint64_t now = __rdtsc();
  _mm_lfence();
  return now;
}

std::uint64_t tsc_overhead() {
  std::uint64_t least = UINT64_MAX;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t begin = tsc();
    least = std::min(least, tsc() - begin);
  }
  return least;
}

// What it holds of buffers went with the gateway's pool, which ends first.
Meter::~Meter() = default;

void Meter::set_up(const Case& what, const Addresses& addresses, std::vector<Frames::Tunnel> tunnels,
                   rte_mempool* pool) {
  what_ = what;
  pool_ = pool;
  frames_ = std::make_unique<Frames>(what, addresses, std::move(tunnels), 1);
  overhead_ = tsc_overhead();
  for (rte_mbuf* m : ready_) rte_pktmbuf_free(m);
  ready_.assign(what.burst, nullptr);
  spare_.assign(what.burst, nullptr);
  raw_packets_.resize(what.burst);
  given_ = taken_ = rounds_ = raw_round_ = 0;
  if (rte_pktmbuf_alloc_bulk(pool_, ready_.data(), what.burst) != 0) throw std::runtime_error("no packet buffers");
}

void Meter::warm_up(const Case& what, const Addresses& addresses, std::vector<Frames::Tunnel> tunnels,
                    rte_mempool* pool) {
  set_up(what, addresses, std::move(tunnels), pool);
  task_.store(Task::warm_up, std::memory_order_release);
}

void Meter::measure(const Case& what, const Addresses& addresses, std::vector<Frames::Tunnel> tunnels,
                    rte_mempool* pool, std::size_t pairs, double seconds) {
  set_up(what, addresses, std::move(tunnels), pool);
  choose_raw();
  pairs_.clear();
  pairs_.reserve(pairs);
  wanted_ = pairs;
  until_ = rte_rdtsc() + static_cast<std::uint64_t>(seconds * static_cast<double>(rte_get_tsc_hz()));
  task_.store(Task::measure, std::memory_order_release);
}

void Meter::flow(const Case& what, const Addresses& addresses, std::vector<Frames::Tunnel> tunnels, rte_mempool* pool) {
  set_up(what, addresses, std::move(tunnels), pool);
  stock_.clear();
  for (std::size_t burst = 0; burst < kStock; ++burst) {
    frames_->fill(ready_, burst);
    for (rte_mbuf* m : ready_) {
      const auto* at = rte_pktmbuf_mtod(m, const std::uint8_t*);
      stock_.emplace_back(at, at + m->data_len);
    }
  }
  feed_cycles_ = 0;
  flowed_.store(0, std::memory_order_relaxed);
  task_.store(Task::flow, std::memory_order_release);
}

void Meter::lone_packets(std::size_t samples) {
  lone_.clear();
  lone_.reserve(samples);
  lone_wanted_ = samples;
  given_ = taken_ = 0;
  under_way_ = away_ = false;
  due_ = 0;
  task_.store(Task::lone, std::memory_order_release);
}

// Buffers as fresh as they are for ours, then nothing but the library.
std::uint64_t Meter::time_raw(RawCrypto& raw) {
  frames_->fill(ready_, raw_round_++);
  frames_->raw(ready_, raw_packets_);
  raw.prepare(raw_packets_);
  const std::uint64_t begin = tsc();
  raw.run(raw_packets_);
  return tsc() - begin - overhead_;
}

// All ways take turns, and each is judged by the least of its batches that a tenth of them undercuts.
void Meter::choose_raw() {
  const bool encrypt = what_.direction == Direction::outbound;
  std::vector<std::pair<RawWay, std::unique_ptr<RawCrypto>>> ways;
  for (const RawWay way : RawCrypto::ways(what_.suite))
    if (auto raw = RawCrypto::make(what_.suite, encrypt, way, std::min<std::size_t>(frames_->keys(), 64)); raw)
      ways.emplace_back(way, std::move(raw));
  if (ways.empty()) throw std::runtime_error("IPsec-MB does not run on this CPU");
  const std::uint32_t keys = std::min<std::uint32_t>(frames_->keys(), 64);
  std::vector<std::vector<std::uint64_t>> times(ways.size());
  for (std::size_t trial = 0; trial < kTrials; ++trial) {
    for (std::size_t w = 0; w < ways.size(); ++w) {
      frames_->fill(ready_, trial);
      frames_->raw(ready_, raw_packets_);
      for (RawPacket& p : raw_packets_) p.key %= keys;
      ways[w].second->prepare(raw_packets_);
      const std::uint64_t begin = tsc();
      ways[w].second->run(raw_packets_);
      times[w].push_back(tsc() - begin);
    }
  }
  std::size_t best = 0;
  const auto judged = [&](std::size_t w) {
    std::nth_element(times[w].begin(), times[w].begin() + kTrials / 10, times[w].end());
    return times[w][kTrials / 10];
  };
  for (std::size_t w = 1; w < ways.size(); ++w)
    if (judged(w) < judged(best)) best = w;
  raw_by_ = ways[best].first.name();
  raw_ = RawCrypto::make(what_.suite, encrypt, ways[best].first, frames_->keys());
}

std::uint16_t Meter::receive(unsigned port, rte_mbuf** frames, std::uint16_t room) {
  const Task task = task_.load(std::memory_order_acquire);
  if (task == Task::measure) return port == feed_port() ? next_pair(frames) : std::uint16_t{0};
  if (task == Task::flow) return port == feed_port() ? next_of_flow(frames) : std::uint16_t{0};
  if (task == Task::lone) return port == feed_port() ? next_lone(frames) : std::uint16_t{0};
  if (!answers_.empty() && answers_.front().first == port) return answer_arp(frames, room);
  // One packet; when it and its answers went through, the neighbors are known.
  if (task != Task::warm_up || port != feed_port() || given_ != 0) return 0;
  given_ = 1;
  rte_mbuf* one = rte_pktmbuf_alloc(pool_);
  frames_->fill({&one, 1});
  frames[0] = one;
  return 1;
}

std::uint16_t Meter::answer_arp(rte_mbuf** frames, std::uint16_t room) {
  if (room == 0) return 0;
  frames[0] = answers_.front().second;
  answers_.pop_front();
  return 1;
}

// What the gateway sends while it warms up: its questions for neighbors are answered, all by one MAC address.
void Meter::look_at(rte_mbuf* frame, unsigned port) {
  const auto* at = rte_pktmbuf_mtod(frame, const std::uint8_t*);
  const std::uint16_t type = be16(at + 12);
  if (type == RTE_ETHER_TYPE_IPV4) return task_.store(Task::rest, std::memory_order_release);
  const std::uint8_t* arp = at + kEthernetHeader;
  const bool question = type == RTE_ETHER_TYPE_ARP && arp[7] == 1 && std::memcmp(arp + 14, arp + 24, 4) != 0;
  if (!question) return;
  rte_mbuf* m = rte_pktmbuf_alloc(pool_);
  if (m == nullptr) return;
  auto* out = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(m, 60));
  std::memset(out, 0, 60);
  std::memcpy(out, at + 6, 6);
  std::memcpy(out + 6, kNeighborMac.data(), 6);
  put_be16(out + 12, RTE_ETHER_TYPE_ARP);
  std::uint8_t* answer = out + kEthernetHeader;
  std::memcpy(answer, arp, 6);
  put_be16(answer + 6, 2);
  std::memcpy(answer + 8, kNeighborMac.data(), 6);
  std::memcpy(answer + 14, arp + 24, 4);
  std::memcpy(answer + 18, arp + 8, 10);
  answers_.emplace_back(port, m);
}

std::uint16_t Meter::transmit(unsigned port, rte_mbuf** frames, std::uint16_t count) {
  const Task task = task_.load(std::memory_order_relaxed);
  if (task == Task::lone && under_way_) {
    const std::uint64_t now = tsc();
    lone_.push_back({now - due_, away_ || now - last_poll_ > kAwayUs * (rte_get_tsc_hz() / 1'000'000)});
    under_way_ = false;
    due_ = 0;
  }
  if (task == Task::warm_up || (task == Task::rest && stock_.empty()))
    for (std::uint16_t i = 0; i < count; ++i) look_at(frames[i], port);
  if (stock_.empty()) {
    taken_ += count;
  } else {  // (the gateway also announces itself)
    for (std::uint16_t i = 0; i < count; ++i)
      if (be16(rte_pktmbuf_mtod(frames[i], const std::uint8_t*) + 12) == RTE_ETHER_TYPE_IPV4) ++taken_;
    flowed_.store(taken_, std::memory_order_relaxed);
  }
  release(frames, count);
  if (task == Task::measure) {
    end_ = tsc();
    if (clock_ != nullptr) clock_->mark(Stage::tx);
  }
  return count;
}

std::uint16_t Meter::next_pair(rte_mbuf** frames) {
  // 1. The pair that the worker has just finished.
  if (begin_ != 0) {
    Pair pair{.ours = end_ - begin_ - overhead_, .raw = raw_first_, .stages = {}};
    if (clock_ != nullptr) pair.stages = clock_->cycles;
    if (rounds_ % 2 == 0) pair.raw = time_raw(*raw_);
    if (++rounds_ > kWarmPairs) pairs_.push_back(pair);
    begin_ = 0;
    if (pairs_.size() >= wanted_ || (rte_rdtsc() > until_ && pairs_.size() >= wanted_ / 20)) {
      task_.store(Task::rest, std::memory_order_release);
      return 0;
    }
  }
  // 2. The next one: raw first every second time.
  if (rounds_ % 2 == 1) raw_first_ = time_raw(*raw_);
  frames_->fill(ready_, rounds_);
  given_ += what_.burst;
  if (clock_ != nullptr) {
    clock_->cycles = {};
    clock_->start();
  }
  begin_ = tsc();
  // 3. As a driver does: new buffers into the ring for those that leave it.
  if (rte_pktmbuf_alloc_bulk(pool_, spare_.data(), what_.burst) != 0) return 0;
  std::copy(ready_.begin(), ready_.end(), frames);
  std::swap(ready_, spare_);
  return what_.burst;
}

std::uint16_t Meter::next_of_flow(rte_mbuf** frames) {
  const std::uint64_t begin = rte_rdtsc();
  if (rte_pktmbuf_alloc_bulk(pool_, frames, what_.burst) != 0) return 0;
  for (std::uint16_t i = 0; i < what_.burst; ++i) {
    const std::vector<std::uint8_t>& octets = stock_[next_++ % stock_.size()];
    std::memcpy(rte_pktmbuf_mtod(frames[i], void*), octets.data(), octets.size());
    frames[i]->data_len = static_cast<std::uint16_t>(octets.size());
    frames[i]->pkt_len = static_cast<std::uint32_t>(octets.size());
  }
  given_ += what_.burst;
  feed_cycles_ += rte_rdtsc() - begin;
  return what_.burst;
}

// A packet comes at a moment that has nothing to do with the worker's polls. Its latency counts from that moment.
// Two polls of an idle worker are a fraction of a microsecond apart: where they are many apart the machine was away.
std::uint16_t Meter::next_lone(rte_mbuf** frames) {
  if (under_way_) return 0;
  const std::uint64_t us = rte_get_tsc_hz() / 1'000'000;
  // 1. Make it, and choose its moment.
  if (due_ == 0) {
    if (lone_.size() >= lone_wanted_) {
      task_.store(Task::rest, std::memory_order_release);
      return 0;
    }
    frames_->fill({ready_.data(), 1});
    last_poll_ = rte_rdtsc();
    due_ = last_poll_ + 20 * us + random_() % (30 * us);
    return 0;
  }
  // 2. Not yet; or now, or a little ago.
  const std::uint64_t now = rte_rdtsc();
  away_ = now - last_poll_ > kAwayUs * us;
  last_poll_ = now;
  if (now < due_) return 0;
  frames[0] = ready_[0];
  under_way_ = true;
  ++given_;
  ready_[0] = rte_pktmbuf_alloc(pool_);
  return 1;
}

}  // namespace causeway::bench

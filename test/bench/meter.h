// Measures one worker from within: it is the far end of the worker's ports, so it runs on the worker's thread,
// between its polls.
//
// What is timed as ours: from the moment rx_burst has its frames ready (buffers to replace them are allocated
// inside, as a driver does) to the return of tx_burst, which frees what was sent, as a driver does: all of the
// worker's code and the buffers' allocation and release; not the making of the frames. What is timed as raw: the
// library's calls for a batch of the same lengths in the same buffers, freshly written like ours. Ours and raw
// alternate (ours raw, raw ours, ...), and what is reported is the difference pair by pair: whatever slows the
// machine for longer than a batch slows both.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "dataplane/stage_clock.h"
#include "test/bench/case.h"
#include "test/bench/frames.h"
#include "test/bench/memory_port.h"
#include "test/bench/raw_crypto.h"

namespace causeway::bench {

std::uint64_t tsc();           // ordered: nothing before it is still to be done, nothing behind it has begun
std::uint64_t tsc_overhead();  // of two in a row

class Meter final : public FarEnd {
 public:
  struct Pair {
    std::uint64_t ours = 0, raw = 0;  // cycles for the batch
    std::array<std::uint64_t, dataplane::kStages> stages{};
  };
  struct Lone {
    std::uint64_t cycles = 0;
    bool apart = false;  // the machine was away meanwhile
  };

  explicit Meter(dataplane::StageClock* clock) : clock_(clock) {}
  ~Meter() override;

  std::uint16_t receive(unsigned port, rte_mbuf** frames, std::uint16_t room) override;
  std::uint16_t transmit(unsigned port, rte_mbuf** frames, std::uint16_t count) override;

  // By the main thread, while the meter is at rest. The meter begins on the worker's next poll.
  void measure(const Case& what, const Addresses& addresses, std::vector<Frames::Tunnel> tunnels, rte_mempool* pool,
               std::size_t pairs, double seconds);
  void lone_packets(std::size_t samples);  // the case and its frames are measure()'s
  void answer(rte_mempool* pool) { pool_ = pool; }  // questions for neighbors, which is all that it does then
  // Frames without end, from a stock made beforehand, until stop(). The replay window has to be off.
  void flow(const Case& what, const Addresses& addresses, std::vector<Frames::Tunnel> tunnels, rte_mempool* pool);
  void stop() { task_.store(Task::rest, std::memory_order_release); }
  [[nodiscard]] std::uint64_t flowed() const { return flowed_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t feed_cycles() const { return feed_cycles_; }  // at rest
  // One packet, so that the gateway learns its neighbors. At rest again when it came through.
  void warm_up(const Case& what, const Addresses& addresses, std::vector<Frames::Tunnel> tunnels, rte_mempool* pool);
  [[nodiscard]] bool at_rest() const { return task_.load(std::memory_order_acquire) == Task::rest; }

  // Results, at rest.
  [[nodiscard]] const std::vector<Pair>& pairs() const { return pairs_; }
  [[nodiscard]] const std::vector<Lone>& lone() const { return lone_; }
  [[nodiscard]] const std::string& raw_by() const { return raw_by_; }
  [[nodiscard]] std::uint64_t given() const { return given_; }
  [[nodiscard]] std::uint64_t taken() const { return taken_; }

 private:
  enum class Task : std::uint8_t { rest, warm_up, measure, lone, flow };

  void set_up(const Case& what, const Addresses& addresses, std::vector<Frames::Tunnel> tunnels, rte_mempool* pool);
  void choose_raw();
  std::uint64_t time_raw(RawCrypto& raw);
  std::uint16_t next_pair(rte_mbuf** frames);
  std::uint16_t next_lone(rte_mbuf** frames);
  std::uint16_t next_of_flow(rte_mbuf** frames);
  std::uint16_t answer_arp(rte_mbuf** frames, std::uint16_t room);
  void look_at(rte_mbuf* frame, unsigned port);
  [[nodiscard]] unsigned feed_port() const { return what_.direction == dataplane::Direction::outbound ? 1 : 0; }

  std::atomic<Task> task_{Task::rest};
  dataplane::StageClock* clock_;
  Case what_;
  rte_mempool* pool_ = nullptr;
  std::unique_ptr<Frames> frames_;
  std::unique_ptr<RawCrypto> raw_;
  std::string raw_by_;
  std::vector<rte_mbuf*> ready_, spare_;
  std::vector<RawPacket> raw_packets_;
  std::deque<std::pair<unsigned, rte_mbuf*>> answers_;

  std::vector<Pair> pairs_;
  std::size_t wanted_ = 0;
  std::uint64_t until_ = 0, overhead_ = 0;
  std::uint64_t begin_ = 0, end_ = 0;  // of the batch that the worker has
  std::uint64_t raw_first_ = 0;        // of a pair whose raw half came first
  std::uint64_t given_ = 0, taken_ = 0;
  std::uint32_t rounds_ = 0, raw_round_ = 0;

  static constexpr std::size_t kStock = 64;  // bursts
  std::vector<std::vector<std::uint8_t>> stock_;
  std::size_t next_ = 0;  // of the stock
  std::atomic<std::uint64_t> flowed_{0};
  std::uint64_t feed_cycles_ = 0;

  std::vector<Lone> lone_;
  std::size_t lone_wanted_ = 0;
  std::uint64_t due_ = 0, last_poll_ = 0;
  bool away_ = false, under_way_ = false;
  std::minstd_rand random_{7};
};

}  // namespace causeway::bench

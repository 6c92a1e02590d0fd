// When a worker begins to encrypt itself what it handed to another before (a rekey to `spread`), or the other way
// round, packets of a flow must not overtake those that are still on their way between workers. A fence is put up
// behind these; until it has fallen the worker leaves packets in its receive queues, and goes on with all else. Nobody
// waits for anything but a worker's next rounds: some microseconds.
//
// What is under way passes two rings at most: to the SA's owner, then as a frame to the owner of a transmit queue. So:
// everything that stands in any ring between workers is taken out; who took it has ended its round, and so passed it
// on; and the same once more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace causeway::dataplane {

struct Mailbox;

class HandOverFence {
 public:
  explicit HandOverFence(std::span<Mailbox* const> all, std::size_t own);

  // Behind all that stands in the rings now.
  void put_up();
  // Behind one more packet, of those that no receive queue holds back (out of a tunnel, or our own). Not for ever:
  // after that it falls, and who sends may overtake.
  [[nodiscard]] bool may_move() const { return moves_ < kMostMoves; }
  void move_behind();
  [[nodiscard]] bool stands() const { return hops_ != 0; }
  // Once a round, at its head: takes it down when it may.
  void look();

 private:
  static constexpr int kHops = 2, kMostMoves = 256;
  void note_rings();
  [[nodiscard]] bool rings_passed() const;
  void note_rounds();
  [[nodiscard]] bool rounds_passed() const;

  const std::vector<Mailbox*> all_;
  const std::size_t own_;
  int hops_ = 0, moves_ = 0;
  bool emptied_ = false;               // what was in the rings is out: rounds are waited for
  std::vector<std::uint64_t> pushed_;  // by consumer, then producer
  std::vector<std::uint64_t> polls_;   // by worker
};

}  // namespace causeway::dataplane

// Finds what the path to a peer carries where nobody says so by ICMP (RFC 4821, RFC 8899): an echo request to a host
// behind the peer that is known to answer, sent through the tunnel in an outer packet of the size in question that
// nobody may fragment. No answer to a large one while small ones are answered means that the path swallows it.
//
//   idle --host known--> greet (small) --answer--> top (what the port takes) --answer--> idle, 9 minutes
//                          |                         | 3 unanswered
//                          +-- 3: another host       v
//                                                 confirm (small) --answer--> search (halving) --> idle, 9 minutes
//
// Asked again before what was found is forgotten after ten minutes (path_mtu.h), so that a path that stays narrow is
// never taken for a wide one in between, and one that has grown is used again.
//
// A state machine without I/O and clock: the control thread drives it.
#pragma once

#include <cstdint>
#include <optional>

#include "conf/address.h"

namespace causeway::dataplane {

class PathProbe {
 public:
  static constexpr std::uint64_t kWaitMs = 1'000, kAgainMs = 540'000, kOtherHostMs = 10'000;
  static constexpr int kTries = 3;
  static constexpr std::uint16_t kNearEnough = 8;  // octets between what passes and what does not

  struct Send {
    conf::IpAddress to;
    std::uint16_t outer = 0;  // octets of the outer packet; 0: a small one
    std::uint16_t sequence = 0;
  };

  // Outer sizes: the least that a path may have, and the most that we would send.
  void set_bounds(std::uint16_t least, std::uint16_t most);
  // A host behind the peer that may answer. Taken where none is known.
  void suggest(const conf::IpAddress& host);
  // What to send now, if anything.
  std::optional<Send> tick(std::uint64_t now_ms, std::uint16_t& next_sequence);
  // True where it was what we wait for.
  bool answered(std::uint16_t sequence, const conf::IpAddress& from, std::uint64_t now_ms);
  // What the path was found to carry, once after each finding: the upper bound, where all is well.
  std::optional<std::uint16_t> take_found();

  // --- for those who look ---
  [[nodiscard]] const std::optional<conf::IpAddress>& last_host() const { return last_host_; }  // asked last
  [[nodiscard]] bool host_answered() const { return answered_; }  // the last question that was
  [[nodiscard]] bool host_silent() const { return silent_; }      // or was not, three times, though it was a small one
  [[nodiscard]] std::uint16_t known() const { return known_; }    // what was found last; 0: nothing yet
  [[nodiscard]] std::uint16_t most() const { return most_; }

 private:
  enum class State : std::uint8_t { idle, greet, top, confirm, search };
  void enter(State state, std::uint16_t size, std::uint64_t now_ms);
  void on_silence(std::uint64_t now_ms);
  void step(std::uint64_t now_ms);
  void rest(std::uint64_t now_ms, std::uint64_t for_ms);

  State state_ = State::idle;
  std::optional<conf::IpAddress> host_;
  std::uint16_t least_ = 576, most_ = 1500;
  std::uint16_t low_ = 0, high_ = 0;  // passes, does not
  std::uint16_t size_ = 0;            // asked about
  std::uint16_t sequence_ = 0;        // of the last question
  int asked_ = 0;
  std::uint64_t next_ms_ = 0;
  std::optional<std::uint16_t> found_;
  std::optional<conf::IpAddress> last_host_;
  bool answered_ = false, silent_ = false;
  std::uint16_t known_ = 0;
};

}  // namespace causeway::dataplane

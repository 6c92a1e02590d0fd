// What costs the control thread cryptography and comes in any number at once: IKE messages, and what makes a tunnel
// begin or rekey. Each lane has a share of a round's processor time and at least one turn in it; the rest waits for the
// next round. So the handshakes of a thousand tunnels keep neither timers nor commands waiting, and the messages of
// tunnels that live pass those of tunnels that only want to. Pure: processor time is the caller's.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>

#include "dataplane/dataplane.h"

namespace causeway::control {

using ProcessorTime = std::function<std::chrono::microseconds()>;

// A part of a round, from when it is made.
class Share {
 public:
  explicit Share(const ProcessorTime& spent, std::chrono::microseconds most = std::chrono::milliseconds(4))
      : spent_(spent), end_(spent() + most) {}
  [[nodiscard]] bool used_up() const { return spent_() >= end_; }

 private:
  const ProcessorTime& spent_;
  std::chrono::microseconds end_;
};

class WorkQueue {
 public:
  // In the order in which they are served.
  enum class Lane : std::uint8_t {
    live,       // IKE messages of established IKE SAs
    wishes,     // traffic wants a tunnel, a limit is reached, a peer has moved: never refused, each is said once
    half_open,  // IKE messages of IKE SAs that are not established
    first,      // IKE messages that anybody may send
  };
  static constexpr std::size_t kLanes = 4;
  static constexpr std::size_t kMessages = 512, kOctets = std::size_t{4} << 20;  // that may wait in a lane

  // False where the lane has no room for an IKE message: it is lost, as on the wire.
  [[nodiscard]] bool put(Lane lane, dataplane::Event event);
  void serve(const ProcessorTime& spent, const std::function<void(dataplane::Event&&)>& handle);
  [[nodiscard]] bool empty() const;

 private:
  struct Waiting {
    std::deque<dataplane::Event> events;
    std::size_t octets = 0;  // of IKE messages
  };
  std::array<Waiting, kLanes> lanes_;
};

}  // namespace causeway::control

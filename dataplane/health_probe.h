// Whether a host behind a tunnel's peer answers through it: an echo every two seconds. Three in a row without an answer,
// and it does not, whatever IKE says; three answers in a row, and it does again, so that a path that flaps does not
// make traffic flap.
//
// A state machine without I/O and clock: the control thread drives it (gateway_health.cpp).
#pragma once

#include <cstdint>
#include <optional>

namespace causeway::dataplane {

class HealthProbe {
 public:
  static constexpr std::uint64_t kEveryMs = 2'000;
  static constexpr int kInARow = 3;

  // The sequence number of the echo to send now, if one is due. An answer counts until the next one is sent.
  std::optional<std::uint16_t> tick(std::uint64_t now_ms, std::uint16_t& next_sequence);
  // True where it was what we wait for.
  bool answered(std::uint16_t sequence);
  // What changed, once after each change. The first word is an answer, or three that did not come.
  std::optional<bool> take_change();

 private:
  void count(bool answer);

  std::optional<bool> answers_, told_;  // unset: not known yet
  int in_a_row_ = 0;                    // that say otherwise
  bool waiting_ = false;
  std::uint16_t sequence_ = 0;
  std::uint64_t next_ms_ = 0;
};

}  // namespace causeway::dataplane

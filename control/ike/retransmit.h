// When an unanswered request is sent again, and when it is given up (RFC 7296 2.4): a value, without a clock.
#pragma once

#include <optional>

#include "control/ike/effects.h"

namespace causeway::ike {

// Waits grow geometrically to a limit: 1, 1.8, 3.2, 5.8, 10.5, 18.9, 30 s; given up after about 71 s.
struct RetransmitSchedule {
  Time first{1000};
  int growth_percent = 180;
  Time limit{30000};
  int tries = 7;  // transmissions, the first included

  [[nodiscard]] Time wait_after(int transmissions) const;  // transmissions >= 1
  [[nodiscard]] Time total() const;                        // from the first transmission until it is given up
};

// One request on its way.
class Retransmission {
 public:
  Retransmission(RetransmitSchedule schedule, Time sent_at)
      : schedule_(schedule), due_(sent_at + schedule.wait_after(1)) {}

  enum class Due : std::uint8_t { no, send_again, give_up };
  // Call at or after deadline(). send_again counts as sent at `now`; after give_up it stays given up.
  Due poll(Time now);
  [[nodiscard]] Time deadline() const { return due_; }
  [[nodiscard]] int transmissions() const { return transmissions_; }
  [[nodiscard]] Time total() const { return schedule_.total(); }

 private:
  RetransmitSchedule schedule_;
  Time due_;
  int transmissions_ = 1;
};

}  // namespace causeway::ike

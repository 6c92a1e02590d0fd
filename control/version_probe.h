// Whether a peer that gave our first message nothing speaks the other IKE version, or only other algorithms.
//
// NO_PROPOSAL_CHOSEN is all that a gateway says when the version, the algorithms, or our address are not what it is
// configured for; many say nothing. So two first messages with the usual algorithms go out, one in either version. They
// are those of ordinary initiators whose further messages are never sent: no exchange is completed, and what comes of
// it is text. At most one pair in ten minutes and tunnel; `probe = false` turns it off.
#pragma once

#include <optional>
#include <vector>

#include "control/engine.h"

namespace causeway::control {

class VersionProbe {
 public:
  // The messages to send, where a probe is wanted and due.
  std::vector<ike::Send> begin(const ike::PeerSettings& settings, const Engine& engine, ike::Environment& environment,
                               ike::Time now);
  // A datagram for one of local_spis(): true where it led to a new finding.
  bool receive(std::uint64_t local_spi, const ike::Datagram& datagram, ike::Time now);
  // The peer began something in another version than the tunnel's: the same knowledge, had for free. True where new.
  bool peer_began(const ike::PeerSettings& settings, const conf::Endpoint& from, int version);
  void forget();  // the tunnel is up: what was found is over

  [[nodiscard]] std::vector<std::uint64_t> local_spis() const;
  // In place of a reason that only says "refused" or "no answer".
  [[nodiscard]] const std::optional<ike::Reason>& finding() const { return finding_; }

 private:
  struct Question {
    std::unique_ptr<ike::IkeSa> sa;
    int version = 0;
    bool own = false;  // the tunnel's own version, with other algorithms
  };
  std::vector<Question> questions_;
  std::unique_ptr<ike::Environment> environment_;  // lent to their state machines
  std::optional<ike::Time> asked_at_;
  std::string offered_;  // what the tunnel offers
  std::optional<ike::Reason> finding_;
  bool algorithms_ = false;  // the finding is that the own version was answered: nothing outdoes it
};

}  // namespace causeway::control

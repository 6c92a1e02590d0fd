// What a tunnel's SAs carried, put together across rekeys, as far as the diagnosis asks: what came and went when, which
// questions wait for an answer, what was dropped behind decryption. Looked at about once a second.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "control/diagnosis/facts.h"
#include "control/ike/effects.h"
#include "dataplane/dataplane.h"

namespace causeway::control {

class TrafficWatch {
 public:
  struct Seen {
    std::uint32_t spi = 0;
    dataplane::SaCounters counters;
  };
  // The SAs that there are now; those that are gone are forgotten, with what they counted since the last look.
  void look(std::span<const Seen> inbound, std::span<const Seen> outbound, ike::Time now);
  void asked(const dataplane::Asked& sample, ike::Time now);
  void outside(const conf::IpAddress& source, bool theirs);

  [[nodiscard]] diagnosis::Traffic traffic(ike::Time now) const;
  // Since the gateway began.
  [[nodiscard]] std::uint64_t packets_in() const { return packets_in_; }
  [[nodiscard]] std::uint64_t packets_out() const { return packets_out_; }

 private:
  struct Waiting {
    std::uint64_t unanswered = 0, answered = 0;
    ike::Time first{0}, last{0};
    void add(std::uint64_t asked, std::uint64_t answers, ike::Time now);
    [[nodiscard]] diagnosis::Asked as_asked(ike::Time now) const;
  };
  struct Recent {  // of the last minutes
    std::uint64_t count = 0;
    ike::Time last{0};
    void add(std::uint64_t n, ike::Time now);
    [[nodiscard]] std::uint64_t of(ike::Time now) const;
  };
  using Counts = std::map<std::uint32_t, dataplane::SaCounters>;
  static dataplane::SaCounters gained(Counts& known, std::span<const Seen> sas);

  Counts in_, out_;
  std::uint64_t packets_in_ = 0, packets_out_ = 0;
  std::optional<ike::Time> last_in_, last_out_;  // of others than this box
  Waiting tcp_out_, echo_out_, tcp_in_, echo_in_;
  Recent mismatch_, no_neighbor_, no_route_;
  std::optional<conf::IpAddress> asked_host_, outside_;
  std::uint16_t asked_port_ = 0;
  bool outside_theirs_ = false;
  std::map<conf::IpAddress, ike::Time> echoed_;  // hosts behind the peer that answered a ping, a few
};

}  // namespace causeway::control

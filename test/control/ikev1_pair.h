// A pair that speaks IKEv1, and the only two ends a negotiation of it may have.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "test/support/catch.h"
#include "test/support/ike_pair.h"

namespace causeway::test {

inline constexpr Time kLatency{20};
inline constexpr Time kLong{300'000};  // longer than every retransmission, half-open life and liveness check together
inline const Arrival kOnTime{kLatency, std::nullopt};

inline PairOptions ikev1_options(PairOptions options = {}) {
  auto further = std::move(options.adjust);
  options.adjust = [further](ike::PeerSettings& s, bool is_b) {
    s.config.ike.version = 1;
    s.config.ike.proposals = {"aes128-sha1-modp2048"};
    s.config.esp.proposals = {"aes128-sha1"};
    s.config.esp.pfs = false;
    if (further) further(s, is_b);
  };
  return options;
}

inline PairOptions aggressive_options(PairOptions options = {}) {
  auto further = std::move(options.adjust);
  options.adjust = [further](ike::PeerSettings& s, bool is_b) {
    s.config.ike.mode = conf::IkeMode::aggressive;
    if (further) further(s, is_b);
  };
  return ikev1_options(std::move(options));
}

inline void require_agreement(const IkePair& pair) {
  for (const auto& n : pair.a.notices) UNSCOPED_INFO("a: " << n);
  for (const auto& n : pair.b.notices) UNSCOPED_INFO("b: " << n);
  REQUIRE(pair.stuck() == "");
  if (pair.both_up()) {
    REQUIRE(pair.difference() == "");
    return;
  }
  REQUIRE(pair.both_down());
  REQUIRE_FALSE(pair.a.ike_closed.empty());
  for (const auto* side : {&pair.a, &pair.b}) {
    for (const auto& reason : side->ike_closed) {
      REQUIRE(reason.cause != ike::Cause::none);
      REQUIRE_FALSE(reason.text.empty());
    }
  }
}

}  // namespace causeway::test

// What the tests of rekeys do to a pair, and how it must be afterwards.
#pragma once

#include <functional>

#include "test/support/catch.h"
#include "test/support/ike_pair.h"

namespace causeway::test {

inline constexpr Time kLatency{20};
inline const Arrival kOnTime{kLatency, std::nullopt};

using Action = std::function<void(ike::IkeSa&, Time, ike::Effects&)>;
inline const Action kRekeyChild = [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.rekey_child(1, now, out); };
inline const Action kRekeyIke = [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.rekey_ike(now, out); };
inline const Action kDeleteChild = [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.close_child(1, now, out); };
inline const Action kDeleteIke = [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.close(now, out); };

inline void bring_up(IkePair& pair) {
  pair.start(pair.a);
  pair.run(Time{2000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
}

// After all is done: one IKE SA, one child, no grace time left, nothing lost.
inline void require_one_of_each(const IkePair& pair) {
  for (const auto& n : pair.a.notices) UNSCOPED_INFO("a: " << n);
  for (const auto& n : pair.b.notices) UNSCOPED_INFO("b: " << n);
  REQUIRE(pair.stuck().empty());
  REQUIRE(pair.a.sas.size() == 1);
  REQUIRE(pair.b.sas.size() == 1);
  REQUIRE(pair.a.inbound.size() == 1);
  REQUIRE(pair.b.inbound.size() == 1);
  REQUIRE(pair.difference().empty());
  REQUIRE(pair.a.ike()->status().spi_initiator == pair.b.ike()->status().spi_initiator);
  REQUIRE(pair.a.ike()->status().spi_responder == pair.b.ike()->status().spi_responder);
  INFO(pair.first_loss);
  REQUIRE(pair.packets_sent > 0);
  REQUIRE(pair.packets_lost == 0);
}

}  // namespace causeway::test

// The handshake of IKEv2 between two of ours on an in-memory wire.
#include "test/support/catch.h"
#include "test/support/ike_pair.h"

namespace causeway {
namespace {

using test::IkePair;
using test::Time;

TEST_CASE("IKEv2 handshake: two round trips make both sides hold the same child") {
  IkePair pair;
  /* IKE_SA_INIT { SA, KE, Ni, N(NATD_S), N(NATD_D) } --> */
  /* <-- IKE_SA_INIT { SA, KE, Nr, N(NATD_S), N(NATD_D) } */
  /* IKE_AUTH { IDi, N(INITIAL_CONTACT), AUTH, SA, TSi, TSr } --> */
  /* <-- IKE_AUTH { IDr, AUTH, SA, TSi, TSr } */
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  for (const auto& n : pair.a.notices) UNSCOPED_INFO("a: " << n);
  for (const auto& n : pair.b.notices) UNSCOPED_INFO("b: " << n);
  REQUIRE(pair.both_up());
  CHECK(pair.history.size() == 4);
  CHECK(pair.difference().empty());
  CHECK(pair.stuck().empty());
  CHECK(pair.a.established == 1);
  CHECK(pair.b.established == 1);
  CHECK_FALSE(pair.a.outbound.at(1)->udp_encap);
}

}  // namespace
}  // namespace causeway

#include "control/ike/ike_sa.h"

namespace causeway::ike {

bool outranks(const IkeStatus& a, const IkeStatus& b) {
  const Time made_a = a.established_at - a.negotiation_time, made_b = b.established_at - b.negotiation_time;
  const bool at_once = made_a <= b.established_at && made_b <= a.established_at;
  return at_once ? a.spi_initiator < b.spi_initiator : a.established_at > b.established_at;
}

}  // namespace causeway::ike

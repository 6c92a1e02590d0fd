// Making, using and replacing pairs of ESP SAs.
//
// A rekey in IKEv1 is one more pair beside the old one; nothing on the wire says that it replaces it. Two pairs that
// were made to replace the same one (both sides rekeyed at once, or both began the tunnel) are told apart in the same
// way on both sides: the one that holds the smallest SPI of the four does the work, the other's maker deletes it.
// An old pair receives until the peer's DELETE or its own end, since the peer may send on it until then.
#pragma once

#include "control/ikev1/session.h"

namespace causeway::ikev1 {

inline constexpr ike::Time kInboundGrace{5000};  // for packets on their way when an SA is deleted

// Keys and SPIs in place; the lifetime's clocks start.
Child make_child(Session& s, const Quick& quick, const Transform& taken, const ike::Choice& choice,
                 std::uint32_t spi_out, const crypto::Secret& shared, ike::Time now);
// The pair is complete on both sides (third message sent, received, or ESP came in): it takes its place.
void establish(Session& s, Child child, Step& step);
void use_outbound(Session& s, Child& child, Step& step);
void stop_outbound(Child& child, Step& step);
// Takes both SAs away. Where another child of the slot lives on, traffic moves to it.
void remove_child(Session& s, std::uint32_t spi_in, ike::Time grace, const ike::Reason& reason, Step& step);
// Rekeys, deletes and expiries that are due.
void children_due(Session& s, Step& step);
[[nodiscard]] std::optional<ike::Time> next_child_event(const Session& s);
// Takes the children of another phase 1 with the same peer.
void inherit(Session& s, Session& older, Step& step);

}  // namespace causeway::ikev1

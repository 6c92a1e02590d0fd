// More than one answer to IKE_SA_INIT. It has no protection: whoever sees our request can answer it first. So each
// answer may be the right one, and the negotiation goes on with all of them at once, a few, until one is completed by a
// proof (RFC 7296 2.4). That one of them fails says nothing about the others.
//
// The session works on one; the others are parked, each with its keys, its request on its way and that one's timer.
#pragma once

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

// Another answer, when one was taken already.
void try_answer(Session& s, const Inbound& in, Step& step);
// A message is for one of the parked ones: the session works on that one from now on.
void activate(Session& s, std::uint64_t responder_spi);
// The same by its key, where a forger took the SPI of another's answer for its own.
bool activate_by_key(Session& s, const ike::EncryptedOuter& outer);
// The one worked on came to nothing. Where there is no other, and none comes in the next second, that was it:
// `politely` where the other side believes in an IKE SA and must be told.
void doubt(Session& s, ike::Reason reason, bool politely, Step& step);
// That second is over.
void settle(Session& s, Step& step);
// The one worked on is never answered: goes on with a parked one. False where there is none.
bool resume_parked(Session& s);

// --- time --------------------------------------------------------------------------------------------------
std::optional<ike::Time> parked_deadline(const Session& s);
void tick_parked(Session& s, Step& step);

}  // namespace causeway::ikev2

// Quick mode (RFC 2409 5.5): one pair of ESP SAs, with a key exchange of its own (PFS) or without.
//
//   1 -->  HDR*, HASH(1), SA, Ni, [KE,] IDci, IDcr
//   2 <--  HDR*, HASH(2), SA, Nr, [KE,] IDci, IDcr
//   3 -->  HDR*, HASH(3)
//
// As responder we receive on the new pair before message 2 leaves, and send on it once message 3 or ESP on the new
// pair says that the peer has it: a lost third message heals either way, and message 2 is sent again until then.
#pragma once

#include "control/ikev1/session.h"

namespace causeway::ikev1 {

void request_child(Session& s, const Task& task, Step& step);
void on_quick_1(Session& s, const Inbound& in, Step& step);
void on_quick_2(Session& s, Quick& q, const Inbound& in, Step& step);
void on_quick_3(Session& s, Quick& q, const Inbound& in, Step& step);
// The peer's notification that refuses a quick mode of ours; the caller checked its hash.
void on_quick_refused(Session& s, Quick& q, Notify type, Step& step);
// Repetitions, and what is given up.
void quick_due(Session& s, Step& step);
// ESP of the peer came in on this inbound SA.
void on_esp(Session& s, std::uint32_t spi_in, ike::Time when);
[[nodiscard]] bool quick_unanswered(const Session& s);  // one of ours, although it was sent again
std::optional<ike::Time> next_quick_event(const Session& s);

}  // namespace causeway::ikev1

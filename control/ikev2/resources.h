// Children for one worker each (RFC 9611): further pairs of SAs with the selectors of one that is there, so that every
// worker encrypts and decrypts with keys, sequence numbers and a replay window of its own.
//
// The first child is an ordinary one that every worker may use; both sides say by SA_RESOURCE_INFO in its exchange that
// they take more. Each of these stands beside the first, has a slot of its own, and is rekeyed and deleted like any child.
// Which worker it is for each side chooses for itself: the number in the notify is for people alone (5.1). Who answers
// sends on it only when the peer is known to have the answer: until then the first child carries what it is to carry.
#pragma once

#include <optional>
#include <vector>

#include "control/ikev2/session.h"

namespace causeway::ikev2 {

[[nodiscard]] inline bool wants_resources(const Session& s) { return s.peer.settings->resources > 1; }
// Both sides do, in the exchange of an ordinary child.
[[nodiscard]] bool agrees_on_resources(const Session& s, const ike::Payloads& theirs);
[[nodiscard]] ike::Bytes resource_info(ike::Resource resource);  // empty for the child that every worker may use

// The child of this slot that is there to stay, or nullptr.
[[nodiscard]] const Child* carrier(const Session& s, ike::ChildSlot slot);
// The one that a request with SA_RESOURCE_INFO asks for another of, by its very selectors (as seen from us); or nullptr:
// it asks for an ordinary child.
[[nodiscard]] const Child* another_of(const Session& s, const conf::SelectorSet& wanted);
// Ours with the fewest children for this slot (RFC 9611 4); nothing: TS_MAX_QUEUE.
[[nodiscard]] std::optional<ike::Resource> next_resource(const Session& s, ike::ChildSlot slot);
// All children for the same selectors have the same algorithms (RFC 9611 3).
[[nodiscard]] std::vector<ike::Proposal> only_suite(std::vector<ike::Proposal> proposals, const crypto::EspSuite& suite);

// --- as responder: when to send on a child ------------------------------------------------------------------------

void use_when_answered(Child& child, Step& step);
// The peer's next request: it had the answers to all before (RFC 7296 2.3, a window of one).
void use_answered(Session& s, Step& step);
// A request of the peer came again: it did not have the answer.
void wait_longer(Session& s, Step& step);
void use_at_last(Session& s, Child& child, Step& step);

}  // namespace causeway::ikev2

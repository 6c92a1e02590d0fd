// Narrowing of traffic selectors (RFC 7296 2.9), for both roles.
//
// A SelectorSet means the product local x remote, and so does a pair of TS payloads: the intersection of two
// products is the product of the intersections, which is why each side can be narrowed for itself.
#pragma once

#include <tl/expected.hpp>

#include "conf/address.h"
#include "control/ike/effects.h"

namespace causeway::ike {

// Responder: what is in both `ours` and `offered` (seen from us: local = ours = TSr). Contains the initiator's
// first selectors wherever we allow them. Reason: selectors_disjoint, with both sides' sets, naming the side that
// does not meet.
tl::expected<conf::SelectorSet, Reason> narrow(const conf::SelectorSet& ours, const conf::SelectorSet& offered);

// Responder with one pair only to give (SINGLE_PAIR_REQUIRED does not arise): the first local and remote of what
// narrow() gave that cover the initiator's first choice.
conf::SelectorSet single_pair(const conf::SelectorSet& narrowed, const conf::SelectorSet& offered);

// Initiator: what of the answer lies inside what we offered. A peer that answers with more than was offered breaks
// RFC 7296 2.9, yet can be worked with: what it added is cut off and never used. Reason: selectors_refused, where
// nothing is left.
tl::expected<conf::SelectorSet, Reason> accept_narrowed(const conf::SelectorSet& offered,
                                                        const conf::SelectorSet& answered);

// What of `wanted` the peer narrowed away: pairs of selectors that no selector pair of `got` contains. Empty where
// all was granted. Each element is a set of its own to ask for as a further child.
std::vector<conf::SelectorSet> narrowed_away(const conf::SelectorSet& wanted, const conf::SelectorSet& got);

// Drops selectors that another of the same list contains; keeps order.
std::vector<conf::Selector> without_contained(std::vector<conf::Selector> selectors);

std::string str(const conf::SelectorSet& set);  // "10.1.0.0/16 === 10.2.0.0/16, 10.3.0.0/16"
std::string str(const std::vector<conf::Selector>& selectors);

}  // namespace causeway::ike

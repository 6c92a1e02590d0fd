#include "control/ike/selectors.h"

#include <algorithm>
#include <span>
#include <utility>

namespace causeway::ike {
namespace {

constexpr std::size_t kMaxSelectors = 255;  // of a TS payload (RFC 7296 3.13)

// All that is in both, in the order of `first`'s elements.
std::vector<conf::Selector> intersection(const std::vector<conf::Selector>& first,
                                         const std::vector<conf::Selector>& second) {
  std::vector<conf::Selector> both;
  for (const conf::Selector& a : first) {
    for (const conf::Selector& b : second) {
      if (const auto common = a.intersect(b)) both.push_back(*common);
    }
  }
  both = without_contained(std::move(both));
  if (both.size() > kMaxSelectors) both.resize(kMaxSelectors);
  return both;
}

// Whether any packet at all can have its two addresses in the set.
bool has_common_family(const conf::SelectorSet& set) {
  return std::any_of(set.local.begin(), set.local.end(), [&](const conf::Selector& l) {
    return std::any_of(set.remote.begin(), set.remote.end(),
                       [&](const conf::Selector& r) { return l.first.family == r.first.family; });
  });
}

conf::SelectorSet meet(const conf::SelectorSet& offered, const conf::SelectorSet& ours) {
  return {intersection(offered.local, ours.local), intersection(offered.remote, ours.remote)};
}

// Which side is to blame, in words.
std::string where_apart(const conf::SelectorSet& common) {
  if (common.local.empty() && common.remote.empty()) return "on neither side";
  if (common.local.empty()) return "on our side";
  if (common.remote.empty()) return "on the peer's side";
  return "in one address family";
}

conf::Selector covering(const std::vector<conf::Selector>& narrowed, const std::vector<conf::Selector>& offered) {
  if (!offered.empty()) {
    for (const conf::Selector& s : narrowed) {
      if (s.intersect(offered.front())) return s;
    }
  }
  return narrowed.front();
}

}  // namespace

tl::expected<conf::SelectorSet, Reason> narrow(const conf::SelectorSet& ours, const conf::SelectorSet& offered) {
  conf::SelectorSet common = meet(offered, ours);
  if (!common.local.empty() && !common.remote.empty() && has_common_family(common)) return common;
  Reason reason;
  reason.cause = Cause::selectors_disjoint;
  reason.symptom = Symptom::other_selectors;
  reason.ours = str(ours);
  reason.theirs = str(offered);
  const bool some = !common.local.empty() && !common.remote.empty();
  reason.text = "traffic selectors do not meet " + where_apart(common) + ": ours are " + reason.ours +
                ", the peer asks for " + reason.theirs + " (both as local === remote, seen from here); make " +
                (some                   ? "both sides use the same address family"
                 : common.local.empty() ? "local_subnets here and the peer's remote subnets agree"
                                        : "remote_subnets here and the peer's local subnets agree");
  return tl::unexpected(std::move(reason));
}

conf::SelectorSet single_pair(const conf::SelectorSet& narrowed, const conf::SelectorSet& offered) {
  if (narrowed.local.empty() || narrowed.remote.empty()) return {};
  conf::SelectorSet pair{{covering(narrowed.local, offered.local)}, {covering(narrowed.remote, offered.remote)}};
  if (has_common_family(pair)) return pair;
  for (const conf::Selector& r : narrowed.remote) {
    if (r.first.family == pair.local.front().first.family) {
      pair.remote = {r};
      break;
    }
  }
  return pair;
}

tl::expected<conf::SelectorSet, Reason> accept_narrowed(const conf::SelectorSet& offered,
                                                        const conf::SelectorSet& answered) {
  conf::SelectorSet common = meet(answered, offered);
  if (!common.local.empty() && !common.remote.empty() && has_common_family(common)) return common;
  Reason reason;
  reason.cause = Cause::selectors_refused;
  reason.symptom = Symptom::other_selectors;
  reason.ours = str(offered);
  reason.theirs = str(answered);
  reason.text = "the peer answered our traffic selectors " + reason.ours + " with " + reason.theirs +
                ", which has nothing of them: local_subnets and remote_subnets must agree with the peer's";
  return tl::unexpected(std::move(reason));
}

std::vector<conf::SelectorSet> narrowed_away(const conf::SelectorSet& wanted, const conf::SelectorSet& got) {
  const auto within = [](const conf::Selector& s, const std::vector<conf::Selector>& list) {
    return std::any_of(list.begin(), list.end(), [&](const conf::Selector& g) { return g.contains(s); });
  };
  std::vector<conf::SelectorSet> missing;
  for (const conf::Selector& l : wanted.local) {
    for (const conf::Selector& r : wanted.remote) {
      if (l.first.family != r.first.family) continue;
      if (!within(l, got.local) || !within(r, got.remote)) missing.push_back({{l}, {r}});
    }
  }
  return missing;
}

std::vector<conf::Selector> without_contained(std::vector<conf::Selector> selectors) {
  std::vector<conf::Selector> kept;
  for (std::size_t i = 0; i < selectors.size(); ++i) {
    bool redundant = false;
    for (std::size_t j = 0; j < selectors.size() && !redundant; ++j) {
      if (i == j || !selectors[j].contains(selectors[i])) continue;
      redundant = selectors[i] != selectors[j] || j < i;  // of equal ones the first stays
    }
    if (!redundant) kept.push_back(selectors[i]);
  }
  return kept;
}

std::string str(const std::vector<conf::Selector>& selectors) {
  constexpr std::size_t kShown = 16;  // a peer may send 255
  std::string text;
  for (const conf::Selector& s : std::span(selectors).first(std::min(kShown, selectors.size()))) {
    text += (text.empty() ? "" : ", ") + s.str();
  }
  if (selectors.size() > kShown) text += " and " + std::to_string(selectors.size() - kShown) + " more";
  return text.empty() ? "nothing" : text;
}

std::string str(const conf::SelectorSet& set) { return str(set.local) + " === " + str(set.remote); }

}  // namespace causeway::ike

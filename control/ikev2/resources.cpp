#include "control/ikev2/resources.h"

#include <algorithm>
#include <set>

#include "control/ike/selectors.h"
#include "control/ikev2/child.h"

namespace causeway::ikev2 {

namespace {

// For selectors that a peer asks for again and again: many more than either side has workers.
constexpr std::size_t kMostBeside = 64;
// Of a peer that says nothing more: much longer than it waits before it asks again, should the answer be lost. We speak at
// once when we have an answer.
constexpr ike::Time kAnswerWait{30000};

}  // namespace

bool agrees_on_resources(const Session& s, const ike::Payloads& theirs) {
  return wants_resources(s) && theirs.find(ike::NotifyType::sa_resource_info) != nullptr;
}

ike::Bytes resource_info(ike::Resource resource) {
  if (resource == 0) return {};
  ike::Writer w;
  w.be16(resource);
  return w.take();
}

const Child* carrier(const Session& s, ike::ChildSlot slot) {
  const auto it = std::ranges::find_if(
      s.children, [&](const Child& c) { return c.sa->child == slot && !c.closing && !c.redundant; });
  return it == s.children.end() ? nullptr : &*it;
}

const Child* another_of(const Session& s, const conf::SelectorSet& wanted) {
  const auto it = std::ranges::find_if(s.children, [&](const Child& c) {
    return c.sa->beside == ike::kNoChild && !c.closing && !c.redundant &&
           ike::narrowed_away(c.sa->selectors, wanted).empty() && ike::narrowed_away(wanted, c.sa->selectors).empty();
  });
  return it == s.children.end() ? nullptr : &*it;
}

std::optional<ike::Resource> next_resource(const Session& s, ike::ChildSlot slot) {
  if (!wants_resources(s)) return std::nullopt;
  std::vector<std::size_t> children(s.peer.settings->resources);
  children[0] = 1;  // the one beside which they stand
  std::set<ike::ChildSlot> seen;  // while one is rekeyed there are two pairs of it
  const auto count = [&](ike::ChildSlot beside, ike::ChildSlot own, ike::Resource resource) {
    if (beside == slot && resource < children.size() && seen.insert(own).second) ++children[resource];
  };
  for (const Child& c : s.children) count(c.sa->beside, c.sa->child, c.sa->resource);
  if (s.pending && s.pending->child) count(s.pending->child->beside, s.pending->child->slot, s.pending->child->resource);
  if (seen.size() >= kMostBeside) return std::nullopt;
  return static_cast<ike::Resource>(std::ranges::min_element(children) - children.begin());
}

std::vector<ike::Proposal> only_suite(std::vector<ike::Proposal> proposals, const crypto::EspSuite& suite) {
  const std::vector<ike::Proposal> all = proposals;
  std::erase_if(proposals, [&](ike::Proposal& p) {
    std::erase_if(p.encryption, [&](const ike::Cipher& c) { return c != ike::Cipher{suite.encryption, suite.key_bits}; });
    const bool aead = suite.integrity == crypto::Integrity::none;
    if (aead != p.integrity.empty() || p.encryption.empty()) return true;
    std::erase_if(p.integrity, [&](crypto::Integrity i) { return i != suite.integrity; });
    if (!aead && p.integrity.empty()) return true;
    if (p.esn.empty()) return suite.esn;
    std::erase_if(p.esn, [&](bool esn) { return esn != suite.esn; });
    return p.esn.empty();
  });
  return proposals.empty() ? all : proposals;
}

void use_when_answered(Child& child, Step& step) { child.use_at = step.now + kAnswerWait; }

void use_answered(Session& s, Step& step) {
  for (Child& c : s.children) {
    if (c.use_at) use_at_last(s, c, step);
  }
}

void wait_longer(Session& s, Step& step) {
  for (Child& c : s.children) {
    if (c.use_at) c.use_at = step.now + kAnswerWait;
  }
}

void use_at_last(Session& s, Child& child, Step& step) {
  child.use_at.reset();
  if (!child.closing && !child.redundant) use_outbound(s, child, step);
}

}  // namespace causeway::ikev2

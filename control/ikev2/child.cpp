#include "control/ikev2/child.h"

#include <algorithm>
#include <utility>

#include "control/ike/selectors.h"
#include "control/ikev2/reasons.h"
#include "control/ikev2/resources.h"
#include "control/ikev2/sa_payload.h"

namespace causeway::ikev2 {

namespace {

ike::Bytes spi_octets(std::uint32_t spi) {
  ike::Writer w;
  w.be32(spi);
  return w.take();
}

ike::Bytes ts_body(const std::vector<conf::Selector>& selectors) {
  ike::TrafficSelectors ts;
  ts.selectors = selectors;
  return ts.encode();
}

// The packet's own addresses first, where the set holds them.
std::vector<conf::Selector> with_packet(const std::vector<conf::Selector>& selectors,
                                        const std::vector<conf::Selector>& packet) {
  std::vector<conf::Selector> all;
  for (const conf::Selector& p : packet) {
    if (std::ranges::any_of(selectors, [&](const conf::Selector& s) { return s.contains(p) && s != p; })) {
      all.push_back(p);
    }
  }
  all.insert(all.end(), selectors.begin(), selectors.end());
  return all;
}

// Which child it is.
struct Place {
  ike::ChildSlot slot, part_of, beside;
  ike::Resource resource;
  bool by_resource;
};
Child make_child(Session& s, Place place, const ike::Choice& choice, std::uint32_t spi_in, std::uint32_t spi_out,
                 conf::SelectorSet selectors, const crypto::Secret& shared, const Nonces& nonces,
                 bool we_initiate, ike::Time now) {
  const auto suite = choice.esp_suite();
  ChildKeys k = child_keys(s.suite.prf, s.keys.d, shared, nonces, suite);
  auto sa = std::make_shared<ike::ChildSa>();
  sa->tunnel = s.peer.settings->tunnel;
  sa->child = place.slot;
  sa->part_of = place.part_of;
  sa->beside = place.beside;
  sa->resource = place.resource;
  sa->by_resource = place.by_resource;
  sa->spi_in = spi_in;
  sa->spi_out = spi_out;
  sa->suite = suite;
  sa->encryption_out = we_initiate ? k.encryption_i : k.encryption_r;
  sa->integrity_out = we_initiate ? k.integrity_i : k.integrity_r;
  sa->encryption_in = we_initiate ? k.encryption_r : k.encryption_i;
  sa->integrity_in = we_initiate ? k.integrity_r : k.integrity_i;
  sa->selectors = std::move(selectors);
  sa->local = s.local;
  sa->remote = s.remote;
  sa->udp_encap = s.udp_encap();
  sa->peer_behind_nat_only = s.nat_peer && !s.nat_us;
  if (choice.key_exchange != crypto::KeyExchange::none) sa->key_exchange = ike::name(choice.key_exchange);
  Child child;
  child.sa = std::move(sa);
  const conf::Seconds lifetime = s.peer.config().esp.lifetime;
  if (lifetime.count() > 0) {
    child.rekey_at = rekey_time(s, now, lifetime);
    child.expire_at = now + std::chrono::duration_cast<ike::Time>(lifetime);
  }
  return child;
}

bool overlap(const conf::SelectorSet& a, const conf::SelectorSet& b) { return ike::narrow(a, b).has_value(); }

// The child that the peer's selectors fit best: an unused one before one that is up already, then the order of the
// configuration. A peer may ask for what is one child here piece by piece: a piece that has nothing in common with
// those that are up is a part of its own; one that has takes the place of what it overlaps.
struct Match {
  ike::ChildSlot slot;
  ike::ChildSlot part_of;
  conf::SelectorSet selectors;
  bool fresh_slot = false;  // to be given back where nothing comes of it
  ike::ChildSlot beside = ike::kNoChild;
  ike::Resource resource = 0;
};
std::optional<Match> part_beside(const Session& s, const ike::ChildSettings& child, conf::SelectorSet narrowed) {
  for (const Child& c : s.children) {
    const bool kin = c.sa->child == child.slot || c.sa->part_of == child.slot;
    if (kin && overlap(c.sa->selectors, narrowed)) return Match{c.sa->child, c.sa->part_of, std::move(narrowed)};
  }
  const ike::ChildSlot slot = s.env->allocate_slot();
  if (slot == ike::kNoChild) return std::nullopt;
  return Match{slot, child.slot, std::move(narrowed), true};
}

tl::expected<Match, ike::Reason> match_child(const Session& s, const conf::SelectorSet& offered) {
  std::optional<Match> used;
  std::optional<ike::Reason> first_reason;
  for (const ike::ChildSettings& child : s.peer.settings->children) {
    if (child.beside != ike::kNoChild) continue;
    auto narrowed = ike::narrow(child.selectors, offered);
    if (!narrowed) {
      if (!first_reason) first_reason = narrowed.error();
      continue;
    }
    const bool in_use = std::ranges::any_of(s.children, [&](const Child& c) { return c.sa->child == child.slot; });
    if (!in_use) {
      if (used && used->fresh_slot) s.env->release_slot(used->slot);
      return Match{child.slot, child.part_of, std::move(*narrowed)};
    }
    if (!used) used = part_beside(s, child, std::move(*narrowed));
  }
  if (used) return std::move(*used);
  return tl::make_unexpected(
      first_reason.value_or(ike::Reason{ike::Cause::internal, "no child is configured", {}, {}, {}}));
}

}  // namespace

std::optional<ChildOffer> make_offer(Session& s, const ike::ChildSettings& child,
                                     std::vector<ike::Proposal> proposals) {
  ChildOffer offer;
  offer.slot = child.slot;
  offer.spi = s.env->allocate_spi(s.peer.settings->tunnel, child.resource);
  if (offer.spi == 0) return std::nullopt;
  offer.beside = child.beside;
  offer.resource = child.resource;
  offer.by_resource = child.beside != ike::kNoChild;
  if (wants_resources(s)) offer.resource_info = resource_info(child.resource);
  offer.part_of = child.part_of;
  offer.selectors = child.selectors;
  offer.packet = child.packet;
  offer.proposals = std::move(proposals);
  return offer;
}

void add_offer_sa(ike::PayloadChain& chain, const ChildOffer& offer) {
  if (offer.resource_info) add_notify(chain, ike::NotifyType::sa_resource_info, *offer.resource_info);
  chain.add(ike::PayloadType::sa, encode_sa(numbered(offer.proposals, spi_octets(offer.spi))));
}

void add_offer_selectors(ike::PayloadChain& chain, const ChildOffer& offer) {
  const conf::SelectorSet packet = offer.packet.value_or(conf::SelectorSet{});
  chain.add(ike::PayloadType::ts_initiator, ts_body(with_packet(offer.selectors.local, packet.local)));
  chain.add(ike::PayloadType::ts_responder, ts_body(with_packet(offer.selectors.remote, packet.remote)));
}

tl::expected<Child, ike::Reason> take_answer(Session& s, ChildOffer& offer, const ike::Payloads& answer,
                                             const Nonces& nonces, bool in_ike_auth, ike::Time now) {
  if (!answer.sa || !answer.ts_initiator || !answer.ts_responder) {
    return tl::make_unexpected(reasons::incomplete(s.peer_name(), "the child's SA and traffic selectors"));
  }
  const auto decoded = decode_sa(*answer.sa);
  if (!decoded || decoded->size() != 1 || decoded->front().child_spi() == 0) {
    return tl::make_unexpected(reasons::incomplete(s.peer_name(), "one ESP proposal with its SPI"));
  }
  const auto choice =
      ike::accept_answer(offer.proposals, only_proposals(*decoded), {.ignore_key_exchange = in_ike_auth});
  if (!choice) return tl::make_unexpected(choice.error());
  auto selectors =
      ike::accept_narrowed(offer.selectors, {answer.ts_initiator->selectors, answer.ts_responder->selectors});
  if (!selectors) return tl::make_unexpected(selectors.error());
  if (offer.beside != ike::kNoChild && !ike::narrowed_away(offer.selectors, *selectors).empty()) {
    return tl::make_unexpected(reasons::narrowed_resource(s, offer, *selectors));
  }

  crypto::Secret shared;
  if (choice->key_exchange != crypto::KeyExchange::none && !in_ike_auth) {
    if (!answer.key_exchange || !offer.agreement || answer.key_exchange->group != offer.agreement->id() ||
        choice->key_exchange != offer.agreement->id()) {
      return tl::make_unexpected(reasons::incomplete(s.peer_name(), "a key exchange value of the group it chose"));
    }
    auto result = offer.agreement->finish(answer.key_exchange->value);
    if (!result) return tl::make_unexpected(reasons::bad_key_exchange(s.peer_name(), result.error()));
    shared = std::move(*result);
  }
  const bool by_resource = offer.by_resource || (offer.replaces == 0 && agrees_on_resources(s, answer));
  Child child = make_child(s, {offer.slot, offer.part_of, offer.beside, offer.resource, by_resource}, *choice, offer.spi,
                           decoded->front().child_spi(), std::move(*selectors), shared, nonces, true, now);
  child.replaces = offer.replaces;
  return child;
}

namespace {

tl::unexpected<Refusal> refusal(ike::NotifyType type, ike::Reason reason, ike::Bytes data = {}) {
  return tl::make_unexpected(Refusal{type, std::move(data), std::move(reason)});
}

// As seen from us, the responder: TSr is local, TSi is remote.
conf::SelectorSet wanted_by(const ike::Payloads& request) {
  return {request.ts_responder->selectors, request.ts_initiator->selectors};
}

tl::expected<Match, Refusal> match_request(const Session& s, const ike::Payloads& request, const Child* rekeyed,
                                           const Child* base) {
  const auto refuse = [](ike::Reason reason) { return refusal(ike::NotifyType::ts_unacceptable, std::move(reason)); };
  const conf::SelectorSet wanted = wanted_by(request);
  if (base != nullptr) {  // its very selectors, for another of our workers
    const auto resource = next_resource(s, base->sa->child);
    if (!resource) return refusal(ike::NotifyType::ts_max_queue, reasons::no_resource(s));
    const ike::ChildSlot slot = s.env->allocate_slot();
    if (slot == ike::kNoChild) return refusal(ike::NotifyType::ts_max_queue, reasons::no_spi());
    return Match{slot, ike::kNoChild, base->sa->selectors, true, base->sa->child, *resource};
  }
  if (rekeyed == nullptr) {
    auto match = match_child(s, wanted);
    if (!match) return refuse(match.error());
    return std::move(*match);
  }
  const ike::ChildSa& old = *rekeyed->sa;
  const auto* settings = old.beside == ike::kNoChild ? s.peer.child(old.child) : nullptr;
  auto narrowed = ike::narrow(settings == nullptr ? old.selectors : settings->selectors, wanted);
  if (!narrowed) return refuse(narrowed.error());
  return Match{old.child, old.part_of, std::move(*narrowed), false, old.beside, old.resource};
}

// Our half of the child's own key exchange.
tl::expected<crypto::Secret, Refusal> exchange_keys(const Session& s, crypto::KeyExchange group,
                                                    const ike::Payloads& request, Answer& answer) {
  const auto& theirs = request.key_exchange;
  if (!theirs || theirs->group != group) {
    ike::Writer wanted;
    wanted.be16(static_cast<std::uint16_t>(group));
    return refusal(ike::NotifyType::invalid_ke_payload, reasons::other_group(s, group), wanted.take());
  }
  crypto::SystemKeyExchange exchange;
  auto response = exchange.respond(group, theirs->value);
  if (!response) return refusal(ike::NotifyType::invalid_syntax, reasons::bad_key_exchange(s.peer_name(), response.error()));
  answer.key_exchange = ike::KeyExchangePayload{group, std::move(response->public_value)};
  return std::move(response->shared);
}

}  // namespace

bool too_many_pairs(const Session& s, ike::ChildSlot slot) {
  const auto pairs = std::ranges::count_if(s.children, [&](const Child& c) { return c.sa->child == slot; });
  return static_cast<std::size_t>(pairs) >= kMaxPairs;
}

tl::expected<Answer, Refusal> answer_child(Session& s, const ike::Payloads& request, const Nonces& nonces,
                                           bool in_ike_auth, const Child* rekeyed, ike::Time now) {
  const auto offered = decode_sa(*request.sa);
  if (!offered) return refusal(ike::NotifyType::invalid_syntax, reasons::malformed(s, offered.error().text));
  const bool resource_asked = request.find(ike::NotifyType::sa_resource_info) != nullptr;
  const Child* base = resource_asked && rekeyed == nullptr ? another_of(s, wanted_by(request)) : nullptr;
  auto ours = in_ike_auth ? s.peer.esp_without_ke() : s.peer.esp_with_pfs(s.suite.key_exchange);
  if (base != nullptr) ours = only_suite(ours, base->sa->suite);
  const auto choice = ike::select(ours, only_proposals(*offered), {.ignore_key_exchange = in_ike_auth});
  if (!choice) return refusal(ike::NotifyType::no_proposal_chosen, choice.error());
  const std::uint32_t spi_out = offered->at(choice->theirs).child_spi();
  if (spi_out == 0)
    return refusal(ike::NotifyType::invalid_syntax, reasons::malformed(s, "an ESP proposal without SPI"));

  Answer answer;
  crypto::Secret shared;
  if (choice->key_exchange != crypto::KeyExchange::none && !in_ike_auth) {
    auto agreed = exchange_keys(s, choice->key_exchange, request, answer);
    if (!agreed) return tl::make_unexpected(std::move(agreed.error()));
    shared = std::move(*agreed);
  }
  auto match = match_request(s, request, rekeyed, base);
  if (!match) return tl::make_unexpected(std::move(match.error()));
  const std::uint32_t spi_in =
      too_many_pairs(s, match->slot) ? 0 : s.env->allocate_spi(s.peer.settings->tunnel, match->resource);
  if (spi_in == 0) {
    if (match->fresh_slot) s.env->release_slot(match->slot);
    return refusal(rekeyed != nullptr ? ike::NotifyType::temporary_failure : ike::NotifyType::no_additional_sas,
                   reasons::no_spi());
  }
  answer.ts_i = ts_body(match->selectors.remote);
  answer.ts_r = ts_body(match->selectors.local);
  const bool by_resource = rekeyed != nullptr ? rekeyed->sa->by_resource : agrees_on_resources(s, request);
  if (by_resource && resource_asked) answer.resource_info = resource_info(match->resource);
  answer.child = make_child(s, {match->slot, match->part_of, match->beside, match->resource, by_resource}, *choice,
                            spi_in, spi_out, std::move(match->selectors), shared, nonces, false, now);
  if (rekeyed != nullptr) answer.child.replaces = rekeyed->sa->spi_in;
  const SaProposal taken{offered->at(choice->theirs).number, spi_octets(spi_in),
                         in_ike_auth ? choice->proposal().without_key_exchange() : choice->proposal()};
  answer.sa = encode_sa(std::span(&taken, 1));
  return answer;
}

void add_answer(ike::PayloadChain& chain, const Answer& answer) {
  chain.add(ike::PayloadType::ts_initiator, answer.ts_i);
  chain.add(ike::PayloadType::ts_responder, answer.ts_r);
  if (answer.resource_info) add_notify(chain, ike::NotifyType::sa_resource_info, *answer.resource_info);
}

Child& install(Session& s, Child child, Step& step) {
  step.out.emplace_back(ike::InstallInbound{child.sa});
  s.children.push_back(std::move(child));
  return s.children.back();
}

void stop_outbound(Session& /*s*/, Child& child, Step& step) {
  if (!child.outbound) return;
  child.outbound = false;
  step.out.emplace_back(ike::RemoveOutbound{child.sa->spi_out, child.sa->child});
}

void use_outbound(Session& s, Child& child, Step& step) {
  if (child.outbound || child.spent) return;
  step.out.emplace_back(ike::UseOutbound{child.sa});
  for (Child& other : s.children) {
    if (&other != &child && other.sa->child == child.sa->child) stop_outbound(s, other, step);
  }
  child.outbound = child.spent = true;
}

void remove_child(Session& s, std::uint32_t spi_in, ike::Time grace, const ike::Reason& reason, Step& step) {
  const auto it = std::ranges::find_if(s.children, [&](const Child& c) { return c.sa->spi_in == spi_in; });
  if (it == s.children.end()) return;
  Child gone = std::move(*it);
  s.children.erase(it);
  std::erase_if(s.tasks, [&](const Task& t) { return t.spi == spi_in && t.spi != 0; });

  // Traffic moves to the successor, or else to any SA of the same child that is not on its way out.
  for (Child& c : s.children) {
    if (c.replaced_by == spi_in) c.replaced_by = 0;  // what was to replace it is gone
  }
  const auto candidate = [&](const Child& c) { return c.sa->child == gone.sa->child && !c.closing && !c.redundant; };
  const auto fresh = [&](const Child& c) { return candidate(c) && !c.spent; };
  auto heir = std::ranges::find_if(s.children, [&](const Child& c) { return fresh(c) && c.replaces == spi_in; });
  if (heir == s.children.end()) heir = std::ranges::find_if(s.children, fresh);
  const auto other = std::ranges::find_if(s.children, candidate);
  const bool lives_on = other != s.children.end();
  if (gone.outbound && heir != s.children.end()) {
    use_outbound(s, *heir, step);
  } else if (gone.outbound && lives_on) {
    // The peer went back to an SA that we sent on before: no number is used twice under a key (RFC 4303 3.3.3),
    // so it gets a successor first.
    add_task(s, Task{.kind = Task::Kind::rekey_child, .slot = other->sa->child, .spi = other->sa->spi_in});
  }
  stop_outbound(s, gone, step);
  step.out.emplace_back(ike::RemoveInbound{spi_in, gone.sa->child, grace});
  step.out.emplace_back(ike::ChildClosed{gone.sa->child, spi_in, reason, lives_on});
}

ike::Reason refused_child(const Session& s, const ChildOffer& offer, ike::NotifyType type) {
  return reasons::child_refused(s, offer, type);
}

}  // namespace causeway::ikev2

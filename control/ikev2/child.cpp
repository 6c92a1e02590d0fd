#include "control/ikev2/child.h"

#include <algorithm>
#include <utility>

#include "control/ike/selectors.h"
#include "control/ikev2/reasons.h"
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

Child make_child(Session& s, ike::ChildSlot slot, const ike::Choice& choice, std::uint32_t spi_in,
                 std::uint32_t spi_out, conf::SelectorSet selectors, const crypto::Secret& shared, const Nonces& nonces,
                 bool we_initiate, ike::Time now) {
  const auto suite = choice.esp_suite();
  ChildKeys k = child_keys(s.suite.prf, s.keys.d, shared, nonces, suite);
  auto sa = std::make_shared<ike::ChildSa>();
  sa->tunnel = s.peer.settings->tunnel;
  sa->child = slot;
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

// The configured child that the peer's selectors fit best: an unused one before one that is up already, then
// the order of the configuration.
struct Match {
  const ike::ChildSettings* child;
  conf::SelectorSet selectors;
};
tl::expected<Match, ike::Reason> match_child(const Session& s, const conf::SelectorSet& offered) {
  std::optional<Match> used;
  std::optional<ike::Reason> first_reason;
  for (const ike::ChildSettings& child : s.peer.settings->children) {
    auto narrowed = ike::narrow(child.selectors, offered);
    if (!narrowed) {
      if (!first_reason) first_reason = narrowed.error();
      continue;
    }
    const bool in_use = std::ranges::any_of(s.children, [&](const Child& c) { return c.sa->child == child.slot; });
    if (!in_use) return Match{&child, std::move(*narrowed)};
    if (!used) used = Match{&child, std::move(*narrowed)};
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
  offer.spi = s.env->allocate_spi(s.peer.settings->tunnel);
  if (offer.spi == 0) return std::nullopt;
  offer.selectors = child.selectors;
  offer.proposals = std::move(proposals);
  return offer;
}

void add_offer_sa(ike::PayloadChain& chain, const ChildOffer& offer) {
  chain.add(ike::PayloadType::sa, encode_sa(numbered(offer.proposals, spi_octets(offer.spi))));
}

void add_offer_selectors(ike::PayloadChain& chain, const ChildOffer& offer) {
  chain.add(ike::PayloadType::ts_initiator, ts_body(offer.selectors.local));
  chain.add(ike::PayloadType::ts_responder, ts_body(offer.selectors.remote));
}

tl::expected<Child, ike::Reason> take_answer(Session& s, ChildOffer& offer, const ike::Payloads& answer,
                                             const Nonces& nonces, bool in_ike_auth, ike::Time now) {
  if (!answer.sa || !answer.ts_initiator || !answer.ts_responder) {
    return tl::make_unexpected(reasons::incomplete(s, "the child's SA and traffic selectors"));
  }
  const auto decoded = decode_sa(*answer.sa);
  if (!decoded || decoded->size() != 1 || decoded->front().child_spi() == 0) {
    return tl::make_unexpected(reasons::incomplete(s, "one ESP proposal with its SPI"));
  }
  const auto choice =
      ike::accept_answer(offer.proposals, only_proposals(*decoded), {.ignore_key_exchange = in_ike_auth});
  if (!choice) return tl::make_unexpected(choice.error());
  auto selectors =
      ike::accept_narrowed(offer.selectors, {answer.ts_initiator->selectors, answer.ts_responder->selectors});
  if (!selectors) return tl::make_unexpected(selectors.error());

  crypto::Secret shared;
  if (choice->key_exchange != crypto::KeyExchange::none && !in_ike_auth) {
    if (!answer.key_exchange || !offer.agreement || answer.key_exchange->group != offer.agreement->id() ||
        choice->key_exchange != offer.agreement->id()) {
      return tl::make_unexpected(reasons::incomplete(s, "a key exchange value of the group it chose"));
    }
    auto result = offer.agreement->finish(answer.key_exchange->value);
    if (!result) return tl::make_unexpected(reasons::bad_key_exchange(s, result.error()));
    shared = std::move(*result);
  }
  Child child = make_child(s, offer.slot, *choice, offer.spi, decoded->front().child_spi(), std::move(*selectors),
                           shared, nonces, true, now);
  child.replaces = offer.replaces;
  return child;
}

tl::expected<Answer, Refusal> answer_child(Session& s, const ike::Payloads& request, const Nonces& nonces,
                                           bool in_ike_auth, const Child* rekeyed, ike::Time now) {
  const auto refuse = [](ike::NotifyType type, ike::Reason reason, ike::Bytes data = {}) {
    return tl::make_unexpected(Refusal{type, std::move(data), std::move(reason)});
  };
  const auto offered = decode_sa(*request.sa);
  if (!offered) return refuse(ike::NotifyType::invalid_syntax, reasons::malformed(s, offered.error().text));
  const auto ours = in_ike_auth ? s.peer.esp_without_ke() : s.peer.esp_with_pfs(s.suite.key_exchange);
  const auto choice = ike::select(ours, only_proposals(*offered), {.ignore_key_exchange = in_ike_auth});
  if (!choice) return refuse(ike::NotifyType::no_proposal_chosen, choice.error());
  const std::uint32_t spi_out = offered->at(choice->theirs).child_spi();
  if (spi_out == 0)
    return refuse(ike::NotifyType::invalid_syntax, reasons::malformed(s, "an ESP proposal without SPI"));

  // As seen from us, the responder: TSr is local, TSi is remote.
  const conf::SelectorSet wanted{request.ts_responder->selectors, request.ts_initiator->selectors};
  tl::expected<Match, ike::Reason> match = tl::make_unexpected(ike::Reason{});
  if (rekeyed != nullptr) {
    const auto* settings = s.peer.child(rekeyed->sa->child);
    auto narrowed = ike::narrow(settings == nullptr ? rekeyed->sa->selectors : settings->selectors, wanted);
    if (narrowed) {
      match = Match{settings, std::move(*narrowed)};
    } else {
      match = tl::make_unexpected(narrowed.error());
    }
  } else {
    match = match_child(s, wanted);
  }
  if (!match) return refuse(ike::NotifyType::ts_unacceptable, match.error());

  Answer answer;
  crypto::Secret shared;
  if (choice->key_exchange != crypto::KeyExchange::none && !in_ike_auth) {
    const auto& theirs = request.key_exchange;
    if (!theirs || theirs->group != choice->key_exchange) {
      ike::Writer group;
      group.be16(static_cast<std::uint16_t>(choice->key_exchange));
      return refuse(ike::NotifyType::invalid_ke_payload, reasons::other_group(s, choice->key_exchange), group.take());
    }
    crypto::SystemKeyExchange exchange;
    auto response = exchange.respond(choice->key_exchange, theirs->value);
    if (!response) return refuse(ike::NotifyType::invalid_syntax, reasons::bad_key_exchange(s, response.error()));
    shared = std::move(response->shared);
    answer.key_exchange = ike::KeyExchangePayload{choice->key_exchange, std::move(response->public_value)};
  }
  const std::uint32_t spi_in = s.env->allocate_spi(s.peer.settings->tunnel);
  if (spi_in == 0) return refuse(ike::NotifyType::no_additional_sas, reasons::no_spi());

  const ike::ChildSlot slot = rekeyed != nullptr ? rekeyed->sa->child : match->child->slot;
  answer.ts_i = ts_body(match->selectors.remote);
  answer.ts_r = ts_body(match->selectors.local);
  answer.child = make_child(s, slot, *choice, spi_in, spi_out, std::move(match->selectors), shared, nonces, false, now);
  if (rekeyed != nullptr) answer.child.replaces = rekeyed->sa->spi_in;
  const SaProposal taken{offered->at(choice->theirs).number, spi_octets(spi_in),
                         in_ike_auth ? choice->proposal().without_key_exchange() : choice->proposal()};
  answer.sa = encode_sa(std::span(&taken, 1));
  return answer;
}

void add_answer(ike::PayloadChain& chain, const Answer& answer) {
  chain.add(ike::PayloadType::ts_initiator, answer.ts_i);
  chain.add(ike::PayloadType::ts_responder, answer.ts_r);
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
  if (child.outbound) return;
  step.out.emplace_back(ike::UseOutbound{child.sa});
  for (Child& other : s.children) {
    if (&other != &child && other.sa->child == child.sa->child) stop_outbound(s, other, step);
  }
  child.outbound = true;
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
  auto heir = std::ranges::find_if(s.children, [&](const Child& c) { return candidate(c) && c.replaces == spi_in; });
  if (heir == s.children.end()) heir = std::ranges::find_if(s.children, candidate);
  const bool lives_on = heir != s.children.end();
  if (gone.outbound && lives_on) use_outbound(s, *heir, step);
  stop_outbound(s, gone, step);
  step.out.emplace_back(ike::RemoveInbound{spi_in, gone.sa->child, grace});
  step.out.emplace_back(ike::ChildClosed{gone.sa->child, spi_in, reason, lives_on});
}

ike::Reason refused_child(const Session& s, const ChildOffer& offer, ike::NotifyType type) {
  return reasons::child_refused(s, offer, type);
}

}  // namespace causeway::ikev2

// How a child is replaced without losing a packet, and who cleans up when both sides do it at once.
//
// The responder installs the new inbound SA before its answer leaves; the initiator installs both new SAs with the
// answer, sends on the new one from then on and deletes the old one. The responder goes on sending on the old one
// until that DELETE comes: only then it knows that the initiator has the new SA.
//
// When both rekey the same child at once, two new pairs come into being. Of the four nonces of the two exchanges the
// lowest one condemns its exchange: whoever began that one deletes its pair again and never sends on it; whoever
// began the other deletes the old pair (2.8.1). We learn of the peer's exchange when its request comes while ours
// waits (Pending::rival), or after ours was answered: then the old pair is already being deleted, and the peer gets
// TEMPORARY_FAILURE (2.25.1). Whatever order messages arrive in, each side sends only on a pair the other one has.
#include "control/ikev2/create_child_sa.h"

#include <algorithm>
#include <utility>

#include "control/ike/selectors.h"
#include "control/ikev2/child.h"
#include "control/ikev2/reasons.h"
#include "control/ikev2/rekey.h"
#include "control/ikev2/resources.h"

namespace causeway::ikev2 {

namespace {

constexpr ike::Time kRefusedRekeyWait{15000};  // after a refusal that is not temporary: somebody may mend it
constexpr ike::Time kRedundantLife{30000};     // for the peer to delete what it lost by the nonces
constexpr int kTemporaryFailures = 60;         // about four minutes of them: the states differ (2.25)

ike::Bytes lowest(const Nonces& n) { return std::min(n.initiator, n.responder); }

// A key exchange value for the child, of the group the peer asked for or our first.
bool agree_on_group(ChildOffer& offer, crypto::KeyExchange asked, Step& step) {
  const auto& groups = offer.proposals.front().key_exchange;
  if (groups.empty()) return true;
  const crypto::KeyExchange group = asked == crypto::KeyExchange::none ? groups.front() : asked;
  if (group == crypto::KeyExchange::none) return true;
  crypto::SystemKeyExchange exchange;
  auto agreement = exchange.initiate(group);
  if (!agreement) {
    step.warn("key exchange " + ike::name(group) + ": " + agreement.error());
    return false;
  }
  offer.agreement = std::move(*agreement);
  return true;
}

// What a peer gets that takes one pair only (RFC 7296 2.9): that of the packet, or else the first of each side.
conf::SelectorSet only_pair(const ike::ChildSettings& child) {
  return ike::single_pair(child.selectors, child.packet.value_or(child.selectors));
}

// Another child for the selectors of one that is there, with all that was agreed for that (RFC 9611 3).
std::optional<ChildOffer> offer_beside(Session& s, ike::ChildSettings wanted, std::vector<ike::Proposal> proposals,
                                       Step& step) {
  const Child* base = carrier(s, wanted.beside);
  if (base == nullptr) {
    step.out.emplace_back(ike::ChildFailed{wanted.slot, reasons::out_of_step(s)});
    return std::nullopt;
  }
  wanted.selectors = base->sa->selectors;
  wanted.packet.reset();
  auto offer = make_offer(s, wanted, only_suite(std::move(proposals), base->sa->suite));
  if (!offer) step.out.emplace_back(ike::ChildFailed{wanted.slot, reasons::no_spi()});
  return offer;
}

// The child a task is about; nothing where the task has become pointless.
std::optional<ChildOffer> offer_for(Session& s, const Task& task, Step& step) {
  const auto proposals = s.peer.esp_with_pfs(s.suite.key_exchange);
  if (task.kind == Task::Kind::create_child) {
    const auto* settings = s.peer.child(task.slot);
    const bool up =
        std::ranges::any_of(s.children, [&](const Child& c) { return c.sa->child == task.slot && !c.closing; });
    if (settings == nullptr || up) return std::nullopt;
    if (settings->beside != ike::kNoChild) return offer_beside(s, *settings, proposals, step);
    ike::ChildSettings wanted = *settings;
    if (task.single_pair) wanted.selectors = only_pair(wanted);
    auto offer = make_offer(s, wanted, proposals);
    if (!offer) step.out.emplace_back(ike::ChildFailed{task.slot, reasons::no_spi()});
    return offer;
  }
  const Child* old = s.child_by_inbound(task.spi);
  if (old == nullptr || old->closing || old->replaced_by != 0) return std::nullopt;
  if (too_many_pairs(s, old->sa->child)) {  // the peer does not delete what it replaced
    add_task(s, Task{.kind = task.kind, .slot = task.slot, .spi = task.spi, .not_before = step.now + kRefusedRekeyWait});
    return std::nullopt;
  }
  const ike::ChildSa& sa = *old->sa;
  const ike::ChildSettings same{sa.child, {}, sa.selectors, sa.part_of, std::nullopt, sa.beside, sa.resource};
  auto offer = make_offer(s, same, proposals);
  if (!offer) return offer;
  offer->replaces = task.spi;
  offer->by_resource = sa.by_resource;
  if (!sa.by_resource) offer->resource_info.reset();
  return offer;
}

void reject_refused(Session& s, const Task& task, const ChildOffer& offer, ike::NotifyType type, Step& step) {
  ike::Reason reason = refused_child(s, offer, type);
  if (task.kind == Task::Kind::create_child) {
    // That all workers have a child of their own is a wish, not a need.
    step.note(offer.beside == ike::kNoChild ? ike::Notice::Level::warning : ike::Notice::Level::info, reason.text);
    step.out.emplace_back(ike::ChildFailed{task.slot, std::move(reason)});
    return;
  }
  Child* old = s.child_by_inbound(task.spi);
  if (old == nullptr || old->replaced_by != 0) return;
  step.warn("a rekey was refused, the old keys serve until their lifetime ends: " + reason.text);
  step.out.emplace_back(ike::RekeyRefused{reason, old->sa->child});
  old->rekey_failure = std::move(reason);
  if (type == ike::NotifyType::no_additional_sas) {
    s.no_more_children = true;
    return;
  }
  Task again = task;
  again.group = crypto::KeyExchange::none;
  again.not_before = step.now + kRefusedRekeyWait;
  add_task(s, again);
}

// <-- HDR, SK { N(error) }
void on_refusal(Session& s, Task task, const ChildOffer& offer, const ike::NotifyPayload& error, Step& step) {
  s.env->release_spi(offer.spi);
  const bool rekey = task.kind == Task::Kind::rekey_child;
  const Child* old = rekey ? s.child_by_inbound(task.spi) : nullptr;
  // The peer's own rekey came first; ours is pointless whatever it says.
  if (rekey && (old == nullptr || old->closing || old->replaced_by != 0)) return;

  if (error.type == ike::NotifyType::invalid_ke_payload && task.group == crypto::KeyExchange::none) {
    const auto group = static_cast<crypto::KeyExchange>(error.data_u16().value_or(0));
    if (group != crypto::KeyExchange::none && ike::offers(offer.proposals, group)) {
      task.group = group;
      task.not_before = step.now;
      return add_task(s, task);
    }
  }
  if (error.type == ike::NotifyType::temporary_failure) {
    if (task.refused >= kTemporaryFailures) return close_politely(s, reasons::out_of_step(s), step);
    return retry_later(s, task, step);
  }
  if (error.type == ike::NotifyType::single_pair_required && !rekey && !task.single_pair && offer.beside == ike::kNoChild) {
    task.single_pair = true;
    task.not_before = step.now;
    return add_task(s, task);
  }
  if (error.type == ike::NotifyType::child_sa_not_found && rekey) {
    // It does not know the SA: we forget it as well, and ask for a new one (2.25).
    const ike::ChildSlot slot = old->sa->child;
    step.warn("the peer does not know the SA we wanted to rekey: a new one is asked for");
    remove_child(s, task.spi, ike::Time{0}, reasons::out_of_step(s), step);
    return add_task(s, Task{.kind = Task::Kind::create_child, .slot = slot});
  }
  reject_refused(s, task, offer, error.type, step);
}

// Who lost a collision: true where our own exchange holds the lowest nonce.
bool ours_is_redundant(const Pending& done, const Nonces& nonces) {
  return done.rival && lowest(nonces) < done.rival->lowest_nonce;
}

void take_new_child(Session& s, const Pending& done, Child fresh, const Nonces& nonces, Step& step) {
  const std::uint32_t old_spi = done.task.kind == Task::Kind::rekey_child ? done.task.spi : 0;
  const bool redundant = ours_is_redundant(done, nonces);
  if (redundant || done.abandoned) {
    step.debug(redundant ? "both sides rekeyed at once and ours is the redundant one"
                         : "a child came that is not wanted any more");
    Child& loser = install(s, std::move(fresh), step);
    loser.closing = true;
    if (redundant) loser.replaced_by = done.rival->child_spi;
    return add_task(s, Task{.kind = Task::Kind::delete_child, .slot = loser.sa->child, .spi = loser.sa->spi_in});
  }
  const std::uint32_t new_spi = fresh.sa->spi_in;
  if (done.rival) {
    if (Child* loser = s.child_by_inbound(done.rival->child_spi)) {
      loser->redundant = true;
      loser->expire_at = step.now + kRedundantLife;
    }
  }
  Child& winner = install(s, std::move(fresh), step);
  use_outbound(s, winner, step);
  step.out.emplace_back(ike::ChildEstablished{winner.sa, old_spi != 0});
  // The peer waits for a sign that we have its answer (resources.h).
  if (winner.sa->beside != ike::kNoChild && old_spi == 0) add_task(s, Task{.kind = Task::Kind::liveness});
  if (Child* old = s.child_by_inbound(old_spi)) {
    old->replaced_by = new_spi;
    old->closing = true;
    add_task(s, Task{.kind = Task::Kind::delete_child, .slot = old->sa->child, .spi = old_spi});
  }
}

void refuse(Session& s, const Inbound& in, ike::NotifyPayload notify, Step& step) {
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::notify, notify.encode());
  send_reply(s, in, chain, step);
}

// The child that REKEY_SA names: the refusal where it cannot be rekeyed now.
tl::expected<Child*, ike::NotifyPayload> child_to_rekey(Session& s, const ike::NotifyPayload& rekey) {
  const std::uint32_t spi = rekey.child_spi().value_or(0);
  Child* child = s.child_by_outbound(spi);
  // Perhaps the one that we asked for and have no answer about yet: to say that we do not know it would end it on one
  // side alone.
  const bool asked = s.pending && s.pending->child;
  if (child == nullptr && asked) return tl::make_unexpected(ike::NotifyPayload::of(ike::NotifyType::temporary_failure));
  if (child == nullptr)
    return tl::make_unexpected(ike::NotifyPayload::of_child(ike::NotifyType::child_sa_not_found, spi));
  if (child->closing) return tl::make_unexpected(ike::NotifyPayload::of(ike::NotifyType::temporary_failure));
  return child;
}

// What a rekey by the peer leaves to be done: nothing is switched before its DELETE of the old one comes.
void note_peer_rekey(Session& s, std::uint32_t old_spi, const Child& fresh, const Nonces& nonces) {
  Child* old = s.child_by_inbound(old_spi);
  old->replaced_by = fresh.sa->spi_in;
  if (s.pending && s.pending->task.kind == Task::Kind::rekey_child && s.pending->task.spi == old_spi) {
    s.pending->rival = Rival{lowest(nonces), fresh.sa->spi_in};
  }
}

}  // namespace

void request_child(Session& s, const Task& task, Step& step) {
  auto offer = offer_for(s, task, step);
  if (!offer) return;
  if (!agree_on_group(*offer, task.group, step)) {
    s.env->release_spi(offer->spi);
    return;
  }
  offer->nonce = fresh_nonce(s);
  ike::PayloadChain chain;
  if (offer->replaces != 0) {
    chain.add(ike::PayloadType::notify,
              ike::NotifyPayload::of_child(ike::NotifyType::rekey_sa, offer->replaces).encode());
  }
  add_offer_sa(chain, *offer);
  chain.add(ike::PayloadType::nonce, offer->nonce);
  if (offer->agreement) {
    chain.add(
        ike::PayloadType::key_exchange,
        ike::KeyExchangePayload{offer->agreement->id(), ike::to_bytes(offer->agreement->public_value())}.encode());
  }
  add_offer_selectors(chain, *offer);
  s.pending.emplace();
  s.pending->task = task;
  s.pending->child = std::move(*offer);
  send_request(s, ike::Exchange::create_child_sa, chain, step);
}

void on_child_response(Session& s, const Inbound& in, Step& step) {
  Pending done = std::move(*s.pending);
  s.pending.reset();
  s.requests.answered();
  if (!done.child) return;
  ChildOffer& offer = *done.child;
  const auto* error = in.payloads.error();
  if (!in.payloads.sa && error != nullptr) return on_refusal(s, done.task, offer, *error, step);
  const auto unusable = [&](const ike::Reason& reason) {
    // The peer believes in an SA that we cannot have: it must be told.
    s.env->release_spi(offer.spi);
    add_task(s, Task{.kind = Task::Kind::delete_child, .slot = offer.slot, .spi = offer.spi});
    step.warn(reason.text);
    if (done.task.kind == Task::Kind::create_child) step.out.emplace_back(ike::ChildFailed{offer.slot, reason});
  };
  if (!in.payloads.nonce) return unusable(reasons::incomplete(s.peer_name(), "the nonce of CREATE_CHILD_SA"));
  const Nonces nonces{offer.nonce, *in.payloads.nonce};
  auto child = take_answer(s, offer, in.payloads, nonces, false, step.now);
  if (!child) return unusable(child.error());
  if (std::ranges::find(done.doomed, child->sa->spi_out) != done.doomed.end()) {
    // The answer came late: the peer made the child and deleted it again.
    s.env->release_spi(offer.spi);
    if (done.task.kind == Task::Kind::create_child) {
      step.out.emplace_back(ike::ChildFailed{offer.slot, reasons::closed_by_peer(s.peer_name())});
    }
    return;
  }
  take_new_child(s, done, std::move(*child), nonces, step);
}

void on_child_request(Session& s, const Inbound& in, Step& step) {
  peer_uses(s, step);
  const bool ike_in_motion = s.replaced || s.redundant || s.stage == Stage::closing ||
                             (s.pending && s.pending->task.kind == Task::Kind::rekey_ike);
  if (ike_in_motion) return refuse(s, in, ike::NotifyPayload::of(ike::NotifyType::temporary_failure), step);
  std::uint32_t old_spi = 0;
  const Child* old = nullptr;
  if (const auto* rekey = in.payloads.find(ike::NotifyType::rekey_sa)) {
    const auto found = child_to_rekey(s, *rekey);
    if (!found) return refuse(s, in, found.error(), step);
    old = *found;
    old_spi = old->sa->spi_in;
  }
  const Nonces nonces{*in.payloads.nonce, fresh_nonce(s)};
  auto answer = answer_child(s, in.payloads, nonces, false, old, step.now);
  if (!answer) {
    step.warn("a child the peer asked for is refused: " + answer.error().reason.text);
    return refuse(s, in, ike::NotifyPayload::of(answer.error().type, answer.error().data), step);
  }
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::sa, answer->sa);
  chain.add(ike::PayloadType::nonce, nonces.responder);
  if (answer->key_exchange) chain.add(ike::PayloadType::key_exchange, answer->key_exchange->encode());
  add_answer(chain, *answer);

  Child& fresh = install(s, std::move(answer->child), step);
  send_reply(s, in, chain, step);
  if (old_spi != 0) {
    note_peer_rekey(s, old_spi, fresh, nonces);
  } else if (fresh.sa->beside != ike::kNoChild) {
    use_when_answered(fresh, step);
  } else {
    use_outbound(s, fresh, step);
  }
  step.out.emplace_back(ike::ChildEstablished{fresh.sa, old_spi != 0});
}

}  // namespace causeway::ikev2

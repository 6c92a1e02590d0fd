// How an IKE SA is replaced, and which of two successors inherits the children when both sides rekey at once.
//
// Without a collision: the responder makes the successor and hands it the children before its answer leaves; the
// initiator does so with the answer, and deletes the old IKE SA with its last request there.
//
// With one (our request waits while the peer's arrives): both successors come into being, the children stay with
// the old IKE SA until our answer says which of the two has the lowest nonce and is redundant (2.8.2). Its creator
// deletes it; the creator of the other one deletes the old IKE SA. Should the peer's DELETE of the old IKE SA come
// before our answer, then it did not know of our request, or it won: its successor inherits and ours is forgotten.
// A redundant successor whose creator says nothing (its DELETE may be lost with the old IKE SA) goes by itself.
#include "control/ikev2/rekey.h"

#include <algorithm>
#include <utility>

#include "control/ikev2/child.h"
#include "control/ikev2/followup.h"
#include "control/ikev2/ike_auth.h"
#include "control/ikev2/ike_sa.h"
#include "control/ikev2/intermediate.h"
#include "control/ikev2/reasons.h"
#include "control/ikev2/reauth.h"
#include "control/ikev2/sa_payload.h"

namespace causeway::ikev2 {

namespace {

constexpr ike::Time kLeftoverLife{60000};      // of an IKE SA that the peer should have deleted
constexpr ike::Time kRefusedRekeyWait{15000};  // after a refusal that is not temporary
constexpr int kTemporaryFailures = 60;

ike::Bytes lowest(const Nonces& n) { return std::min(n.initiator, n.responder); }

ike::Bytes spi_octets(std::uint64_t spi) {
  ike::Writer w;
  w.be64(spi);
  return w.take();
}

std::unique_ptr<ike::IkeSa> make_successor(const Session& old, const RekeyedIke& made, ike::Time now) {
  const crypto::Secret seed = skeyseed_of_rekey(old.suite.prf, old.keys.d, made.shared, made.nonces, made.more);
  IkeKeys keys = ike_keys(made.suite, seed, made.nonces, made.spi_i, made.spi_r);
  auto protection = Protection::make(made.suite, keys, made.initiator);
  if (!protection) return nullptr;
  auto sa = make_sa(old.peer, *old.env);
  Session& s = session_of(*sa);
  s.initiator = made.initiator;
  s.stage = Stage::established;
  s.spi_i = made.spi_i;
  s.spi_r = made.spi_r;
  s.local = old.local;
  s.remote = old.remote;
  s.nat_us = old.nat_us;
  s.nat_peer = old.nat_peer;
  s.fragments = old.fragments;
  s.small_fragments = old.small_fragments;
  s.id_local = old.id_local;
  s.id_remote = old.id_remote;
  s.suite = made.suite;
  s.keys = std::move(keys);
  s.protection.emplace(std::move(*protection));
  s.started_at = s.established_at = s.last_heard = s.last_sent = now;
  s.negotiation_time = old.negotiation_time;
  s.dpd_sent = old.dpd_sent;
  s.dpd_received = old.dpd_received;
  s.retransmitted = old.retransmitted;
  set_lifetime(s, now, &old);
  return sa;
}

void refuse(Session& s, const Inbound& in, ike::NotifyType type, ike::Bytes data, Step& step) {
  ike::PayloadChain chain;
  add_notify(chain, type, std::move(data));
  send_reply(s, in, chain, step);
}

// A rekey of ours failed; when to try again, if at all.
void on_refusal(Session& s, Pending done, const ike::NotifyPayload& error, Step& step) {
  Task task = done.task;
  if (error.type == ike::NotifyType::invalid_ke_payload && task.group == crypto::KeyExchange::none) {
    const auto group = static_cast<crypto::KeyExchange>(error.data_u16().value_or(0));
    if (ike::offers(s.peer.ike, group)) {
      task.group = group;
      task.not_before = step.now;
      return add_task(s, task);
    }
  }
  if (error.type == ike::NotifyType::temporary_failure) {
    if (task.refused >= kTemporaryFailures) return close_politely(s, reasons::out_of_step(s), step);
    return retry_later(s, task, step);
  }
  ike::Reason reason = reasons::ike_rekey_refused(s, error.type);
  step.warn(reason.text + "; it serves until its lifetime ends");
  step.out.emplace_back(ike::RekeyRefused{std::move(reason)});
  task.group = crypto::KeyExchange::none;
  task.not_before = step.now + kRefusedRekeyWait;
  add_task(s, task);
}

// What the answer holds, or why it cannot be used.
tl::expected<RekeyedIke, ike::Reason> read_answer(Session& s, Pending& done, const Inbound& in) {
  const auto& p = in.payloads;
  if (!p.sa || !p.nonce || !p.key_exchange) {
    return tl::make_unexpected(reasons::incomplete(s.peer_name(), "SA, nonce or KE of an IKE rekey"));
  }
  const auto answer = decode_sa(*p.sa);
  if (!answer || answer->size() != 1 || answer->front().ike_spi() == 0) {
    return tl::make_unexpected(reasons::incomplete(s.peer_name(), "one IKE proposal with its SPI"));
  }
  const auto choice = ike::accept_answer(s.peer.ike, only_proposals(*answer));
  if (!choice) return tl::make_unexpected(choice.error());
  if (p.key_exchange->group != done.ike.agreement->id() || choice->key_exchange != done.ike.agreement->id()) {
    return tl::make_unexpected(reasons::incomplete(s.peer_name(), "a key exchange value of the group we sent"));
  }
  auto shared = done.ike.agreement->finish(p.key_exchange->value);
  if (!shared) return tl::make_unexpected(reasons::bad_key_exchange(s.peer_name(), shared.error()));
  return RekeyedIke{
      true, done.ike.spi, answer->front().ike_spi(), *choice, {done.ike.nonce, *p.nonce}, std::move(*shared), {}};
}

// Ours lost: it is made, so that it can be deleted; the peer's inherits.
void drop_ours(Session& s, std::unique_ptr<ike::IkeSa> sa, Step& step) {
  step.debug("both sides rekeyed the IKE SA at once and ours is the redundant one");
  Session& loser = session_of(*sa);
  loser.redundant = true;
  step.out.emplace_back(ike::NewIkeSa{std::move(sa)});
  close_politely(loser, reasons::replaced(), step);
  if (Session* winner = alive(s.rival_successor); winner != nullptr && !s.replaced) inherit(s, *winner, step);
  s.give_up_at = step.now + kLeftoverLife;
}

// Ours is the one: the children move, the old IKE SA goes.
void keep_ours(Session& s, std::unique_ptr<ike::IkeSa> sa, Step& step) {
  if (Session* loser = alive(s.rival_successor)) {
    loser->redundant = true;
    loser->close_reason = reasons::replaced();
    loser->give_up_at = step.now + kLeftoverLife;
    loser->rekey_at.reset();
    loser->renew_at.reset();
    loser->tasks.clear();
  }
  Session& successor = session_of(*sa);
  step.out.emplace_back(ike::NewIkeSa{std::move(sa)});
  const bool unwanted = s.stage == Stage::closing;  // closed while its rekey was on its way
  inherit(s, successor, step);
  s.rival_successor.reset();
  if (unwanted) close_politely(successor, s.close_reason.value_or(reasons::closed_by_us()), step);
  close_politely(s, reasons::replaced(), step);
}

// The answer to CREATE_CHILD_SA is only the first of several: the same request goes on with the others.
void begin_followups(Session& s, Pending done, RekeyedIke made, const Inbound& in, Step& step) {
  const auto* link = in.payloads.find(ike::NotifyType::additional_key_exchange);
  if (link == nullptr) {
    return close_politely(s, reasons::incomplete(s.peer_name(), "ADDITIONAL_KEY_EXCHANGE, which its choice needs"), step);
  }
  Followup& f = done.ike.followup.emplace();
  f.rounds = additional_rounds(made.suite);
  f.made = std::move(made);
  f.link = link->data;
  s.pending = std::move(done);
  send_followup(s, step);
}

// What we make of the peer's request, and the reply that tells it; or how it is refused.
struct Answered {
  RekeyedIke sa;
  ike::PayloadChain reply;
};
tl::expected<Answered, ike::NotifyPayload> answer_rekey(Session& s, const Inbound& in, Step& step) {
  const auto no = [](ike::NotifyType type, ike::Bytes data = {}) {
    return tl::make_unexpected(ike::NotifyPayload::of(type, std::move(data)));
  };
  const auto offered = decode_sa(*in.payloads.sa);
  if (!offered) return no(ike::NotifyType::invalid_syntax);
  const auto choice = ike::select(s.peer.ike, only_proposals(*offered));
  if (!choice) {
    step.warn("the peer's rekey of the IKE SA is refused: " + choice.error().text);
    return no(ike::NotifyType::no_proposal_chosen);
  }
  const SaProposal& theirs = offered->at(choice->theirs);
  if (theirs.ike_spi() == 0) return no(ike::NotifyType::invalid_syntax);
  if (in.payloads.key_exchange->group != choice->key_exchange) {
    ike::Writer group;
    group.be16(static_cast<std::uint16_t>(choice->key_exchange));
    return no(ike::NotifyType::invalid_ke_payload, group.take());
  }
  crypto::SystemKeyExchange exchange;
  auto response = exchange.respond(choice->key_exchange, in.payloads.key_exchange->value);
  if (!response) return no(ike::NotifyType::invalid_syntax);

  Answered out{RekeyedIke{false,
                          theirs.ike_spi(),
                          fresh_ike_spi(*s.env),
                          *choice,
                          {*in.payloads.nonce, fresh_nonce(s)},
                          std::move(response->shared),
                          {}},
               {}};
  const SaProposal taken{theirs.number, spi_octets(out.sa.spi_r), choice->proposal()};
  out.reply.add(ike::PayloadType::sa, encode_sa(std::span(&taken, 1)));
  out.reply.add(ike::PayloadType::nonce, out.sa.nonces.responder);
  out.reply.add(ike::PayloadType::key_exchange,
                ike::KeyExchangePayload{choice->key_exchange, std::move(response->public_value)}.encode());
  return out;
}

}  // namespace

bool busy_with_children(const Session& s) {
  if (s.pending && s.pending->task.kind != Task::Kind::liveness && s.pending->task.kind != Task::Kind::rekey_ike) {
    return true;
  }
  return std::ranges::any_of(s.children, [](const Child& c) { return c.closing; });
}

void request_ike_rekey(Session& s, const Task& task, Step& step) {
  if (s.replaced || s.redundant || alive(s.rival_successor) != nullptr) return;
  const auto group = task.group == crypto::KeyExchange::none ? s.suite.key_exchange : task.group;
  crypto::SystemKeyExchange exchange;
  auto agreement = exchange.initiate(group);
  if (!agreement) return step.warn("key exchange " + ike::name(group) + ": " + agreement.error());
  Pending& p = s.pending.emplace();
  p.task = task;
  p.ike.spi = fresh_ike_spi(*s.env);
  p.ike.nonce = fresh_nonce(s);
  p.ike.agreement = std::move(*agreement);
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::sa, encode_sa(numbered(s.peer.ike, spi_octets(p.ike.spi))));
  chain.add(ike::PayloadType::nonce, p.ike.nonce);
  chain.add(ike::PayloadType::key_exchange,
            ike::KeyExchangePayload{group, ike::to_bytes(p.ike.agreement->public_value())}.encode());
  send_request(s, ike::Exchange::create_child_sa, chain, step);
}

void on_ike_rekey_response(Session& s, const Inbound& in, Step& step) {
  Pending done = std::move(*s.pending);
  s.pending.reset();
  s.requests.answered();
  const auto* error = in.payloads.error();
  if (!in.payloads.sa && error != nullptr) {
    if (s.replaced) return;
    if (Session* winner = alive(s.rival_successor)) {
      // It made a successor and would not have ours.
      inherit(s, *winner, step);
      s.give_up_at = step.now + kLeftoverLife;
      return;
    }
    return on_refusal(s, std::move(done), *error, step);
  }
  const auto made = read_answer(s, done, in);
  if (!made) {
    // The peer holds an IKE SA that we cannot use: only a new start brings us together again.
    return close_politely(s, made.error(), step);
  }
  if (!additional_rounds(made->suite).empty()) return begin_followups(s, std::move(done), *made, in, step);
  complete_rekey(s, *made, done.rival, step);
}

void complete_rekey(Session& s, const RekeyedIke& made, const std::optional<Rival>& rival, Step& step) {
  auto sa = make_successor(s, made, step.now);
  if (!sa) return close_politely(s, reasons::internal("the new IKE SA has no cipher"), step);
  const bool lost = rival && lowest(made.nonces) < rival->lowest_nonce;
  if (s.replaced || (lost && alive(s.rival_successor) != nullptr)) return drop_ours(s, std::move(sa), step);
  keep_ours(s, std::move(sa), step);
}

void on_ike_rekey_request(Session& s, const Inbound& in, Step& step) {
  peer_uses(s, step);
  if (s.stage == Stage::closing || s.replaced || s.redundant || alive(s.rival_successor) != nullptr ||
      busy_with_children(s)) {
    return refuse(s, in, ike::NotifyType::temporary_failure, {}, step);
  }
  auto made = answer_rekey(s, in, step);
  if (!made) return refuse(s, in, made.error().type, std::move(made.error().data), step);
  if (!additional_rounds(made->sa.suite).empty()) {
    await_followups(s, std::move(made->sa), made->reply);
  } else if (!accept_rekey(s, made->sa, step)) {
    return refuse(s, in, ike::NotifyType::no_proposal_chosen, {}, step);
  }
  send_reply(s, in, made->reply, step);
}

bool accept_rekey(Session& s, const RekeyedIke& made, Step& step) {
  auto sa = make_successor(s, made, step.now);
  if (!sa) return false;
  const bool ours_waits = s.pending && s.pending->task.kind == Task::Kind::rekey_ike;
  Session& successor = session_of(*sa);
  step.out.emplace_back(ike::NewIkeSa{std::move(sa)});
  if (ours_waits) {
    s.pending->rival = Rival{lowest(made.nonces), 0};
    s.rival_successor = successor.link;
    successor.predecessor = s.link;
  } else {
    inherit(s, successor, step);
    s.give_up_at = step.now + kLeftoverLife;
  }
  return true;
}

void peer_uses(Session& s, Step& step) {
  Session* old = alive(s.predecessor);
  s.predecessor.reset();
  if (old == nullptr || old->replaced || s.redundant) return;
  inherit(*old, s, step);
  old->give_up_at = step.now + kLeftoverLife;
}

void inherit(Session& from, Session& heir, Step& step) {
  Session* last = &heir;  // it may have been rekeyed itself by now
  while (Session* next = alive(last->successor)) last = next;
  Session& to = *last;
  for (Child& c : from.children) to.children.push_back(std::move(c));
  from.children.clear();
  for (Task& t : from.tasks) {
    const bool about_child =
        t.kind == Task::Kind::create_child || t.kind == Task::Kind::rekey_child || t.kind == Task::Kind::delete_child;
    if (about_child) to.tasks.push_back(t);
  }
  from.tasks.clear();
  from.rekey_at.reset();
  from.renew_at.reset();
  from.replaced = true;
  from.successor = to.link;
  if (!from.close_reason) from.close_reason = reasons::replaced();
  step.out.emplace_back(ike::ChildrenMoved{to.spi_ours()});
}

}  // namespace causeway::ikev2

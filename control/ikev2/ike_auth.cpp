#include "control/ikev2/ike_auth.h"

#include <algorithm>
#include <utility>

#include "control/ikev2/auth.h"
#include "control/ikev2/auth_cert.h"
#include "control/ikev2/child.h"
#include "control/ikev2/first_answers.h"
#include "control/ikev2/ppk.h"
#include "control/ikev2/reasons.h"
#include "control/ikev2/reauth.h"

namespace causeway::ikev2 {

namespace {

bool by_address(const ike::Identity& id) { return id.type == ike::IdType::ipv4 || id.type == ike::IdType::ipv6; }

// IDr tells a responder with several names which one we want. We say it only where the configuration names one
// that is no address: an address says nothing new, and a peer that calls itself otherwise then tells us how.
bool says_whom_it_wants(const Session& s) {
  const ike::Identity& id = s.peer.remote_id;
  return !s.peer.config().remote_id.empty() && id.type != ike::IdType::any && !by_address(id) &&
         std::ranges::find(id.data, '*') == id.data.end();
}

void become_established(Session& s, Step& step) {
  s.stage = Stage::established;
  s.established_at = step.now;
  s.negotiation_time = step.now - s.started_at;
  s.last_heard = step.now;
  s.give_up_at.reset();
  set_lifetime(s, step.now);
  s.candidates.clear();
}

// Whether the peer said in IKE_SA_INIT that it takes an IKE SA without a child (RFC 6023 3).
bool takes_childless(const ike::Bytes& init_response) {
  const auto header = ike::parse_header(init_response);
  if (!header) return false;
  const auto raw = ike::walk_payloads(header->first_payload, ike::ByteView(init_response).subspan(ike::kHeaderSize));
  if (!raw) return false;
  const auto payloads = ike::decode_payloads(*raw);
  return payloads && payloads->find(ike::NotifyType::childless_ikev2_supported) != nullptr;
}

// A peer that insists on it has no word of its own for that: INVALID_SYNTAX, by which the IKE SA ends without a DELETE
// (RFC 7296 2.21.2). Without the notify in IKE_SA_INIT it means what it says.
bool insists_on_childless(const Handshake& h, const ike::Payloads& p) {
  const auto* error = p.error();
  return h.child && !p.sa && error != nullptr && error->type == ike::NotifyType::invalid_syntax &&
         takes_childless(h.keyed.init_response);
}

// The child of IKE_AUTH as initiator: up, or why not. The IKE SA stays either way (1.2).
void finish_first_child(Session& s, ChildOffer offer, const Inbound& in, const Nonces& nonces, Step& step) {
  const auto fail = [&](ike::Reason reason) {
    s.env->release_spi(offer.spi);
    step.warn("the IKE SA stands, its child does not: " + reason.text);
    step.out.emplace_back(ike::ChildFailed{offer.slot, std::move(reason)});
  };
  if (!in.payloads.sa) {
    const auto* error = in.payloads.error();
    if (error != nullptr && error->type == ike::NotifyType::single_pair_required) {
      s.env->release_spi(offer.spi);
      return add_task(s, Task{.kind = Task::Kind::create_child, .slot = offer.slot, .single_pair = true});
    }
    return fail(refused_child(s, offer, error != nullptr ? error->type : ike::NotifyType::no_proposal_chosen));
  }
  auto child = take_answer(s, offer, in.payloads, nonces, true, step.now);
  if (!child) {
    // The peer believes in a child that we cannot have: it must be told.
    add_task(s, Task{.kind = Task::Kind::delete_child, .slot = offer.slot, .spi = offer.spi});
    return fail(child.error());
  }
  Child& installed = install(s, std::move(*child), step);
  use_outbound(s, installed, step);
  step.out.emplace_back(ike::ChildEstablished{installed.sa, false});
}

// Which of the candidates calls itself so and knows the key. Sets s.peer; the reason is about the one that came
// nearest.
std::optional<ike::Reason> identify(Session& s, const Inbound& in) {
  const auto& p = in.payloads;
  std::optional<ike::Reason> nearest;
  for (const Peer& candidate : s.candidates) {
    if (!candidate.remote_id.matches(*p.id_initiator)) continue;
    auto ppk = choose_ppk(s, candidate, p);
    auto wrong = ppk ? verify_auth(s, ppk->keys, candidate, {p, ppk->auth, *p.id_initiator, in.id_i_body})
                     : std::optional(ppk.error());
    if (!wrong) {
      s.peer = candidate;
      s.keys = std::move(ppk->keys);
      s.handshake->keyed.ppk_used = ppk->used;
      return std::nullopt;
    }
    s.peer = candidate;
    nearest = std::move(wrong);
  }
  if (nearest) return nearest;
  return reasons::wrong_identity(s, s.candidates, *p.id_initiator);
}

void refuse_authentication(Session& s, const Inbound& in, ike::Reason reason, Step& step) {
  ike::PayloadChain chain;
  add_notify(chain, ike::NotifyType::authentication_failed);
  send_reply(s, in, chain, step);
  step.warn(s.peer_name() + " is not let in: " + reason.text);
  finish(s, std::move(reason), step);
}

}  // namespace

void send_ike_auth(Session& s, Step& step) {
  s.id_local = s.peer.local_id;
  const ike::Bytes id_body = s.id_local.encode();
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::id_initiator, id_body);
  s.handshake->keyed.auth_id = s.requests.next_id();
  ike::PayloadChain ppk_notifies;
  if (const auto wrong = use_ppk(s, ppk_notifies, id_body)) return finish(s, *wrong, step);
  auto auth = make_auth(s, s.keys, id_body);
  if (!auth) return finish(s, auth.error(), step);
  add_certificates(chain, s.peer);
  add_certificate_request(chain, std::span(&s.peer, 1));
  if (s.initial_contact) add_notify(chain, ike::NotifyType::initial_contact);
  if (says_whom_it_wants(s)) chain.add(ike::PayloadType::id_responder, s.peer.remote_id.encode());
  chain.add(ike::PayloadType::auth, auth->encode());
  Handshake& h = *s.handshake;
  if (h.child && s.peer.settings->childless && takes_childless(h.keyed.init_response)) {
    h.child_later = h.child->slot;
    s.env->release_spi(h.child->spi);
    h.child.reset();
  }
  if (h.child) {
    add_offer_sa(chain, *h.child);
    add_offer_selectors(chain, *h.child);
  }
  chain.append(ppk_notifies);
  s.stage = Stage::auth_sent;
  send_request(s, ike::Exchange::ike_auth, chain, step);
}

void on_ike_auth_response(Session& s, const Inbound& in, Step& step) {
  const auto& p = in.payloads;
  s.requests.answered();
  if (!p.auth || !p.id_responder) {
    const auto* error = p.error();
    return doubt(s,
                 error != nullptr ? reasons::peer_refused(s, error->type)
                                  : reasons::incomplete(s.peer_name(), "IDr and AUTH in the answer to IKE_AUTH"),
                 false, step);
  }
  s.id_remote = *p.id_responder;
  std::optional<ike::Reason> wrong;
  if (!s.peer.remote_id.matches(s.id_remote)) wrong = reasons::wrong_identity(s, std::span(&s.peer, 1), s.id_remote);
  if (!wrong) wrong = settle_ppk(s, p);
  if (!wrong) wrong = verify_auth(s, s.keys, s.peer, {p, *p.auth, s.id_remote, in.id_r_body});
  if (wrong) return doubt(s, std::move(*wrong), true, step);  // it believes in an SA, and must be told (2.21.2)
  if (insists_on_childless(*s.handshake, p)) return finish(s, reasons::wants_childless(s), step);
  Handshake h = std::move(*s.handshake);
  s.handshake.reset();
  become_established(s, step);
  take_auth_lifetime(s, p, step.now);
  step.out.emplace_back(ike::IkeEstablished{});
  if (h.child) finish_first_child(s, std::move(*h.child), in, h.keyed.nonces, step);
  if (h.child_later) add_task(s, Task{.kind = Task::Kind::create_child, .slot = *h.child_later});
  pump(s, step);
}

void on_ike_auth_request(Session& s, const Inbound& in, Step& step) {
  const auto& p = in.payloads;
  s.id_remote = *p.id_initiator;
  s.handshake->keyed.auth_id = in.header.message_id;
  if (!p.auth) return refuse_authentication(s, in, reasons::wants_eap(s), step);
  if (auto wrong = identify(s, in)) return refuse_authentication(s, in, std::move(*wrong), step);
  if (p.id_responder && !s.peer.local_id.matches(*p.id_responder)) {
    step.info("the peer asks for " + p.id_responder->str() + "; we are " + s.peer.local_id.str() + " and say so");
  }
  s.id_local = s.peer.local_id;
  const ike::Bytes id_body = s.id_local.encode();
  auto auth = make_auth(s, s.keys, id_body);
  if (!auth) return refuse_authentication(s, in, auth.error(), step);
  s.local = in.local;
  s.remote = in.remote;

  ike::PayloadChain chain;
  chain.add(ike::PayloadType::id_responder, id_body);
  add_certificates(chain, s.peer);
  chain.add(ike::PayloadType::auth, auth->encode());
  if (s.handshake->keyed.ppk_used) add_notify(chain, ike::NotifyType::ppk_identity);
  add_auth_lifetime(chain, s);
  const Nonces nonces = s.handshake->keyed.nonces;
  if (!p.sa || !p.ts_initiator || !p.ts_responder) {  // childless (RFC 6023): CREATE_CHILD_SA brings them
    become_established(s, step);
    s.handshake.reset();
    step.out.emplace_back(ike::IkeEstablished{p.find(ike::NotifyType::initial_contact) != nullptr});
    return send_reply(s, in, chain, step);
  }
  auto answer = answer_child(s, p, nonces, true, nullptr, step.now);
  if (answer) {
    chain.add(ike::PayloadType::sa, answer->sa);
    add_answer(chain, *answer);
  } else {
    add_notify(chain, answer.error().type, answer.error().data);
  }
  become_established(s, step);
  s.handshake.reset();
  if (!answer) {
    send_reply(s, in, chain, step);
    step.out.emplace_back(ike::IkeEstablished{p.find(ike::NotifyType::initial_contact) != nullptr});
    step.warn("the IKE SA stands, its child does not: " + answer.error().reason.text);
    step.out.emplace_back(ike::ChildFailed{s.peer.settings->children.front().slot, answer.error().reason});
    return;
  }
  step.out.emplace_back(ike::IkeEstablished{p.find(ike::NotifyType::initial_contact) != nullptr});
  Child& child = install(s, std::move(answer->child), step);
  send_reply(s, in, chain, step);
  use_outbound(s, child, step);
  step.out.emplace_back(ike::ChildEstablished{child.sa, false});
}

}  // namespace causeway::ikev2

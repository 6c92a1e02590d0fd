#include "control/ikev2/followup.h"

#include <algorithm>
#include <utility>

#include "control/ikev2/intermediate.h"
#include "control/ikev2/reasons.h"
#include "control/ikev2/rekey.h"

namespace causeway::ikev2 {

namespace {

constexpr std::size_t kLinkOctets = 8, kMaxLink = 256;

// What names the next round: opaque to whoever did not make it.
std::optional<ike::Bytes> link_of(const ike::Payloads& payloads) {
  const auto* link = payloads.find(ike::NotifyType::additional_key_exchange);
  if (link == nullptr || link->data.empty() || link->data.size() > kMaxLink) return std::nullopt;
  return link->data;
}

void add_link(Session& s, Followup& f, ike::PayloadChain& chain) {
  f.link.resize(kLinkOctets);
  s.env->random().fill(f.link);
  add_notify(chain, ike::NotifyType::additional_key_exchange, f.link);
}

}  // namespace

bool send_followup(Session& s, Step& step) {
  Followup& f = *s.pending->ike.followup;
  if (f.round >= f.rounds.size()) return false;
  crypto::SystemKeyExchange exchange;
  auto agreement = exchange.initiate(f.rounds[f.round]);
  if (!agreement) {
    step.warn("key exchange " + ike::name(f.rounds[f.round]) + ": " + agreement.error());
    retry_later(s, std::exchange(s.pending, std::nullopt)->task, step);
    return true;
  }
  f.agreement = std::move(*agreement);
  ike::PayloadChain chain;
  const ike::KeyExchangePayload ke{f.rounds[f.round], ike::to_bytes(f.agreement->public_value())};
  chain.add(ike::PayloadType::key_exchange, ke.encode());
  add_notify(chain, ike::NotifyType::additional_key_exchange, f.link);
  send_request(s, ike::Exchange::ike_followup_ke, chain, step);
  return true;
}

void on_followup_response(Session& s, const Inbound& in, Step& step) {
  s.requests.answered();
  Followup& f = *s.pending->ike.followup;
  const auto& theirs = in.payloads.key_exchange;
  if (!theirs || theirs->group != f.agreement->id()) {
    // STATE_NOT_FOUND, or whatever it says: nothing has been made yet on either side.
    const auto* error = in.payloads.error();
    step.warn(s.peer_name() + " does not go on with the rekey of the IKE SA" +
              (error != nullptr ? ": " + ike::name(error->type) : std::string()));
    return retry_later(s, std::exchange(s.pending, std::nullopt)->task, step);
  }
  auto shared = f.agreement->finish(theirs->value);
  if (!shared) return close_politely(s, reasons::bad_key_exchange(s.peer_name(), shared.error()), step);
  f.made.more.append(shared->bytes());
  ++f.round;
  if (f.round < f.rounds.size()) {
    auto link = link_of(in.payloads);
    if (!link) return close_politely(s, reasons::incomplete(s.peer_name(), "ADDITIONAL_KEY_EXCHANGE for the next round"), step);
    f.link = std::move(*link);
    send_followup(s, step);
    return;
  }
  Pending done = std::move(*s.pending);
  s.pending.reset();
  complete_rekey(s, done.ike.followup->made, done.rival, step);
}

void await_followups(Session& s, RekeyedIke made, ike::PayloadChain& answer) {
  Followup& f = s.followup.emplace();
  f.rounds = additional_rounds(made.suite);
  f.made = std::move(made);
  add_link(s, f, answer);
}

void on_followup_request(Session& s, const Inbound& in, Step& step) {
  const auto refuse = [&](ike::NotifyType type) {
    s.followup.reset();
    ike::PayloadChain chain;
    add_notify(chain, type);
    send_reply(s, in, chain, step);
  };
  const auto link = link_of(in.payloads);
  if (!s.followup || !link || *link != s.followup->link || s.replaced || s.redundant || s.stage == Stage::closing) {
    return refuse(ike::NotifyType::state_not_found);
  }
  // We may have begun something about a child since the first round.
  if (busy_with_children(s)) return refuse(ike::NotifyType::temporary_failure);
  Followup& f = *s.followup;
  const ike::KeyExchangePayload& theirs = *in.payloads.key_exchange;
  if (theirs.group != f.rounds[f.round]) return refuse(ike::NotifyType::invalid_syntax);
  crypto::SystemKeyExchange exchange;
  auto response = exchange.respond(theirs.group, theirs.value);
  if (!response) return refuse(ike::NotifyType::invalid_syntax);
  f.made.more.append(response->shared.bytes());
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::key_exchange,
            ike::KeyExchangePayload{theirs.group, std::move(response->public_value)}.encode());
  if (++f.round < f.rounds.size()) {
    add_link(s, f, chain);
    return send_reply(s, in, chain, step);
  }
  const RekeyedIke made = std::move(f.made);
  s.followup.reset();
  if (!accept_rekey(s, made, step)) return refuse(ike::NotifyType::no_proposal_chosen);
  send_reply(s, in, chain, step);
}

}  // namespace causeway::ikev2

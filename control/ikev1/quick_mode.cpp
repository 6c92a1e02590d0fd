#include "control/ikev1/quick_mode.h"

#include <algorithm>
#include <utility>

#include "control/ike/selectors.h"
#include "control/ikev1/child.h"
#include "control/ikev1/informational.h"
#include "control/ikev1/reasons.h"

namespace causeway::ikev1 {

namespace {

constexpr ike::Time kRemembered{60000};  // a finished quick mode, to answer repetitions
constexpr std::size_t kMaxQuicks = 32;
constexpr ike::Time kFarewell{10000};
constexpr std::uint32_t kFarewells = 4;  // nobody answers a DELETE, so a lost one is made up for

ike::Bytes spi_octets(std::uint32_t spi) {
  ike::Writer w;
  w.be32(spi);
  return w.take();
}

std::optional<std::uint32_t> spi_of(const ike::Bytes& octets) {
  if (octets.size() != 4) return std::nullopt;
  ike::Reader r(octets);
  const std::uint32_t spi = r.be32();
  return spi == 0 ? std::nullopt : std::optional(spi);
}

Encapsulation encapsulation(const Session& s) {
  if (!s.udp_encap()) return Encapsulation::tunnel;
  return s.vendors.nat_traversal == NatTraversal::rfc3947 ? Encapsulation::udp_tunnel : Encapsulation::udp_tunnel_draft;
}

bool is_udp(Encapsulation e) { return e == Encapsulation::udp_tunnel || e == Encapsulation::udp_tunnel_draft; }

// HDR*, HASH, payloads: `hash` stands first.
void send_quick(Session& s, Quick& q, const ike::Bytes& hash, const ike::PayloadChain& behind, const Inbound* answers,
                Step& step) {
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::v1_hash, hash);
  if (const auto raw = ike::walk_payloads(behind.first(), behind.bytes())) {
    for (const ike::RawPayload& p : *raw) chain.add(p.type, p.body);
  }
  q.last.sent = s.protection->seal(header_of(s, ike::Exchange::v1_quick, q.id), chain, q.iv);
  q.last.received = answers == nullptr ? ike::Bytes{} : answers->datagram;
  send_datagram(s, q.last.sent, step);
}

void fail(Session& s, Quick& q, ike::Reason reason, Step& step) {
  if (q.spi != 0) s.env->release_spi(q.spi);
  q.spi = 0;
  q.done = true;
  q.until = step.now;
  q.last = {};
  step.out.emplace_back(ike::ChildFailed{q.slot, std::move(reason)});
}

ike::PayloadChain request_payloads(Session& s, const Quick& q, crypto::KeyExchange group) {
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::v1_sa, encode_phase2(q.proposals, group, q.spi, encapsulation(s), s.peer.esp_lifetime()));
  chain.add(ike::PayloadType::v1_nonce, q.nonces.initiator);
  if (q.agreement) chain.add(ike::PayloadType::v1_key_exchange, q.agreement->public_value());
  chain.add(ike::PayloadType::v1_id, q.id_ci);
  chain.add(ike::PayloadType::v1_id, q.id_cr);
  return chain;
}

}  // namespace

void request_child(Session& s, const Task& task, Step& step) {
  const auto refuse = [&](ike::Reason reason) {
    step.out.emplace_back(ike::ChildFailed{task.slot, std::move(reason)});
  };
  const auto* settings = s.peer.child(task.slot);
  if (settings == nullptr) return refuse(reasons::internal("no such child"));
  const conf::SelectorSet& set = settings->selectors;
  if (set.local.size() != 1 || set.remote.size() != 1 || !can_say(set.local.front()) || !can_say(set.remote.front())) {
    return refuse(reasons::unspeakable_selectors(set));
  }
  Quick q;
  q.ours = true;
  q.slot = task.slot;
  q.replaces = task.replaces;
  q.selectors = set;
  const auto group = task.without_pfs ? crypto::KeyExchange::none : s.peer.pfs_group(s.suite.key_exchange);
  q.proposals = s.peer.esp_with(group);
  q.pfs_tried = task.without_pfs;
  if (group != crypto::KeyExchange::none) {
    crypto::SystemKeyExchange exchange;
    auto agreement = exchange.initiate(group);
    if (!agreement) return refuse(reasons::internal(agreement.error()));
    q.agreement = std::move(*agreement);
  }
  q.spi = s.env->allocate_spi(s.peer.settings->tunnel, 0);
  if (q.spi == 0) return refuse(reasons::no_spi());
  q.id = fresh_message_id(s);
  q.nonces.initiator = fresh_nonce(s);
  q.id_ci = encode_selector(set.local.front());
  q.id_cr = encode_selector(set.remote.front());
  q.iv = s.protection->iv_for(s.phase1_iv, q.id);
  const ike::PayloadChain chain = request_payloads(s, q, group);
  send_quick(s, q, hash_1(s.suite.prf, s.keys.a, q.id, chain.bytes()), chain, nullptr, step);
  q.last.timer.emplace(handshake_schedule(), step.now);
  s.quicks.push_back(std::move(q));
}

namespace {

// The child that the answer makes of our request, or why it makes none.
tl::expected<Child, ike::Reason> take_answer(Session& s, Quick& q, const Inbound& in, Step& step) {
  const Payloads& p = in.payloads;
  if (!p.sa || !p.nonce) return tl::make_unexpected(reasons::incomplete(s.peer_name(), "SA or nonce in quick mode"));
  const auto answer = decode_phase2(*p.sa);
  if (!answer) return tl::make_unexpected(reasons::malformed(s, answer.error().text));
  if (answer->size() != 1) return tl::make_unexpected(reasons::incomplete(s.peer_name(), "the one transform it takes"));
  const Transform& taken = answer->front();
  const auto spi_out = spi_of(taken.spi);
  if (!spi_out) return tl::make_unexpected(reasons::incomplete(s.peer_name(), "the SPI of its ESP SA"));
  const auto choice = ike::accept_answer(q.proposals, suites_of(*answer));
  if (!choice) return tl::make_unexpected(choice.error());
  if (is_udp(taken.encapsulation) != s.udp_encap()) {
    return tl::make_unexpected(reasons::incomplete(s.peer_name(), "the encapsulation mode that we offered"));
  }
  if (p.ids.size() == 2 && (p.ids[0] != q.id_ci || p.ids[1] != q.id_cr)) {
    // Not what we asked for: usable only where it lies inside.
    const auto local = decode_selector(p.ids[0]), remote = decode_selector(p.ids[1]);
    if (!local || !remote) return tl::make_unexpected(reasons::malformed(s, "client identities"));
    auto accepted = ike::accept_narrowed(q.selectors, {{*local}, {*remote}});
    if (!accepted) return tl::make_unexpected(accepted.error());
    q.selectors = std::move(*accepted);
  }
  crypto::Secret shared;
  if (q.agreement) {
    if (!p.key_exchange) return tl::make_unexpected(reasons::incomplete(s.peer_name(), "the key exchange value for PFS"));
    auto result = q.agreement->finish(*p.key_exchange);
    if (!result) return tl::make_unexpected(reasons::bad_key_exchange(s.peer_name(), result.error()));
    shared = std::move(*result);
  }
  q.nonces.responder = *p.nonce;
  Transform with_lifetime = taken;
  if (const auto* life = p.find(Notify::responder_lifetime)) {  // RFC 2407 4.6.3.1
    LifetimeReader reader(phase2::life_type, phase2::life_duration);
    if (const auto attributes = decode_attributes(life->data)) {
      for (const Attribute& a : *attributes) reader.take(a);
    }
    if (reader.lifetimes().seconds) with_lifetime.life.seconds = reader.lifetimes().seconds;
  }
  return make_child(s, q, with_lifetime, *choice, *spi_out, shared, step.now);
}

}  // namespace

void on_quick_2(Session& s, Quick& q, const Inbound& in, Step& step) {
  if (q.done) return;
  if (!in.payloads.hash ||
      !crypto::equal_constant_time(*in.payloads.hash,
                                   hash_2(s.suite.prf, s.keys.a, q.id, q.nonces.initiator, in.behind_hash))) {
    s.evidence.unusable = reasons::quick_hash(s);
    step.info(s.evidence.unusable->text);
    return;
  }
  s.last_heard = std::max(s.last_heard, step.now);
  if (const auto* error = in.payloads.error(); error != nullptr && !in.payloads.sa) {
    return on_quick_refused(s, q, error->type, step);
  }
  auto child = take_answer(s, q, in, step);
  if (!child) {
    step.warn("the answer of " + s.peer_name() + " in quick mode cannot be used: " + child.error().text);
    return fail(s, q, child.error(), step);
  }
  q.iv = s.protection->iv_after(in.datagram);
  q.done = true;
  q.until = step.now + kRemembered;
  q.spi = 0;
  q.agreement.reset();
  step.out.emplace_back(ike::InstallInbound{child->sa});
  send_quick(s, q, hash_3(s.suite.prf, s.keys.a, q.id, q.nonces), {}, &in, step);
  q.last.timer.reset();
  establish(s, std::move(*child), step);
}

void on_quick_refused(Session& s, Quick& q, Notify type, Step& step) {
  if (q.done || !q.ours) return;
  // PFS that no proposal names is a wish (see conf::EspSettings): a peer that has none gets its child without.
  const bool wish = q.agreement && !q.pfs_tried && !s.peer.names_pfs_group();
  if (wish && type == Notify::no_proposal_chosen) {
    step.info(s.peer_name() + " refused a child with PFS: asked once more without");
    const Task again{.slot = q.slot, .replaces = q.replaces, .without_pfs = true};
    if (q.spi != 0) s.env->release_spi(q.spi);
    q.spi = 0;
    q.done = true;
    q.until = step.now;
    q.last = {};
    add_task(s, again);
    return;
  }
  fail(s, q, reasons::child_refused(s, q, type), step);
}

// --- responder ---------------------------------------------------------------------------------------------

namespace {

struct Match {
  const ike::ChildSettings* child;
  conf::SelectorSet selectors;
};

bool covers(const conf::SelectorSet& ours, const conf::SelectorSet& theirs) {
  const auto in = [](const std::vector<conf::Selector>& list, const conf::Selector& s) {
    return std::ranges::any_of(list, [&](const conf::Selector& l) { return l.contains(s); });
  };
  return in(ours.local, theirs.local.front()) && in(ours.remote, theirs.remote.front());
}

// IKEv1 does not narrow: a child of ours that holds all the peer asks for, equal ones first, unused ones first.
tl::expected<Match, ike::Reason> match_child(const Session& s, const conf::SelectorSet& wanted) {
  const ike::ChildSettings* best = nullptr;
  int best_rank = -1;
  for (const ike::ChildSettings& c : s.peer.settings->children) {
    if (!covers(c.selectors, wanted)) continue;
    const bool in_use = std::ranges::any_of(s.children, [&](const Child& x) { return x.sa->child == c.slot; });
    const int rank = (c.selectors == wanted ? 2 : 0) + (in_use ? 0 : 1);
    if (rank > best_rank) std::tie(best, best_rank) = std::pair(&c, rank);
  }
  if (best != nullptr) return Match{best, wanted};
  conf::SelectorSet ours;
  if (!s.peer.settings->children.empty()) ours = s.peer.settings->children.front().selectors;
  return tl::make_unexpected(reasons::selectors(ours, wanted));
}

struct Refusal {
  Notify type;
  ike::Reason reason;
};

// Client identities as selectors seen from us; none means the two gateways themselves (RFC 2409 5.5).
tl::expected<conf::SelectorSet, Refusal> wanted_selectors(const Session& s, const Inbound& in) {
  const auto& ids = in.payloads.ids;
  if (ids.empty()) {
    const auto host = [](const conf::IpAddress& a) {
      return conf::Selector::of({a, static_cast<std::uint8_t>(a.size() * 8)});
    };
    return conf::SelectorSet{{host(in.local.address)}, {host(in.remote.address)}};
  }
  if (ids.size() != 2) {
    return tl::make_unexpected(Refusal{Notify::payload_malformed, reasons::incomplete(s.peer_name(), "one of IDci and IDcr")});
  }
  const auto remote = decode_selector(ids[0]), local = decode_selector(ids[1]);
  if (!remote || !local) {
    const auto& error = remote ? local.error() : remote.error();
    return tl::make_unexpected(Refusal{Notify::invalid_id_information, reasons::malformed(s, error.text)});
  }
  return conf::SelectorSet{{*local}, {*remote}};
}

struct Taken {
  Transform transform;
  ike::Choice choice;
  std::uint32_t spi_out = 0;
};
tl::expected<Taken, Refusal> select_transform(const Session& s, const Inbound& in) {
  const auto offered = decode_phase2(*in.payloads.sa);
  if (!offered) {
    return tl::make_unexpected(Refusal{Notify::bad_proposal_syntax, reasons::malformed(s, offered.error().text)});
  }
  // Both sides found the same NAT, or none, and the mode follows from that. Should they differ, the peer has what it
  // offers, UDP only where it speaks to us on port 4500.
  std::vector<Transform> fitting;
  for (const bool as_found : {true, false}) {
    if (!fitting.empty()) break;
    std::ranges::copy_if(*offered, std::back_inserter(fitting), [&](const Transform& t) {
      const bool udp = is_udp(t.encapsulation);
      if (as_found && udp != s.udp_encap()) return false;
      return udp ? s.local.port == 4500 : t.encapsulation == Encapsulation::tunnel;
    });
  }
  if (fitting.empty() && !offered->empty()) {
    ike::Reason r{ike::Cause::no_common_proposal,
                  s.peer_name() + " offers ESP in another encapsulation mode than " +
                      (s.udp_encap() ? "tunnel mode in UDP" : "tunnel mode") + ": set it to tunnel mode",
                  {},
                  {},
                  {}};
    return tl::make_unexpected(Refusal{Notify::no_proposal_chosen, std::move(r)});
  }
  const auto choice = ike::select(s.peer.esp_acceptable(s.suite.key_exchange), suites_of(fitting));
  if (!choice) return tl::make_unexpected(Refusal{Notify::no_proposal_chosen, choice.error()});
  const Transform& t = fitting[choice->theirs];
  const auto spi_out = spi_of(t.spi);
  if (!spi_out) return tl::make_unexpected(Refusal{Notify::invalid_spi, reasons::incomplete(s.peer_name(), "the SPI of its SA")});
  return Taken{t, *choice, *spi_out};
}

// Everything but the SPI, so that a refusal costs none.
tl::expected<crypto::KeyResponse, Refusal> key_response(const Session& s, const ike::Choice& choice,
                                                        const Inbound& in) {
  if (choice.key_exchange == crypto::KeyExchange::none) return crypto::KeyResponse{};
  if (!in.payloads.key_exchange) {
    return tl::make_unexpected(Refusal{Notify::invalid_key_information, reasons::incomplete(s.peer_name(), "KE for PFS")});
  }
  crypto::SystemKeyExchange exchange;
  auto response = exchange.respond(choice.key_exchange, *in.payloads.key_exchange);
  if (response) return std::move(*response);
  return tl::make_unexpected(Refusal{Notify::invalid_key_information, reasons::bad_key_exchange(s.peer_name(), response.error())});
}

// RESPONDER-LIFETIME where ours ends before what the peer offered (RFC 2407 4.6.3.1).
void add_responder_lifetime(const Session& s, const Transform& taken, std::uint32_t spi, ike::PayloadChain& chain) {
  const Lifetimes ours = s.peer.esp_lifetime();
  Lifetimes shorter;
  if (ours.seconds && (!taken.life.seconds || *ours.seconds < *taken.life.seconds)) shorter.seconds = ours.seconds;
  if (ours.kilobytes && (!taken.life.kilobytes || *ours.kilobytes < *taken.life.kilobytes)) {
    shorter.kilobytes = ours.kilobytes;
  }
  if (!shorter.seconds && !shorter.kilobytes) return;
  ike::Writer data;
  put_lifetime(data, phase2::life_type, phase2::life_duration, shorter);
  NotifyPayload n;
  n.protocol = 3;
  n.spi = spi_octets(spi);
  n.type = Notify::responder_lifetime;
  n.data = data.take();
  chain.add(ike::PayloadType::v1_notification, n.encode());
}

void refuse_quick(Session& s, const Inbound& in, Refusal refusal, Step& step) {
  step.warn("a child that " + s.peer_name() + " asks for is refused: " + refusal.reason.text);
  send_notify(s, refusal.type, 3, {}, {}, step);
  const ike::ChildSlot slot = s.peer.settings->children.empty() ? 0 : s.peer.settings->children.front().slot;
  step.out.emplace_back(ike::ChildFailed{slot, std::move(refusal.reason)});
  (void)in;
}

}  // namespace

void on_quick_1(Session& s, const Inbound& in, Step& step) {
  const Payloads& p = in.payloads;
  const std::uint32_t id = in.header.message_id;
  if (!p.hash || !p.sa || !p.nonce ||
      !crypto::equal_constant_time(*p.hash, hash_1(s.suite.prf, s.keys.a, id, in.behind_hash))) {
    step.info("a quick mode message of " + s.remote.str() + " is ignored: its hash does not match");
    return;
  }
  if (s.used_ids.contains(id)) return;  // a replay
  s.used_ids.insert(id);
  s.phase2_seen = true;
  s.last_heard = std::max(s.last_heard, step.now);
  if (s.quicks.size() >= kMaxQuicks) return;

  const auto wanted = wanted_selectors(s, in);
  if (!wanted) return refuse_quick(s, in, wanted.error(), step);
  const auto match = match_child(s, *wanted);
  if (!match) return refuse_quick(s, in, {Notify::invalid_id_information, match.error()}, step);
  const auto taken = select_transform(s, in);
  if (!taken) return refuse_quick(s, in, taken.error(), step);
  auto response = key_response(s, taken->choice, in);
  if (!response) return refuse_quick(s, in, response.error(), step);

  Quick q;
  q.id = id;
  q.slot = match->child->slot;
  q.selectors = match->selectors;
  q.spi = s.env->allocate_spi(s.peer.settings->tunnel, 0);
  if (q.spi == 0) return refuse_quick(s, in, {Notify::no_proposal_chosen, reasons::no_spi()}, step);
  q.nonces = {*p.nonce, fresh_nonce(s)};
  if (const Child* old = s.current(q.slot)) q.replaces = old->sa->spi_in;
  q.iv = s.protection->iv_after(in.datagram);
  q.child = make_child(s, q, taken->transform, taken->choice, taken->spi_out, response->shared, step.now);

  ike::PayloadChain chain;
  chain.add(ike::PayloadType::v1_sa, encode_answer(ike::Protocol::esp, taken->transform, spi_octets(q.spi)));
  chain.add(ike::PayloadType::v1_nonce, q.nonces.responder);
  if (!response->public_value.empty()) chain.add(ike::PayloadType::v1_key_exchange, response->public_value);
  for (const ike::Bytes& body : p.ids) chain.add(ike::PayloadType::v1_id, body);
  add_responder_lifetime(s, taken->transform, q.spi, chain);
  q.spi = 0;  // the child's from here on
  step.out.emplace_back(ike::InstallInbound{q.child->sa});
  send_quick(s, q, hash_2(s.suite.prf, s.keys.a, id, q.nonces.initiator, chain.bytes()), chain, &in, step);
  q.last.timer.emplace(handshake_schedule(), step.now);
  s.quicks.push_back(std::move(q));
}

namespace {

void confirmed(Session& s, Quick& q, bool by_esp, Step& step) {
  Child child = std::move(*q.child);
  child.confirmed = by_esp;
  q.child.reset();
  q.done = true;
  q.until = step.now + kRemembered;
  q.last.timer.reset();
  establish(s, std::move(child), step);
}

}  // namespace

namespace {

void say_farewell(Session& s, Quick& q, Step& step) {
  send_child_delete(s, {q.child->sa->spi_in}, step);
  ++q.farewells;
  q.until = step.now + kFarewell;
}

}  // namespace

void on_quick_3(Session& s, Quick& q, const Inbound& in, Step& step) {
  if (q.done || !q.child) return;
  if (!in.payloads.hash ||
      !crypto::equal_constant_time(*in.payloads.hash, hash_3(s.suite.prf, s.keys.a, q.id, q.nonces))) {
    return;
  }
  s.last_heard = std::max(s.last_heard, step.now);
  q.last.received = in.datagram;
  q.last.sent.clear();  // nothing answers the third message
  confirmed(s, q, false, step);
}

void on_esp(Session& s, std::uint32_t spi_in, ike::Time when) {
  for (Quick& q : s.quicks) {
    if (q.child && q.child->sa->spi_in == spi_in) {
      q.child->confirmed = true;
      q.until = when;
    }
  }
  Child* c = s.child_by_inbound(spi_in);
  if (c == nullptr) return;
  c->last_in = std::max(c->last_in.value_or(when), when);
  if (c->confirmed) return;
  c->confirmed = true;
  if (c->use_at) c->use_at = when;
}

void quick_due(Session& s, Step& step) {
  // By id: a quick mode that ends may add to the list or take phase 1 with it.
  std::vector<std::uint32_t> ids;
  for (const Quick& q : s.quicks) ids.push_back(q.id);
  for (const std::uint32_t id : ids) {
    const auto it = std::ranges::find(s.quicks, id, &Quick::id);
    if (it == s.quicks.end()) continue;
    Quick& q = *it;
    if (q.child && !q.done && q.child->confirmed) confirmed(s, q, true, step);
    if (q.done) {
      if (!q.until || *q.until > step.now) continue;
      if (q.child && q.farewells < kFarewells) {
        say_farewell(s, q, step);
      } else {
        s.quicks.erase(it);
      }
      continue;
    }
    if (!q.last.timer) continue;
    const auto due = q.last.timer->poll(step.now);
    if (due == ike::Retransmission::Due::send_again) {
      ++s.retransmitted;
      send_datagram(s, q.last.sent, step);
      if (q.ours) ask_liveness(s, step);
    }
    if (due != ike::Retransmission::Due::give_up) continue;
    if (!q.ours) {  // never confirmed: should the peer have it all the same, it is told that we do not
      step.out.emplace_back(ike::RemoveInbound{q.child->sa->spi_in, q.slot, ike::Time{0}});
      step.info(reasons::not_confirmed(s).text);
      q.done = true;
      q.last = {};
      say_farewell(s, q, step);
      continue;
    }
    const auto reason = s.evidence.unusable.value_or(
        reasons::quick_silent(s, handshake_schedule().total(), q.last.timer->transmissions()));
    const ike::ChildSlot slot = q.slot;
    const bool rekey = q.replaces != 0;
    if (!rekey) step.out.emplace_back(ike::ChildFailed{slot, reason});
    // A peer that does not answer quick mode has lost phase 1: another one, for the children that live.
    return lose(s, reason, step);
  }
}

bool quick_unanswered(const Session& s) {
  return std::ranges::any_of(
      s.quicks, [](const Quick& q) { return q.ours && !q.done && q.last.timer && q.last.timer->transmissions() > 1; });
}

std::optional<ike::Time> next_quick_event(const Session& s) {
  std::optional<ike::Time> next;
  const auto consider = [&](const std::optional<ike::Time>& t) {
    if (t) next = next ? std::min(*next, *t) : *t;
  };
  for (const Quick& q : s.quicks) {
    consider(q.until);
    if (!q.done && q.last.timer) consider(q.last.timer->deadline());
  }
  return next;
}

}  // namespace causeway::ikev1

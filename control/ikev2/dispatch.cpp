#include "control/ikev2/dispatch.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "control/ikev2/create_child_sa.h"
#include "control/ikev2/first_answers.h"
#include "control/ikev2/followup.h"
#include "control/ikev2/ike_auth.h"
#include "control/ikev2/ike_sa_init.h"
#include "control/ikev2/informational.h"
#include "control/ikev2/intermediate.h"
#include "control/ikev2/reasons.h"
#include "control/ikev2/rekey.h"
#include "control/ikev2/resources.h"

namespace causeway::ikev2 {

namespace {

using ike::Exchange;

// What must be in a message; anything else may be.
enum Needs : unsigned { kNothing = 0, kSa = 1, kNonce = 2, kKe = 4, kTs = 8, kIdI = 16 };

enum class Direction : std::uint8_t { request, response };

// One row: what this message means, when it may come, what it must hold, who processes it.
struct Row {
  std::string_view story;
  Exchange exchange;
  Direction direction;
  bool (*when)(const Session&, const Inbound&);
  unsigned needs;
  void (*process)(Session&, const Inbound&, Step&);
};

bool alive(const Session& s) { return s.stage == Stage::established || s.stage == Stage::closing; }
bool answers(const Session& s, Task::Kind a, Task::Kind b) {
  return s.pending && (s.pending->task.kind == a || s.pending->task.kind == b);
}

// A response of another exchange than its request's is no answer to it, whatever its message ID (2.2).
bool asked_informational(const Session& s) {
  return alive(s) && (answers(s, Task::Kind::delete_child, Task::Kind::delete_ike) ||
                      answers(s, Task::Kind::liveness, Task::Kind::liveness));
}

constexpr std::array kRows = {
    Row{"initiator: IKE_SA_INIT answered, or asked for in another way", Exchange::ike_sa_init, Direction::response,
        [](const Session& s, const Inbound&) { return s.stage == Stage::init_sent; }, kNothing,
        on_ike_sa_init_response},
    Row{"initiator: the peer's part of an additional key exchange", Exchange::ike_intermediate, Direction::response,
        [](const Session& s, const Inbound&) { return s.stage == Stage::intermediate_sent; }, kNothing,
        on_intermediate_response},
    Row{"responder: an additional key exchange", Exchange::ike_intermediate, Direction::request,
        [](const Session& s, const Inbound&) { return s.stage == Stage::half_open; }, kKe, on_intermediate_request},
    Row{"initiator: the peer proves itself and brings the first child", Exchange::ike_auth, Direction::response,
        [](const Session& s, const Inbound&) { return s.stage == Stage::auth_sent; }, kNothing, on_ike_auth_response},
    Row{"responder: the peer says who it is, proves it, and asks for the first child", Exchange::ike_auth,
        Direction::request, [](const Session& s, const Inbound&) { return s.stage == Stage::half_open; }, kIdI,
        on_ike_auth_request},
    Row{"the peer asks for a child, new or in place of an old one", Exchange::create_child_sa, Direction::request,
        [](const Session& s, const Inbound& in) { return alive(s) && in.payloads.ts_initiator.has_value(); },
        kSa | kNonce | kTs, on_child_request},
    Row{"the peer asks for a new IKE SA in place of this one", Exchange::create_child_sa, Direction::request,
        [](const Session& s, const Inbound&) { return alive(s); }, kSa | kNonce | kKe, on_ike_rekey_request},
    Row{"the child we asked for", Exchange::create_child_sa, Direction::response,
        [](const Session& s, const Inbound&) { return answers(s, Task::Kind::create_child, Task::Kind::rekey_child); },
        kNothing, on_child_response},
    Row{"the new IKE SA we asked for", Exchange::create_child_sa, Direction::response,
        [](const Session& s, const Inbound&) { return answers(s, Task::Kind::rekey_ike, Task::Kind::rekey_ike); },
        kNothing, on_ike_rekey_response},
    Row{"the next key exchange of the new IKE SA we asked for", Exchange::ike_followup_ke, Direction::response,
        [](const Session& s, const Inbound&) {
          return answers(s, Task::Kind::rekey_ike, Task::Kind::rekey_ike) && s.pending->ike.followup;
        },
        kNothing, on_followup_response},
    Row{"the next key exchange of the new IKE SA the peer asked for", Exchange::ike_followup_ke, Direction::request,
        [](const Session& s, const Inbound&) { return alive(s); }, kKe, on_followup_request},
    Row{"the peer asks whether we live, deletes, or tells something", Exchange::informational, Direction::request,
        [](const Session& s, const Inbound&) { return alive(s); }, kNothing, on_informational_request},
    Row{"our liveness check or delete is answered", Exchange::informational, Direction::response,
        [](const Session& s, const Inbound&) { return asked_informational(s); }, kNothing, on_informational_response},
};

bool complete(const Inbound& in, unsigned needs) {
  const auto& p = in.payloads;
  return ((needs & kSa) == 0 || p.sa) && ((needs & kNonce) == 0 || p.nonce) && ((needs & kKe) == 0 || p.key_exchange) &&
         ((needs & kTs) == 0 || (p.ts_initiator && p.ts_responder)) && ((needs & kIdI) == 0 || p.id_initiator);
}

const Row* row_for(const Session& s, const Inbound& in) {
  const Direction direction = in.header.is_response() ? Direction::response : Direction::request;
  const auto it = std::ranges::find_if(kRows, [&](const Row& r) {
    return r.exchange == in.header.exchange && r.direction == direction && r.when(s, in);
  });
  return it == kRows.end() ? nullptr : &*it;
}

void answer_with(Session& s, const Inbound& in, ike::NotifyType type, ike::Bytes data, Step& step) {
  ike::PayloadChain chain;
  add_notify(chain, type, std::move(data));
  send_reply(s, in, chain, step);
  // Whoever cannot say even IKE_AUTH in a way we understand will not get further (2.21.2).
  if (s.stage == Stage::half_open) finish(s, reasons::malformed(s, "its IKE_AUTH: " + ike::name(type)), step);
}

void dispatch(Session& s, const Inbound& in, Step& step) {
  for (const ike::PayloadType t : in.payloads.ignored) step.debug("unexpected " + ike::name(t) + " ignored");
  const Row* row = row_for(s, in);
  const bool unproven = s.stage == Stage::auth_sent || s.stage == Stage::intermediate_sent;
  if (row == nullptr && unproven && !in.header.is_response()) {
    // The peer is a step ahead: the answer that makes it one is lost or late. Nothing is done for a peer that has not
    // proved itself, and nothing is answered: what it would delete we may only come to hold when that answer is here.
    step.debug(ike::name(in.header.exchange) + " before the answer to IKE_AUTH: left to its repetition");
    return;
  }
  if (row == nullptr) {
    step.debug(ike::name(in.header.exchange) +
               " has no place here: " + (in.header.is_response() ? "ignored" : "refused"));
    if (!in.header.is_response()) answer_with(s, in, ike::NotifyType::invalid_syntax, {}, step);
    return;
  }
  if (!complete(in, row->needs)) {
    step.warn(ike::name(in.header.exchange) + " from " + in.remote.str() + " lacks a payload it needs");
    return answer_with(s, in, ike::NotifyType::invalid_syntax, {}, step);
  }
  row->process(s, in, step);
}

// The peer may turn up at another address once its NAT forgot the old one: authenticated and new messages of a
// peer behind a NAT move it, if we are not behind one ourselves (2.23).
void follow_peer(Session& s, const Inbound& in, Step& step) {
  if (s.stage != Stage::established || !s.nat_peer || s.nat_us || in.remote == s.remote) return;
  step.info("the peer moved from " + s.remote.str() + " to " + in.remote.str());
  s.remote = in.remote;
  s.local = in.local;
  ike::EndpointsChanged moved{{}, s.local, s.remote};
  for (const Child& c : s.children) moved.spis_out.push_back(c.sa->spi_out);
  if (!moved.spis_out.empty()) step.out.emplace_back(std::move(moved));
}

void keep_id_bodies(Inbound& in, std::span<const ike::RawPayload> raw) {
  for (const ike::RawPayload& p : raw) {
    if (p.type == ike::PayloadType::id_initiator) in.id_i_body = ike::to_bytes(p.body);
    if (p.type == ike::PayloadType::id_responder) in.id_r_body = ike::to_bytes(p.body);
  }
}

// IKE_SA_INIT has no protection; nothing here may end anything.
void receive_init(Session& s, Inbound in, std::span<const ike::RawPayload> raw, Step& step) {
  if (!in.header.is_response()) {
    // The peer did not get our answer.
    if (const Datagrams* reply = s.responses.repeats(0, in.datagram); reply != nullptr && s.stage == Stage::half_open) {
      send_datagrams(s, *reply, in.local, in.remote, step);
    }
    return;
  }
  auto payloads = ike::decode_payloads(raw);
  if (!payloads) return;
  in.payloads = std::move(*payloads);
  if (s.stage == Stage::intermediate_sent || s.stage == Stage::auth_sent) return try_answer(s, in, step);
  if (!s.requests.awaits(in.header.message_id)) return;
  dispatch(s, in, step);
}

bool is_sealed(ike::PayloadType type) {
  return type == ike::PayloadType::encrypted || type == ike::PayloadType::encrypted_fragment;
}

// An unprotected message to an SA that has keys: a hint at most (2.4).
void remember_hint(Session& s, std::span<const ike::RawPayload> raw) {
  ++s.evidence.received;
  const auto payloads = ike::decode_payloads(raw);
  if (!payloads) return;
  if (const auto* error = payloads->error()) s.evidence.refusal = error->type;
}

// A piece of a message, authentic: the whole message with the last of them.
std::optional<WholeMessage> collect(Session& s, const Inbound& in, const ike::EncryptedOuter& outer,
                                    ike::Bytes inside) {
  Reassembly& pieces = in.header.is_response() ? s.response_pieces : s.request_pieces;
  return pieces.add(in.header.message_id, outer, in.datagram, std::move(inside));
}

// Of a request that was answered, only the first piece earns the answer again (RFC 7383 2.6.1). It need not be the
// same octets: the peer may have cut the request in another way.
void on_repeated_piece(Session& s, const Inbound& in, const ike::EncryptedOuter& outer, Step& step) {
  if (outer.fragment != 1 || !s.protection->open(outer)) return;
  send_datagrams(s, s.responses.reply(), in.local, in.remote, step);
}

// Opened, decoded and new: from here on the peer has spoken.
void receive_opened(Session& s, Inbound in, ike::PayloadType first, const ike::Bytes& inside, Step& step) {
  s.last_heard = std::max(s.last_heard, step.now);
  follow_peer(s, in, step);
  if (!in.header.is_response()) use_answered(s, step);
  const auto raw = ike::walk_payloads(first, inside);
  auto payloads = raw ? ike::decode_payloads(*raw) : ike::Parsed<ike::Payloads>(tl::make_unexpected(raw.error()));
  if (!payloads) {
    const auto& error = payloads.error();
    step.warn(ike::name(in.header.exchange) + " from " + in.remote.str() + " is malformed: " + error.text);
    if (in.header.is_response() && s.handshake) return doubt(s, reasons::malformed(s, error.text), false, step);
    if (in.header.is_response()) return finish(s, reasons::malformed(s, error.text), step);
    const bool critical = error.kind == ike::ParseError::Kind::unsupported_critical;
    return answer_with(s, in,
                       critical ? ike::NotifyType::unsupported_critical_payload : ike::NotifyType::invalid_syntax,
                       critical ? ike::Bytes{error.payload} : ike::Bytes{}, step);
  }
  in.payloads = std::move(*payloads);
  keep_id_bodies(in, *raw);
  if (in.header.exchange == Exchange::ike_intermediate) {
    in.first_inside = first;
    in.inside = inside;
  }
  dispatch(s, in, step);
}

}  // namespace

void receive(Session& s, const ike::Datagram& datagram, Step& step) {
  if (s.stage == Stage::closed || s.stage == Stage::fresh) return;
  const auto header = ike::parse_header(datagram.bytes);
  if (!header || header->major != 2 || header->initiator_spi != s.spi_i) return;
  if (header->from_initiator() == s.initiator) return;  // our own message come back
  const auto raw = ike::walk_payloads(header->first_payload, ike::ByteView(datagram.bytes).subspan(ike::kHeaderSize));
  if (!raw) return;
  Inbound in;
  in.header = *header;
  in.datagram = datagram.bytes;
  in.local = datagram.local;
  in.remote = datagram.remote;
  if (header->exchange == Exchange::ike_sa_init) return receive_init(s, std::move(in), *raw, step);
  activate(s, header->responder_spi);
  if (header->responder_spi != s.spi_r || !s.protection) return;

  // Repetitions first: they cost nothing. Then what is neither new nor awaited. Only then cryptography.
  if (!header->is_response()) {
    if (const Datagrams* reply = s.responses.repeats(header->message_id, datagram.bytes)) {
      wait_longer(s, step);
      return send_datagrams(s, *reply, datagram.local, datagram.remote, step);
    }
    if (!s.responses.is_new(header->message_id) && !(s.fragments && s.responses.is_last(header->message_id))) return;
  } else if (!s.requests.awaits(header->message_id)) {
    return;
  }
  if (raw->empty() || !is_sealed(raw->back().type)) return remember_hint(s, *raw);
  const auto outer = ike::decode_encrypted(datagram.bytes, raw->back());
  if (!outer || (outer->is_fragment && !s.fragments)) return;
  if (!header->is_response() && !s.responses.is_new(header->message_id)) {
    if (outer->is_fragment) on_repeated_piece(s, in, *outer, step);
    return;
  }
  const Reassembly& pieces = header->is_response() ? s.response_pieces : s.request_pieces;
  if (outer->is_fragment && !pieces.wants(header->message_id, *outer)) return;
  auto inside = s.protection->open(*outer);
  if (!inside && activate_by_key(s, *outer)) inside = s.protection->open(*outer);
  if (!inside) {
    ++s.evidence.received;
    ++s.evidence.undecryptable;
    return;
  }
  if (!outer->is_fragment) return receive_opened(s, std::move(in), outer->first_inside, *inside, step);
  auto whole = collect(s, in, *outer, std::move(*inside));
  if (!whole) return;
  in.datagram = std::move(whole->first_datagram);
  receive_opened(s, std::move(in), whole->first_inside, whole->inside, step);
}

}  // namespace causeway::ikev2

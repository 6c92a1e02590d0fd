#include "control/ikev1/dispatch.h"

#include <algorithm>
#include <array>
#include <utility>

#include "control/ikev1/aggressive_mode.h"
#include "control/ikev1/informational.h"
#include "control/ikev1/keys.h"
#include "control/ikev1/main_mode.h"
#include "control/ikev1/quick_mode.h"
#include "control/ikev1/reasons.h"

namespace causeway::ikev1 {

namespace {

using ike::Exchange;

enum class Form : std::uint8_t { clear, sealed, either };

struct Row {
  std::string_view what;
  Stage stage;
  bool aggressive;
  bool initiator;
  Form form;
  void (*process)(Session&, const Inbound&, Step&);
};

// Phase 1 by what we wait for. Anything else is a repetition or not the peer's.
constexpr std::array kRows{
    Row{"the transform that the peer takes", Stage::first_sent, false, true, Form::clear, on_main_2},
    Row{"the peer's key exchange", Stage::second_sent, false, true, Form::clear, on_main_4},
    Row{"the peer's proof", Stage::third_sent, false, true, Form::sealed, on_main_6},
    Row{"the peer echoes our cookie", Stage::first_answered, false, false, Form::clear, on_main_3},
    Row{"the peer's proof", Stage::second_answered, false, false, Form::sealed, on_main_5},
    Row{"the peer's answer and proof at once", Stage::first_sent, true, true, Form::clear, on_aggressive_2},
    Row{"the peer's proof", Stage::first_answered, true, false, Form::either, on_aggressive_3},
};

const Row* row_for(const Session& s, bool encrypted) {
  if (!s.handshake) return nullptr;
  const auto it = std::ranges::find_if(kRows, [&](const Row& r) {
    return r.stage == s.stage && r.aggressive == s.handshake->aggressive && r.initiator == s.initiator &&
           (r.form == Form::either || (r.form == Form::sealed) == encrypted);
  });
  return it == kRows.end() ? nullptr : &*it;
}

// Taken apart; nothing where it does not decode. `chain`: payloads, with padding behind where they were sealed.
std::optional<Inbound> take_apart(const ike::Header& header, const ike::Datagram& datagram, ike::ByteView chain) {
  Inbound in;
  in.header = header;
  in.encrypted = (header.flags & ike::flag::v1_encryption) != 0;
  const auto raw =
      ike::walk_payloads(header.first_payload, chain, in.encrypted ? ike::Trailing::padding : ike::Trailing::refuse);
  if (!raw || raw->empty()) return std::nullopt;
  auto payloads = decode_payloads(*raw);
  if (!payloads) return std::nullopt;
  in.payloads = std::move(*payloads);
  if (raw->front().type == ike::PayloadType::v1_hash && raw->size() > 1) {
    const std::size_t begin = (*raw)[1].offset;
    const std::size_t end = raw->back().offset + ike::kPayloadHeaderSize + raw->back().body.size();
    in.behind_hash = ike::to_bytes(chain.subspan(begin, end - begin));
  }
  if (raw->size() > 1 && raw->back().type == ike::PayloadType::v1_hash) {
    in.hash_last = true;
    in.behind_hash = ike::to_bytes(chain.first(raw->back().offset));
  }
  in.datagram = datagram.bytes;
  in.local = datagram.local;
  in.remote = datagram.remote;
  return in;
}

std::optional<Inbound> open(const Session& s, const ike::Header& header, const ike::Datagram& datagram,
                            const ike::Bytes& iv) {
  if ((header.flags & ike::flag::v1_encryption) == 0) {
    return take_apart(header, datagram, ike::ByteView(datagram.bytes).subspan(ike::kHeaderSize));
  }
  if (!s.protection) return std::nullopt;
  const auto plain = s.protection->open(datagram.bytes, iv);
  if (!plain) return std::nullopt;
  return take_apart(header, datagram, *plain);
}

// The first message under new keys does not decrypt: with a pre-shared key, nothing but that key can be the cause
// (RFC 2409 5.4 derives them from it; all else was agreed on in clear).
void on_undecryptable(Session& s, Step& step) {
  remember_hint(s, nullptr, true);
  if (s.initiator || s.peer.auth() != AuthMethod::psk || s.evidence.unusable) return;
  s.evidence.unusable = reasons::wrong_psk(s, true);
  step.warn(s.peer_name() + " cannot connect: " + s.evidence.unusable->text);
}

void receive_phase1(Session& s, const ike::Header& header, const ike::Datagram& datagram, Step& step) {
  ++s.evidence.received;
  if (datagram.bytes == s.last.received) {
    // The peer did not get our answer, or its network doubles datagrams: at most one answer for one repetition. What
    // we repeat by timer anyway is left to it.
    if (!s.last.timer && !s.last.sent.empty()) {
      ++s.retransmitted;
      send_datagram(s, s.last.sent, step);
    }
    return;
  }
  if (header.responder_spi != s.cookies.responder && !s.initiator)
    return;  // our cookie is not echoed: no more than that
  const bool encrypted = (header.flags & ike::flag::v1_encryption) != 0;
  const Row* row = row_for(s, encrypted);
  if (row == nullptr) {
    const bool proof_again = s.stage == Stage::established && !s.initiator && !s.handshake->aggressive && encrypted;
    if (!proof_again || s.phase2_seen) return;
    if (const auto again = open(s, header, datagram, s.iv_before_proof)) on_main_5_again(s, *again, step);
    return;
  }
  auto in = open(s, header, datagram, s.phase1_iv);
  if (!in) {
    if (encrypted) on_undecryptable(s, step);
    return;
  }
  // The chain of IVs moves on with what is believed; what is not puts it back.
  ike::Bytes before = s.phase1_iv;
  if (encrypted) {
    s.iv_before_proof = s.phase1_iv;
    s.phase1_iv = s.protection->iv_after(datagram.bytes);
  }
  const Stage stage = s.stage;
  row->process(s, *in, step);
  if (s.stage == stage) s.phase1_iv = std::move(before);
}

// The peer is in phase 2 already: its last message of aggressive mode was lost. It sends that again when ours is.
void ask_for_aggressive_3(Session& s, const ike::Header& header, Step& step) {
  const bool waiting = s.stage == Stage::first_answered && s.handshake && s.handshake->aggressive;
  if (!waiting || (header.flags & ike::flag::v1_encryption) == 0 || header.responder_spi != s.cookies.responder) return;
  ++s.retransmitted;
  send_datagram(s, s.last.sent, step);
}

void receive_quick(Session& s, const ike::Header& header, const ike::Datagram& datagram, Step& step) {
  if (header.message_id == 0 || (header.flags & ike::flag::v1_encryption) == 0) return;
  const auto it = std::ranges::find(s.quicks, header.message_id, &Quick::id);
  if (it == s.quicks.end()) {
    if (s.used_ids.contains(header.message_id)) return;
    const auto in = open(s, header, datagram, s.protection->iv_for(s.phase1_iv, header.message_id));
    if (in) on_quick_1(s, *in, step);
    return;
  }
  Quick& q = *it;
  if (datagram.bytes == q.last.received) {
    if (!q.last.sent.empty()) {
      ++s.retransmitted;
      send_datagram(s, q.last.sent, step);
    }
    return;
  }
  if (q.done) return;
  const auto in = open(s, header, datagram, q.iv);
  if (!in) return;
  if (q.ours) {
    on_quick_2(s, q, *in, step);
  } else {
    on_quick_3(s, q, *in, step);
  }
}

// A refusal of our proof under the keys that both sides have by then. That it can be read says that the pre-shared key
// is the same; who sent it is not proven yet, so it is a hint.
void receive_early(Session& s, const ike::Header& header, const ike::Datagram& datagram, Step& step) {
  const auto in = open(s, header, datagram, s.protection->iv_for(s.phase1_iv, header.message_id));
  const bool readable = in && in->payloads.hash &&
                        crypto::equal_constant_time(*in->payloads.hash,
                                                    hash_1(s.suite.prf, s.keys.a, header.message_id, in->behind_hash));
  if (!readable) return remember_hint(s, nullptr, true);
  s.evidence.same_keys = true;
  remember_hint(s, &in->payloads, false);
  if (const auto* error = in->payloads.error()) step.info(s.peer_name() + " refuses our proof: " + name(error->type));
}

void receive_informational(Session& s, const ike::Header& header, const ike::Datagram& datagram, Step& step) {
  const bool encrypted = (header.flags & ike::flag::v1_encryption) != 0;
  if (encrypted && s.stage == Stage::third_sent && s.protection) return receive_early(s, header, datagram, step);
  if (!encrypted || s.stage != Stage::established) {
    if (encrypted) return remember_hint(s, nullptr, true);
    const auto in = take_apart(header, datagram, ike::ByteView(datagram.bytes).subspan(ike::kHeaderSize));
    if (!in) return;
    if (const auto* error = in->payloads.error()) {
      step.info(s.peer_name() + " says " + name(error->type) + " without protection: taken as a hint, not as a fact");
    }
    return remember_hint(s, &in->payloads, false);
  }
  if (s.used_ids.contains(header.message_id)) return;
  const auto in = open(s, header, datagram, s.protection->iv_for(s.phase1_iv, header.message_id));
  if (!in) return remember_hint(s, nullptr, true);
  on_informational(s, *in, step);
}

// XAuth and mode-config come as exchanges of their own: remote access, which is not spoken here.
void receive_transaction(Session& s, Step& step) {
  if (!s.evidence.wants_xauth && s.stage == Stage::established) {
    step.warn(s.peer_name() +
              " wants XAuth or mode-config, which is for remote access: make it a site-to-site "
              "connection there");
  }
  s.evidence.wants_xauth = true;
}

void receive_whole(Session& s, const ike::Header& header, const ike::Datagram& datagram, Step& step) {
  const ike::Time heard_before = s.last_heard;
  switch (header.exchange) {
    case Exchange::v1_main:
    case Exchange::v1_aggressive:
      if (header.message_id != 0 || !s.handshake) return;
      if ((header.exchange == Exchange::v1_aggressive) != s.handshake->aggressive) return;
      return receive_phase1(s, header, datagram, step);
    case Exchange::v1_quick:
      if (s.stage == Stage::established && s.protection) receive_quick(s, header, datagram, step);
      ask_for_aggressive_3(s, header, step);
      break;
    case Exchange::v1_informational:
      receive_informational(s, header, datagram, step);
      break;
    case Exchange::v1_transaction:
      receive_transaction(s, step);
      break;
    default:
      break;
  }
  const bool authentic = s.last_heard != heard_before && s.last_heard == step.now;
  if (authentic) follow_peer(s, datagram.local, datagram.remote, step);
}

// Fragments are taken from peers that showed that they make them, or in an exchange that we began.
bool takes_fragments(const Session& s) {
  return s.peer.config().ike.fragment && (s.vendors.fragmentation || s.initiator);
}

}  // namespace

void follow_peer(Session& s, const conf::Endpoint& local, const conf::Endpoint& remote, Step& step) {
  if (s.stage != Stage::established || !s.nat_peer || s.nat_us || remote == s.remote) return;
  step.info("the peer moved from " + s.remote.str() + " to " + remote.str());
  s.local = local;
  s.remote = remote;
  s.sighted.reset();
  ike::EndpointsChanged moved{{}, s.local, s.remote};
  for (const Child& c : s.children) {
    if (c.sa->udp_encap) moved.spis_out.push_back(c.sa->spi_out);
  }
  if (!moved.spis_out.empty()) step.out.emplace_back(std::move(moved));
}

void receive(Session& s, const ike::Datagram& datagram, Step& step) {
  if (s.stage == Stage::closed || s.stage == Stage::fresh || s.stage == Stage::lost) return;
  const auto header = ike::parse_header(datagram.bytes);
  if (!header || header->major != 1 || header->initiator_spi != s.cookies.initiator) return;
  // Until the responder's cookie is known (its first answer) or echoed (a repeated first message), it is zero.
  const bool first = s.stage == Stage::first_sent || (header->responder_spi == 0 && s.first_from == datagram.remote);
  if (!first && header->responder_spi != s.cookies.responder) return;
  if (datagram.local.port == 4500) s.evidence.on_4500 = true;
  if (header->first_payload != ike::PayloadType::v1_fragment) return receive_whole(s, *header, datagram, step);

  const auto raw = ike::walk_payloads(header->first_payload, ike::ByteView(datagram.bytes).subspan(ike::kHeaderSize));
  if (!raw || raw->size() != 1 || !takes_fragments(s)) return;
  auto whole = s.reassembly.add(raw->front().body);
  if (!whole) return;
  ike::Datagram joined{datagram.local, datagram.remote, std::move(*whole)};
  const auto inner = ike::parse_header(joined.bytes);
  if (!inner || inner->major != 1 || inner->initiator_spi != header->initiator_spi ||
      inner->responder_spi != header->responder_spi || inner->exchange != header->exchange ||
      inner->first_payload == ike::PayloadType::v1_fragment) {
    return;
  }
  receive_whole(s, *inner, joined, step);
}

}  // namespace causeway::ikev1

#include "control/ikev2/ike_sa_init.h"

#include <algorithm>
#include <utility>

#include "control/ike/nat_detection.h"
#include "control/ikev2/child.h"
#include "control/ikev2/ike_auth.h"
#include "control/ikev2/ike_sa.h"
#include "control/ikev2/ikev2.h"
#include "control/ikev2/reasons.h"
#include "control/ikev2/sa_payload.h"

namespace causeway::ikev2 {

namespace {

constexpr int kMaxCookies = 3;
constexpr ike::Time kHalfOpenLife{30000};
constexpr std::size_t kMinSpiOctets = 1;      // some spec-conforming cookies are one octet
constexpr std::size_t kMaxCookieOctets = 64;  // RFC 7296 2.6

void add_nat_detection(ike::PayloadChain& chain, const Session& s) {
  // With `encap = force` the source hash is that of no address, so that the peer finds a NAT and encapsulates.
  const conf::Endpoint source = s.force_encap ? conf::Endpoint{} : s.local;
  const auto src = ike::nat_hash(s.spi_i, s.spi_r, source);
  const auto dst = ike::nat_hash(s.spi_i, s.spi_r, s.remote);
  add_notify(chain, ike::NotifyType::nat_detection_source_ip, ike::to_bytes(src));
  add_notify(chain, ike::NotifyType::nat_detection_destination_ip, ike::to_bytes(dst));
}

void detect_nat(Session& s, const Inbound& in) {
  const auto sources = in.payloads.data_of(ike::NotifyType::nat_detection_source_ip);
  const auto destinations = in.payloads.data_of(ike::NotifyType::nat_detection_destination_ip);
  const auto found =
      ike::detect_nat(in.header.initiator_spi, in.header.responder_spi, in.local, in.remote, sources, destinations);
  s.nat_us = found.us;
  s.nat_peer = found.peer;
}

// Begins or begins again, with what the peer asked for (a cookie, another group).
void send_init(Session& s, Step& step, bool again) {
  Handshake& h = *s.handshake;
  ike::PayloadChain chain;
  if (!h.cookie.empty()) add_notify(chain, ike::NotifyType::cookie, h.cookie);
  chain.add(ike::PayloadType::sa, encode_sa(numbered(s.peer.ike, {})));
  chain.add(ike::PayloadType::key_exchange,
            ike::KeyExchangePayload{h.agreement->id(), ike::to_bytes(h.agreement->public_value())}.encode());
  chain.add(ike::PayloadType::nonce, h.nonces.initiator);
  add_nat_detection(chain, s);
  h.init_request = ike::assemble(header_of(s, ike::Exchange::ike_sa_init, false, 0), chain);

  Datagrams datagrams{h.init_request};
  send_datagrams(s, datagrams, s.local, s.remote, step);
  const ike::Retransmission timer(handshake_schedule(), step.now);
  if (again) {
    s.requests.replaced(std::move(datagrams), timer);
  } else {
    s.requests.sent(std::move(datagrams), timer);
  }
}

bool agree_on(Session& s, crypto::KeyExchange group, Step& step) {
  crypto::SystemKeyExchange exchange;
  auto agreement = exchange.initiate(group);
  if (!agreement) {
    step.warn("key exchange " + ike::name(group) + ": " + agreement.error());
    return false;
  }
  s.handshake->agreement = std::move(*agreement);
  s.handshake->groups_tried.push_back(group);
  return true;
}

// --> N(COOKIE), or <-- N(INVALID_KE_PAYLOAD): both are unprotected and yet must be followed (2.6, 1.3), a few
// times. Whatever else a notify says is remembered only.
void on_notify(Session& s, const Inbound& in, Step& step) {
  Handshake& h = *s.handshake;
  if (const auto* cookie = in.payloads.find(ike::NotifyType::cookie)) {
    const bool sane = cookie->data.size() >= kMinSpiOctets && cookie->data.size() <= kMaxCookieOctets;
    if (!sane || cookie->data == h.cookie || h.cookies >= kMaxCookies) return;
    ++h.cookies;
    h.cookie = cookie->data;
    step.debug("the peer asks for a cookie: IKE_SA_INIT again with it");
    return send_init(s, step, true);
  }
  if (const auto* invalid = in.payloads.find(ike::NotifyType::invalid_ke_payload)) {
    const auto wanted = invalid->data_u16();
    if (!wanted) return;
    const auto group = static_cast<crypto::KeyExchange>(*wanted);
    if (std::ranges::find(h.groups_tried, group) != h.groups_tried.end()) return;
    if (!ike::offers(s.peer.ike, group)) {
      s.evidence.refusal = ike::NotifyType::invalid_ke_payload;
      s.evidence.unusable = reasons::foreign_group(s, group);
      return;
    }
    step.debug("the peer wants " + ike::name(group) + ": IKE_SA_INIT again with it");
    if (agree_on(s, group, step)) send_init(s, step, true);
    return;
  }
  if (const auto* error = in.payloads.error()) {
    s.evidence.refusal = error->type;
    step.info(s.peer_name() + " says " + ike::name(error->type) +
              " without protection: taken as a hint, not as a fact");
  }
}

// Keys, addresses and ports as this answer sets them; false where it cannot be used.
bool take_init_answer(Session& s, const Inbound& in, Step& step) {
  Handshake& h = *s.handshake;
  const auto unusable = [&](ike::Reason reason) {
    step.info("an answer to IKE_SA_INIT cannot be used: " + reason.text);
    s.evidence.unusable = std::move(reason);
    return false;
  };
  const auto& p = in.payloads;
  if (in.header.responder_spi == 0 || !p.sa || !p.key_exchange || !p.nonce) {
    return unusable(reasons::incomplete(s, "SA, KE and nonce in the answer to IKE_SA_INIT"));
  }
  const auto answer = decode_sa(*p.sa);
  if (!answer) return unusable(reasons::malformed(s, answer.error().text));
  const auto choice = ike::accept_answer(s.peer.ike, only_proposals(*answer));
  if (!choice) return unusable(choice.error());
  if (p.key_exchange->group != h.agreement->id() || choice->key_exchange != h.agreement->id()) {
    return unusable(reasons::incomplete(s, "a key exchange value of the group we sent"));
  }
  const auto shared = h.agreement->finish(p.key_exchange->value);
  if (!shared) return unusable(reasons::bad_key_exchange(s, shared.error()));

  s.suite = *choice;
  s.spi_r = in.header.responder_spi;
  h.nonces.responder = *p.nonce;
  h.init_response = in.datagram;
  s.keys = ike_keys(s.suite, skeyseed(s.suite.prf, h.nonces, *shared), h.nonces, s.spi_i, s.spi_r);
  auto protection = Protection::make(s.suite, s.keys, true);
  if (!protection) return unusable(reasons::internal(protection.error()));
  s.protection.emplace(std::move(*protection));
  return true;
}

// A stateless answer to a request that gets no SA.
void refuse_init(const ike::Datagram& request, const ike::Header& header, ike::NotifyType type, ike::Bytes data,
                 ike::Effects& out) {
  ike::Header h;
  h.initiator_spi = header.initiator_spi;
  h.exchange = ike::Exchange::ike_sa_init;
  h.flags = ike::flag::response;
  ike::PayloadChain chain;
  add_notify(chain, type, std::move(data));
  out.emplace_back(ike::Send{request.local, request.remote, ike::assemble(h, chain)});
}

// Who of the candidates this can be, by the proposals alone; and the suite.
struct Selected {
  std::vector<Peer> peers;
  ike::Choice choice;
};
tl::expected<Selected, ike::Reason> select_peers(std::span<const std::shared_ptr<const ike::PeerSettings>> candidates,
                                                 std::span<const ike::Proposal> offered) {
  std::optional<Selected> selected;
  std::optional<ike::Reason> first;
  for (const auto& settings : candidates) {
    if (settings->config.role == conf::Role::initiator) continue;
    auto peer = Peer::resolve(settings);
    if (!peer) continue;
    if (selected) {
      // One suite serves all who remain candidates until IKE_AUTH tells who it is.
      const ike::Proposal chosen[] = {selected->choice.proposal()};
      if (ike::select(peer->ike, chosen)) selected->peers.push_back(std::move(*peer));
      continue;
    }
    auto choice = ike::select(peer->ike, offered);
    if (choice) {
      selected = Selected{{std::move(*peer)}, *choice};
    } else if (!first) {
      first = choice.error();
    }
  }
  if (selected) return std::move(*selected);
  return tl::make_unexpected(first.value_or(reasons::only_initiator()));
}

// <-- HDR, SAr1, KEr, Nr
void send_init_response(Session& s, const Inbound& in, const SaProposal& taken, ike::Bytes public_value, Step& step) {
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::sa, encode_sa(std::span(&taken, 1)));
  chain.add(ike::PayloadType::key_exchange,
            ike::KeyExchangePayload{s.suite.key_exchange, std::move(public_value)}.encode());
  chain.add(ike::PayloadType::nonce, s.handshake->nonces.responder);
  add_nat_detection(chain, s);
  ike::Bytes response = ike::assemble(header_of(s, ike::Exchange::ike_sa_init, true, 0), chain);
  s.handshake->init_response = response;
  Datagrams datagrams{std::move(response)};
  send_datagrams(s, datagrams, in.local, in.remote, step);
  s.responses.answered(in.datagram, std::move(datagrams));
}

}  // namespace

void start_ike_sa_init(Session& s, ike::ChildSlot child, Step& step) {
  s.initiator = true;
  s.started_at = step.now;
  s.spi_i = fresh_ike_spi(*s.env);
  s.handshake.emplace();
  const auto* settings = s.peer.child(child);
  if (settings == nullptr) return finish(s, reasons::internal("no such child"), step);
  s.handshake->child = make_offer(s, *settings, s.peer.esp_without_ke());
  if (!s.handshake->child) return finish(s, reasons::no_spi(), step);
  s.handshake->nonces.initiator = fresh_nonce(s);
  if (!agree_on(s, s.peer.ike.front().key_exchange.front(), step)) {
    return finish(s, reasons::internal("no key exchange value could be made"), step);
  }
  s.stage = Stage::init_sent;
  send_init(s, step, false);
}

void on_ike_sa_init_response(Session& s, const Inbound& in, Step& step) {
  ++s.evidence.received;
  if (!in.payloads.sa) return on_notify(s, in, step);
  if (!take_init_answer(s, in, step)) return;
  detect_nat(s, in);
  if (s.udp_encap()) {
    s.local.port = 4500;
    s.remote.port = 4500;
  }
  s.requests.answered();
  s.evidence.unusable.reset();
  s.evidence.refusal.reset();
  send_ike_auth(s, step);
}

std::unique_ptr<ike::IkeSa> accept(const ike::Datagram& request,
                                   std::span<const std::shared_ptr<const ike::PeerSettings>> candidates,
                                   ike::Environment& env, ike::Time now, ike::Effects& out) {
  Step step{now, out};
  Inbound in;
  const auto header = ike::parse_header(request.bytes);
  if (!header || header->major != 2 || header->exchange != ike::Exchange::ike_sa_init || header->is_response() ||
      !header->from_initiator() || header->initiator_spi == 0 || header->responder_spi != 0 ||
      header->message_id != 0) {
    return nullptr;
  }
  const auto ignore = [&](const std::string& why) {
    step.debug("IKE_SA_INIT from " + request.remote.str() + " ignored: " + why);
    return nullptr;
  };
  const auto raw = ike::walk_payloads(header->first_payload, ike::ByteView(request.bytes).subspan(ike::kHeaderSize));
  if (!raw) return ignore(raw.error().text);
  auto payloads = ike::decode_payloads(*raw);
  if (!payloads) {
    if (payloads.error().kind == ike::ParseError::Kind::unsupported_critical) {
      refuse_init(request, *header, ike::NotifyType::unsupported_critical_payload, {payloads.error().payload}, out);
    }
    return ignore(payloads.error().text);
  }
  in.header = *header;
  in.payloads = std::move(*payloads);
  in.datagram = request.bytes;
  in.local = request.local;
  in.remote = request.remote;
  if (!in.payloads.sa || !in.payloads.key_exchange || !in.payloads.nonce) return ignore("SA, KE or nonce is missing");
  const auto offered = decode_sa(*in.payloads.sa);
  if (!offered) return ignore(offered.error().text);

  auto selected = select_peers(candidates, only_proposals(*offered));
  if (!selected) {
    refuse_init(request, *header, ike::NotifyType::no_proposal_chosen, {}, out);
    step.warn(request.remote.address.str() + " cannot connect: " + selected.error().text);
    out.emplace_back(ike::IkeClosed{selected.error()});
    return nullptr;
  }
  const ike::Choice& choice = selected->choice;
  if (in.payloads.key_exchange->group != choice.key_exchange) {
    ike::Writer group;
    group.be16(static_cast<std::uint16_t>(choice.key_exchange));
    refuse_init(request, *header, ike::NotifyType::invalid_ke_payload, group.take(), out);
    step.debug(request.remote.str() + " is asked for " + ike::name(choice.key_exchange));
    return nullptr;
  }
  crypto::SystemKeyExchange exchange;
  auto response = exchange.respond(choice.key_exchange, in.payloads.key_exchange->value);
  if (!response) return ignore(response.error());

  auto sa = make_sa(selected->peers.front(), env);
  Session& s = session_of(*sa);
  s.candidates = std::move(selected->peers);
  s.started_at = now;
  s.stage = Stage::half_open;
  s.give_up_at = now + kHalfOpenLife;
  s.spi_i = header->initiator_spi;
  s.spi_r = fresh_ike_spi(env);
  s.local = request.local;
  s.remote = request.remote;
  s.init_from = request.remote;
  s.suite = choice;
  Handshake& h = s.handshake.emplace();
  h.nonces = {*in.payloads.nonce, fresh_nonce(s)};
  h.init_request = request.bytes;
  s.keys = ike_keys(s.suite, skeyseed(choice.prf, h.nonces, response->shared), h.nonces, s.spi_i, s.spi_r);
  auto protection = Protection::make(s.suite, s.keys, false);
  if (!protection) return ignore(protection.error());
  s.protection.emplace(std::move(*protection));
  detect_nat(s, in);
  const SaProposal taken{offered->at(choice.theirs).number, {}, choice.proposal()};
  send_init_response(s, in, taken, std::move(response->public_value), step);
  return sa;
}

}  // namespace causeway::ikev2

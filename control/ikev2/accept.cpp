// The responder's half of IKE_SA_INIT: what is cheap first, the key exchange last, and no state for what is refused.
#include <algorithm>
#include <utility>

#include "control/ikev2/ike_sa.h"
#include "control/ikev2/ikev2.h"
#include "control/ikev2/init_payloads.h"
#include "control/ikev2/intermediate.h"
#include "control/ikev2/reasons.h"
#include "control/ikev2/sa_payload.h"

namespace causeway::ikev2 {

namespace {

constexpr ike::Time kHalfOpenLife{30000};

// A stateless answer to a request that gets no SA.
void refuse_init(const ike::Datagram& request, const ike::Header& header, ike::NotifyType type, ike::Bytes data,
                 Step& step) {
  ike::Header h;
  h.initiator_spi = header.initiator_spi;
  h.exchange = ike::Exchange::ike_sa_init;
  h.flags = ike::flag::response;
  ike::PayloadChain chain;
  add_notify(chain, type, std::move(data));
  step.out.emplace_back(ike::Send{request.local, request.remote, ike::assemble(h, chain)});
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
  chain.add(ike::PayloadType::nonce, s.handshake->keyed.nonces.responder);
  add_nat_detection(chain, s);
  add_notify(chain, ike::NotifyType::childless_ikev2_supported);
  add_extensions(chain, s);
  ike::Bytes response = ike::assemble(header_of(s, ike::Exchange::ike_sa_init, true, 0), chain);
  s.handshake->keyed.init_response = response;
  Datagrams datagrams{std::move(response)};
  send_datagrams(s, datagrams, in.local, in.remote, step);
  s.responses.answered(in.datagram, std::move(datagrams));
}

// The payloads of a first request, where it is one and holds what it must. Else nothing, or what the sender is told.
std::optional<Inbound> read_request(const ike::Datagram& request, Step& step) {
  const auto header = ike::parse_header(request.bytes);
  if (!header || header->major != 2 || header->exchange != ike::Exchange::ike_sa_init || header->is_response() ||
      !header->from_initiator() || header->initiator_spi == 0 || header->responder_spi != 0 ||
      header->message_id != 0) {
    return std::nullopt;
  }
  const auto ignore = [&](const std::string& why) {
    step.debug("IKE_SA_INIT from " + request.remote.str() + " ignored: " + why);
    return std::nullopt;
  };
  const auto raw = ike::walk_payloads(header->first_payload, ike::ByteView(request.bytes).subspan(ike::kHeaderSize));
  if (!raw) return ignore(raw.error().text);
  auto payloads = ike::decode_payloads(*raw);
  if (!payloads) {
    if (payloads.error().kind == ike::ParseError::Kind::unsupported_critical) {
      refuse_init(request, *header, ike::NotifyType::unsupported_critical_payload, {payloads.error().payload}, step);
    }
    return ignore(payloads.error().text);
  }
  if (!payloads->sa || !payloads->key_exchange || !payloads->nonce) return ignore("SA, KE or nonce is missing");
  Inbound in;
  in.header = *header;
  in.payloads = std::move(*payloads);
  in.datagram = request.bytes;
  in.local = request.local;
  in.remote = request.remote;
  return in;
}

// The state of a responder that has made its half of the key exchange; nullptr without a cipher for its keys.
std::unique_ptr<ike::IkeSa> open(const Inbound& in, Selected selected, const crypto::Secret& shared,
                                 ike::Environment& env, ike::Time now) {
  auto sa = make_sa(selected.peers.front(), env);
  Session& s = session_of(*sa);
  s.candidates = std::move(selected.peers);
  s.started_at = now;
  s.stage = Stage::half_open;
  s.give_up_at = now + kHalfOpenLife;
  s.spi_i = in.header.initiator_spi;
  s.spi_r = fresh_ike_spi(env);
  s.local = in.local;
  s.remote = in.remote;
  s.init_from = in.remote;
  s.suite = selected.choice;
  Handshake& h = s.handshake.emplace();
  h.keyed.nonces = {*in.payloads.nonce, fresh_nonce(s)};
  h.keyed.init_request = in.datagram;
  s.keys = ike_keys(s.suite, skeyseed(s.suite.prf, h.keyed.nonces, shared), h.keyed.nonces, s.spi_i, s.spi_r);
  auto protection = Protection::make(s.suite, s.keys, false);
  if (!protection) return nullptr;
  s.protection.emplace(std::move(*protection));
  detect_nat(s, in);
  agree_on_extensions(s, in);
  return sa;
}

}  // namespace

std::unique_ptr<ike::IkeSa> accept(const ike::Datagram& request,
                                   std::span<const std::shared_ptr<const ike::PeerSettings>> candidates,
                                   ike::Environment& env, ike::Time now, ike::Effects& out) {
  Step step{now, out};
  const auto in = read_request(request, step);
  if (!in) return nullptr;
  const auto offered = decode_sa(*in->payloads.sa);
  if (!offered) {
    step.debug("IKE_SA_INIT from " + request.remote.str() + " ignored: " + offered.error().text);
    return nullptr;
  }
  auto selected = select_peers(candidates, only_proposals(*offered));
  const bool intermediate = in->payloads.find(ike::NotifyType::intermediate_exchange_supported) != nullptr;
  if (selected && !intermediate && !additional_rounds(selected->choice).empty()) {
    selected = tl::make_unexpected(reasons::no_intermediate(request.remote.address));
  }
  if (!selected) {
    refuse_init(request, in->header, ike::NotifyType::no_proposal_chosen, {}, step);
    step.warn(request.remote.address.str() + " cannot connect: " + selected.error().text);
    out.emplace_back(ike::IkeClosed{selected.error()});
    return nullptr;
  }
  const ike::Choice choice = selected->choice;
  if (in->payloads.key_exchange->group != choice.key_exchange) {
    ike::Writer group;
    group.be16(static_cast<std::uint16_t>(choice.key_exchange));
    refuse_init(request, in->header, ike::NotifyType::invalid_ke_payload, group.take(), step);
    step.debug(request.remote.str() + " is asked for " + ike::name(choice.key_exchange));
    return nullptr;
  }
  crypto::SystemKeyExchange exchange;
  auto response = exchange.respond(choice.key_exchange, in->payloads.key_exchange->value);
  if (!response) {
    step.debug("IKE_SA_INIT from " + request.remote.str() + " ignored: " + response.error());
    return nullptr;
  }
  auto sa = open(*in, std::move(*selected), response->shared, env, now);
  if (!sa) return nullptr;
  const SaProposal taken{offered->at(choice.theirs).number, {}, choice.proposal()};
  send_init_response(session_of(*sa), *in, taken, std::move(response->public_value), step);
  return sa;
}

}  // namespace causeway::ikev2

#include "test/fuzz/keyed_peer.h"

#include "control/ikev2/ikev2.h"
#include "control/ikev2/sa_payload.h"

namespace causeway::fuzz {
namespace {

constexpr std::uint64_t kSpi = 0x1122334455667788;
const ike::Identity kUs = ike::Identity::of(*conf::IpAddress::parse("192.0.2.1"));

template <typename... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <typename... F>
Overloaded(F...) -> Overloaded<F...>;

ike::Proposal only(const std::vector<std::string>& texts, ike::Protocol protocol) {
  return *ike::Proposal::parse(protocol, texts.front(), false);
}

std::optional<ike::Payloads> clear_payloads(ByteView message) {
  const auto header = ike::parse_header(message);
  if (!header) return std::nullopt;
  const auto raw = ike::walk_payloads(header->first_payload, message.subspan(ike::kHeaderSize));
  if (!raw) return std::nullopt;
  auto payloads = ike::decode_payloads(*raw);
  if (!payloads) return std::nullopt;
  return std::move(*payloads);
}

}  // namespace

KeyedPeer::KeyedPeer(bool peer_initiates)
    : initiates_(peer_initiates), mine_(test::pair_settings(false)), engine_("engine", 3) {
  engine_.settings.push_back(std::make_shared<const ike::PeerSettings>(test::pair_settings(true)));
  suite_.protocol = ike::Protocol::ike;
  suite_.encryption = {crypto::Encryption::aes_gcm_16, 128};
  suite_.prf = crypto::Prf::hmac_sha2_256;
  suite_.key_exchange = crypto::KeyExchange::curve25519;
  nonces_.initiator = nonces_.responder = Bytes(32, 0x77);
}

ike::Header KeyedPeer::header(ike::Exchange exchange, bool response, std::uint32_t id) const {
  ike::Header h;
  h.initiator_spi = spi_i_;
  h.responder_spi = spi_r_;
  h.exchange = exchange;
  h.flags = static_cast<std::uint8_t>((initiates_ ? ike::flag::initiator : 0U) | (response ? ike::flag::response : 0U));
  h.message_id = id;
  return h;
}

ike::PayloadChain KeyedPeer::init_payloads(ByteView public_value) const {
  ike::PayloadChain chain;
  const ike::Proposal proposal[] = {only(mine_.config.ike.proposals, ike::Protocol::ike)};
  chain.add(ike::PayloadType::sa, ikev2::encode_sa(ikev2::numbered(proposal, {})));
  chain.add(ike::PayloadType::key_exchange,
            ike::KeyExchangePayload{suite_.key_exchange, {public_value.begin(), public_value.end()}}.encode());
  chain.add(ike::PayloadType::nonce, initiates_ ? nonces_.initiator : nonces_.responder);
  return chain;
}

void KeyedPeer::take_keys(const ike::Payloads& theirs, const crypto::Secret& shared) {
  (initiates_ ? nonces_.responder : nonces_.initiator) = *theirs.nonce;
  keys_ = ikev2::ike_keys(suite_, ikev2::skeyseed(suite_.prf, nonces_, shared), nonces_, spi_i_, spi_r_);
  protection_.emplace(*ikev2::Protection::make(suite_, keys_, initiates_));
}

bool KeyedPeer::shake_hands() {
  crypto::SystemKeyExchange exchange;
  if (initiates_) {
    agreement_ = *exchange.initiate(suite_.key_exchange);
    spi_i_ = kSpi;
    first_ = ike::assemble(header(ike::Exchange::ike_sa_init, false, 0), init_payloads(agreement_->public_value()));
    feed(first_);
  } else {
    engine_.sas.push_back(ikev2::make_initiator(engine_.settings.front(), engine_.env));
    with_engine([](ike::IkeSa& sa, ike::Time now, ike::Effects& out) { sa.start(1, now, out); });
  }
  const auto theirs = clear_ ? clear_payloads(*clear_) : std::nullopt;
  if (!theirs || !theirs->key_exchange || !theirs->nonce) return false;
  const auto their_header = *ike::parse_header(*clear_);
  if (initiates_) {
    spi_r_ = their_header.responder_spi;
    const auto shared = agreement_->finish(theirs->key_exchange->value);
    if (!shared) return false;
    take_keys(*theirs, *shared);
    return true;
  }
  spi_i_ = their_header.initiator_spi;
  spi_r_ = kSpi;
  const auto answer = exchange.respond(suite_.key_exchange, theirs->key_exchange->value);
  if (!answer) return false;
  take_keys(*theirs, answer->shared);
  first_ = ike::assemble(header(ike::Exchange::ike_sa_init, true, 0), init_payloads(answer->public_value));
  feed(first_);
  return asked_.has_value();
}

void KeyedPeer::add_auth(ike::PayloadChain& chain) const {
  const Bytes id = kUs.encode();
  const auto& other_nonce = initiates_ ? nonces_.responder : nonces_.initiator;
  const auto octets = ikev2::signed_octets(suite_.prf, first_, other_nonce, initiates_ ? keys_.pi : keys_.pr, id);
  chain.add(initiates_ ? ike::PayloadType::id_initiator : ike::PayloadType::id_responder, id);
  chain.add(
      ike::PayloadType::auth,
      ike::AuthPayload{ike::AuthPayload::Method::shared_key, ikev2::psk_auth(suite_.prf, mine_.psk, octets)}.encode());
}

bool KeyedPeer::authenticate() {
  ike::PayloadChain chain;
  add_auth(chain);
  const ike::Proposal proposal[] = {only(mine_.config.esp.proposals, ike::Protocol::esp)};
  const std::uint8_t spi[] = {0xde, 0xad, 0xbe, 0xef};
  chain.add(ike::PayloadType::sa, ikev2::encode_sa(ikev2::numbered(proposal, spi)));
  const ike::TrafficSelectors ours{mine_.children.front().selectors.local, 0};
  const ike::TrafficSelectors theirs{mine_.children.front().selectors.remote, 0};
  chain.add(ike::PayloadType::ts_initiator, (initiates_ ? ours : theirs).encode());
  chain.add(ike::PayloadType::ts_responder, (initiates_ ? theirs : ours).encode());
  if (initiates_) {
    say(ike::Exchange::ike_auth, false, 1, chain);
    next_id_ = 2;
  } else {
    say(ike::Exchange::ike_auth, true, asked_ ? asked_->id : 1, chain);
    next_id_ = 0;
  }
  return engine_.established == 1 && engine_.up();
}

void KeyedPeer::say(ike::Exchange exchange, bool response, std::uint32_t id, const ike::PayloadChain& inside) {
  if (response && asked_ && asked_->id == id) asked_.reset();
  if (!response && id == next_id_) ++next_id_;
  for (Bytes& datagram : protection_->seal(header(exchange, response, id), inside, random_)) feed(std::move(datagram));
}

void KeyedPeer::feed(Bytes message) {
  ike::Effects effects;
  const ike::Datagram datagram{engine_.settings.front()->local, mine_.local, std::move(message)};
  if (engine_.sas.empty() && initiates_ && !protection_) {
    auto sa = ikev2::accept(datagram, engine_.settings, engine_.env, now_, effects);
    if (sa) engine_.sas.push_back(std::move(sa));
  } else if (!engine_.sas.empty()) {
    engine_.sas.front()->receive(datagram, now_, effects);
  }
  carry_out(effects);
}

void KeyedPeer::with_engine(const std::function<void(ike::IkeSa&, ike::Time, ike::Effects&)>& action) {
  if (engine_.sas.empty()) return;
  ike::Effects effects;
  action(*engine_.sas.front(), now_, effects);
  carry_out(effects);
}

void KeyedPeer::pass(ike::Time time) {
  const ike::Time end = now_ + time;
  for (int steps = 0; steps < 64; ++steps) {
    std::optional<ike::Time> due;
    for (const auto& sa : engine_.sas)
      if (const auto d = sa->deadline(); d && (!due || *d < *due)) due = d;
    if (!due || *due > end) break;
    now_ = std::max(now_, *due);
    for (std::size_t i = 0; i < engine_.sas.size(); ++i) {
      ike::Effects effects;
      engine_.sas[i]->tick(now_, effects);
      carry_out(effects);
    }
    std::erase_if(engine_.sas, [](const auto& sa) { return sa->status().stage == "closed"; });
  }
  now_ = std::max(now_, end);
}

void KeyedPeer::carry_out(ike::Effects& effects) {
  for (ike::Effect& effect : effects) {
    std::visit(Overloaded{
                   [&](ike::Send& s) { on_message(s.message); },
                   [&](ike::InstallInbound& e) {
                     must(engine_.env.allocated.erase(e.sa->spi_in) == 1, "an installed SPI was allocated");
                     engine_.inbound[e.sa->spi_in] = e.sa;
                   },
                   [&](ike::UseOutbound& e) {
                     must(engine_.inbound.contains(e.sa->spi_in), "outbound has its inbound");
                     engine_.outbound[e.sa->child] = e.sa;
                   },
                   [&](ike::RemoveInbound& e) { must(engine_.inbound.erase(e.spi) == 1, "what is removed was there"); },
                   [&](ike::RemoveOutbound& e) {
                     const auto at = engine_.outbound.find(e.child);
                     if (at != engine_.outbound.end() && at->second->spi_out == e.spi) engine_.outbound.erase(at);
                   },
                   [&](ike::IkeEstablished&) { ++engine_.established; },
                   [&](ike::NewIkeSa& e) { engine_.sas.push_back(std::move(e.successor)); },
                   [&](ike::IkeClosed& e) { must(!e.reason.text.empty(), "what closed has a reason"); },
                   [&](ike::ChildFailed& e) { must(!e.reason.text.empty(), "what failed has a reason"); },
                   [&](auto&) {},
               },
               effect);
  }
  // A successor stays; only what is over goes.
  std::erase_if(engine_.sas, [](const auto& sa) { return sa->status().stage == "closed"; });
}

void KeyedPeer::on_message(const Bytes& message) {
  const auto header = ike::parse_header(message);
  must(header.has_value(), "the engine sends what can be read");
  if (header->first_payload != ike::PayloadType::encrypted &&
      header->first_payload != ike::PayloadType::encrypted_fragment) {
    clear_ = message;
    return;
  }
  const auto raw = ike::walk_payloads(header->first_payload, ByteView(message).subspan(ike::kHeaderSize));
  must(raw.has_value() && !raw->empty(), "the engine's payloads can be walked");
  if (!protection_ || header->initiator_spi != spi_i_ || header->responder_spi != spi_r_) return;  // of a successor
  const auto outer = ike::decode_encrypted(message, raw->back());
  must(outer && protection_->open(*outer).has_value(), "what the engine seals opens with its keys");
  if (!header->is_response()) asked_ = Asked{header->exchange, header->message_id};
}

void KeyedPeer::check() {
  if (engine_.sas.empty()) {
    must(engine_.env.allocated.empty(), "an SPI was leaked");
    must(engine_.inbound.empty(), "an inbound SA was left behind");
  }
  for (const auto& sa : engine_.sas) {
    const auto status = sa->status();
    must(status.established || sa->deadline().has_value(), "an SA is stuck in stage " + status.stage);
  }
}

}  // namespace causeway::fuzz

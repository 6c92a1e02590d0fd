// What stands inside of IKEv1's protected messages: a peer with every key and no manners does main mode by the book
// and then seals what the input says, with hashes that match, so that all cryptography is passed.
//
//   octet 0     settings: 1: PFS
//   then steps: an octet for what is said (step()), a chain of payloads, a pause
#include "control/ike/message.h"
#include "control/ikev1/ikev1.h"
#include "control/ikev1/keys.h"
#include "control/ikev1/payloads.h"
#include "control/ikev1/protection.h"
#include "control/ikev1/sa_payload.h"
#include "crypto/dh.h"
#include "test/fuzz/fuzz.h"
#include "test/support/ike_pair.h"

namespace {

using namespace causeway;
using fuzz::Bytes;
using fuzz::Input;
using fuzz::must;
using ike::PayloadType;

constexpr int kMostSteps = 12;

class Peer {
 public:
  explicit Peer(bool pfs) : environment_(3) {
    auto settings = std::make_shared<ike::PeerSettings>(test::pair_settings(true));
    settings->config.ike.version = 1;
    settings->config.ike.proposals = {"aes128-sha1-ecp256"};
    settings->config.esp.proposals = {"aes128-sha1"};
    settings->config.esp.pfs = pfs;
    settings_ = std::move(settings);
    proposals_ = *ike::parse_proposals(ike::Protocol::ike, settings_->config.ike.proposals, true);
    suite_ = *ike::select(proposals_, proposals_);
  }

  bool shake_hands() {
    cookies_.initiator = 0x1122334455667788;
    const Bytes sa = ikev1::encode_phase1(proposals_, ikev1::AuthMethod::psk, {.seconds = 3600, .kilobytes = {}});
    ike::PayloadChain first;
    first.add(PayloadType::v1_sa, sa);
    ike::Effects out;
    const std::vector<std::shared_ptr<const ike::PeerSettings>> candidates{settings_};
    engine_ = ikev1::accept(datagram(ike::assemble(header(ike::Exchange::v1_main, 0), first)), candidates, environment_,
                            now_, out);
    if (!engine_) return false;
    carry_out(out);
    cookies_.responder = engine_->local_spi();

    crypto::SystemKeyExchange exchange;
    const auto agreement = std::move(*exchange.initiate(crypto::KeyExchange::ecp256));
    const Bytes ours = ike::to_bytes(agreement->public_value());
    ikev1::Nonces nonces{Bytes(16, 7), {}};
    ike::PayloadChain third;
    third.add(PayloadType::v1_key_exchange, ours);
    third.add(PayloadType::v1_nonce, nonces.initiator);
    feed(ike::assemble(header(ike::Exchange::v1_main, 0), third));
    const auto raw = ike::walk_payloads(PayloadType::v1_key_exchange, ike::ByteView(last_).subspan(ike::kHeaderSize));
    const auto fourth = raw ? ikev1::decode_payloads(*raw) : ike::Parsed<ikev1::Payloads>(tl::make_unexpected(raw.error()));
    if (!fourth || !fourth->key_exchange || !fourth->nonce) return false;
    nonces.responder = *fourth->nonce;
    const auto shared = agreement->finish(*fourth->key_exchange);
    if (!shared) return false;

    keys_ = ikev1::phase1_keys(suite_, ikev1::skeyid_of_psk(suite_.prf, settings_->psk, nonces), *shared, cookies_);
    protection_ = ikev1::Protection(suite_, keys_.encryption);
    phase1_iv_ = ikev1::first_iv(suite_, ours, *fourth->key_exchange);
    const Bytes id = ike::Identity::of(settings_->remote->address).encode();
    ike::PayloadChain fifth;
    fifth.add(PayloadType::v1_id, id);
    fifth.add(PayloadType::v1_hash,
              ikev1::phase1_hash(suite_.prf, keys_.skeyid, {true, ours, *fourth->key_exchange, cookies_, sa, id}));
    feed(protection_.seal(header(ike::Exchange::v1_main, 0), fifth, phase1_iv_));
    if (!engine_->status().established) return false;
    phase1_iv_ = protection_.iv_after(last_);
    return true;
  }

  // One message: quick mode or informational, its HASH(1) over what stands behind it.
  void say(ike::Exchange exchange, std::uint32_t id, const ike::PayloadChain& behind) {
    ike::PayloadChain chain;
    chain.add(PayloadType::v1_hash, ikev1::hash_1(suite_.prf, keys_.a, id, behind.bytes()));
    if (const auto raw = ike::walk_payloads(behind.first(), behind.bytes())) {
      for (const auto& p : *raw) chain.add(p.type, p.body);
    }
    Bytes iv = protection_.iv_for(phase1_iv_, id);
    feed(protection_.seal(header(exchange, id), chain, iv));
  }

  void pass(ike::Time time) {
    now_ += time;
    for (int turns = 0; turns < 50; ++turns) {
      const auto due = engine_->deadline();
      if (!due || *due > now_) return;
      ike::Effects out;
      engine_->tick(now_, out);
      const auto again = engine_->deadline();
      must(!out.empty() || !again || *again > now_, "a tick does something or moves the deadline");
      carry_out(out);
    }
  }
  void with_engine(const std::function<void(ike::IkeSa&, ike::Time, ike::Effects&)>& action) {
    ike::Effects out;
    action(*engine_, now_, out);
    carry_out(out);
  }
  void end() {
    with_engine([](ike::IkeSa& sa, ike::Time now, ike::Effects& out) { sa.close(now, out); });
    pass(ike::Time{10'000});
    must(inbound_.empty(), "nothing is left behind");
    must(environment_.allocated.empty(), "no SPI leaks");
  }

 private:
  [[nodiscard]] ike::Header header(ike::Exchange exchange, std::uint32_t id) const {
    ike::Header h;
    h.initiator_spi = cookies_.initiator;
    h.responder_spi = cookies_.responder;
    h.major = 1;
    h.exchange = exchange;
    h.message_id = id;
    return h;
  }
  [[nodiscard]] ike::Datagram datagram(Bytes bytes) const {
    return {settings_->local, *settings_->remote, std::move(bytes)};
  }
  void feed(Bytes bytes) {
    ike::Effects out;
    engine_->receive(datagram(std::move(bytes)), now_, out);
    carry_out(out);
  }
  void carry_out(const ike::Effects& effects) {
    for (const ike::Effect& e : effects) {
      if (const auto* send = std::get_if<ike::Send>(&e)) last_ = send->message;
      if (const auto* in = std::get_if<ike::InstallInbound>(&e)) {
        must(environment_.allocated.erase(in->sa->spi_in) == 1, "an SPI is allocated once and used once");
        inbound_.insert(in->sa->spi_in);
      }
      if (const auto* use = std::get_if<ike::UseOutbound>(&e)) {
        must(inbound_.contains(use->sa->spi_in), "outbound only with its inbound");
        must(used_.insert(use->sa->spi_out).second || use->sa->spi_out == 0, "no outbound SA is used a second time");
      }
      if (const auto* gone = std::get_if<ike::RemoveInbound>(&e)) {
        must(inbound_.erase(gone->spi) == 1, "what is removed was there");
      }
    }
  }

  test::PairEnvironment environment_;
  std::shared_ptr<const ike::PeerSettings> settings_;
  std::vector<ike::Proposal> proposals_;
  ike::Choice suite_;
  std::unique_ptr<ike::IkeSa> engine_;
  ikev1::Cookies cookies_;
  ikev1::Phase1Keys keys_;
  ikev1::Protection protection_;
  Bytes phase1_iv_, last_;
  std::set<std::uint32_t> inbound_, used_;
  ike::Time now_{1000};
};

// Payloads as the input has them: type, length, body.
ike::PayloadChain chain_of(Input& input) {
  ike::PayloadChain chain;
  for (int left = input.u8() % 8; left > 0 && !input.empty(); --left) {
    const auto type = static_cast<PayloadType>(input.u8() % 24);
    const Bytes body = input.string();
    if (type != PayloadType::none) chain.add(type, body);
  }
  return chain;
}

// A quick mode by the book but for what the input changes in it.
ike::PayloadChain quick_of(Input& input) {
  const auto proposals = *ike::parse_proposals(ike::Protocol::esp, std::vector<std::string>{"aes128-sha1"}, true);
  Bytes sa = ikev1::encode_phase2(proposals, crypto::KeyExchange::none, 0x1000U + input.u8(),
                                  ikev1::Encapsulation::tunnel, {.seconds = 3600, .kilobytes = {}});
  const std::uint8_t at = input.u8();
  if (at != 0 && at < sa.size()) sa[at] = input.u8();
  ike::PayloadChain chain;
  chain.add(PayloadType::v1_sa, sa);
  chain.add(PayloadType::v1_nonce, Bytes(16, 9));
  const auto net = [](const char* text) {
    return ikev1::encode_selector(conf::Selector::of(*conf::Prefix::parse(text)));
  };
  Bytes ci = net("10.1.0.0/16"), cr = net("10.2.0.0/16");
  const std::uint8_t id_at = input.u8();
  if (id_at != 0 && id_at < ci.size()) ci[id_at] = input.u8();
  chain.add(PayloadType::v1_id, ci);
  chain.add(PayloadType::v1_id, cr);
  return chain;
}

void step(Peer& peer, Input& input, std::uint32_t& id) {
  const std::uint8_t what = input.u8();
  if ((what & 0x40) == 0) ++id;  // else the message id of the one before
  switch (what % 6) {
    case 0:
      peer.say(ike::Exchange::v1_informational, id, chain_of(input));
      break;
    case 1:
      peer.say(ike::Exchange::v1_quick, id, chain_of(input));
      break;
    case 2:
      peer.say(ike::Exchange::v1_quick, id, quick_of(input));
      break;
    case 3:
      peer.with_engine([](ike::IkeSa& sa, ike::Time now, ike::Effects& out) { sa.create_child(1, now, out); });
      break;
    case 4:
      peer.with_engine([](ike::IkeSa& sa, ike::Time now, ike::Effects& out) { sa.rekey_child(1, now, out); });
      break;
    default:
      peer.say(ike::Exchange::v1_transaction, id, chain_of(input));
      break;
  }
  peer.pass(ike::Time{input.u8() * 100});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  Peer peer((input.u8() & 1) != 0);
  must(peer.shake_hands(), "an honest peer is believed");
  std::uint32_t id = 100;
  for (int steps = 0; steps < kMostSteps && !input.empty(); ++steps) step(peer, input, id);
  peer.end();
  return 0;
}

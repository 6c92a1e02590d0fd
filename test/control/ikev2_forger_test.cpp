// An attacker on the path who has no key: it sees every message and answers faster than the peer, with notifies and
// with a whole responder of its own. It can neither end nor abort anything.
#include "control/ike/payloads.h"
#include "control/ikev2/ikev2.h"
#include "test/support/catch.h"
#include "test/support/ike_pair.h"

namespace causeway {
namespace {

using test::Bytes;
using test::Fate;
using test::IkePair;
using test::InFlight;
using test::Time;

constexpr Time kBeat{1};

ike::Bytes unprotected(const Bytes& about, ike::NotifyType type, ike::Bytes data = {}) {
  auto header = *ike::parse_header(about);
  header.flags = static_cast<std::uint8_t>((header.flags ^ ike::flag::initiator) | ike::flag::response);
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::notify, ike::NotifyPayload::of(type, std::move(data)).encode());
  return ike::assemble(header, chain);
}

// In the peer's place, with everything but its secret.
class EvilTwin {
 public:
  explicit EvilTwin(bool answers_auth) : env_(4711), answers_auth_(answers_auth) {
    auto s = test::pair_settings(true);
    const Bytes psk{'g', 'u', 'e', 's', 's'};
    s.psk = crypto::Secret(psk);
    settings_.push_back(std::make_shared<const ike::PeerSettings>(std::move(s)));
  }
  // What it sends back.
  std::vector<Bytes> see(const InFlight& d, Time now) {
    const ike::Datagram datagram{d.destination, d.source, d.bytes};
    const auto header = ike::parse_header(d.bytes);
    ike::Effects effects;
    if (header->exchange == ike::Exchange::ike_sa_init) {
      if (auto sa = ikev2::accept(datagram, settings_, env_, now, effects)) sas_.push_back(std::move(sa));
    } else if (answers_auth_) {
      for (const auto& sa : sas_) {
        if (sa->local_spi() == header->responder_spi) sa->receive(datagram, now, effects);
      }
    }
    std::vector<Bytes> out;
    for (const ike::Effect& e : effects) {
      if (const auto* send = std::get_if<ike::Send>(&e)) out.push_back(send->message);
    }
    return out;
  }

 private:
  test::PairEnvironment env_;
  bool answers_auth_;
  std::vector<std::shared_ptr<const ike::PeerSettings>> settings_;
  std::vector<std::unique_ptr<ike::IkeSa>> sas_;
};

// Runs the pair while `forge` answers each of a's messages within a millisecond.
void run_attacked(IkePair& pair, Time limit, const std::function<std::vector<Bytes>(const InFlight&)>& forge,
                  const std::function<bool()>& until) {
  std::vector<InFlight> seen;
  pair.wire = [&](const InFlight& d) {
    if (d.to_b) seen.push_back(d);
    return Fate{{Time{20}, std::nullopt}};
  };
  for (Time t{0}; t < limit && !until(); t += kBeat) {
    for (const InFlight& d : std::exchange(seen, {})) {
      for (const Bytes& forged : forge(d)) pair.inject(pair.a, forged);
    }
    pair.run(kBeat, until);
  }
  pair.wire = {};
}

TEST_CASE("IKEv2 forger: a false responder that answers first does not keep the true one away") {
  const bool answers_auth = GENERATE(true, false);
  IkePair pair;
  EvilTwin twin(answers_auth);
  pair.start(pair.a);
  run_attacked(
      pair, Time{60'000}, [&](const InFlight& d) { return twin.see(d, pair.now()); }, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
  CHECK(pair.difference().empty());
  CHECK(pair.a.ike_closed.empty());
  CHECK(pair.now() < Time{15'000});
  pair.run(Time{100'000});
  CHECK(pair.both_up());
  CHECK(pair.stuck().empty());
}

TEST_CASE("IKEv2 forger: a false responder alone is refused for its proof, and told so") {
  IkePair pair;
  pair.b.answers = false;
  EvilTwin twin(true);
  pair.start(pair.a);
  run_attacked(
      pair, Time{60'000}, [&](const InFlight& d) { return twin.see(d, pair.now()); },
      [&] { return pair.a.sas.empty(); });
  REQUIRE_FALSE(pair.a.ike_closed.empty());
  CHECK(pair.a.ike_closed.front().cause == ike::Cause::peer_refused_authentication);
  CHECK(pair.stuck().empty());
}

TEST_CASE("IKEv2 forger: refusals and wishes without protection abort no attempt") {
  using ike::NotifyType;
  const auto [type, data] = GENERATE(table<NotifyType, Bytes>({{NotifyType::no_proposal_chosen, {}},
                                                               {NotifyType::invalid_syntax, {}},
                                                               {NotifyType::authentication_failed, {}},
                                                               {NotifyType::invalid_ike_spi, {}},
                                                               {NotifyType::invalid_major_version, {}},
                                                               {NotifyType::invalid_ke_payload, {0, 19}},
                                                               {NotifyType::invalid_ke_payload, {0, 14}},
                                                               {NotifyType::cookie, {1, 2, 3, 4}}}));
  IkePair pair({.adjust = [](ike::PeerSettings& s, bool is_b) {
    s.config.ike.proposals = {is_b ? "aes128-sha256-x25519" : "aes128-sha256-x25519-ecp256"};
  }});
  INFO(ike::name(type));
  pair.start(pair.a);
  run_attacked(
      pair, Time{20'000},
      [type = type, data = data](const InFlight& d) { return std::vector<Bytes>{unprotected(d.bytes, type, data)}; },
      [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
  CHECK(pair.a.ike_closed.empty());
  CHECK(pair.difference().empty());
}

TEST_CASE("IKEv2 forger: the wish for a group that the peer then does not want leads to the one it wants") {
  IkePair pair({.adjust = [](ike::PeerSettings& s, bool is_b) {
    s.config.ike.proposals = {is_b ? "aes128-sha256-ecp384" : "aes128-sha256-x25519-ecp256-ecp384"};
  }});
  pair.start(pair.a);
  run_attacked(
      pair, Time{20'000},
      [](const InFlight& d) {
        return std::vector<Bytes>{unprotected(d.bytes, ike::NotifyType::invalid_ke_payload, {0, 19})};
      },
      [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
  CHECK(pair.a.ike()->status().suite == "aes128-sha256-ecp384");
}

}  // namespace
}  // namespace causeway

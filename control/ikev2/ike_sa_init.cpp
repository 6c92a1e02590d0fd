#include "control/ikev2/ike_sa_init.h"

#include <algorithm>
#include <utility>

#include "control/ikev2/child.h"
#include "control/ikev2/ike_auth.h"
#include "control/ikev2/init_payloads.h"
#include "control/ikev2/intermediate.h"
#include "control/ikev2/reasons.h"
#include "control/ikev2/sa_payload.h"

namespace causeway::ikev2 {

namespace {

constexpr int kMaxCookies = 8;
constexpr ike::Time kCookieWait{300};
constexpr std::size_t kMinSpiOctets = 1;      // some spec-conforming cookies are one octet
constexpr std::size_t kMaxCookieOctets = 64;  // RFC 7296 2.6

// Begins or begins again, with what the peer asked for (a cookie, another group).
void send_init(Session& s, Step& step, bool again) {
  Handshake& h = *s.handshake;
  InitTry& own = h.tries.back();
  ike::PayloadChain chain;
  if (!h.cookie.empty()) add_notify(chain, ike::NotifyType::cookie, h.cookie);
  chain.add(ike::PayloadType::sa, encode_sa(numbered(s.peer.ike, {})));
  chain.add(ike::PayloadType::key_exchange,
            ike::KeyExchangePayload{own.agreement->id(), ike::to_bytes(own.agreement->public_value())}.encode());
  chain.add(ike::PayloadType::nonce, h.keyed.nonces.initiator);
  add_nat_detection(chain, s);
  add_extensions(chain, s);
  own.request = ike::assemble(header_of(s, ike::Exchange::ike_sa_init, false, 0), chain);
  send_datagrams(s, {own.request}, s.local, s.remote, step);
  // Repeated are all of them: which one the peer really wants, its answer alone can tell.
  Datagrams datagrams;
  for (auto t = h.tries.rbegin(); t != h.tries.rend(); ++t) datagrams.push_back(t->request);
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
  s.handshake->tries.push_back({std::move(*agreement), {}});
  return true;
}

const InitTry* tried(const Handshake& h, crypto::KeyExchange group) {
  const auto it = std::ranges::find_if(h.tries, [&](const InitTry& t) { return t.agreement->id() == group; });
  return it == h.tries.end() ? nullptr : &*it;
}

// <-- N(COOKIE), or <-- N(INVALID_KE_PAYLOAD): both are unprotected and yet must be followed (2.6, 1.3), a few
// times. Whatever else a notify says is remembered only.
void on_notify(Session& s, const Inbound& in, Step& step) {
  Handshake& h = *s.handshake;
  if (const auto* cookie = in.payloads.find(ike::NotifyType::cookie)) {
    const bool sane = cookie->data.size() >= kMinSpiOctets && cookie->data.size() <= kMaxCookieOctets;
    if (!sane || cookie->data == h.cookie || h.asked_cookie || h.cookies >= kMaxCookies) return;
    ++h.cookies;
    h.asked_cookie = cookie->data;
    step.debug("the peer asks for a cookie: IKE_SA_INIT again with it");
    // An answer to the request without it may be on its way, if the notify is forged; sent at once, the two requests'
    // answers could not be told apart.
    ike::RetransmitSchedule soon = handshake_schedule();
    soon.first = kCookieWait;
    return s.requests.replaced(Datagrams(s.requests.request()), ike::Retransmission(soon, step.now));
  }
  if (const auto* invalid = in.payloads.find(ike::NotifyType::invalid_ke_payload)) {
    const auto wanted = invalid->data_u16();
    if (!wanted) return;
    const auto group = static_cast<crypto::KeyExchange>(*wanted);
    if (tried(h, group) != nullptr) return;
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
    return unusable(reasons::incomplete(s.peer_name(), "SA, KE and nonce in the answer to IKE_SA_INIT"));
  }
  const auto answer = decode_sa(*p.sa);
  if (!answer) return unusable(reasons::malformed(s, answer.error().text));
  const auto choice = ike::accept_answer(s.peer.ike, only_proposals(*answer));
  if (!choice) return unusable(choice.error());
  if (!additional_rounds(*choice).empty() && p.find(ike::NotifyType::intermediate_exchange_supported) == nullptr) {
    return unusable(reasons::incomplete(s.peer_name(), "INTERMEDIATE_EXCHANGE_SUPPORTED, which its choice needs"));
  }
  const InitTry* own = tried(h, p.key_exchange->group);
  if (own == nullptr || choice->key_exchange != own->agreement->id()) {
    return unusable(reasons::incomplete(s.peer_name(), "a key exchange value of the group we sent"));
  }
  const auto shared = own->agreement->finish(p.key_exchange->value);
  if (!shared) return unusable(reasons::bad_key_exchange(s.peer_name(), shared.error()));

  s.suite = *choice;
  s.spi_r = in.header.responder_spi;
  h.keyed.nonces.responder = *p.nonce;
  h.keyed.init_request = own->request;
  h.keyed.init_response = in.datagram;
  h.answers.push_back(in.datagram);
  s.keys = ike_keys(s.suite, skeyseed(s.suite.prf, h.keyed.nonces, *shared), h.keyed.nonces, s.spi_i, s.spi_r);
  auto protection = Protection::make(s.suite, s.keys, true);
  if (!protection) return unusable(reasons::internal(protection.error()));
  s.protection.emplace(std::move(*protection));
  return true;
}

}  // namespace

void start_ike_sa_init(Session& s, ike::ChildSlot child, Step& step) {
  s.initiator = true;
  s.started_at = step.now;
  s.spi_i = fresh_ike_spi(*s.env);
  s.handshake.emplace();
  const auto* settings = s.peer.child(child);
  if (settings == nullptr) return finish(s, reasons::internal("no such child"), step);
  s.handshake->init_local = s.local;
  s.handshake->init_remote = s.remote;
  s.handshake->child = make_offer(s, *settings, s.peer.esp_without_ke());
  if (!s.handshake->child) return finish(s, reasons::no_spi(), step);
  s.handshake->keyed.nonces.initiator = fresh_nonce(s);
  if (!agree_on(s, s.peer.ike.front().key_exchange.front(), step)) {
    return finish(s, reasons::internal("no key exchange value could be made"), step);
  }
  s.stage = Stage::init_sent;
  send_init(s, step, false);
}

bool repeat_with_cookie(Session& s, Step& step) {
  if (s.stage != Stage::init_sent || !s.handshake->asked_cookie) return false;
  s.handshake->cookie = std::move(*s.handshake->asked_cookie);
  s.handshake->asked_cookie.reset();
  send_init(s, step, true);
  return true;
}

void on_ike_sa_init_response(Session& s, const Inbound& in, Step& step) {
  ++s.evidence.received;
  if (!in.payloads.sa) return on_notify(s, in, step);
  if (!take_init_answer(s, in, step)) return;
  detect_nat(s, in);
  agree_on_extensions(s, in);
  if (s.udp_encap()) {
    s.local.port = 4500;
    s.remote.port = 4500;
  }
  s.requests.answered();
  s.evidence.unusable.reset();
  s.evidence.refusal.reset();
  if (!send_intermediate(s, step)) send_ike_auth(s, step);
}

}  // namespace causeway::ikev2

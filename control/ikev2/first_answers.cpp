#include "control/ikev2/first_answers.h"

#include <algorithm>
#include <utility>

#include "control/ikev2/ike_sa_init.h"

namespace causeway::ikev2 {

namespace {

constexpr std::size_t kMostAnswers = 8;
constexpr ike::Time kSecondThoughts{1000};

void exchange(Session& s, Branch& b) {
  Handshake& h = *s.handshake;
  std::swap(s.stage, b.stage);
  std::swap(s.spi_r, b.spi_r);
  std::swap(s.local, b.local);
  std::swap(s.remote, b.remote);
  std::swap(s.nat_us, b.nat_us);
  std::swap(s.nat_peer, b.nat_peer);
  std::swap(s.suite, b.suite);
  std::swap(s.keys, b.keys);
  std::swap(s.protection, b.protection);
  std::swap(s.requests, b.requests);
  std::swap(s.fragments, b.fragments);
  std::swap(s.small_fragments, b.small_fragments);
  std::swap(s.fragmented, b.fragmented);
  std::swap(s.response_pieces, b.response_pieces);
  std::swap(h.keyed, b.keyed);
}

// As if nothing had been answered yet.
Branch unanswered(const Session& s) {
  const Handshake& h = *s.handshake;
  Branch b;
  b.stage = Stage::init_sent;
  b.local = h.init_local;
  b.remote = h.init_remote;
  b.requests.rewind();
  b.keyed.nonces.initiator = h.keyed.nonces.initiator;
  return b;
}

bool in_progress(const Session& s) { return s.requests.timer().has_value(); }

}  // namespace

void try_answer(Session& s, const Inbound& in, Step& step) {
  if (!s.handshake || !s.initiator || !in.payloads.sa) return;
  auto& seen = s.handshake->answers;
  if (std::ranges::find(seen, in.datagram) != seen.end() || seen.size() >= kMostAnswers) return;
  step.info("another answer to IKE_SA_INIT from " + in.remote.str() + ": one of them may be forged");
  Branch other = unanswered(s);
  const bool lives = in_progress(s);
  exchange(s, other);  // `other` is what was worked on
  on_ike_sa_init_response(s, in, step);
  if (!s.handshake) return;
  if (s.stage == Stage::init_sent) {  // of no use
    seen.push_back(in.datagram);
    return exchange(s, other);
  }
  s.give_up_at.reset();
  if (lives) s.handshake->parked.push_back(std::move(other));
}

void activate(Session& s, std::uint64_t responder_spi) {
  if (!s.handshake || s.spi_r == responder_spi) return;
  auto& parked = s.handshake->parked;
  const auto it = std::ranges::find(parked, responder_spi, &Branch::spi_r);
  if (it != parked.end()) exchange(s, *it);
}

bool activate_by_key(Session& s, const ike::EncryptedOuter& outer) {
  if (!s.handshake) return false;
  for (Branch& b : s.handshake->parked) {
    if (b.spi_r != s.spi_r || !b.protection || !b.protection->open(outer)) continue;
    exchange(s, b);
    return true;
  }
  return false;
}

bool resume_parked(Session& s) {
  if (!s.handshake || s.handshake->parked.empty()) return false;
  exchange(s, s.handshake->parked.back());
  s.handshake->parked.pop_back();
  return true;
}

void doubt(Session& s, ike::Reason reason, bool politely, Step& step) {
  s.requests.answered();
  s.handshake->failure = Failure{std::move(reason), politely};
  if (resume_parked(s)) {
    s.handshake->failure->politely = false;  // the keys to say it with are gone
    return;
  }
  s.give_up_at = step.now + kSecondThoughts;
}

void settle(Session& s, Step& step) {
  Failure failure = std::move(*s.handshake->failure);
  s.handshake->failure.reset();
  s.give_up_at.reset();
  if (!failure.politely) return finish(s, std::move(failure.reason), step);
  s.stage = Stage::established;  // to the peer it is
  s.close_notify = ike::NotifyType::authentication_failed;
  close_politely(s, std::move(failure.reason), step);
}

std::optional<ike::Time> parked_deadline(const Session& s) {
  std::optional<ike::Time> next;
  if (!s.handshake) return next;
  for (const Branch& b : s.handshake->parked) {
    if (b.requests.timer())
      next = next ? std::min(*next, b.requests.timer()->deadline()) : b.requests.timer()->deadline();
  }
  return next;
}

void tick_parked(Session& s, Step& step) {
  if (!s.handshake) return;
  std::vector<Branch> parked = std::move(s.handshake->parked);
  s.handshake->parked.clear();
  for (Branch& b : parked) {
    exchange(s, b);
    auto& timer = s.requests.timer();
    const auto due = timer && timer->deadline() <= step.now ? timer->poll(step.now) : ike::Retransmission::Due::no;
    if (due == ike::Retransmission::Due::send_again) send_again(s, step);
    exchange(s, b);
    if (due != ike::Retransmission::Due::give_up) s.handshake->parked.push_back(std::move(b));
  }
}

}  // namespace causeway::ikev2

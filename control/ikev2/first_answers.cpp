#include "control/ikev2/first_answers.h"

#include <algorithm>
#include <utility>

#include "control/ikev2/ike_sa_init.h"

namespace causeway::ikev2 {

namespace {

constexpr std::size_t kMostAnswers = 8;
constexpr ike::Time kSecondThoughts{1000};

// As if nothing had been answered yet. The keys of the answer that failed are never used again.
void rewind(Session& s) {
  Handshake& h = *s.handshake;
  s.stage = Stage::init_sent;
  s.spi_r = 0;
  s.protection.reset();
  s.requests.rewind();
  s.response_pieces = {};
  s.fragmented.reset();
  s.local = h.init_local;
  s.remote = h.init_remote;
  s.give_up_at.reset();
  h.failure.reset();
  h.round = 0;
  h.intermediate_i.clear();
  h.intermediate_r.clear();
  h.keys_without_ppk.reset();
}

}  // namespace

void keep_answer(Session& s, const Inbound& in, Step& step) {
  if (!s.handshake || !s.initiator || !in.payloads.sa) return;
  Handshake& h = *s.handshake;
  const auto known = [&](const Inbound& other) { return other.datagram == in.datagram; };
  if (in.datagram == h.init_response || std::ranges::any_of(h.other_answers, known)) return;
  if (h.other_answers.size() >= kMostAnswers) return;
  step.info("a second, different answer to IKE_SA_INIT from " + in.remote.str() + ": one of them may be forged");
  h.other_answers.push_back(in);
  if (h.failure) try_next_answer(s, step);
}

bool try_next_answer(Session& s, Step& step) {
  if (!s.handshake || !s.initiator) return false;
  while (!s.handshake->other_answers.empty()) {
    const Inbound in = std::move(s.handshake->other_answers.front());
    s.handshake->other_answers.pop_front();
    const std::optional<Failure> failure = s.handshake->failure;
    const auto until = s.give_up_at;
    rewind(s);
    on_ike_sa_init_response(s, in, step);
    if (s.stage != Stage::init_sent) return true;
    s.handshake->failure = failure;
    s.give_up_at = until;
    if (s.handshake->failure) s.handshake->failure->politely = false;  // its keys are gone
  }
  return false;
}

void doubt(Session& s, ike::Reason reason, bool politely, Step& step) {
  s.requests.answered();
  s.handshake->failure = Failure{std::move(reason), politely};
  if (try_next_answer(s, step) || !s.handshake) return;
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

}  // namespace causeway::ikev2

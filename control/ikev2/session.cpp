#include "control/ikev2/session.h"

#include <algorithm>
#include <utility>

#include "control/ikev2/child.h"
#include "control/ikev2/create_child_sa.h"
#include "control/ikev2/ike_sa_init.h"
#include "control/ikev2/informational.h"
#include "control/ikev2/rekey.h"

namespace causeway::ikev2 {

namespace {

// A first answer is not worth waiting for as long as one of a peer that is known to live: 2, 3.6, 6.5, 8, 8 s.
constexpr ike::RetransmitSchedule kHandshake{ike::Time{2000}, 180, ike::Time{8000}, 5};
constexpr ike::Time kLongestWait{10000};
constexpr ike::Time kFirstWait{1000};
constexpr int kTriesBeforeSmaller = 3;  // transmissions of a request in pieces

// The waiting time of a task that the peer asked us to try later: 2 to 6 s, so that both ends differ.
constexpr std::uint32_t kRetryMinMs = 2000, kRetrySpreadMs = 4000;

}  // namespace

Session* alive(const std::shared_ptr<Link>& link) {
  return link && link->session != nullptr && link->session->stage != Stage::closed ? link->session : nullptr;
}

bool undecided(const Session& s) {
  const Session* old = alive(s.predecessor);
  return old != nullptr && !old->replaced;
}

Session::~Session() { link->session = nullptr; }

Child* Session::child_by_inbound(std::uint32_t spi) {
  const auto it = std::ranges::find_if(children, [&](const Child& c) { return c.sa->spi_in == spi; });
  return it == children.end() ? nullptr : &*it;
}

Child* Session::child_by_outbound(std::uint32_t spi) {
  const auto it = std::ranges::find_if(children, [&](const Child& c) { return c.sa->spi_out == spi; });
  return it == children.end() ? nullptr : &*it;
}

ike::RetransmitSchedule handshake_schedule() { return kHandshake; }

ike::RetransmitSchedule liveness_schedule(const conf::Dpd& dpd) {
  const ike::Time first = std::chrono::duration_cast<ike::Time>(dpd.retry);
  return {first, kHandshake.growth_percent, std::max(kLongestWait, first), std::max(dpd.tries, 1)};
}

ike::RetransmitSchedule exchange_schedule(const conf::Dpd& dpd) {
  const ike::RetransmitSchedule liveness = liveness_schedule(dpd);
  ike::RetransmitSchedule s{kFirstWait, kHandshake.growth_percent, std::max(liveness.first, kFirstWait), 1};
  while (s.total() < liveness.total()) ++s.tries;
  return s;
}

ike::Header header_of(const Session& s, ike::Exchange exchange, bool response, std::uint32_t id) {
  ike::Header h;
  h.initiator_spi = s.spi_i;
  h.responder_spi = s.spi_r;
  h.exchange = exchange;
  h.flags = static_cast<std::uint8_t>((s.initiator ? ike::flag::initiator : 0) | (response ? ike::flag::response : 0));
  h.message_id = id;
  return h;
}

void send_datagrams(Session& s, const Datagrams& datagrams, const conf::Endpoint& local, const conf::Endpoint& remote,
                    Step& step) {
  for (const ike::Bytes& d : datagrams) step.out.emplace_back(ike::Send{local, remote, d});
  s.last_sent = step.now;
}

void send_request(Session& s, ike::Exchange exchange, const ike::PayloadChain& payloads, Step& step) {
  const ike::Header header = header_of(s, exchange, false, s.requests.next_id());
  Datagrams datagrams = s.protection->seal(header, payloads, s.env->random(), message_limit(s));
  const bool established = s.stage == Stage::established || s.stage == Stage::closing;
  const bool asks_only = exchange == ike::Exchange::informational && payloads.empty();
  const auto schedule = !established ? handshake_schedule()
                        : asks_only  ? liveness_schedule(s.peer.config().ike.dpd)
                                     : exchange_schedule(s.peer.config().ike.dpd);
  send_datagrams(s, datagrams, s.local, s.trial.value_or(s.remote), step);
  s.fragmented.reset();
  if (datagrams.size() > 1) s.fragmented = Unsealed{exchange, payloads};
  s.requests.sent(std::move(datagrams), ike::Retransmission(schedule, step.now));
}

namespace {

// Not even the pieces arrive: the path takes smaller ones than we thought (RFC 7383 2.5.2).
void cut_smaller(Session& s) {
  if (!s.fragmented || s.small_fragments || s.requests.timer()->transmissions() < kTriesBeforeSmaller) return;
  s.small_fragments = true;
  const ike::Header header = header_of(s, s.fragmented->exchange, false, s.requests.next_id() - 1);
  s.requests.resealed(s.protection->seal(header, s.fragmented->payloads, s.env->random(), message_limit(s)));
}

}  // namespace

std::size_t message_limit(const Session& s) {
  if (!s.fragments) return ike::kMaxMessageSize;
  constexpr std::size_t kUdp = 8, kMarker = 4, kSmallIpv4 = 576;
  const bool v6 = s.remote.address.family == conf::Family::v6;
  std::size_t packet = s.peer.settings->ike_packet;
  if (s.small_fragments && !v6) packet = std::min(packet, kSmallIpv4);
  return packet - (v6 ? 40 : 20) - kUdp - (s.local.port == 4500 ? kMarker : 0);
}

void send_again(Session& s, Step& step) {
  if (repeat_with_cookie(s, step)) return;
  ++s.retransmitted;
  cut_smaller(s);
  // An authentic packet can be sent from anywhere by whoever caught it: the old address is asked as well.
  const bool old_one = s.trial && s.requests.timer() && s.requests.timer()->transmissions() % 2 == 0;
  send_datagrams(s, s.requests.request(), s.local, old_one ? s.remote : s.trial.value_or(s.remote), step);
}

void send_reply(Session& s, const Inbound& request, const ike::PayloadChain& payloads, Step& step) {
  const ike::Header header = header_of(s, request.header.exchange, true, request.header.message_id);
  Datagrams datagrams = s.protection->seal(header, payloads, s.env->random(), message_limit(s));
  send_datagrams(s, datagrams, request.local, request.remote, step);
  s.responses.answered(request.datagram, std::move(datagrams));
}

void add_notify(ike::PayloadChain& chain, ike::NotifyType type, ike::Bytes data) {
  chain.add(ike::PayloadType::notify, ike::NotifyPayload::of(type, std::move(data)).encode());
}

ike::Bytes fresh_nonce(Session& s) {
  ike::Bytes nonce(32);  // at least half of any PRF's key (2.10)
  s.env->random().fill(nonce);
  return nonce;
}

std::uint64_t fresh_ike_spi(ike::Environment& env) {
  std::uint64_t spi = 0;
  while (spi == 0) spi = env.random().next_u64();
  return spi;
}

void add_task(Session& s, Task task) {
  const auto same = [&](const Task& t) { return t.kind == task.kind && t.slot == task.slot && t.spi == task.spi; };
  if (s.pending && same(s.pending->task)) return;
  if (std::ranges::any_of(s.tasks, same)) return;
  if (task.kind == Task::Kind::delete_ike) {
    s.tasks.clear();  // nothing else matters any more
  }
  s.tasks.push_back(task);
}

void retry_later(Session& s, Task task, Step& step) {
  ++task.refused;
  task.not_before = step.now + ike::Time{kRetryMinMs + s.env->random().below(kRetrySpreadMs)};
  add_task(s, task);
}

void pump(Session& s, Step& step) {
  while (s.requests.free() && (s.stage == Stage::established || s.stage == Stage::closing)) {
    const auto due = std::ranges::find_if(s.tasks, [&](const Task& t) {
      return t.not_before <= step.now && (t.kind == Task::Kind::delete_ike || !undecided(s));
    });
    if (due == s.tasks.end()) return;
    const Task task = *due;
    s.tasks.erase(due);
    begin(s, task, step);
  }
}

void begin(Session& s, const Task& task, Step& step) {
  switch (task.kind) {
    case Task::Kind::create_child:
    case Task::Kind::rekey_child:
      return request_child(s, task, step);
    case Task::Kind::rekey_ike:
      return request_ike_rekey(s, task, step);
    case Task::Kind::delete_child:
    case Task::Kind::delete_ike:
    case Task::Kind::liveness:
      return request_informational(s, task, step);
  }
}

ike::Time rekey_time(Session& s, ike::Time now, conf::Seconds lifetime) {
  const auto ms = std::chrono::duration_cast<ike::Time>(lifetime).count();
  // Between 80 and 90 % of the lifetime: time enough to try again should the peer be busy.
  const auto jitter = static_cast<std::int64_t>(s.env->random().below(1000));
  return now + ike::Time{ms * 8 / 10 + ms / 10 * jitter / 1000};
}

void finish(Session& s, ike::Reason reason, Step& step) {
  if (s.stage == Stage::closed) return;
  for (ChildOffer* offer : {s.handshake && s.handshake->child ? &*s.handshake->child : nullptr,
                            s.pending && s.pending->child ? &*s.pending->child : nullptr}) {
    if (offer != nullptr) s.env->release_spi(offer->spi);
  }
  if (Session* heir = alive(s.rival_successor); heir != nullptr && !s.replaced) {
    inherit(s, *heir, step);
    reason = *s.close_reason;
  }
  while (!s.children.empty()) remove_child(s, s.children.front().sa->spi_in, ike::Time{0}, reason, step);
  s.stage = Stage::closed;
  s.handshake.reset();
  s.pending.reset();
  s.tasks.clear();
  s.requests.answered();
  step.out.emplace_back(ike::IkeClosed{std::move(reason)});
}

void close_politely(Session& s, ike::Reason reason, Step& step) {
  if (s.stage != Stage::established && s.stage != Stage::closing) return finish(s, std::move(reason), step);
  if (s.stage == Stage::closing) return;
  s.stage = Stage::closing;
  s.close_reason = std::move(reason);
  // An outstanding request keeps the window shut; a peer that is there answers it soon.
  s.give_up_at = step.now + ike::Time{5000};
  add_task(s, Task{.kind = Task::Kind::delete_ike});
  pump(s, step);
}

}  // namespace causeway::ikev2

#include "control/ikev1/informational.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "control/ikev1/child.h"
#include "control/ikev1/quick_mode.h"
#include "control/ikev1/reasons.h"

namespace causeway::ikev1 {

namespace {

constexpr std::uint8_t kIsakmp = 1, kEsp = 3;

ike::Bytes both_cookies(const Session& s) {
  ike::Writer w;
  w.be64(s.cookies.initiator);
  w.be64(s.cookies.responder);
  return w.take();
}

ike::Bytes octets(std::uint32_t v) {
  ike::Writer w;
  w.be32(v);
  return w.take();
}

void send_informational(Session& s, ike::PayloadType type, const ike::Bytes& body, Step& step) {
  if (!s.protection || s.stage != Stage::established) return;
  const std::uint32_t id = fresh_message_id(s);
  ike::PayloadChain covered;
  covered.add(type, body);
  const bool last = s.hash_last && type == ike::PayloadType::v1_notification;
  if (last) {  // what is covered names the payload behind it then
    covered = {};
    covered.add(type, body);
    covered.add(ike::PayloadType::v1_hash, {});
  }
  const auto octets = covered.bytes().first(ike::kPayloadHeaderSize + body.size());
  const ike::Bytes hash = hash_1(s.suite.prf, s.keys.a, id, octets);
  ike::PayloadChain chain;
  if (!last) chain.add(ike::PayloadType::v1_hash, hash);
  chain.add(type, body);
  if (last) chain.add(ike::PayloadType::v1_hash, hash);
  ike::Bytes iv = s.protection->iv_for(s.phase1_iv, id);
  send_datagram(s, s.protection->seal(header_of(s, ike::Exchange::v1_informational, id), chain, iv), step);
}

// --- dead peer detection --------------------------------------------------------------------------------

void on_r_u_there(Session& s, const NotifyPayload& n, Step& step) {
  const auto number = n.data_u32();
  if (!number) return;
  ++s.dpd_received;
  // Numbers only grow (RFC 3706 6.1); an old one is a replay, and message ids do not repeat anyway.
  if (s.dpd.theirs && static_cast<std::int32_t>(*number - *s.dpd.theirs) < 0) return;
  s.dpd.theirs = number;
  send_notify(s, Notify::r_u_there_ack, kIsakmp, both_cookies(s), octets(*number), step);
}

void on_r_u_there_ack(Session& s, const NotifyPayload& n) {
  const auto number = n.data_u32();
  if (!number || *number - s.dpd.first >= s.dpd.next - s.dpd.first) return;
  s.dpd.sent = 0;  // it was one of those outstanding
  s.sighted.reset();
}

void send_r_u_there(Session& s, Step& step) {
  if (s.dpd.sent == 0) {
    s.dpd.first = s.dpd.next;
    s.dpd.began = step.now;
  }
  const auto& config = s.peer.config().ike.dpd;
  const ike::Time first = std::chrono::duration_cast<ike::Time>(config.retry);
  const ike::RetransmitSchedule schedule{first, 180, std::max(ike::Time{10000}, first), std::max(config.tries, 1)};
  ++s.dpd.sent;
  ++s.dpd_sent;
  s.dpd.due = step.now + schedule.wait_after(s.dpd.sent);
  send_notify(s, Notify::r_u_there, kIsakmp, both_cookies(s), octets(s.dpd.next++), step);
  if (!s.sighted) return;
  if (const auto* asked = std::get_if<ike::Send>(&step.out.back())) {
    ike::Send there = *asked;  // one message id, one answer
    there.remote = *s.sighted;
    step.out.emplace_back(std::move(there));
  }
}

// --- DELETE ----------------------------------------------------------------------------------------------

bool names_us(const Session& s, const DeletePayload& d) {
  const ike::Bytes ours = both_cookies(s);
  return std::ranges::find(d.spis, ours) != d.spis.end();
}

void on_child_delete(Session& s, const DeletePayload& d, Step& step) {
  for (const ike::Bytes& spi : d.spis) {
    if (spi.size() != 4) continue;
    ike::Reader r(spi);
    const Child* child = s.child_by_outbound(r.be32());
    if (child == nullptr) continue;
    const bool was_replaced = child->replaced_by != 0;
    remove_child(s, child->sa->spi_in, kInboundGrace, was_replaced ? reasons::replaced() : reasons::closed_by_peer(s.peer_name()),
                 step);
  }
}

// The peer has nothing older than this phase 1: children that came from before are dead.
void on_initial_contact(Session& s, Step& step) {
  std::vector<std::uint32_t> dead;
  for (const Child& c : s.children) {
    if (c.made_at < s.started_at) dead.push_back(c.sa->spi_in);
  }
  for (const std::uint32_t spi : dead) remove_child(s, spi, ike::Time{0}, reasons::initial_contact(s), step);
}

void on_notify(Session& s, const NotifyPayload& n, Step& step) {
  switch (n.type) {
    case Notify::r_u_there:
      return on_r_u_there(s, n, step);
    case Notify::r_u_there_ack:
      return on_r_u_there_ack(s, n);
    case Notify::initial_contact:
      return on_initial_contact(s, step);
    case Notify::connected:
    case Notify::responder_lifetime:
    case Notify::replay_status:
      return;
    default:
      break;
  }
  if (!is_error(n.type)) return;
  step.info(s.peer_name() + " says " + name(n.type));
  // It may name the SPI of the quick mode it is about, or nothing: of ours there is one at a time.
  const auto about = std::ranges::find_if(s.quicks, [](const Quick& q) { return q.ours && !q.done; });
  if (about != s.quicks.end()) return on_quick_refused(s, *about, n.type, step);
  const auto theirs = std::ranges::find_if(s.quicks, [](const Quick& q) { return !q.ours && !q.done; });
  if (theirs == s.quicks.end() || !theirs->child) return;
  // The peer did not like our answer.
  step.out.emplace_back(ike::RemoveInbound{theirs->child->sa->spi_in, theirs->slot, ike::Time{0}});
  step.out.emplace_back(ike::ChildFailed{theirs->slot, reasons::child_refused(s, *theirs, n.type)});
  s.quicks.erase(theirs);
}

}  // namespace

void send_notify(Session& s, Notify type, std::uint8_t protocol, ike::Bytes spi, ike::Bytes data, Step& step) {
  NotifyPayload n;
  n.type = type;
  n.protocol = protocol;
  n.spi = std::move(spi);
  n.data = std::move(data);
  send_informational(s, ike::PayloadType::v1_notification, n.encode(), step);
}

void tell_lifetime(Session& s, const Lifetimes& offered, Step& step) {
  const Lifetimes ours = s.peer.ike_lifetime();
  if (!ours.seconds || (offered.seconds && *offered.seconds <= *ours.seconds)) return;
  ike::Writer data;
  put_lifetime(data, phase1::life_type, phase1::life_duration, ours);
  send_notify(s, Notify::responder_lifetime, kIsakmp, both_cookies(s), data.take(), step);
}

void send_child_delete(Session& s, const std::vector<std::uint32_t>& spis_in, Step& step) {
  DeletePayload d;
  d.protocol = kEsp;
  for (const std::uint32_t spi : spis_in) d.spis.push_back(octets(spi));
  send_informational(s, ike::PayloadType::v1_delete, d.encode(), step);
}

void send_phase1_delete(Session& s, Step& step) {
  DeletePayload d;
  d.protocol = kIsakmp;
  d.spis = {both_cookies(s)};
  send_informational(s, ike::PayloadType::v1_delete, d.encode(), step);
}

namespace {

bool hash_fits(const Session& s, const Inbound& in) {
  if (!in.payloads.hash) return false;
  const auto fits = [&](ike::ByteView covered) {
    return crypto::equal_constant_time(*in.payloads.hash,
                                       hash_1(s.suite.prf, s.keys.a, in.header.message_id, covered));
  };
  if (fits(in.behind_hash)) return true;
  if (!in.hash_last) return false;
  // With the HASH behind, some cover their notification as if nothing followed it.
  ike::Bytes alone = in.behind_hash;
  alone.front() = 0;
  return fits(alone);
}

// RFC 2407 4.6.3.1, for phase 1: the peer's ends sooner than ours.
void on_responder_lifetime(Session& s, const NotifyPayload& n, Step& step) {
  if (n.protocol != kIsakmp || !s.initiator) return;
  LifetimeReader ike(phase1::life_type, phase1::life_duration), doi(phase2::life_type, phase2::life_duration);
  const auto attributes = decode_attributes(n.data);
  if (!attributes) return;
  for (const Attribute& a : *attributes) {
    if (!ike.take(a)) doi.take(a);
  }
  const auto seconds = ike.lifetimes().seconds ? ike.lifetimes().seconds : doi.lifetimes().seconds;
  if (!seconds || *seconds == 0) return;
  const ike::Time end = s.established_at + std::chrono::seconds(static_cast<std::int64_t>(std::min<std::uint64_t>(*seconds, 1U << 30)));
  if (s.expire_at && *s.expire_at <= end) return;
  s.expire_at = end;
  s.rekey_at = rekey_time(s, s.established_at, *seconds, 80);
  step.debug("the lifetime of phase 1 is the peer's, " + std::to_string(*seconds) + " s");
}

}  // namespace

void on_informational(Session& s, const Inbound& in, Step& step) {
  const Payloads& p = in.payloads;
  const std::uint32_t id = in.header.message_id;
  if (!hash_fits(s, in)) {
    step.debug("an informational message of " + s.remote.str() + " is ignored: its hash does not match");
    return remember_hint(s, nullptr, true);
  }
  if (s.used_ids.contains(id)) return;  // a replay
  s.used_ids.insert(id);
  s.phase2_seen = true;
  s.last_heard = std::max(s.last_heard, step.now);
  s.dpd.sent = 0;  // whatever it says, it lives
  s.hash_last = in.hash_last;
  for (const NotifyPayload& n : p.notifies) {
    if (n.type == Notify::responder_lifetime) on_responder_lifetime(s, n, step);
  }
  for (const NotifyPayload& n : p.notifies) {
    on_notify(s, n, step);
    if (s.stage != Stage::established) return;
  }
  for (const DeletePayload& d : p.deletes) {
    if (d.protocol == kEsp) on_child_delete(s, d, step);
  }
  if (s.sighted) ask_liveness(s, step);  // this was not the answer
  const bool ends =
      std::ranges::any_of(p.deletes, [&](const DeletePayload& d) { return d.protocol == kIsakmp && names_us(s, d); });
  if (ends) lose(s, reasons::closed_by_peer(s.peer_name()), step);
}

void remember_hint(Session& s, const Payloads* payloads, bool undecryptable) {
  ++s.evidence.received;
  if (undecryptable) ++s.evidence.undecryptable;
  if (payloads == nullptr) return;
  if (const auto* error = payloads->error()) s.evidence.refusal = error->type;
}

void ask_liveness(Session& s, Step& step) {
  if (s.stage != Stage::established || s.replaced || !s.vendors.dpd || s.dpd.sent != 0) return;
  send_r_u_there(s, step);
}

std::optional<ike::Time> next_liveness_event(const Session& s) {
  const auto idle = std::chrono::duration_cast<ike::Time>(s.peer.config().ike.dpd.idle);
  if (s.stage != Stage::established || s.replaced || !s.vendors.dpd) return std::nullopt;
  if (s.dpd.sent != 0) return s.dpd.due;
  if (idle.count() <= 0) return std::nullopt;
  return s.last_heard + idle;
}

void liveness_due(Session& s, Step& step) {
  // ESP of the peer that came meanwhile is as good as an answer, unless it is phase 1 that is in doubt: a peer may have
  // forgotten that and kept phase 2.
  const bool doubt = quick_unanswered(s) || s.sighted;
  if (s.dpd.sent != 0 && s.last_esp >= s.dpd.began && !doubt) s.dpd.sent = 0;
  const auto at = next_liveness_event(s);
  if (!at || *at > step.now) return;
  if (s.dpd.sent < std::max(s.peer.config().ike.dpd.tries, 1)) return send_r_u_there(s, step);
  if (s.last_esp >= s.dpd.began) return lose(s, reasons::phase1_forgotten(s, step.now - s.dpd.began), step);
  finish(s, reasons::dead(s, step.now - s.dpd.began, s.dpd.sent), step);
}

}  // namespace causeway::ikev1

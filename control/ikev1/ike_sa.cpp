// A session behind ike::IkeSa.
#include <algorithm>
#include <utility>

#include "control/ikev1/aggressive_mode.h"
#include "control/ikev1/child.h"
#include "control/ikev1/dispatch.h"
#include "control/ikev1/ikev1.h"
#include "control/ikev1/informational.h"
#include "control/ikev1/main_mode.h"
#include "control/ikev1/phase1.h"
#include "control/ikev1/quick_mode.h"
#include "control/ikev1/reasons.h"
#include "control/ikev1/timers.h"

namespace causeway::ikev1 {

namespace {

constexpr ike::Time kHalfOpenLife{30000};

std::string stage_text(const Session& s) {
  const bool aggressive = s.handshake && s.handshake->aggressive;
  const auto asked = [&](const char* what) {
    const int sent = s.last.timer ? s.last.timer->transmissions() : 0;
    return std::string("waiting for the answer to ") + what + " (" + std::to_string(sent) + " sent)";
  };
  switch (s.stage) {
    case Stage::fresh:
      return "not begun";
    case Stage::first_sent:
      return asked(aggressive ? "the first message of aggressive mode" : "the first message of main mode");
    case Stage::second_sent:
      return asked("our key exchange");
    case Stage::third_sent:
      return asked("our proof of who we are");
    case Stage::first_answered:
      return aggressive ? "waiting for the peer's proof" : "waiting for the peer's key exchange";
    case Stage::second_answered:
      return "waiting for the peer's proof";
    case Stage::established:
      return "established";
    case Stage::lost:
      return "phase 1 is gone, its children live";
    case Stage::closed:
      return "closed";
  }
  return {};
}

class Ikev1Sa final : public ike::IkeSa {
 public:
  Ikev1Sa(Peer peer, ike::Environment& env) : session_(std::move(peer), env) {
    session_.local = session_.peer.settings->local;
    if (session_.peer.settings->remote) session_.remote = *session_.peer.settings->remote;
    session_.force_encap = session_.peer.config().encap == conf::Encap::force;
  }

  Session& session() { return session_; }

  void start(ike::ChildSlot child, ike::Time now, ike::Effects& out) override {
    if (session_.stage != Stage::fresh) return;
    Step step{now, out};
    session_.started_at = now;
    session_.cookies.initiator = fresh_cookie(*session_.env);
    Handshake& h = session_.handshake.emplace();
    h.aggressive = session_.peer.aggressive();
    if (child != ike::kNoChild) h.child = child;
    if (h.aggressive) {
      start_aggressive_mode(session_, step);
    } else {
      start_main_mode(session_, step);
    }
  }
  void receive(const ike::Datagram& datagram, ike::Time now, ike::Effects& out) override {
    Step step{now, out};
    ikev1::receive(session_, datagram, step);
    pump(session_, step);
  }
  void tick(ike::Time now, ike::Effects& out) override {
    Step step{now, out};
    ikev1::tick(session_, step);
  }
  [[nodiscard]] std::optional<ike::Time> deadline() const override { return ikev1::deadline(session_); }

  void not_alone() override { session_.initial_contact = false; }
  void create_child(ike::ChildSlot child, ike::Time now, ike::Effects& out) override {
    request(Task{.slot = child}, now, out);
  }
  void close_child(ike::ChildSlot child, ike::Time now, ike::Effects& out) override {
    Step step{now, out};
    std::erase_if(session_.tasks, [&](const Task& t) { return t.slot == child; });
    std::vector<std::uint32_t> spis;
    for (const Child& c : session_.children) {
      if (c.sa->child == child) spis.push_back(c.sa->spi_in);
    }
    if (!spis.empty() && session_.stage == Stage::established) send_child_delete(session_, spis, step);
    for (const std::uint32_t spi : spis) remove_child(session_, spi, kInboundGrace, reasons::closed_by_us(), step);
    // A phase 1 that is gone stood for its children alone.
    if (session_.stage == Stage::lost && session_.children.empty()) finish(session_, *session_.lost_reason, step);
  }
  void rekey_child(ike::ChildSlot child, ike::Time now, ike::Effects& out) override {
    const Child* current = session_.current(child);
    if (current != nullptr) request(Task{.slot = child, .replaces = current->sa->spi_in}, now, out);
  }
  void rekey_ike(ike::Time now, ike::Effects& out) override {
    (void)now;
    if (session_.stage == Stage::established && !session_.replaced) out.emplace_back(ike::RenewIke{});
  }
  void close(ike::Time now, ike::Effects& out) override {
    Step step{now, out};
    close_politely(session_, reasons::closed_by_us(), step);
  }

  void esp_received(std::uint32_t spi_in, ike::Time when) override {
    session_.last_heard = std::max(session_.last_heard, when);
    session_.last_esp = std::max(session_.last_esp, when);
    on_esp(session_, spi_in, when);
  }
  void peer_moved(const conf::Endpoint& from, ike::Time now, ike::Effects& out) override {
    // An authentic packet can be sent from anywhere by whoever caught it, and a box may send ESP from another address than
    // IKE: both addresses are asked, and where the answer comes from is followed (dispatch.cpp).
    Session& s = session_;
    if (s.stage != Stage::established || from == s.remote || !s.nat_peer || s.nat_us) return;
    Step step{now, out};
    if (!s.vendors.dpd) return follow_peer(s, s.local, from, step);  // it cannot be asked (RFC 3947 6)
    s.sighted = from;
    ask_liveness(s, step);
  }
  void check_liveness(ike::Time now, ike::Effects& out) override {
    Step step{now, out};
    ask_liveness(session_, step);
  }
  bool inherit(ike::IkeSa& older, ike::Time now, ike::Effects& out) override {
    auto* other = dynamic_cast<Ikev1Sa*>(&older);
    if (other == nullptr || other == this || session_.stage != Stage::established) return false;
    if (other->session_.id_remote != session_.id_remote) return false;
    Step step{now, out};
    ikev1::inherit(session_, other->session_, step);
    pump(session_, step);
    return true;
  }

  [[nodiscard]] ike::TunnelId tunnel() const override { return session_.peer.settings->tunnel; }
  [[nodiscard]] std::uint64_t local_spi() const override { return session_.cookie_ours(); }
  [[nodiscard]] bool owns_reply_to(std::uint64_t initiator_spi, const conf::Endpoint& remote) const override {
    return session_.first_from == remote && session_.cookies.initiator == initiator_spi &&
           session_.stage != Stage::closed;
  }
  [[nodiscard]] ike::IkeStatus status() const override;

 private:
  void request(const Task& task, ike::Time now, ike::Effects& out) {
    if (session_.stage != Stage::established) return;
    Step step{now, out};
    add_task(session_, task);
    pump(session_, step);
  }

  Session session_;
};

ike::IkeStatus Ikev1Sa::status() const {
  const Session& s = session_;
  ike::IkeStatus out;
  out.version = 1;
  out.established = s.stage == Stage::established;
  out.initiator = s.initiator;
  out.spi_initiator = s.cookies.initiator;
  out.spi_responder = s.cookies.responder;
  out.local_id = s.id_local.str();
  out.remote_id = s.id_remote.str();
  out.local = s.local;
  out.remote = s.remote;
  out.nat_us = s.nat_us;
  out.nat_peer = s.nat_peer;
  if (s.protection) out.suite = s.suite.name();
  out.established_at = s.established_at;
  out.negotiation_time = s.negotiation_time.value_or(ike::Time{0});
  out.rekey_at = s.rekey_at;
  out.last_heard = s.last_heard;
  for (const Child& c : s.children) {
    if (!c.outbound) continue;
    const auto* settings = s.peer.child(c.sa->child);
    out.children.push_back({c.sa->child, settings == nullptr ? std::string() : settings->name, c.sa->suite,
                            c.sa->udp_encap, c.sa->spi_in, c.sa->spi_out, c.sa->selectors, c.rekey_at});
  }
  out.dpd_sent = s.dpd_sent;
  out.dpd_received = s.dpd_received;
  out.retransmitted = s.retransmitted;
  out.stage = stage_text(s);
  return out;
}

// A stateless refusal, in clear: nobody but its receiver's patience depends on it.
void refuse(const ike::Datagram& request, const ike::Header& header, Notify type, ike::Effects& out) {
  ike::Header h;
  h.initiator_spi = header.initiator_spi;
  h.responder_spi = header.responder_spi;
  h.major = 1;
  h.exchange = ike::Exchange::v1_informational;
  NotifyPayload n;
  n.type = type;
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::v1_notification, n.encode());
  out.emplace_back(ike::Send{request.local, request.remote, ike::assemble(h, chain)});
}

// The first message, as far as it can be one.
std::optional<Inbound> first_message(const ike::Datagram& request, Step& step) {
  const auto header = ike::parse_header(request.bytes);
  if (!header || header->major != 1 || header->initiator_spi == 0 || header->responder_spi != 0 ||
      header->message_id != 0 || (header->flags & ike::flag::v1_encryption) != 0) {
    return std::nullopt;
  }
  if (header->exchange != ike::Exchange::v1_main && header->exchange != ike::Exchange::v1_aggressive) {
    return std::nullopt;
  }
  const auto ignore = [&](const std::string& why) {
    step.debug("a first message of " + request.remote.str() + " is ignored: " + why);
    return std::nullopt;
  };
  const auto raw = ike::walk_payloads(header->first_payload, ike::ByteView(request.bytes).subspan(ike::kHeaderSize));
  if (!raw) return ignore(raw.error().text);
  auto payloads = decode_payloads(*raw);
  if (!payloads) return ignore(payloads.error().text);
  if (!payloads->sa) return ignore("it has no SA payload");
  Inbound in;
  in.header = *header;
  in.payloads = std::move(*payloads);
  in.datagram = request.bytes;
  in.local = request.local;
  in.remote = request.remote;
  return in;
}

}  // namespace

std::unique_ptr<ike::IkeSa> make_initiator(std::shared_ptr<const ike::PeerSettings> peer, ike::Environment& env,
                                           bool first_contact) {
  auto resolved = Peer::resolve(std::move(peer));
  if (!resolved || !resolved->settings->remote) return nullptr;
  auto sa = std::make_unique<Ikev1Sa>(std::move(*resolved), env);
  Session& s = sa->session();
  s.initiator = true;
  s.initial_contact = first_contact;
  if (s.peer.config().ike.port_4500_from_start) {
    s.local.port = 4500;
    s.remote.port = 4500;
  }
  return sa;
}

std::unique_ptr<ike::IkeSa> accept(const ike::Datagram& request,
                                   std::span<const std::shared_ptr<const ike::PeerSettings>> candidates,
                                   ike::Environment& env, ike::Time now, ike::Effects& out) {
  Step step{now, out};
  const auto in = first_message(request, step);
  if (!in) return nullptr;
  const bool aggressive = in->header.exchange == ike::Exchange::v1_aggressive;
  const auto offered = decode_phase1(*in->payloads.sa);
  if (!offered) {
    step.debug("a first message of " + request.remote.str() + " is ignored: " + offered.error().text);
    return nullptr;
  }
  auto selected = select_phase1(request, aggressive, candidates, *offered);
  if (!selected) {
    refuse(request, in->header, Notify::no_proposal_chosen, out);
    step.warn(request.remote.address.str() + " cannot connect: " + selected.error().text);
    out.emplace_back(ike::IkeClosed{selected.error()});
    return nullptr;
  }
  auto sa = std::make_unique<Ikev1Sa>(selected->peers.front(), env);
  Session& s = sa->session();
  s.candidates = std::move(selected->peers);
  s.suite = selected->choice;
  s.started_at = now;
  s.give_up_at = now + kHalfOpenLife;
  s.cookies = {in->header.initiator_spi, fresh_cookie(env)};
  s.local = request.local;
  s.remote = request.remote;
  s.first_from = request.remote;
  s.vendors.read(in->payloads.vendors);
  Handshake& h = s.handshake.emplace();
  h.aggressive = aggressive;
  h.sa_body = *in->payloads.sa;
  h.offered_life = selected->taken.life;
  if (!aggressive) {
    answer_main_1(s, *in, selected->taken, step);
    return sa;
  }
  if (!answer_aggressive_1(s, *in, selected->taken, step)) return nullptr;
  return sa;
}

std::string unusable_proposal(ike::Protocol protocol, std::string_view text, bool legacy) {
  const auto parsed = ike::Proposal::parse(protocol, text, legacy);
  return parsed ? inexpressible(*parsed) : parsed.error();
}

}  // namespace causeway::ikev1

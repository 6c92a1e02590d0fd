#include "control/ikev2/ike_sa.h"

#include <algorithm>
#include <utility>

#include "control/ikev2/child.h"
#include "control/ikev2/dispatch.h"
#include "control/ikev2/ike_sa_init.h"
#include "control/ikev2/ikev2.h"
#include "control/ikev2/reasons.h"
#include "control/ikev2/timers.h"

namespace causeway::ikev2 {

namespace {

std::string stage_text(const Session& s) {
  const auto asked = [&](const char* what) {
    const int sent = s.requests.timer() ? s.requests.timer()->transmissions() : 0;
    return std::string("waiting for the answer to ") + what + " (" + std::to_string(sent) + " sent)";
  };
  switch (s.stage) {
    case Stage::fresh:
      return "not begun";
    case Stage::init_sent:
      return asked("IKE_SA_INIT");
    case Stage::intermediate_sent:
      return asked("IKE_INTERMEDIATE");
    case Stage::auth_sent:
      return asked("IKE_AUTH");
    case Stage::half_open:
      return "waiting for the peer's IKE_AUTH";
    case Stage::established:
      return "established";
    case Stage::closing:
      return "waiting for the answer to our DELETE";
    case Stage::closed:
      return "closed";
  }
  return {};
}

class Ikev2Sa final : public ike::IkeSa {
 public:
  Ikev2Sa(Peer peer, ike::Environment& env) : session_(std::move(peer), env) {
    session_.local = session_.peer.settings->local;
    if (session_.peer.settings->remote) session_.remote = *session_.peer.settings->remote;
    session_.force_encap = session_.peer.config().encap == conf::Encap::force;
  }

  Session& session() { return session_; }

  void start(ike::ChildSlot child, ike::Time now, ike::Effects& out) override {
    Step step{now, out};
    if (session_.stage == Stage::fresh) start_ike_sa_init(session_, child, step);
  }
  void receive(const ike::Datagram& datagram, ike::Time now, ike::Effects& out) override {
    Step step{now, out};
    ikev2::receive(session_, datagram, step);
    pump(session_, step);
  }
  void tick(ike::Time now, ike::Effects& out) override {
    Step step{now, out};
    ikev2::tick(session_, step);
  }
  [[nodiscard]] std::optional<ike::Time> deadline() const override { return ikev2::deadline(session_); }
  [[nodiscard]] bool pauses() const override {  // before it follows a wish for a cookie: see on_notify() of ike_sa_init
    return session_.stage == Stage::init_sent && session_.handshake && session_.handshake->asked_cookie;
  }

  void settings_changed(std::shared_ptr<const ike::PeerSettings> settings) override {
    session_.peer.settings = std::move(settings);
  }
  void not_alone() override { session_.initial_contact = false; }
  void create_child(ike::ChildSlot child, ike::Time now, ike::Effects& out) override {
    request(Task{.kind = Task::Kind::create_child, .slot = child}, now, out);
  }
  void close_child(ike::ChildSlot child, ike::Time now, ike::Effects& out) override {
    std::erase_if(session_.tasks, [&](const Task& t) {
      return t.slot == child && (t.kind == Task::Kind::create_child || t.kind == Task::Kind::rekey_child);
    });
    if (auto& p = session_.pending; p && p->child && p->child->slot == child) p->abandoned = true;
    for (Child& c : session_.children) {
      if (c.sa->child != child || c.closing) continue;
      c.closing = true;
      add_task(session_, Task{.kind = Task::Kind::delete_child, .slot = child, .spi = c.sa->spi_in});
    }
    Step step{now, out};
    pump(session_, step);
  }
  void rekey_child(ike::ChildSlot child, ike::Time now, ike::Effects& out) override {
    for (const Child& c : session_.children) {
      if (c.sa->child != child || !c.outbound) continue;
      return request(Task{.kind = Task::Kind::rekey_child, .slot = child, .spi = c.sa->spi_in}, now, out);
    }
  }
  void rekey_ike(ike::Time now, ike::Effects& out) override { request(Task{.kind = Task::Kind::rekey_ike}, now, out); }
  void close(ike::Time now, ike::Effects& out) override {
    Step step{now, out};
    close_politely(session_, reasons::closed_by_us(), step);
  }

  void esp_received(std::uint32_t /*spi_in*/, ike::Time when) override {
    session_.last_heard = std::max(session_.last_heard, when);
  }
  void check_liveness(ike::Time now, ike::Effects& out) override {
    request(Task{.kind = Task::Kind::liveness}, now, out);
  }
  void peer_moved(const conf::Endpoint& from, ike::Time now, ike::Effects& out) override {
    if (session_.stage != Stage::established || from == session_.remote) return;
    session_.sighted = from;
    request(Task{.kind = Task::Kind::liveness}, now, out);
  }

  [[nodiscard]] ike::TunnelId tunnel() const override { return session_.peer.settings->tunnel; }
  [[nodiscard]] std::uint64_t local_spi() const override { return session_.spi_ours(); }
  [[nodiscard]] bool owns_reply_to(std::uint64_t initiator_spi, const conf::Endpoint& remote) const override {
    // Also when established: a late repetition of the first message must not begin a second negotiation.
    return session_.init_from == remote && session_.spi_i == initiator_spi && session_.stage != Stage::closed;
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

ike::IkeStatus Ikev2Sa::status() const {
  const Session& s = session_;
  ike::IkeStatus out;
  out.version = 2;
  out.established = s.stage == Stage::established;
  out.initiator = s.initiator;
  out.spi_initiator = s.spi_i;
  out.spi_responder = s.spi_r;
  out.local_id = s.id_local.str();
  out.remote_id = s.id_remote.str();
  out.local = s.local;
  out.remote = s.remote;
  out.nat_us = s.nat_us;
  out.nat_peer = s.nat_peer;
  if (s.protection) out.suite = s.suite.name();
  out.established_at = s.established_at;
  out.negotiation_time = s.negotiation_time.value_or(ike::Time{0});
  out.rekey_at = s.rekey_at ? s.rekey_at : s.renew_at;
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

}  // namespace

std::unique_ptr<ike::IkeSa> make_sa(Peer peer, ike::Environment& env) {
  return std::make_unique<Ikev2Sa>(std::move(peer), env);
}

// Every IkeSa of this room is an Ikev2Sa.
Session& session_of(ike::IkeSa& sa) { return static_cast<Ikev2Sa&>(sa).session(); }

std::unique_ptr<ike::IkeSa> make_initiator(std::shared_ptr<const ike::PeerSettings> peer, ike::Environment& env,
                                           bool first_contact) {
  auto resolved = Peer::resolve(std::move(peer));
  if (!resolved || !resolved->settings->remote) return nullptr;
  auto sa = make_sa(std::move(*resolved), env);
  Session& s = session_of(*sa);
  s.initiator = true;
  s.initial_contact = first_contact;
  if (s.peer.config().ike.port_4500_from_start) {
    s.local.port = 4500;
    s.remote.port = 4500;
  }
  return sa;
}

}  // namespace causeway::ikev2

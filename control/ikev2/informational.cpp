#include "control/ikev2/informational.h"

#include <algorithm>
#include <utility>

#include "control/ikev2/child.h"
#include "control/ikev2/reasons.h"
#include "control/ikev2/rekey.h"

namespace causeway::ikev2 {

namespace {

constexpr std::size_t kMaxDoomed = 64;

void add_delete(ike::PayloadChain& chain, ike::DeletePayload payload) {
  chain.add(ike::PayloadType::delete_sa, payload.encode());
}

// Our inbound SPIs of the pairs that the peer deletes by naming its inbound, our outbound ones.
std::vector<std::uint32_t> deleted_pairs(Session& s, const Inbound& in) {
  std::vector<std::uint32_t> out;
  for (const auto& payload : in.payloads.deletes) {
    if (payload.protocol != ike::Protocol::esp) continue;
    for (const std::uint32_t spi : payload.spis) {
      const Child* child = s.child_by_outbound(spi);
      if (child == nullptr) {
        if (s.pending && s.pending->child && s.pending->doomed.size() < kMaxDoomed) s.pending->doomed.push_back(spi);
      } else if (std::ranges::find(out, child->sa->spi_in) == out.end()) {
        out.push_back(child->sa->spi_in);
      }
    }
  }
  return out;
}

// <-- D(ESP): one answer for all of them, which leaves out those we are deleting ourselves (1.4.1). Then they go.
void on_child_deletes(Session& s, const Inbound& in, Step& step) {
  peer_uses(s, step);
  // A peer may still use the old IKE SA for children that its successor has.
  Session* heir = alive(s.successor);
  Session& holder = heir != nullptr ? *heir : s;
  const auto gone = deleted_pairs(holder, in);
  std::vector<std::uint32_t> named;
  for (const std::uint32_t spi : gone) {
    if (!holder.child_by_inbound(spi)->closing) named.push_back(spi);
  }
  ike::PayloadChain chain;
  if (!named.empty()) add_delete(chain, {ike::Protocol::esp, named});
  send_reply(s, in, chain, step);
  const ike::Reason reason = reasons::closed_by_peer(s.peer_name());
  for (const std::uint32_t spi : gone) remove_child(holder, spi, kInboundGrace, reason, step);
}

}  // namespace

void request_informational(Session& s, const Task& task, Step& step) {
  ike::PayloadChain chain;
  switch (task.kind) {
    case Task::Kind::delete_ike:
      if (s.close_notify) add_notify(chain, *s.close_notify);
      add_delete(chain, {ike::Protocol::ike, {}});
      break;
    case Task::Kind::delete_child:
      if (Child* child = s.child_by_inbound(task.spi)) {
        child->closing = true;
        stop_outbound(s, *child, step);
      }
      add_delete(chain, {ike::Protocol::esp, {task.spi}});
      break;
    default:
      ++s.dpd_sent;
      s.trial = std::exchange(s.sighted, std::nullopt);
      break;
  }
  s.pending.emplace();
  s.pending->task = task;
  send_request(s, ike::Exchange::informational, chain, step);
  if (task.kind == Task::Kind::delete_ike) s.give_up_at.reset();
}

void on_informational_request(Session& s, const Inbound& in, Step& step) {
  const auto& p = in.payloads;
  const auto* error = p.error();
  const bool closes = std::ranges::any_of(p.deletes, [](const auto& d) { return d.protocol == ike::Protocol::ike; });
  if (closes || (error != nullptr && error->type == ike::NotifyType::authentication_failed)) {
    send_reply(s, in, {}, step);
    // A peer that does not believe our proof says so in an exchange of its own (2.21.2).
    ike::Reason reason = error != nullptr ? reasons::peer_refused(s, error->type) : reasons::closed_by_peer(s.peer_name());
    if (s.replaced) reason = reasons::replaced();
    if (s.close_reason) reason = *s.close_reason;
    return finish(s, std::move(reason), step);
  }
  if (error != nullptr) step.warn(s.peer_name() + " says " + ike::name(error->type));
  if (!p.deletes.empty()) return on_child_deletes(s, in, step);
  ++s.dpd_received;
  send_reply(s, in, {}, step);
}

void on_informational_response(Session& s, const Inbound& in, Step& step) {
  if (!s.pending) return;
  const Task task = s.pending->task;
  s.pending.reset();
  s.requests.answered();
  switch (task.kind) {
    case Task::Kind::delete_ike:
      return finish(s, s.close_reason.value_or(reasons::closed_by_us()), step);
    case Task::Kind::delete_child: {
      const Child* child = s.child_by_inbound(task.spi);
      if (child != nullptr) {
        const ike::Reason usual = child->replaced_by != 0 ? reasons::replaced() : reasons::closed_by_us();
        const ike::Reason reason = child->close_reason.value_or(usual);
        remove_child(s, task.spi, kInboundGrace, reason, step);
      }
      break;
    }
    default:
      if (s.trial && *s.trial == in.remote) {
        s.remote = *s.trial;
        ike::EndpointsChanged moved{{}, s.local, s.remote};
        for (const Child& c : s.children) moved.spis_out.push_back(c.sa->spi_out);
        step.out.emplace_back(std::move(moved));
      }
      s.trial.reset();
      if (s.sighted) add_task(s, Task{.kind = Task::Kind::liveness});  // seen while this one was on its way
      break;
  }
}

}  // namespace causeway::ikev2

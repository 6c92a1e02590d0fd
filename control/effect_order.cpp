#include "control/effect_order.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace causeway::control {

void EffectOrder::push(Actions actions) {
  std::vector<ike::TunnelId> touched;
  for (Action& action : actions) {
    if (touched.empty() || touched.back() != action.tunnel) touched.push_back(action.tunnel);
    queues_[action.tunnel].waiting.push_back(std::move(action));
  }
  for (const ike::TunnelId tunnel : touched) drain(queues_[tunnel]);
}

void EffectOrder::drain(Queue& queue) {
  if (queue.draining) return;  // carry() led here: the outer call goes on
  queue.draining = true;
  while (!queue.waiting.empty()) {
    const bool send = std::holds_alternative<ike::Send>(queue.waiting.front().what);
    if (send && queue.outstanding != 0) break;
    Action action = std::move(queue.waiting.front());
    queue.waiting.pop_front();
    std::uint64_t token = 0;
    if (const auto* install = std::get_if<ike::InstallInbound>(&action.what)) {
      token = next_token_++;
      pending_[token] = {action.tunnel, install->sa->spi_in, install->sa->child};
      ++queue.outstanding;
    }
    carry_(action, token);
  }
  queue.draining = false;
}

std::optional<EffectOrder::Pending> EffectOrder::installed(std::uint64_t token) {
  const auto node = pending_.extract(token);
  if (node.empty()) return std::nullopt;
  Queue& queue = queues_[node.mapped().tunnel];
  --queue.outstanding;
  drain(queue);
  return node.mapped();
}

bool EffectOrder::empty() const {
  return std::all_of(queues_.begin(), queues_.end(), [](const auto& q) { return q.second.waiting.empty(); });
}

}  // namespace causeway::control

// Carries actions out in the order in which each tunnel gave them, and holds a Send for as long as an
// inbound SA that stands before it is not yet installed: the peer never learns of an SA that does not
// receive (RFC 7296 2.9). Tunnels do not wait for each other.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>

#include "control/action.h"

namespace causeway::control {

class EffectOrder {
 public:
  // `token` is 0 but for InstallInbound: installed(token) is to follow.
  using Carry = std::function<void(Action& action, std::uint64_t token)>;

  explicit EffectOrder(Carry carry) : carry_(std::move(carry)) {}

  void push(Actions actions);
  // The data path has it, or refused it: what was held goes on. What the token stood for; nothing for one
  // that is not known.
  struct Pending {
    ike::TunnelId tunnel = 0;
    std::uint32_t spi = 0;
    ike::ChildSlot child = 0;
  };
  std::optional<Pending> installed(std::uint64_t token);

  [[nodiscard]] bool empty() const;  // nothing is held

 private:
  struct Queue {
    std::deque<Action> waiting;
    std::size_t outstanding = 0;
    bool draining = false;
  };
  void drain(Queue& queue);

  Carry carry_;
  std::map<ike::TunnelId, Queue> queues_;
  std::unordered_map<std::uint64_t, Pending> pending_;  // by token
  std::uint64_t next_token_ = 1;
};

}  // namespace causeway::control

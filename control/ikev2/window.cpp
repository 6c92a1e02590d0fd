#include "control/ikev2/window.h"

#include <algorithm>
#include <utility>

namespace causeway::ikev2 {

void RequestWindow::sent(Datagrams request, ike::Retransmission timer) {
  ++next_id_;
  replaced(std::move(request), timer);
}

void RequestWindow::replaced(Datagrams request, ike::Retransmission timer) {
  request_ = std::move(request);
  timer_ = timer;
}

void RequestWindow::rewind() {
  next_id_ = 1;
  answered();
}

void RequestWindow::answered() {
  timer_.reset();
  request_.clear();
}

const Datagrams* ResponseWindow::repeats(std::uint32_t id, ike::ByteView datagram) const {
  if (!is_last(id)) return nullptr;
  return std::ranges::equal(request_, datagram) ? &reply_ : nullptr;
}

void ResponseWindow::answered(ike::ByteView request, Datagrams reply) {
  ++expected_;
  request_.assign(request.begin(), request.end());
  reply_ = std::move(reply);
}

}  // namespace causeway::ikev2

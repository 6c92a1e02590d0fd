#include "control/work_queue.h"

#include <algorithm>
#include <utility>

namespace causeway::control {

namespace {

std::size_t octets_of(const dataplane::Event& event) {
  const auto* ike = std::get_if<dataplane::IkeDatagram>(&event);
  return ike == nullptr ? 0 : ike->bytes.size();
}

}  // namespace

bool WorkQueue::put(Lane lane, dataplane::Event event) {
  Waiting& place = lanes_[static_cast<std::size_t>(lane)];
  const std::size_t octets = octets_of(event);
  if (lane != Lane::wishes && (place.events.size() >= kMessages || place.octets + octets > kOctets)) return false;
  place.octets += octets;
  place.events.push_back(std::move(event));
  return true;
}

void WorkQueue::serve(const ProcessorTime& spent, const std::function<void(dataplane::Event&&)>& handle) {
  for (Waiting& lane : lanes_) {
    const Share share(spent);
    while (!lane.events.empty()) {
      dataplane::Event event = std::move(lane.events.front());
      lane.events.pop_front();
      lane.octets -= octets_of(event);
      handle(std::move(event));
      if (share.used_up()) break;
    }
  }
}

bool WorkQueue::empty() const {
  return std::ranges::all_of(lanes_, [](const Waiting& lane) { return lane.events.empty(); });
}

}  // namespace causeway::control

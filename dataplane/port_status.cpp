// What a device says of itself while it runs: its link, its counters, its events.
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "dataplane/port.h"

namespace causeway::dataplane {
namespace {

// Each driver has its own, under its own names; those that are zero say nothing.
std::map<std::string, std::uint64_t> extended(std::uint16_t device) {
  std::map<std::string, std::uint64_t> out;
  const int count = rte_eth_xstats_get(device, nullptr, 0);
  if (count <= 0) return out;
  std::vector<rte_eth_xstat> values(static_cast<std::size_t>(count));
  std::vector<rte_eth_xstat_name> names(values.size());
  const auto room = static_cast<unsigned>(count);
  if (rte_eth_xstats_get(device, values.data(), room) != count ||
      rte_eth_xstats_get_names(device, names.data(), room) != count)
    return out;
  for (const rte_eth_xstat& x : values) {
    if (x.value != 0 && x.id < names.size()) out[names[x.id].name] = x.value;
  }
  return out;
}

}  // namespace

// On DPDK's interrupt thread: only says that there is something to look at.
int Port::on_event(std::uint16_t, rte_eth_event_type event, void* events, void*) {
  auto& seen = *static_cast<PortEvents*>(events);
  (event == RTE_ETH_EVENT_INTR_RESET ? seen.reset : seen.link).store(true);
  const std::uint64_t one = 1;
  if (const int fd = seen.wake_fd.load(); fd >= 0) {
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
  }
  return 0;
}

void Port::watch_events() {
  if (watching_) return;
  watching_ = rte_eth_dev_callback_register(id_, RTE_ETH_EVENT_INTR_LSC, &Port::on_event, &events_) == 0 &&
              rte_eth_dev_callback_register(id_, RTE_ETH_EVENT_INTR_RESET, &Port::on_event, &events_) == 0;
}

tl::expected<void, StartError> Port::reset() {
  stop();
  steering_->lost();
  ++resets_;
  // A driver without a reset of its own starts afresh by stop and start.
  if (const int error = rte_eth_dev_reset(id_); error != 0 && error != -ENOTSUP)
    return tl::unexpected(failed("cannot be reset", error));
  if (const int error = rte_eth_dev_info_get(id_, &info_); error != 0)
    return tl::unexpected(failed("cannot be asked what it can", error));
  return start(pool_);
}

bool Port::link_up() const {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

PortStatus Port::status() const {
  PortStatus out;
  out.name = setup_.name;
  out.device = setup_.device;
  out.driver = info_.driver_name == nullptr ? "" : info_.driver_name;
  std::array<char, 18> text{};
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", mac_[0], mac_[1], mac_[2], mac_[3], mac_[4],
                mac_[5]);
  out.mac = text.data();
  out.up = link_up();
  out.trusted = setup_.trusted;
  out.mtu = mtu_;
  out.rx_queues = choice_.rx_queues;
  out.tx_queues = choice_.tx_queues;
  out.fallbacks = choice_.fallbacks;
  out.fallbacks.insert(out.fallbacks.end(), fallbacks_.begin(), fallbacks_.end());
  const std::string rules = steering_->status();
  out.steering = choice_.steering + (rules.empty() ? "" : "; " + rules);
  rte_eth_stats stats{};
  if (rte_eth_stats_get(id_, &stats) == 0) {
    out.counters = {{"rx_packets", stats.ipackets}, {"rx_bytes", stats.ibytes},        {"rx_missed", stats.imissed},
                    {"rx_errors", stats.ierrors},   {"rx_no_buffer", stats.rx_nombuf}, {"tx_packets", stats.opackets},
                    {"tx_bytes", stats.obytes},     {"tx_errors", stats.oerrors}};
  }
  if (resets_ != 0) out.counters["resets"] = resets_;
  out.xstats = extended(id_);
  return out;
}

}  // namespace causeway::dataplane

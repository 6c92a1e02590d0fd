// Devices as the control thread keeps them: their buffers, links, resets, and the rules that steer SAs to workers.
#include <rte_errno.h>

#include <algorithm>

#include "dataplane/gateway.h"
#include "dataplane/pool_plan.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint64_t kLinkCheckMs = 200, kResetRetryMs = 1000, kSteerMs = 1000;
constexpr std::uint64_t kSteerPackets = 10'000;  // in kSteerMs: from there on a rule is worth its place

// As operators know it, unless another gateway of this process has that one.
std::string pool_name(const std::string& name) {
  std::string free = name;
  for (int n = 2; rte_mempool_lookup(free.c_str()) != nullptr; ++n) free = name + "-" + std::to_string(n);
  return free;
}

rte_mempool* make_pool(const std::string& name, std::uint32_t buffers, std::uint32_t cache, std::uint32_t room,
                       int socket) {
  return rte_pktmbuf_pool_create(pool_name(name).c_str(), buffers, cache, RTE_CACHE_LINE_ROUNDUP(sizeof(PacketMeta)),
                                 static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + room), socket);
}

}  // namespace

tl::expected<void, StartError> Gateway::make_pools() {
  PoolNeeds needs{.workers = static_cast<std::uint32_t>(cores_.size()), .devices = {}};
  for (const auto& device : devices_) needs.devices.push_back(device->pool_needs());
  const PoolPlan plan = plan_pools(needs);
  pool_.reset(make_pool("causeway-packets", plan.buffers, kPoolCache, plan.room, memory_socket_));
  if (!pool_)
    return tl::unexpected(StartError{"no memory for " + std::to_string(plan.buffers) + " packet buffers of " +
                                     std::to_string(plan.room) + " octets: " + rte_strerror(rte_errno)});
  jumbo_pool_.reset(make_pool("causeway-jumbo", plan.jumbo_buffers, 0, plan.jumbo_room, memory_socket_));
  if (!jumbo_pool_)
    return tl::unexpected(StartError{std::string("no memory for jumbo buffers: ") + rte_strerror(rte_errno)});
  return {};
}

// A link that fails takes its neighbors' addresses with it: who answers after it came back may be another machine.
// SAs are kept: the peer knows nothing of our link, and liveness checks find out whether it is still there.
void Gateway::watch_links(const Sink& sink) {
  for (auto& device : devices_) {
    if (device->take_link_event()) next_link_ms_ = now_ms_;
  }
  if (now_ms_ < next_link_ms_) return;
  next_link_ms_ = now_ms_ + kLinkCheckMs;
  for (std::uint16_t p = 0; p < ports_.size(); ++p) {
    const bool up = ports_[p]->link_up();
    ports_[p]->state().link.store(up || ports_[p]->is_software(), std::memory_order_relaxed);
    if (up == link_up_[p]) continue;
    link_up_[p] = up;
    if (up) {
      announce(p);
    } else {
      NeighborCache::Effects effects;
      neighbors_.forget_port(p, effects);
      apply(std::move(effects));
    }
    sink(Event(LinkChanged{p, up}));
  }
}

// A driver that asks for a reset (its firmware or physical function was) must not be touched by anybody meanwhile:
// workers are told to keep off, and have, when each has passed a quiescent state; then it is reset and told otherwise.
void Gateway::reset_devices(const Sink& sink) {
  for (std::size_t d = 0; d < devices_.size(); ++d) {
    Port& device = *devices_[d];
    if (device.take_reset_event() && !resets_.contains(d)) {
      device.state().attached.store(false, std::memory_order_release);
      resets_[d] = {.token = rte_rcu_qsbr_start(rcu_.get()), .at_ms = now_ms_};
    }
    const auto reset = resets_.find(d);
    if (reset == resets_.end() || now_ms_ < reset->second.at_ms ||
        rte_rcu_qsbr_check(rcu_.get(), reset->second.token, false) != 1)
      continue;
    const auto done = device.reset();
    for (std::uint16_t p = 0; p < ports_.size(); ++p) {
      if (ports_[p] == &device) sink(Event(PortReset{p, done ? std::string() : done.error().text}));
    }
    if (!done) {
      reset->second.at_ms = now_ms_ + kResetRetryMs;
      continue;
    }
    resets_.erase(reset);
    device.state().attached.store(true, std::memory_order_release);
    for (auto& [key, record] : sas_) record.steered = false;
    for (std::uint16_t p = 0; p < ports_.size(); ++p) {
      if (ports_[p] == &device) announce(p);
    }
  }
}

// The inbound SAs that carry most get a rule to their owner's queue, where they would come by another's.
void Gateway::steer() {
  if (now_ms_ < next_steer_ms_ || workers_.size() == 1) return;
  next_steer_ms_ = now_ms_ + kSteerMs;
  for (auto& [key, record] : sas_) {
    if (!record.inbound || record.removing) continue;
    const std::uint64_t packets = record.inbound->counters.packets.get();
    const bool busy = packets - std::exchange(record.packets_seen, packets) >= kSteerPackets;
    if (!busy || record.steered) continue;
    const NextHop* hop = tables_->routes->lookup(record.remote.address);
    if (hop == nullptr || hop->port >= ports_.size()) continue;
    Port& device = *ports_[hop->port];
    for (std::uint16_t q = 0; device.rx_queues() > 1 && q < device.rx_queues(); ++q) {
      if (device.owner_of_queue(q) != record.worker) continue;
      record.steered = device.steering().steer(key.spi, record.remote.address.family, record.udp_encap, q);
      break;
    }
  }
}

void Gateway::forget_steering(std::uint32_t spi) {
  for (auto& device : devices_) device->steering().forget(spi);
}

}  // namespace causeway::dataplane

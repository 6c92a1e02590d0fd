// One Ethernet device of DPDK's, PCI or virtual: opened by name, capabilities asked for and
// intersected with what we want, queues as many as workers or as the device has, whichever is less.
#pragma once

#include <rte_ethdev.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/dataplane.h"
#include "dataplane/interface_lock.h"
#include "dataplane/pool_plan.h"
#include "dataplane/port_choice.h"
#include "dataplane/port_state.h"
#include "dataplane/steering.h"
#include "dataplane/tables.h"

namespace causeway::dataplane {

class Port {
 public:
  // Finds or makes the device; nothing is configured yet. `index` is that in Setup::ports.
  static tl::expected<std::unique_ptr<Port>, StartError> open(const PortSetup& setup, std::uint16_t index);
  ~Port();  // stops and closes it, and removes a virtual device that open() made
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  // How many receive and transmit queues the device will have with so many workers.
  void plan_queues(std::uint16_t workers);
  // Before start: one of the configured ports that are on this device.
  void serve(const PortSetup& port, bool ipv6);
  tl::expected<void, StartError> start(rte_mempool* pool);
  void stop();
  // After its INTR_RESET, while no worker touches it: stopped, reset, and started as before.
  tl::expected<void, StartError> reset();

  // What workers look at, and what the device's events said since the last call.
  [[nodiscard]] PortState& state() { return state_; }
  [[nodiscard]] const PortState& state() const { return state_; }
  [[nodiscard]] bool take_link_event() { return events_.link.exchange(false); }
  [[nodiscard]] bool take_reset_event() { return events_.reset.exchange(false); }
  void wake_by(int fd) { events_.wake_fd.store(fd); }
  [[nodiscard]] Steering& steering() { return *steering_; }

  // Queues are dealt round: queue q of port p belongs to worker (p + q) mod workers.
  [[nodiscard]] std::uint16_t owner_of_queue(std::uint16_t queue) const {
    return static_cast<std::uint16_t>((index_ + queue) % workers_);
  }
  [[nodiscard]] std::optional<std::uint16_t> tx_queue_of(std::uint16_t worker) const;
  // The worker that sends for one that has no queue of its own.
  [[nodiscard]] std::uint16_t tx_owner_for(std::uint16_t worker) const {
    return owner_of_queue(static_cast<std::uint16_t>(worker % choice_.tx_queues));
  }

  [[nodiscard]] std::uint16_t id() const { return id_; }
  [[nodiscard]] int socket() const { return rte_eth_dev_socket_id(id_); }
  [[nodiscard]] std::uint16_t rx_queues() const { return choice_.rx_queues; }
  [[nodiscard]] std::uint16_t tx_queues() const { return choice_.tx_queues; }
  [[nodiscard]] bool sends_chains() const { return choice_.sends_chains; }
  [[nodiscard]] PoolNeeds::Device pool_needs() const {
    return {.rx_descriptors = std::uint32_t{choice_.rx_queues} * rx_descriptors_,
            .tx_descriptors = std::uint32_t{choice_.tx_queues} * tx_descriptors_,
            .mtu = mtu_,
            .frame_octets = frame_octets_};
  }
  // The largest frame that the device puts into one buffer where that is not the MTU's; 0: the MTU's.
  [[nodiscard]] std::uint32_t frame_octets() const { return frame_octets_; }
  [[nodiscard]] std::uint16_t mtu() const { return mtu_; }  // the largest of its ports'
  [[nodiscard]] const Mac& mac() const { return mac_; }
  [[nodiscard]] const PortSetup& setup() const { return setup_; }
  [[nodiscard]] PortStatus status() const;
  [[nodiscard]] bool link_up() const;
  // A virtual device that was made here: its word on its link is not the last one (a tap that was moved into another
  // network namespace says that it is down, and carries packets).
  [[nodiscard]] bool is_software() const { return !vdev_.empty(); }

 private:
  Port(const PortSetup& setup, std::uint16_t index) : setup_(setup), index_(index) {}
  StartError failed(const std::string& what, int error) const;
  tl::expected<void, StartError> set_up_queues(rte_mempool* pool);
  void watch_events();
  static int on_event(std::uint16_t device, rte_eth_event_type event, void* events, void* result);

  PortSetup setup_;
  std::uint16_t index_;
  std::uint16_t id_ = RTE_MAX_ETHPORTS;
  InterfaceLock interface_lock_;
  std::string vdev_;  // name of the virtual device made here; empty: none
  rte_eth_dev_info info_{};
  Mac mac_{};
  std::uint16_t workers_ = 1;
  PortChoice choice_;
  rte_mempool* pool_ = nullptr;
  PortState state_;
  PortEvents events_;
  bool watching_ = false;
  std::uint64_t resets_ = 0;
  std::optional<Steering> steering_;
  std::uint16_t rx_descriptors_ = 1024, tx_descriptors_ = 1024;
  std::uint32_t frame_octets_ = 0;
  std::uint16_t mtu_ = 0;
  bool multicast_ = false;  // neighbor discovery needs it
  bool tagged_ = false;     // some port is a VLAN
  std::vector<std::string> fallbacks_;  // found while it was started, beside those of `choice_`
  bool started_ = false;
};

}  // namespace causeway::dataplane

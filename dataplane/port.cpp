#include "dataplane/port.h"

#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace causeway::dataplane {
namespace {

// "net_af_packet0,iface=wan0" -> name and arguments. Virtual devices need distinct names, so one
// without a number of its own gets the port's.
struct DeviceName {
  std::string name, arguments;
};
DeviceName split(const std::string& device, std::uint16_t index) {
  const std::size_t comma = device.find(',');
  DeviceName out{device.substr(0, comma), comma == std::string::npos ? "" : device.substr(comma + 1)};
  if (out.name.starts_with("net_") && std::isdigit(static_cast<unsigned char>(out.name.back())) == 0)
    out.name += "_cw" + std::to_string(index);
  return out;
}

bool is_virtual(const std::string& device) { return device.starts_with("net_") || device.starts_with("eth_"); }

std::optional<std::string> argument(const std::string& arguments, const std::string& key) {
  for (std::size_t at = 0; at < arguments.size();) {
    const std::size_t end = std::min(arguments.find(',', at), arguments.size());
    const std::string pair = arguments.substr(at, end - at);
    if (pair.starts_with(key + "=")) return pair.substr(key.size() + 1);
    at = end + 1;
  }
  return std::nullopt;
}

// The kernel puts fragments together before net_af_packet sees them (DPDK asks for it, so that its
// queues agree), and a datagram that is larger than the ring's frames arrives cut off. So frames are twice
// the port's MTU at least, unless the configuration says otherwise.
std::uint32_t with_packet_frames(DeviceName& device, std::uint16_t mtu) {
  if (const auto given = argument(device.arguments, "framesz"))
    return static_cast<std::uint32_t>(std::strtoul(given->c_str(), nullptr, 10));
  const std::uint32_t size = std::bit_ceil(std::max<std::uint32_t>(4096, mtu + 512U));
  device.arguments += ",framesz=" + std::to_string(size);
  if (size > 4096 && !argument(device.arguments, "blocksz")) device.arguments += ",blocksz=" + std::to_string(size);
  return size;
}

std::string reason(int error) { return rte_strerror(error < 0 ? -error : error); }

}  // namespace

StartError Port::failed(const std::string& what, int error) const {
  return {"port " + setup_.name + " (" + setup_.device + "): " + what + ": " + reason(error)};
}

tl::expected<std::unique_ptr<Port>, StartError> Port::open(const PortSetup& setup, std::uint16_t index) {
  std::unique_ptr<Port> port(new Port(setup, index));
  const auto refuse = [&](const std::string& why) {
    return tl::unexpected(StartError{"port " + setup.name + " (" + setup.device + "): " + why});
  };
  DeviceName device = split(setup.device, index);
  if (device.name.starts_with("net_af_packet")) port->frame_octets_ = with_packet_frames(device, setup.mtu);
  if (rte_eth_dev_get_port_by_name(setup.device.c_str(), &port->id_) != 0) {
    if (const auto iface = argument(device.arguments, "iface"); iface && device.name.starts_with("net_af_")) {
      if (::if_nametoindex(iface->c_str()) == 0) return refuse("there is no interface " + *iface);
      auto lock = InterfaceLock::take(*iface);
      if (!lock) return refuse(lock.error());
      port->interface_lock_ = std::move(*lock);
    }
    if (is_virtual(setup.device)) {
      if (const int error = rte_eal_hotplug_add("vdev", device.name.c_str(), device.arguments.c_str()); error != 0) {
        if (error == -EEXIST) return refuse("another port uses this device already");
        if (error == -EPERM || error == -EACCES) return refuse("not permitted (run as root)");
        return refuse("the device cannot be made: " + reason(error));
      }
      port->vdev_ = device.name;
    } else if (rte_dev_probe(setup.device.c_str()) != 0) {
      return refuse("no driver takes this device (PCI: is it bound to vfio-pci?)");
    }
    if (rte_eth_dev_get_port_by_name(device.name.c_str(), &port->id_) != 0)
      return refuse("there is no such device (PCI: is it bound to vfio-pci?)");
  }
  if (rte_eth_dev_is_valid_port(port->id_) == 0) return refuse("the device is gone");
  if (const int error = rte_eth_dev_info_get(port->id_, &port->info_); error != 0)
    return tl::unexpected(port->failed("cannot be asked what it can", error));
  rte_ether_addr mac{};
  rte_eth_macaddr_get(port->id_, &mac);
  std::memcpy(port->mac_.data(), mac.addr_bytes, 6);
  port->steering_.emplace(port->id_);
  return port;
}

void Port::plan_queues(std::uint16_t workers) {
  workers_ = workers;
  choice_ =
      choose(info_, {.workers = workers, .mtu = RTE_ETHER_MTU, .room = RTE_MBUF_DEFAULT_DATAROOM, .tagged = false});
  rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_descriptors_, &tx_descriptors_);
}

void Port::serve(const PortSetup& port, bool ipv6) {
  mtu_ = std::max(mtu_, port.mtu);
  multicast_ |= ipv6;
  tagged_ |= port.vlan != 0;
}

tl::expected<void, StartError> Port::start(rte_mempool* pool) {
  pool_ = pool;
  fallbacks_.clear();
  const std::uint32_t room = rte_pktmbuf_data_room_size(pool) - std::uint32_t{RTE_PKTMBUF_HEADROOM};
  choice_ = choose(info_, {.workers = workers_, .mtu = mtu_, .room = room, .tagged = tagged_});
  if (const int error = rte_eth_dev_configure(id_, choice_.rx_queues, choice_.tx_queues, &choice_.conf); error != 0)
    return tl::unexpected(failed("cannot be configured", error));
  // Before start: some drivers refuse it later. Others cannot change it, but carry what their link does.
  if (const int error = rte_eth_dev_set_mtu(id_, mtu_); error != 0 && mtu_ != RTE_ETHER_MTU)
    fallbacks_.push_back("mtu " + std::to_string(mtu_) + ": the device does not set it (" + reason(error) + ")");
  if (auto set_up = set_up_queues(pool); !set_up) return set_up;
  watch_events();
  if (const int error = rte_eth_dev_start(id_); error != 0) return tl::unexpected(failed("cannot be started", error));
  started_ = true;
  if (multicast_) {
    if (const int error = rte_eth_allmulticast_enable(id_); error != 0)
      fallbacks_.push_back("all-multicast, for neighbor discovery: " + reason(error));
  }
  return {};
}

tl::expected<void, StartError> Port::set_up_queues(rte_mempool* pool) {
  const int socket = rte_eth_dev_socket_id(id_);
  const auto node = socket < 0 ? static_cast<unsigned>(SOCKET_ID_ANY) : static_cast<unsigned>(socket);
  for (std::uint16_t q = 0; q < choice_.rx_queues; ++q) {
    if (const int error = rte_eth_rx_queue_setup(id_, q, rx_descriptors_, node, nullptr, pool); error != 0)
      return tl::unexpected(failed("receive queue " + std::to_string(q) + " cannot be set up", error));
  }
  for (std::uint16_t q = 0; q < choice_.tx_queues; ++q) {
    if (const int error = rte_eth_tx_queue_setup(id_, q, tx_descriptors_, node, nullptr); error != 0)
      return tl::unexpected(failed("transmit queue " + std::to_string(q) + " cannot be set up", error));
  }
  return {};
}

void Port::stop() {
  if (started_) rte_eth_dev_stop(id_);
  started_ = false;
}

Port::~Port() {
  stop();
  if (id_ == RTE_MAX_ETHPORTS) return;
  if (watching_) {
    rte_eth_dev_callback_unregister(id_, RTE_ETH_EVENT_INTR_LSC, &Port::on_event, &events_);
    rte_eth_dev_callback_unregister(id_, RTE_ETH_EVENT_INTR_RESET, &Port::on_event, &events_);
  }
  if (steering_) steering_->clear();
  rte_eth_dev_close(id_);
  if (!vdev_.empty()) rte_eal_hotplug_remove("vdev", vdev_.c_str());
}

std::optional<std::uint16_t> Port::tx_queue_of(std::uint16_t worker) const {
  for (std::uint16_t q = 0; q < choice_.tx_queues; ++q) {
    if (owner_of_queue(q) == worker) return q;
  }
  return std::nullopt;
}

}  // namespace causeway::dataplane

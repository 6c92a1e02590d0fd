// The kernel's side of a port (`host = true`): a tap interface that carries what is addressed to the box and
// is neither ESP nor IKE, so that ssh, BGP daemons and the like work on the same NIC. The control thread's:
// own traffic is slow-path traffic.
//
// A plain tap of the kernel's, not DPDK's net_tap: that one makes a netdevice as a port of its own with queues
// that workers would have to poll, and virtio_user wants vhost-net, which containers and small machines lack.
//
// The interface has the port's MAC address, MTU and addresses and no ARP (IFF_NOARP): neighbors are ours to ask
// for and to answer, so the kernel hands over packets, and the data path routes them by its own table and policy.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <string>
#include <tl/expected.hpp>

#include "dataplane/packet_ptr.h"
#include "dataplane/tables.h"

namespace causeway::dataplane {

class HostTap {
 public:
  // "cw-" and the port's name, as far as the kernel's 15 letters go. The error is a sentence.
  static tl::expected<HostTap, std::string> open(const std::string& port, const Mac& mac);
  ~HostTap();  // the interface goes with it, and with the interface its addresses and routes
  HostTap(HostTap&& other) noexcept;
  HostTap& operator=(HostTap&& other) noexcept;

  // A packet that starts at its IP header. False: the kernel did not take it.
  bool write(rte_mbuf* packet);
  // The next one from the kernel, from its IP header on; empty: none, or (`dropped`) one that cannot be sent.
  PacketPtr read(rte_mempool* pool, bool& dropped);

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  HostTap(int fd, std::string name, const Mac& mac) : fd_(fd), name_(std::move(name)), mac_(mac) {}
  int fd_ = -1;
  std::string name_;
  Mac mac_{};
};

}  // namespace causeway::dataplane

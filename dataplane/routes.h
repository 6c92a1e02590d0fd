// Where packets in clear go: own addresses, connected networks and routes in one longest-prefix table.
// Immutable: built by the control thread, read by workers, swapped under RCU (tables.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "conf/address.h"
#include "dataplane/dataplane.h"
#include "dataplane/lpm.h"

namespace causeway::dataplane {

struct NextHop {
  enum class Kind : std::uint8_t {
    local,      // an own address, of `port`
    broadcast,  // a connected network's first or last address
    connected,  // the destination is the neighbor
    gateway,    // `gateway` is the neighbor
  };
  Kind kind = Kind::connected;
  std::uint16_t port = 0;   // index in Setup::ports
  std::uint8_t length = 0;  // of the prefix that led here
  bool host = false;        // local: the port shares own traffic with the kernel
  conf::IpAddress gateway;
};

class RouteTable {
 public:
  // The ports give own addresses, connected networks and their gateway's default route; `routes` come
  // on top, and win where the prefix is the same, except over own addresses.
  RouteTable(std::span<const PortSetup> ports, std::span<const RouteSpec> routes);

  // Octets in network order. nullptr: no route.
  [[nodiscard]] const NextHop* lookup4(const std::uint8_t* address) const { return hop(v4_.lookup(address)); }
  [[nodiscard]] const NextHop* lookup6(const std::uint8_t* address) const { return hop(v6_.lookup(address)); }
  [[nodiscard]] const NextHop* lookup(conf::Family family, const std::uint8_t* address) const {
    return family == conf::Family::v4 ? lookup4(address) : lookup6(address);
  }
  [[nodiscard]] const NextHop* lookup(const conf::IpAddress& a) const {
    return a.family == conf::Family::v4 ? lookup4(a.octets.data()) : lookup6(a.octets.data());
  }

  // Own addresses, in the order of the ports.
  struct Own {
    conf::IpAddress address;
    std::uint16_t port = 0;
  };
  [[nodiscard]] std::span<const Own> own() const { return own_; }

  struct Network {
    conf::Prefix prefix;
    NextHop hop;
  };
  [[nodiscard]] std::span<const Network> networks() const { return networks_; }  // connected ones and routes

 private:
  [[nodiscard]] const NextHop* hop(std::uint32_t value) const {
    return value == Lpm::kNone ? nullptr : &hops_[value - 1];
  }

  Lpm v4_, v6_;
  std::vector<NextHop> hops_;
  std::vector<Own> own_;
  std::vector<Network> networks_;
};

}  // namespace causeway::dataplane

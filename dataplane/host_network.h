// What the kernel is told of a port's tap (host_tap.h) by rtnetlink: MAC address, MTU, addresses, and the
// networks that the data path reaches, so that what the box itself sends finds its way to us.
//
// Two kinds of routes. What leaves from an address of the port (an answer to ssh, a BGP session) goes to the tap
// always, by a rule of its own: the machine may have another default route, for its management, and an answer
// that took it would carry an address which does not belong there. For what has no source address yet, the
// networks of the data path stand in the main table; a default route with the worst metric, so that it
// never takes the place of one that is there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "conf/address.h"
#include "dataplane/tables.h"

namespace causeway::dataplane {

struct HostRoute {
  conf::Prefix to;
  conf::IpAddress from;  // the preferred source address: an own one of the port
  auto operator<=>(const HostRoute&) const = default;
};

class HostNetwork {
 public:
  struct Shape {
    Mac mac{};
    std::uint16_t mtu = 1500;
    std::vector<conf::Prefix> addresses;
  };
  // Brings up the interface of that name. The error is a sentence.
  static tl::expected<HostNetwork, std::string> set_up(const std::string& interface, const Shape& shape);
  ~HostNetwork();  // takes the rules away: unlike addresses and routes, they do not go with the interface
  HostNetwork(HostNetwork&& other) noexcept;
  HostNetwork& operator=(HostNetwork&&) = delete;

  // The networks of the main table from now on. The error names the first that the kernel refused.
  tl::expected<void, std::string> set_routes(std::vector<HostRoute> routes);

 private:
  class Socket;
  HostNetwork(std::unique_ptr<Socket> socket, unsigned index);
  tl::expected<void, std::string> bring_up(const std::string& interface, const Shape& shape);
  tl::expected<void, std::string> add_address(const conf::Prefix& own);

  std::unique_ptr<Socket> socket_;
  unsigned index_;  // of the interface
  std::vector<HostRoute> routes_;
  std::vector<conf::IpAddress> ruled_;  // own addresses that have a rule
};

}  // namespace causeway::dataplane

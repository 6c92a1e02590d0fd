#include "dataplane/host_network.h"

#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace causeway::dataplane {
namespace {

constexpr std::uint32_t kFirstTable = 0x43570000;  // tables of our own: this and the interface's number
constexpr std::uint32_t kRulePriority = 5200;      // before the main table's, 32766
constexpr std::uint32_t kMetric = 1024, kDefaultMetric = 0x7fffffff;

std::uint8_t family_of(const conf::IpAddress& a) { return a.family == conf::Family::v4 ? AF_INET : AF_INET6; }
std::uint8_t bits_of(const conf::IpAddress& a) { return a.family == conf::Family::v4 ? 32 : 128; }
bool is_link_local(const conf::IpAddress& a) {
  return a.family == conf::Family::v6 && a.octets[0] == 0xfe && (a.octets[1] & 0xc0) == 0x80;
}
void put(nlmsghdr* message, std::uint16_t type, const conf::IpAddress& a) {
  mnl_attr_put(message, type, a.size(), a.octets.data());
}

// Best effort: a kernel without IPv6 has no such file, and refuses what matters with a reason of its own.
void set(const std::string& family, const std::string& interface, const char* what, int value) {
  std::ofstream("/proc/sys/net/" + family + "/conf/" + interface + "/" + what) << value;
}

}  // namespace

// One request at a time, each acknowledged.
class HostNetwork::Socket {
 public:
  static std::unique_ptr<Socket> open() {
    mnl_socket* s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (s == nullptr) return nullptr;
    if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0) return std::unique_ptr<Socket>(new Socket(s));
    mnl_socket_close(s);
    return nullptr;
  }
  ~Socket() { mnl_socket_close(socket_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  template <typename Header>
  Header* begin(std::uint16_t type, std::uint16_t flags) {
    message_ = mnl_nlmsg_put_header(buffer_.data());
    message_->nlmsg_type = type;
    message_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    message_->nlmsg_seq = ++sequence_;
    return static_cast<Header*>(mnl_nlmsg_put_extra_header(message_, sizeof(Header)));
  }
  [[nodiscard]] nlmsghdr* message() { return message_; }

  // 0, or an errno.
  int ask() {
    if (mnl_socket_sendto(socket_, message_, message_->nlmsg_len) < 0) return errno;
    const ssize_t got = mnl_socket_recvfrom(socket_, buffer_.data(), buffer_.size());
    if (got < 0) return errno;
    const int result = mnl_cb_run(buffer_.data(), static_cast<std::size_t>(got), sequence_,
                                  mnl_socket_get_portid(socket_), nullptr, nullptr);
    return result < 0 ? errno : 0;
  }

 private:
  explicit Socket(mnl_socket* socket) : socket_(socket) {}
  mnl_socket* socket_;
  nlmsghdr* message_ = nullptr;
  std::uint32_t sequence_ = 0;
  alignas(nlmsghdr) std::array<char, 8192> buffer_{};
};

HostNetwork::HostNetwork(std::unique_ptr<Socket> socket, unsigned index)
    : socket_(std::move(socket)), index_(index) {}
HostNetwork::HostNetwork(HostNetwork&& other) noexcept
    : socket_(std::move(other.socket_)),
      index_(other.index_),
      routes_(std::move(other.routes_)),
      ruled_(std::exchange(other.ruled_, {})) {}

HostNetwork::~HostNetwork() {
  for (const conf::IpAddress& own : ruled_) {
    auto* rule = socket_->begin<fib_rule_hdr>(RTM_DELRULE, 0);
    rule->family = family_of(own);
    rule->src_len = bits_of(own);
    rule->action = FR_ACT_TO_TBL;
    put(socket_->message(), FRA_SRC, own);
    mnl_attr_put_u32(socket_->message(), FRA_PRIORITY, kRulePriority);
    mnl_attr_put_u32(socket_->message(), FRA_TABLE, kFirstTable + index_);
    static_cast<void>(socket_->ask());
  }
}

tl::expected<HostNetwork, std::string> HostNetwork::set_up(const std::string& interface, const Shape& shape) {
  const unsigned index = ::if_nametoindex(interface.c_str());
  auto socket = Socket::open();
  if (index == 0 || !socket) return tl::unexpected(interface + ": no way to the kernel: " + std::strerror(errno));
  HostNetwork network(std::move(socket), index);
  if (auto up = network.bring_up(interface, shape); !up) return tl::unexpected(interface + ": " + up.error());
  return network;
}

tl::expected<void, std::string> HostNetwork::bring_up(const std::string& interface, const Shape& shape) {
  const bool v6 = std::any_of(shape.addresses.begin(), shape.addresses.end(),
                              [](const conf::Prefix& p) { return p.address.family == conf::Family::v6; });
  set("ipv6", interface, "disable_ipv6", v6 ? 0 : 1);
  set("ipv6", interface, "accept_ra", 0);
  set("ipv6", interface, "autoconf", 0);
  set("ipv4", interface, "forwarding", 0);
  set("ipv4", interface, "rp_filter", 2);     // loose: which tap a packet comes by follows its destination alone
  set("ipv4", interface, "accept_local", 1);  // the data path's ICMP errors come from an own address
  auto* link = socket_->begin<ifinfomsg>(RTM_NEWLINK, 0);
  link->ifi_family = AF_UNSPEC;
  link->ifi_index = static_cast<int>(index_);
  link->ifi_flags = link->ifi_change = IFF_UP | IFF_NOARP;
  mnl_attr_put(socket_->message(), IFLA_ADDRESS, shape.mac.size(), shape.mac.data());
  mnl_attr_put_u32(socket_->message(), IFLA_MTU, shape.mtu);
  if (const int error = socket_->ask(); error != 0)
    return tl::unexpected(std::string("cannot be brought up: ") + std::strerror(error));
  for (const conf::Prefix& own : shape.addresses) {
    if (is_link_local(own.address)) continue;  // the kernel makes the same from the same MAC address
    if (auto added = add_address(own); !added) return added;
  }
  return {};
}

// The address, a table in which all leads to this interface, and the rule that sends what is from the address there.
tl::expected<void, std::string> HostNetwork::add_address(const conf::Prefix& own) {
  const auto refused = [&](const char* what, int error) {
    return tl::unexpected(std::string(what) + " " + own.str() + " is refused: " + std::strerror(error));
  };
  auto* address = socket_->begin<ifaddrmsg>(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  address->ifa_family = family_of(own.address);
  address->ifa_prefixlen = own.length;
  address->ifa_flags = IFA_F_NODAD;
  address->ifa_index = index_;
  put(socket_->message(), IFA_LOCAL, own.address);
  put(socket_->message(), IFA_ADDRESS, own.address);
  if (const int error = socket_->ask(); error != 0) return refused("address", error);

  auto* route = socket_->begin<rtmsg>(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  route->rtm_family = family_of(own.address);
  route->rtm_protocol = RTPROT_STATIC;
  route->rtm_scope = RT_SCOPE_LINK;
  route->rtm_type = RTN_UNICAST;
  mnl_attr_put_u32(socket_->message(), RTA_TABLE, kFirstTable + index_);
  mnl_attr_put_u32(socket_->message(), RTA_OIF, index_);
  if (const int error = socket_->ask(); error != 0) return refused("the route of address", error);

  auto* rule = socket_->begin<fib_rule_hdr>(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
  rule->family = family_of(own.address);
  rule->src_len = bits_of(own.address);
  rule->action = FR_ACT_TO_TBL;
  put(socket_->message(), FRA_SRC, own.address);
  mnl_attr_put_u32(socket_->message(), FRA_PRIORITY, kRulePriority);
  mnl_attr_put_u32(socket_->message(), FRA_TABLE, kFirstTable + index_);
  if (const int error = socket_->ask(); error != 0 && error != EEXIST) return refused("the rule of address", error);
  ruled_.push_back(own.address);
  return {};
}

tl::expected<void, std::string> HostNetwork::set_routes(std::vector<HostRoute> routes) {
  std::sort(routes.begin(), routes.end());
  routes.erase(std::unique(routes.begin(), routes.end()), routes.end());
  const auto change = [&](const HostRoute& r, bool add) {
    auto* route = socket_->begin<rtmsg>(add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_REPLACE : 0);
    route->rtm_family = family_of(r.to.address);
    route->rtm_dst_len = r.to.length;
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_protocol = RTPROT_STATIC;
    route->rtm_scope = RT_SCOPE_LINK;
    route->rtm_type = RTN_UNICAST;
    if (r.to.length != 0) put(socket_->message(), RTA_DST, r.to.address);
    mnl_attr_put_u32(socket_->message(), RTA_OIF, index_);
    mnl_attr_put_u32(socket_->message(), RTA_PRIORITY, r.to.length == 0 ? kDefaultMetric : kMetric);
    put(socket_->message(), RTA_PREFSRC, r.from);
    return socket_->ask();
  };
  std::string why;
  for (const HostRoute& r : routes_) {
    if (!std::binary_search(routes.begin(), routes.end(), r)) static_cast<void>(change(r, false));
  }
  for (const HostRoute& r : routes) {
    if (std::binary_search(routes_.begin(), routes_.end(), r)) continue;
    if (const int error = change(r, true); error != 0 && why.empty())
      why = "route " + r.to.str() + " is refused: " + std::strerror(error);
  }
  routes_ = std::move(routes);
  if (!why.empty()) return tl::unexpected(why);
  return {};
}

}  // namespace causeway::dataplane

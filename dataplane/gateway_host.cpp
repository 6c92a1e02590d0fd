// Own traffic shared with the kernel (`host = true`): taps made at start, packets from workers written to them,
// packets from the kernel given to the worker that sends for the port.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>

#include "dataplane/gateway.h"
#include "dataplane/ip_header.h"

namespace causeway::dataplane {
namespace {

constexpr int kFromHostAtOnce = 256;  // of one port in one poll

}  // namespace

tl::expected<void, StartError> Gateway::open_hosts() {
  hosts_.resize(ports_.size());
  for (std::size_t p = 0; p < ports_.size(); ++p) {
    const PortSetup& port = setup_.ports[p];
    if (!port.host) continue;
    const auto refuse = [&](const std::string& why) {
      return tl::unexpected(StartError{"port " + port.name + ": " + why});
    };
    if (events_ < 0) {
      events_ = ::epoll_create1(EPOLL_CLOEXEC);
      epoll_event event{.events = EPOLLIN, .data = {.fd = shared_.wake_up.fd}};
      if (events_ < 0 || ::epoll_ctl(events_, EPOLL_CTL_ADD, shared_.wake_up.fd, &event) != 0)
        return refuse("no file descriptor for the kernel's packets");
    }
    auto tap = HostTap::open(port.name, ports_[p]->mac());
    if (!tap) return refuse(tap.error());
    auto network = HostNetwork::set_up(
        tap->name(), {.mac = ports_[p]->mac(), .mtu = port.mtu, .addresses = port.addresses});
    if (!network) return refuse(network.error());
    // On edges: what the rate holds back stays with the kernel and must not keep us awake.
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = tap->fd()}};
    if (::epoll_ctl(events_, EPOLL_CTL_ADD, tap->fd(), &event) != 0)
      return refuse("no way to wait for the kernel's packets");
    hosts_[p] = std::make_unique<Host>(Host{std::move(*tap), std::move(*network)});
  }
  return {};
}

// The networks that the kernel is to reach through a port's tap: what is routed through the port, and what a
// tunnel protects for one of the port's own addresses.
void Gateway::tell_host_routes(std::span<const PolicySpec> policies) {
  for (std::size_t p = 0; p < hosts_.size(); ++p) {
    if (!hosts_[p]) continue;
    const auto& addresses = setup_.ports[p].addresses;
    std::vector<HostRoute> routes;
    for (const RouteTable::Network& network : tables_->routes->networks()) {
      if (network.hop.port != p || network.hop.kind != NextHop::Kind::gateway) continue;
      const auto own = std::find_if(addresses.begin(), addresses.end(), [&](const conf::Prefix& a) {
        return a.contains(network.hop.gateway) && !is_link_local(a.address);
      });
      if (own != addresses.end()) routes.push_back({network.prefix.network(), own->address});
    }
    for (const PolicySpec& policy : policies) {
      if (policy.action != PolicySpec::Action::protect) continue;
      const auto inside = std::find_if(addresses.begin(), addresses.end(), [&](const conf::Prefix& a) {
        return std::any_of(policy.selectors.local.begin(), policy.selectors.local.end(),
                           [&](const conf::Selector& s) { return s.contains(a.address); });
      });
      if (inside == addresses.end()) continue;
      for (const conf::Selector& remote : policy.selectors.remote) {
        if (remote.first.family != inside->address.family) continue;
        for (const conf::Prefix& prefix : prefixes_of(remote)) routes.push_back({prefix, inside->address});
      }
    }
    if (auto set = hosts_[p]->network.set_routes(std::move(routes)); !set)
      counters_.host_refused.add();  // shown with the counters; the data path itself goes on
  }
}

void Gateway::to_host(PacketPtr packet, std::uint16_t port) {
  if (!hosts_[port] || !hosts_[port]->tap.write(packet.get())) return counters_.drop(Drop::host_refused);
  counters_.to_host.add();
}

// Only what is from an own address: the kernel is a host behind us here, not a router.
void Gateway::from_host(std::uint16_t port) {
  Host& host = *hosts_[port];
  for (int i = 0; i < kFromHostAtOnce && host.limit.take(now_ms_); ++i) {
    bool dropped = false;
    PacketPtr packet = host.tap.read(pool_.get(), dropped);
    if (!packet && !dropped) return;
    const auto ip = packet ? read_ip(packet.get(), 0) : std::nullopt;
    if (!ip || ip->total != rte_pktmbuf_pkt_len(packet.get())) {
      counters_.drop(Drop::not_for_us);
      continue;
    }
    const NextHop* from = tables_->routes->lookup(ip->family, ip->source);
    if (from == nullptr || from->kind != NextHop::Kind::local) {
      counters_.drop(Drop::martian);
      continue;
    }
    counters_.from_host.add();
    const std::uint16_t worker = ports_[port]->owner_of_queue(0);
    if (backlog_[worker].size() >= kBacklogLimit) {
      counters_.drop(Drop::tx_full);
      continue;
    }
    command(worker, SendOwn{packet.release(), port});
  }
}

void Gateway::poll_hosts() {
  if (events_ < 0) return;
  std::array<epoll_event, 8> events{};
  static_cast<void>(::epoll_wait(events_, events.data(), static_cast<int>(events.size()), 0));
  for (std::uint16_t p = 0; p < hosts_.size(); ++p) {
    if (hosts_[p]) from_host(p);
  }
}

}  // namespace causeway::dataplane

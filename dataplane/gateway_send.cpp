// Our own datagrams (IKE and keepalives): built here with their checksums, in fragments where they are
// larger than the port takes (RFC 791 3.2, RFC 8200 4.5), and handed to the worker that sends for the port.
#include <algorithm>
#include <array>

#include "dataplane/gateway.h"
#include "dataplane/ip_header.h"

namespace causeway::dataplane {
namespace {

constexpr std::size_t kLargestDatagram = 65535 - kIpv6Header;

// Empty where the pool is.
PacketPtr packet_of(rte_mempool* pool, std::span<const std::uint8_t> header, std::span<const std::uint8_t> body) {
  PacketPtr m(rte_pktmbuf_alloc(pool));
  if (!m) return m;
  auto* to = reinterpret_cast<std::uint8_t*>(
      rte_pktmbuf_append(m.get(), static_cast<std::uint16_t>(header.size() + body.size())));
  if (to == nullptr) return nullptr;
  std::copy(header.begin(), header.end(), to);
  std::copy(body.begin(), body.end(), to + header.size());
  return m;
}

}  // namespace

void Gateway::send(const conf::Endpoint& local, const conf::Endpoint& remote, bool natt,
                   std::span<const std::uint8_t> message) {
  static constexpr std::array<std::uint8_t, 4> kMarker{};
  send_udp(local, remote, std::span(kMarker).first(natt ? kMarker.size() : 0), message);
}

void Gateway::send_keepalive(const conf::Endpoint& local, const conf::Endpoint& remote) {
  static constexpr std::array<std::uint8_t, 1> kKeepalive{0xff};
  send_udp(local, remote, {}, kKeepalive);
}

void Gateway::send_udp(const conf::Endpoint& local, const conf::Endpoint& remote, std::span<const std::uint8_t> head,
                       std::span<const std::uint8_t> body) {
  const std::size_t length = kUdpHeader + head.size() + body.size();
  const NextHop* hop = tables_->routes->lookup(remote.address);
  if (local.address.family != remote.address.family || length > kLargestDatagram) return counters_.drop(Drop::too_big);
  if (hop == nullptr || hop->kind == NextHop::Kind::local || hop->kind == NextHop::Kind::broadcast)
    return counters_.drop(Drop::no_route);

  std::vector<std::uint8_t> datagram(length);
  put_be16(&datagram[0], local.port);
  put_be16(&datagram[2], remote.port);
  put_be16(&datagram[4], static_cast<std::uint16_t>(length));
  std::copy(head.begin(), head.end(), datagram.begin() + kUdpHeader);
  std::copy(body.begin(), body.end(), datagram.begin() + static_cast<std::ptrdiff_t>(kUdpHeader + head.size()));
  IpHeader addresses{.family = local.address.family,
                     .source = local.address.octets.data(),
                     .destination = remote.address.octets.data()};
  const std::uint16_t sum =
      upper_checksum(addresses, datagram.data(), static_cast<std::uint32_t>(length), kProtocolUdp);
  std::memcpy(&datagram[6], &sum, sizeof sum);

  ++packet_id_;
  const std::uint16_t mtu = path_mtus_.get({local.address, remote.address}, setup_.ports[hop->port].mtu);
  auto packets = addresses.family == conf::Family::v4 ? datagrams_v4(local, remote, datagram, mtu)
                                                      : datagrams_v6(local, remote, datagram, mtu);
  for (PacketPtr& packet : packets) {
    if (!packet) return counters_.drop(Drop::no_buffer);
    route_out(std::move(packet), *hop, remote.address);
  }
}

std::vector<PacketPtr> Gateway::datagrams_v4(const conf::Endpoint& local, const conf::Endpoint& remote,
                                             std::span<std::uint8_t> datagram, std::uint16_t mtu) {
  rte_ipv4_hdr ip{};
  ip.version_ihl = RTE_IPV4_VHL_DEF;
  ip.packet_id = rte_cpu_to_be_16(static_cast<std::uint16_t>(packet_id_));
  ip.time_to_live = 64;
  ip.next_proto_id = kProtocolUdp;
  ip.src_addr = network_order_v4(local.address);
  ip.dst_addr = network_order_v4(remote.address);
  std::vector<PacketPtr> out;
  const std::size_t piece = (mtu - kIpv4Header) & ~std::size_t{7};
  for (std::size_t offset = 0; offset < datagram.size(); offset += piece) {
    const std::size_t n = std::min(piece, datagram.size() - offset);
    const bool more = offset + n < datagram.size();
    ip.total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(kIpv4Header + n));
    ip.fragment_offset = rte_cpu_to_be_16(static_cast<std::uint16_t>(offset / 8 | (more ? RTE_IPV4_HDR_MF_FLAG : 0)));
    set_checksum(ip);
    out.push_back(
        packet_of(pool_.get(), {reinterpret_cast<const std::uint8_t*>(&ip), kIpv4Header}, datagram.subspan(offset, n)));
  }
  return out;
}

std::vector<PacketPtr> Gateway::datagrams_v6(const conf::Endpoint& local, const conf::Endpoint& remote,
                                             std::span<std::uint8_t> datagram, std::uint16_t mtu) {
  std::array<std::uint8_t, kIpv6Header + kFragmentHeader> ip{0x60};
  ip[6] = kProtocolUdp;
  ip[7] = 64;
  std::copy_n(local.address.octets.begin(), 16, ip.begin() + 8);
  std::copy_n(remote.address.octets.begin(), 16, ip.begin() + 24);
  if (kIpv6Header + datagram.size() <= mtu) {
    put_be16(&ip[4], static_cast<std::uint16_t>(datagram.size()));
    std::vector<PacketPtr> one;
    one.push_back(packet_of(pool_.get(), std::span(ip).first(kIpv6Header), datagram));
    return one;
  }
  ip[6] = kProtocolFragment;
  ip[kIpv6Header] = kProtocolUdp;
  const std::uint32_t id = rte_cpu_to_be_32(packet_id_);
  std::memcpy(&ip[kIpv6Header + 4], &id, sizeof id);
  std::vector<PacketPtr> out;
  const std::size_t piece = (mtu - ip.size()) & ~std::size_t{7};
  for (std::size_t offset = 0; offset < datagram.size(); offset += piece) {
    const std::size_t n = std::min(piece, datagram.size() - offset);
    const bool more = offset + n < datagram.size();
    put_be16(&ip[4], static_cast<std::uint16_t>(kFragmentHeader + n));
    put_be16(&ip[kIpv6Header + 2], static_cast<std::uint16_t>(offset | (more ? 1U : 0U)));
    out.push_back(packet_of(pool_.get(), ip, datagram.subspan(offset, n)));
  }
  return out;
}

// Never through policy: our own outer packets do not enter a tunnel.
void Gateway::route_out(PacketPtr packet, const NextHop& hop, const conf::IpAddress& destination) {
  const conf::IpAddress& neighbor = hop.kind == NextHop::Kind::gateway ? hop.gateway : destination;
  NeighborCache::Effects effects;
  neighbors_.hold(hop.port, neighbor, {std::move(packet), ports_[hop.port]->owner_of_queue(0), true}, now_ms_, effects);
  neighbors_.used(hop.port, neighbor, now_ms_, effects);
  apply(std::move(effects));
}

// A worker without a transmit queue of the port passes it on itself.
void Gateway::transmit(PacketPtr frame, std::uint16_t port, std::uint16_t worker) {
  if (!frame) return counters_.drop(Drop::no_buffer);
  if (backlog_[worker].size() >= kBacklogLimit) return counters_.drop(Drop::tx_full);
  command(worker, TransmitFrame{frame.release(), port});
}

// In order, also where the ring is full: then the rest waits here for the next poll. No more installs and
// removals are under way than the worker's report ring takes, so that it need not look.
bool Gateway::push(std::uint16_t worker, const Command& what) {
  Mailbox& mail = *mailboxes_[worker];
  const bool answered = std::holds_alternative<InstallInbound>(what) || std::holds_alternative<InstallOutbound>(what) ||
                        std::holds_alternative<RemoveSa>(what);
  if (answered && under_way_[worker] >= mail.reports.capacity()) return false;
  if (!mail.commands.push(what)) return false;
  if (answered) ++under_way_[worker];
  return true;
}

void Gateway::command(std::uint16_t worker, const Command& what) {
  auto& waiting = backlog_[worker];
  if (!waiting.empty() || !push(worker, what)) waiting.push_back(what);
}

void Gateway::flush_backlog() {
  for (std::uint16_t w = 0; w < backlog_.size(); ++w) {
    while (!backlog_[w].empty() && push(w, backlog_[w].front())) backlog_[w].pop_front();
  }
}

}  // namespace causeway::dataplane

// Our own datagrams (IKE and keepalives): built here with their checksums, in fragments where they are
// larger than the port takes (RFC 791 3.2), and handed to the worker that sends for the port.
#include <algorithm>
#include <array>

#include "dataplane/gateway.h"
#include "dataplane/headers.h"

namespace causeway::dataplane {
namespace {

constexpr std::size_t kBacklogLimit = 4096;  // frames that wait for room in a worker's command ring

// RFC 768 over the pseudo header and the datagram; zero is sent as all ones.
std::uint16_t udp_checksum(const rte_ipv4_hdr& ip, std::span<const std::uint8_t> datagram) {
  rte_ipv4_hdr pseudo = ip;
  pseudo.total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(kIpv4Header + datagram.size()));
  std::uint32_t sum = rte_ipv4_phdr_cksum(&pseudo, 0);
  sum += rte_raw_cksum(datagram.data(), datagram.size());
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  const auto value = static_cast<std::uint16_t>(~sum);
  return value == 0 ? std::uint16_t{0xffff} : value;
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
  if (local.address.family != conf::Family::v4 || remote.address.family != conf::Family::v4 ||
      length > 65535 - kIpv4Header)
    return counters_.drop(Drop::too_big);
  const NextHop* hop = tables_->routes->lookup(remote.address);
  if (hop == nullptr || hop->kind == NextHop::Kind::local || hop->kind == NextHop::Kind::broadcast)
    return counters_.drop(Drop::no_route);

  std::vector<std::uint8_t> datagram(length);
  put_be16(&datagram[0], local.port);
  put_be16(&datagram[2], remote.port);
  put_be16(&datagram[4], static_cast<std::uint16_t>(length));
  std::copy(head.begin(), head.end(), datagram.begin() + kUdpHeader);
  std::copy(body.begin(), body.end(), datagram.begin() + static_cast<std::ptrdiff_t>(kUdpHeader + head.size()));
  rte_ipv4_hdr ip{};
  ip.version_ihl = RTE_IPV4_VHL_DEF;
  ip.packet_id = rte_cpu_to_be_16(++packet_id_);
  ip.time_to_live = 64;
  ip.next_proto_id = kProtocolUdp;
  ip.src_addr = network_order_v4(local.address);
  ip.dst_addr = network_order_v4(remote.address);
  const std::uint16_t sum = udp_checksum(ip, datagram);
  std::memcpy(&datagram[6], &sum, sizeof sum);

  const std::size_t piece = (ports_[hop->port]->mtu() - kIpv4Header) & ~std::size_t{7};
  for (std::size_t offset = 0; offset < length; offset += piece) {
    const std::size_t n = std::min(piece, length - offset);
    PacketPtr m(rte_pktmbuf_alloc(pool_.get()));
    auto* at = m ? rte_pktmbuf_append(m.get(), static_cast<std::uint16_t>(kIpv4Header + n)) : nullptr;
    if (at == nullptr) return counters_.drop(Drop::no_buffer);
    const bool more = offset + n < length;
    ip.total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(kIpv4Header + n));
    ip.fragment_offset = rte_cpu_to_be_16(static_cast<std::uint16_t>(offset / 8 | (more ? RTE_IPV4_HDR_MF_FLAG : 0)));
    set_checksum(ip);
    std::memcpy(at, &ip, kIpv4Header);
    std::memcpy(at + kIpv4Header, datagram.data() + offset, n);
    route_out(std::move(m), *hop, remote.address);
  }
}

// Never through policy: our own outer packets do not enter a tunnel.
void Gateway::route_out(PacketPtr packet, const NextHop& hop, const conf::IpAddress& destination) {
  const conf::IpAddress& neighbor = hop.kind == NextHop::Kind::gateway ? hop.gateway : destination;
  NeighborCache::Effects effects;
  neighbors_.hold(hop.port, neighbor, {std::move(packet), ports_[hop.port]->owner_of_queue(0)}, now_ms_, effects);
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

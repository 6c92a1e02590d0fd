#include "dataplane/sa.h"

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_udp.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

#include "crypto/secrets.h"

namespace causeway::dataplane {

namespace {

constexpr std::uint8_t kTtl = 64;
constexpr std::uint8_t kProtocolUdp = 17, kProtocolEsp = 50;

SaLimits limits_of(const SaSpec& spec) {
  const auto or_none = [](std::uint64_t n) { return n == 0 ? UINT64_MAX : n; };
  return {or_none(spec.soft_bytes), or_none(spec.hard_bytes), or_none(spec.soft_packets), or_none(spec.hard_packets)};
}

// On the owner's node where that has memory for DPDK, else anywhere: slower, but it works.
void* zeros(std::size_t octets, int socket) {
  void* memory = rte_zmalloc_socket("sa", octets, RTE_CACHE_LINE_SIZE, socket);
  if (memory != nullptr || socket == SOCKET_ID_ANY) return memory;
  return rte_zmalloc_socket("sa", octets, RTE_CACHE_LINE_SIZE, SOCKET_ID_ANY);
}

template <typename Sa>
void release(Sa* sa, std::size_t octets) {
  crypto::wipe({reinterpret_cast<std::uint8_t*>(sa), octets});
  rte_free(sa);
}

// One block of memory: the SA, its window's bits, its selectors.
struct InboundLayout {
  std::size_t window, selectors, total;
  InboundLayout(std::uint32_t replay_window, std::size_t selector_count)
      : window(sizeof(InboundSa)),
        selectors(window + ReplayWindow::words(replay_window) * sizeof(std::uint64_t)),
        total(selectors + selector_count * sizeof(CompactSelector)) {}
};

void build_ip_header(OutboundSa& sa, const conf::Endpoint& local, const conf::Endpoint& remote) {
  const std::uint8_t protocol = sa.udp_encap ? kProtocolUdp : kProtocolEsp;
  if (remote.address.family == conf::Family::v4) {
    rte_ipv4_hdr ip{};
    ip.version_ihl = RTE_IPV4_VHL_DEF;
    ip.time_to_live = kTtl;
    ip.next_proto_id = protocol;
    std::memcpy(&ip.src_addr, local.address.octets.data(), 4);
    std::memcpy(&ip.dst_addr, remote.address.octets.data(), 4);
    sa.header_sum = rte_raw_cksum(&ip, sizeof(ip));
    sa.ip_octets = sizeof(ip);
    std::memcpy(sa.header, &ip, sizeof(ip));
  } else {
    rte_ipv6_hdr ip{};
    ip.vtc_flow = rte_cpu_to_be_32(6U << 28);
    ip.proto = protocol;
    ip.hop_limits = kTtl;
    std::memcpy(&ip.src_addr, local.address.octets.data(), 16);
    std::memcpy(&ip.dst_addr, remote.address.octets.data(), 16);
    sa.ip_octets = sizeof(ip);
    std::memcpy(sa.header, &ip, sizeof(ip));
  }
}

}  // namespace

void SaFree::operator()(InboundSa* sa) const {
  if (sa == nullptr) return;
  const InboundLayout layout(sa->window.window(), std::size_t{sa->local_count} + sa->remote_count);
  release(sa, layout.total);
}

void SaFree::operator()(OutboundSa* sa) const {
  if (sa == nullptr) return;
  release(sa, sizeof(*sa) + (std::size_t{sa->local_count} + sa->remote_count) * sizeof(CompactSelector));
}

tl::expected<InboundSaPtr, std::string> make_inbound(const SaSpec& spec, const crypto::EspEngine& engine,
                                                     crypto::Random& random, int socket) {
  if (spec.replay_window > ReplayWindow::kMax || (spec.replay_window != 0 && spec.replay_window < ReplayWindow::kMin))
    return tl::unexpected(std::string("a replay window outside 32 to 8192"));
  if (spec.replay_window == 0 && spec.suite.esn)
    return tl::unexpected(std::string("extended sequence numbers need a replay window"));
  const auto &local = spec.selectors.local, &remote = spec.selectors.remote;
  const InboundLayout layout(spec.replay_window, local.size() + remote.size());
  auto* memory = static_cast<std::uint8_t*>(zeros(layout.total, socket));
  if (memory == nullptr) return tl::unexpected(std::string("no memory for an SA"));
  InboundSaPtr sa(new (memory) InboundSa);
  sa->window.init(spec.replay_window, spec.suite.esn, reinterpret_cast<std::uint64_t*>(memory + layout.window));
  auto* selectors = reinterpret_cast<CompactSelector*>(memory + layout.selectors);
  sa->selectors = selectors;
  sa->local_count = static_cast<std::uint16_t>(local.size());
  sa->remote_count = static_cast<std::uint16_t>(remote.size());
  for (const conf::Selector& s : local) new (selectors++) CompactSelector(CompactSelector::of(s));
  for (const conf::Selector& s : remote) new (selectors++) CompactSelector(CompactSelector::of(s));
  const auto whole = [](const CompactSelector& s) {
    return s.family == 4 && s.protocol == 0 && s.first_port == 0 && s.last_port == 65535;
  };
  if (local.size() == 1 && remote.size() == 1 && whole(sa->selectors[0]) && whole(sa->selectors[1])) {
    sa->one_v4_range = true;
    sa->local_first = sa->selectors[0].first_v4;
    sa->local_last = sa->selectors[0].last_v4;
    sa->remote_first = sa->selectors[1].first_v4;
    sa->remote_last = sa->selectors[1].last_v4;
  }
  sa->spi = spec.spi;
  sa->tunnel = spec.tunnel;
  sa->child = spec.child;
  sa->report_peer_moves = spec.report_peer_moves;
  sa->cores = spec.cores;
  sa->peer = spec.remote;
  sa->home = folded(spec.remote.address.octets.data(), spec.remote.address.family == conf::Family::v4);
  sa->limits = limits_of(spec);
  set_calm(*sa);
  std::array<std::uint8_t, 16> seed;
  random.fill(seed);
  if (auto done = engine.expand(spec.suite, spec.encryption_key.bytes(), spec.integrity_key.bytes(), seed, sa->key);
      !done)
    return tl::unexpected(done.error());
  return sa;
}

namespace {

tl::expected<OutboundSaPtr, std::string> build_outbound(const SaSpec& spec, const crypto::EspEngine& engine,
                                                        std::span<const std::uint8_t, 16> iv_seed,
                                                        std::uint16_t port_mtu, int socket) {
  if (spec.local.address.family != spec.remote.address.family)
    return tl::unexpected(std::string("outer addresses of two families"));
  const auto &local = spec.selectors.local, &remote = spec.selectors.remote;
  const std::size_t narrow = spec.narrowed ? local.size() + remote.size() : 0;
  auto* memory = static_cast<std::uint8_t*>(zeros(sizeof(OutboundSa) + narrow * sizeof(CompactSelector), socket));
  if (memory == nullptr) return tl::unexpected(std::string("no memory for an SA"));
  OutboundSaPtr sa(new (memory) OutboundSa);
  sa->spi = spec.spi;
  sa->tunnel = spec.tunnel;
  sa->child = spec.child;
  if (spec.narrowed) {
    auto* selectors = reinterpret_cast<CompactSelector*>(memory + sizeof(OutboundSa));
    sa->selectors = selectors;
    sa->local_count = static_cast<std::uint16_t>(local.size());
    sa->remote_count = static_cast<std::uint16_t>(remote.size());
    for (const conf::Selector& s : local) new (selectors++) CompactSelector(CompactSelector::of(s));
    for (const conf::Selector& s : remote) new (selectors++) CompactSelector(CompactSelector::of(s));
  }
  sa->udp_encap = spec.udp_encap;
  sa->ecn_compatibility = spec.ecn_compatibility;
  sa->dscp_set = spec.dscp == conf::DscpPolicy::set;
  sa->dscp_value = spec.dscp_value;
  sa->df = spec.df;
  sa->sizes = EspSizes::of(spec.suite);
  sa->configured_mtu = spec.mtu;
  sa->mss = spec.mss;
  set_endpoints(*sa, spec.local, spec.remote);
  set_path_mtu(*sa, spec.path_mtu != 0 ? spec.path_mtu : port_mtu);
  sa->limits = limits_of(spec);
  set_calm(*sa);
  // The counter never wraps (RFC 4303 3.3.3): control hears of its end while a tenth of it is left.
  sa->last_sequence = last_sequence(spec);
  sa->limits.soft_packets = std::min(sa->limits.soft_packets, sa->last_sequence - sa->last_sequence / 10);
  set_calm(*sa);
  const auto done =
      engine.expand(spec.suite, spec.encryption_key.bytes(), spec.integrity_key.bytes(), iv_seed, sa->key);
  if (!done) return tl::unexpected(done.error());
  return sa;
}

}  // namespace

std::uint64_t last_sequence(const SaSpec& spec) { return spec.suite.esn ? UINT64_MAX : UINT32_MAX; }

tl::expected<OutboundSaPtr, std::string> make_outbound(const SaSpec& spec, const crypto::EspEngine& engine,
                                                       crypto::Random& random, std::uint16_t port_mtu, int socket) {
  std::array<std::uint8_t, 16> seed;
  random.fill(seed);
  auto sa = build_outbound(spec, engine, seed, port_mtu, socket);
  crypto::wipe(seed);
  return sa;
}

// One seed for all: a CBC IV is a number encrypted, and numbers differ between replicas, so IVs do.
tl::expected<std::vector<OutboundSaPtr>, std::string> make_spread(const SaSpec& spec, const crypto::EspEngine& engine,
                                                                  crypto::Random& random, std::uint16_t port_mtu,
                                                                  std::span<const int> sockets,
                                                                  SharedSequence& shared) {
  std::array<std::uint8_t, 16> seed;
  random.fill(seed);
  std::vector<OutboundSaPtr> replicas;
  for (const int socket : sockets) {
    auto sa = build_outbound(spec, engine, seed, port_mtu, socket);
    if (!sa) return tl::unexpected(sa.error());
    (*sa)->shared = &shared;
    (*sa)->beside_owner = true;
    (*sa)->last_sequence = 0;  // nothing taken yet
    // A replica sees its own octets alone, and stops by them if it must; control adds up those of all. Packets are
    // counted by the numbers taken.
    set_calm(**sa);
    replicas.push_back(std::move(*sa));
  }
  crypto::wipe(seed);
  return replicas;
}

// RFC 4301 6.2: an ICMP error is also carried for the packet that it quotes, which came through this tunnel.
bool covers(const OutboundSa& sa, std::span<const std::uint8_t> octets) {
  const std::span<const CompactSelector> local{sa.selectors, sa.local_count},
      remote{sa.selectors + sa.local_count, sa.remote_count};
  const auto inner = parse_start(octets);
  if (!inner) return false;
  const auto takes = [&](const InnerPacket& p, bool reversed) {
    const auto* from = reversed ? p.destination : p.source;
    const auto* to = reversed ? p.source : p.destination;
    return any_takes(local, p, from, reversed ? p.destination_port : p.source_port) &&
           any_takes(remote, p, to, reversed ? p.source_port : p.destination_port);
  };
  if (takes(*inner, false)) return true;
  const auto quoted = parse_quoted(*inner, octets);
  return quoted && quoted->version == inner->version && takes(*quoted, true);
}

void set_endpoints(OutboundSa& sa, const conf::Endpoint& local, const conf::Endpoint& remote) {
  std::fill(std::begin(sa.header), std::end(sa.header), std::uint8_t{0});
  sa.ip_id_slot = 0;
  for (const std::uint8_t octet : local.address.octets)
    sa.ip_id_slot = static_cast<std::uint8_t>(sa.ip_id_slot * 31 + octet);
  for (const std::uint8_t octet : remote.address.octets)
    sa.ip_id_slot = static_cast<std::uint8_t>(sa.ip_id_slot * 31 + octet);
  build_ip_header(sa, local, remote);
  sa.way = {};
  std::size_t at = sa.ip_octets;
  if (sa.udp_encap) {
    rte_udp_hdr udp{};
    udp.src_port = rte_cpu_to_be_16(local.port);
    udp.dst_port = rte_cpu_to_be_16(remote.port);
    std::memcpy(sa.header + at, &udp, sizeof(udp));
    at += sizeof(udp);
  }
  const std::uint32_t spi = rte_cpu_to_be_32(sa.spi);
  std::memcpy(sa.header + at, &spi, sizeof(spi));
  sa.header_octets = static_cast<std::uint8_t>(at + 8);
}

void set_path_mtu(OutboundSa& sa, std::uint16_t path_mtu) {
  sa.path_mtu = path_mtu;
  sa.way = {};
  const conf::Family outer = sa.ip_octets == 20 ? conf::Family::v4 : conf::Family::v6;
  const std::uint32_t computed = inner_mtu(path_mtu, sa.sizes, sa.udp_encap, outer);
  sa.inner_mtu = sa.configured_mtu != 0 ? std::min<std::uint32_t>(computed, sa.configured_mtu) : computed;
}

}  // namespace causeway::dataplane

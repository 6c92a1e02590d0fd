// The common packet: IPv4 without options, no fragment, whole in one buffer, untagged, between addresses that routes and
// policies decide about. Each function here decides as the general way does (classify.cpp, forward.cpp, tunnel.cpp),
// which says why, in a few looks at one cache line; whatever it cannot decide, and whatever would be dropped, answered
// or told, it leaves untouched to that way. So there is no drop in this file.
#include <emmintrin.h>
#include <rte_prefetch.h>

#include "dataplane/ethernet.h"
#include "dataplane/headers.h"
#include "dataplane/sa.h"
#include "dataplane/worker.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint8_t kPlainHeader = 0x45;

// RFC 1122 3.2.1.3, RFC 6890; multicast goes the general way.
bool ordinary(std::uint8_t first_octet) { return first_octet - 1U < 223U && first_octet != 127; }

bool fragment(const std::uint8_t* ip) { return ((ip[6] & 0x3f) | ip[7]) != 0; }

bool leads_on(const NextHop* hop) {
  return hop != nullptr && (hop->kind == NextHop::Kind::connected || hop->kind == NextHop::Kind::gateway);
}

bool ours(const NextHop* hop) {
  return hop != nullptr && (hop->kind == NextHop::Kind::local || hop->kind == NextHop::Kind::broadcast);
}

// To this port's address, and IPv4.
bool for_port(const std::uint8_t* frame, const Mac& mac) {
  std::uint32_t a, b;
  std::uint16_t c, d, type;
  std::memcpy(&a, frame, 4);
  std::memcpy(&c, frame + 4, 2);
  std::memcpy(&b, mac.data(), 4);
  std::memcpy(&d, mac.data() + 4, 2);
  std::memcpy(&type, frame + 12, 2);
  return a == b && c == d && type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
}

// As PacketMeta{} does, in four stores: compilers make a string instruction of that, which takes longer to start than all
// else here.
void clear(PacketMeta& about) {
  static_assert(sizeof(PacketMeta) >= 48 && sizeof(PacketMeta) <= 64);
  auto* to = reinterpret_cast<std::uint8_t*>(&about);
  const __m128i zero = _mm_setzero_si128();
  for (const std::size_t at : {std::size_t{0}, std::size_t{16}, std::size_t{32}, sizeof(PacketMeta) - 16})
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + at), zero);
}

void cut(rte_mbuf* m, std::uint32_t octets) {
  m->pkt_len = octets;
  m->data_len = static_cast<std::uint16_t>(octets);
}

}  // namespace

// Takes ESP for an own address, and cleartext that a tunnel protects.
bool Worker::plain_frame(rte_mbuf* m, std::uint16_t in_port) {
  // 1. The frame and its header: classify() and checked_header().
  const PortView& port = setup_.ports[in_port];
  const std::uint32_t there = m->data_len;
  if (m->nb_segs != 1 || there < kEthernetHeader + kIpv4Header) return false;
  if ((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) return false;
  const auto* frame = rte_pktmbuf_mtod(m, const std::uint8_t*);
  const std::uint8_t* ip = frame + kEthernetHeader;
  if (!for_port(frame, port.mac) || ip[0] != kPlainHeader || fragment(ip) || ip[8] <= 1) return false;
  const std::uint32_t total = be16(ip + 2);
  if (total < kIpv4Header || kEthernetHeader + total > there) return false;
  const std::uint64_t said = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;  // by the device
  if (said == RTE_MBUF_F_RX_IP_CKSUM_BAD) return false;
  if (said != RTE_MBUF_F_RX_IP_CKSUM_GOOD && !plain_checksum_holds(ip)) return false;
  // 2. Where from and where to: classify_ip().
  if (!ordinary(ip[12]) || !ordinary(ip[16])) return false;
  const RouteTable& routes = *tables_->routes;
  if (ours(routes.lookup4(ip + 12))) return false;
  const NextHop* to = routes.lookup4(ip + 16);
  clear(meta(m));
  meta(m).in_port = in_port;
  if (to != nullptr && !leads_on(to)) return to->kind == NextHop::Kind::local && plain_esp(m, total);
  // 3. Cleartext may come this way round, and a tunnel protects it that way round: on_clear() and forward().
  const PolicyRule *back = nullptr, *rule = nullptr;
  const PolicyTable& policies = *tables_->policies;
  if (!policies.match_addresses(ip + 12, be32(ip + 16), back)) return false;
  if (back != nullptr && back->action != PolicySpec::Action::bypass) return false;
  if (!port.trusted && (back == nullptr || back->implied)) return false;
  if (!policies.match_addresses(ip + 16, be32(ip + 12), rule)) return false;
  if (rule == nullptr || rule->action != PolicySpec::Action::protect) return false;
  m->data_off = static_cast<std::uint16_t>(m->data_off + kEthernetHeader);
  cut(m, total);
  decrement_ttl(*at<rte_ipv4_hdr>(m, 0));
  meta(m).sa.rule = rule;
  to_protect_.push(m);
  return true;
}

// ESP, native or in UDP, for an own address: classify_own() and classify_udp().
bool Worker::plain_esp(rte_mbuf* m, std::uint32_t total) {
  constexpr std::uint16_t kUpper = kEthernetHeader + kIpv4Header;
  const auto* ip = at<const std::uint8_t>(m, kEthernetHeader);
  PacketMeta& about = meta(m);
  std::uint16_t esp = kUpper;
  if (ip[9] == kProtocolUdp) {
    const std::uint8_t* udp = ip + kIpv4Header;
    if (total < kIpv4Header + kUdpHeader + kEspHeader || be16(udp + 2) != kPortNatt) return false;
    if (be16(udp + 4) != total - kIpv4Header) return false;
    about.outer_source_port = be16(udp);
    about.udp_encapsulated = true;
    esp = kUpper + kUdpHeader;
  } else if (ip[9] != kProtocolEsp || total < kIpv4Header + kEspHeader) {
    return false;
  }
  const std::uint32_t spi = be32(at<const std::uint8_t>(m, esp));
  if (spi == 0) return false;  // IKE
  about.l3_offset = kEthernetHeader;
  about.esp_offset = esp;
  about.spi = spi;
  cut(m, kEthernetHeader + total);
  on_esp(m);
  return true;
}

// The SAs of what waits are fetched all at once, then each packet gets on its way.
void Worker::protect_waiting() {
  if (to_protect_.empty()) return;
  if (sas_.many()) {
    for (rte_mbuf* m : to_protect_.span()) {
      const OutboundSa* sa = sas_.find_outbound(meta(m).sa.rule->child);
      if (sa == nullptr) continue;
      const auto* key = reinterpret_cast<const std::uint8_t*>(&sa->key);
      for (const auto* line = reinterpret_cast<const std::uint8_t*>(sa); line < key; line += RTE_CACHE_LINE_SIZE)
        rte_prefetch0(line);
      crypto::prefetch(sa->key, m->pkt_len);
    }
  }
  for (rte_mbuf* m : to_protect_.span()) protect(m, *meta(m).sa.rule);
  to_protect_.clear();
}

// A packet out of a tunnel, checked against its SA's selectors, for a host or router on a trusted port whose neighbor
// is known: on_decrypted(), forward() and send_ip().
bool Worker::plain_decrypted(rte_mbuf* m) {
  const auto* ip = at<const std::uint8_t>(m, 0);
  if (!tables_->plain() || ip[0] != kPlainHeader || fragment(ip) || ip[8] <= 1) return false;
  if (ip[9] == kProtocolIcmp) return false;
  if (ip[9] == kProtocolTcp && (m->data_len < 40 || (ip[kIpv4Header + 13] & 2) != 0)) return false;  // SYN: its MSS
  const RouteTable& routes = *tables_->routes;
  const NextHop *from = routes.lookup4(ip + 12), *to = routes.lookup4(ip + 16);
  if ((from != nullptr && from->kind == NextHop::Kind::local) || !leads_on(to)) return false;
  const PolicyRule* rule = nullptr;
  if (!tables_->policies->match_addresses(ip + 16, be32(ip + 12), rule)) return false;
  if (rule != nullptr && rule->action != PolicySpec::Action::bypass) return false;
  const PortView& port = setup_.ports[to->port];
  if (!port.trusted && (rule == nullptr || rule->implied)) return false;
  if (m->pkt_len > port.mtu || m->nb_segs != 1) return false;
  if (to->kind == NextHop::Kind::gateway && to->gateway.family != conf::Family::v4) return false;
  const std::uint8_t* next = to->kind == NextHop::Kind::gateway ? to->gateway.octets.data() : ip + 16;
  const NeighborTable::Entry* neighbor = tables_->neighbors->find_v4(to->port, next);
  if (neighbor == nullptr || neighbor->failed || neighbor->stale) return false;
  decrement_ttl(*at<rte_ipv4_hdr>(m, 0));
  if (!put_ethernet(m, neighbor->mac, port.mac, port.vlan, RTE_ETHER_TYPE_IPV4)) [[unlikely]]
    return drop(m, Drop::no_buffer), true;
  send_frame(m, to->port);
  return true;
}

}  // namespace causeway::dataplane

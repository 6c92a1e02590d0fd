// The common packet: IPv4 without options, no fragment, whole in one buffer, untagged, between addresses that routes and
// policies decide about. Each function here decides as the general way does (classify.cpp, forward.cpp, tunnel.cpp),
// which says why, in a few looks at one cache line; whatever it cannot decide, and whatever would be dropped, answered
// or told, it leaves untouched to that way. So there is no drop in this file.
#include <emmintrin.h>
#include <rte_prefetch.h>

#include <array>
#include <optional>

#include "dataplane/ecn.h"
#include "dataplane/esp_padding.h"
#include "dataplane/ethernet.h"
#include "dataplane/headers.h"
#include "dataplane/sa.h"
#include "dataplane/worker.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint16_t kUpper = kEthernetHeader + kIpv4Header;

// RFC 1122 3.2.1.3, RFC 6890; multicast goes the general way.
bool ordinary(std::uint8_t first_octet) { return first_octet - 1U < 223U && first_octet != 127; }

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
  return ((a ^ b) | static_cast<std::uint32_t>(c ^ d) | static_cast<std::uint32_t>(type ^ rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))) ==
         0;
}

// As PacketMeta{} does, in three stores: compilers make a string instruction of that, which takes longer to start than all
// else here.
void clear(PacketMeta& about) {
  static_assert(sizeof(PacketMeta) >= 32 && sizeof(PacketMeta) <= 48);
  auto* to = reinterpret_cast<std::uint8_t*>(&about);
  const __m128i zero = _mm_setzero_si128();
  for (const std::size_t at : {std::size_t{0}, std::size_t{16}, sizeof(PacketMeta) - 16})
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + at), zero);
}

// Where the ESP header of an IPv4 frame is, if it looks like a whole ESP packet, native or in UDP, to whomever; else 0.
std::uint16_t plain_esp_offset(const std::uint8_t* ip, std::uint8_t protocol, std::uint32_t total) {
  if (protocol == kProtocolEsp) return total < kIpv4Header + kEspHeader || be32(ip + kIpv4Header) == 0 ? 0 : kUpper;
  if (protocol != kProtocolUdp || total < kIpv4Header + kUdpHeader + kEspHeader) return 0;
  const std::uint8_t* udp = ip + kIpv4Header;
  if (be16(udp + 2) != kPortNatt || be16(udp + 4) != total - kIpv4Header || be32(udp + kUdpHeader) == 0) return 0;  // IKE
  return kUpper + kUdpHeader;
}

std::uint32_t spi_at(const std::uint8_t* esp) {  // as it lies
  std::uint32_t spi;
  std::memcpy(&spi, esp, 4);
  return spi;
}

FlowCache::Key esp_key(const std::uint8_t* frame, std::uint16_t in_port, std::uint16_t esp) {
  return FlowCache::Key::esp(frame + kEthernetHeader, in_port, esp != kUpper, be32(frame + esp));  // as in prepare
}

// What begins or ends a TCP connection, and ICMP, is looked at more closely (a SYN's maximum segment size, what is counted
// to tell why nothing comes back): encrypt_for_child() and on_decrypted().
bool looked_at(const std::uint8_t* ip, std::uint8_t protocol, std::uint32_t total) {
  if (protocol == kProtocolIcmp) return true;
  return protocol == kProtocolTcp && (total < kIpv4Header + 20 || (ip[kIpv4Header + 13] & 6) != 0);  // SYN, RST
}

void cut(rte_mbuf* m, std::uint32_t octets) {
  m->pkt_len = octets;
  m->data_len = static_cast<std::uint16_t>(octets);
}

}  // namespace

// Of many flows, what is remembered is fetched for the whole burst at once, and then what each of them leads to.
void Worker::prefetch_flows(std::span<rte_mbuf* const> frames, std::uint16_t in_port) const {
  std::array<std::optional<FlowCache::Key>, kMaxBurst> keys;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const rte_mbuf* m = frames[i];
    if (m->data_len < kUpper + kUdpHeader + kEspHeader) continue;
    const auto* frame = rte_pktmbuf_mtod(m, const std::uint8_t*);
    const std::uint8_t* ip = frame + kEthernetHeader;
    const std::uint16_t esp = plain_esp_offset(ip, ip[9], be16(ip + 2));
    keys[i] = esp != 0 ? esp_key(frame, in_port, esp) : FlowCache::Key::clear(ip, in_port);
    flows_.prefetch(*keys[i]);
  }
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (!keys[i]) continue;
    if (keys[i]->of_esp()) {
      if (const InboundSa* sa = flows_.inbound(*keys[i]); sa != nullptr) prefetch(*sa);
    } else if (const OutboundSa* sa = flows_.outbound(*keys[i]); sa != nullptr) {
      prefetch(*sa);
    }
  }
}

// Takes ESP for an own address, and cleartext that a tunnel protects.
bool Worker::plain_frame(rte_mbuf* m, std::uint16_t in_port) {
  // 1. The frame and its header: classify() and checked_header().
  const PortView& port = setup_.ports[in_port];
  const std::uint32_t there = m->data_len;
  if (m->nb_segs != 1 || there < kEthernetHeader + kIpv4Header) return false;
  if ((m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) return false;
  auto* frame = rte_pktmbuf_mtod(m, std::uint8_t*);
  const std::uint8_t* ip = frame + kEthernetHeader;
  const PlainHeader header = PlainHeader::read(ip);
  if (!for_port(frame, port.mac) || !header.may_go_on()) return false;
  const std::uint32_t total = header.total();
  if (total < kIpv4Header || kEthernetHeader + total > there) return false;
  const std::uint64_t said = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;  // by the device
  if (said == RTE_MBUF_F_RX_IP_CKSUM_BAD) return false;
  if (said != RTE_MBUF_F_RX_IP_CKSUM_GOOD && !header.checksum_holds()) return false;
  // 2. As the packet before it between the same addresses?
  const std::uint16_t esp = plain_esp_offset(ip, header.protocol(), total);
  if (esp != 0) {
    if (known_esp(m, frame, header, in_port, esp)) return true;
  } else if (known_clear(m, frame, header, in_port)) {
    return true;
  }
  // 3. Where from and where to: classify_ip().
  if (!ordinary(ip[12]) || !ordinary(ip[16])) return false;
  const RouteTable& routes = *tables_->routes;
  if (ours(routes.lookup4(ip + 12))) return false;
  const NextHop* to = routes.lookup4(ip + 16);
  if (to != nullptr && !leads_on(to)) {
    if (to->kind != NextHop::Kind::local || esp == 0) return false;
    return take_esp(m, in_port, total, esp, nullptr), true;
  }
  // 4. Cleartext may come this way round, and a tunnel protects it that way round: on_clear() and forward().
  const PolicyRule *back = nullptr, *rule = nullptr;
  const PolicyTable& policies = *tables_->policies;
  if (!policies.match_addresses(ip + 12, be32(ip + 16), back)) return false;
  if (back != nullptr && back->action != PolicySpec::Action::bypass) return false;
  if (!port.trusted && (back == nullptr || back->implied)) return false;
  if (!policies.match_addresses(ip + 16, be32(ip + 12), rule)) return false;
  if (rule == nullptr || rule->action != PolicySpec::Action::protect) return false;
  // 5. Its SA, if it is here and takes all that the policy does; ESP's look-up is another key's.
  OutboundSa* sa = sas_.find_outbound(rule->child);
  if (sa != nullptr && sa->selectors == nullptr && esp == 0) {
    flows_.put(FlowCache::Key::clear(ip, in_port), *sa);
    if (!looked_at(ip, header.protocol(), total)) return take_clear(m, in_port, total, *sa), true;
  }
  clear(meta(m));
  meta(m).in_port = in_port;
  m->data_off = static_cast<std::uint16_t>(m->data_off + kEthernetHeader);
  cut(m, total);
  decrement_ttl(*at<rte_ipv4_hdr>(m, 0));
  protect(m, *rule);
  return true;
}

// Of a flow that is remembered. Nothing overtakes a packet of the same burst that goes the general way.
bool Worker::known_clear(rte_mbuf* m, std::uint8_t* frame, const PlainHeader& header, std::uint16_t in_port) {
  const std::uint8_t* ip = frame + kEthernetHeader;
  const std::uint32_t total = header.total();
  OutboundSa* sa = plain_outbound_.same(header.addresses(), in_port);
  if (sa == nullptr) {
    sa = flows_.outbound(FlowCache::Key::clear(ip, in_port));
    if (sa == nullptr) return false;
    plain_outbound_.open(*sa, header.addresses(), in_port, tables_->generation, now_ms_);
  }
  if (looked_at(ip, header.protocol(), total)) return false;
  if (!to_encrypt_.empty() || !plain_outbound_.add(m, frame, header, total, ip_ids_)) return take_clear(m, in_port, total, *sa), true;
  if (plain_outbound_.full()) encrypt_plain();
  return true;
}

bool Worker::known_esp(rte_mbuf* m, std::uint8_t* frame, const PlainHeader& header, std::uint16_t in_port, std::uint16_t esp) {
  const std::uint32_t spi = spi_at(frame + esp);
  const std::uint16_t source_port = esp == kUpper ? std::uint16_t{0} : be16(frame + kUpper);
  InboundSa* sa = plain_inbound_.same(header.addresses(), spi, in_port, esp);
  if (sa == nullptr) {
    sa = flows_.inbound(esp_key(frame, in_port, esp));
    if (sa == nullptr) return false;
    plain_inbound_.open(*sa, header, spi, in_port, esp, source_port);
  }
  if (!to_decrypt_.empty() || in_turn_ || !plain_inbound_.add(m, frame, header, header.total(), source_port))
    return take_esp(m, in_port, header.total(), esp, sa), true;
  if (plain_inbound_.full()) decrypt_plain();
  return true;
}

// Cleartext for an SA of ours: forward(), protect() and encrypt_for_child().
void Worker::take_clear(rte_mbuf* m, std::uint16_t in_port, std::uint32_t total, OutboundSa& sa) {
  PacketMeta& about = meta(m);
  clear(about);
  about.in_port = in_port;
  about.sa.outbound = &sa;
  m->data_off = static_cast<std::uint16_t>(m->data_off + kEthernetHeader);
  cut(m, total);
  decrement_ttl(*at<rte_ipv4_hdr>(m, 0));
  to_encrypt_.push(m);
  if (to_encrypt_.count == kMaxBurst) encrypt();
}

// ESP, native or in UDP, for an own address: classify_own(), classify_udp() and on_esp(). Where its SA is not known yet,
// prepare finds it, and remembers it.
void Worker::take_esp(rte_mbuf* m, std::uint16_t in_port, std::uint32_t total, std::uint16_t esp, InboundSa* sa) {
  PacketMeta& about = meta(m);
  clear(about);
  about.in_port = in_port;
  about.l3_offset = kEthernetHeader;
  about.esp_offset = esp;
  about.spi = be32(at<const std::uint8_t>(m, esp));
  if (esp != kEthernetHeader + kIpv4Header) {
    about.outer_source_port = be16(at<const std::uint8_t>(m, kEthernetHeader + kIpv4Header));
    about.udp_encapsulated = true;
  }
  cut(m, kEthernetHeader + total);
  about.new_flow = sa == nullptr;
  if (sa == nullptr) return on_esp(m);
  about.sa.inbound = sa;
  to_decrypt_.push(m);
  if (to_decrypt_.count == kMaxBurst) decrypt();
}

// What known_clear() gathered: crypto and finish of esp_outbound(), and on its way.
void Worker::encrypt_plain() {
  plain_outbound_.close(now_ms_);
  if (plain_outbound_.empty()) return;
  mark(setup_.stages, Stage::prepare);
  crypto::EspBatch& batch = plain_outbound_.batch();
  engine_.submit(batch);
  engine_.collect();
  mark(setup_.stages, Stage::crypto);
  for (std::uint32_t i = 0; i < batch.count; ++i) {
    auto* m = static_cast<rte_mbuf*>(batch.jobs[i].user);
    if (batch.jobs[i].status == crypto::EspJob::Status::ok) [[likely]]
      send_frame(m, plain_outbound_.port(i));
    else
      drop(m, Drop::crypto_failed);
  }
  plain_outbound_.clear();
  mark(setup_.stages, Stage::finish);
}

// What known_esp() gathered.
void Worker::decrypt_plain() {
  plain_inbound_.close();
  if (plain_inbound_.empty()) return;
  mark(setup_.stages, Stage::prepare);
  crypto::EspBatch& batch = plain_inbound_.batch();
  engine_.submit(batch);
  engine_.collect();
  mark(setup_.stages, Stage::crypto);
  if (sas_.many()) {
    for (std::uint32_t i = 0; i < batch.count; ++i)  // (whatever is there: it is only fetched)
      flows_.prefetch(FlowCache::Key::decrypted(batch.jobs[i].esp + kEspHeader + batch.jobs[i].key->iv_octets));
  }
  PlainOpened run;
  for (std::uint32_t i = 0; i < batch.count; ++i) {
    if (plain_opened(batch.jobs[i], plain_inbound_.packet(i), run)) [[likely]]
      continue;
    run.close(now_ms_);
    open_generally(batch.jobs[i], plain_inbound_.packet(i));
  }
  run.close(now_ms_);
  plain_inbound_.clear();
  mark(setup_.stages, Stage::finish);
}

// Steps 5 to 11 of esp_inbound.cpp's finish, and plain_decrypted(), for a packet of which there is nothing to be told.
bool Worker::plain_opened(const crypto::EspJob& job, const PlainInbound::Packet& packet, PlainOpened& run) {
  // 1. Authentic, fresh, and of an SA that goes on?
  InboundSa& sa = *packet.sa;
  if (run.sa != &sa) run.open(sa, now_ms_);
  if (job.status != crypto::EspJob::Status::ok || run.spent(job.length)) return false;
  if (sa.window.check(packet.sequence) != ReplayWindow::Verdict::fresh) return false;
  // 2. The trailer, and what it ends.
  const std::uint32_t before = kEspHeader + std::uint32_t{job.key->iv_octets};
  std::uint8_t* ip = job.esp + before;
  const std::uint8_t* trailer = job.esp + job.length - 2;
  const std::uint32_t pad = trailer[0], octets = job.length - before - 2;
  if (trailer[1] != kProtocolIpv4 || pad + kIpv4Header > octets || !padding_is_right(trailer, pad)) return false;
  const PlainHeader header = PlainHeader::read(ip);
  const std::uint32_t total = header.total();
  if (!header.may_go_on() || total < kIpv4Header || total > octets - pad || !header.checksum_holds()) return false;
  if (((header.traffic_class() ^ packet.traffic_class) & kEcnMask) != 0) return false;  // what is equal stays as it is
  if (looked_at(ip, header.protocol(), total)) return false;
  // 3. Its SA carries it, and its neighbor is known, as for the packet before between the same addresses.
  if (run.addresses != header.addresses() && !find_way(sa, ip, header, run)) return false;
  if (total > run.mtu) return false;
  // 4. It takes its place in the window, and leaves.
  sa.window.advance(packet.sequence);
  run.count(total);
  auto* m = static_cast<rte_mbuf*>(job.user);
  const std::uint64_t second = header.second_a_hop_on();
  std::memcpy(ip + 8, &second, 8);
  if (run.ethernet_octets == kEthernetHeader) [[likely]]
    std::memcpy(ip - kEthernetHeader, run.ethernet, kEthernetHeader);
  else
    std::memcpy(ip - run.ethernet_octets, run.ethernet, run.ethernet_octets);
  m->data_off = static_cast<std::uint16_t>(ip - run.ethernet_octets - static_cast<std::uint8_t*>(m->buf_addr));
  m->pkt_len = run.ethernet_octets + total;
  m->data_len = static_cast<std::uint16_t>(run.ethernet_octets + total);
  send_frame(m, run.port);
  return true;
}

bool Worker::find_way(const InboundSa& sa, const std::uint8_t* ip, const PlainHeader& header, PlainOpened& run) {
  if (!sa.carries(header.source(), header.destination())) return false;
  const NeighborTable::Entry* neighbor = flows_.neighbor(FlowCache::Key::decrypted(ip));
  if (neighbor == nullptr) {
    neighbor = plain_neighbor(ip);
    if (neighbor == nullptr) return false;
    flows_.put(FlowCache::Key::decrypted(ip), *neighbor);
  }
  const PortView& port = setup_.ports[neighbor->port];
  run.addresses = header.addresses();
  run.port = neighbor->port;
  run.mtu = port.mtu;
  run.ethernet_octets = write_ethernet(run.ethernet, neighbor->mac, port.mac, port.vlan, RTE_ETHER_TYPE_IPV4);
  return true;
}

// The scratch that it would have had from the beginning, had it gone the general way.
void Worker::open_generally(const crypto::EspJob& job, const PlainInbound::Packet& packet) {
  auto* m = static_cast<rte_mbuf*>(job.user);
  PacketMeta& about = meta(m);
  clear(about);
  about.in_port = packet.in_port;
  about.l3_offset = kEthernetHeader;
  about.esp_offset = packet.esp_offset;
  about.outer_source_port = packet.source_port;
  about.udp_encapsulated = packet.source_port != 0;
  about.spi = packet.sa->spi;
  about.sa.inbound = packet.sa;
  about.sequence = packet.sequence;
  cut(m, packet.esp_offset + job.length + job.key->icv_octets);
  EspContext context = esp_context();
  crypto::EspBatch one;
  one.direction = crypto::EspBatch::Direction::decrypt;
  one.add() = job;
  EspInboundOut out;
  esp_inbound_finish(context, one, out);
  finish_decrypted(out);
}

// A packet out of a tunnel, checked against its SA's selectors, for a host or router on a trusted port whose neighbor
// is known: on_decrypted(), forward() and send_ip().
bool Worker::plain_decrypted(rte_mbuf* m) {
  const auto* ip = at<const std::uint8_t>(m, 0);
  if (!tables_->plain() || m->nb_segs != 1 || m->data_len < kIpv4Header) return false;
  if (!PlainHeader::read(ip).may_go_on() || looked_at(ip, ip[9], m->data_len)) return false;
  const NeighborTable::Entry* neighbor = flows_.neighbor(FlowCache::Key::decrypted(ip));
  if (neighbor == nullptr) {
    neighbor = plain_neighbor(ip);
    if (neighbor == nullptr) return false;
    flows_.put(FlowCache::Key::decrypted(ip), *neighbor);
  }
  const PortView& port = setup_.ports[neighbor->port];
  if (m->pkt_len > port.mtu) return false;
  decrement_ttl(*at<rte_ipv4_hdr>(m, 0));
  if (!put_ethernet(m, neighbor->mac, port.mac, port.vlan, RTE_ETHER_TYPE_IPV4)) [[unlikely]]
    return drop(m, Drop::no_buffer), true;
  send_frame(m, neighbor->port);
  return true;
}

// Whose frame it becomes, where addresses decide and nothing is to be told.
const NeighborTable::Entry* Worker::plain_neighbor(const std::uint8_t* ip) const {
  const RouteTable& routes = *tables_->routes;
  const NextHop *from = routes.lookup4(ip + 12), *to = routes.lookup4(ip + 16);
  if ((from != nullptr && from->kind == NextHop::Kind::local) || !leads_on(to)) return nullptr;
  const PolicyRule* rule = nullptr;
  if (!tables_->policies->match_addresses(ip + 16, be32(ip + 12), rule)) return nullptr;
  if (rule != nullptr && rule->action != PolicySpec::Action::bypass) return nullptr;
  if (!setup_.ports[to->port].trusted && (rule == nullptr || rule->implied)) return nullptr;
  if (to->kind == NextHop::Kind::gateway && to->gateway.family != conf::Family::v4) return nullptr;
  const std::uint8_t* next = to->kind == NextHop::Kind::gateway ? to->gateway.octets.data() : ip + 16;
  const NeighborTable::Entry* neighbor = tables_->neighbors->find_v4(to->port, next);
  return neighbor == nullptr || neighbor->failed || neighbor->stale ? nullptr : neighbor;
}

}  // namespace causeway::dataplane

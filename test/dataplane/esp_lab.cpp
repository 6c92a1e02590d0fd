#include "test/dataplane/esp_lab.h"

#include <rte_ip.h>

#include <stdexcept>

namespace causeway::test {

using namespace causeway::dataplane;

namespace {

SpiCodec test_codec(std::uint64_t seed) {
  std::array<std::uint8_t, SpiCodec::kKeyOctets> key;
  crypto::SeededRandom(seed).fill(key);
  return SpiCodec(key);
}

const crypto::EncryptionInfo& cipher_row(const std::string& name) {
  for (const auto& row : crypto::encryptions())
    if (row.name == name) return row;
  throw std::runtime_error("no such cipher: " + name);
}
crypto::Integrity integrity_id(const std::string& name) {
  if (name.empty()) return crypto::Integrity::none;
  for (const auto& row : crypto::integrities())
    if (row.name == name) return row.id;
  throw std::runtime_error("no such integrity: " + name);
}

conf::Selector selector(const char* prefix) { return conf::Selector::of(*conf::Prefix::parse(prefix)); }

}  // namespace

EspLab::EspLab(std::uint64_t seed, const crypto::EspPlan& plan)
    : random(seed),
      pool_(packet_pool(511, 10'240)),
      engine_(plan),
      codec_(test_codec(seed)),
      allocator_(codec_),
      table_(codec_, SOCKET_ID_ANY),
      big_(packet_pool(127, 12'288)),
      small_(packet_pool(511, 2'176)),
      context_{engine_, table_, ip_ids_, 1000, big_.get(), &linearised_} {}

EspLab::~EspLab() = default;

SaPair EspLab::describe(Direction direction, const TunnelShape& shape) {
  const crypto::EncryptionInfo& cipher = cipher_row(shape.cipher);
  SaPair pair;
  SaSpec& spec = pair.spec;
  ReferenceSa& reference = pair.reference;
  reference.cipher = shape.cipher;
  reference.integrity = shape.integrity;
  reference.esn = shape.esn;
  const auto sizes = reference_sizes(shape.cipher, shape.integrity);
  if (!sizes) throw std::runtime_error("the ESP reference does not know " + shape.cipher + " " + shape.integrity);
  const auto fill = [this](Bytes& out, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out.push_back(static_cast<std::uint8_t>(random()));
  };
  fill(reference.key, sizes->key + sizes->salt);
  fill(reference.integrity_key, sizes->integrity_key);

  const bool v4 = shape.outer == conf::Family::v4;
  const auto us = *conf::IpAddress::parse(v4 ? "192.0.2.1" : "2001:db8:1::1");
  const auto peer = *conf::IpAddress::parse(v4 ? "198.51.100.2" : "2001:db8:2::2");
  spec.direction = direction;
  spec.tunnel = 3;
  spec.child = next_child_++;
  spec.suite = {cipher.id, cipher.key_bits, integrity_id(shape.integrity), shape.esn};
  spec.encryption_key = crypto::Secret(reference.key);
  spec.integrity_key = crypto::Secret(reference.integrity_key);
  spec.selectors = {{selector("10.1.0.0/16"), selector("fd01::/32")}, {selector("10.2.0.0/16"), selector("fd02::/32")}};
  spec.udp_encap = shape.udp;
  spec.local = {us, 4500};
  spec.remote = {peer, 61'234};
  spec.replay_window = shape.replay_window;
  const bool out = direction == Direction::outbound;
  spec.spi = out ? static_cast<std::uint32_t>(random() | 0x1000) : allocator_.allocate(spec.tunnel);
  reference.spi = spec.spi;
  const conf::Endpoint &from = out ? spec.local : spec.remote, &to = out ? spec.remote : spec.local;
  reference.source.assign(from.address.bytes().begin(), from.address.bytes().end());
  reference.destination.assign(to.address.bytes().begin(), to.address.bytes().end());
  if (shape.udp) {
    reference.source_port = from.port;
    reference.destination_port = to.port;
  }
  return pair;
}

InboundSa& EspLab::install_inbound(const SaSpec& spec) {
  crypto::SystemRandom system;
  auto sa = make_inbound(spec, engine_, system, SOCKET_ID_ANY);
  if (!sa) throw std::runtime_error(sa.error());
  inbound_.push_back(std::move(*sa));
  if (!table_.insert(*inbound_.back())) throw std::runtime_error("slot taken");
  return *inbound_.back();
}

OutboundSa& EspLab::install_outbound(const SaSpec& spec, std::uint16_t port_mtu) {
  crypto::SystemRandom system;
  auto sa = make_outbound(spec, engine_, system, port_mtu, SOCKET_ID_ANY);
  if (!sa) throw std::runtime_error(sa.error());
  outbound_.push_back(std::move(*sa));
  table_.insert(*outbound_.back());
  return *outbound_.back();
}

std::vector<OutboundSa*> EspLab::install_spread(const SaSpec& spec, std::size_t replicas, SharedSequence& shared) {
  crypto::SystemRandom system;
  auto made = make_spread(spec, engine_, system, 1500, std::vector<int>(replicas, SOCKET_ID_ANY), shared);
  if (!made) throw std::runtime_error(made.error());
  std::vector<OutboundSa*> out;
  for (auto& sa : *made) {
    out.push_back(sa.get());
    outbound_.push_back(std::move(sa));
  }
  return out;
}

rte_mbuf* EspLab::packet(std::span<const std::uint8_t> octets, Lie lie, Room room, std::size_t whole) {
  const auto fresh = [](rte_mempool* pool) {
    rte_mbuf* m = rte_pktmbuf_alloc(pool);
    if (m == nullptr) throw std::runtime_error("a packet pool is empty");
    meta(m) = PacketMeta{};
    return m;
  };
  const auto append = [](rte_mbuf* m, std::span<const std::uint8_t> part) {
    auto* to = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(m, static_cast<std::uint16_t>(part.size())));
    if (to == nullptr) throw std::runtime_error("a packet does not fit its buffer");
    std::copy(part.begin(), part.end(), to);
  };
  if (lie == Lie::pool) {
    rte_mbuf* m = fresh(pool_.get());
    append(m, octets);
    return m;
  }
  if (lie != Lie::chain) {
    rte_mbuf* m = fresh(pool_.get());
    guarded_.next().attach(m, octets, room.head, room.tail,
                           lie == Lie::guarded_front ? GuardedArea::Edge::front : GuardedArea::Edge::back);
    return m;
  }
  rte_mbuf* chain = nullptr;
  while (!octets.empty() || chain == nullptr) {
    const std::size_t least = chain == nullptr ? whole : 1;
    const std::size_t size = std::min(octets.size(), least + random() % 2100);
    rte_mbuf* segment = fresh(small_.get());
    append(segment, octets.first(size));
    octets = octets.subspan(size);
    if (chain == nullptr)
      chain = segment;
    else if (rte_pktmbuf_chain(chain, segment) != 0)
      throw std::runtime_error("the chain is too long");
  }
  return chain;
}

rte_mbuf* EspLab::received(std::span<const std::uint8_t> outer, Lie lie) {
  rte_mbuf* m = packet(outer, lie, {}, std::min<std::size_t>(outer.size(), 64));
  PacketMeta& p = meta(m);
  const bool v4 = outer[0] >> 4 == 4;
  const std::size_t ip = v4 ? 20 : 40;
  const bool udp = outer[v4 ? 9 : 6] == 17;
  p.esp_offset = static_cast<std::uint16_t>(ip + (udp ? 8 : 0));
  p.udp_encapsulated = udp;
  if (udp) p.outer_source_port = static_cast<std::uint16_t>(outer[ip] << 8 | outer[ip + 1]);
  for (std::size_t i = 0; i < 4 && p.esp_offset + i < outer.size(); ++i) p.spi = p.spi << 8 | outer[p.esp_offset + i];
  return m;
}

void EspLab::inbound(std::span<rte_mbuf* const> packets, EspInboundOut& out) { esp_inbound(context_, packets, out); }
void EspLab::outbound(std::span<rte_mbuf* const> packets, EspOutboundOut& out) { esp_outbound(context_, packets, out); }

Bytes EspLab::octets(rte_mbuf* m) {
  Bytes out(m->pkt_len);
  const void* from = rte_pktmbuf_read(m, 0, m->pkt_len, out.data());
  if (from != out.data()) std::copy_n(static_cast<const std::uint8_t*>(from), out.size(), out.begin());
  return out;
}

void EspLab::free(Lane& lane) {
  for (rte_mbuf* m : lane.span()) rte_pktmbuf_free(m);
  lane.clear();
}

Bytes inner_packet(std::size_t octets, conf::Family family, bool reversed, std::uint8_t traffic_class,
                   std::uint16_t flags) {
  Bytes p(octets);
  std::size_t at = 0;
  if (family == conf::Family::v4) {
    auto& ip = *reinterpret_cast<rte_ipv4_hdr*>(p.data());
    ip.version_ihl = 0x45;
    ip.type_of_service = traffic_class;
    ip.total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(octets));
    ip.fragment_offset = rte_cpu_to_be_16(flags);
    ip.time_to_live = 63;
    ip.next_proto_id = 17;
    ip.src_addr = rte_cpu_to_be_32(reversed ? RTE_IPV4(10, 2, 0, 7) : RTE_IPV4(10, 1, 0, 5));
    ip.dst_addr = rte_cpu_to_be_32(reversed ? RTE_IPV4(10, 1, 0, 5) : RTE_IPV4(10, 2, 0, 7));
    ip.hdr_checksum = rte_ipv4_cksum(&ip);
    at = 20;
  } else {
    p[0] = static_cast<std::uint8_t>(0x60 | traffic_class >> 4);
    p[1] = static_cast<std::uint8_t>(traffic_class << 4);
    p[4] = static_cast<std::uint8_t>((octets - 40) >> 8);
    p[5] = static_cast<std::uint8_t>(octets - 40);
    p[6] = 17;
    p[7] = 63;
    const auto source = *conf::IpAddress::parse(reversed ? "fd02::7" : "fd01::5");
    const auto destination = *conf::IpAddress::parse(reversed ? "fd01::5" : "fd02::7");
    std::copy(source.octets.begin(), source.octets.end(), p.begin() + 8);
    std::copy(destination.octets.begin(), destination.octets.end(), p.begin() + 24);
    at = 40;
  }
  if (octets - at < 8) {  // no room for UDP: an experimental protocol (RFC 3692)
    p[family == conf::Family::v4 ? 9 : 6] = 253;
    if (family == conf::Family::v4) {
      auto& ip = *reinterpret_cast<rte_ipv4_hdr*>(p.data());
      ip.hdr_checksum = 0;
      ip.hdr_checksum = rte_ipv4_cksum(&ip);
    }
    return p;
  }
  const std::size_t udp = octets - at;
  const std::uint8_t header[8] = {
      0x30, 0x39, 0x1f, 0x90, static_cast<std::uint8_t>(udp >> 8), static_cast<std::uint8_t>(udp), 0, 0};
  std::copy(std::begin(header), std::end(header), p.begin() + static_cast<long>(at));
  for (std::size_t i = at + 8; i < octets; ++i) p[i] = static_cast<std::uint8_t>(i * 7);
  return p;
}

}  // namespace causeway::test

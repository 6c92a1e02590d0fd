#include "test/bench/frames.h"

#include <rte_ip.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "dataplane/headers.h"

namespace causeway::bench {

using namespace causeway::dataplane;

namespace {

// The feed's own engine: any level does, since none of it is timed.
crypto::EspPlan feed_plan() {
  for (const auto level : {crypto::EspLevel::avx2, crypto::EspLevel::sse})
    if (crypto::EspPlan::available(level)) return crypto::EspPlan::fixed(level);
  throw std::runtime_error("IPsec-MB does not run on this CPU (it needs SSE4.2 and AES-NI)");
}

std::uint8_t* put(std::uint8_t* at, const void* octets, std::size_t n) {
  std::memcpy(at, octets, n);
  return at + n;
}

std::uint8_t* put_ethernet_header(std::uint8_t* at, const std::array<std::uint8_t, 6>& to) {
  at = put(put(at, to.data(), 6), kNeighborMac.data(), 6);
  put_be16(at, RTE_ETHER_TYPE_IPV4);
  return at + 2;
}

void put_ipv4(std::uint8_t* at, std::uint32_t total, std::uint8_t protocol, const std::array<std::uint8_t, 4>& from,
              const std::array<std::uint8_t, 4>& to) {
  rte_ipv4_hdr ip{};
  ip.version_ihl = RTE_IPV4_VHL_DEF;
  ip.total_length = rte_cpu_to_be_16(static_cast<std::uint16_t>(total));
  ip.time_to_live = 64;
  ip.next_proto_id = protocol;
  std::memcpy(&ip.src_addr, from.data(), 4);
  std::memcpy(&ip.dst_addr, to.data(), 4);
  set_checksum(ip);
  std::memcpy(at, &ip, sizeof ip);
}

void set_length(rte_mbuf* m, std::uint32_t octets) {
  m->data_len = static_cast<std::uint16_t>(octets);
  m->pkt_len = octets;
}

}  // namespace

std::array<std::uint8_t, 4> remote_host(std::uint32_t tunnel) {
  return {10, static_cast<std::uint8_t>(64 + tunnel / 256), static_cast<std::uint8_t>(tunnel), 7};
}

Keys Keys::of(const crypto::EspSuite& suite) {
  const auto* cipher = crypto::find(suite.encryption, suite.key_bits);
  const auto* integrity = crypto::find(suite.integrity);
  Keys keys;
  for (int i = 0; i < cipher->key_octets + cipher->salt_octets; ++i)
    keys.encryption.push_back(static_cast<std::uint8_t>(i * 7 + 1));
  for (int i = 0; integrity != nullptr && i < integrity->key_octets; ++i)
    keys.integrity.push_back(static_cast<std::uint8_t>(i * 5 + 3));
  return keys;
}

Frames::Frames(const Case& what, const Addresses& addresses, std::vector<Tunnel> tunnels, unsigned seed)
    : what_(what),
      addresses_(addresses),
      tunnels_(std::move(tunnels)),
      sizes_(sizes_of(what)),
      random_(seed),
      engine_(feed_plan()),
      payload_(1 << 14) {
  const Keys keys = Keys::of(what.suite);
  constexpr std::array<std::uint8_t, 16> kSeed{};
  if (auto done = engine_.expand(what.suite, keys.encryption, keys.integrity, kSeed, key_); !done)
    throw std::runtime_error(done.error());
  iv_ = key_.iv_octets;
  block_ = key_.block_octets;
  icv_ = key_.icv_octets;
  for (auto& octet : payload_) octet = static_cast<std::uint8_t>(random_());
}

std::uint32_t Frames::esp_length(std::uint32_t inner) const {
  return kEspHeader + iv_ + (inner + 2 + block_ - 1) / block_ * block_;
}

void Frames::inner_packet(std::uint8_t* at, std::uint32_t octets, bool from_peer, std::uint32_t tunnel) const {
  const auto peer = remote_host(tunnel);
  put_ipv4(at, octets, kProtocolUdp, from_peer ? peer : kLanHost, from_peer ? kLanHost : peer);
  constexpr std::uint8_t kPorts[] = {0x13, 0x88, 0x13, 0x89};
  std::uint8_t* udp = put(at + kIpv4Header, kPorts, 4);
  put_be16(udp, static_cast<std::uint16_t>(octets - kIpv4Header));
  put_be16(udp + 2, 0);
  const std::uint32_t head = kIpv4Header + kUdpHeader;
  std::memcpy(at + head, payload_.data(), octets - head);
}

void Frames::fill_outbound(rte_mbuf* m, std::uint32_t inner, const Tunnel& tunnel) {
  m->data_off = RTE_PKTMBUF_HEADROOM;
  set_length(m, kEthernetHeader + inner);
  auto* at = rte_pktmbuf_mtod(m, std::uint8_t*);
  inner_packet(put_ethernet_header(at, addresses_.lan_mac), inner, false, tunnel.number);
}

void Frames::fill_inbound(rte_mbuf* m, std::uint32_t inner, Tunnel& tunnel) {
  m->data_off = RTE_PKTMBUF_HEADROOM;
  const std::uint32_t esp = esp_length(inner), udp = what_.udp ? kUdpHeader : 0;
  const std::uint32_t total = kIpv4Header + udp + esp + icv_;
  set_length(m, kEthernetHeader + total);
  std::uint8_t* ip = put_ethernet_header(rte_pktmbuf_mtod(m, std::uint8_t*), addresses_.wan_mac);
  put_ipv4(ip, total, what_.udp ? kProtocolUdp : kProtocolEsp, kPeer, kOurs);
  std::uint8_t* at = ip + kIpv4Header;
  if (what_.udp) {
    put_be16(at, kPortNatt);
    put_be16(at + 2, kPortNatt);
    put_be16(at + 4, static_cast<std::uint16_t>(total - kIpv4Header));
    put_be16(at + 6, 0);
    at += kUdpHeader;
  }
  const std::uint64_t sequence = ++tunnel.sequence;
  const std::uint32_t spi = rte_cpu_to_be_32(tunnel.spi_in);
  const std::uint32_t low = rte_cpu_to_be_32(static_cast<std::uint32_t>(sequence));
  const std::uint64_t iv = rte_cpu_to_be_64(sequence);
  std::memcpy(at, &spi, 4);
  std::memcpy(at + 4, &low, 4);
  std::memset(at + 8, 0, iv_);
  if (iv_ != 0) std::memcpy(at + 8, &iv, 8);
  std::uint8_t* body = at + kEspHeader + iv_;
  inner_packet(body, inner, true, tunnel.number);
  const std::uint32_t pad = esp - kEspHeader - iv_ - inner - 2;
  for (std::uint32_t i = 0; i < pad; ++i) body[inner + i] = static_cast<std::uint8_t>(i + 1);
  body[inner + pad] = static_cast<std::uint8_t>(pad);
  body[inner + pad + 1] = 4;
  crypto::EspJob& job = batch_.add();
  job = {.key = &key_, .esp = at, .length = esp, .sequence_high = static_cast<std::uint32_t>(sequence >> 32)};
}

void Frames::fill(std::span<rte_mbuf* const> frames, std::size_t n) {
  at_ = n * frames.size();
  const bool outbound = what_.direction == Direction::outbound;
  batch_.direction = crypto::EspBatch::Direction::encrypt;
  batch_.count = 0;
  for (rte_mbuf* m : frames) {
    Tunnel& tunnel = tunnels_[pick()];
    if (outbound)
      fill_outbound(m, next_size(), tunnel);
    else
      fill_inbound(m, next_size(), tunnel);
  }
  if (outbound) return;
  engine_.submit(batch_);
  while (engine_.collect() != nullptr) {
  }
}

void Frames::raw(std::span<rte_mbuf* const> frames, std::span<RawPacket> out) {
  const std::uint32_t before = kEthernetHeader + kIpv4Header + (what_.udp ? kUdpHeader : 0U);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    auto* at = rte_pktmbuf_mtod(frames[i], std::uint8_t*);
    const std::uint32_t octets = frames[i]->pkt_len;
    if (what_.direction == Direction::outbound)
      out[i] = {at + kEthernetHeader - iv_ - kEspHeader, esp_length(octets - kEthernetHeader), pick()};
    else
      out[i] = {at + before, octets - before - icv_, pick()};
  }
}

}  // namespace causeway::bench

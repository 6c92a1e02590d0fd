// Common packets on their way into a tunnel, made ready for encryption in the pass that looks at them first (plain.cpp):
// what esp_outbound() does for a packet, by what is the same for all packets of an SA, chosen once for a run of them. It
// takes only what leaves by an outer IPv4 header along a way that the SA knows; every other packet it leaves untouched.
//
// A run is packets behind each other for one SA, nearly always a whole burst. Sequence numbers are the SA's own at any
// moment; its counters get what a run adds when it ends. Nothing is kept between bursts.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "crypto/esp_engine.h"
#include "dataplane/ecn.h"
#include "dataplane/esp_padding.h"
#include "dataplane/headers.h"
#include "dataplane/ip_ids.h"
#include "dataplane/packet.h"
#include "dataplane/plain_header.h"
#include "dataplane/sa.h"

namespace causeway::dataplane {

class PlainOutbound {
 public:
  PlainOutbound() { batch_.direction = crypto::EspBatch::Direction::encrypt; }

  // The SA of the packet before, if this one is between the same addresses and from the same port; else nullptr.
  [[nodiscard]] OutboundSa* same(std::uint64_t addresses, std::uint16_t in_port) const {
    return addresses == addresses_ && in_port == in_port_ ? sa_ : nullptr;
  }
  // Another flow; it may be of the same SA. `generation`: of the tables.
  void open(OutboundSa& sa, std::uint64_t addresses, std::uint16_t in_port, std::uint64_t generation, std::uint64_t now_ms) {
    addresses_ = addresses;
    in_port_ = in_port;
    if (&sa == sa_) return;
    close(now_ms);
    sa_ = &sa;
    choose(generation);
  }
  // The packet of the run's flow, whose frame begins at `frame`, becomes a job. False: it is not for here.
  bool add(rte_mbuf* m, std::uint8_t* frame, const PlainHeader& ip, std::uint32_t octets, IpIds& ids);
  // Ends the run.
  void close(std::uint64_t now_ms) {
    if (sa_ != nullptr && packets_ != 0) {
      SaCounterBlock& counters = sa_->counters;
      counters.packets.add(packets_);
      counters.bytes.add(bytes_);
      counters.sequence.set(sa_->sequence);
      counters.last_used_ms.set(now_ms);
    }
    packets_ = bytes_ = 0;
    sa_ = nullptr;
  }

  [[nodiscard]] bool empty() const { return batch_.count == 0; }
  [[nodiscard]] bool full() const { return batch_.count == kMaxBurst; }
  [[nodiscard]] crypto::EspBatch& batch() { return batch_; }
  [[nodiscard]] std::uint16_t port(std::size_t job) const { return ports_[job]; }  // it leaves by
  void clear() { batch_.count = 0; }

 private:
  static_assert(kMaxBurst <= crypto::EspBatch::kMax);
  void choose(std::uint64_t generation);
  void write_outer(std::uint8_t* start, std::uint32_t total, const PlainHeader& ip, std::uint64_t sequence, IpIds& ids) const;

  crypto::EspBatch batch_;
  std::array<std::uint16_t, kMaxBurst> ports_;

  // The run.
  OutboundSa* sa_ = nullptr;
  std::uint64_t addresses_ = 0;
  std::uint16_t in_port_ = 0;
  bool df_copied_ = false, df_set_ = false;
  std::uint8_t class_kept_ = 0, class_set_ = 0;  // of the inner packet's traffic class
  std::uint32_t before_ = 0;                     // octets from the frame's beginning to the inner packet
  std::uint32_t most_ = 0;                       // octets of the largest inner packet; 0: none is for here
  std::uint64_t packets_ = 0, bytes_ = 0;
  std::uint64_t most_packets_ = 0, most_bytes_ = 0;  // below which nothing is to be told: calm() of esp_outbound.cpp
};

inline void PlainOutbound::choose(std::uint64_t generation) {
  const OutboundSa& sa = *sa_;
  most_ = 0;
  if (sa.shared != nullptr || sa.ip_octets != kIpv4Header || sa.way.generation != generation) return;
  const std::uint64_t packets = sa.counters.packets.get(), bytes = sa.counters.bytes.get();
  if (packets >= sa.calm_packets || bytes >= sa.calm_bytes) return;
  most_ = sa.inner_mtu;
  most_packets_ = std::min(sa.calm_packets - packets, sa.last_sequence - sa.sequence);
  most_bytes_ = sa.calm_bytes - bytes;
  before_ = std::uint32_t{sa.way.octets} + sa.header_octets + sa.sizes.iv;
  class_kept_ = static_cast<std::uint8_t>((sa.dscp_set ? 0 : ~kEcnMask) | (sa.ecn_compatibility ? 0 : kEcnMask));
  class_set_ = sa.dscp_set ? static_cast<std::uint8_t>(sa.dscp_value << 2) : std::uint8_t{0};
  df_copied_ = sa.df == conf::DfPolicy::copy;
  df_set_ = sa.df == conf::DfPolicy::set;
}

// As write_outer() of esp_outbound.cpp, in words. `start`: of the outer IP header.
inline void PlainOutbound::write_outer(std::uint8_t* start, std::uint32_t total, const PlainHeader& ip,
                                       std::uint64_t sequence, IpIds& ids) const {
  const OutboundSa& sa = *sa_;
  const bool df = df_set_ || (df_copied_ && ip.dont_fragment());
  // RFC 6864 4.1: with DF the identification is free.
  const std::uint16_t id = __builtin_bswap16(df ? static_cast<std::uint16_t>(sequence) : ids.next(sa.ip_id_slot));
  const std::uint64_t traffic_class = std::uint32_t{static_cast<std::uint8_t>((ip.traffic_class() & class_kept_) | class_set_)}
                                      << 8;
  const std::uint64_t length = __builtin_bswap16(static_cast<std::uint16_t>(total));
  const std::uint64_t flags = df ? 0x40 : 0;
  std::uint64_t sum = sa.header_sum + traffic_class + length + id + flags;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  const std::uint64_t first = RTE_IPV4_VHL_DEF | traffic_class | length << 16 | std::uint64_t{id} << 32 | flags << 48;
  std::uint64_t second, third;  // TTL and protocol, checksum, source; destination, and SPI or UDP's ports
  std::memcpy(&second, sa.header + 8, 8);
  std::memcpy(&third, sa.header + 16, 8);
  second |= (~sum & 0xffff) << 16;
  std::memcpy(start, &first, 8);
  std::memcpy(start + 8, &second, 8);
  std::memcpy(start + 16, &third, 8);
  std::uint8_t* at = start + 24;
  if (sa.udp_encap) {  // length, no checksum (RFC 3948 2.1), SPI
    std::uint64_t fourth;
    std::memcpy(&fourth, sa.header + 24, 8);
    fourth |= __builtin_bswap16(static_cast<std::uint16_t>(total - kIpv4Header));
    std::memcpy(at, &fourth, 8);
    at += 8;
  }
  const std::uint32_t low = __builtin_bswap32(static_cast<std::uint32_t>(sequence));
  std::memcpy(at, &low, 4);
  // The IV, or what the engine makes one from: write_iv() of esp_outbound.cpp.
  if (sa.sizes.iv == 0) return;
  const std::uint64_t iv = __builtin_bswap64(sequence);
  std::memcpy(at + 4, &iv, 8);
  if (sa.sizes.iv == 16) std::memset(at + 12, 0, 8);
}

inline bool PlainOutbound::add(rte_mbuf* m, std::uint8_t* frame, const PlainHeader& ip, std::uint32_t octets, IpIds& ids) {
  // 1. Does it fit, may the SA send it without a word to anybody, and is it ours alone with room around?
  if (octets > most_ || packets_ == most_packets_ || bytes_ >= most_bytes_) [[unlikely]]
    return false;
  OutboundSa& sa = *sa_;
  const std::uint32_t iv = sa.sizes.iv, icv = sa.sizes.icv;
  const std::uint32_t pad = (0U - octets - 2) & (sa.sizes.block - 1U);  // blocks are powers of two
  const std::uint32_t inside = octets + pad + 2;
  const std::uint32_t total = before_ - sa.way.octets + inside + icv;
  const std::uint32_t at = std::uint32_t{m->data_off} + kEthernetHeader;  // the inner packet
  if (total > sa.way.limit || at < before_ || at + inside + icv > m->buf_len) [[unlikely]]
    return false;
  if ((m->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) != 0 || rte_mbuf_refcnt_read(m) != 1) [[unlikely]]
    return false;
  // 2. The next number, for good: none is given back.
  const std::uint64_t sequence = ++sa.sequence;
  ++packets_;
  bytes_ += octets;
  // 3. The inner packet a hop on, padded; the outer headers before it.
  std::uint8_t* inner = frame + kEthernetHeader;
  const std::uint64_t second = ip.second_a_hop_on();
  std::memcpy(inner + 8, &second, 8);
  write_trailer(inner + octets, pad, kProtocolIpv4);
  std::uint8_t* start = inner - iv - sa.header_octets;
  write_outer(start, total, ip, sequence, ids);
  if (sa.way.octets == kEthernetHeader) [[likely]]
    std::memcpy(start - kEthernetHeader, sa.way.ethernet, kEthernetHeader);
  else
    std::memcpy(start - sa.way.octets, sa.way.ethernet, sa.way.octets);
  m->data_off = static_cast<std::uint16_t>(at - before_);
  m->pkt_len = sa.way.octets + total;
  m->data_len = static_cast<std::uint16_t>(sa.way.octets + total);
  // 4. A job.
  ports_[batch_.count] = sa.way.port;
  crypto::EspJob& job = batch_.jobs[batch_.count++];
  job.key = &sa.key;
  job.esp = inner - iv - 8;
  job.length = 8 + iv + inside;
  job.sequence_high = static_cast<std::uint32_t>(sequence >> 32);
  job.status = crypto::EspJob::Status::pending;
  job.user = m;
  return true;
}

}  // namespace causeway::dataplane

// Common ESP packets on their way out of a tunnel, made ready for decryption in the pass that looks at them first
// (plain.cpp): what esp_inbound_prepare() does for a packet, by what is the same for all packets of an SA from one peer,
// chosen once for a run of them. What is not for here is left untouched: whatever would be refused, told or looked at.
//
// The essay at the head of esp_inbound.cpp holds here: the window is asked again when a packet proved authentic.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "crypto/esp_engine.h"
#include "dataplane/headers.h"
#include "dataplane/packet.h"
#include "dataplane/plain_header.h"
#include "dataplane/sa.h"

namespace causeway::dataplane {

class PlainInbound {
 public:
  // What is known of a packet beside its job, until it is decrypted.
  struct Packet {
    std::uint64_t sequence;
    InboundSa* sa;
    std::uint16_t in_port, esp_offset;
    std::uint16_t source_port;  // host order; 0: native ESP
    std::uint8_t traffic_class;  // of the outer header
  };

  PlainInbound() { batch_.direction = crypto::EspBatch::Direction::decrypt; }

  // The SA of the packet before, if this one is of the same flow; else nullptr. `spi` as it lies, `esp` its offset.
  [[nodiscard]] InboundSa* same(std::uint64_t addresses, std::uint32_t spi, std::uint16_t in_port, std::uint16_t esp) const {
    return addresses == addresses_ && rest(spi, in_port, esp) == rest_ ? sa_ : nullptr;
  }
  void open(InboundSa& sa, const PlainHeader& ip, std::uint32_t spi, std::uint16_t in_port, std::uint16_t esp,
            std::uint16_t source_port) {
    sa_ = &sa;
    addresses_ = ip.addresses();
    rest_ = rest(spi, in_port, esp);
    in_port_ = in_port;
    esp_ = esp;
    source_port_ = source_port;
    // Where packets come from is watched for some SAs; what comes from where it always came from tells nothing.
    plain_ = !sa.report_peer_moves || source_port == 0 ||
             (sa.peer.port == source_port && sa.peer.address == address_v4(__builtin_bswap32(ip.source())));
  }
  // The packet of the run's flow becomes a job. False: it is not for here. `source_port` as in open().
  bool add(rte_mbuf* m, std::uint8_t* frame, const PlainHeader& ip, std::uint32_t total, std::uint16_t source_port);
  void close() { sa_ = nullptr; }

  [[nodiscard]] bool empty() const { return batch_.count == 0; }
  [[nodiscard]] bool full() const { return batch_.count == kMaxBurst; }
  [[nodiscard]] crypto::EspBatch& batch() { return batch_; }
  [[nodiscard]] const Packet& packet(std::size_t job) const { return packets_[job]; }
  void clear() { batch_.count = 0; }

 private:
  static std::uint64_t rest(std::uint32_t spi, std::uint16_t in_port, std::uint16_t esp) {
    return spi | std::uint64_t{in_port} << 32 | std::uint64_t{esp} << 48;
  }
  crypto::EspBatch batch_;
  std::array<Packet, kMaxBurst> packets_;

  // The run.
  InboundSa* sa_ = nullptr;
  std::uint64_t addresses_ = 0, rest_ = 0;
  std::uint16_t in_port_ = 0, esp_ = 0, source_port_ = 0;
  bool plain_ = false;
};

inline bool PlainInbound::add(rte_mbuf* m, std::uint8_t* frame, const PlainHeader& ip, std::uint32_t total,
                              std::uint16_t source_port) {
  InboundSa& sa = *sa_;
  const crypto::EspKey& key = sa.key;
  // 1. A packet of this suite, whole, ours alone, from where they come from?
  const std::uint32_t octets = kEthernetHeader + total - esp_;
  const std::uint32_t around = 8U + key.iv_octets + key.icv_octets;
  if (!plain_ || source_port != source_port_ || octets < around + 2 + PlainHeader::kOctets) [[unlikely]]
    return false;
  if (octets - key.icv_octets > crypto::kMaxEspLength || ((octets - around) & (key.block_octets - 1U)) != 0) [[unlikely]]
    return false;
  if ((m->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) != 0 || rte_mbuf_refcnt_read(m) != 1) [[unlikely]]
    return false;
  // 2. Worth decrypting?
  const std::uint64_t sequence = sa.window.infer(be32(frame + esp_ + 4));
  if (sa.window.check(sequence) != ReplayWindow::Verdict::fresh) [[unlikely]]
    return false;
  // 3. A job.
  prefetch_finish(sa);
  packets_[batch_.count] = {sequence, &sa, in_port_, esp_, source_port, ip.traffic_class()};
  crypto::EspJob& job = batch_.jobs[batch_.count++];
  job.key = &key;
  job.esp = frame + esp_;
  job.length = octets - key.icv_octets;
  job.sequence_high = static_cast<std::uint32_t>(sequence >> 32);
  job.status = crypto::EspJob::Status::pending;
  job.user = m;
  return true;
}

// Packets behind each other of one SA that proved authentic: what the SA's counters get when the run ends, and where
// those between the same addresses leave.
struct PlainOpened {
  InboundSa* sa = nullptr;
  std::uint64_t addresses = 0;  // of the inner packet before
  std::uint16_t port = 0, ethernet_octets = 0;
  std::uint32_t mtu = 0;        // of the port; 0: there was none before
  std::uint8_t ethernet[18];
  std::uint64_t packets = 0, bytes = 0, most_packets = 0, most_bytes = 0;  // as in PlainOutbound

  void open(InboundSa& next, std::uint64_t now_ms) {
    close(now_ms);
    sa = &next;
    const std::uint64_t done = next.counters.packets.get(), octets = next.counters.bytes.get();
    const bool calm = !next.hard_told && done < next.calm_packets && octets < next.calm_bytes;
    // (the packet that reaches a limit tells of it)
    most_packets = calm ? next.calm_packets - done - 1 : 0;
    most_bytes = calm ? next.calm_bytes - octets : 0;
  }
  // The next packet may have something to tell.
  [[nodiscard]] bool spent(std::uint32_t octets) const { return packets >= most_packets || bytes + octets >= most_bytes; }
  void count(std::uint32_t octets) {
    ++packets;
    bytes += octets;
  }
  void close(std::uint64_t now_ms) {
    if (packets != 0) {
      sa->counters.packets.add(packets);
      sa->counters.bytes.add(bytes);
      sa->counters.sequence.set(sa->window.top());
      sa->counters.last_used_ms.set(now_ms);
    }
    packets = bytes = 0;
    mtu = 0;
    sa = nullptr;
  }
};

}  // namespace causeway::dataplane

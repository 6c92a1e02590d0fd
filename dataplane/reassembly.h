// Putting together datagrams that are addressed to us and come in fragments: some peers' first IKE
// message, ESP from peers that fragment after encryption. Bounded in datagrams, fragments and time.
// RFC 791 3.2, RFC 8200 4.5; overlaps are refused with the whole datagram (RFC 5722's rule, for IPv4 too).
//
// Not rte_ip_frag: it takes at most eight fragments a datagram in Debian's build, and does not say which
// of its three reasons a fragment was given up for, which our drop names promise.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "conf/address.h"
#include "dataplane/counters.h"
#include "dataplane/packet_ptr.h"

namespace causeway::dataplane {

class Reassembly {
 public:
  static constexpr std::size_t kDatagrams = 256, kWays = 8;  // incomplete ones at once, and per hash bucket
  static constexpr std::size_t kPerDatagram = 48;            // fragments
  static constexpr std::size_t kHeld = 1024;                 // fragments in all
  static constexpr std::uint64_t kTimeoutMs = 5'000;

  // Complete datagrams are one segment from `pool`, whose buffers bound their size.
  Reassembly(rte_mempool* pool, Counters& counters);
  ~Reassembly();
  Reassembly(const Reassembly&) = delete;
  Reassembly& operator=(const Reassembly&) = delete;

  // Takes a checked fragment whose IP header is at meta.l3_offset. The datagram when it is complete,
  // with the metadata of its first fragment and l3_offset 0; else nothing: it is kept, or dropped and counted.
  PacketPtr add(PacketPtr fragment, std::uint64_t now_ms);
  // Gives up what waits too long. Cheap when called often.
  void housekeeping(std::uint64_t now_ms);

  [[nodiscard]] std::size_t held() const { return held_; }

 private:
  struct Key {
    conf::IpAddress source, destination;
    std::uint32_t id = 0;
    std::uint8_t protocol = 0;
    bool operator==(const Key&) const = default;
  };
  struct Piece {
    rte_mbuf* packet;
    std::uint32_t offset;        // in the datagram's payload
    std::uint16_t length, data;  // octets, and where they start in the packet
  };
  struct Slot {
    Key key;
    std::uint64_t deadline_ms = 0;
    std::uint32_t total = 0;  // of the payload; 0: the last fragment is not here yet
    std::uint32_t received = 0;
    std::uint16_t count = 0;  // 0: the slot is free
    std::array<Piece, kPerDatagram> pieces;
  };
  enum class Fit : std::uint8_t { fits, duplicate, invalid };

  Slot& slot_for(const Key& key, std::uint64_t now_ms);
  static Fit fit(const Slot& slot, const Piece& piece, bool more);
  void give_up(Slot& slot, Drop why);
  PacketPtr assemble(Slot& slot);

  rte_mempool* pool_;
  Counters& counters_;
  std::vector<Slot> slots_;
  std::size_t held_ = 0;
  std::uint64_t next_sweep_ms_ = 0;
};

}  // namespace causeway::dataplane

// The two ESP stages as a worker calls them: a burst in, lanes out. Everything between (prepare, crypto,
// finish) is behind these two. RFC 4303; UDP encapsulation RFC 3948.
#pragma once

#include <cstdint>
#include <span>

#include "conf/address.h"
#include "dataplane/counters.h"
#include "dataplane/ip_ids.h"
#include "dataplane/packet.h"
#include "dataplane/stage_clock.h"

namespace causeway::crypto {
class EspEngine;  // crypto/esp_engine.h: one per worker thread
struct EspBatch;
}

namespace causeway::dataplane {

class FlowCache;
class SaTable;

struct EspContext {
  crypto::EspEngine& engine;
  SaTable& sas;  // this worker's SAs
  IpIds& ip_ids;
  std::uint64_t now_ms;           // control's clock as the worker knows it: for last-used times
  rte_mempool* big = nullptr;     // for packets that cannot be worked on where they are: chains, shared buffers
  Counter* linearised = nullptr;  // counts them
  StageClock* stages = nullptr;   // the bench's
  std::uint64_t generation = UINT64_MAX;  // of the tables, by which an outbound SA's way is known; UINT64_MAX: of none
  FlowCache* flows = nullptr;     // where decrypted packets will be looked up, and the SAs of ESP packets
};

// What control is to be told of an SA: becomes PeerMoved, EspElsewhere or LimitReached. Each is said once per SA (a moved
// peer once per address, `elsewhere` once a second).
struct EspNotice {
  enum class Kind : std::uint8_t { peer_moved, elsewhere, soft_limit, hard_limit, outside_selectors };
  Kind kind;
  Direction direction;
  std::uint32_t spi;
  TunnelId tunnel;
  ChildSlot child;
  conf::Endpoint from;  // peer_moved, elsewhere: the outer source; outside_selectors: the inner one
};
struct EspNotices {
  union {  // not written before it is used: there is one of these on each burst's stack
    EspNotice list[kMaxBurst];
  };
  std::uint16_t count = 0;
  EspNotices() {}
};

struct EspInboundOut {
  Lane clear;  // data starts at the inner IP header (l3_offset 0), meta.decrypted set, meta.sa.inbound valid
               // within this iteration; selectors are checked already; cut to the inner packet's length
  Lane drops;
  EspNotices notices;
};

// `packets`: meta.esp_offset, spi, outer_source_port and l3_offset are set by classify; headers are
// contiguous; the frame ends where the outer IP packet (for UDP: the datagram) says, link padding cut off;
// the SA is looked up here. At most kMaxBurst. Lanes are appended to. Never keeps a packet beyond the call.
void esp_inbound(EspContext& context, std::span<rte_mbuf* const> packets, EspInboundOut& out);
// Its halves, between which the batch is decrypted, here or elsewhere (lend.h). SAs of the batch stay until it is
// finished; what is refused at once goes to `drops`.
void esp_inbound_prepare(EspContext& context, std::span<rte_mbuf* const> packets, crypto::EspBatch& batch, Lane& drops);
void esp_inbound_finish(EspContext& context, const crypto::EspBatch& batch, EspInboundOut& out);

struct EspOutboundOut {
  Lane tx;       // data starts at the outer IP header, complete with checksum; route by the outer destination. Or, with
                 // meta.framed, at the Ethernet header: it leaves by meta.sa.outbound->way
  Lane too_big;  // untouched; meta.sa.outbound->inner_mtu says the MTU; meta.inner_df: not to be fragmented,
                 // an ICMP error is to be made of it. Otherwise fragment it to that MTU and come again
  Lane drops;
  EspNotices notices;
};

// `packets`: data starts at the inner IP header; meta.sa.outbound is set by policy (its owner is this
// worker) and not null; TTL is decremented already; cut to the inner packet's length. At most kMaxBurst. A packet
// that is a chain, or shares its octets with another, is copied where it has to be.
void esp_outbound(EspContext& context, std::span<rte_mbuf* const> packets, EspOutboundOut& out);

}  // namespace causeway::dataplane

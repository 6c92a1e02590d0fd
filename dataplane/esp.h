// The two ESP stages as a worker calls them: a burst in, lanes out. Everything between (prepare, crypto,
// finish) is behind these two. RFC 4303; UDP encapsulation RFC 3948.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/packet.h"

namespace causeway::crypto {
class EspEngine;  // crypto/esp_engine.h: one per worker thread
}

namespace causeway::dataplane {

class SaTable;

struct EspContext {
  crypto::EspEngine& engine;
  SaTable& sas;          // this worker's SAs
  std::uint64_t now_ms;  // control's clock as the worker knows it: for last-used times
};

struct EspInboundOut {
  Lane clear;  // data starts at the inner IP header (l3_offset 0), meta.decrypted set, meta.sa.inbound valid
               // within this iteration; selectors are checked already
  Lane drops;
};

// `packets`: meta.esp_offset, spi, outer_source_port and l3_offset are set by classify; headers are
// contiguous; the SA is looked up here. Never keeps a packet beyond the call.
void esp_inbound(EspContext& context, std::span<rte_mbuf* const> packets, EspInboundOut& out);

struct EspOutboundOut {
  Lane tx;       // data starts at the outer IP header, complete with checksum; route by the outer destination
  Lane too_big;  // meta.sa.outbound says the MTU; untouched: an ICMP error is to be made of it
  Lane drops;
};

// `packets`: data starts at the inner IP header; meta.sa.outbound is set by policy (its owner is this
// worker); TTL is decremented already. mbufs must be direct, unshared and (until told otherwise) one segment.
void esp_outbound(EspContext& context, std::span<rte_mbuf* const> packets, EspOutboundOut& out);

}  // namespace causeway::dataplane

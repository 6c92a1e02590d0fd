// NAT detection (RFC 7296 2.23): each side sends hashes of the addresses it believes in; what does not match
// the addresses a message really came with was translated on the way.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "conf/address.h"
#include "control/ike/bytes.h"

namespace causeway::ike {

using NatHash = std::array<std::uint8_t, 20>;

// SHA-1 of SPIs | address | port, all in network order.
NatHash nat_hash(std::uint64_t initiator_spi, std::uint64_t responder_spi, const conf::Endpoint& endpoint);

struct NatFindings {
  bool detection = false;  // the peer sent both kinds of hashes: it can do NAT traversal
  bool us = false;         // we are behind a NAT: our address arrived changed
  bool peer = false;       // the peer is
  [[nodiscard]] bool any() const { return us || peer; }
  bool operator==(const NatFindings&) const = default;
};

// `local` and `remote` are the addresses of the message that carried the hashes. A peer may send several source
// hashes (RFC 7296 2.23); one that matches is enough.
NatFindings detect_nat(std::uint64_t initiator_spi, std::uint64_t responder_spi, const conf::Endpoint& local,
                       const conf::Endpoint& remote, std::span<const Bytes> source_hashes,
                       std::span<const Bytes> destination_hashes);

}  // namespace causeway::ike

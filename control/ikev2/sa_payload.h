// The body of IKEv2's SA payload: proposals, transforms, attributes (RFC 7296 3.3).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "control/ike/message.h"
#include "control/ike/proposal.h"

namespace causeway::ikev2 {

struct SaProposal {
  std::uint8_t number = 1;  // offers count from 1; an answer repeats the number of what it took
  ike::Bytes spi;           // 4 octets for ESP; 8 for IKE in a rekey; empty in IKE_SA_INIT
  ike::Proposal proposal;

  [[nodiscard]] std::uint32_t child_spi() const;  // host order; 0 where spi is not of 4 octets
  [[nodiscard]] std::uint64_t ike_spi() const;    // 0 where spi is not of 8 octets
  bool operator==(const SaProposal&) const = default;
};

// Transforms with attributes or of types we do not know cannot be taken: they are left out, and a proposal with
// a transform type we do not know is left out whole (3.3.6). Framing errors and SPI sizes that fit no protocol
// are syntax errors. A proposal whose only transform of a type was left out keeps an empty list there only if
// none was offered; else an identifier that select() never takes stands in its place.
ike::Parsed<std::vector<SaProposal>> decode_sa(ike::ByteView body);
ike::Bytes encode_sa(std::span<const SaProposal> proposals);

// An offer: numbered from 1, all with the same SPI.
std::vector<SaProposal> numbered(std::span<const ike::Proposal> proposals, ike::ByteView spi);

std::vector<ike::Proposal> only_proposals(std::span<const SaProposal> offered);  // for ike::select

}  // namespace causeway::ikev2

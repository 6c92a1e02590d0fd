// IKEv1's SA payload: proposals of transforms as the IPsec DOI writes them (RFC 2407 4.4 and 4.5, RFC 2408 3.4 to
// 3.6, RFC 2409 appendix A), turned into ike::Proposal and back.
//
// One transform is one combination here: alternatives of a configured proposal are multiplied out. The
// responder answers with the transform it takes, octet for octet as it was offered (RFC 2408 4.2).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "control/ike/bytes.h"
#include "control/ike/message.h"
#include "control/ike/proposal.h"
#include "control/ikev1/attributes.h"
#include "control/ikev1/doi.h"

namespace causeway::ikev1 {

inline constexpr std::size_t kMaxTransforms = 255;  // what a proposal's count can hold

// What is common to a transform of either phase, as it stands on the wire.
struct Transform {
  std::uint8_t proposal = 0, number = 0;
  ike::Bytes spi;   // of its proposal
  ike::Bytes body;  // from the transform's number to its last attribute
  ike::Proposal suite;  // one of each; what the table does not know is an algorithm that nothing equals
  Lifetimes life;
  AuthMethod auth = AuthMethod::psk;                   // phase 1
  Encapsulation encapsulation = Encapsulation::tunnel;  // phase 2
};

// Every transform of the payload, in order. Proposals of other protocols, and those that belong together with
// others of the same number (ESP with AH or IPComp), are left out.
ike::Parsed<std::vector<Transform>> decode_phase1(ike::ByteView sa_body);
ike::Parsed<std::vector<Transform>> decode_phase2(ike::ByteView sa_body);

ike::Bytes encode_phase1(std::span<const ike::Proposal> proposals, AuthMethod auth, const Lifetimes& life);
// `group` none: without a key exchange of its own. Proposals that name groups are written with `group` alone.
ike::Bytes encode_phase2(std::span<const ike::Proposal> proposals, crypto::KeyExchange group, std::uint32_t spi,
                         Encapsulation encapsulation, const Lifetimes& life);
// The payload that takes `taken`, with our own SPI (phase 2) or none (phase 1).
ike::Bytes encode_answer(ike::Protocol protocol, const Transform& taken, ike::ByteView spi);

// Empty where IKEv1 can express the proposal; else a sentence that says what it cannot.
std::string inexpressible(const ike::Proposal& proposal);

std::vector<ike::Proposal> suites_of(std::span<const Transform> transforms);

}  // namespace causeway::ikev1

// The frame of every IKE message, of both versions: the header and the chain of payloads behind it.
//
// RFC 7296 3.1 and 3.2; RFC 2408 3.1 and 3.2 have the same layout, but for the meaning of the flags, for the
// critical bit (reserved in IKEv1) and for the numbers of payloads and exchanges, which do not overlap.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "control/ike/bytes.h"

namespace causeway::ike {

inline constexpr std::size_t kHeaderSize = 28;
inline constexpr std::size_t kPayloadHeaderSize = 4;
inline constexpr std::size_t kMaxMessageSize = 65535 - 20 - 8 - 4;  // in one UDP datagram behind the non-ESP marker
inline constexpr std::size_t kMaxPayloads = 128;                    // of one message; more is refused as syntax

enum class Exchange : std::uint8_t {
  // IKEv1: RFC 2408 3.1, RFC 2409
  v1_main = 2,
  v1_aggressive = 4,
  v1_informational = 5,
  v1_transaction = 6,
  v1_quick = 32,
  // IKEv2: RFC 7296 3.1, RFC 9242, RFC 9370
  ike_sa_init = 34,
  ike_auth = 35,
  create_child_sa = 36,
  informational = 37,
  ike_intermediate = 43,
  ike_followup_ke = 44,
};
std::string name(Exchange e);  // "IKE_SA_INIT", "exchange 99"

enum class PayloadType : std::uint8_t {
  none = 0,
  // IKEv1: RFC 2408 3.1, RFC 3947 3.2; 130 and 131 are the NAT-T drafts' numbers
  v1_sa = 1,
  v1_proposal = 2,
  v1_transform = 3,
  v1_key_exchange = 4,
  v1_id = 5,
  v1_certificate = 6,
  v1_certificate_request = 7,
  v1_hash = 8,
  v1_signature = 9,
  v1_nonce = 10,
  v1_notification = 11,
  v1_delete = 12,
  v1_vendor = 13,
  v1_nat_d = 20,
  v1_nat_oa = 21,
  v1_nat_d_draft = 130,
  v1_nat_oa_draft = 131,
  v1_fragment = 132,
  // IKEv2: RFC 7296 3.2, RFC 7383
  sa = 33,
  key_exchange = 34,
  id_initiator = 35,
  id_responder = 36,
  certificate = 37,
  certificate_request = 38,
  auth = 39,
  nonce = 40,
  notify = 41,
  delete_sa = 42,
  vendor = 43,
  ts_initiator = 44,
  ts_responder = 45,
  encrypted = 46,
  configuration = 47,
  eap = 48,
  encrypted_fragment = 53,
};
std::string name(PayloadType t);  // "KE", "payload 200"
// Whether this implementation knows what the payload is, so that its critical bit does not matter (RFC 7296 2.5).
bool understood_v2(PayloadType t);

namespace flag {
inline constexpr std::uint8_t initiator = 0x08;  // IKEv2: sender is the original initiator of the IKE SA
inline constexpr std::uint8_t version = 0x10;    // IKEv2: sender could speak a higher major version
inline constexpr std::uint8_t response = 0x20;   // IKEv2
inline constexpr std::uint8_t v1_encryption = 0x01;
inline constexpr std::uint8_t v1_commit = 0x02;
inline constexpr std::uint8_t v1_authentication_only = 0x04;
}  // namespace flag

struct Header {
  std::uint64_t initiator_spi = 0;  // cookies in IKEv1
  std::uint64_t responder_spi = 0;
  PayloadType first_payload = PayloadType::none;
  std::uint8_t major = 2;
  std::uint8_t minor = 0;
  Exchange exchange = Exchange::ike_sa_init;
  std::uint8_t flags = 0;
  std::uint32_t message_id = 0;
  std::uint32_t length = 0;  // of the whole message; writers fill it in

  [[nodiscard]] bool is_response() const { return (flags & flag::response) != 0; }
  [[nodiscard]] bool from_initiator() const { return (flags & flag::initiator) != 0; }
  bool operator==(const Header&) const = default;
};

// Why octets are not a message. `text` is for the log alone.
struct ParseError {
  enum class Kind : std::uint8_t {
    syntax,                // INVALID_SYNTAX, where an answer is due at all
    unsupported_critical,  // UNSUPPORTED_CRITICAL_PAYLOAD with `payload`
    major_version,         // INVALID_MAJOR_VERSION
  };
  Kind kind = Kind::syntax;
  std::string text;
  std::uint8_t payload = 0;  // type of the payload concerned, 0: the header
};
template <typename T>
using Parsed = tl::expected<T, ParseError>;

// The header of a datagram. The length field must be the datagram's own size: a peer that disagrees with
// UDP about it is refused. Any major version is let through: the caller knows which it speaks.
Parsed<Header> parse_header(ByteView datagram);
void write_header(Writer& w, const Header& h);

// One payload within a message, not looked into yet. `body` points into the message.
struct RawPayload {
  PayloadType type = PayloadType::none;
  bool critical = false;
  ByteView body;                         // without the generic header
  PayloadType next = PayloadType::none;  // for `encrypted` and `encrypted_fragment`: the first payload inside
  std::size_t offset = 0;                // of the generic header within what was walked
};

enum class Trailing : std::uint8_t { refuse, padding };  // padding: IKEv1's plaintext may be followed by some

// Splits a chain whose first payload has type `first`. An encrypted payload (46, 53) must be the last and ends
// the chain. Nothing about the bodies is checked.
Parsed<std::vector<RawPayload>> walk_payloads(PayloadType first, ByteView chain, Trailing trailing = Trailing::refuse);

// Payloads in the order they were added, each with its generic header. A body that no length field can hold is a
// mistake of the program: std::length_error.
class PayloadChain {
 public:
  void add(PayloadType type, ByteView body, bool critical = false);
  void append(const PayloadChain& other);
  [[nodiscard]] PayloadType first() const { return first_; }
  [[nodiscard]] ByteView bytes() const { return out_.view(); }
  [[nodiscard]] bool empty() const { return out_.size() == 0; }

 private:
  Writer out_;
  PayloadType first_ = PayloadType::none;
  std::size_t last_ = 0;  // where the last payload's generic header begins
};

// The whole message: header (first_payload and length filled in) and payloads.
Bytes assemble(Header header, const PayloadChain& payloads);

// What stands before the body of a message's only payload, SK or SKF: the header and the generic header, with
// both lengths set for a body of `body_size` octets. These octets are the AAD of RFC 5282 5.1, together with the
// fragment numbers for SKF, which are the first four octets of its body (RFC 7383 2.5).
Bytes encrypted_prefix(Header header, PayloadType type, PayloadType first_inside, std::size_t body_size);

}  // namespace causeway::ike

// IKEv1's payloads as values (RFC 2408 3.7 to 3.15, RFC 2407 4.6): checked before any of them is used.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "conf/address.h"
#include "control/ike/bytes.h"
#include "control/ike/ids.h"
#include "control/ike/message.h"
#include "control/ikev1/doi.h"

namespace causeway::ikev1 {

std::string name(Notify n);       // "NO_PROPOSAL_CHOSEN", "notify 12345"
std::string name(AuthMethod m);   // "psk", "rsa", "XAuth (65001)"

struct NotifyPayload {
  std::uint8_t protocol = 1;  // 1: ISAKMP, 3: ESP
  ike::Bytes spi;             // of ISAKMP: nothing, or both cookies
  Notify type = Notify::payload_malformed;
  ike::Bytes data;

  static ike::Parsed<NotifyPayload> decode(ike::ByteView body);
  [[nodiscard]] ike::Bytes encode() const;
  [[nodiscard]] std::optional<std::uint32_t> data_u32() const;
};

struct DeletePayload {
  std::uint8_t protocol = 1;
  std::vector<ike::Bytes> spis;  // ISAKMP: both cookies; ESP: four octets, the sender's inbound

  static ike::Parsed<DeletePayload> decode(ike::ByteView body);
  [[nodiscard]] ike::Bytes encode() const;
};

inline constexpr std::size_t kMinNonce = 8, kMaxNonce = 256;  // RFC 2409 5

// All payloads of one message by role. What may stand once and stands twice is a syntax error; unknown payloads are
// listed (IKEv1 has no critical bit).
struct Payloads {
  std::optional<ike::Bytes> sa, key_exchange, nonce, hash, signature;
  std::vector<ike::Bytes> ids;  // bodies: one in phase 1, IDci and IDcr in quick mode
  std::vector<ike::Bytes> certificates, certificate_requests;  // bodies, encoding octet first
  std::vector<NotifyPayload> notifies;
  std::vector<DeletePayload> deletes;
  std::vector<ike::Bytes> vendors;
  std::vector<ike::Bytes> nat_d;  // the RFC's and the drafts'
  bool mode_config = false;       // an Attribute payload: XAuth or mode-config
  std::vector<ike::PayloadType> ignored;

  [[nodiscard]] const NotifyPayload* find(Notify type) const;
  [[nodiscard]] const NotifyPayload* error() const;
};
ike::Parsed<Payloads> decode_payloads(std::span<const ike::RawPayload> raw);

// IDci and IDcr (RFC 2407 4.6.2): a selector there and back.
ike::Parsed<conf::Selector> decode_selector(ike::ByteView body);
ike::Bytes encode_selector(const conf::Selector& selector);
// Whether an ID payload can say it: one port or all of them.
bool can_say(const conf::Selector& selector);

}  // namespace causeway::ikev1

// IKEv2's payloads as values: decode() checks everything about a body before any of it is used, encode() writes
// the body without its generic header. RFC 7296 3.4 to 3.15, RFC 7383 2.5. The SA payload's inside is
// control/ikev2/sa_payload's; identities are ids.h's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "conf/address.h"
#include "control/ike/bytes.h"
#include "control/ike/ids.h"
#include "control/ike/message.h"
#include "control/ike/notify.h"
#include "control/ike/proposal.h"
#include "crypto/algorithms.h"

namespace causeway::ike {

struct KeyExchangePayload {  // 3.4
  crypto::KeyExchange group = crypto::KeyExchange::none;
  Bytes value;  // its length is checked against the table by whoever uses it

  static Parsed<KeyExchangePayload> decode(ByteView body);
  [[nodiscard]] Bytes encode() const;
  bool operator==(const KeyExchangePayload&) const = default;
};

struct CertificatePayload {  // 3.6
  enum class Encoding : std::uint8_t { x509_signature = 4, crl = 7, hash_and_url = 12 };
  Encoding encoding = Encoding::x509_signature;
  Bytes data;

  static Parsed<CertificatePayload> decode(ByteView body);
  [[nodiscard]] Bytes encode() const;
  bool operator==(const CertificatePayload&) const = default;
};

struct CertificateRequestPayload {  // 3.7
  CertificatePayload::Encoding encoding = CertificatePayload::Encoding::x509_signature;
  std::vector<Bytes> authorities;  // SHA-1 of trusted CAs' public keys (x509_signature); else one opaque element

  static Parsed<CertificateRequestPayload> decode(ByteView body);
  [[nodiscard]] Bytes encode() const;
  bool operator==(const CertificateRequestPayload&) const = default;
};

struct AuthPayload {  // 3.8, RFC 7427, RFC 4754
  enum class Method : std::uint8_t {
    rsa_signature = 1,
    shared_key = 2,
    dss_signature = 3,
    ecdsa_256 = 9,
    ecdsa_384 = 10,
    ecdsa_521 = 11,
    null = 13,
    digital_signature = 14,
  };
  Method method = Method::shared_key;
  Bytes data;

  static Parsed<AuthPayload> decode(ByteView body);
  [[nodiscard]] Bytes encode() const;
  bool operator==(const AuthPayload&) const = default;
};

inline constexpr std::size_t kMinNonce = 16, kMaxNonce = 256;  // 3.9
Parsed<Bytes> decode_nonce(ByteView body);

struct NotifyPayload {  // 3.10
  Protocol protocol = Protocol::none;
  Bytes spi;  // empty, or 4 octets for ESP and AH; 8 for IKE are taken as well
  NotifyType type = NotifyType::invalid_syntax;
  Bytes data;

  static NotifyPayload of(NotifyType type, Bytes data = {}) { return {Protocol::none, {}, type, std::move(data)}; }
  static NotifyPayload of_child(NotifyType type, std::uint32_t spi, Bytes data = {});  // REKEY_SA and its kin

  static Parsed<NotifyPayload> decode(ByteView body);
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] std::optional<std::uint32_t> child_spi() const;  // of ESP, host order
  [[nodiscard]] std::optional<std::uint16_t> data_u16() const;   // INVALID_KE_PAYLOAD's group
  bool operator==(const NotifyPayload&) const = default;
};

struct DeletePayload {  // 3.11
  Protocol protocol = Protocol::ike;
  std::vector<std::uint32_t> spis;  // of ESP or AH: the sender's inbound ones; empty for IKE. Host order

  static Parsed<DeletePayload> decode(ByteView body);
  [[nodiscard]] Bytes encode() const;
  bool operator==(const DeletePayload&) const = default;
};

struct TrafficSelectors {  // 3.13
  std::vector<conf::Selector> selectors;
  std::size_t unknown = 0;  // selectors of types we do not know (FC, labels), left out

  static Parsed<TrafficSelectors> decode(ByteView body);
  [[nodiscard]] Bytes encode() const;  // of `selectors`, at most 255
  bool operator==(const TrafficSelectors&) const = default;
};

// The outside of SK (3.14) and SKF (RFC 7383 2.5). Views into the message.
struct EncryptedOuter {
  PayloadType first_inside = PayloadType::none;  // SKF: set in the first fragment only
  std::uint16_t fragment = 1;                    // 1..total
  std::uint16_t total = 1;
  bool is_fragment = false;
  ByteView sealed;  // IV, ciphertext, ICV
  ByteView aad;     // of an AEAD: all of the message before `sealed` (RFC 5282 5.1, RFC 7383 2.5)
};
// `message` is the whole of it, whose last payload is `payload`.
Parsed<EncryptedOuter> decode_encrypted(ByteView message, const RawPayload& payload);

// All payloads of one message (or of the inside of SK), each decoded, by role. Payloads that may stand once and
// stand twice are syntax errors; unknown ones are listed unless critical, which is an error of its own.
struct Payloads {
  std::optional<Bytes> sa;  // body, for ikev2::decode_sa
  std::optional<KeyExchangePayload> key_exchange;
  std::optional<Identity> id_initiator, id_responder;
  std::vector<CertificatePayload> certificates;
  std::vector<CertificateRequestPayload> certificate_requests;
  std::optional<AuthPayload> auth;
  std::optional<Bytes> nonce;
  std::vector<NotifyPayload> notifies;
  std::vector<DeletePayload> deletes;
  std::vector<Bytes> vendors;
  std::optional<TrafficSelectors> ts_initiator, ts_responder;
  std::optional<Bytes> configuration, eap;  // known by name, not looked into
  std::vector<PayloadType> ignored;         // unknown and not critical

  [[nodiscard]] const NotifyPayload* find(NotifyType type) const;   // the first, or nullptr
  [[nodiscard]] const NotifyPayload* error() const;                 // the first that is an error, or nullptr
  [[nodiscard]] std::vector<Bytes> data_of(NotifyType type) const;  // of all of that type
};
// SK and SKF in `raw` are passed over: they are decode_encrypted's.
Parsed<Payloads> decode_payloads(std::span<const RawPayload> raw);

}  // namespace causeway::ike

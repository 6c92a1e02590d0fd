#include "control/ike/payloads.h"

#include <algorithm>
#include <utility>

namespace causeway::ike {
namespace {

constexpr std::size_t kAuthorityOctets = 20;  // SHA-1 of a SubjectPublicKeyInfo (RFC 7296 3.7)

tl::unexpected<ParseError> syntax(PayloadType payload, const std::string& text) {
  return tl::unexpected(
      ParseError{ParseError::Kind::syntax, name(payload) + " payload: " + text, static_cast<std::uint8_t>(payload)});
}

}  // namespace

Parsed<KeyExchangePayload> KeyExchangePayload::decode(ByteView body) {
  Reader r(body);
  KeyExchangePayload p;
  p.group = static_cast<crypto::KeyExchange>(r.be16());
  r.skip(2);
  p.value = to_bytes(r.rest());
  if (!r.ok()) return syntax(PayloadType::key_exchange, "too short");
  if (p.value.empty()) return syntax(PayloadType::key_exchange, "no value");
  return p;
}

Bytes KeyExchangePayload::encode() const {
  Writer w;
  w.be16(static_cast<std::uint16_t>(group));
  w.zeros(2);
  w.bytes(value);
  return w.take();
}

Parsed<CertificatePayload> CertificatePayload::decode(ByteView body) {
  Reader r(body);
  CertificatePayload p;
  p.encoding = static_cast<Encoding>(r.u8());
  p.data = to_bytes(r.rest());
  if (!r.ok()) return syntax(PayloadType::certificate, "too short");
  if (p.data.empty()) return syntax(PayloadType::certificate, "no data");
  return p;
}

Bytes CertificatePayload::encode() const {
  Writer w;
  w.u8(static_cast<std::uint8_t>(encoding));
  w.bytes(data);
  return w.take();
}

Parsed<CertificateRequestPayload> CertificateRequestPayload::decode(ByteView body) {
  Reader r(body);
  CertificateRequestPayload p;
  p.encoding = static_cast<CertificatePayload::Encoding>(r.u8());
  if (!r.ok()) return syntax(PayloadType::certificate_request, "too short");
  if (p.encoding != CertificatePayload::Encoding::x509_signature) {
    if (r.left() > 0) p.authorities.push_back(to_bytes(r.rest()));
    return p;
  }
  if (r.left() % kAuthorityOctets != 0) {
    return syntax(PayloadType::certificate_request, "authorities that are no sequence of SHA-1 hashes");
  }
  while (r.left() > 0) p.authorities.push_back(to_bytes(r.take(kAuthorityOctets)));
  return p;
}

Bytes CertificateRequestPayload::encode() const {
  Writer w;
  w.u8(static_cast<std::uint8_t>(encoding));
  for (const Bytes& a : authorities) w.bytes(a);
  return w.take();
}

Parsed<AuthPayload> AuthPayload::decode(ByteView body) {
  Reader r(body);
  AuthPayload p;
  p.method = static_cast<Method>(r.u8());
  r.skip(3);
  p.data = to_bytes(r.rest());
  if (!r.ok()) return syntax(PayloadType::auth, "too short");
  if (p.data.empty()) return syntax(PayloadType::auth, "no data");
  return p;
}

Bytes AuthPayload::encode() const {
  Writer w;
  w.u8(static_cast<std::uint8_t>(method));
  w.zeros(3);
  w.bytes(data);
  return w.take();
}

Parsed<Bytes> decode_nonce(ByteView body) {
  if (body.size() < kMinNonce || body.size() > kMaxNonce) {
    return syntax(PayloadType::nonce, std::to_string(body.size()) + " octets instead of 16 to 256");
  }
  return to_bytes(body);
}

NotifyPayload NotifyPayload::of_child(NotifyType type, std::uint32_t spi, Bytes data) {
  Writer w;
  w.be32(spi);
  return {Protocol::esp, w.take(), type, std::move(data)};
}

Parsed<NotifyPayload> NotifyPayload::decode(ByteView body) {
  Reader r(body);
  NotifyPayload p;
  p.protocol = static_cast<Protocol>(r.u8());
  const std::uint8_t spi_size = r.u8();
  p.type = static_cast<NotifyType>(r.be16());
  p.spi = to_bytes(r.take(spi_size));
  p.data = to_bytes(r.rest());
  if (!r.ok()) return syntax(PayloadType::notify, "too short");
  // A notify without an SPI has no use for a protocol, and some peers put one there all the same: it is ignored
  // on receipt (RFC 7296 3.10).
  const bool child = p.protocol == Protocol::esp || p.protocol == Protocol::ah;
  if (child && spi_size != 0 && spi_size != 4) {
    return syntax(PayloadType::notify, "an SPI of " + std::to_string(spi_size) + " octets for ESP or AH");
  }
  if (!child && spi_size != 0 && spi_size != 8 && spi_size != 4) {
    return syntax(PayloadType::notify, "an SPI of " + std::to_string(spi_size) + " octets");
  }
  return p;
}

Bytes NotifyPayload::encode() const {
  Writer w;
  w.u8(static_cast<std::uint8_t>(protocol));
  w.u8(static_cast<std::uint8_t>(spi.size()));
  w.be16(static_cast<std::uint16_t>(type));
  w.bytes(spi);
  w.bytes(data);
  return w.take();
}

std::optional<std::uint32_t> NotifyPayload::child_spi() const {
  if (protocol != Protocol::esp || spi.size() != 4) return std::nullopt;
  return Reader(spi).be32();
}

std::optional<std::uint16_t> NotifyPayload::data_u16() const {
  if (data.size() != 2) return std::nullopt;
  return Reader(data).be16();
}

Parsed<DeletePayload> DeletePayload::decode(ByteView body) {
  Reader r(body);
  DeletePayload p;
  p.protocol = static_cast<Protocol>(r.u8());
  const std::uint8_t spi_size = r.u8();
  const std::uint16_t count = r.be16();
  if (!r.ok()) return syntax(PayloadType::delete_sa, "too short");
  switch (p.protocol) {
    case Protocol::ike:
      if (spi_size != 0 || count != 0) return syntax(PayloadType::delete_sa, "an SPI for the IKE SA");
      break;
    case Protocol::ah:
    case Protocol::esp:
      if (spi_size != 4) return syntax(PayloadType::delete_sa, "SPIs of " + std::to_string(spi_size) + " octets");
      for (std::uint16_t i = 0; i < count && r.ok(); ++i) p.spis.push_back(r.be32());
      break;
    default:
      return syntax(PayloadType::delete_sa, "unknown protocol " + std::to_string(static_cast<unsigned>(p.protocol)));
  }
  if (!r.at_end()) return syntax(PayloadType::delete_sa, "its size does not fit its number of SPIs");
  return p;
}

Bytes DeletePayload::encode() const {
  Writer w;
  w.u8(static_cast<std::uint8_t>(protocol));
  w.u8(static_cast<std::uint8_t>(protocol == Protocol::ike ? 0 : 4));
  w.be16(static_cast<std::uint16_t>(spis.size()));
  for (const std::uint32_t spi : spis) w.be32(spi);
  return w.take();
}

namespace {

tl::unexpected<ParseError> bad_selectors(const std::string& text) {
  return tl::unexpected(ParseError{ParseError::Kind::syntax, "TS payload: " + text,
                                   static_cast<std::uint8_t>(PayloadType::ts_initiator)});
}

constexpr std::uint8_t kTsIpv4Range = 7, kTsIpv6Range = 8;  // RFC 7296 3.13.1
constexpr std::size_t kTsFixed = 8;                         // type, protocol, length, ports

// One selector; nothing for a type we do not know. The reader holds exactly the octets its length announced.
Parsed<std::optional<conf::Selector>> decode_selector(std::uint8_t type, std::uint8_t protocol, Reader r) {
  conf::Selector s;
  s.protocol = protocol;
  s.first_port = r.be16();
  s.last_port = r.be16();
  if (type != kTsIpv4Range && type != kTsIpv6Range) return std::nullopt;
  const std::size_t size = type == kTsIpv4Range ? 4 : 16;
  const ByteView first = r.take(size), last = r.take(size);
  if (!r.at_end()) return bad_selectors("a selector whose length does not fit its type");
  s.first = conf::IpAddress::from_octets(first);
  s.last = conf::IpAddress::from_octets(last);
  if (s.last < s.first) return bad_selectors("a selector that ends before it begins");
  const bool opaque = s.first_port == 65535 && s.last_port == 0;
  if (s.last_port < s.first_port && !opaque) {
    return bad_selectors("a selector whose ports end before they begin");
  }
  return s;
}

}  // namespace

Parsed<TrafficSelectors> TrafficSelectors::decode(ByteView body) {
  Reader r(body);
  const std::uint8_t count = r.u8();
  r.skip(3);
  if (!r.ok()) return bad_selectors("too short");
  if (count == 0) return bad_selectors("no selector");
  TrafficSelectors ts;
  for (unsigned i = 0; i < count; ++i) {
    const std::uint8_t type = r.u8();
    const std::uint8_t protocol = r.u8();
    const std::uint16_t length = r.be16();
    if (!r.ok() || length < kTsFixed) return bad_selectors("a selector too short");
    const Reader inside = r.sub(length - 4u);
    if (!r.ok()) return bad_selectors("a selector longer than the payload");
    auto selector = decode_selector(type, protocol, inside);
    if (!selector) return tl::unexpected(std::move(selector.error()));
    if (*selector) {
      ts.selectors.push_back(**selector);
    } else {
      ++ts.unknown;
    }
  }
  if (!r.at_end()) return bad_selectors("octets behind the last selector");
  return ts;
}

Bytes TrafficSelectors::encode() const {
  const std::size_t count = std::min<std::size_t>(selectors.size(), 255);
  Writer w;
  w.u8(static_cast<std::uint8_t>(count));
  w.zeros(3);
  for (const conf::Selector& s : std::span(selectors).first(count)) {
    const bool v4 = s.first.family == conf::Family::v4;
    w.u8(v4 ? kTsIpv4Range : kTsIpv6Range);
    w.u8(s.protocol);
    w.be16(static_cast<std::uint16_t>(kTsFixed + 2 * s.first.size()));
    w.be16(s.first_port);
    w.be16(s.last_port);
    w.bytes(s.first.bytes());
    w.bytes(s.last.bytes());
  }
  return w.take();
}

Parsed<EncryptedOuter> decode_encrypted(ByteView message, const RawPayload& payload) {
  EncryptedOuter e;
  e.first_inside = payload.next;
  e.is_fragment = payload.type == PayloadType::encrypted_fragment;
  Reader r(payload.body);
  if (e.is_fragment) {
    e.fragment = r.be16();
    e.total = r.be16();
    if (!r.ok()) return syntax(payload.type, "too short");
    if (e.fragment == 0 || e.total == 0 || e.fragment > e.total) {
      return syntax(payload.type, "fragment " + std::to_string(e.fragment) + " of " + std::to_string(e.total));
    }
    // RFC 7383 2.5: the type of the first payload inside stands in the first fragment; in others it is zero.
    if (e.fragment > 1 && e.first_inside != PayloadType::none) {
      return syntax(payload.type, "a type of payload in a fragment that is not the first");
    }
  }
  e.sealed = r.rest();
  if (e.sealed.size() > message.size()) return syntax(payload.type, "larger than its message");
  e.aad = message.first(message.size() - e.sealed.size());
  return e;
}

const NotifyPayload* Payloads::find(NotifyType type) const {
  const auto it = std::find_if(notifies.begin(), notifies.end(), [type](const auto& n) { return n.type == type; });
  return it == notifies.end() ? nullptr : &*it;
}

const NotifyPayload* Payloads::error() const {
  const auto it = std::find_if(notifies.begin(), notifies.end(), [](const auto& n) { return is_error(n.type); });
  return it == notifies.end() ? nullptr : &*it;
}

std::vector<Bytes> Payloads::data_of(NotifyType type) const {
  std::vector<Bytes> found;
  for (const NotifyPayload& n : notifies) {
    if (n.type == type) found.push_back(n.data);
  }
  return found;
}

namespace {

// Puts a decoded payload where it belongs, or says why it does not.
using Problem = std::optional<ParseError>;

template <typename T>
Problem once(std::optional<T>& slot, Parsed<T> decoded, PayloadType type) {
  if (!decoded) return std::move(decoded.error());
  if (slot) return syntax(type, "more than one").value();
  slot = std::move(*decoded);
  return std::nullopt;
}

template <typename T>
Problem many(std::vector<T>& list, Parsed<T> decoded) {
  if (!decoded) return std::move(decoded.error());
  list.push_back(std::move(*decoded));
  return std::nullopt;
}

Problem unknown(Payloads& into, const RawPayload& raw) {
  if (raw.critical) {
    return ParseError{ParseError::Kind::unsupported_critical, "critical " + name(raw.type) + ", which is unknown here",
                      static_cast<std::uint8_t>(raw.type)};
  }
  into.ignored.push_back(raw.type);
  return std::nullopt;
}

Problem place(Payloads& into, const RawPayload& raw) {
  const PayloadType t = raw.type;
  switch (t) {
    case PayloadType::sa:
      return once(into.sa, Parsed<Bytes>(to_bytes(raw.body)), t);
    case PayloadType::key_exchange:
      return once(into.key_exchange, KeyExchangePayload::decode(raw.body), t);
    case PayloadType::id_initiator:
      return once(into.id_initiator, Identity::decode(raw.body), t);
    case PayloadType::id_responder:
      return once(into.id_responder, Identity::decode(raw.body), t);
    case PayloadType::certificate:
      return many(into.certificates, CertificatePayload::decode(raw.body));
    case PayloadType::certificate_request:
      return many(into.certificate_requests, CertificateRequestPayload::decode(raw.body));
    case PayloadType::auth:
      return once(into.auth, AuthPayload::decode(raw.body), t);
    case PayloadType::nonce:
      return once(into.nonce, decode_nonce(raw.body), t);
    case PayloadType::notify:
      return many(into.notifies, NotifyPayload::decode(raw.body));
    case PayloadType::delete_sa:
      return many(into.deletes, DeletePayload::decode(raw.body));
    case PayloadType::vendor:
      return many(into.vendors, Parsed<Bytes>(to_bytes(raw.body)));
    case PayloadType::ts_initiator:
      return once(into.ts_initiator, TrafficSelectors::decode(raw.body), t);
    case PayloadType::ts_responder:
      return once(into.ts_responder, TrafficSelectors::decode(raw.body), t);
    case PayloadType::configuration:
      return once(into.configuration, Parsed<Bytes>(to_bytes(raw.body)), t);
    case PayloadType::eap:
      return once(into.eap, Parsed<Bytes>(to_bytes(raw.body)), t);
    case PayloadType::encrypted:
    case PayloadType::encrypted_fragment:
      return std::nullopt;
    default:
      return unknown(into, raw);
  }
}

}  // namespace

Parsed<Payloads> decode_payloads(std::span<const RawPayload> raw) {
  Payloads payloads;
  // An unknown critical payload refuses the message as a whole, whatever else is wrong with it (RFC 7296 2.5).
  for (const RawPayload& p : raw) {
    if (p.critical && !understood_v2(p.type)) return tl::unexpected(*unknown(payloads, p));
  }
  for (const RawPayload& p : raw) {
    if (Problem problem = place(payloads, p)) return tl::unexpected(std::move(*problem));
  }
  return payloads;
}

}  // namespace causeway::ike

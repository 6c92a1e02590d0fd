#include "control/ike/message.h"

#include <stdexcept>
#include <utility>

namespace causeway::ike {
namespace {

tl::unexpected<ParseError> syntax(std::string text, PayloadType payload = PayloadType::none) {
  return tl::unexpected(ParseError{ParseError::Kind::syntax, std::move(text), static_cast<std::uint8_t>(payload)});
}

bool is_encrypted(PayloadType t) { return t == PayloadType::encrypted || t == PayloadType::encrypted_fragment; }

void write_generic_header(Writer& w, PayloadType next, bool critical, std::size_t body_size) {
  if (body_size > 0xffff - kPayloadHeaderSize) throw std::length_error("IKE payload over 65535 octets");
  w.u8(static_cast<std::uint8_t>(next));
  w.u8(static_cast<std::uint8_t>(critical ? 0x80 : 0));
  w.be16(static_cast<std::uint16_t>(kPayloadHeaderSize + body_size));
}

}  // namespace

std::string name(Exchange e) {
  switch (e) {
    case Exchange::v1_main:
      return "main mode";
    case Exchange::v1_aggressive:
      return "aggressive mode";
    case Exchange::v1_informational:
      return "informational (IKEv1)";
    case Exchange::v1_transaction:
      return "transaction";
    case Exchange::v1_quick:
      return "quick mode";
    case Exchange::ike_sa_init:
      return "IKE_SA_INIT";
    case Exchange::ike_auth:
      return "IKE_AUTH";
    case Exchange::create_child_sa:
      return "CREATE_CHILD_SA";
    case Exchange::informational:
      return "INFORMATIONAL";
    case Exchange::ike_intermediate:
      return "IKE_INTERMEDIATE";
    case Exchange::ike_followup_ke:
      return "IKE_FOLLOWUP_KE";
  }
  return "exchange " + std::to_string(static_cast<unsigned>(e));
}

std::string name(PayloadType t) {
  switch (t) {
    case PayloadType::none:
      return "none";
    case PayloadType::v1_sa:
    case PayloadType::sa:
      return "SA";
    case PayloadType::v1_proposal:
      return "proposal";
    case PayloadType::v1_transform:
      return "transform";
    case PayloadType::v1_key_exchange:
    case PayloadType::key_exchange:
      return "KE";
    case PayloadType::v1_id:
      return "ID";
    case PayloadType::v1_certificate:
    case PayloadType::certificate:
      return "CERT";
    case PayloadType::v1_certificate_request:
    case PayloadType::certificate_request:
      return "CERTREQ";
    case PayloadType::v1_hash:
      return "HASH";
    case PayloadType::v1_signature:
      return "SIG";
    case PayloadType::v1_nonce:
    case PayloadType::nonce:
      return "NONCE";
    case PayloadType::v1_notification:
    case PayloadType::notify:
      return "N";
    case PayloadType::v1_delete:
    case PayloadType::delete_sa:
      return "D";
    case PayloadType::v1_vendor:
    case PayloadType::vendor:
      return "V";
    case PayloadType::v1_nat_d:
    case PayloadType::v1_nat_d_draft:
      return "NAT-D";
    case PayloadType::v1_nat_oa:
    case PayloadType::v1_nat_oa_draft:
      return "NAT-OA";
    case PayloadType::v1_fragment:
      return "FRAGMENT";
    case PayloadType::id_initiator:
      return "IDi";
    case PayloadType::id_responder:
      return "IDr";
    case PayloadType::auth:
      return "AUTH";
    case PayloadType::ts_initiator:
      return "TSi";
    case PayloadType::ts_responder:
      return "TSr";
    case PayloadType::encrypted:
      return "SK";
    case PayloadType::configuration:
      return "CP";
    case PayloadType::eap:
      return "EAP";
    case PayloadType::encrypted_fragment:
      return "SKF";
  }
  return "payload " + std::to_string(static_cast<unsigned>(t));
}

bool understood_v2(PayloadType t) {
  const auto n = static_cast<std::uint8_t>(t);
  return (n >= static_cast<std::uint8_t>(PayloadType::sa) && n <= static_cast<std::uint8_t>(PayloadType::eap)) ||
         t == PayloadType::encrypted_fragment;
}

Parsed<Header> parse_header(ByteView datagram) {
  Reader r(datagram);
  Header h;
  h.initiator_spi = r.be64();
  h.responder_spi = r.be64();
  h.first_payload = static_cast<PayloadType>(r.u8());
  const std::uint8_t version = r.u8();
  h.major = static_cast<std::uint8_t>(version >> 4);
  h.minor = version & 0x0f;
  h.exchange = static_cast<Exchange>(r.u8());
  h.flags = r.u8();
  h.message_id = r.be32();
  h.length = r.be32();
  if (!r.ok()) return syntax("a datagram of " + std::to_string(datagram.size()) + " octets has no room for a header");
  if (h.length != datagram.size()) {
    return syntax("the header says " + std::to_string(h.length) + " octets, the datagram has " +
                  std::to_string(datagram.size()));
  }
  return h;
}

void write_header(Writer& w, const Header& h) {
  w.be64(h.initiator_spi);
  w.be64(h.responder_spi);
  w.u8(static_cast<std::uint8_t>(h.first_payload));
  w.u8(static_cast<std::uint8_t>(h.major << 4 | (h.minor & 0x0f)));
  w.u8(static_cast<std::uint8_t>(h.exchange));
  w.u8(h.flags);
  w.be32(h.message_id);
  w.be32(h.length);
}

Parsed<std::vector<RawPayload>> walk_payloads(PayloadType first, ByteView chain, Trailing trailing) {
  std::vector<RawPayload> payloads;
  Reader r(chain);
  PayloadType type = first;
  while (type != PayloadType::none) {
    if (payloads.size() == kMaxPayloads) return syntax("more than " + std::to_string(kMaxPayloads) + " payloads", type);
    RawPayload p;
    p.type = type;
    p.offset = chain.size() - r.left();
    p.next = static_cast<PayloadType>(r.u8());
    p.critical = (r.u8() & 0x80) != 0;
    const std::uint16_t length = r.be16();
    if (!r.ok()) return syntax("the message ends before its " + name(type) + " payload", type);
    if (length < kPayloadHeaderSize) {
      return syntax(name(type) + " payload with a length of " + std::to_string(length), type);
    }
    p.body = r.take(length - kPayloadHeaderSize);
    if (!r.ok()) return syntax(name(type) + " payload longer than the message", type);
    payloads.push_back(p);
    // What stands behind SK is inside of it (RFC 7296 3.14).
    type = is_encrypted(type) ? PayloadType::none : p.next;
  }
  if (!r.at_end() && trailing == Trailing::refuse) {
    return syntax(std::to_string(r.left()) + " octets behind the last payload");
  }
  return payloads;
}

void PayloadChain::add(PayloadType type, ByteView body, bool critical) {
  if (out_.size() == 0) {
    first_ = type;
  } else {
    out_.patch_u8(last_, static_cast<std::uint8_t>(type));
  }
  last_ = out_.size();
  write_generic_header(out_, PayloadType::none, critical, body.size());
  out_.bytes(body);
}

void PayloadChain::append(const PayloadChain& other) {
  if (other.empty()) return;
  if (empty()) {
    *this = other;
    return;
  }
  out_.patch_u8(last_, static_cast<std::uint8_t>(other.first_));
  last_ = out_.size() + other.last_;
  out_.bytes(other.bytes());
}

Bytes assemble(Header header, const PayloadChain& payloads) {
  header.first_payload = payloads.first();
  header.length = static_cast<std::uint32_t>(kHeaderSize + payloads.bytes().size());
  Writer w;
  write_header(w, header);
  w.bytes(payloads.bytes());
  return w.take();
}

Bytes encrypted_prefix(Header header, PayloadType type, PayloadType first_inside, std::size_t body_size) {
  header.first_payload = type;
  header.length = static_cast<std::uint32_t>(kHeaderSize + kPayloadHeaderSize + body_size);
  Writer w;
  write_header(w, header);
  write_generic_header(w, first_inside, false, body_size);
  return w.take();
}

}  // namespace causeway::ike

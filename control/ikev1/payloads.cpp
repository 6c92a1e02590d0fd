#include "control/ikev1/payloads.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>
#include <utility>

#include "control/ike/message.h"

namespace causeway::ikev1 {

namespace {

using ike::Bytes;
using ike::ByteView;
using ike::PayloadType;
using ike::Reader;
using ike::Writer;

constexpr std::uint8_t kModeConfigAttributes = 14;  // draft-dukes-ike-mode-cfg 3.2
constexpr std::size_t kMaxListed = 64;              // of notifies, deletes, vendor IDs in one message
constexpr std::uint16_t kAllPorts = 65535;

tl::unexpected<ike::ParseError> syntax(const std::string& text) {
  return tl::unexpected(ike::ParseError{ike::ParseError::Kind::syntax, text, 0});
}

constexpr std::array<std::pair<Notify, std::string_view>, 36> kNames = {{
    {Notify::invalid_payload_type, "INVALID_PAYLOAD_TYPE"},
    {Notify::doi_not_supported, "DOI_NOT_SUPPORTED"},
    {Notify::situation_not_supported, "SITUATION_NOT_SUPPORTED"},
    {Notify::invalid_cookie, "INVALID_COOKIE"},
    {Notify::invalid_major_version, "INVALID_MAJOR_VERSION"},
    {Notify::invalid_exchange_type, "INVALID_EXCHANGE_TYPE"},
    {Notify::invalid_flags, "INVALID_FLAGS"},
    {Notify::invalid_message_id, "INVALID_MESSAGE_ID"},
    {Notify::invalid_protocol_id, "INVALID_PROTOCOL_ID"},
    {Notify::invalid_spi, "INVALID_SPI"},
    {Notify::invalid_transform_id, "INVALID_TRANSFORM_ID"},
    {Notify::attributes_not_supported, "ATTRIBUTES_NOT_SUPPORTED"},
    {Notify::no_proposal_chosen, "NO_PROPOSAL_CHOSEN"},
    {Notify::bad_proposal_syntax, "BAD_PROPOSAL_SYNTAX"},
    {Notify::payload_malformed, "PAYLOAD_MALFORMED"},
    {Notify::invalid_key_information, "INVALID_KEY_INFORMATION"},
    {Notify::invalid_id_information, "INVALID_ID_INFORMATION"},
    {Notify::invalid_cert_encoding, "INVALID_CERT_ENCODING"},
    {Notify::invalid_certificate, "INVALID_CERTIFICATE"},
    {Notify::cert_type_unsupported, "CERT_TYPE_UNSUPPORTED"},
    {Notify::invalid_cert_authority, "INVALID_CERT_AUTHORITY"},
    {Notify::invalid_hash_information, "INVALID_HASH_INFORMATION"},
    {Notify::authentication_failed, "AUTHENTICATION_FAILED"},
    {Notify::invalid_signature, "INVALID_SIGNATURE"},
    {Notify::address_notification, "ADDRESS_NOTIFICATION"},
    {Notify::notify_sa_lifetime, "NOTIFY_SA_LIFETIME"},
    {Notify::certificate_unavailable, "CERTIFICATE_UNAVAILABLE"},
    {Notify::unsupported_exchange_type, "UNSUPPORTED_EXCHANGE_TYPE"},
    {Notify::unequal_payload_lengths, "UNEQUAL_PAYLOAD_LENGTHS"},
    {Notify::connected, "CONNECTED"},
    {Notify::responder_lifetime, "RESPONDER_LIFETIME"},
    {Notify::replay_status, "REPLAY_STATUS"},
    {Notify::initial_contact, "INITIAL_CONTACT"},
    {Notify::r_u_there, "R_U_THERE"},
    {Notify::r_u_there_ack, "R_U_THERE_ACK"},
}};

// Sets what may stand once.
bool once(std::optional<Bytes>& where, ByteView body) {
  if (where) return false;
  where = ike::to_bytes(body);
  return true;
}

ike::Parsed<bool> place(Payloads& p, const ike::RawPayload& raw) {
  const auto twice = [&] { return syntax(ike::name(raw.type) + " payload twice"); };
  switch (raw.type) {
    case PayloadType::v1_sa:
      return once(p.sa, raw.body) ? ike::Parsed<bool>(true) : twice();
    case PayloadType::v1_key_exchange:
      return once(p.key_exchange, raw.body) ? ike::Parsed<bool>(true) : twice();
    case PayloadType::v1_nonce:
      if (raw.body.size() < kMinNonce || raw.body.size() > kMaxNonce) {
        return syntax("a nonce of " + std::to_string(raw.body.size()) + " octets");
      }
      return once(p.nonce, raw.body) ? ike::Parsed<bool>(true) : twice();
    case PayloadType::v1_hash:
      return once(p.hash, raw.body) ? ike::Parsed<bool>(true) : twice();
    case PayloadType::v1_signature:
      return once(p.signature, raw.body) ? ike::Parsed<bool>(true) : twice();
    case PayloadType::v1_id:
      if (p.ids.size() == 2) return syntax("more than two ID payloads");
      p.ids.push_back(ike::to_bytes(raw.body));
      return true;
    case PayloadType::v1_certificate:
      if (raw.body.empty()) return syntax("an empty certificate");
      p.certificates.push_back(ike::to_bytes(raw.body));
      return true;
    case PayloadType::v1_certificate_request:
      if (raw.body.empty()) return syntax("an empty certificate request");
      p.certificate_requests.push_back(ike::to_bytes(raw.body));
      return true;
    case PayloadType::v1_notification: {
      auto n = NotifyPayload::decode(raw.body);
      if (!n) return tl::unexpected(n.error());
      p.notifies.push_back(std::move(*n));
      return p.notifies.size() <= kMaxListed ? ike::Parsed<bool>(true) : syntax("too many notifications");
    }
    case PayloadType::v1_delete: {
      auto d = DeletePayload::decode(raw.body);
      if (!d) return tl::unexpected(d.error());
      p.deletes.push_back(std::move(*d));
      return p.deletes.size() <= kMaxListed ? ike::Parsed<bool>(true) : syntax("too many DELETEs");
    }
    case PayloadType::v1_vendor:
      if (p.vendors.size() < kMaxListed) p.vendors.push_back(ike::to_bytes(raw.body));
      return true;
    case PayloadType::v1_nat_d:
    case PayloadType::v1_nat_d_draft:
      if (p.nat_d.size() < kMaxListed) p.nat_d.push_back(ike::to_bytes(raw.body));
      return true;
    case PayloadType::v1_nat_oa:
    case PayloadType::v1_nat_oa_draft:
      return true;  // for transport mode, which is not spoken here
    default:
      if (static_cast<std::uint8_t>(raw.type) == kModeConfigAttributes) p.mode_config = true;
      p.ignored.push_back(raw.type);
      return true;
  }
}

conf::IpAddress take_address(Reader& r, bool v6) {
  const ByteView octets = r.take(v6 ? 16 : 4);
  return octets.empty() ? conf::IpAddress{} : conf::IpAddress::from_octets(octets);
}

// The first and last address of a network, or nothing where the mask has holes.
std::optional<std::pair<conf::IpAddress, conf::IpAddress>> network(const conf::IpAddress& address,
                                                                   const conf::IpAddress& mask) {
  const auto bits = mask.bytes();
  std::uint8_t length = 0;
  bool ended = false;
  for (const std::uint8_t o : bits) {
    for (int bit = 7; bit >= 0; --bit) {
      const bool set = (o >> bit & 1) != 0;
      if (set && ended) return std::nullopt;
      if (set) ++length;
      ended = ended || !set;
    }
  }
  const conf::Prefix prefix{address, length};
  return std::pair(prefix.first(), prefix.last());
}

}  // namespace

std::string name(Notify n) {
  const auto it = std::ranges::find(kNames, n, &std::pair<Notify, std::string_view>::first);
  if (it != kNames.end()) return std::string(it->second);
  return "notify " + std::to_string(static_cast<unsigned>(n));
}

std::string name(AuthMethod m) {
  switch (m) {
    case AuthMethod::psk:
      return "psk";
    case AuthMethod::dss:
      return "DSS signatures";
    case AuthMethod::rsa:
      return "RSA signatures";
    case AuthMethod::ecdsa_256:
    case AuthMethod::ecdsa_384:
    case AuthMethod::ecdsa_521:
      return "ECDSA signatures";
    default:
      break;
  }
  const auto n = static_cast<unsigned>(m);
  return (m >= AuthMethod::first_xauth ? "XAuth (" : "method (") + std::to_string(n) + ")";
}

ike::Parsed<NotifyPayload> NotifyPayload::decode(ByteView body) {
  Reader r(body);
  NotifyPayload n;
  const std::uint32_t doi = r.be32();
  n.protocol = r.u8();
  const std::uint8_t spi_size = r.u8();
  n.type = static_cast<Notify>(r.be16());
  n.spi = ike::to_bytes(r.take(spi_size));
  n.data = ike::to_bytes(r.rest());
  if (!r.ok()) return syntax("a notification is cut off");
  if (doi > kDoiIpsec) return syntax("a notification of another DOI");
  return n;
}

Bytes NotifyPayload::encode() const {
  Writer w;
  w.be32(kDoiIpsec);
  w.u8(protocol);
  w.u8(static_cast<std::uint8_t>(spi.size()));
  w.be16(static_cast<std::uint16_t>(type));
  w.bytes(spi);
  w.bytes(data);
  return w.take();
}

std::optional<std::uint32_t> NotifyPayload::data_u32() const {
  if (data.size() != 4) return std::nullopt;
  Reader r(data);
  return r.be32();
}

ike::Parsed<DeletePayload> DeletePayload::decode(ByteView body) {
  Reader r(body);
  DeletePayload d;
  if (r.be32() > kDoiIpsec) return syntax("a DELETE of another DOI");
  d.protocol = r.u8();
  const std::uint8_t size = r.u8();
  const std::uint16_t count = r.be16();
  if (!r.ok() || (count != 0 && size == 0)) return syntax("a DELETE is cut off");
  if (r.left() != std::size_t{size} * count) return syntax("a DELETE of another length than its SPIs");
  for (std::uint16_t i = 0; i < count; ++i) d.spis.push_back(ike::to_bytes(r.take(size)));
  return d;
}

Bytes DeletePayload::encode() const {
  Writer w;
  w.be32(kDoiIpsec);
  w.u8(protocol);
  w.u8(static_cast<std::uint8_t>(spis.empty() ? 0 : spis.front().size()));
  w.be16(static_cast<std::uint16_t>(spis.size()));
  for (const Bytes& spi : spis) w.bytes(spi);
  return w.take();
}

const NotifyPayload* Payloads::find(Notify type) const {
  const auto it = std::ranges::find(notifies, type, &NotifyPayload::type);
  return it == notifies.end() ? nullptr : &*it;
}

const NotifyPayload* Payloads::error() const {
  const auto it = std::ranges::find_if(notifies, [](const NotifyPayload& n) { return is_error(n.type); });
  return it == notifies.end() ? nullptr : &*it;
}

ike::Parsed<Payloads> decode_payloads(std::span<const ike::RawPayload> raw) {
  Payloads p;
  for (const ike::RawPayload& payload : raw) {
    if (const auto placed = place(p, payload); !placed) return tl::unexpected(placed.error());
  }
  return p;
}

ike::Parsed<conf::Selector> decode_selector(ByteView body) {
  Reader r(body);
  const auto type = static_cast<ike::IdType>(r.u8());
  conf::Selector s;
  s.protocol = r.u8();
  const std::uint16_t port = r.be16();
  if (port != 0) s.first_port = s.last_port = port;
  const bool v6 =
      type == ike::IdType::ipv6 || type == ike::IdType::ipv6_subnet || type == ike::IdType::ipv6_range;
  switch (type) {
    case ike::IdType::ipv4:
    case ike::IdType::ipv6:
      s.first = s.last = take_address(r, v6);
      break;
    case ike::IdType::ipv4_subnet:
    case ike::IdType::ipv6_subnet: {
      const auto address = take_address(r, v6);
      const auto mask = take_address(r, v6);
      const auto range = r.ok() ? network(address, mask) : std::nullopt;
      if (!range) return syntax("a subnet whose mask has holes");
      std::tie(s.first, s.last) = *range;
      break;
    }
    case ike::IdType::ipv4_range:
    case ike::IdType::ipv6_range:
      s.first = take_address(r, v6);
      s.last = take_address(r, v6);
      if (s.last < s.first) return syntax("a range that ends before it begins");
      break;
    default:
      return syntax("a client identity that is no address, subnet or range");
  }
  if (!r.at_end()) return syntax("a client identity of a wrong length");
  return s;
}

bool can_say(const conf::Selector& s) {
  return (s.first_port == 0 && s.last_port == kAllPorts) || s.first_port == s.last_port;
}

Bytes encode_selector(const conf::Selector& s) {
  const bool v6 = s.first.family == conf::Family::v6;
  const auto prefix = s.as_prefix();
  const bool subnet = prefix.has_value();
  Writer w;
  const auto type = subnet ? (v6 ? ike::IdType::ipv6_subnet : ike::IdType::ipv4_subnet)
                           : (v6 ? ike::IdType::ipv6_range : ike::IdType::ipv4_range);
  w.u8(static_cast<std::uint8_t>(type));
  w.u8(s.protocol);
  w.be16(s.first_port == s.last_port ? s.first_port : std::uint16_t{0});
  w.bytes(s.first.bytes());
  if (!subnet) {
    w.bytes(s.last.bytes());
    return w.take();
  }
  for (unsigned bits = prefix->length, i = 0; i < (v6 ? 16U : 4U); ++i) {
    const unsigned here = std::min(bits, 8U);
    w.u8(static_cast<std::uint8_t>(0xff00U >> here));
    bits -= here;
  }
  return w.take();
}

}  // namespace causeway::ikev1

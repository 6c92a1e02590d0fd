// Who a peer says it is: RFC 7296 3.5 (IKEv1: RFC 2407 4.6.2, same numbers for these types).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "conf/address.h"
#include "control/ike/bytes.h"
#include "control/ike/message.h"

namespace causeway::ike {

enum class IdType : std::uint8_t {
  any = 0,  // in a configuration only: accepts whatever the peer says; never on the wire
  ipv4 = 1,
  fqdn = 2,
  rfc822 = 3,
  ipv4_subnet = 4,
  ipv6 = 5,
  ipv6_subnet = 6,
  ipv4_range = 7,
  ipv6_range = 8,
  dn = 9,
  general_name = 10,
  key_id = 11,
};

struct Identity {
  IdType type = IdType::any;
  Bytes data;  // as on the wire: address octets, text without terminator, DER of a Name, octets of a key ID

  // As strongSwan reads an identity: "10.0.0.1", "gw.example.com" or "@gw.example.com", "admin@example.com",
  // "C=CN, O=Example, CN=gw" (a DN), "@#0a0b" (key ID in hex), "any" or "%any"; or with the type named:
  // "ipv4:", "ipv6:", "fqdn:"/"dns:", "email:"/"rfc822:"/"userfqdn:", "dn:"/"asn1dn:", "keyid:"; behind such a
  // prefix "#0a0b" is hex. The error says what is wrong.
  static tl::expected<Identity, std::string> parse(std::string_view text);
  static Identity of(const conf::IpAddress& address);
  static Identity of_dn(ByteView der);  // a certificate's subject

  // Body of an IDi or IDr payload. Sizes are checked by type; unknown types are syntax errors. Text with
  // control characters or NUL is refused, so that it can be logged and compared as it is.
  static Parsed<Identity> decode(ByteView body);
  [[nodiscard]] Bytes encode() const;  // type, 3 reserved octets, data

  // Whether `said` is what a configuration with this identity asks for: `any` takes everything; names are
  // compared without case; "*.example.com" takes names below it, "*@example.com" mailboxes of it; DNs are
  // compared attribute by attribute, without regard to string type and case, "*" as a value taking any.
  [[nodiscard]] bool matches(const Identity& said) const;
  [[nodiscard]] std::string str() const;        // "gw.example.com", "C=CN, CN=gw", "keyid:site-7", "keyid:#0a0b", "any"
  [[nodiscard]] std::string type_name() const;  // "FQDN", as reasons speak of it
  bool operator==(const Identity&) const = default;
};

}  // namespace causeway::ike

#include "control/ike/ids.h"

#include <algorithm>
#include <array>
#include <utility>

#include "control/ike/distinguished_name.h"
#include "control/ike/text.h"

namespace causeway::ike {
namespace {

using Error = tl::unexpected<std::string>;
using Result = tl::expected<Identity, std::string>;

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

bool plain_text(std::string_view text) { return !text.empty() && std::none_of(text.begin(), text.end(), is_control); }

Identity of_text(IdType type, std::string_view text) { return {type, to_bytes(as_octets(text))}; }

Result parse_address(IdType type, std::string_view text) {
  const auto address = conf::IpAddress::parse(text);
  const conf::Family family = type == IdType::ipv4 ? conf::Family::v4 : conf::Family::v6;
  if (!address || address->family != family) {
    return Error(quoted(text) + " is no " + (type == IdType::ipv4 ? "IPv4" : "IPv6") + " address");
  }
  return Identity::of(*address);
}

Result parse_dn(std::string_view text) {
  auto der = dn_from_text(text);
  if (!der) return Error(der.error() + " (an identity that is not one but has a '=' is written \"keyid:...\")");
  return Identity{IdType::dn, std::move(*der)};
}

Result parse_as(IdType type, std::string_view text) {
  if (text.starts_with('#') && type != IdType::ipv4 && type != IdType::ipv6) {
    auto octets = from_hex(text.substr(1));
    if (!octets || octets->empty()) return Error(quoted(text) + " is no hexadecimal identity");
    auto checked = Identity::decode(Identity{type, std::move(*octets)}.encode());
    if (!checked) return Error(checked.error().text);
    return std::move(*checked);
  }
  switch (type) {
    case IdType::ipv4:
    case IdType::ipv6:
      return parse_address(type, text);
    case IdType::dn:
      return parse_dn(text);
    default:
      if (!plain_text(text)) return Error("an empty identity, or one with control characters");
      return of_text(type, text);
  }
}

struct TypePrefix {
  std::string_view prefix;
  IdType type;
};
constexpr std::array kPrefixes = {
    TypePrefix{"ipv4:", IdType::ipv4},       TypePrefix{"ipv6:", IdType::ipv6},
    TypePrefix{"fqdn:", IdType::fqdn},       TypePrefix{"dns:", IdType::fqdn},
    TypePrefix{"email:", IdType::rfc822},    TypePrefix{"rfc822:", IdType::rfc822},
    TypePrefix{"userfqdn:", IdType::rfc822}, TypePrefix{"dn:", IdType::dn},
    TypePrefix{"asn1dn:", IdType::dn},       TypePrefix{"keyid:", IdType::key_id},
};

// Without a prefix: the form says the type.
Result parse_unprefixed(std::string_view text) {
  if (text.starts_with("@#")) return parse_as(IdType::key_id, text.substr(1));
  if (text.starts_with("@@")) return parse_as(IdType::rfc822, text.substr(2));
  if (text.starts_with('@')) return parse_as(IdType::fqdn, text.substr(1));
  if (text.find('=') != std::string_view::npos) return parse_dn(text);
  if (text.find('@') != std::string_view::npos) return parse_as(IdType::rfc822, text);
  if (const auto address = conf::IpAddress::parse(text)) return Identity::of(*address);
  if (text.find(':') != std::string_view::npos) return parse_as(IdType::key_id, text);
  // A name of digits and dots is a mistyped address, not a host.
  if (text.find_first_not_of("0123456789.") == std::string_view::npos) {
    return Error(quoted(text) + " is neither an address nor a name");
  }
  return parse_as(IdType::fqdn, text);
}

// "*.example.com" and "*@example.com" take what ends so.
bool name_matches(std::string_view pattern, std::string_view said) {
  if (pattern.size() > 1 && pattern.front() == '*') {
    const std::string_view end = pattern.substr(1);
    return said.size() > end.size() && equal_without_case(said.substr(said.size() - end.size()), end);
  }
  return equal_without_case(pattern, said);
}

std::string address_text(ByteView octets) { return conf::IpAddress::from_octets(octets).str(); }

// Octets that a type must have; 0: any number but none.
std::size_t fixed_size(IdType type) {
  switch (type) {
    case IdType::ipv4:
      return 4;
    case IdType::ipv6:
      return 16;
    case IdType::ipv4_subnet:
    case IdType::ipv4_range:
      return 8;
    case IdType::ipv6_subnet:
    case IdType::ipv6_range:
      return 32;
    default:
      return 0;
  }
}

// What a peer may call itself at most: DNS names have 253 octets, mailboxes 320, and nobody's DN is a page long.
constexpr std::size_t kMaxIdentity = 2048;

tl::unexpected<ParseError> syntax(const std::string& text) {
  return tl::unexpected(ParseError{ParseError::Kind::syntax, "ID payload: " + text,
                                   static_cast<std::uint8_t>(PayloadType::id_initiator)});
}

}  // namespace

tl::expected<Identity, std::string> Identity::parse(std::string_view text) {
  text = trimmed(text);
  if (text.empty()) return Error("an empty identity");
  if (text == "any" || text == "%any" || text == "%any6" || text == "*") return Identity{};
  for (const TypePrefix& p : kPrefixes) {
    if (text.size() >= p.prefix.size() && equal_without_case(text.substr(0, p.prefix.size()), p.prefix)) {
      return parse_as(p.type, text.substr(p.prefix.size()));
    }
  }
  return parse_unprefixed(text);
}

Identity Identity::of(const conf::IpAddress& address) {
  return {address.family == conf::Family::v4 ? IdType::ipv4 : IdType::ipv6, to_bytes(address.bytes())};
}

Identity Identity::of_dn(ByteView der) { return {IdType::dn, to_bytes(der)}; }

Parsed<Identity> Identity::decode(ByteView body) {
  Reader r(body);
  Identity id;
  id.type = static_cast<IdType>(r.u8());
  r.skip(3);
  id.data = to_bytes(r.rest());
  if (!r.ok()) return syntax("too short");
  const auto number = static_cast<unsigned>(id.type);
  if (number < 1 || number > 11) return syntax("unknown type " + std::to_string(number));
  const std::size_t size = fixed_size(id.type);
  if (id.data.empty() || id.data.size() > kMaxIdentity || (size != 0 && id.data.size() != size)) {
    return syntax(std::to_string(id.data.size()) + " octets for an " + id.type_name());
  }
  if ((id.type == IdType::fqdn || id.type == IdType::rfc822) && !plain_text(as_text(id.data))) {
    return syntax("control characters in a name");
  }
  if (id.type == IdType::dn && !dn_to_text(id.data)) return syntax("a distinguished name that is not DER");
  return id;
}

Bytes Identity::encode() const {
  Writer w;
  w.u8(static_cast<std::uint8_t>(type));
  w.zeros(3);
  w.bytes(data);
  return w.take();
}

bool Identity::matches(const Identity& said) const {
  if (type == IdType::any) return true;
  if (type != said.type) return false;
  switch (type) {
    case IdType::fqdn:
    case IdType::rfc822:
      return name_matches(as_text(data), as_text(said.data));
    case IdType::dn:
      return dn_matches(data, said.data);
    default:
      return data == said.data;
  }
}

std::string Identity::str() const {
  const ByteView octets(data);
  if (const std::size_t size = fixed_size(type); size != 0 && octets.size() != size) return "invalid";
  switch (type) {
    case IdType::any:
      return "any";
    case IdType::ipv4:
    case IdType::ipv6:
      return address_text(octets);
    case IdType::ipv4_subnet:
    case IdType::ipv6_subnet:
      return address_text(octets.first(octets.size() / 2)) + "/" + address_text(octets.last(octets.size() / 2));
    case IdType::ipv4_range:
    case IdType::ipv6_range:
      return address_text(octets.first(octets.size() / 2)) + "-" + address_text(octets.last(octets.size() / 2));
    case IdType::fqdn:
    case IdType::rfc822:
      return std::string(as_text(octets));
    case IdType::dn:
      return dn_to_text(octets).value_or("invalid");
    case IdType::key_id:
      if (plain_text(as_text(octets)) && octets[0] != '#') return "keyid:" + std::string(as_text(octets));
      return "keyid:#" + hex(octets);
    case IdType::general_name:
      break;
  }
  return type_name() + ":#" + hex(octets);
}

std::string Identity::type_name() const {
  switch (type) {
    case IdType::any:
      return "any identity";
    case IdType::ipv4:
      return "IPv4 address";
    case IdType::fqdn:
      return "FQDN";
    case IdType::rfc822:
      return "e-mail address";
    case IdType::ipv4_subnet:
      return "IPv4 subnet";
    case IdType::ipv6:
      return "IPv6 address";
    case IdType::ipv6_subnet:
      return "IPv6 subnet";
    case IdType::ipv4_range:
      return "IPv4 range";
    case IdType::ipv6_range:
      return "IPv6 range";
    case IdType::dn:
      return "DN";
    case IdType::general_name:
      return "general name";
    case IdType::key_id:
      return "key ID";
  }
  return "identity of type " + std::to_string(static_cast<unsigned>(type));
}

}  // namespace causeway::ike

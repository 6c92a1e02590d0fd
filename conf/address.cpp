#include "conf/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace causeway::conf {
namespace {

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmpV6 = 58;

constexpr std::uint8_t full_length(Family family) { return family == Family::v4 ? 32 : 128; }

// The bits of octet `index` that a prefix of `length` bits fixes.
std::uint8_t mask_octet(std::uint8_t length, std::size_t index) {
  const int bits = std::clamp(static_cast<int>(length) - static_cast<int>(index) * 8, 0, 8);
  return static_cast<std::uint8_t>(0xff00 >> bits);
}

// Two addresses agree in their first `length` bits.
bool same_leading_bits(const IpAddress& a, const IpAddress& b, std::uint8_t length) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (((a.octets[i] ^ b.octets[i]) & mask_octet(length, i)) != 0) return false;
  }
  return true;
}

std::optional<int> small_number(std::string_view text) {
  if (text.empty() || text.size() > 3) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// OPAQUE (RFC 4301 4.4.1.1): the ports cannot be seen. It lies inside "any" and in nothing else.
bool opaque(const Selector& s) { return s.first_port > s.last_port; }
bool any_port(const Selector& s) { return s.first_port == 0 && s.last_port == 65535; }

bool ports_contain(const Selector& outer, const Selector& inner) {
  if (any_port(outer)) return true;
  if (opaque(outer) || opaque(inner)) return opaque(outer) && opaque(inner);
  return outer.first_port <= inner.first_port && inner.last_port <= outer.last_port;
}

std::string protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case 0:
      return "any";
    case kIcmp:
      return "icmp";
    case kTcp:
      return "tcp";
    case kUdp:
      return "udp";
    case kIcmpV6:
      return "icmpv6";
    default:
      return std::to_string(protocol);
  }
}

// "/80", "/80-90", for ICMP "/8" (a type) or "/8(0)" (a type and a code); empty where any port is meant.
std::string ports_text(const Selector& s) {
  if (any_port(s)) return "";
  if (opaque(s)) return "/opaque";
  if (s.protocol != kIcmp && s.protocol != kIcmpV6) {
    const std::string first = "/" + std::to_string(s.first_port);
    return s.first_port == s.last_port ? first : first + "-" + std::to_string(s.last_port);
  }
  const auto type_and_code = [](unsigned port) {
    return std::to_string(port >> 8) + "(" + std::to_string(port & 0xff) + ")";
  };
  if (s.first_port == s.last_port) return "/" + type_and_code(s.first_port);
  if ((s.first_port & 0xff) == 0 && s.last_port == (s.first_port | 0xff)) {
    return "/" + std::to_string(s.first_port >> 8);
  }
  return "/" + type_and_code(s.first_port) + "-" + type_and_code(s.last_port);
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.empty() || text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  IpAddress result;
  if (inet_pton(AF_INET, terminated.c_str(), result.octets.data()) == 1) return result;
  result.octets.fill(0);
  result.family = Family::v6;
  if (inet_pton(AF_INET6, terminated.c_str(), result.octets.data()) == 1) return result;
  return std::nullopt;
}

IpAddress IpAddress::from_v4(std::uint32_t host_order) {
  IpAddress result;
  for (std::size_t i = 0; i < 4; ++i) result.octets[i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return result;
}

IpAddress IpAddress::from_octets(std::span<const std::uint8_t> network_order) {
  IpAddress result;
  result.family = network_order.size() > 4 ? Family::v6 : Family::v4;
  std::copy_n(network_order.begin(), std::min(network_order.size(), result.size()), result.octets.begin());
  return result;
}

std::uint32_t IpAddress::v4() const {
  return static_cast<std::uint32_t>(octets[0]) << 24 | static_cast<std::uint32_t>(octets[1]) << 16 |
         static_cast<std::uint32_t>(octets[2]) << 8 | octets[3];
}

bool IpAddress::is_unspecified() const {
  return std::ranges::all_of(bytes(), [](std::uint8_t octet) { return octet == 0; });
}

std::string IpAddress::str() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(family == Family::v4 ? AF_INET : AF_INET6, octets.data(), text.data(), text.size());
  return text.data();
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  Prefix result{*address, full_length(address->family)};
  if (slash == std::string_view::npos) return result;
  const auto length = small_number(text.substr(slash + 1));
  if (!length || *length > result.length) return std::nullopt;
  result.length = static_cast<std::uint8_t>(*length);
  return result;
}

Prefix Prefix::network() const { return {first(), length}; }

bool Prefix::contains(const IpAddress& a) const {
  return a.family == address.family && same_leading_bits(a, address, length);
}

bool Prefix::contains(const Prefix& inner) const { return inner.length >= length && contains(inner.address); }

bool Prefix::overlaps(const Prefix& other) const { return contains(other) || other.contains(*this); }

IpAddress Prefix::first() const {
  IpAddress result = address;
  for (std::size_t i = 0; i < result.size(); ++i) result.octets[i] &= mask_octet(length, i);
  return result;
}

IpAddress Prefix::last() const {
  IpAddress result = address;
  for (std::size_t i = 0; i < result.size(); ++i) {
    result.octets[i] |= static_cast<std::uint8_t>(~mask_octet(length, i));
  }
  return result;
}

std::string Prefix::str() const { return address.str() + "/" + std::to_string(length); }

Selector Selector::of(const Prefix& p) { return {.first = p.first(), .last = p.last()}; }

bool Selector::contains(const IpAddress& a) const { return a.family == first.family && first <= a && a <= last; }

bool Selector::contains(const Selector& inner) const {
  return contains(inner.first) && contains(inner.last) && (protocol == 0 || protocol == inner.protocol) &&
         ports_contain(*this, inner);
}

std::optional<Selector> Selector::intersect(const Selector& other) const {
  if (first.family != other.first.family) return std::nullopt;
  if (protocol != 0 && other.protocol != 0 && protocol != other.protocol) return std::nullopt;
  Selector result{.first = std::max(first, other.first),
                  .last = std::min(last, other.last),
                  .protocol = protocol != 0 ? protocol : other.protocol};
  if (result.last < result.first) return std::nullopt;
  if (ports_contain(*this, other)) {
    result.first_port = other.first_port;
    result.last_port = other.last_port;
  } else if (ports_contain(other, *this)) {
    result.first_port = first_port;
    result.last_port = last_port;
  } else {
    if (opaque(*this) || opaque(other)) return std::nullopt;
    result.first_port = std::max(first_port, other.first_port);
    result.last_port = std::min(last_port, other.last_port);
    if (result.first_port > result.last_port) return std::nullopt;
  }
  return result;
}

std::optional<Prefix> Selector::as_prefix() const {
  if (first.family != last.family) return std::nullopt;
  std::uint8_t common = 0;
  while (common < full_length(first.family) && same_leading_bits(first, last, common + 1)) ++common;
  const Prefix candidate{first, common};
  if (candidate.first() != first || candidate.last() != last) return std::nullopt;
  return candidate;
}

std::string Selector::str() const {
  const auto prefix = as_prefix();
  std::string text = prefix ? prefix->str() : first.str() + "-" + last.str();
  if (protocol != 0 || !any_port(*this)) text += "[" + protocol_name(protocol) + ports_text(*this) + "]";
  return text;
}

std::string Endpoint::str() const {
  const std::string text = address.family == Family::v4 ? address.str() : "[" + address.str() + "]";
  return text + ":" + std::to_string(port);
}

}  // namespace causeway::conf

// IP addresses, prefixes, ports ranges and traffic selectors: the value types every room shares.
//
// Shapes: an IpAddress holds either family; octets are in network order; IPv4 uses the first four.
// Everything here is a plain value: comparable, hashable by its octets, without ownership.
// Source: RFC 4291 (IPv6), RFC 4632 (prefixes), RFC 7296 3.13 (traffic selectors).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::conf {

enum class Family : std::uint8_t { v4 = 4, v6 = 6 };

struct IpAddress {
  Family family = Family::v4;
  std::array<std::uint8_t, 16> octets{};  // network order; IPv4 in octets[0..3], the rest zero

  static std::optional<IpAddress> parse(std::string_view text);  // "10.1.2.3" or "2001:db8::1"
  static IpAddress from_v4(std::uint32_t host_order);
  static IpAddress from_octets(std::span<const std::uint8_t> network_order);  // 4 or 16 octets

  [[nodiscard]] std::uint32_t v4() const;  // host order; meaningful for Family::v4 only
  [[nodiscard]] std::size_t size() const { return family == Family::v4 ? 4 : 16; }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {octets.data(), size()}; }
  [[nodiscard]] bool is_unspecified() const;  // 0.0.0.0 or ::
  [[nodiscard]] std::string str() const;

  auto operator<=>(const IpAddress&) const = default;  // by family, then as a big-endian number
};

struct Prefix {
  IpAddress address;        // host bits are zero where a Prefix stands for a network
  std::uint8_t length = 0;  // 0..32 or 0..128

  // "10.1.0.0/16"; a bare address is /32 or /128. Host bits are kept (a port's own address has them).
  static std::optional<Prefix> parse(std::string_view text);

  [[nodiscard]] Prefix network() const;  // the same with host bits cleared
  [[nodiscard]] bool contains(const IpAddress& a) const;
  [[nodiscard]] bool contains(const Prefix& inner) const;
  [[nodiscard]] bool overlaps(const Prefix& other) const;
  [[nodiscard]] IpAddress first() const;
  [[nodiscard]] IpAddress last() const;
  [[nodiscard]] std::string str() const;

  auto operator<=>(const Prefix&) const = default;
};

// One side of a security policy: an address range with a protocol and a port range.
// As RFC 7296 3.13.1: protocol 0 means any; ports are host order, 0-65535 means any;
// start_port 65535 with end_port 0 means OPAQUE. For ICMP, ports are type << 8 | code.
struct Selector {
  IpAddress first;
  IpAddress last;  // inclusive, of the same family as first
  std::uint8_t protocol = 0;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 65535;

  static Selector of(const Prefix& p);

  [[nodiscard]] bool contains(const IpAddress& a) const;
  [[nodiscard]] bool contains(const Selector& inner) const;
  // The largest selector inside both, or nothing where they do not meet (RFC 7296 2.9).
  [[nodiscard]] std::optional<Selector> intersect(const Selector& other) const;
  [[nodiscard]] std::optional<Prefix> as_prefix() const;  // where the range is exactly one prefix
  [[nodiscard]] std::string str() const;                  // "10.1.0.0/16", "10.1.0.1-10.1.0.9[tcp/80]"

  auto operator<=>(const Selector&) const = default;
};

// What a pair of SAs carries: anything from one of `local` to one of `remote`, and back.
struct SelectorSet {
  std::vector<Selector> local;
  std::vector<Selector> remote;
  bool operator==(const SelectorSet&) const = default;
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;  // host order
  [[nodiscard]] std::string str() const;  // "198.51.100.7:500", "[2001:db8::1]:500"
  auto operator<=>(const Endpoint&) const = default;
};

}  // namespace causeway::conf

// Packets for tests, octet by octet: built and taken apart without any code or header of the product's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace causeway::test {

using Bytes = std::vector<std::uint8_t>;
using MacAddress = std::vector<std::uint8_t>;  // six octets

Bytes mac_address(const std::string& text);                                             // "02:00:00:00:00:01"
Bytes ip_address(const std::string& text);                                              // "10.1.2.3": four octets
std::uint16_t checksum(std::span<const std::uint8_t> octets, std::uint32_t start = 0);  // RFC 1071

struct Ipv4Fields {
  std::string source, destination;
  std::uint8_t protocol = 17, ttl = 64, tos = 0;
  std::uint16_t id = 1, fragment = 0;  // flags and offset as on the wire
  Bytes options = {};                  // a multiple of four octets
};
Bytes ethernet(const Bytes& destination, const Bytes& source, std::uint16_t type, std::span<const std::uint8_t> body);
Bytes ipv4(const Ipv4Fields& fields, std::span<const std::uint8_t> body);
// With its checksum; `addresses` for the pseudo header.
Bytes udp(const Ipv4Fields& addresses, std::uint16_t source_port, std::uint16_t destination_port,
          std::span<const std::uint8_t> body);
Bytes udp_packet(const Ipv4Fields& fields, std::uint16_t source_port, std::uint16_t destination_port,
                 std::span<const std::uint8_t> body);
Bytes icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest, std::span<const std::uint8_t> body);
Bytes arp(bool request, const Bytes& sender_mac, const std::string& sender, const Bytes& target_mac,
          const std::string& target);
// IPv6 (RFC 8200). Addresses in full: eight groups of hexadecimal digits, or with one "::".
Bytes ipv6_address(const std::string& text);
struct Ipv6Fields {
  std::string source, destination;
  std::uint8_t next_header = 17, hop_limit = 64, traffic_class = 0;
};
Bytes ipv6(const Ipv6Fields& fields, std::span<const std::uint8_t> body);
Bytes udp6_packet(const Ipv6Fields& fields, std::uint16_t source_port, std::uint16_t destination_port,
                  std::span<const std::uint8_t> body);
Bytes icmp6_packet(const Ipv6Fields& fields, std::uint8_t type, std::uint8_t code, std::uint32_t rest,
                   std::span<const std::uint8_t> body);
std::vector<Bytes> fragments6_of(const Bytes& packet, std::size_t payload, std::uint32_t id);
bool sound_ipv6(std::span<const std::uint8_t> packet);  // length, and the checksum of ICMPv6 and UDP

Bytes text(const std::string& s);
Bytes counting(std::size_t octets);  // 0, 1, 2, ...

// The fragments of an IPv4 packet, each with at most `payload` octets (a multiple of eight) behind its header.
std::vector<Bytes> fragments_of(const Bytes& packet, std::size_t payload);

// Whether the IPv4 header of `packet` and, for ICMP and UDP, the checksum of what it carries hold.
bool sound_ipv4(std::span<const std::uint8_t> packet);

}  // namespace causeway::test

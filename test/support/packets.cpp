#include "test/support/packets.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace causeway::test {
namespace {

void put16(Bytes& b, std::size_t at, std::uint16_t v) {
  b[at] = static_cast<std::uint8_t>(v >> 8);
  b[at + 1] = static_cast<std::uint8_t>(v);
}
std::uint16_t get16(std::span<const std::uint8_t> b, std::size_t at) {
  return static_cast<std::uint16_t>(b[at] << 8 | b[at + 1]);
}
std::uint32_t pseudo_sum(std::span<const std::uint8_t> addresses, std::uint8_t protocol, std::size_t length) {
  std::uint32_t sum = protocol + static_cast<std::uint32_t>(length);
  for (std::size_t i = 0; i < addresses.size(); i += 2) sum += get16(addresses, i);
  return sum;
}

}  // namespace

Bytes mac_address(const std::string& text) {
  unsigned v[6];
  if (std::sscanf(text.c_str(), "%x:%x:%x:%x:%x:%x", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) != 6)
    throw std::invalid_argument(text);
  return {std::begin(v), std::end(v)};
}

Bytes ip_address(const std::string& text) {
  unsigned v[4];
  if (std::sscanf(text.c_str(), "%u.%u.%u.%u", &v[0], &v[1], &v[2], &v[3]) != 4) throw std::invalid_argument(text);
  return {std::begin(v), std::end(v)};
}

std::uint16_t checksum(std::span<const std::uint8_t> octets, std::uint32_t start) {
  std::uint64_t sum = start;
  for (std::size_t i = 0; i < octets.size(); i += 2)
    sum += static_cast<std::uint64_t>(octets[i]) << 8 | (i + 1 < octets.size() ? octets[i + 1] : 0);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

Bytes ethernet(const Bytes& destination, const Bytes& source, std::uint16_t type, std::span<const std::uint8_t> body) {
  Bytes out = destination;
  out.insert(out.end(), source.begin(), source.end());
  out.push_back(static_cast<std::uint8_t>(type >> 8));
  out.push_back(static_cast<std::uint8_t>(type));
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

Bytes ipv4(const Ipv4Fields& f, std::span<const std::uint8_t> body) {
  Bytes out(20);
  out[0] = static_cast<std::uint8_t>(0x45 + f.options.size() / 4);
  out[1] = f.tos;
  put16(out, 2, static_cast<std::uint16_t>(20 + f.options.size() + body.size()));
  put16(out, 4, f.id);
  put16(out, 6, f.fragment);
  out[8] = f.ttl;
  out[9] = f.protocol;
  const Bytes from = ip_address(f.source), to = ip_address(f.destination);
  std::copy(from.begin(), from.end(), out.begin() + 12);
  std::copy(to.begin(), to.end(), out.begin() + 16);
  out.insert(out.end(), f.options.begin(), f.options.end());
  put16(out, 10, checksum(out));
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

Bytes udp(const Ipv4Fields& f, std::uint16_t source_port, std::uint16_t destination_port,
          std::span<const std::uint8_t> body) {
  Bytes out(8);
  put16(out, 0, source_port);
  put16(out, 2, destination_port);
  put16(out, 4, static_cast<std::uint16_t>(8 + body.size()));
  out.insert(out.end(), body.begin(), body.end());
  Bytes addresses = ip_address(f.source);
  const Bytes to = ip_address(f.destination);
  addresses.insert(addresses.end(), to.begin(), to.end());
  const std::uint16_t sum = checksum(out, pseudo_sum(addresses, 17, out.size()));
  put16(out, 6, sum == 0 ? 0xffff : sum);
  return out;
}

Bytes udp_packet(const Ipv4Fields& f, std::uint16_t source_port, std::uint16_t destination_port,
                 std::span<const std::uint8_t> body) {
  return ipv4(f, udp(f, source_port, destination_port, body));
}

Bytes icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest, std::span<const std::uint8_t> body) {
  Bytes out{type, code, 0, 0};
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(rest >> shift));
  out.insert(out.end(), body.begin(), body.end());
  put16(out, 2, checksum(out));
  return out;
}

Bytes arp(bool request, const Bytes& sender_mac, const std::string& sender, const Bytes& target_mac,
          const std::string& target) {
  Bytes out{0, 1, 8, 0, 6, 4, 0, static_cast<std::uint8_t>(request ? 1 : 2)};
  const Bytes from = ip_address(sender), to = ip_address(target);
  out.insert(out.end(), sender_mac.begin(), sender_mac.end());
  out.insert(out.end(), from.begin(), from.end());
  out.insert(out.end(), target_mac.begin(), target_mac.end());
  out.insert(out.end(), to.begin(), to.end());
  return out;
}

Bytes ipv6_address(const std::string& text) {
  std::vector<unsigned> head, tail;
  std::vector<unsigned>* side = &head;
  for (std::size_t at = 0; at < text.size();) {
    if (text.compare(at, 2, "::") == 0) {
      side = &tail;
      at += 2;
      continue;
    }
    if (text[at] == ':') ++at;
    std::size_t used = 0;
    side->push_back(static_cast<unsigned>(std::stoul(text.substr(at), &used, 16)));
    at += used;
  }
  head.resize(8 - tail.size());
  head.insert(head.end(), tail.begin(), tail.end());
  Bytes out;
  for (const unsigned group : head) {
    out.push_back(static_cast<std::uint8_t>(group >> 8));
    out.push_back(static_cast<std::uint8_t>(group));
  }
  return out;
}

Bytes ipv6(const Ipv6Fields& f, std::span<const std::uint8_t> body) {
  Bytes out{static_cast<std::uint8_t>(0x60 | f.traffic_class >> 4),
            static_cast<std::uint8_t>(f.traffic_class << 4),
            0,
            0,
            0,
            0,
            f.next_header,
            f.hop_limit};
  put16(out, 4, static_cast<std::uint16_t>(body.size()));
  const Bytes from = ipv6_address(f.source), to = ipv6_address(f.destination);
  out.insert(out.end(), from.begin(), from.end());
  out.insert(out.end(), to.begin(), to.end());
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

Bytes udp6_packet(const Ipv6Fields& f, std::uint16_t source_port, std::uint16_t destination_port,
                  std::span<const std::uint8_t> body) {
  Bytes upper(8);
  put16(upper, 0, source_port);
  put16(upper, 2, destination_port);
  put16(upper, 4, static_cast<std::uint16_t>(8 + body.size()));
  upper.insert(upper.end(), body.begin(), body.end());
  Bytes packet = ipv6(f, upper);
  const std::uint16_t sum = checksum(upper, pseudo_sum(std::span(packet).subspan(8, 32), 17, upper.size()));
  put16(packet, 46, sum == 0 ? 0xffff : sum);
  return packet;
}

Bytes icmp6_packet(const Ipv6Fields& f, std::uint8_t type, std::uint8_t code, std::uint32_t rest,
                   std::span<const std::uint8_t> body) {
  Bytes upper{type, code, 0, 0};
  for (int shift = 24; shift >= 0; shift -= 8) upper.push_back(static_cast<std::uint8_t>(rest >> shift));
  upper.insert(upper.end(), body.begin(), body.end());
  Ipv6Fields fields = f;
  fields.next_header = 58;
  Bytes packet = ipv6(fields, upper);
  put16(packet, 42, checksum(upper, pseudo_sum(std::span(packet).subspan(8, 32), 58, upper.size())));
  return packet;
}

std::vector<Bytes> fragments6_of(const Bytes& packet, std::size_t payload, std::uint32_t id) {
  std::vector<Bytes> out;
  for (std::size_t offset = 0; 40 + offset < packet.size(); offset += payload) {
    const std::size_t n = std::min(payload, packet.size() - 40 - offset);
    const bool more = 40 + offset + n < packet.size();
    Bytes piece(packet.begin(), packet.begin() + 40);
    piece.insert(piece.end(), {packet[6], 0, 0, 0});
    for (int shift = 24; shift >= 0; shift -= 8) piece.push_back(static_cast<std::uint8_t>(id >> shift));
    put16(piece, 42, static_cast<std::uint16_t>(offset | (more ? 1U : 0U)));
    piece[6] = 44;
    put16(piece, 4, static_cast<std::uint16_t>(8 + n));
    piece.insert(piece.end(), packet.begin() + static_cast<std::ptrdiff_t>(40 + offset),
                 packet.begin() + static_cast<std::ptrdiff_t>(40 + offset + n));
    out.push_back(piece);
  }
  return out;
}

bool sound_ipv6(std::span<const std::uint8_t> p) {
  if (p.size() < 40 || p[0] >> 4 != 6 || get16(p, 4) + 40U != p.size()) return false;
  if (p[6] != 58 && p[6] != 17) return true;
  const auto body = p.subspan(40);
  return body.size() >= 8 && checksum(body, pseudo_sum(p.subspan(8, 32), p[6], body.size())) == 0;
}

Bytes text(const std::string& s) { return {s.begin(), s.end()}; }

Bytes counting(std::size_t octets) {
  Bytes out(octets);
  for (std::size_t i = 0; i < octets; ++i) out[i] = static_cast<std::uint8_t>(i);
  return out;
}

std::vector<Bytes> fragments_of(const Bytes& packet, std::size_t payload) {
  const std::size_t header = (packet[0] & 15U) * 4;
  std::vector<Bytes> out;
  for (std::size_t offset = 0; header + offset < packet.size(); offset += payload) {
    const std::size_t n = std::min(payload, packet.size() - header - offset);
    Bytes piece(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(header));
    piece.insert(piece.end(), packet.begin() + static_cast<std::ptrdiff_t>(header + offset),
                 packet.begin() + static_cast<std::ptrdiff_t>(header + offset + n));
    const bool more = header + offset + n < packet.size();
    put16(piece, 2, static_cast<std::uint16_t>(header + n));
    put16(piece, 6, static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000 : 0)));
    put16(piece, 10, 0);
    put16(piece, 10, checksum(std::span(piece).first(header)));
    out.push_back(piece);
  }
  return out;
}

bool sound_ipv4(std::span<const std::uint8_t> p) {
  if (p.size() < 20 || p[0] >> 4 != 4) return false;
  const std::size_t header = (p[0] & 15U) * 4;
  if (header < 20 || p.size() < header || get16(p, 2) != p.size() || checksum(p.first(header)) != 0) return false;
  const auto body = p.subspan(header);
  if ((get16(p, 6) & 0x3fff) != 0) return true;
  if (p[9] == 1) return body.size() >= 8 && checksum(body) == 0;
  if (p[9] != 17) return true;
  if (body.size() < 8 || get16(body, 4) != body.size()) return false;
  return get16(body, 6) == 0 || checksum(body, pseudo_sum(p.subspan(12, 8), 17, body.size())) == 0;
}

}  // namespace causeway::test

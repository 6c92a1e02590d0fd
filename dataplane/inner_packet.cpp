#include "dataplane/inner_packet.h"

namespace causeway::dataplane {

namespace {

using Octets = std::span<const std::uint8_t>;

std::uint16_t be16(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] << 8 | p[1]); }

void read_ports(Octets upper, InnerPacket& packet) {
  switch (packet.protocol) {
    case 6:
    case 17:
    case 33:
    case 132:
    case 136:  // TCP, UDP, DCCP, SCTP, UDP-Lite
      if (upper.size() < 4) return;
      packet.source_port = be16(upper.data());
      packet.destination_port = be16(upper.data() + 2);
      packet.ports_known = true;
      return;
    case 1:
    case 58:  // ICMP: type and code
      if (upper.size() < 2) return;
      packet.source_port = packet.destination_port = be16(upper.data());
      packet.ports_known = true;
      return;
    case 135:  // Mobility Header: its type, RFC 4301 4.4.1.1
      if (upper.size() < 3) return;
      packet.source_port = packet.destination_port = static_cast<std::uint16_t>(upper[2] << 8);
      packet.ports_known = true;
      return;
    default:
      return;
  }
}

enum class Extent { whole, quoted };  // a quotation may end before the packet does

std::optional<InnerPacket> parse_v4(Octets octets, Extent extent) {
  if (octets.size() < 20) return std::nullopt;
  InnerPacket packet;
  packet.version = 4;
  const std::uint32_t header = (octets[0] & 15U) * 4U;
  packet.total = be16(&octets[2]);
  if (extent == Extent::quoted && packet.total > octets.size())
    packet.total = static_cast<std::uint32_t>(octets.size());
  if (header < 20 || packet.total < header || packet.total > octets.size()) return std::nullopt;
  packet.protocol = octets[9];
  packet.source = &octets[12];
  packet.destination = &octets[16];
  packet.upper_offset = header;
  const std::uint16_t fragment = be16(&octets[6]);
  packet.fragment = (fragment & 0x3fff) != 0;
  if ((fragment & 0x1fff) == 0) read_ports(octets.subspan(header, packet.total - header), packet);
  return packet;
}

std::optional<InnerPacket> parse_v6(Octets octets, Extent extent) {
  constexpr std::uint32_t kHeader = 40;
  constexpr int kMaxExtensions = 8;
  if (octets.size() < kHeader) return std::nullopt;
  InnerPacket packet;
  packet.version = 6;
  packet.total = kHeader + be16(&octets[4]);
  if (extent == Extent::quoted && packet.total > octets.size())
    packet.total = static_cast<std::uint32_t>(octets.size());
  if (packet.total > octets.size()) return std::nullopt;
  packet.source = &octets[8];
  packet.destination = &octets[24];
  std::uint8_t next = octets[6];
  std::uint32_t at = kHeader;
  bool later_fragment = false;
  for (int i = 0; i < kMaxExtensions && !later_fragment; ++i) {
    const bool options = next == 0 || next == 43 || next == 60;  // hop-by-hop, routing, destination options
    const bool authentication = next == 51;
    const bool fragment = next == 44;
    if (!options && !authentication && !fragment) break;
    if (packet.total - at < 8) return std::nullopt;
    const std::uint32_t length = fragment         ? 8U
                                 : authentication ? (octets[at + 1] + 2U) * 4U
                                                  : (octets[at + 1] + 1U) * 8U;
    if (length > packet.total - at) return std::nullopt;
    if (fragment) {
      packet.fragment = true;
      later_fragment = (be16(&octets[at + 2]) & 0xfff8) != 0;
    }
    next = octets[at];
    at += length;
  }
  packet.protocol = next;
  packet.upper_offset = at;
  if (!later_fragment) read_ports(octets.subspan(at, packet.total - at), packet);
  return packet;
}

std::optional<InnerPacket> parse(Octets octets, Extent extent) {
  if (octets.empty()) return std::nullopt;
  switch (octets[0] >> 4) {
    case 4:
      return parse_v4(octets, extent);
    case 6:
      return parse_v6(octets, extent);
    default:
      return std::nullopt;
  }
}

bool is_icmp_error(const InnerPacket& packet, std::uint8_t type) {
  if (packet.version == 6) return packet.protocol == 58 && type < 128;
  constexpr std::uint8_t kUnreachable = 3, kSourceQuench = 4, kTimeExceeded = 11, kParameterProblem = 12;
  return packet.protocol == 1 &&
         (type == kUnreachable || type == kSourceQuench || type == kTimeExceeded || type == kParameterProblem);
}

}  // namespace

std::optional<InnerPacket> parse_inner(Octets octets) { return parse(octets, Extent::whole); }

std::optional<InnerPacket> parse_start(Octets octets) { return parse(octets, Extent::quoted); }

std::optional<InnerPacket> parse_quoted(const InnerPacket& packet, Octets octets) {
  constexpr std::uint32_t kIcmpHeader = 8;
  if (!packet.ports_known || packet.total > octets.size() || packet.total - packet.upper_offset < kIcmpHeader)
    return std::nullopt;
  if (!is_icmp_error(packet, octets[packet.upper_offset])) return std::nullopt;
  return parse(octets.subspan(packet.upper_offset + kIcmpHeader), Extent::quoted);
}

}  // namespace causeway::dataplane

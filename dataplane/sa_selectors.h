// Selectors of an SA in the form its worker compares: IPv4 as host-order numbers, IPv6 as octets.
// Semantics as conf::Selector (RFC 7296 3.13.1, RFC 4301 4.4.1.1).
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "conf/address.h"
#include "dataplane/inner_packet.h"

namespace causeway::dataplane {

struct CompactSelector {
  std::uint32_t first_v4 = 0, last_v4 = 0;  // host order
  std::uint8_t first_v6[16] = {}, last_v6[16] = {};
  std::uint16_t first_port = 0, last_port = 65535;
  std::uint8_t family = 4;
  std::uint8_t protocol = 0;  // 0: any

  static CompactSelector of(const conf::Selector& s);

  // `address` in network order, of `packet.version`'s size. Ports that cannot be known (a later fragment,
  // a protocol without ports) match selectors for any port or for OPAQUE ones only (RFC 4301 7).
  [[nodiscard]] bool takes(const InnerPacket& packet, const std::uint8_t* address, std::uint16_t port) const {
    if (family != packet.version) return false;
    if (family == 4) {
      std::uint32_t a;
      std::memcpy(&a, address, 4);
      a = __builtin_bswap32(a);
      if (a < first_v4 || a > last_v4) return false;
    } else if (std::memcmp(address, first_v6, 16) < 0 || std::memcmp(address, last_v6, 16) > 0) {
      return false;
    }
    if (protocol != 0 && protocol != packet.protocol) return false;
    if (first_port == 0 && last_port == 65535) return true;
    if (first_port > last_port) return !packet.ports_known;  // OPAQUE
    return packet.ports_known && port >= first_port && port <= last_port;
  }
};

inline bool any_takes(std::span<const CompactSelector> side, const InnerPacket& packet, const std::uint8_t* address,
                      std::uint16_t port) {
  for (const CompactSelector& s : side)
    if (s.takes(packet, address, port)) return true;
  return false;
}

}  // namespace causeway::dataplane

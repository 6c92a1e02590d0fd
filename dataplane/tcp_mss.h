// TCP's maximum segment size, clamped in passing SYNs so that no segment needs a fragment inside the
// tunnel (RFC 9293 3.7.1; RFC 4459 3.2). Both directions: either end's offer bounds what the other sends.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/ip_header.h"

namespace causeway::dataplane {

// Lowers the MSS option of a SYN to `mss`, mending the checksum; a SYN without the option is left alone
// (its sender takes 536 or 1220). `m` starts at its IP header.
enum class Clamped : std::uint8_t { no_syn, unchanged, lowered };
Clamped clamp_mss(rte_mbuf* m, const IpHeader& ip, std::uint16_t mss);

// What a tunnel of that inner MTU carries in one segment without TCP options.
inline std::uint16_t mss_of(std::uint32_t inner_mtu, conf::Family family) {
  const std::uint32_t headers = family == conf::Family::v4 ? 40 : 60;
  return static_cast<std::uint16_t>(inner_mtu > headers ? inner_mtu - headers : 0);
}

}  // namespace causeway::dataplane

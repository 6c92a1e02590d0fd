// What ESP costs in octets, and so how large a packet a tunnel takes: for ICMP's next-hop MTU, the TCP
// MSS, and operators. RFC 4303 2, RFC 3948 2.1.
#pragma once

#include <cstdint>

#include "conf/address.h"
#include "crypto/algorithms.h"

namespace causeway::dataplane {

struct EspSizes {
  std::uint8_t iv = 0, block = 4, icv = 0;
  static EspSizes of(const crypto::EspSuite& suite);  // zeros where the table has no such suite
};

// Octets of the outer IP packet that carries `inner` octets.
std::uint32_t outer_size(std::uint32_t inner, const EspSizes& sizes, bool udp_encap, conf::Family outer);

// The largest inner packet whose outer one fits into `outer_mtu`; 0 where none does.
std::uint32_t inner_mtu(std::uint32_t outer_mtu, const EspSizes& sizes, bool udp_encap, conf::Family outer);

}  // namespace causeway::dataplane

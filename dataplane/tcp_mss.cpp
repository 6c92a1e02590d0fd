#include "dataplane/tcp_mss.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint16_t kTcpHeader = 20;
constexpr std::uint8_t kSyn = 0x02, kEnd = 0, kNop = 1, kMss = 2, kMssLength = 4;

// RFC 1624 3, for one 16-bit word at an even offset of the segment; `odd`: the word straddles two.
void mend_checksum(std::uint8_t* checksum, std::uint16_t before, std::uint16_t after, bool odd) {
  if (odd) {
    before = static_cast<std::uint16_t>(before << 8 | before >> 8);
    after = static_cast<std::uint16_t>(after << 8 | after >> 8);
  }
  std::uint32_t sum = static_cast<std::uint16_t>(~be16(checksum));
  sum += static_cast<std::uint16_t>(~before);
  sum += after;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  put_be16(checksum, static_cast<std::uint16_t>(~sum));
}

}  // namespace

Clamped clamp_mss(rte_mbuf* m, const IpHeader& ip, std::uint16_t mss) {
  if (ip.protocol != kProtocolTcp || ip.later_fragment) return Clamped::no_syn;
  const std::uint32_t there = rte_pktmbuf_data_len(m);
  if (there < std::uint32_t{ip.upper} + kTcpHeader) return Clamped::no_syn;
  auto* tcp = at<std::uint8_t>(m, ip.upper);
  if ((tcp[13] & kSyn) == 0) return Clamped::no_syn;
  const std::uint32_t header = (tcp[12] >> 4) * 4U;
  if (header < kTcpHeader || there < ip.upper + header) return Clamped::unchanged;
  for (std::uint32_t i = kTcpHeader; i < header && tcp[i] != kEnd;) {
    if (tcp[i] == kNop) {
      ++i;
      continue;
    }
    if (i + 2 > header || tcp[i + 1] < 2 || i + tcp[i + 1] > header) return Clamped::unchanged;
    if (tcp[i] == kMss && tcp[i + 1] == kMssLength) {
      const std::uint16_t offered = be16(tcp + i + 2);
      if (offered <= mss) return Clamped::unchanged;
      put_be16(tcp + i + 2, mss);
      mend_checksum(tcp + 16, offered, mss, (i & 1) != 0);
      return Clamped::lowered;
    }
    i += tcp[i + 1];
  }
  return Clamped::unchanged;
}

}  // namespace causeway::dataplane

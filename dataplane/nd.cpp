#include "dataplane/nd.h"

#include "dataplane/ip_header.h"
#include "dataplane/packet.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint8_t kSolicitation = 135, kAdvertisement = 136, kSourceOption = 1, kTargetOption = 2;
constexpr std::uint8_t kSolicitedFlag = 0x40, kOverrideFlag = 0x20;
constexpr std::uint16_t kMessage = 24, kOption = 8;

// The link-layer address option of that type; false where the options are malformed.
bool read_options(const std::uint8_t* option, std::uint32_t length, std::uint8_t type, std::optional<Mac>& out) {
  while (length > 0) {
    const std::uint32_t size = length < 2 ? 0 : option[1] * 8U;
    if (size == 0 || size > length) return false;
    if (option[0] == type && size == kOption) {
      out.emplace();
      std::memcpy(out->data(), option + 2, 6);
    }
    option += size;
    length -= size;
  }
  return true;
}

}  // namespace

std::optional<NdMessage> parse_nd(rte_mbuf* frame) {
  const std::uint16_t offset = meta(frame).l3_offset;
  const auto ip = read_ip(frame, offset);
  if (!ip || ip->family != conf::Family::v6 || ip->protocol != kProtocolIcmp6 || ip->hop_limit != 255 || ip->fragment)
    return std::nullopt;
  const auto start = static_cast<std::uint16_t>(offset + ip->upper);
  const std::uint32_t length = ip->total - ip->upper;
  if (length < kMessage || rte_pktmbuf_data_len(frame) < start + length ||
      !upper_checksum_holds(frame, *ip, start, length, kProtocolIcmp6))
    return std::nullopt;
  const auto* icmp = at<std::uint8_t>(frame, start);
  if ((icmp[0] != kSolicitation && icmp[0] != kAdvertisement) || icmp[1] != 0 || icmp[8] == 0xff) return std::nullopt;
  NdMessage out;
  out.solicitation = icmp[0] == kSolicitation;
  out.solicited = !out.solicitation && (icmp[4] & kSolicitedFlag) != 0;
  out.override_known = !out.solicitation && (icmp[4] & kOverrideFlag) != 0;
  out.source = ip->source_address();
  out.destination = ip->destination_address();
  out.target = address_v6(icmp + 8);
  if (!read_options(icmp + kMessage, length - kMessage, out.solicitation ? kSourceOption : kTargetOption,
                    out.link_address))
    return std::nullopt;
  if (out.source.is_unspecified() && (!out.solicitation || out.link_address)) return std::nullopt;  // RFC 4861 7.1.1
  if (out.solicited && out.destination.octets[0] == 0xff) return std::nullopt;                      // 7.1.2
  return out;
}

PacketPtr make_nd(rte_mempool* pool, const Mac& own, const NdMessage& message) {
  PacketPtr m(rte_pktmbuf_alloc(pool));
  if (!m) return m;
  constexpr std::uint16_t kPayload = kMessage + kOption;
  auto* bytes = reinterpret_cast<std::uint8_t*>(rte_pktmbuf_append(m.get(), kIpv6Header + kPayload));
  if (bytes == nullptr) return nullptr;
  std::memset(bytes, 0, kIpv6Header + kPayload);
  bytes[0] = 0x60;
  put_be16(bytes + 4, kPayload);
  bytes[6] = kProtocolIcmp6;
  bytes[7] = 255;
  std::memcpy(bytes + 8, message.source.octets.data(), 16);
  std::memcpy(bytes + 24, message.destination.octets.data(), 16);
  std::uint8_t* icmp = bytes + kIpv6Header;
  icmp[0] = message.solicitation ? kSolicitation : kAdvertisement;
  if (message.solicited) icmp[4] |= kSolicitedFlag;
  if (message.override_known) icmp[4] |= kOverrideFlag;
  std::memcpy(icmp + 8, message.target.octets.data(), 16);
  icmp[kMessage] = message.solicitation ? kSourceOption : kTargetOption;
  icmp[kMessage + 1] = 1;
  std::memcpy(icmp + kMessage + 2, own.data(), 6);
  const auto ip = read_ip(m.get(), 0);
  const std::uint16_t sum = upper_checksum(*ip, icmp, kPayload, kProtocolIcmp6);
  std::memcpy(icmp + 2, &sum, sizeof sum);
  return m;
}

conf::IpAddress solicited_node(const conf::IpAddress& target) {
  conf::IpAddress a{.family = conf::Family::v6};
  a.octets = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, target.octets[13], target.octets[14], target.octets[15]};
  return a;
}

conf::IpAddress all_nodes() {
  conf::IpAddress a{.family = conf::Family::v6};
  a.octets[0] = 0xff;
  a.octets[1] = 2;
  a.octets[15] = 1;
  return a;
}

conf::IpAddress link_local(const Mac& mac) {
  conf::IpAddress a{.family = conf::Family::v6};
  a.octets = {0xfe,   0x80,   0,    0,    0,      0,      0,     0, static_cast<std::uint8_t>(mac[0] ^ 2),
              mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
  return a;
}

Mac multicast_mac(const conf::IpAddress& multicast) {
  return {0x33, 0x33, multicast.octets[12], multicast.octets[13], multicast.octets[14], multicast.octets[15]};
}

}  // namespace causeway::dataplane

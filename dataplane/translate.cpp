#include "dataplane/translate.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "dataplane/headers.h"
#include "dataplane/icmp.h"
#include "dataplane/ip_header.h"

namespace causeway::dataplane {
namespace {

using Octets = std::array<std::uint8_t, 16>;

// Address `a` of prefix `from` as it is in `to`.
Octets moved(const std::uint8_t* a, std::size_t size, const conf::Prefix& from, const conf::Prefix& to) {
  Octets out{};
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t before = 8 * i;
    const unsigned bits = from.length <= before ? 0 : std::min<unsigned>(8, static_cast<unsigned>(from.length - before));
    const auto mask = static_cast<std::uint8_t>(0xff00U >> bits);
    out[i] = static_cast<std::uint8_t>((to.address.octets[i] & mask) | (a[i] & ~mask));
  }
  return out;
}
conf::IpAddress moved(const conf::IpAddress& a, const conf::Prefix& from, const conf::Prefix& to) {
  return {.family = a.family, .octets = moved(a.octets.data(), a.size(), from, to)};
}

bool inside(const std::uint8_t* a, const conf::Prefix& prefix) {
  return prefix.contains(conf::IpAddress::from_octets({a, prefix.address.size()}));
}

conf::IpAddress neighbor_of(conf::IpAddress a, bool above) {
  for (std::size_t i = a.size(); i-- > 0;) {
    if (above ? ++a.octets[i] != 0 : a.octets[i]-- != 0) break;
  }
  return a;
}

// What of `s` is outside of `taken`, which meets it.
void keep_outside(const conf::Selector& s, const conf::Selector& taken, std::vector<conf::Selector>& out) {
  if (s.first < taken.first) {
    out.push_back(s);
    out.back().last = neighbor_of(taken.first, false);
  }
  if (s.last > taken.last) {
    out.push_back(s);
    out.back().first = neighbor_of(taken.last, true);
  }
}

// What changed in 16-bit words, for every checksum that covers it (RFC 1624 3).
class Change {
 public:
  void replace(std::uint8_t* at, const std::uint8_t* with, std::size_t octets) {
    for (std::size_t i = 0; i < octets; i += 2) {
      sum_ += static_cast<std::uint16_t>(~be16(at + i));
      sum_ += be16(with + i);
    }
    std::memcpy(at, with, octets);
  }
  void add(const Change& other) { sum_ += other.sum_; }
  // Mends `checksum`, and counts what that changes into `also`.
  void mend(std::uint8_t* checksum, Change* also = nullptr, bool udp = false) const {
    std::uint32_t sum = static_cast<std::uint16_t>(~be16(checksum)) + sum_;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    auto value = static_cast<std::uint16_t>(~sum);
    if (udp && value == 0) value = 0xffff;  // RFC 768: zero says that there is none
    std::uint8_t mended[2];
    put_be16(mended, value);
    if (also != nullptr) {
      also->replace(checksum, mended, 2);
    } else {
      std::memcpy(checksum, mended, 2);
    }
  }

 private:
  std::uint32_t sum_ = 0;
};

// Where the upper layer's checksum over the pseudo header stands, counted from that layer; nothing where it has none.
std::optional<std::uint16_t> checksum_at(const IpHeader& ip) {
  constexpr std::uint8_t kDccp = 33, kUdpLite = 136;
  switch (ip.protocol) {
    case kProtocolTcp:
      return 16;
    case kProtocolUdp:
    case kUdpLite:
    case kDccp:
      return 6;
    case kProtocolIcmp6:
      return ip.family == conf::Family::v6 ? std::optional<std::uint16_t>(2) : std::nullopt;
    default:
      return std::nullopt;
  }
}

// Puts `with` in the place of an address of the packet at `offset` and mends its own checksums. `also` gets to know
// every change: for a packet that is quoted, what the quoting message's checksum covers.
void put_address(rte_mbuf* m, std::uint16_t offset, const IpHeader& ip, const std::uint8_t* address, const Octets& with,
                 Change* also) {
  auto* packet = at<std::uint8_t>(m, offset);
  auto* place = packet + (address - packet);
  Change change;
  change.replace(place, with.data(), ip.address_octets());
  if (also != nullptr) also->add(change);
  if (ip.family == conf::Family::v4) change.mend(packet + offsetof(rte_ipv4_hdr, hdr_checksum), also);
  const auto upper = checksum_at(ip);
  if (!upper || ip.later_fragment) return;
  const std::uint32_t field = std::uint32_t{offset} + ip.upper + *upper;
  if (rte_pktmbuf_data_len(m) < field + 2) return;  // a quotation that ends before
  auto* checksum = at<std::uint8_t>(m, static_cast<std::uint16_t>(field));
  const bool udp = ip.protocol == kProtocolUdp;
  if (udp && be16(checksum) == 0) return;
  change.mend(checksum, also, udp);
}

}  // namespace

TranslationTable::TranslationTable(std::span<const TranslationSpec> specs) {
  for (const TranslationSpec& spec : specs) pairs_[spec.tunnel].push_back({spec.real, spec.seen});
}

void TranslationTable::translate(rte_mbuf* m, TunnelId tunnel, Way way) const {
  const auto found = pairs_.find(tunnel);
  const auto ip = found == pairs_.end() ? std::nullopt : read_ip(m, 0);
  if (!ip) return;
  const auto put = [&](std::uint16_t offset, const IpHeader& header, const std::uint8_t* address, bool to_seen,
                       Change* also) {
    for (const Pair& pair : found->second) {
      const conf::Prefix &from = to_seen ? pair.real : pair.seen, &to = to_seen ? pair.seen : pair.real;
      if (from.address.family != header.family || !inside(address, from)) continue;
      put_address(m, offset, header, address, moved(address, header.address_octets(), from, to), also);
      return;
    }
  };
  const bool to_seen = way == Way::out;
  put(0, *ip, way == Way::in ? ip->destination : ip->source, to_seen, nullptr);
  if (ip->protocol != ip->icmp_protocol() || ip->later_fragment) return;
  const auto quote = static_cast<std::uint16_t>(ip->upper + 8);
  if (rte_pktmbuf_data_len(m) <= quote || !is_icmp_error(*at<std::uint8_t>(m, ip->upper), ip->family)) return;
  const auto quoted = read_ip(m, quote);
  if (!quoted || quoted->family != ip->family) return;
  Change change;
  put(quote, *quoted, way == Way::in ? quoted->source : quoted->destination, to_seen, &change);
  change.mend(at<std::uint8_t>(m, static_cast<std::uint16_t>(ip->upper + 2)));
}

std::vector<conf::Selector> TranslationTable::real_selectors(TunnelId tunnel,
                                                             const std::vector<conf::Selector>& seen) const {
  const auto found = pairs_.find(tunnel);
  if (found == pairs_.end()) return seen;
  std::vector<conf::Selector> real, rest = seen;
  for (const Pair& pair : found->second) {
    std::vector<conf::Selector> outside;
    for (const conf::Selector& s : rest) {
      const auto common = s.intersect(conf::Selector::of(pair.seen));
      if (!common) {
        outside.push_back(s);
        continue;
      }
      conf::Selector translated = *common;
      translated.first = moved(common->first, pair.seen, pair.real);
      translated.last = moved(common->last, pair.seen, pair.real);
      real.push_back(translated);
      keep_outside(s, conf::Selector::of(pair.seen), outside);
    }
    rest = std::move(outside);
  }
  real.insert(real.end(), rest.begin(), rest.end());
  return real;
}

}  // namespace causeway::dataplane

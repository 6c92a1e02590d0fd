#include "control/ikev1/vendor_ids.h"

#include <algorithm>
#include <array>

namespace causeway::ikev1 {

namespace {

using Id = std::array<std::uint8_t, 16>;

// MD5 of "RFC 3947", "draft-ietf-ipsec-nat-t-ike-03", "...-02\n" and "...-02"; RFC 3947 3.1.
constexpr Id kRfc3947{0x4a, 0x13, 0x1c, 0x81, 0x07, 0x03, 0x58, 0x45, 0x5c, 0x57, 0x28, 0xf2, 0x0e, 0x95, 0x45, 0x2f};
constexpr Id kDraft03{0x7d, 0x94, 0x19, 0xa6, 0x53, 0x10, 0xca, 0x6f, 0x2c, 0x17, 0x9d, 0x92, 0x15, 0x52, 0x9d, 0x56};
constexpr Id kDraft02n{0x90, 0xcb, 0x80, 0x91, 0x3e, 0xbb, 0x69, 0x6e, 0x08, 0x63, 0x81, 0xb5, 0xec, 0x42, 0x7b, 0x1f};
constexpr Id kDraft02{0xcd, 0x60, 0x46, 0x43, 0x35, 0xdf, 0x21, 0xf8, 0x7c, 0xfd, 0xb2, 0xfc, 0x68, 0xb6, 0xa4, 0x48};
constexpr Id kDpd{0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9, 0x6b, 0x86, 0x96, 0xfc, 0x77, 0x57, 0x01, 0x00};
// MD5 of "FRAGMENTATION"; Cisco appends four octets of capabilities.
constexpr Id kFragmentation{0x40, 0x48, 0xb7, 0xd5, 0x6e, 0xbc, 0xe8, 0x85,
                            0x25, 0xe7, 0xde, 0x7f, 0x00, 0xd6, 0xc2, 0xd3};
constexpr std::array<std::uint8_t, 4> kFragmentationBits{0x80, 0x00, 0x00, 0x00};
constexpr std::array<std::uint8_t, 8> kXauth{0x09, 0x00, 0x26, 0x89, 0xdf, 0xd6, 0xb7, 0x12};
constexpr std::array<std::uint8_t, 14> kUnity{0x12, 0xf5, 0xf2, 0x8c, 0x45, 0x71, 0x68,
                                              0xa9, 0x70, 0x2d, 0x9f, 0xe2, 0x74, 0xcc};

bool starts_with(const ike::Bytes& v, std::span<const std::uint8_t> id) {
  return v.size() >= id.size() && std::equal(id.begin(), id.end(), v.begin());
}

void add(ike::PayloadChain& chain, std::span<const std::uint8_t> id) { chain.add(ike::PayloadType::v1_vendor, id); }

void add_fragmentation(ike::PayloadChain& chain) {
  ike::Bytes id(kFragmentation.begin(), kFragmentation.end());
  id.insert(id.end(), kFragmentationBits.begin(), kFragmentationBits.end());
  add(chain, id);
}

}  // namespace

void PeerVendors::read(std::span<const ike::Bytes> vendors) {
  const auto at_least = [this](NatTraversal form) { nat_traversal = std::max(nat_traversal, form); };
  for (const ike::Bytes& v : vendors) {
    if (std::ranges::equal(v, kRfc3947)) at_least(NatTraversal::rfc3947);
    if (std::ranges::equal(v, kDraft03)) at_least(NatTraversal::draft_03);
    if (std::ranges::equal(v, kDraft02) || std::ranges::equal(v, kDraft02n)) at_least(NatTraversal::draft_02);
    // The last two octets are a version (RFC 3706 5.1).
    if (starts_with(v, std::span(kDpd).first(14))) dpd = true;
    if (starts_with(v, kFragmentation)) fragmentation = true;
    if (starts_with(v, kXauth)) xauth = true;
    if (starts_with(v, kUnity)) unity = true;
  }
}

void add_vendors(ike::PayloadChain& chain, bool fragmentation) {
  for (const Id& id : {kRfc3947, kDraft03, kDraft02n, kDraft02, kDpd}) add(chain, id);
  if (fragmentation) add_fragmentation(chain);
}

void add_vendors_for(ike::PayloadChain& chain, const PeerVendors& peer, bool fragmentation) {
  switch (peer.nat_traversal) {
    case NatTraversal::rfc3947:
      add(chain, kRfc3947);
      break;
    case NatTraversal::draft_03:
      add(chain, kDraft03);
      break;
    case NatTraversal::draft_02:
      add(chain, kDraft02n);
      add(chain, kDraft02);
      break;
    case NatTraversal::none:
      break;
  }
  if (peer.dpd) add(chain, kDpd);
  if (peer.fragmentation && fragmentation) add_fragmentation(chain);
}

}  // namespace causeway::ikev1

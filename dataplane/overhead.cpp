#include "dataplane/overhead.h"

namespace causeway::dataplane {

namespace {

constexpr std::uint32_t kTrailer = 2;  // pad length, next header

std::uint32_t fixed_octets(const EspSizes& sizes, bool udp_encap, conf::Family outer) {
  const std::uint32_t ip = outer == conf::Family::v4 ? 20 : 40;
  const std::uint32_t udp = udp_encap ? 8 : 0;
  constexpr std::uint32_t kSpiAndSequence = 8;
  return ip + udp + kSpiAndSequence + sizes.iv + sizes.icv;
}

}  // namespace

EspSizes EspSizes::of(const crypto::EspSuite& suite) {
  EspSizes sizes;
  const crypto::EncryptionInfo* cipher = crypto::find(suite.encryption, suite.key_bits);
  if (cipher == nullptr) return sizes;
  sizes.iv = cipher->iv_octets;
  sizes.block = cipher->block_octets < 4 ? std::uint8_t{4} : cipher->block_octets;
  sizes.icv = cipher->icv_octets;
  if (!cipher->aead())
    if (const crypto::IntegrityInfo* integrity = crypto::find(suite.integrity)) sizes.icv = integrity->icv_octets;
  return sizes;
}

std::uint32_t outer_size(std::uint32_t inner, const EspSizes& sizes, bool udp_encap, conf::Family outer) {
  const std::uint32_t blocks = (inner + kTrailer + sizes.block - 1) / sizes.block;
  return fixed_octets(sizes, udp_encap, outer) + blocks * sizes.block;
}

std::uint32_t inner_mtu(std::uint32_t outer_mtu, const EspSizes& sizes, bool udp_encap, conf::Family outer) {
  const std::uint32_t fixed = fixed_octets(sizes, udp_encap, outer);
  if (outer_mtu <= fixed) return 0;
  const std::uint32_t room = (outer_mtu - fixed) / sizes.block * sizes.block;
  return room > kTrailer ? room - kTrailer : 0;
}

}  // namespace causeway::dataplane

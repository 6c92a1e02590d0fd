#include "control/ike/nat_detection.h"

#include <algorithm>

#include "crypto/hash.h"

namespace causeway::ike {

NatHash nat_hash(std::uint64_t initiator_spi, std::uint64_t responder_spi, const conf::Endpoint& endpoint) {
  Writer w;
  w.be64(initiator_spi);
  w.be64(responder_spi);
  w.bytes(endpoint.address.bytes());
  w.be16(endpoint.port);
  const Bytes digest = crypto::hash(crypto::Hash::sha1, {w.view()});
  NatHash out{};
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

NatFindings detect_nat(std::uint64_t initiator_spi, std::uint64_t responder_spi, const conf::Endpoint& local,
                       const conf::Endpoint& remote, std::span<const Bytes> source_hashes,
                       std::span<const Bytes> destination_hashes) {
  if (source_hashes.empty() || destination_hashes.empty()) return {};
  const auto none_is = [&](std::span<const Bytes> hashes, const conf::Endpoint& endpoint) {
    const NatHash expected = nat_hash(initiator_spi, responder_spi, endpoint);
    return std::none_of(hashes.begin(), hashes.end(), [&](const Bytes& h) { return std::ranges::equal(h, expected); });
  };
  return {.detection = true, .us = none_is(destination_hashes, local), .peer = none_is(source_hashes, remote)};
}

}  // namespace causeway::ike

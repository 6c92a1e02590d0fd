// The frames of a case: what the memory ports give to the worker. Filling one in is never timed.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "crypto/esp_engine.h"
#include "test/bench/case.h"
#include "test/bench/raw_crypto.h"

namespace causeway::bench {

// What all SAs of a run share: their keys are the same octets, each in memory of its own (where they lie is
// what costs, not what they are), so that the feed needs one.
struct Keys {
  std::vector<std::uint8_t> encryption, integrity;
  static Keys of(const crypto::EspSuite& suite);
};

struct Addresses {
  std::array<std::uint8_t, 6> wan_mac{}, lan_mac{};  // ours
};
std::array<std::uint8_t, 4> remote_host(std::uint32_t tunnel);  // in the tunnel's remote /24
inline constexpr std::array<std::uint8_t, 4> kLanHost = {10, 1, 0, 5}, kPeer = {192, 0, 2, 2}, kOurs = {192, 0, 2, 1};
inline constexpr std::array<std::uint8_t, 6> kNeighborMac = {2, 0, 0, 0, 0, 0x99};

class Frames {
 public:
  // `tunnels`: those this worker is fed with, with their inbound SPIs.
  struct Tunnel {
    std::uint32_t number = 0, spi_in = 0;
    std::uint64_t sequence = 0;
  };
  Frames(const Case& what, const Addresses& addresses, std::vector<Tunnel> tunnels, unsigned seed);

  // Fills the buffers in: whole Ethernet frames, fresh sequence numbers. Of a mix, batch n has the same sizes each time.
  void fill(std::span<rte_mbuf* const> frames, std::size_t n = 0);
  // The same buffers as work for the library alone: where the ESP packet lies (inbound) or would lie (outbound: in
  // place, with the headroom that the tunnel's headers take), with the same lengths of ciphertext.
  void raw(std::span<rte_mbuf* const> frames, std::span<RawPacket> out);
  [[nodiscard]] std::uint32_t keys() const { return static_cast<std::uint32_t>(tunnels_.size()); }

 private:
  [[nodiscard]] std::uint32_t esp_length(std::uint32_t inner) const;  // SPI to trailer
  void fill_outbound(rte_mbuf* m, std::uint32_t inner, const Tunnel& tunnel);
  void fill_inbound(rte_mbuf* m, std::uint32_t inner, Tunnel& tunnel);
  void inner_packet(std::uint8_t* at, std::uint32_t octets, bool from_peer, std::uint32_t tunnel) const;
  std::uint32_t pick() { return tunnels_.size() == 1 ? 0 : static_cast<std::uint32_t>(random_() % tunnels_.size()); }
  std::uint32_t next_size() { return sizes_[at_++ % sizes_.size()]; }

  Case what_;
  Addresses addresses_;
  std::vector<Tunnel> tunnels_;
  std::vector<std::uint32_t> sizes_;
  std::size_t at_ = 0;
  std::minstd_rand random_;
  std::uint32_t iv_ = 8, block_ = 4, icv_ = 16;
  crypto::EspEngine engine_;
  crypto::EspKey key_;
  crypto::EspBatch batch_;
  std::vector<std::uint8_t> payload_;
};

}  // namespace causeway::bench

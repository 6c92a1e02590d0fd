// One worker's ESP for tests: engine, SA table, packet pool, and the SAs of a tunnel in the form of our
// SaSpec and of the reference, from the same keys.
#pragma once

#include <random>

#include "crypto/esp_engine.h"
#include "crypto/random.h"
#include "dataplane/esp.h"
#include "dataplane/sa_table.h"
#include "test/dataplane/guarded.h"
#include "test/support/eal.h"
#include "test/support/esp_reference.h"

namespace causeway::test {

struct TunnelShape {
  std::string cipher = "aes128gcm16", integrity;
  bool esn = false;
  bool udp = false;
  conf::Family outer = conf::Family::v4;
  std::uint32_t replay_window = 2048;
};

// Both directions' descriptions of one SA.
struct SaPair {
  dataplane::SaSpec spec;
  ReferenceSa reference;
};

class EspLab {
 public:
  explicit EspLab(std::uint64_t seed = 1, const crypto::EspPlan& plan = crypto::EspPlan::calibrate());
  ~EspLab();

  // Random keys; addresses 192.0.2.1 -> 198.51.100.2 or their IPv6 likes; selectors cover 10.1.0.0/16 <->
  // 10.2.0.0/16 and fd01::/32 <-> fd02::/32. `direction` is ours: the peer of an inbound SA is the sender.
  SaPair describe(dataplane::Direction direction, const TunnelShape& shape);

  dataplane::InboundSa& install_inbound(const dataplane::SaSpec& spec);
  dataplane::OutboundSa& install_outbound(const dataplane::SaSpec& spec, std::uint16_t port_mtu = 1500);

  std::vector<dataplane::OutboundSa*> install_spread(const dataplane::SaSpec& spec, std::size_t replicas,
                                                     dataplane::SharedSequence& shared);

  // How a packet lies in memory: in one buffer of a pool; as a chain cut at random (the first `whole` octets
  // are never cut); or with exactly the room it needs between forbidden pages.
  enum class Lie : std::uint8_t { pool, chain, guarded_front, guarded_back };
  struct Room {
    std::uint16_t head = 0, tail = 0;  // what a guarded one gets around it
  };
  rte_mbuf* packet(std::span<const std::uint8_t> octets, Lie lie, Room room, std::size_t whole);
  rte_mbuf* packet(std::span<const std::uint8_t> octets) { return packet(octets, Lie::pool, {}, 0); }
  // As classify would hand it over.
  rte_mbuf* received(std::span<const std::uint8_t> outer_packet, Lie lie = Lie::pool);

  void inbound(std::span<rte_mbuf* const> packets, dataplane::EspInboundOut& out);
  void outbound(std::span<rte_mbuf* const> packets, dataplane::EspOutboundOut& out);
  static Bytes octets(rte_mbuf* m);
  static void free(dataplane::Lane& lane);
  [[nodiscard]] unsigned in_use() const {
    return rte_mempool_in_use_count(pool_.get()) + rte_mempool_in_use_count(big_.get()) +
           rte_mempool_in_use_count(small_.get());
  }
  [[nodiscard]] std::uint64_t linearised() const { return linearised_.get(); }
  void at(std::uint64_t ms) { context_.now_ms = ms; }

  std::mt19937_64 random;

 private:
  Pool pool_;
  crypto::EspEngine engine_;
  dataplane::SpiCodec codec_;
  dataplane::SpiAllocator allocator_;
  dataplane::SaTable table_;
  std::vector<dataplane::InboundSaPtr> inbound_;
  std::vector<dataplane::OutboundSaPtr> outbound_;
  dataplane::IpIds ip_ids_{0, 1};
  Pool big_, small_;
  GuardedBuffers guarded_;
  dataplane::Counter linearised_;
  dataplane::EspContext context_;
  dataplane::ChildSlot next_child_ = 0;
};

// A valid inner packet of exactly `octets` (a header and more): where there is room for it UDP between 10.1.0.5
// and 10.2.0.7, or fd01::5 and fd02::7; `reversed` swaps the two. `flags`: DF and the like (IPv4 offset field).
Bytes inner_packet(std::size_t octets, conf::Family family = conf::Family::v4, bool reversed = false,
                   std::uint8_t traffic_class = 0, std::uint16_t flags = 0);

}  // namespace causeway::test

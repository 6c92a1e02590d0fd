// Two whole gateways in one process, joined by a link of rings with as many queues as they have workers; the test holds
// the far ends of both LANs and plays both control planes.
//
//     LAN 10.1.0.0/16 -- A 192.0.2.1 == 192.0.2.2 B -- LAN 10.64.0.0/10
//
// Tunnel t protects 10.1.0.0/16 <-> 10.(64 + t).0.0/16, whose one host is 10.(64 + t).0.7.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "dataplane/dataplane.h"
#include "test/dataplane/frames.h"

struct rte_ring;

namespace causeway::test {

// `queues` rings each way, of which one end is an Ethernet device.
class Rings {
 public:
  Rings(const std::string& name, unsigned queues, unsigned depth = 4096);
  ~Rings();
  Rings(const Rings&) = delete;
  Rings& operator=(const Rings&) = delete;
  [[nodiscard]] std::vector<rte_ring*>& list() { return rings_; }

 private:
  std::vector<rte_ring*> rings_;
};

// A device that receives from one set of rings and sends to another.
class RingDevice {
 public:
  RingDevice(const std::string& name, Rings& receives, Rings& sends);
  ~RingDevice();
  RingDevice(const RingDevice&) = delete;
  RingDevice& operator=(const RingDevice&) = delete;
  [[nodiscard]] const std::string& device() const { return device_; }

 private:
  std::string device_;
};

class GatewayPair {
 public:
  static constexpr std::size_t kA = 0, kB = 1;
  struct Shape {
    unsigned workers = 1;
    std::uint32_t tunnels = 64, flows = 4;
    conf::Cores cores = conf::Cores::single;
    std::uint32_t replay_window = 2048;
    std::function<void(std::size_t side, dataplane::Setup&)> change = {};
    std::function<void(dataplane::SaSpec&)> limit = {};  // what else an SA is to be
    bool per_worker = false;  // each tunnel has a child for each worker (RFC 9611)
    [[nodiscard]] std::uint32_t ways() const { return tunnels * (per_worker ? workers : 1); }
  };
  explicit GatewayPair(const Shape& shape);
  ~GatewayPair();

  // One packet of a flow, from the LAN of `side`. False: as many are under way as may be.
  bool send(std::size_t side, std::uint32_t tunnel, std::uint32_t flow, std::size_t octets);
  // Lets everything work for a moment; what arrived is compared with what is due (`wrong` tells of the first that was
  // lost, doubled or out of order within its flow).
  void turn();
  [[nodiscard]] bool until(const std::function<bool()>& done, std::chrono::seconds patience = std::chrono::seconds(60));
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t arrived() const { return arrived_; }
  [[nodiscard]] const std::string& wrong() const { return wrong_; }
  // Each neighbor and each tunnel has carried a packet.
  void warm_up();

  // Begins to replace an SA from `side` to the other: the new inbound one first, then the outbound one, then the old
  // ones go, as IKE does it. `way`: the tunnel; where each worker has a child, those of the first resource come first.
  // False: the replacement before is still under way.
  bool replace(std::size_t side, std::uint32_t way);
  [[nodiscard]] std::uint64_t replaced() const { return replaced_; }
  [[nodiscard]] bool replacing() const;
  void set_cores(conf::Cores cores) { shape_.cores = cores; }  // of SAs from now on

  // Fills a queue of B's WAN up to `frames` with ESP for a tunnel's SA that no key made: work that brings nothing.
  void flood(unsigned queue, std::uint32_t tunnel, unsigned frames);
  [[nodiscard]] std::uint32_t spi(std::size_t sender, std::uint32_t tunnel) const {
    return sides_[sender].ways[tunnel].current.spi;
  }

  std::optional<dataplane::Milliseconds> clock;  // of both gateways; unset: it runs

  dataplane::Dataplane& gateway(std::size_t side) { return *sides_[side].gateway; }
  [[nodiscard]] std::string drops() const;  // every name that is not zero, of both gateways; empty: none

 private:
  struct Sa {
    std::uint32_t spi = 0;
    std::vector<std::uint32_t> sent_at_end = {};  // by flow: packets sent before its outbound half was gone
  };
  struct Way {  // of one tunnel and resource, from one side to the other
    Sa current, next, old;
    enum class Stage { idle, inbound, outbound, retiring, draining, inbound_retiring } stage = Stage::idle;
  };
  struct Side {
    std::unique_ptr<Rings> lan_in, lan_out;
    std::unique_ptr<RingDevice> wan, lan;
    std::unique_ptr<dataplane::Dataplane> gateway;
    Bytes lan_mac;
    std::vector<Way> ways;  // from this side, by resource, then tunnel
  };
  [[nodiscard]] std::uint32_t tunnel_of(std::uint32_t way) const { return way % shape_.tunnels; }
  [[nodiscard]] std::uint16_t resource_of(std::uint32_t way) const {
    return static_cast<std::uint16_t>(way / shape_.tunnels);
  }
  void start(std::size_t side, Rings& receives, Rings& sends);
  dataplane::SaSpec describe(std::size_t sender, std::uint32_t way, dataplane::Direction direction,
                             std::uint32_t spi, const Bytes& key) const;
  [[nodiscard]] bool drained(std::size_t sender, std::uint32_t way) const;
  void install_inbound(std::size_t sender, std::uint32_t number);
  void advance(std::size_t sender, std::uint32_t number);
  void on_event(std::size_t side, dataplane::Event&& event);
  void on_frame(std::size_t side, const Bytes& frame);
  void inject(std::size_t side, unsigned queue, dataplane::PacketPtr frame);
  void check(std::size_t receiver, const Bytes& packet);

  Shape shape_;
  FrameLab frames_, filler_{packet_pool(8191, 2048)};
  Bytes flood_;  // its frame, once made
  Rings a_to_b_, b_to_a_;
  std::array<Side, 2> sides_;
  std::map<std::uint32_t, Bytes> keys_;                                     // by SPI
  std::map<std::array<std::uint32_t, 3>, std::uint32_t> sent_of_, due_of_;  // by sender, tunnel, flow
  std::uint64_t sent_ = 0, arrived_ = 0, replaced_ = 0;
  std::string wrong_;
  std::mt19937_64 random_{5};
};

}  // namespace causeway::test

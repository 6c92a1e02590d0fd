// The whole data path in one process: real workers on ports made of rings, whose far ends the test holds.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>

#include "dataplane/dataplane.h"
#include "test/dataplane/frames.h"
#include "test/support/esp_reference.h"
#include "test/support/packets.h"

struct rte_ring;

namespace causeway::test {

// A port with one receive and one transmit queue, each a ring.
class RingPort {
 public:
  explicit RingPort(std::string name);
  ~RingPort();
  RingPort(const RingPort&) = delete;
  RingPort& operator=(const RingPort&) = delete;
  [[nodiscard]] const std::string& device() const { return device_; }
  [[nodiscard]] bool give(dataplane::PacketPtr frame);  // to the gateway; false: its ring is full
  [[nodiscard]] dataplane::PacketPtr take();            // from the gateway; empty: nothing there

 private:
  std::string name_, device_;
  rte_ring* to_gateway_;
  rte_ring* from_gateway_;
};

// One gateway: port 0 "wan" 192.0.2.1/24, untrusted; port 1 "lan" 10.1.0.1/16, trusted. The test plays every
// neighbor, all of which have the MAC address 02:00:00:00:00:99: its ARP is answered by run().
class GatewayLab {
 public:
  explicit GatewayLab(unsigned workers = 1, const std::function<void(dataplane::Setup&)>& change = {});
  ~GatewayLab();

  dataplane::Dataplane& gateway() { return *gateway_; }

  // A tunnel to 192.0.2.(100 + n % 100) for 10.1.0.0/16 <-> 10.(2 + n).0.0/16; AES-128-GCM, both SAs installed.
  struct Tunnel {
    std::uint32_t number = 0;
    ReferenceSa to_us, from_us;
    std::uint64_t sent = 0;  // sequence numbers used towards the gateway
  };
  // `shape` may change what the policy and the SAs are to be.
  using Shape = std::function<void(dataplane::PolicySpec*, dataplane::SaSpec*)>;
  Tunnel& add_tunnel(bool udp = false, bool with_sas = true, const Shape& shape = {});
  [[nodiscard]] std::deque<Tunnel>& tunnels() { return tunnels_; }

  // Frames to the gateway; those that do not fit the ring wait for run().
  void give(std::size_t port, const Bytes& frame);
  void give_ip(std::size_t port, const Bytes& packet);
  // Lets the gateway work until `done` says so; false where it does not within a minute. IP packets that
  // leave are appended to out(port), without their Ethernet header.
  [[nodiscard]] bool run(const std::function<bool()>& done);
  // Until whatever was given is dealt with, on facts alone: no buffer is in use, and what comes of it (counters, what
  // control is told, and what it answers with) is done.
  void settle();
  std::deque<Bytes>& out(std::size_t port) { return out_[port]; }
  std::deque<Bytes>& frames(std::size_t port) { return frames_[port]; }  // other than untagged IP and ARP
  const Bytes& mac(std::size_t port) { return macs_[port]; }
  std::vector<dataplane::Event>& events() { return events_; }
  [[nodiscard]] std::uint64_t dropped(const std::string& name) { return gateway_->drops().at(name); }
  [[nodiscard]] std::uint64_t dropped_in_all();
  void poll();
  // Until each worker has begun a round since: it has taken the tables and commands that were there before.
  void next_round();

  bool answer_arp = true;
  Bytes neighbor_mac;  // of all neighbors
  std::chrono::milliseconds skew{0};  // added to the gateway's clock

 private:
  void on_frame(std::size_t port, const Bytes& frame);

  FrameLab frames_lab_;
  std::vector<std::unique_ptr<RingPort>> ports_;
  std::unique_ptr<dataplane::Dataplane> gateway_;
  dataplane::TableSpec table_;
  std::deque<Tunnel> tunnels_;
  std::vector<std::deque<Bytes>> waiting_, out_, frames_;
  std::vector<Bytes> macs_;
  std::vector<dataplane::Event> events_;
  std::mt19937_64 random_{9};
};

}  // namespace causeway::test

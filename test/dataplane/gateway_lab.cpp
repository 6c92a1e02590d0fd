#include "test/dataplane/gateway_lab.h"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include <stdexcept>
#include <thread>

namespace causeway::test {

using namespace causeway::dataplane;
using Clock = std::chrono::steady_clock;

namespace {

constexpr unsigned kRing = 4096;
constexpr auto kPatience = std::chrono::seconds(60);  // a machine that is busy with other things
const Bytes kNeighborMac = mac_address("02:00:00:00:00:99");

conf::Prefix prefix(const std::string& text) { return *conf::Prefix::parse(text); }

}  // namespace

RingPort::RingPort(std::string name) : name_(std::move(name)), device_("net_ring_" + name_) {
  const unsigned flags = RING_F_SP_ENQ | RING_F_SC_DEQ;
  to_gateway_ = rte_ring_create((name_ + "-rx").c_str(), kRing, SOCKET_ID_ANY, flags);
  from_gateway_ = rte_ring_create((name_ + "-tx").c_str(), kRing, SOCKET_ID_ANY, flags);
  if (to_gateway_ == nullptr || from_gateway_ == nullptr ||
      rte_eth_from_rings(name_.c_str(), &to_gateway_, 1, &from_gateway_, 1, SOCKET_ID_ANY) < 0)
    throw std::runtime_error("no ring port " + name_);
}

RingPort::~RingPort() {
  for (void* m; rte_ring_dequeue(to_gateway_, &m) == 0;) rte_pktmbuf_free(static_cast<rte_mbuf*>(m));
  for (void* m; rte_ring_dequeue(from_gateway_, &m) == 0;) rte_pktmbuf_free(static_cast<rte_mbuf*>(m));
  rte_eal_hotplug_remove("vdev", device_.c_str());
  rte_ring_free(to_gateway_);
  rte_ring_free(from_gateway_);
}

bool RingPort::give(PacketPtr frame) {
  if (rte_ring_enqueue(to_gateway_, frame.get()) != 0) return false;
  static_cast<void>(frame.release());
  return true;
}

PacketPtr RingPort::take() {
  void* m = nullptr;
  return PacketPtr(rte_ring_dequeue(from_gateway_, &m) == 0 ? static_cast<rte_mbuf*>(m) : nullptr);
}

GatewayLab::GatewayLab(unsigned workers, const std::function<void(Setup&)>& change)
    : neighbor_mac(kNeighborMac), waiting_(2), out_(2), frames_(2) {
  static int serial = 0;
  Setup setup;
  for (unsigned w = 0; w < workers; ++w) setup.cores.push_back(-1);
  setup.polling = conf::Polling::adaptive;
  setup.file_prefix = "gateway-lab";
  setup.hugepages_mib = 0;
  for (int i = 0; i < 2; ++i) {
    ports_.push_back(std::make_unique<RingPort>((i == 0 ? "wan" : "lan") + std::to_string(serial)));
    PortSetup port;
    port.name = i == 0 ? "wan" : "lan";
    port.device = ports_.back()->device();
    port.addresses = {prefix(i == 0 ? "192.0.2.1/24" : "10.1.0.1/16")};
    port.trusted = i == 1;
    setup.ports.push_back(port);
  }
  ++serial;
  if (change) change(setup);
  table_ = setup.table;
  auto started = Dataplane::start(setup);
  if (!started) throw std::runtime_error(started.error().text);
  gateway_ = std::move(*started);
  for (const auto& port : gateway_->ports()) macs_.push_back(mac_address(port.mac));
}

GatewayLab::~GatewayLab() { gateway_.reset(); }

GatewayLab::Tunnel& GatewayLab::add_tunnel(bool udp, bool with_sas, const Shape& shape) {
  const auto n = static_cast<std::uint32_t>(tunnels_.size());
  Tunnel& tunnel = tunnels_.emplace_back();
  tunnel.number = n;
  const std::string peer = "192.0.2." + std::to_string(100 + n % 100);
  const conf::SelectorSet selectors{{conf::Selector::of(prefix("10.1.0.0/16"))},
                                    {conf::Selector::of(prefix("10." + std::to_string(2 + n) + ".0.0/16"))}};
  PolicySpec policy;
  policy.tunnel = n;
  policy.child = n;
  policy.selectors = selectors;
  policy.wake_on_traffic = true;
  if (shape) shape(&policy, nullptr);
  table_.policies.push_back(policy);
  if (auto published = gateway_->publish(table_); !published) throw std::runtime_error(published.error());
  next_round();
  for (const auto direction : {Direction::inbound, Direction::outbound}) {
    const bool in = direction == Direction::inbound;
    ReferenceSa& reference = in ? tunnel.to_us : tunnel.from_us;
    reference.cipher = "aes128gcm16";
    for (int i = 0; i < 20; ++i) reference.key.push_back(static_cast<std::uint8_t>(random_()));
    reference.spi = in ? gateway_->allocate_spi(n) : static_cast<std::uint32_t>(random_() | 0x1000);
    reference.source = ip_address(in ? peer : "192.0.2.1");
    reference.destination = ip_address(in ? "192.0.2.1" : peer);
    if (udp) reference.source_port = reference.destination_port = 4500;
    SaSpec spec;
    spec.direction = direction;
    spec.tunnel = n;
    spec.child = n;
    spec.spi = reference.spi;
    spec.suite = {crypto::Encryption::aes_gcm_16, 128, crypto::Integrity::none, false};
    spec.encryption_key = crypto::Secret(reference.key);
    spec.selectors = selectors;
    spec.local = {*conf::IpAddress::parse("192.0.2.1"), 4500};
    spec.remote = {*conf::IpAddress::parse(peer), 4500};
    spec.udp_encap = udp;
    if (shape) shape(nullptr, &spec);
    if (with_sas) gateway_->install(std::move(spec), n);
  }
  if (!with_sas) return tunnel;
  const auto installed = [this] {
    return static_cast<std::size_t>(std::count_if(events_.begin(), events_.end(),
                                                  [](const Event& e) { return std::holds_alternative<Installed>(e); }));
  };
  const std::size_t before = installed();
  if (!run([&] { return installed() >= before + 2; })) throw std::runtime_error("SAs were not installed");
  return tunnel;
}

void GatewayLab::give(std::size_t port, const Bytes& frame) { waiting_[port].push_back(frame); }

void GatewayLab::give_ip(std::size_t port, const Bytes& packet) {
  give(port, ethernet(macs_[port], neighbor_mac, 0x0800, packet));
}

void GatewayLab::poll() {
  const auto now = std::chrono::duration_cast<Milliseconds>(Clock::now().time_since_epoch()) + skew;
  gateway_->poll(now, [this](Event&& e) { events_.push_back(std::move(e)); });
}

void GatewayLab::on_frame(std::size_t port, const Bytes& frame) {
  const int type = frame.at(12) << 8 | frame.at(13);
  if (type == 0x0800) {
    if (!std::equal(neighbor_mac.begin(), neighbor_mac.end(), frame.begin()))
      throw std::runtime_error("a frame to a MAC nobody has");
    out_[port].emplace_back(frame.begin() + 14, frame.end());
    return;
  }
  const bool question =
      type == 0x0806 && frame.at(21) == 1 && !std::equal(frame.begin() + 28, frame.begin() + 32, frame.begin() + 38);
  if (!question || !answer_arp) {
    frames_[port].push_back(frame);
    return;
  }
  const auto text = [&](std::size_t at) {
    std::string s;
    for (std::size_t i = 0; i < 4; ++i) s += (i == 0 ? "" : ".") + std::to_string(frame[at + i]);
    return s;
  };
  const Bytes asker(frame.begin() + 22, frame.begin() + 28);
  give(port, ethernet(asker, neighbor_mac, 0x0806, arp(false, neighbor_mac, text(38), asker, text(28))));
}

bool GatewayLab::run(const std::function<bool()>& done) {
  const auto deadline = Clock::now() + kPatience;
  while (true) {
    bool idle = true;
    for (std::size_t p = 0; p < ports_.size(); ++p) {
      while (!waiting_[p].empty() && frames_lab_.in_use() < 900) {
        if (!ports_[p]->give(frames_lab_.make(waiting_[p].front()))) break;
        waiting_[p].pop_front();
        idle = false;
      }
      while (const PacketPtr m = ports_[p]->take()) {
        on_frame(p, octets(m.get()));
        idle = false;
      }
    }
    poll();
    if (done()) return true;
    if (Clock::now() > deadline) return false;
    if (idle) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

// A worker loads the tables and takes its commands at the head of a round. The round that is under way now may have
// begun before them: when it and the one behind it are done, what comes next is by the new ones. Polls count rounds
// that ended.
void GatewayLab::next_round() {
  std::vector<std::uint64_t> due;
  for (const auto& w : gateway_->workers()) due.push_back(w.polls + 2);
  const bool done = run([&] {
    const auto workers = gateway_->workers();
    return std::equal(workers.begin(), workers.end(), due.begin(), [](const auto& w, auto n) { return w.polls >= n; });
  });
  if (!done) throw std::runtime_error("a worker does not poll");
}

// The first round ends what workers are in the middle of, so that all they say is in its ring; then control hears it,
// and its commands, if any come of it, are taken in the second one. Where that moved packets again, it is not over.
void GatewayLab::settle() {
  const auto nothing_in_use = [this] {
    return waiting_[0].empty() && waiting_[1].empty() && frames_lab_.in_use() == 0 && gateway_->pools()[0].in_use == 0;
  };
  do {
    if (!run(nothing_in_use)) throw std::runtime_error("packets are still under way after a minute");
    next_round();
    poll();
    next_round();
  } while (!nothing_in_use());
}

std::uint64_t GatewayLab::dropped_in_all() {
  std::uint64_t n = 0;
  for (const auto& [name, count] : gateway_->drops()) n += count;
  return n;
}

}  // namespace causeway::test

#include "test/dataplane/gateway_pair.h"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include <algorithm>
#include <stdexcept>
#include <thread>

namespace causeway::test {

using namespace causeway::dataplane;
using Clock = std::chrono::steady_clock;

namespace {

constexpr unsigned kUnderWay = 700;  // packets at once, well below every ring and the test's own pool
const Bytes kHostMac = mac_address("02:00:00:00:00:99");

conf::Prefix prefix(const std::string& text) { return *conf::Prefix::parse(text); }
conf::IpAddress address(const std::string& text) { return *conf::IpAddress::parse(text); }
std::string host_of(std::uint32_t tunnel) { return "10." + std::to_string(64 + tunnel) + ".0.7"; }
std::string outer_of(std::size_t side) { return side == GatewayPair::kA ? "192.0.2.1" : "192.0.2.2"; }

conf::SelectorSet selectors_of(std::size_t side, std::uint32_t tunnel) {
  const std::vector<conf::Selector> a{conf::Selector::of(prefix("10.1.0.0/16"))};
  const std::vector<conf::Selector> b{conf::Selector::of(prefix("10." + std::to_string(64 + tunnel) + ".0.0/16"))};
  return side == GatewayPair::kA ? conf::SelectorSet{a, b} : conf::SelectorSet{b, a};
}

std::uint32_t be32(const Bytes& octets, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | octets.at(at + i);
  return value;
}

}  // namespace

Rings::Rings(const std::string& name, unsigned queues, unsigned depth) {
  start_eal();
  for (unsigned q = 0; q < queues; ++q) {
    rings_.push_back(rte_ring_create((name + "-" + std::to_string(q)).c_str(), depth, SOCKET_ID_ANY,
                                     RING_F_SC_DEQ));  // producers: see flood
    if (rings_.back() == nullptr) throw std::runtime_error("no ring " + name);
  }
}

Rings::~Rings() {
  for (rte_ring* ring : rings_) {
    for (void* m; rte_ring_dequeue(ring, &m) == 0;) rte_pktmbuf_free(static_cast<rte_mbuf*>(m));
    rte_ring_free(ring);
  }
}

RingDevice::RingDevice(const std::string& name, Rings& receives, Rings& sends) : device_("net_ring_" + name) {
  auto &in = receives.list(), &out = sends.list();
  if (rte_eth_from_rings(name.c_str(), in.data(), static_cast<unsigned>(in.size()), out.data(),
                         static_cast<unsigned>(out.size()), SOCKET_ID_ANY) < 0)
    throw std::runtime_error("no ring device " + name);
}

RingDevice::~RingDevice() { rte_eal_hotplug_remove("vdev", device_.c_str()); }

GatewayPair::GatewayPair(const Shape& shape)
    : shape_(shape), a_to_b_("pair-ab", shape.workers), b_to_a_("pair-ba", shape.workers) {
  start(kA, b_to_a_, a_to_b_);
  start(kB, a_to_b_, b_to_a_);
  for (std::size_t side = 0; side < 2; ++side) {
    for (std::uint32_t w = 0; w < shape_.ways(); ++w) install_inbound(side, w);
  }
  if (!until([this] { return !replacing(); })) throw std::runtime_error("SAs were not installed");
  replaced_ = 0;
}

GatewayPair::~GatewayPair() {
  for (Side& side : sides_) side.gateway.reset();
}

void GatewayPair::start(std::size_t index, Rings& receives, Rings& sends) {
  Side& side = sides_[index];
  const std::string name = index == kA ? "a" : "b";
  side.lan_in = std::make_unique<Rings>("pair-" + name + "-in", shape_.workers);
  side.lan_out = std::make_unique<Rings>("pair-" + name + "-out", shape_.workers);
  side.wan = std::make_unique<RingDevice>("pairwan" + name, receives, sends);
  side.lan = std::make_unique<RingDevice>("pairlan" + name, *side.lan_in, *side.lan_out);
  side.ways.resize(shape_.ways());
  Setup setup;
  setup.cores.assign(shape_.workers, -1);
  setup.polling = conf::Polling::adaptive;
  setup.file_prefix = "gateway-pair";
  setup.hugepages_mib = 0;
  PortSetup wan, lan;
  wan.name = "wan";
  wan.device = side.wan->device();
  wan.addresses = {prefix(outer_of(index) + "/24")};
  lan.name = "lan";
  lan.device = side.lan->device();
  lan.addresses = {prefix(index == kA ? "10.1.0.1/16" : "10.64.0.1/10")};
  lan.trusted = true;
  setup.ports = {wan, lan};
  for (std::uint32_t t = 0; t < shape_.tunnels; ++t) {
    PolicySpec policy;
    policy.tunnel = policy.child = t;
    policy.selectors = selectors_of(index, t);
    setup.table.policies.push_back(policy);
  }
  if (shape_.change) shape_.change(index, setup);
  auto started = Dataplane::start(setup);
  if (!started) throw std::runtime_error(started.error().text);
  side.gateway = std::move(*started);
  side.lan_mac = mac_address(side.gateway->ports()[1].mac);
}

SaSpec GatewayPair::describe(std::size_t sender, std::uint32_t way, Direction direction, std::uint32_t spi,
                             const Bytes& key) const {
  const std::size_t us = direction == Direction::outbound ? sender : 1 - sender;
  const std::uint32_t tunnel = tunnel_of(way);
  SaSpec spec;
  spec.direction = direction;
  spec.tunnel = spec.child = tunnel;
  spec.spi = spi;
  spec.suite = {crypto::Encryption::aes_gcm_16, 128, crypto::Integrity::none, false};
  spec.encryption_key = crypto::Secret(key);
  spec.selectors = selectors_of(us, tunnel);
  spec.local = {address(outer_of(us)), 4500};
  spec.remote = {address(outer_of(1 - us)), 4500};
  spec.udp_encap = tunnel % 2 == 1;
  spec.replay_window = shape_.replay_window;
  spec.cores = shape_.cores;
  spec.resource = resource_of(way);
  if (shape_.limit) shape_.limit(spec);
  return spec;
}

void GatewayPair::install_inbound(std::size_t sender, std::uint32_t number) {
  Way& way = sides_[sender].ways[number];
  Dataplane& receiver = *sides_[1 - sender].gateway;
  way.next = {receiver.allocate_spi(tunnel_of(number), resource_of(number))};
  Bytes key(20);
  for (auto& octet : key) octet = static_cast<std::uint8_t>(random_());
  keys_[way.next.spi] = key;
  way.stage = Way::Stage::inbound;
  receiver.install(describe(sender, number, Direction::inbound, way.next.spi, key), number);
}

bool GatewayPair::drained(std::size_t sender, std::uint32_t way) const {
  const auto& sent = sides_[sender].ways[way].old.sent_at_end;
  for (std::uint32_t flow = 0; flow < sent.size(); ++flow) {
    const auto due = due_of_.find({static_cast<std::uint32_t>(sender), tunnel_of(way), flow});
    if (sent[flow] != 0 && (due == due_of_.end() || due->second < sent[flow])) return false;
  }
  return true;
}

bool GatewayPair::replace(std::size_t side, std::uint32_t way) {
  if (sides_[side].ways[way].stage != Way::Stage::idle) return false;
  install_inbound(side, way);
  return true;
}

bool GatewayPair::replacing() const {
  return std::any_of(sides_.begin(), sides_.end(), [](const Side& side) {
    return std::any_of(side.ways.begin(), side.ways.end(), [](const Way& w) { return w.stage != Way::Stage::idle; });
  });
}

void GatewayPair::flood(unsigned queue, std::uint32_t tunnel, unsigned frames) {
  rte_ring* ring = a_to_b_.list()[queue];
  if (flood_.empty()) {
    Bytes esp(1400, 0x5a);
    for (std::size_t i = 0; i < 4; ++i) esp[i] = static_cast<std::uint8_t>(spi(kA, tunnel) >> (24 - 8 * i));
    esp[4] = 0x7f;  // far ahead of what was sent: the window does not keep it out
    flood_ = ethernet(mac_address(sides_[kB].gateway->ports()[0].mac), kHostMac, 0x0800,
                      ipv4({.source = outer_of(kA), .destination = outer_of(kB), .protocol = 50}, esp));
    // In every buffer, once: what fails its ICV is left as it is but for what was encrypted, and comes again.
    std::vector<PacketPtr> all;
    while (filler_.in_use() < filler_.pool->size) all.push_back(filler_.make(flood_));
  }
  for (unsigned there = rte_ring_count(ring); there < frames; ++there) {
    PacketPtr m(rte_pktmbuf_alloc(filler_.pool.get()));
    if (!m || rte_pktmbuf_append(m.get(), static_cast<std::uint16_t>(flood_.size())) == nullptr) return;
    if (rte_ring_enqueue(ring, m.get()) != 0) return;
    static_cast<void>(m.release());
  }
}

// What comes next once the step before is done, as IKE orders it.
void GatewayPair::advance(std::size_t sender, std::uint32_t number) {
  Way& way = sides_[sender].ways[number];
  const std::uint32_t tunnel = tunnel_of(number);
  Dataplane &from = *sides_[sender].gateway, &to = *sides_[1 - sender].gateway;
  switch (way.stage) {
    case Way::Stage::idle:
      return;
    case Way::Stage::inbound:
      way.stage = Way::Stage::outbound;
      return from.install(describe(sender, number, Direction::outbound, way.next.spi, keys_.at(way.next.spi)), number);
    case Way::Stage::outbound:
      way.old = std::exchange(way.current, way.next);
      if (way.old.spi == 0) {
        way.stage = Way::Stage::idle;
        return;
      }
      way.stage = Way::Stage::retiring;
      return from.remove(Direction::outbound, way.old.spi, tunnel);
    case Way::Stage::retiring:
      for (std::uint32_t flow = 0; flow < shape_.flows; ++flow)
        way.old.sent_at_end.push_back(sent_of_[{static_cast<std::uint32_t>(sender), tunnel, flow}]);
      way.stage = Way::Stage::draining;
      return;
    case Way::Stage::draining:  // until all that may be on its way under it is there
      if (!drained(sender, number)) return;
      way.stage = Way::Stage::inbound_retiring;
      return to.remove(Direction::inbound, way.old.spi, tunnel);
    case Way::Stage::inbound_retiring:
      keys_.erase(way.old.spi);
      ++replaced_;
      way.stage = Way::Stage::idle;
      return;
  }
}

void GatewayPair::on_event(std::size_t side, Event&& event) {
  if (const auto* installed = std::get_if<Installed>(&event)) {
    if (!installed->ok) throw std::runtime_error("an SA was refused: " + installed->why);
    const std::size_t sender = installed->direction == Direction::outbound ? side : 1 - side;
    return advance(sender, static_cast<std::uint32_t>(installed->token));
  }
  if (const auto* retired = std::get_if<Retired>(&event)) {
    const std::size_t sender = retired->direction == Direction::outbound ? side : 1 - side;
    const auto& ways = sides_[sender].ways;
    const auto gone = std::find_if(ways.begin(), ways.end(), [&](const Way& w) { return w.old.spi == retired->spi; });
    return advance(sender, static_cast<std::uint32_t>(gone - ways.begin()));
  }
}

void GatewayPair::inject(std::size_t side, unsigned queue, PacketPtr frame) {
  if (rte_ring_enqueue(sides_[side].lan_in->list()[queue], frame.get()) != 0)
    throw std::runtime_error("a LAN's ring is full");
  static_cast<void>(frame.release());
}

// A flow belongs to a queue, as RSS would have it.
bool GatewayPair::send(std::size_t side, std::uint32_t tunnel, std::uint32_t flow, std::size_t octets) {
  if (sent_ - arrived_ >= kUnderWay) return false;
  const std::uint32_t number = sent_of_[{static_cast<std::uint32_t>(side), tunnel, flow}]++;
  Bytes body = counting(std::max<std::size_t>(octets, 12));
  const std::uint32_t about[] = {tunnel, flow, number};
  for (std::size_t i = 0; i < 12; ++i) body[i] = static_cast<std::uint8_t>(about[i / 4] >> (24 - 8 * (i % 4)));
  const std::string near = "10.1.0.5", far = host_of(tunnel);
  const Bytes packet = udp_packet({.source = side == kA ? near : far, .destination = side == kA ? far : near},
                                  static_cast<std::uint16_t>(1000 + flow), 2000, body);
  ++sent_;
  inject(side, (tunnel * 7 + flow) % shape_.workers,
         frames_.make(ethernet(sides_[side].lan_mac, kHostMac, 0x0800, packet)));
  return true;
}

void GatewayPair::check(std::size_t receiver, const Bytes& packet) {
  const std::uint32_t tunnel = be32(packet, 28), flow = be32(packet, 32), number = be32(packet, 36);
  std::uint32_t& due = due_of_[{static_cast<std::uint32_t>(1 - receiver), tunnel, flow}];
  if (number != due && wrong_.empty())
    wrong_ = "tunnel " + std::to_string(tunnel) + " to " + (receiver == kA ? "A" : "B") + ", flow " +
             std::to_string(flow) + ": " + std::to_string(number) + " where " + std::to_string(due) + " was due";
  due = number + 1;
  ++arrived_;
}

void GatewayPair::on_frame(std::size_t side, const Bytes& frame) {
  const int type = frame.at(12) << 8 | frame.at(13);
  if (type == 0x0800) return check(side, Bytes(frame.begin() + 14, frame.end()));
  const bool question =
      type == 0x0806 && frame.at(21) == 1 && !std::equal(frame.begin() + 28, frame.begin() + 32, frame.begin() + 38);
  if (!question) return;
  const auto text = [&](std::size_t at) {
    std::string s;
    for (std::size_t i = 0; i < 4; ++i) s += (i == 0 ? "" : ".") + std::to_string(frame[at + i]);
    return s;
  };
  const Bytes asker(frame.begin() + 22, frame.begin() + 28);
  inject(side, 0, frames_.make(ethernet(asker, kHostMac, 0x0806, arp(false, kHostMac, text(38), asker, text(28)))));
}

void GatewayPair::turn() {
  const auto now = clock.value_or(std::chrono::duration_cast<Milliseconds>(Clock::now().time_since_epoch()));
  for (std::size_t side = 0; side < 2; ++side) {
    for (rte_ring* ring : sides_[side].lan_out->list()) {
      for (void* m; rte_ring_dequeue(ring, &m) == 0;) {
        const PacketPtr owned(static_cast<rte_mbuf*>(m));
        on_frame(side, octets(owned.get()));
      }
    }
    sides_[side].gateway->poll(now, [&](Event&& event) { on_event(side, std::move(event)); });
    for (std::uint32_t w = 0; w < shape_.ways(); ++w) {
      if (sides_[side].ways[w].stage == Way::Stage::draining) advance(side, w);
    }
  }
}

bool GatewayPair::until(const std::function<bool()>& done, std::chrono::seconds patience) {
  const auto deadline = Clock::now() + patience;
  while (!done()) {
    if (Clock::now() > deadline || !wrong_.empty()) return false;
    turn();
    std::this_thread::yield();
  }
  return true;
}

// One packet at a time to each host, so that no bound on packets that wait for a neighbor is met.
void GatewayPair::warm_up() {
  for (std::uint32_t t = 0; t < shape_.tunnels; ++t) {
    for (const std::size_t side : {kA, kB}) {
      static_cast<void>(send(side, t, 0, 64));
      if (!until([this] { return arrived_ == sent_; })) throw std::runtime_error("the first packets did not arrive");
    }
  }
}

std::string GatewayPair::drops() const {
  std::string out;
  for (std::size_t side = 0; side < 2; ++side) {
    for (const auto& [name, count] : sides_[side].gateway->drops()) {
      if (count != 0) out += std::string(side == kA ? "A: " : "B: ") + name + " " + std::to_string(count) + "; ";
    }
  }
  return out;
}

}  // namespace causeway::test

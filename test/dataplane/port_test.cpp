// Ports of a real box, played by a faked device: what is asked of which capabilities, links that fail, drivers that
// want a reset, rules that steer, and how many buffers it takes.
#include <rte_ring.h>

#include <algorithm>
#include <thread>

#include "dataplane/pool_plan.h"
#include "dataplane/port.h"
#include "test/dataplane/fake_device.h"
#include "test/dataplane/gateway_lab.h"
#include "test/dataplane/gateway_pair.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

constexpr std::uint64_t kEverything = ~std::uint64_t{0};

FakeDevice able(std::uint16_t queues) {
  FakeDevice fake;
  fake.rx_offloads = fake.tx_offloads = kEverything;
  fake.rss = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_ESP | RTE_ETH_RSS_SCTP;
  fake.rx_queues = fake.tx_queues = queues;
  fake.flags = RTE_ETH_DEV_INTR_LSC;
  return fake;
}

// A port of its own on a faked device with `queues` rings, started for `workers`.
struct Bench {
  Rings in, out;
  RingDevice device;
  Faked faked;
  Pool pool;
  std::unique_ptr<Port> port;

  Bench(FakeDevice& fake, std::uint16_t workers, std::uint16_t mtu = 1500, std::uint16_t vlan = 0,
        std::uint16_t room = 2048)
      : in("bench-in", 4),
        out("bench-out", 4),
        device("bench", in, out),
        faked(device.device(), fake),
        pool(packet_pool(4095, room)) {
    PortSetup setup;
    setup.name = "wan";
    setup.device = device.device();
    setup.mtu = mtu;
    setup.vlan = vlan;
    port = std::move(Port::open(setup, 0).value());
    port->plan_queues(workers);
    port->serve(setup, true);
    const auto started = port->start(pool.get());
    if (!started) throw std::runtime_error(started.error().text);
  }
  ~Bench() { port.reset(); }
  [[nodiscard]] bool names(const std::string& fallback) const {
    const auto all = port->status().fallbacks;
    return std::any_of(all.begin(), all.end(), [&](const std::string& f) { return f.starts_with(fallback); });
  }
};

std::size_t place(const FakeDevice& fake, const std::string& call) {
  return static_cast<std::size_t>(std::find(fake.calls.begin(), fake.calls.end(), call) - fake.calls.begin());
}

template <typename What>
std::vector<What> told(GatewayLab& lab) {
  std::vector<What> out;
  for (const Event& event : lab.events())
    if (const auto* one = std::get_if<What>(&event)) out.push_back(*one);
  return out;
}

Bytes outbound() { return udp_packet({.source = "10.1.0.5", .destination = "10.2.0.7"}, 1, 2, counting(80)); }

}  // namespace

TEST_CASE("a device that can nothing is asked for nothing, and every fallback is named") {
  FakeDevice fake;
  fake.changes_mtu = fake.all_multicast = false;
  const Bench bench(fake, 4, 9000, 7);
  REQUIRE(fake.configured);
  CHECK(fake.configured->rxmode.offloads == 0);
  CHECK(fake.configured->txmode.offloads == 0);
  CHECK(fake.configured->rxmode.mq_mode == RTE_ETH_MQ_RX_NONE);
  CHECK(fake.configured->intr_conf.lsc == 0);
  for (const char* fallback : {"receive queues: 1 for 4", "transmit queues: 1 for 4", "receive checksum: in software",
                               "VLAN tags: ", "scatter: not offered", "link state: asked", "all-multicast, ",
                               "mtu 9000: the device does not set it"}) {
    INFO(fallback);
    CHECK(bench.names(fallback));
  }
  CHECK(bench.port->status().fallbacks.size() == 8);
  CHECK(bench.port->status().steering == "one queue");
  CHECK_FALSE(bench.port->sends_chains());
}

TEST_CASE("a device that can everything has no fallbacks, and chains are asked for where the MTU needs them alone") {
  FakeDevice fake = able(4);
  {
    const Bench bench(fake, 4);
    CHECK(bench.port->status().fallbacks.empty());
    CHECK(bench.port->status().steering == "rss on ip udp tcp esp");
    CHECK(fake.configured->rxmode.offloads == RTE_ETH_RX_OFFLOAD_IPV4_CKSUM);
    CHECK(fake.configured->txmode.offloads == 0);
    CHECK(fake.configured->intr_conf.lsc == 1);
    CHECK((fake.configured->rx_adv_conf.rss_conf.rss_hf & RTE_ETH_RSS_SCTP) == 0);
    CHECK(place(fake, "configure") < place(fake, "mtu 1500"));
    CHECK(place(fake, "mtu 1500") < place(fake, "start"));
    CHECK(place(fake, "all-multicast") < fake.calls.size());
  }
  const Bench bench(fake, 4, 9000);
  CHECK((fake.configured->rxmode.offloads & RTE_ETH_RX_OFFLOAD_SCATTER) != 0);
  CHECK(fake.configured->txmode.offloads == RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
  CHECK(bench.port->sends_chains());
}

TEST_CASE("a large buffer spares the chains; a device that scatters but does not gather is named") {
  FakeDevice fake = able(2);
  {
    const Bench bench(fake, 2, 9000, 0, 9216);
    CHECK((fake.configured->rxmode.offloads & RTE_ETH_RX_OFFLOAD_SCATTER) == 0);
    CHECK(bench.port->status().fallbacks.empty());
  }
  fake.tx_offloads = 0;
  const Bench bench(fake, 2, 9000);
  CHECK(bench.names("multi-segment transmit: not offered"));
}

TEST_CASE("the hash is what the device offers of IP, UDP, TCP and ESP, and show says which") {
  FakeDevice fake = able(4);
  fake.rss = RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_ESP;
  {
    const Bench bench(fake, 4);
    CHECK(fake.configured->rx_adv_conf.rss_conf.rss_hf == fake.rss);
    CHECK(bench.port->status().steering == "rss on ip udp esp");
  }
  fake.rss = RTE_ETH_RSS_IPV4;
  const Bench bench(fake, 4);
  CHECK(bench.port->status().steering == "rss on ip");
  CHECK(bench.names("receive side scaling on ESP: not offered"));
}

TEST_CASE("the driver's own counters are shown where they are not zero") {
  FakeDevice fake = able(1);
  fake.xstats = {{"rx_crc_errors", 3}, {"rx_jabber_errors", 0}, {"tx_priority1_xon", 9}};
  const Bench bench(fake, 1);
  const auto status = bench.port->status();
  CHECK(status.xstats == std::map<std::string, std::uint64_t>{{"rx_crc_errors", 3}, {"tx_priority1_xon", 9}});
}

TEST_CASE("a rule for each SPI is proved first, lasts as long as the table, and gives its place back") {
  FakeDevice fake = able(4);
  fake.rules_at_most = 2;
  fake.rule_items = {RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_ESP};
  const Bench bench(fake, 4);
  Steering& steering = bench.port->steering();
  CHECK(steering.status().empty());
  CHECK(steering.steer(0x1001, conf::Family::v4, false, 3));
  CHECK(fake.validated == 1);
  CHECK(fake.rules.size() == 1);
  CHECK(fake.rules.begin()->second == std::pair<std::uint32_t, std::uint16_t>{0x1001, 3});
  CHECK_FALSE(steering.steer(0x1002, conf::Family::v4, true, 1));  // in UDP: the device does not know that item
  CHECK(fake.rules.size() == 1);
  CHECK(fake.validated == 2);
  CHECK_FALSE(steering.steer(0x1003, conf::Family::v4, true, 1));
  CHECK(fake.validated == 2);  // not asked again
  CHECK(steering.status().find("refuses a rule on the SPI of ESP in UDP over IPv4: this item is not supported") !=
        std::string::npos);
  CHECK(steering.steer(0x1004, conf::Family::v4, false, 1));
  CHECK_FALSE(steering.steer(0x1005, conf::Family::v4, false, 1));
  CHECK(bench.port->status().steering.find("2 SPI rules (the device takes no more than 2") != std::string::npos);
  steering.forget(0x1001);
  CHECK(steering.steer(0x1005, conf::Family::v4, false, 1));
  CHECK(fake.rules.size() == 2);
  steering.clear();
  CHECK(fake.rules.empty());
}

TEST_CASE("an SA that carries much is steered to its owner's queue, and its rule goes with it") {
  FakeDevice fake = able(2);
  fake.rules_at_most = 64;
  fake.rule_items = {RTE_FLOW_ITEM_TYPE_ETH, RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_UDP, RTE_FLOW_ITEM_TYPE_ESP};
  std::optional<Faked> faked;
  GatewayPair pair({.workers = 2, .tunnels = 4, .change = [&](std::size_t side, Setup& setup) {
                      if (side == GatewayPair::kB) faked.emplace(setup.ports[0].device, fake);
                    }});
  pair.warm_up();
  CHECK(fake.rules.empty());
  pair.clock = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now().time_since_epoch()) +
               Milliseconds(2000);
  pair.turn();
  for (int i = 0; i < 11'000; ++i) {
    REQUIRE(pair.until([&] { return pair.sent() - pair.arrived() < 400; }));
    REQUIRE(pair.send(GatewayPair::kA, 1, 0, 40));
  }
  for (int i = 0; i < 100; ++i) REQUIRE(pair.send(GatewayPair::kA, 2, 0, 40));
  REQUIRE(pair.until([&] { return pair.sent() == pair.arrived(); }));
  *pair.clock += Milliseconds(1100);
  pair.turn();
  REQUIRE(fake.rules.size() == 1);
  CHECK(pair.gateway(GatewayPair::kB).ports()[0].steering.find("1 SPI rules") != std::string::npos);
  REQUIRE(pair.replace(GatewayPair::kA, 1));
  REQUIRE(pair.until([&] { return !pair.replacing(); }));
  CHECK(fake.rules.empty());
}

TEST_CASE("a link that fails: said at once, neighbors forgotten, SAs kept, what is sent is dropped under link_down") {
  FakeDevice fake = able(1);
  std::optional<Faked> faked;
  GatewayLab lab(1, [&](Setup& setup) { faked.emplace(setup.ports[0].device, fake); });
  auto& tunnel = lab.add_tunnel();
  lab.give_ip(1, outbound());
  REQUIRE(lab.run([&] { return lab.out(0).size() == 1; }));
  lab.settle();
  for (int flap = 0; flap < 3; ++flap) {
    lab.events().clear();
    const std::uint64_t dropped = lab.dropped("link_down");
    fake.link = false;
    fake.say(RTE_ETH_EVENT_INTR_LSC);
    lab.poll();
    REQUIRE(told<LinkChanged>(lab).size() == 1);
    CHECK_FALSE(told<LinkChanged>(lab)[0].up);
    for (const auto& neighbor : lab.gateway().neighbors()) CHECK(neighbor.port != "wan");
    CHECK(lab.gateway().counters(Direction::outbound, tunnel.from_us.spi, 0).has_value());
    CHECK_FALSE(lab.gateway().ports()[0].up);
    const std::size_t before = lab.out(0).size();
    lab.give_ip(1, outbound());  // asks for its neighbor, in vain
    REQUIRE(lab.run([&] { return lab.dropped("link_down") > dropped; }));
    CHECK(lab.out(0).size() == before);
    fake.link = true;
    fake.say(RTE_ETH_EVENT_INTR_LSC);
    lab.poll();
    CHECK(told<LinkChanged>(lab).size() == 2);
    lab.skew += std::chrono::milliseconds(1500);
    const std::size_t again = lab.out(0).size();
    lab.give_ip(1, outbound());
    REQUIRE(lab.run([&] { return lab.out(0).size() > again; }));
  }
}

TEST_CASE("a driver that asks for a reset gets one while no worker touches it, and traffic goes on") {
  FakeDevice fake = able(1);
  std::optional<Faked> faked;
  GatewayLab lab(2, [&](Setup& setup) { faked.emplace(setup.ports[0].device, fake); });
  lab.add_tunnel();
  lab.give_ip(1, outbound());
  REQUIRE(lab.run([&] { return lab.out(0).size() == 1; }));
  lab.events().clear();
  fake.calls.clear();
  fake.reset_error = -EIO;
  fake.say(RTE_ETH_EVENT_INTR_RESET);
  REQUIRE(lab.run([&] { return !told<PortReset>(lab).empty(); }));
  CHECK(told<PortReset>(lab)[0].error.find("cannot be reset") != std::string::npos);
  CHECK(fake.calls == std::vector<std::string>{"stop", "reset"});
  fake.reset_error = 0;
  lab.skew += std::chrono::milliseconds(1100);
  REQUIRE(lab.run([&] { return told<PortReset>(lab).size() == 2; }));
  CHECK(told<PortReset>(lab)[1].error.empty());
  CHECK(fake.calls.back() == "start");
  CHECK(lab.gateway().ports()[0].counters.at("resets") == 2);
  for (int i = 0; i < 20; ++i) lab.give_ip(1, outbound());
  const std::size_t before = lab.out(0).size();
  REQUIRE(lab.run([&] { return lab.out(0).size() == before + 20; }));
}

TEST_CASE("a transmit queue that stays full is tried twice, then packets are dropped and counted, and nothing waits") {
  constexpr std::uint32_t kPackets = 500, kRoom = 63;
  Rings near_in("full-near-in", 1), near_out("full-near-out", 1), far_in("full-far-in", 1),
      far_out("full-far-out", 1, 64);
  const RingDevice near("fullnear", near_in, near_out), far("fullfar", far_in, far_out);
  FrameLab frames;
  Setup setup;
  setup.cores = {-1};
  setup.file_prefix = "full-queue";
  setup.hugepages_mib = 0;
  setup.ports.resize(2);
  setup.ports[0].name = "near";
  setup.ports[0].device = near.device();
  setup.ports[0].addresses = {*conf::Prefix::parse("10.1.0.1/16")};
  setup.ports[1].name = "far";
  setup.ports[1].device = far.device();
  setup.ports[1].addresses = {*conf::Prefix::parse("10.2.0.1/16")};
  setup.ports[0].trusted = setup.ports[1].trusted = true;
  auto gateway = std::move(Dataplane::start(setup).value());
  const Bytes host = mac_address("02:00:00:00:00:99");
  const Bytes macs[] = {mac_address(gateway->ports()[0].mac), mac_address(gateway->ports()[1].mac)};
  const auto give = [&](Rings& to, std::size_t port, std::uint16_t type, const Bytes& packet) {
    PacketPtr frame = frames.make(ethernet(macs[port], host, type, packet));
    while (rte_ring_enqueue(to.list()[0], frame.get()) != 0) std::this_thread::yield();
    static_cast<void>(frame.release());
  };
  const auto until = [&](const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      gateway->poll(std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now().time_since_epoch()),
                    [](Event&&) {});
      std::this_thread::yield();
    }
    return done();
  };
  // The far host asks for us, which tells its own address; from then on nobody reads its port.
  give(far_in, 1, 0x0806, arp(true, host, "10.2.0.7", Bytes(6), "10.2.0.1"));
  REQUIRE(until([&] { return rte_ring_count(far_out.list()[0]) > 0 && !gateway->neighbors().empty(); }));
  for (std::uint32_t i = 0; i < kPackets; ++i)
    give(near_in, 0, 0x0800, udp_packet({.source = "10.1.0.5", .destination = "10.2.0.7"}, 1, 2, counting(40)));
  REQUIRE(until([&] { return frames.in_use() <= kRoom && rte_ring_count(near_in.list()[0]) == 0; }));
  REQUIRE(until([&] { return gateway->drops().at("tx_full") > 0 && frames.in_use() <= kRoom; }));
  CHECK(rte_ring_count(far_out.list()[0]) == kRoom);
  CHECK(gateway->drops().at("tx_full") >= kPackets - kRoom);
  CHECK(gateway->drops().at("tx_full") <= kPackets);
  gateway.reset();
}

TEST_CASE("buffers are counted from queues, rings, caches and workers, and hugepages that are too few are told") {
  const PoolNeeds one{.workers = 1, .devices = {{}, {}}};
  const PoolPlan plan = plan_pools(one);
  CHECK(plan.buffers > 2 * 2048 + 3 * 512 + 1024);  // descriptors, punts, fragments
  CHECK(plan.room == 2048);
  PoolNeeds more = one;
  more.workers = 4;
  CHECK(plan_pools(more).buffers > plan.buffers + 12 * 2048 + 3 * 2 * kPoolCache);  // every ring between two workers
  more.devices.push_back({.rx_descriptors = 4096, .tx_descriptors = 4096, .mtu = 9000, .frame_octets = 0});
  CHECK(plan_pools(more).room == 9192);
  CHECK(plan_pools(more).buffers > plan_pools({.workers = 4, .devices = one.devices}).buffers + 8192);
  CHECK(plan_pools(more).octets > std::uint64_t{plan_pools(more).buffers} * 9192);

  Setup setup;
  setup.cores = {1, 2};
  setup.ports.resize(2);
  setup.ports[0].device = "0000:3b:00.0";
  setup.ports[1].device = "0000:3b:00.1";
  CHECK(memory_complaint(setup).empty());
  setup.hugepages_mib = 0;  // runs without
  CHECK(memory_complaint(setup).empty());
  setup.hugepages_mib = 16;
  CHECK(memory_complaint(setup).find("hugepages: 16 MiB are less than the ") == 0);
  setup.hugepages_mib = memory_mib(setup);
  CHECK(memory_complaint(setup).empty());
  CHECK(memory_text(setup).starts_with("memory: "));
  const std::uint32_t mib = memory_mib(setup);
  setup.ports[1].device = setup.ports[0].device;  // a VLAN of the same device takes no queues of its own
  setup.ports[1].vlan = 7;
  CHECK(memory_mib(setup) < mib);
}

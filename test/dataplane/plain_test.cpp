// The short way for the common packet (plain.cpp) decides as the general one does: two gateways, one of which has no
// plain ports because each device carries a VLAN too, get the same frames and do the same with them.
#include <map>

#include "test/dataplane/gateway_lab.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

void with_vlans(Setup& setup) {
  for (int i = 0; i < 2; ++i) {
    PortSetup vlan = setup.ports[static_cast<std::size_t>(i)];
    vlan.name += "-vlan";
    vlan.vlan = 7;
    vlan.addresses = {*conf::Prefix::parse(i == 0 ? "198.51.100.1/24" : "10.200.0.1/16")};
    setup.ports.push_back(vlan);
  }
}

struct Both {
  GatewayLab plain{1}, general{1, with_vlans};
  std::mt19937 random{11};

  Both() {
    for (GatewayLab* lab : {&plain, &general}) {
      lab->add_tunnel(false);
      lab->add_tunnel(true);
      // Every neighbor is known before the comparison begins.
      lab->give_ip(1, udp_packet({.source = "10.1.0.5", .destination = "10.2.0.7"}, 1, 2, counting(20)));
      lab->give_ip(1, udp_packet({.source = "10.1.0.5", .destination = "10.3.0.7"}, 1, 2, counting(20)));
      lab->give_ip(0, sealed(*lab, 0, udp_packet({.source = "10.2.0.7", .destination = "10.1.0.5"}, 1, 2, counting(20))));
      REQUIRE(lab->run([lab] { return lab->out(0).size() == 2 && lab->out(1).size() == 1; }));
      lab->settle();
      lab->out(0).clear();
      lab->out(1).clear();
    }
  }

  static Bytes sealed(GatewayLab& lab, std::size_t tunnel, const Bytes& inner, const SealOptions& options = {}) {
    auto& t = lab.tunnels()[tunnel];
    return reference_seal(t.to_us, ++t.sent, inner, options);
  }

  // What came of it: packets that left, opened where they were encrypted, and drops by name.
  struct Outcome {
    std::vector<Bytes> wan, lan;
    std::map<std::string, std::uint64_t> drops;
    bool operator==(const Outcome&) const = default;
  };
  static Outcome outcome(GatewayLab& lab, const std::map<std::string, std::uint64_t>& before) {
    lab.settle();
    Outcome out;
    for (Bytes packet : lab.out(0)) {
      for (const auto& tunnel : lab.tunnels()) {
        auto opened = reference_open(tunnel.from_us, packet);
        if (!opened.error.empty()) continue;
        packet = opened.inner;
        break;
      }
      out.wan.push_back(packet);
    }
    out.lan.assign(lab.out(1).begin(), lab.out(1).end());
    lab.out(0).clear();
    lab.out(1).clear();
    for (const auto& [name, count] : lab.gateway().drops())
      if (count != before.at(name)) out.drops[name] = count - before.at(name);
    return out;
  }
  // `give` is called for each of the two.
  Outcome same(const std::function<void(GatewayLab&)>& give) {
    std::map<std::string, std::uint64_t> before[2] = {plain.gateway().drops(), general.gateway().drops()};
    give(plain);
    give(general);
    const Outcome a = outcome(plain, before[0]), b = outcome(general, before[1]);
    CHECK(a.wan == b.wan);
    CHECK(a.lan == b.lan);
    CHECK(a.drops == b.drops);
    return a;
  }
};

void fix_checksum(Bytes& packet) {
  const std::size_t header = (packet[0] & 15U) * 4U;
  if (header < 20 || header > packet.size()) return;
  packet[10] = packet[11] = 0;
  const std::uint16_t sum = checksum(std::span(packet).first(header));
  packet[10] = static_cast<std::uint8_t>(sum >> 8);
  packet[11] = static_cast<std::uint8_t>(sum);
}

constexpr int kRounds = 12, kFrames = 25;

}  // namespace

TEST_CASE("Cleartext goes the same way with the short way and without, damaged at random") {
  Both both;
  std::uint64_t encrypted = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Bytes> packets;
    for (int i = 0; i < kFrames; ++i) {
      const char* to[] = {"10.2.0.7", "10.3.9.9", "10.9.0.1", "10.1.0.9", "192.0.2.50", "10.1.0.1"};
      const std::uint8_t protocols[] = {17, 6, 47};
      Bytes packet = udp_packet({.source = "10.1.0.5",
                                 .destination = to[both.random() % (both.random() % 4 == 0 ? 6 : 2)],
                                 .protocol = protocols[both.random() % 3],
                                 .ttl = static_cast<std::uint8_t>(both.random() % 8 == 0 ? both.random() % 3 : 64),
                                 .tos = static_cast<std::uint8_t>(both.random())},
                                1, 2, counting(12 + both.random() % 300));
      for (std::uint32_t n = both.random() % 3; n > 0; --n) packet[both.random() % 40] ^= 1U << both.random() % 8;
      if (both.random() % 4 != 0) fix_checksum(packet);
      packets.push_back(packet);
    }
    const auto seen = both.same([&](GatewayLab& lab) {
      for (const Bytes& packet : packets) lab.give_ip(1, packet);
    });
    encrypted += seen.wan.size();
  }
  CHECK(encrypted > kRounds);
}

TEST_CASE("ESP goes the same way with the short way and without, outer and inner packet damaged at random") {
  Both both;
  std::uint64_t decrypted = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::uint32_t seed = both.random();
    const auto seen = both.same([&](GatewayLab& lab) {
      std::mt19937 random(seed);  // the same for both, whose SPIs differ
      for (int i = 0; i < kFrames; ++i) {
        const std::size_t tunnel = random() % 2;
        const char* to[] = {"10.1.0.5", "10.1.0.5", "10.1.0.1", "10.2.0.8", "10.3.0.8", "10.99.0.1"};
        Bytes inner = udp_packet({.source = tunnel == 0 ? "10.2.0.7" : "10.3.0.7",
                                  .destination = to[random() % (random() % 3 == 0 ? 6 : 2)],
                                  .protocol = static_cast<std::uint8_t>(random() % 4 == 0 ? 6 : 17),
                                  .ttl = static_cast<std::uint8_t>(random() % 8 == 0 ? random() % 3 : 64),
                                  .tos = static_cast<std::uint8_t>(random())},
                                 1, 2, counting(12 + random() % 300));
        if (random() % 3 == 0) inner[random() % 40] ^= 1U << random() % 8;
        if (random() % 4 != 0) fix_checksum(inner);
        Bytes outer = Both::sealed(lab, tunnel, inner,
                                   {.iv = {},
                                    .tfc = random() % 8 == 0 ? random() % 50 : 0,
                                    .extra_blocks = random() % 8 == 0 ? random() % 40 : 0,
                                    .next_header = std::nullopt,
                                    .padding = std::nullopt,
                                    .traffic_class = static_cast<std::uint8_t>(random())});
        const std::uint32_t at = random(), bit = random();
        if (random() % 6 == 0) outer[at % std::min<std::size_t>(28, outer.size())] ^= 1U << bit % 8;
        if (random() % 3 != 0) fix_checksum(outer);
        lab.give_ip(0, outer);
        if (random() % 16 == 0) lab.give_ip(0, outer);
      }
    });
    decrypted += seen.lan.size();
  }
  CHECK(decrypted > kRounds);
}

TEST_CASE("Packets of a flow leave in the order in which they came, whichever of them go the short way") {
  GatewayLab lab(1);
  lab.add_tunnel(false);
  const auto packet = [](bool out, std::uint32_t n) {
    const bool tcp = n % 7 == 3;  // a SYN goes the general way
    Bytes body = counting(40);
    if (tcp) body[13] = 2, body[12] = 0x50;
    body[30] = static_cast<std::uint8_t>(n >> 8);
    body[31] = static_cast<std::uint8_t>(n);
    const char *here = "10.1.0.5", *there = "10.2.0.7";
    return ipv4({.source = out ? here : there,
                 .destination = out ? there : here,
                 .protocol = static_cast<std::uint8_t>(tcp ? 6 : 17)},
                body);
  };
  const auto number = [](const Bytes& inner) { return std::uint32_t{inner[50]} << 8 | inner[51]; };
  auto& tunnel = lab.tunnels()[0];
  constexpr std::uint32_t kCount = 600;
  for (std::uint32_t n = 0; n < kCount; ++n) {
    lab.give_ip(1, packet(true, n));
    lab.give_ip(0, reference_seal(tunnel.to_us, ++tunnel.sent, packet(false, n)));
    if (n == 0) REQUIRE(lab.run([&] { return lab.out(0).size() == 1 && lab.out(1).size() == 1; }));  // neighbors are known
  }
  REQUIRE(lab.run([&] { return lab.out(0).size() == kCount && lab.out(1).size() == kCount; }));
  for (std::uint32_t n = 0; n < kCount; ++n) {
    CHECK(number(reference_open(tunnel.from_us, lab.out(0)[n]).inner) == n);
    CHECK(number(lab.out(1)[n]) == n);
  }
  lab.settle();
}

TEST_CASE("Limits of an SA's life are told once and kept to the packet, by the short way as by the general one") {
  const bool general = GENERATE(false, true);
  GatewayLab lab(1, general ? std::function<void(Setup&)>(with_vlans) : nullptr);
  lab.add_tunnel(false, true, [](PolicySpec*, SaSpec* spec) {
    if (spec == nullptr) return;
    spec->soft_packets = 100;
    spec->hard_packets = 150;
  });
  auto& tunnel = lab.tunnels()[0];
  const Bytes out = udp_packet({.source = "10.1.0.5", .destination = "10.2.0.7"}, 1, 2, counting(20));
  const Bytes in = udp_packet({.source = "10.2.0.7", .destination = "10.1.0.5"}, 1, 2, counting(20));
  for (int i = 0; i < 170; ++i) {
    lab.give_ip(1, out);
    lab.give_ip(0, reference_seal(tunnel.to_us, ++tunnel.sent, in));
    if (i == 0) REQUIRE(lab.run([&] { return lab.out(0).size() == 1 && lab.out(1).size() == 1; }));  // neighbors are known
  }
  REQUIRE(lab.run([&] { return lab.out(0).size() == 150 && lab.out(1).size() == 150; }));
  lab.settle();
  CHECK(lab.out(0).size() == 150);
  CHECK(lab.out(1).size() == 150);
  CHECK(lab.dropped("sa_expired") == 40);
  std::map<std::pair<Direction, bool>, int> told;
  for (const Event& event : lab.events())
    if (const auto* limit = std::get_if<LimitReached>(&event)) ++told[{limit->direction, limit->hard}];
  CHECK(told.size() == 4);
  for (const auto& [what, times] : told) CHECK(times == 1);
  const auto counted = [&](Direction direction, std::uint32_t spi) {
    return lab.gateway().counters(direction, spi, tunnel.number)->packets;
  };
  CHECK(counted(Direction::outbound, tunnel.from_us.spi) == 150);
  CHECK(counted(Direction::inbound, tunnel.to_us.spi) == 150);
}

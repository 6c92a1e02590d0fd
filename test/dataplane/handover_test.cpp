// Several workers on ports with one queue: packets reach the SA's owner, and the queue's, by rings.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>

#include "test/dataplane/gateway_lab.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

constexpr std::uint32_t kTunnels = 16, kFlows = 4, kPackets = 60, kBatch = 8;

Bytes numbered(std::uint32_t tunnel, std::uint32_t flow, std::uint32_t number, bool out) {
  const std::string far = "10." + std::to_string(2 + tunnel) + ".0.7", near = "10.1.0.5";
  Bytes body = counting(20 + number % 300);
  for (int i = 0; i < 4; ++i) body[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(number >> (24 - 8 * i));
  return udp_packet({.source = out ? near : far, .destination = out ? far : near},
                    static_cast<std::uint16_t>(1000 + flow), 2000, body);
}

struct Seen {
  std::uint32_t tunnel, flow, number;
};
Seen read(const Bytes& packet, bool out) {
  const std::uint8_t* body = packet.data() + 28;
  return {static_cast<std::uint32_t>(packet[out ? 17 : 13] - 2),
          static_cast<std::uint32_t>((packet[20] << 8 | packet[21]) - 1000),
          static_cast<std::uint32_t>(body[0] << 24 | body[1] << 16 | body[2] << 8 | body[3])};
}

// Sends every flow's packets in turns and checks that each flow's come out once each, in order.
void every_flow_in_order(unsigned workers) {
  GatewayLab lab(workers);
  for (std::uint32_t t = 0; t < kTunnels; ++t) lab.add_tunnel(t % 2 == 1);
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> next_out, next_in;
  std::map<std::uint32_t, std::uint32_t> sequence;
  const auto check = [&](const Bytes& packet, bool out, auto& next) {
    const Seen seen = read(packet, out);
    const std::uint32_t expected = next[{seen.tunnel, seen.flow}]++;
    if (seen.number != expected)
      FAIL("tunnel " << seen.tunnel << " flow " << seen.flow << ": " << seen.number << " where " << expected
                     << " was due");
  };
  // Every neighbor is asked for before the stream, so that no bound on waiting packets is met.
  for (std::uint32_t t = 0; t < kTunnels; ++t) lab.give_ip(1, numbered(t, 0, next_out[{t, 0}], true));
  lab.give_ip(0, reference_seal(lab.tunnels()[0].to_us, ++lab.tunnels()[0].sent, numbered(0, 0, 0, false)));
  const auto drain = [&] {
    for (; !lab.out(0).empty(); lab.out(0).pop_front()) {
      const Bytes& packet = lab.out(0).front();
      const std::size_t esp = packet[9] == 50 ? 20 : 28;
      const auto spi = static_cast<std::uint32_t>(packet[esp] << 24 | packet[esp + 1] << 16 | packet[esp + 2] << 8 |
                                                  packet[esp + 3]);
      for (const auto& tunnel : lab.tunnels()) {
        if (tunnel.from_us.spi != spi) continue;
        const auto opened = reference_open(tunnel.from_us, packet);
        if (!opened.error.empty()) FAIL(opened.error);
        if (opened.sequence != ++sequence[tunnel.number])
          FAIL("sequence numbers of tunnel " << tunnel.number << " are out of order");
        check(opened.inner, true, next_out);
      }
    }
    for (; !lab.out(1).empty(); lab.out(1).pop_front()) check(lab.out(1).front(), false, next_in);
  };
  std::uint64_t total = 0;
  const auto arrived = [&] {
    drain();
    total = 0;
    for (const auto* next : {&next_out, &next_in})
      for (const auto& [flow, n] : *next) total += n;
    return total;
  };
  REQUIRE(lab.run([&] { return arrived() == kTunnels + 1; }));

  std::uint64_t given = kTunnels + 1;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> sent_out, sent_in;
  for (std::uint32_t t = 0; t < kTunnels; ++t) sent_out[{t, 0}] = 1;
  sent_in[{0, 0}] = 1;
  for (std::uint32_t n = 0; n < kPackets; n += kBatch) {
    for (std::uint32_t t = 0; t < kTunnels; ++t) {
      auto& tunnel = lab.tunnels()[t];
      for (std::uint32_t f = 0; f < kFlows; ++f) {
        for (std::uint32_t i = 0; i < kBatch; ++i) {
          lab.give_ip(1, numbered(t, f, sent_out[{t, f}]++, true));
          lab.give_ip(0, reference_seal(tunnel.to_us, ++tunnel.sent, numbered(t, f, sent_in[{t, f}]++, false)));
          given += 2;
        }
      }
    }
    REQUIRE(lab.run([&] { return arrived() == given; }));
  }
  lab.settle();
  drain();
  CHECK(arrived() == given);
  CHECK(lab.dropped_in_all() == 0);
  const auto status = lab.gateway().workers();
  std::uint64_t handed = 0;
  unsigned owners = 0;
  for (const auto& w : status) {
    handed += w.handed_over;
    owners += w.sas_inbound > 0 ? 1 : 0;
  }
  CHECK(owners > 1);
  CHECK(handed > 0);
}

}  // namespace

TEST_CASE("Two workers on one-queue ports lose and reorder nothing within a flow") { every_flow_in_order(2); }
TEST_CASE("Four workers on one-queue ports lose and reorder nothing within a flow") { every_flow_in_order(4); }

namespace {

// SAs of tunnel `which` are replaced by spread ones and back under a stream of packets. Says how many packets one
// worker handed to the other.
std::uint64_t rekeyed_to_spread_and_back(std::uint32_t which) {
  GatewayLab lab(2);
  lab.add_tunnel();
  lab.add_tunnel();
  auto& tunnel = lab.tunnels()[which];
  std::map<std::uint32_t, ReferenceSa> keys{{tunnel.from_us.spi, tunnel.from_us}};
  std::map<std::uint32_t, std::uint32_t> sent, due;
  std::uint64_t given = 0, arrived = 0;
  const auto stream = [&](std::uint32_t packets) {
    for (std::uint32_t i = 0; i < packets; ++i, ++given)
      lab.give_ip(1, numbered(which, i % kFlows, sent[i % kFlows]++, true));
  };
  const auto drain = [&] {
    for (; !lab.out(0).empty(); lab.out(0).pop_front(), ++arrived) {
      const Bytes& packet = lab.out(0).front();
      const auto spi = static_cast<std::uint32_t>(packet[20] << 24 | packet[21] << 16 | packet[22] << 8 | packet[23]);
      REQUIRE(keys.contains(spi));
      const auto opened = reference_open(keys.at(spi), packet);
      REQUIRE(opened.error == "");
      const Seen seen = read(opened.inner, true);
      REQUIRE(seen.number == due[seen.flow]++);
    }
  };
  stream(1);
  REQUIRE(lab.run([&] { return drain(), arrived == 1; }));  // the neighbor is known
  std::uint32_t spi = tunnel.from_us.spi;
  const char* long_run = std::getenv("CAUSEWAY_LONG");
  const std::uint32_t rounds = long_run != nullptr && std::string_view(long_run) == "yes" ? 120 : 30;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    const std::uint32_t old = std::exchange(spi, 0x5000 + round);
    ReferenceSa key = tunnel.from_us;
    key.spi = spi;
    key.key[0] ^= static_cast<std::uint8_t>(round + 1);
    keys.emplace(spi, key);
    SaSpec spec;
    spec.direction = Direction::outbound;
    spec.tunnel = spec.child = which;
    spec.spi = spi;
    spec.suite = {crypto::Encryption::aes_gcm_16, 128, crypto::Integrity::none, false};
    spec.encryption_key = crypto::Secret(key.key);
    spec.selectors = {{conf::Selector::of(*conf::Prefix::parse("10.1.0.0/16"))},
                      {conf::Selector::of(*conf::Prefix::parse("10." + std::to_string(2 + which) + ".0.0/16"))}};
    spec.local = {*conf::IpAddress::parse("192.0.2.1"), 4500};
    spec.remote = {*conf::IpAddress::parse("192.0.2." + std::to_string(100 + which)), 4500};
    spec.cores = round % 2 == 0 ? conf::Cores::spread : conf::Cores::single;
    stream(700);  // under way while it happens
    REQUIRE(lab.run([&] { return drain(), given - arrived < 600; }));
    lab.events().clear();
    lab.gateway().install(std::move(spec), round);
    const auto told = [&](auto what) {
      return std::any_of(lab.events().begin(), lab.events().end(),
                         [](const Event& e) { return std::holds_alternative<decltype(what)>(e); });
    };
    stream(300);
    REQUIRE(lab.run([&] { return drain(), told(Installed{}); }));
    lab.gateway().remove(Direction::outbound, old, which);
    stream(300);
    REQUIRE(lab.run([&] { return drain(), told(Retired{}); }));
    std::uint32_t outbound = 0;
    for (const auto& worker : lab.gateway().workers()) outbound += worker.sas_outbound;
    CHECK(outbound == (round % 2 == 0 ? 3 : 2));  // the other tunnel's, and one or two
    REQUIRE(lab.run([&] { return drain(), arrived == given; }));
  }
  lab.settle();
  CHECK(lab.dropped_in_all() == 0);
  std::uint64_t handed = 0;
  for (const auto& worker : lab.gateway().workers()) handed += worker.handed_over;
  return handed;
}

}  // namespace

TEST_CASE("A rekey from one core to all and back takes no packet past another of its flow, nor loses one") {
  // Of one of them, the worker that receives is not the owner.
  CHECK(rekeyed_to_spread_and_back(0) + rekeyed_to_spread_and_back(1) > 5'000);
}

// What each SA counts: every outcome under its own name, with the distance of what came too late; and the limits of its
// life as control hears of them.
#include <algorithm>

#include "test/dataplane/gateway_lab.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

Bytes inner(const char* to = "10.1.0.5", std::size_t octets = 100) {
  return udp_packet({.source = "10.2.0.7", .destination = to}, 1, 2, counting(octets));
}
Bytes outbound(std::size_t octets = 100, std::uint16_t flags = 0) {
  return udp_packet({.source = "10.1.0.5", .destination = "10.2.0.7", .fragment = flags}, 1, 2, counting(octets));
}

struct Sa {
  GatewayLab& lab;
  GatewayLab::Tunnel& tunnel;
  [[nodiscard]] SaCounters in() const { return *lab.gateway().counters(Direction::inbound, tunnel.to_us.spi, 0); }
  [[nodiscard]] SaCounters out() const { return *lab.gateway().counters(Direction::outbound, tunnel.from_us.spi, 0); }
};

SaSpec spec_of(const GatewayLab::Tunnel& tunnel) {
  SaSpec spec;
  spec.direction = Direction::outbound;
  spec.tunnel = spec.child = tunnel.number;
  spec.suite = {crypto::Encryption::aes_gcm_16, 128, crypto::Integrity::none, false};
  spec.encryption_key = crypto::Secret(tunnel.from_us.key);
  spec.selectors = {{conf::Selector::of(*conf::Prefix::parse("10.1.0.0/16"))},
                    {conf::Selector::of(*conf::Prefix::parse("10.2.0.0/16"))}};
  spec.local = {*conf::IpAddress::parse("192.0.2.1"), 4500};
  spec.remote = {*conf::IpAddress::parse("192.0.2.100"), 4500};
  return spec;
}

std::size_t limits_told(GatewayLab& lab, bool hard) {
  return static_cast<std::size_t>(std::count_if(lab.events().begin(), lab.events().end(), [hard](const Event& e) {
    const auto* limit = std::get_if<LimitReached>(&e);
    return limit != nullptr && limit->hard == hard;
  }));
}

}  // namespace

TEST_CASE("an SA counts each outcome of its packets") {
  GatewayLab lab(1, [](Setup& setup) { setup.ports[1].addresses = {*conf::Prefix::parse("10.1.0.1/24")}; });
  auto& tunnel = lab.add_tunnel();
  const Sa sa{lab, tunnel};
  CHECK(sa.in().last_used_ms == 0);
  lab.give_ip(0, reference_seal(tunnel.to_us, 1, inner()));
  lab.give_ip(1, outbound());
  lab.settle();
  CHECK(sa.in().packets == 1);
  CHECK(sa.in().bytes == inner().size());
  CHECK(sa.in().last_used_ms != 0);
  CHECK(sa.out().packets == 1);
  CHECK(sa.out().last_used_ms != 0);

  Bytes flipped = reference_seal(tunnel.to_us, 2, inner());
  flipped.back() ^= 1;
  lab.give_ip(0, flipped);
  lab.settle();
  CHECK(sa.in().icv_failed == 1);

  lab.give_ip(0, reference_seal(tunnel.to_us, 500, inner()));
  lab.give_ip(0, reference_seal(tunnel.to_us, 500, inner()));  // a copy of the newest: at no distance
  lab.settle();
  CHECK(sa.in().replayed == 1);
  CHECK(sa.in().replay_distance == 0);
  lab.give_ip(0, reference_seal(tunnel.to_us, 5000, inner()));
  lab.settle();  // else the copies may be judged in one burst with it, by the window before
  lab.give_ip(0, reference_seal(tunnel.to_us, 500, inner()));
  lab.give_ip(0, reference_seal(tunnel.to_us, 1, inner()));
  lab.settle();
  CHECK(sa.in().replayed == 3);
  CHECK(sa.in().replay_distance == 4999);
  CHECK(sa.in().sequence == 5000);

  lab.give_ip(0, reference_seal(tunnel.to_us, 5001,
                                udp_packet({.source = "10.9.0.7", .destination = "10.1.0.5"}, 1, 2, counting(9))));
  lab.give_ip(0, reference_seal(tunnel.to_us, 5002, inner("10.1.77.5")));
  lab.give_ip(1, outbound(1440, 0x4000));
  lab.settle();
  CHECK(sa.in().selector_mismatch == 1);
  CHECK(sa.in().no_route == 1);
  CHECK(sa.out().too_big == 1);

  lab.answer_arp = false;
  const std::uint64_t unanswered = lab.dropped("no_neighbor");
  lab.give_ip(0, reference_seal(tunnel.to_us, 5003, inner("10.1.0.77")));
  for (int second = 0; second < 5; ++second) {
    lab.skew += std::chrono::seconds(1);
    for (int i = 0; i < 20; ++i) lab.poll();
  }
  REQUIRE(lab.run([&] { return lab.dropped("no_neighbor") > unanswered; }));
  lab.give_ip(0, reference_seal(tunnel.to_us, 5004, inner("10.1.0.77")));
  REQUIRE(lab.run([&] { return sa.in().no_neighbor == 1; }));
  lab.settle();
}

TEST_CASE("control adds up the octets of a spread SA's replicas, tells the limits once each, and stops all of them") {
  GatewayLab lab(3);
  auto& tunnel = lab.add_tunnel();
  SaSpec spec = spec_of(tunnel);
  spec.spi = 0x77777;
  spec.cores = conf::Cores::spread;
  spec.soft_bytes = 2'000;
  spec.hard_bytes = 5'000;
  lab.events().clear();
  lab.gateway().install(std::move(spec), 9);
  REQUIRE(lab.run([&] { return !lab.events().empty(); }));
  CHECK(std::get<Installed>(lab.events()[0]).token == 9);
  for (const auto& worker : lab.gateway().workers()) CHECK(worker.sas_outbound >= 1);
  tunnel.from_us.spi = 0x77777;
  for (int i = 0; i < 20; ++i) lab.give_ip(1, outbound(100));  // 128 octets each
  REQUIRE(lab.run([&] { return limits_told(lab, false) == 1; }));
  CHECK(limits_told(lab, true) == 0);
  for (int i = 0; i < 25; ++i) lab.give_ip(1, outbound(100));
  REQUIRE(lab.run([&] { return limits_told(lab, true) == 1; }));
  const Sa sa{lab, tunnel};
  lab.settle();
  CHECK(sa.out().packets == 40);  // 5,120 octets, all by one worker, which stops by its own
  CHECK(lab.dropped("sa_expired") == 5);
  lab.give_ip(1, outbound(100));
  lab.settle();
  CHECK(sa.out().packets == 40);
  CHECK(lab.dropped("sa_expired") == 6);
  CHECK(limits_told(lab, false) == 1);
  CHECK(limits_told(lab, true) == 1);

  lab.events().clear();
  lab.gateway().remove(Direction::outbound, 0x77777, 0);
  REQUIRE(lab.run([&] { return !lab.events().empty(); }));
  const auto& retired = std::get<Retired>(lab.events()[0]);  // once, of all replicas together
  CHECK(retired.counters.packets == 40);
  lab.settle();
  CHECK(lab.events().size() == 1);
}

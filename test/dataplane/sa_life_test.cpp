// Ten thousand SAs at once, and coming and going at random: what they take, and that they give it back.
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "test/dataplane/gateway_lab.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint32_t kSas = 10'000;
constexpr std::uint32_t kFirstChild = 100;  // those before it are the lab's own

std::uint64_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6));
  return 0;
}

bool long_run() {
  const char* text = std::getenv("CAUSEWAY_LONG");
  return text != nullptr && std::string_view(text) == "yes";
}

struct Population {
  GatewayLab& lab;
  struct Sa {
    Direction direction = Direction::inbound;
    std::uint32_t spi = 0;
    bool there = false;
  };
  std::vector<Sa> sas = std::vector<Sa>(kSas);
  std::size_t seen = 0, installed = 0, retired = 0, asked = 0, dismissed = 0;
  std::mt19937_64 random{31};

  explicit Population(GatewayLab& of) : lab(of) {}

  void install(std::uint32_t n) {
    Sa& sa = sas[n];
    sa.direction = n % 2 == 0 ? Direction::inbound : Direction::outbound;
    sa.spi = sa.direction == Direction::inbound ? lab.gateway().allocate_spi(n)
                                                : static_cast<std::uint32_t>(random() | 0x1000);
    REQUIRE(sa.spi != 0);
    sa.there = true;
    SaSpec spec;
    spec.direction = sa.direction;
    spec.tunnel = n / 2;
    spec.child = kFirstChild + n / 2;
    spec.spi = sa.spi;
    spec.suite = n % 3 == 0
                     ? crypto::EspSuite{crypto::Encryption::aes_cbc, 256, crypto::Integrity::hmac_sha2_256_128, false}
                     : crypto::EspSuite{crypto::Encryption::aes_gcm_16, 256, crypto::Integrity::none, false};
    Bytes key(n % 3 == 0 ? 32 : 36), integrity(n % 3 == 0 ? 32 : 0);
    for (auto* octets : {&key, &integrity})
      for (auto& octet : *octets) octet = static_cast<std::uint8_t>(random());
    spec.encryption_key = crypto::Secret(key);
    spec.integrity_key = crypto::Secret(integrity);
    spec.selectors = {{conf::Selector::of(*conf::Prefix::parse("10.1.0.0/16"))},
                      {conf::Selector::of(*conf::Prefix::parse("172.16.0.0/12"))}};
    spec.local = {*conf::IpAddress::parse("192.0.2.1"), 4500};
    spec.remote = {*conf::IpAddress::parse("192.0.2.200"), 4500};
    spec.cores = n % 8 == 1 ? conf::Cores::spread : conf::Cores::single;
    ++asked;
    lab.gateway().install(std::move(spec), n);
  }
  void remove(std::uint32_t n) {
    ++dismissed;
    sas[n].there = false;
    lab.gateway().remove(sas[n].direction, sas[n].spi, kFirstChild + n / 2);
  }
  // Everything that was asked for has been done.
  bool settled() {
    for (; seen < lab.events().size(); ++seen) {
      const Event& event = lab.events()[seen];
      if (const auto* i = std::get_if<Installed>(&event)) {
        REQUIRE(i->ok);
        ++installed;
      }
      if (std::holds_alternative<Retired>(event)) ++retired;
    }
    return installed == asked && retired == dismissed;
  }
};

}  // namespace

TEST_CASE("Ten thousand SAs take less than 64 MiB, and give everything back after a life at random") {
  GatewayLab lab(2);
  auto& tunnel = lab.add_tunnel();
  lab.events().clear();
  const auto carry = [&](std::size_t count) {  // packets of a tunnel that is always there
    const std::size_t before = lab.out(0).size(), came = lab.out(1).size();
    for (std::size_t i = 0; i < count; ++i) {
      lab.give_ip(1, udp_packet({.source = "10.1.0.5", .destination = "10.2.0.7"}, 1, 2, counting(80)));
      lab.give_ip(0, reference_seal(tunnel.to_us, ++tunnel.sent,
                                    udp_packet({.source = "10.2.0.7", .destination = "10.1.0.5"}, 1, 2, counting(80))));
    }
    return std::pair(before + count, came + count);
  };
  const auto first = carry(1);
  REQUIRE(lab.run([&] { return lab.out(0).size() == first.first && lab.out(1).size() == first.second; }));
  lab.settle();

  Population population(lab);
  const std::uint64_t empty = resident_kib();
  for (std::uint32_t n = 0; n < kSas; ++n) {
    population.install(n);
    if (n % 256 == 0) lab.poll();
  }
  REQUIRE(lab.run([&] { return population.settled(); }));
  const std::uint64_t full = resident_kib() - empty;
  std::cout << "figure " << kSas << " SAs: " << full / 1024 << " MiB resident, " << full * 1024 / kSas
            << " octets each\n";
  CHECK(full < 64 * 1024);

  const auto end = Clock::now() + std::chrono::seconds(long_run() ? 60 : 12);
  std::uint64_t lives = 0;
  while (Clock::now() < end) {
    for (int i = 0; i < 200; ++i, ++lives) {
      const auto n = static_cast<std::uint32_t>(population.random() % kSas);
      if (population.sas[n].there) {
        population.remove(n);
      } else {
        population.install(n);
      }
    }
    const auto due = carry(4);
    REQUIRE(lab.run(
        [&] { return population.settled() && lab.out(0).size() == due.first && lab.out(1).size() == due.second; }));
    lab.out(0).clear();
    lab.out(1).clear();
    lab.events().clear();
    population.seen = 0;
  }
  std::cout << "figure " << lives << " of them came or went\n";
  CHECK(lab.dropped_in_all() == 0);
  for (std::uint32_t n = 0; n < kSas; ++n) {
    if (population.sas[n].there) population.remove(n);
    if (n % 256 == 0) lab.poll();
  }
  REQUIRE(lab.run([&] { return population.settled(); }));
  lab.settle();
  for (const auto& pool : lab.gateway().pools()) {
    INFO(pool.name);
    const bool own = pool.name == "sas" || pool.name == "spi-slots";
    CHECK(pool.in_use == (pool.name == "sas" ? 2U : own ? 1U : 0U));
  }
}

// The neighbor state machine under virtual time.
#include "dataplane/neighbor.h"

#include <random>

#include "dataplane/packet.h"
#include "test/support/catch.h"
#include "test/support/eal.h"

using namespace causeway;
using namespace causeway::dataplane;

namespace {

const conf::IpAddress kA = *conf::IpAddress::parse("10.0.0.7"), kB = *conf::IpAddress::parse("10.0.0.8");
constexpr Mac kMac{2, 0, 0, 0, 0, 7}, kOther{2, 0, 0, 0, 0, 9};

struct Lab {
  test::Pool pool = test::packet_pool(255, 256);
  NeighborCache cache;
  NeighborCache::Effects last;

  explicit Lab(NeighborCache::Limits limits = {}) : cache(limits) {}
  void packet(const conf::IpAddress& to, std::uint64_t now, std::uint16_t worker = 0) {
    last = {};
    cache.hold(0, to, {PacketPtr(rte_pktmbuf_alloc(pool.get())), worker}, now, last);
  }
  void tick(std::uint64_t now) {
    last = {};
    cache.tick(now, last);
  }
  void answer(const conf::IpAddress& who, const Mac& mac, std::uint64_t now) {
    last = {};
    cache.learned(0, who, mac, true, false, now, last);
  }
  void announced(const conf::IpAddress& who, const Mac& mac, bool create, std::uint64_t now) {
    last = {};
    cache.learned(0, who, mac, false, create, now, last);
  }
  void used(const conf::IpAddress& who, std::uint64_t now) {
    last = {};
    cache.used(0, who, now, last);
  }
  std::string state(const conf::IpAddress& who, std::uint64_t now = 0) const {
    for (const auto& s : cache.status(now))
      if (s.address == who.str()) return s.state;
    return "";
  }
  unsigned in_use() const { return rte_mempool_in_use_count(pool.get()); }
};

}  // namespace

TEST_CASE("Packets of the box itself wait where those of others no longer may, up to a bound of their own") {
  Lab lab({.held_per_neighbor = 2, .own_per_neighbor = 5});
  const auto own = [&lab] {
    lab.last = {};
    lab.cache.hold(0, kA, {PacketPtr(rte_pktmbuf_alloc(lab.pool.get())), 0, true}, 100, lab.last);
    return lab.last.queue_full;
  };
  lab.packet(kA, 100);
  lab.packet(kA, 100);
  lab.packet(kA, 100);
  CHECK(lab.last.queue_full == 1);
  for (int i = 0; i < 3; ++i) CHECK(own() == 0);
  CHECK(own() == 1);
  lab.answer(kA, kMac, 101);
  REQUIRE(lab.last.release.size() == 1);
  CHECK(lab.last.release[0].packets.size() == 5);
}

TEST_CASE("The first packet asks, waits, and leaves with the others, in order, when the answer comes") {
  Lab lab;
  lab.packet(kA, 100, 1);
  REQUIRE(lab.last.ask.size() == 1);
  CHECK_FALSE(lab.last.ask[0].to.has_value());
  for (std::uint16_t i = 2; i <= 5; ++i) {
    lab.packet(kA, 101, i);
    CHECK(lab.last.ask.empty());
  }
  CHECK(lab.cache.held() == 5);
  lab.answer(kA, kMac, 102);
  REQUIRE(lab.last.release.size() == 1);
  CHECK(lab.last.release[0].mac == kMac);
  REQUIRE(lab.last.release[0].packets.size() == 5);
  for (std::uint16_t i = 0; i < 5; ++i) CHECK(lab.last.release[0].packets[i].worker == i + 1);
  CHECK(lab.state(kA) == "reachable");
  lab.last = {};
  CHECK(lab.in_use() == 0);
}

TEST_CASE(
    "Three questions a second apart, then the packets are dropped and the neighbor has failed for three seconds") {
  Lab lab;
  lab.packet(kA, 0);
  lab.tick(999);
  CHECK(lab.last.ask.empty());
  lab.tick(1000);
  CHECK(lab.last.ask.size() == 1);
  lab.tick(2000);
  CHECK(lab.last.ask.size() == 1);
  lab.tick(3000);
  CHECK(lab.last.ask.empty());
  CHECK(lab.last.no_neighbor == 1);
  CHECK(lab.state(kA) == "failed");
  CHECK(lab.in_use() == 0);
  lab.packet(kA, 3001);
  CHECK(lab.last.ask.empty());
  CHECK(lab.last.no_neighbor == 1);
  lab.tick(6000);
  CHECK(lab.state(kA).empty());
  lab.packet(kA, 6001);
  CHECK(lab.last.ask.size() == 1);
}

TEST_CASE("A neighbor grows stale after 30 s, is asked directly when it is used, and forgotten when it is not") {
  Lab lab;
  lab.packet(kA, 0);
  lab.answer(kA, kMac, 10);
  lab.last = {};
  lab.tick(30'009);
  CHECK(lab.state(kA) == "reachable");
  lab.tick(30'010);
  CHECK(lab.state(kA) == "stale");
  REQUIRE(lab.cache.take_changed());
  REQUIRE(lab.cache.table().size() == 1);
  CHECK(lab.cache.table()[0].stale);
  lab.used(kA, 40'000);
  REQUIRE(lab.last.ask.size() == 1);
  CHECK(lab.last.ask[0].to == kMac);
  CHECK_FALSE(lab.cache.table()[0].stale);  // used meanwhile, and not told again
  lab.answer(kA, kMac, 40'001);
  CHECK(lab.state(kA) == "reachable");
  lab.tick(70'001);
  CHECK(lab.state(kA) == "stale");
  lab.tick(70'001 + 600'000);
  CHECK(lab.state(kA).empty());
}

TEST_CASE("A stale neighbor that no longer answers is asked five times, the last three by broadcast, and fails") {
  Lab lab;
  lab.announced(kA, kMac, true, 0);
  CHECK(lab.state(kA) == "stale");
  lab.used(kA, 0);
  std::size_t direct = lab.last.ask[0].to.has_value() ? 1 : 0, broadcast = 1 - direct;
  for (std::uint64_t t = 1000; t <= 5000; t += 1000) {
    lab.tick(t);
    for (const auto& ask : lab.last.ask) ++(ask.to ? direct : broadcast);
  }
  CHECK(direct == 2);
  CHECK(broadcast == 3);
  CHECK(lab.state(kA) == "failed");
}

TEST_CASE("An announcement moves a known neighbor at once and revives a failed one, but makes none unless asked to") {
  Lab lab;
  lab.announced(kB, kMac, false, 0);
  CHECK(lab.state(kB).empty());
  lab.packet(kA, 0);
  lab.answer(kA, kMac, 1);
  lab.last = {};
  lab.announced(kA, kOther, false, 2);
  CHECK(lab.cache.mac(0, kA) == kOther);
  lab.packet(kB, 0);
  for (std::uint64_t t = 1000; t <= 3000; t += 1000) lab.tick(t);
  REQUIRE(lab.state(kB) == "failed");
  lab.announced(kB, kMac, false, 3100);
  CHECK(lab.state(kB) == "stale");
}

TEST_CASE("An answer nobody asked for makes no entry") {
  Lab lab;
  lab.answer(kA, kMac, 0);
  CHECK(lab.cache.table().empty());
}

TEST_CASE("Waiting packets are bounded for each neighbor and in all, and so are neighbors") {
  Lab lab({.entries = 20, .held_per_neighbor = 4, .held_in_all = 30});
  std::uint64_t full = 0;
  for (std::uint32_t n = 0; n < 40; ++n) {
    for (int i = 0; i < 6; ++i) {
      lab.packet(conf::IpAddress::from_v4(0x0a000000 + n), 0);
      full += lab.last.queue_full;
    }
  }
  CHECK(lab.cache.held() == 30);
  CHECK(full == 40 * 6 - 30);
  CHECK(lab.cache.status(0).size() == 20);
  NeighborCache::Effects gone;
  lab.cache.forget_port(0, gone);
  CHECK(gone.no_neighbor == 30);
  CHECK(lab.in_use() == 0);
}

TEST_CASE("Random events for hours of virtual time: no packet is lost count of, and nothing waits for ever") {
  Lab lab({.entries = 16, .held_per_neighbor = 4, .held_in_all = 24});
  std::mt19937_64 random(7);
  std::uint64_t now = 0, in = 0, out = 0;
  const auto settle = [&] {
    out += lab.last.no_neighbor + lab.last.queue_full;
    for (const auto& r : lab.last.release) out += r.packets.size();
    lab.last = {};
  };
  for (int i = 0; i < 20'000; ++i) {
    now += random() % 3000;
    const auto who = conf::IpAddress::from_v4(0x0a000000 + static_cast<std::uint32_t>(random() % 24));
    switch (random() % 5) {
      case 0:
      case 1:
        ++in;
        lab.packet(who, now);
        break;
      case 2:
        lab.answer(who, random() % 2 == 0 ? kMac : kOther, now);
        break;
      case 3:
        lab.announced(who, kMac, random() % 2 == 0, now);
        break;
      default:
        lab.used(who, now);
        break;
    }
    settle();
    lab.tick(now);
    settle();
    REQUIRE(in == out + lab.cache.held());
    REQUIRE(lab.in_use() == lab.cache.held());
  }
  for (int i = 0; i < 10; ++i) {
    lab.tick(now += 1000);
    settle();
  }
  CHECK(lab.cache.held() == 0);
}

TEST_CASE("The workers' table finds exactly what is in it, whatever collides") {
  std::mt19937_64 random(3);
  for (std::size_t size : {0U, 1U, 7U, 300U}) {
    std::vector<NeighborTable::Entry> entries;
    for (std::size_t i = 0; i < size; ++i) {
      entries.push_back({.address = conf::IpAddress::from_v4(static_cast<std::uint32_t>(i * 7)),
                         .port = static_cast<std::uint16_t>(i % 3),
                         .mac = {0, 0, 0, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}});
    }
    const NeighborTable table(entries);
    for (const auto& e : entries) REQUIRE(table.find(e.port, e.address)->mac == e.mac);
    for (std::size_t i = 0; i < size; ++i) {
      REQUIRE(table.find(static_cast<std::uint16_t>((i + 1) % 3), entries[i].address) == nullptr);
      REQUIRE(table.find(0, conf::IpAddress::from_v4(static_cast<std::uint32_t>(i * 7 + 1))) == nullptr);
    }
  }
}

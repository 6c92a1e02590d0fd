// Batches lent to other cores: they leave the FIFO in order, whoever decrypted them and whenever; a lender that sleeps
// holds nothing up; and two gateways that lend lose and reorder nothing.
#include <deque>
#include <iostream>
#include <thread>

#include "dataplane/lend.h"
#include "dataplane/spi.h"
#include "test/dataplane/gateway_pair.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

constexpr std::uint64_t kPatience = 1000;

struct Office {
  LendRing a{8}, b{8};
  std::atomic<bool> a_overloaded{false}, b_overloaded{false};
  crypto::EspEngine engine{crypto::EspPlan::calibrate()};
  LendQueue queue{{{&a, &a_overloaded}, {&b, &b_overloaded}}, kPatience};

  crypto::EspBatch* push(bool lend, std::uint64_t now = 0) {
    crypto::EspBatch* batch = &queue.next();
    queue.push(lend, engine, now);
    return batch;
  }
};

}  // namespace

TEST_CASE("batches leave in the order in which they came, local and lent alike") {
  Office o;
  auto* first = o.push(true);   // with a
  auto* second = o.push(true);  // with b
  auto* third = o.push(false);  // decrypted here, and waits for its turn
  CHECK(o.a.size() == 1);
  CHECK(o.b.size() == 1);
  CHECK(o.queue.front(o.engine, 1, false) == nullptr);
  CHECK(help(o.b, o.engine));
  CHECK(o.queue.front(o.engine, 2, false) == nullptr);  // b was faster; a's is due
  CHECK(help(o.a, o.engine));
  for (auto* due : {first, second, third}) {
    CHECK(o.queue.front(o.engine, 3, false) == due);
    o.queue.pop();
  }
  CHECK(o.queue.empty());
  CHECK(o.queue.taken_back() == 0);
  CHECK_FALSE(help(o.a, o.engine));
}

TEST_CASE("a lender that sleeps loses its batch when its time is up, and is not asked again for a while") {
  Office o;
  auto* first = o.push(true, 100);
  CHECK(o.queue.front(o.engine, 100 + kPatience - 1, false) == nullptr);
  CHECK(o.queue.front(o.engine, 100 + kPatience, false) == first);
  o.queue.pop();
  CHECK(o.queue.taken_back() == 1);
  for (int i = 0; i < 3; ++i) o.push(true, 200 + kPatience);
  CHECK(o.b.size() == 2);  // as many as one gets at once
  CHECK(o.a.size() == 1);  // what it let lie
  auto* mine = o.push(true, 200 + kPatience);
  CHECK(mine != first);        // a has not let go of it yet
  CHECK(help(o.a, o.engine));  // it wakes up: what was withdrawn it only lets go of
  CHECK(help(o.b, o.engine));
  CHECK(help(o.b, o.engine));
  std::size_t left = 0;
  while (o.queue.front(o.engine, 300 + kPatience, false) != nullptr) {
    o.queue.pop();
    ++left;
  }
  CHECK(left == 4);
}

TEST_CASE("with nothing better to do the owner soon takes back what nobody began") {
  Office o;
  auto* first = o.push(true);
  CHECK(o.queue.front(o.engine, 1, true) == nullptr);
  CHECK(o.queue.front(o.engine, kPatience / 8, false) == nullptr);
  CHECK(o.queue.front(o.engine, kPatience / 8, true) == first);
  o.queue.pop();
  CHECK(o.queue.empty());
  CHECK(o.queue.popped() == o.queue.pushed());
}

TEST_CASE("a lender that has enough to do of its own is not asked") {
  Office o;
  o.a_overloaded = true;
  for (int i = 0; i < 4; ++i) o.push(true);
  CHECK(o.a.size() == 0);
  CHECK(o.b.size() == 2);
  o.b_overloaded = true;
  const std::uint64_t lent = o.queue.lent();
  o.push(true);
  CHECK(o.queue.lent() == lent);
  while (help(o.b, o.engine)) {
  }
  while (o.queue.front(o.engine, 1, false) != nullptr) o.queue.pop();
  CHECK(o.queue.empty());
}

TEST_CASE("the owner takes a share, and the FIFO is bounded") {
  Office o;
  std::size_t lent = 0;
  for (std::size_t i = 0; i < LendQueue::kDepth; ++i) {
    REQUIRE(o.queue.room(1));
    o.push(true);
    lent = o.queue.lent();
    while (help(o.a, o.engine) || help(o.b, o.engine)) {
    }
  }
  CHECK_FALSE(o.queue.room(1));
  CHECK(lent >= 4);
  CHECK(lent < LendQueue::kDepth);
  while (o.queue.front(o.engine, 1, false) != nullptr) o.queue.pop();
  CHECK(o.queue.empty());
}

TEST_CASE("lenders that come, go and sleep at random never hold anything up nor change the order") {
  LendRing rings[3]{LendRing(8), LendRing(8), LendRing(8)};
  crypto::EspEngine engine(crypto::EspPlan::calibrate());
  const std::atomic<bool> overloaded{false};
  LendQueue queue({{&rings[0], &overloaded}, {&rings[1], &overloaded}, {&rings[2], &overloaded}}, 20'000);
  std::atomic<bool> stop{false};
  std::vector<std::thread> lenders;
  for (LendRing& ring : rings) {
    lenders.emplace_back([&ring, &stop, seed = &ring - rings] {
      crypto::EspEngine own(crypto::EspPlan::calibrate());
      std::mt19937 random(static_cast<unsigned>(seed));
      while (!stop) {
        help(ring, own);
        if (random() % 64 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
      }
      while (help(ring, own)) {
      }
    });
  }
  const auto now = [] {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  };
  std::deque<crypto::EspBatch*> due;
  std::uint64_t left = 0;
  for (std::uint64_t pushed = 0; pushed < 20'000 || !queue.empty();) {
    if (pushed < 20'000 && queue.room(1)) {
      due.push_back(&queue.next());
      queue.push(pushed % 5 != 0, engine, now());
      ++pushed;
    }
    while (const auto* batch = queue.front(engine, now(), pushed == 20'000)) {
      REQUIRE(batch == due.front());
      due.pop_front();
      queue.pop();
      ++left;
    }
  }
  stop = true;
  for (auto& lender : lenders) lender.join();
  CHECK(left == 20'000);
  CHECK(queue.lent() > 0);
}

TEST_CASE("saturation has hysteresis") {
  Saturation s;
  for (int i = 0; i < 700; ++i) s.saw(true);
  CHECK_FALSE(s.on());
  for (int i = 0; i < 100; ++i) s.saw(true);
  CHECK(s.on());
  for (int i = 0; i < 400; ++i) s.saw(false);
  CHECK(s.on());
  for (int i = 0; i < 200; ++i) s.saw(false);
  CHECK_FALSE(s.on());
}

namespace {

void two_gateways_lend(unsigned workers, bool replace) {
  // Two of them poll all the time, so that a lender is there at once; four sleep, and lose what they sleep over.
  const auto busy = [](std::size_t, Setup& setup) { setup.polling = conf::Polling::busy; };
  GatewayPair::Shape shape{.workers = workers, .tunnels = 6, .cores = conf::Cores::lend};
  if (workers == 2) shape.change = busy;
  GatewayPair pair(shape);
  pair.warm_up();
  std::mt19937_64 random(3);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  auto due = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() < end && pair.wrong().empty()) {
    for (int i = 0; i < 400; ++i) {
      const auto tunnel = static_cast<std::uint32_t>(random() % shape.tunnels);
      if (!pair.send(random() % 2, tunnel, static_cast<std::uint32_t>(random() % shape.flows), 40 + random() % 900))
        break;
    }
    for (int i = 0; i < 8; ++i) pair.turn();
    if (!replace || std::chrono::steady_clock::now() < due) continue;
    due += std::chrono::milliseconds(50);
    static_cast<void>(pair.replace(random() % 2, static_cast<std::uint32_t>(random() % shape.tunnels)));
  }
  const bool all = pair.until([&] { return pair.arrived() == pair.sent() && !pair.replacing(); });
  INFO("sent " << pair.sent() << ", arrived " << pair.arrived() << "; drops: " << pair.drops());
  CHECK(pair.wrong() == "");
  REQUIRE(all);
  CHECK(pair.drops() == "");
  std::uint64_t lent = 0, back = 0, helped = 0;
  for (const std::size_t side : {GatewayPair::kA, GatewayPair::kB}) {
    for (const auto& worker : pair.gateway(side).workers()) {
      lent += worker.lent;
      back += worker.taken_back;
      helped += worker.helped;
    }
  }
  std::cout << "figure " << workers << " workers that lend: " << pair.sent() << " packets, " << lent
            << " batches lent, " << back << " taken back; " << pair.replaced() << " SAs replaced\n";
  CHECK(lent > 0);
  CHECK(helped > 0);
}

}  // namespace

TEST_CASE("two workers that lend: every packet arrives, once, in order within its flow") {
  two_gateways_lend(2, false);
}
TEST_CASE("four workers that lend: every packet arrives, once, in order within its flow") {
  two_gateways_lend(4, false);
}
TEST_CASE("four workers that lend while SAs are replaced: nothing is lost by it") { two_gateways_lend(4, true); }

TEST_CASE("cores = auto: an owner that has more than it can do lends, order holds, and with the load lending ends") {
  const auto busy = [](std::size_t side, Setup& setup) {
    if (side == GatewayPair::kB) setup.polling = conf::Polling::busy;
  };
  // Dear cryptography, so that the test can bring more than a worker can decrypt.
  const auto dear = [](SaSpec& spec) {
    spec.suite = {crypto::Encryption::des3_cbc, 0, crypto::Integrity::hmac_sha2_512_256, false};
    Bytes key = counting(24 + 64);
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(key[i] ^ spec.spi >> i % 4 * 8);
    spec.encryption_key = crypto::Secret(std::span(key).first(24));
    spec.integrity_key = crypto::Secret(std::span(key).subspan(24));
  };
  const GatewayPair::Shape shape{
      .workers = 2, .tunnels = 4, .cores = conf::Cores::automatic, .change = busy, .limit = dear};
  GatewayPair pair(shape);
  pair.warm_up();
  const auto sum = [&](auto member) {
    std::uint64_t n = 0;
    for (const auto& worker : pair.gateway(GatewayPair::kB).workers()) n += worker.*member;
    return n;
  };
  const auto lent = [&] { return sum(&WorkerStatus::lent); };
  std::mt19937_64 random(7);
  const auto send = [&] {
    for (int i = 0; i < 100; ++i) {
      const auto tunnel = static_cast<std::uint32_t>(random() % shape.tunnels);
      if (!pair.send(random() % 2, tunnel, static_cast<std::uint32_t>(random() % shape.flows), 40 + random() % 900))
        break;
    }
    pair.turn();
  };
  const auto all_there = [&] { return pair.arrived() == pair.sent(); };
  for (int i = 0; i < 50; ++i) send();
  REQUIRE(pair.until(all_there));
  CHECK(lent() == 0);  // at ease
  CHECK(pair.drops() == "");

  // The worker that owns tunnel 0 (native ESP) gets more than it can decrypt, and forgeries count as work like others.
  const auto parts = [&](std::uint32_t t) { return SpiAllocator::bucket(t) % shape.workers; };
  const auto owner = static_cast<unsigned>(parts(0));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const std::uint64_t before = pair.sent();
  while ((lent() < 50 || pair.sent() < before + 3'000) && std::chrono::steady_clock::now() < end &&
         pair.wrong().empty()) {
    for (int i = 0; i < 8; ++i) pair.flood(owner, 0, 3500);
    send();
  }
  CHECK(pair.wrong() == "");
  REQUIRE(pair.until(all_there));
  CHECK(lent() >= 50);
  CHECK(sum(&WorkerStatus::helped) > 0);
  const auto drops = pair.gateway(GatewayPair::kB).drops();
  for (const auto& [name, count] : drops) {
    if (name != "icv_failed") CHECK((count == 0 || name == "icv_failed"));
  }
  std::cout << "figure cores = auto: " << lent() << " batches lent while the owner was saturated, "
            << pair.sent() - before << " packets in order between " << drops.at("icv_failed") << " forgeries\n";

  // At ease again.
  REQUIRE(pair.until([&, quiet = lent(), rounds = std::uint64_t{0}, polls = sum(&WorkerStatus::idle_polls)]() mutable {
    if (lent() != quiet) quiet = lent(), polls = sum(&WorkerStatus::idle_polls);
    rounds = sum(&WorkerStatus::idle_polls) - polls;
    return rounds > 10'000;
  }));
  const std::uint64_t then = lent();
  for (int i = 0; i < 50; ++i) send();
  REQUIRE(pair.until(all_there));
  CHECK(lent() == then);
}

#include "dataplane/spi.h"

#include <random>
#include <set>
#include <unordered_set>

#include "test/support/catch.h"

using namespace causeway::dataplane;

namespace {

SpiCodec codec(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::array<std::uint8_t, SpiCodec::kKeyOctets> key;
  for (auto& octet : key) octet = static_cast<std::uint8_t>(random());
  return SpiCodec(key);
}

}  // namespace

TEST_CASE("the SPI permutation is undone by its inverse and hits no value twice") {
  const SpiCodec c = codec(1);
  std::mt19937_64 random(2);
  for (std::uint32_t slot = 0; slot < kSpiSlots; ++slot) {
    const SpiParts parts{static_cast<std::uint32_t>(random() % kSpiBuckets), slot,
                         static_cast<std::uint32_t>(random() % kSpiGenerations)};
    REQUIRE(c.decode(c.encode(parts)) == parts);
  }
  // A permutation: distinct in, distinct out, over a whole bucket and generation range of some slots.
  std::unordered_set<std::uint32_t> out;
  for (std::uint32_t bucket = 0; bucket < kSpiBuckets; ++bucket)
    for (std::uint32_t generation = 0; generation < kSpiGenerations; ++generation)
      REQUIRE(out.insert(c.encode({bucket, 4711, generation})).second);
}

TEST_CASE("SPIs of neighboring slots look unrelated, and differ by key") {
  const SpiCodec a = codec(1), b = codec(2);
  // Each output bit flips for about half of single-step inputs.
  std::array<int, 32> flips{};
  constexpr int kSamples = 4096;
  for (std::uint32_t i = 0; i < kSamples; ++i) {
    const std::uint32_t difference = a.encode({3, i, 7}) ^ a.encode({3, i + 1, 7});
    for (int bit = 0; bit < 32; ++bit) flips[static_cast<std::size_t>(bit)] += difference >> bit & 1;
  }
  for (const int n : flips) {
    CHECK(n > kSamples * 2 / 5);
    CHECK(n < kSamples * 3 / 5);
  }
  int same = 0;
  for (std::uint32_t i = 0; i < kSamples; ++i) same += a.encode({0, i, 0}) == b.encode({0, i, 0}) ? 1 : 0;
  CHECK(same < 4);
}

TEST_CASE("an allocated SPI is never reserved and names the bucket of its affinity") {
  SpiAllocator allocator(codec(3));
  const SpiCodec c = codec(3);
  for (std::uint32_t i = 0; i < 50'000; ++i) {
    const std::uint32_t spi = allocator.allocate(i % 97);
    REQUIRE(spi >= kFirstSpi);
    REQUIRE(c.decode(spi).bucket == SpiAllocator::bucket(i % 97));
    REQUIRE(SpiAllocator::bucket(i % 97) < kSpiBuckets);
  }
  CHECK(allocator.in_use() == 50'000);
}

TEST_CASE("every slot can be taken once, then none is left until one is released") {
  SpiAllocator allocator(codec(4));
  std::unordered_set<std::uint32_t> slots;
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < kSpiSlots; ++i) {
    last = allocator.allocate(1);
    REQUIRE(slots.insert(codec(4).decode(last).slot).second);
  }
  CHECK(allocator.allocate(1) == 0);
  allocator.release(last);
  const std::uint32_t again = allocator.allocate(1);
  CHECK(again != 0);
  CHECK(again != last);
}

TEST_CASE("a released SPI does not come back for a very long time, whatever the load") {
  SpiAllocator allocator(codec(5));
  // Churn with few SAs in use: the worst case for reuse.
  const std::uint32_t first = allocator.allocate(9);
  allocator.release(first);
  for (std::uint32_t i = 0; i < 4 * kSpiSlots; ++i) {
    const std::uint32_t spi = allocator.allocate(9);
    REQUIRE(spi != first);
    allocator.release(spi);
  }
}

TEST_CASE("releasing an SPI that is not given out changes nothing") {
  SpiAllocator allocator(codec(6));
  const std::uint32_t spi = allocator.allocate(0);
  allocator.release(spi ^ 1);
  allocator.release(0);
  CHECK(allocator.in_use() == 1);
  allocator.release(spi);
  allocator.release(spi);
  CHECK(allocator.in_use() == 0);
}

TEST_CASE("buckets are spread over workers and can be remapped") {
  BucketMap map(4);
  std::array<int, 4> share{};
  for (std::uint32_t i = 0; i < kSpiBuckets; ++i) ++share[map.worker(i)];
  for (const int n : share) CHECK(n == 16);
  map.set(5, 2);
  CHECK(map.worker(5) == 2);
}

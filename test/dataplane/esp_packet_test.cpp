// ESP packets against a reference that shares no code with ours, both ways.
#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>

#include "crypto/algorithm_table.h"
#include "dataplane/overhead.h"
#include "test/dataplane/esp_lab.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

// A row of the table that the reference does not know would go untested: it does not build.
constexpr bool one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
static_assert(std::all_of(crypto::kEncryptions.begin(), crypto::kEncryptions.end(),
                          [](const auto& row) { return !row.for_esp || one_of(row.name, kReferenceCiphers); }));
static_assert(std::all_of(crypto::kIntegrities.begin(), crypto::kIntegrities.end(),
                          [](const auto& row) { return one_of(row.name, kReferenceIntegrities); }));

struct Suite {
  std::string cipher, integrity;
};
// Every cipher of the table that ESP may use, with every integrity algorithm where it needs one.
std::vector<Suite> every_suite() {
  std::vector<Suite> out;
  for (const auto& cipher : crypto::encryptions()) {
    if (!cipher.for_esp) continue;
    if (cipher.aead()) {
      out.push_back({std::string(cipher.name), ""});
      continue;
    }
    for (const auto& integrity : crypto::integrities())
      out.push_back({std::string(cipher.name), std::string(integrity.name)});
  }
  return out;
}

std::vector<TunnelShape> every_shape(const Suite& suite) {
  std::vector<TunnelShape> out;
  for (const bool esn : {false, true})
    for (const bool udp : {false, true})
      for (const conf::Family outer : {conf::Family::v4, conf::Family::v6})
        out.push_back({suite.cipher, suite.integrity, esn, udp, outer, 2048});
  return out;
}

std::string describe(const TunnelShape& s) {
  return s.cipher + (s.integrity.empty() ? "" : "-" + s.integrity) + (s.esn ? "-esn" : "") +
         (s.udp ? " in UDP" : " native") + (s.outer == conf::Family::v4 ? " over IPv4" : " over IPv6");
}

}  // namespace

TEST_CASE("every ESP suite of the table is known to the reference, with the same sizes") {
  for (const Suite& suite : every_suite()) {
    CAPTURE(suite.cipher, suite.integrity);
    const auto sizes = reference_sizes(suite.cipher, suite.integrity);
    REQUIRE(sizes);
    for (const auto& row : crypto::encryptions()) {
      if (row.name != suite.cipher) continue;
      CHECK(row.key_octets == sizes->key);
      CHECK(row.salt_octets == sizes->salt);
      CHECK(row.iv_octets == sizes->iv);
      CHECK(std::max<std::size_t>(row.block_octets, 4) == sizes->block);
    }
  }
}

namespace {

constexpr std::size_t kBurst = 24;
constexpr std::uint64_t kJustBefore = UINT32_MAX - 9;  // with ESN, the low half wraps within the first burst

int rounds() {
  const char* long_run = std::getenv("CAUSEWAY_LONG");
  return long_run != nullptr && std::string_view(long_run) == "yes" ? 5 : 1;
}

// A header and 1 to 9,000 octets in all; half of them of the sizes links have.
Bytes random_inner(EspLab& lab, conf::Family family, bool reversed) {
  const std::size_t least = family == conf::Family::v4 ? 21 : 41;
  const std::size_t most = lab.random() % 2 == 0 ? 1500 : 9000;
  return inner_packet(least + lab.random() % (most - least + 1), family, reversed);
}

conf::Family random_family(EspLab& lab) { return lab.random() % 2 == 0 ? conf::Family::v4 : conf::Family::v6; }
EspLab::Lie random_lie(EspLab& lab) { return static_cast<EspLab::Lie>(lab.random() % 4); }

// One bit of the ESP packet flipped, and the name under which that is to be found.
Drop flip_one_bit(EspLab& lab, Bytes& outer, const TunnelShape& shape, std::uint64_t top) {
  const std::size_t ip = outer[0] >> 4 == 4 ? 20 : 40;
  const std::size_t esp = ip + (shape.udp ? 8 : 0);
  const std::size_t head = 8 + reference_sizes(shape.cipher, shape.integrity)->iv;
  // SPI, sequence number, IV, the rest: each field as often as any
  const std::size_t field = lab.random() % 4;
  const std::size_t from[] = {0, 4, 8, head}, to[] = {4, 8, head == 8 ? 12 : head, outer.size() - esp};
  const std::size_t at = esp + from[field] + lab.random() % (to[field] - from[field]);
  outer[at] ^= static_cast<std::uint8_t>(1 << lab.random() % 8);
  if (field == 0) return Drop::unknown_spi;
  if (field != 1) return Drop::icv_failed;
  std::uint32_t low = 0;
  for (std::size_t i = 0; i < 4; ++i) low = low << 8 | outer[esp + 4 + i];
  // Only `top` has been received; with ESN whatever is behind the window is taken for the next round.
  return low == static_cast<std::uint32_t>(top) ? Drop::replayed : Drop::icv_failed;
}

}  // namespace

TEST_CASE(
    "what we encrypt, the reference decrypts: every suite, encapsulation and family, all sizes, chained and guarded") {
  EspLab lab(11);
  for (int round = 0; round < rounds(); ++round) {
    for (const Suite& suite : every_suite()) {
      for (const TunnelShape& shape : every_shape(suite)) {
        CAPTURE(describe(shape), round);
        const SaPair pair = lab.describe(Direction::outbound, shape);
        OutboundSa& sa = lab.install_outbound(pair.spec, 9600);
        if (shape.esn) sa.sequence = kJustBefore;
        std::vector<rte_mbuf*> burst;
        std::vector<Bytes> sent;
        for (std::size_t i = 0; i < kBurst; ++i) {
          sent.push_back(random_inner(lab, random_family(lab), false));
          const auto octets = static_cast<std::uint32_t>(sent.back().size());
          EspLab::Room room;
          room.head = static_cast<std::uint16_t>(sa.header_octets + sa.sizes.iv);
          room.tail =
              static_cast<std::uint16_t>(outer_size(octets, sa.sizes, shape.udp, shape.outer) - octets - room.head);
          burst.push_back(lab.packet(sent.back(), random_lie(lab), room, 40));
          meta(burst.back()).sa.outbound = &sa;
        }
        EspOutboundOut out;
        lab.outbound(burst, out);
        REQUIRE(out.tx.count == kBurst);
        for (std::size_t i = 0; i < kBurst; ++i) {
          const std::uint64_t sequence = (shape.esn ? kJustBefore : 0) + i + 1;
          const ReferenceOpened opened = reference_open(pair.reference, EspLab::octets(out.tx.packets[i]),
                                                        static_cast<std::uint32_t>(sequence >> 32));
          REQUIRE(opened.error == "");
          REQUIRE(opened.inner == sent[i]);
          REQUIRE(opened.sequence == static_cast<std::uint32_t>(sequence));
          REQUIRE(opened.ttl == 64);
          REQUIRE(opened.next_header == (sent[i][0] >> 4 == 4 ? 4 : 41));
          REQUIRE(opened.octets ==
                  outer_size(static_cast<std::uint32_t>(sent[i].size()), sa.sizes, shape.udp, shape.outer));
        }
        EspLab::free(out.tx);
      }
    }
  }
  CHECK(lab.linearised() > 100);
  CHECK(lab.in_use() == 0);
}

TEST_CASE("what the reference encrypts, we decrypt, and one flipped bit in a tenth of it is dropped under its name") {
  EspLab lab(12);
  for (int round = 0; round < rounds(); ++round) {
    for (const Suite& suite : every_suite()) {
      for (const TunnelShape& shape : every_shape(suite)) {
        CAPTURE(describe(shape), round);
        const SaPair pair = lab.describe(Direction::inbound, shape);
        InboundSa& sa = lab.install_inbound(pair.spec);
        std::uint64_t sequence = shape.esn ? kJustBefore : 0;
        if (shape.esn) sa.window.advance(sequence);
        const std::uint64_t before = sequence;
        std::vector<rte_mbuf*> burst;
        std::vector<std::pair<Bytes, std::optional<Drop>>> expected;
        for (std::size_t i = 0; i < kBurst; ++i) {
          const Bytes inner = random_inner(lab, random_family(lab), true);
          SealOptions options;
          options.extra_blocks = lab.random() % 3 == 0 ? lab.random() % 5 : 0;
          options.tfc = lab.random() % 5 == 0 ? lab.random() % 300 : 0;
          Bytes outer = reference_seal(pair.reference, ++sequence, inner, options);
          std::optional<Drop> why;
          if (lab.random() % 10 == 0) {
            why = flip_one_bit(lab, outer, shape, before);
          }
          expected.emplace_back(inner, why);
          burst.push_back(lab.received(outer, random_lie(lab)));
        }
        EspInboundOut out;
        lab.inbound(burst, out);
        std::size_t clear = 0;
        std::multiset<Drop> drops, dropped;
        for (const auto& [inner, why] : expected) {
          if (why) {
            drops.insert(*why);
            continue;
          }
          REQUIRE(clear < out.clear.count);
          rte_mbuf* m = out.clear.packets[clear++];
          REQUIRE(EspLab::octets(m) == inner);
          REQUIRE(meta(m).decrypted);
          REQUIRE(meta(m).sa.inbound == &sa);
        }
        for (rte_mbuf* m : out.drops.span()) dropped.insert(meta(m).drop);
        REQUIRE(clear == out.clear.count);
        REQUIRE(drops == dropped);
        REQUIRE(sa.counters.read().packets == clear);
        EspLab::free(out.clear);
        EspLab::free(out.drops);
      }
    }
  }
  CHECK(lab.linearised() > 100);
  CHECK(lab.in_use() == 0);
}

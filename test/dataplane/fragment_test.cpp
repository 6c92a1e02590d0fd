// Cutting packets and putting them together; ICMP that we answer and send.
#include "dataplane/fragment.h"

#include <random>

#include "dataplane/icmp.h"
#include "dataplane/reassembly.h"
#include "test/dataplane/frames.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

const Ipv4Fields kFields{.source = "192.0.2.9", .destination = "192.0.2.1", .protocol = 253, .id = 77};

struct Lab : FrameLab {
  Counters counters;
  Pool big = packet_pool(15, 16'000);
  Reassembly reassembly{big.get(), counters};

  // The datagram, where this fragment completes it.
  std::optional<Bytes> give(const Bytes& fragment, std::uint64_t now = 0) {
    PacketPtr whole = reassembly.add(make(fragment), now);
    if (!whole) return std::nullopt;
    return octets(whole.get());
  }
  std::uint64_t dropped(Drop why) const { return counters.drops[static_cast<std::size_t>(why)].get(); }
};

}  // namespace

TEST_CASE("Pieces fit the MTU, have sound headers, and make the packet again whatever its size and options") {
  Lab lab;
  std::mt19937_64 random(11);
  for (int round = 0; round < 300; ++round) {
    Ipv4Fields fields = kFields;
    fields.id = static_cast<std::uint16_t>(round);
    if (round % 3 == 0) fields.options = {148, 4, 0, 0};  // router alert: copied into every piece
    const Bytes packet = ipv4(fields, counting(1 + random() % 3900));
    const auto mtu = static_cast<std::uint16_t>(68 + random() % 1500);
    PacketPtr m = round % 2 == 0 || packet.size() < 100 ? lab.make(packet) : lab.make_chain(packet, 60 + random() % 30);
    std::array<rte_mbuf*, kMaxPieces> pieces;
    const std::size_t n = fragment_copy(lab.pool.get(), m.get(), mtu, 7, pieces);
    if (n == 0) {
      REQUIRE((packet.size() - 20 + mtu - 29) / (mtu - 28) > kMaxPieces);
      continue;
    }
    std::optional<Bytes> whole;
    for (std::size_t i = 0; i < n; ++i) {
      const Bytes piece = octets(pieces[i]);
      REQUIRE(piece.size() <= mtu);
      REQUIRE(sound_ipv4(piece));
      REQUIRE(pieces[i]->nb_segs == 1);
      REQUIRE(rte_mbuf_refcnt_read(pieces[i]) == 1);
      rte_pktmbuf_free(pieces[i]);
      if (n <= Reassembly::kPerDatagram) whole = n == 1 ? piece : lab.give(piece);
    }
    if (n > Reassembly::kPerDatagram) continue;
    REQUIRE(whole.has_value());
    REQUIRE(*whole == packet);
  }
  lab.reassembly.housekeeping(1'000'000);
  CHECK(lab.in_use() == 0);
}

TEST_CASE("A fragment that is cut again keeps its place in the whole") {
  Lab lab;
  const Bytes packet = ipv4(kFields, counting(3000));
  std::optional<Bytes> whole;
  for (const Bytes& first : fragments_of(packet, 1480)) {
    PacketPtr m = lab.make(first);
    std::array<rte_mbuf*, kMaxPieces> pieces;
    const std::size_t n = fragment_copy(lab.pool.get(), m.get(), 576, 7, pieces);
    REQUIRE(n > 0);
    for (std::size_t i = 0; i < n; ++i) {
      whole = lab.give(octets(pieces[i]));
      rte_pktmbuf_free(pieces[i]);
    }
  }
  CHECK(whole == packet);
}

TEST_CASE("An empty pool or an MTU nobody may have makes no pieces and leaks none") {
  FrameLab lab;
  PacketPtr m = lab.make(ipv4(kFields, counting(3000)));
  std::array<rte_mbuf*, kMaxPieces> pieces;
  CHECK(fragment_copy(lab.pool.get(), m.get(), 67, 7, pieces) == 0);
  const Pool small = packet_pool(3, 2048);
  CHECK(fragment_copy(small.get(), m.get(), 576, 7, pieces) == 0);
  CHECK(rte_mempool_in_use_count(small.get()) == 0);
}

TEST_CASE("Fragments in any order, with duplicates, mixed with other datagrams, make each datagram once") {
  Lab lab;
  std::mt19937_64 random(3);
  for (int round = 0; round < 100; ++round) {
    std::vector<Bytes> originals, mixed;
    for (std::uint16_t d = 0; d < 6; ++d) {
      Ipv4Fields fields = kFields;
      fields.id = static_cast<std::uint16_t>(round * 8 + d);
      Bytes body = counting(1500 + random() % 4000);
      for (auto& o : body) o = static_cast<std::uint8_t>(o + d * 17);
      originals.push_back(ipv4(fields, body));
      for (const Bytes& f : fragments_of(originals.back(), 8 * (16 + random() % 160))) {
        mixed.push_back(f);
        if (random() % 4 == 0 && f.size() + 20 < originals.back().size()) mixed.insert(mixed.end() - 1, f);
      }
    }
    std::shuffle(mixed.begin(), mixed.end(), random);
    std::vector<Bytes> whole;
    for (const Bytes& f : mixed)
      if (auto w = lab.give(f, static_cast<std::uint64_t>(round) * 20'000)) whole.push_back(*w);
    // A duplicate that comes behind its datagram begins another, which the timeout ends.
    std::sort(whole.begin(), whole.end());
    std::sort(originals.begin(), originals.end());
    for (const Bytes& o : originals) REQUIRE(std::count(whole.begin(), whole.end(), o) >= 1);
    lab.reassembly.housekeeping(static_cast<std::uint64_t>(round) * 20'000 + 19'000);
    REQUIRE(lab.in_use() == 0);
  }
}

TEST_CASE("Overlaps, contradictory ends and impossible lengths drop the datagram under fragment_invalid") {
  const Bytes packet = ipv4(kFields, counting(1600));
  const auto pieces = fragments_of(packet, 800);
  const auto forged = [&](std::uint16_t flags_offset, std::size_t octets) {
    Ipv4Fields fields = kFields;
    fields.fragment = flags_offset;
    return ipv4(fields, counting(octets));
  };
  SECTION("an overlap") {
    Lab lab;
    lab.give(pieces[0]);
    CHECK_FALSE(lab.give(forged(0x2000 | 50, 800)));
    CHECK(lab.dropped(Drop::fragment_invalid) == 2);
    CHECK(lab.reassembly.held() == 0);
  }
  SECTION("two ends") {
    Lab lab;
    lab.give(pieces[1]);
    CHECK_FALSE(lab.give(forged(300, 80)));
    CHECK(lab.dropped(Drop::fragment_invalid) == 2);
  }
  SECTION("more behind the end") {
    Lab lab;
    lab.give(pieces[1]);
    CHECK_FALSE(lab.give(forged(0x2000 | 400, 80)));
    CHECK(lab.dropped(Drop::fragment_invalid) == 2);
  }
  SECTION("a middle piece that is no multiple of eight") {
    Lab lab;
    CHECK_FALSE(lab.give(forged(0x2000, 801)));
    CHECK(lab.dropped(Drop::fragment_invalid) == 1);
  }
  SECTION("an end beyond 65,535 octets") {
    Lab lab;
    CHECK_FALSE(lab.give(forged(8191, 800)));
    CHECK(lab.dropped(Drop::fragment_invalid) == 1);
  }
}

TEST_CASE("Half a datagram is given up after its time, a flood of halves at its bound, and neither leaks") {
  Lab lab;
  const auto half = [](std::uint16_t id, const std::string& source) {
    Ipv4Fields fields = kFields;
    fields.id = id;
    fields.source = source;
    return fragments_of(ipv4(fields, counting(200)), 96)[0];
  };
  lab.give(half(1, "192.0.2.9"), 1000);
  lab.reassembly.housekeeping(1000 + Reassembly::kTimeoutMs - 1);
  CHECK(lab.reassembly.held() == 1);
  lab.reassembly.housekeeping(1000 + Reassembly::kTimeoutMs + 200);
  CHECK(lab.dropped(Drop::fragment_timeout) == 1);
  CHECK(lab.in_use() == 0);

  for (std::uint16_t i = 0; i < 5000; ++i) lab.give(half(i, "192.0.2." + std::to_string(2 + i % 200)), 20'000);
  CHECK(lab.reassembly.held() <= Reassembly::kDatagrams);
  CHECK(lab.dropped(Drop::fragment_table_full) == 5000 - lab.reassembly.held());
  CHECK(lab.in_use() == lab.reassembly.held());
  // An honest datagram still gets through the flood.
  std::optional<Bytes> whole;
  for (const Bytes& f : fragments_of(ipv4(kFields, counting(3000)), 1480)) whole = lab.give(f, 20'001);
  CHECK(whole.has_value());
}

TEST_CASE("More fragments than a datagram may have are refused under fragment_table_full") {
  Lab lab;
  for (const Bytes& f : fragments_of(ipv4(kFields, counting(8 * (Reassembly::kPerDatagram + 1))), 8))
    CHECK_FALSE(lab.give(f));
  CHECK(lab.dropped(Drop::fragment_table_full) == Reassembly::kPerDatagram + 1);
  CHECK(lab.reassembly.held() == 0);
}

TEST_CASE("Random fragments with random fields never break the bounds") {
  Lab lab;
  std::mt19937_64 random(17);
  for (int i = 0; i < 30'000; ++i) {
    Ipv4Fields fields = kFields;
    fields.id = static_cast<std::uint16_t>(random() % 12);
    fields.fragment = static_cast<std::uint16_t>((random() % 2 != 0 ? 0x2000U : 0U) | random() % 40);
    if ((fields.fragment & 0x3fff) == 0) continue;
    const std::size_t n = random() % 3 == 0 ? 1 + random() % 64 : 8 * (1 + random() % 8);
    if (auto whole = lab.give(ipv4(fields, counting(n)), static_cast<std::uint64_t>(i))) REQUIRE(sound_ipv4(*whole));
    lab.reassembly.housekeeping(static_cast<std::uint64_t>(i));
    REQUIRE(lab.in_use() == lab.reassembly.held());
  }
}

TEST_CASE("An echo request becomes a sound reply to its sender with the same data") {
  FrameLab lab;
  for (std::size_t n : {0U, 1U, 56U, 57U, 1400U}) {
    for (std::uint32_t seed = 0; seed < 50; ++seed) {
      const Bytes request = ipv4({.source = "192.0.2.9", .destination = "192.0.2.1", .protocol = 1, .ttl = 3},
                                 icmp(8, 0, seed * 0x01230457U, counting(n)));
      PacketPtr m = lab.make(request);
      const IpHeader ip = *read_ip(m.get(), 0);
      REQUIRE(icmp_holds(m.get(), ip));
      REQUIRE(is_echo_request(m.get(), ip));
      make_echo_reply(m.get(), ip);
      const Bytes reply = octets(m.get());
      REQUIRE(sound_ipv4(reply));
      REQUIRE(std::equal(reply.begin() + 12, reply.begin() + 16, request.begin() + 16));
      REQUIRE(std::equal(reply.begin() + 16, reply.begin() + 20, request.begin() + 12));
      REQUIRE(reply[20] == 0);
      REQUIRE(std::equal(reply.begin() + 24, reply.end(), request.begin() + 24));
    }
  }
  Bytes bad = ipv4({.source = "192.0.2.9", .destination = "192.0.2.1", .protocol = 1}, icmp(8, 0, 1, counting(20)));
  bad.back() ^= 1;
  const PacketPtr damaged = lab.make(bad);
  CHECK_FALSE(icmp_holds(damaged.get(), *read_ip(damaged.get(), 0)));
}

TEST_CASE("ICMP errors quote what they are about, and are never sent about errors, later fragments or multicast") {
  FrameLab lab;
  const auto us = *conf::IpAddress::parse("192.0.2.1");
  const auto error = [&](const Bytes& original) {
    const PacketPtr m = lab.make(original);
    return make_icmp_error(lab.pool.get(), m.get(), *read_ip(m.get(), 0), IcmpReason::too_big, 1400, us);
  };
  const Bytes original = udp_packet({.source = "10.1.0.5", .destination = "10.2.0.7"}, 1, 2, counting(1200));
  PacketPtr m = error(original);
  REQUIRE(m);
  const Bytes packet = octets(m.get());
  CHECK(sound_ipv4(packet));
  CHECK(packet.size() == 576);
  CHECK(packet[20] == 3);
  CHECK(packet[21] == 4);
  CHECK((packet[26] << 8 | packet[27]) == 1400);
  CHECK(std::equal(packet.begin() + 28, packet.end(), original.begin()));
  CHECK(std::equal(packet.begin() + 16, packet.begin() + 20, original.begin() + 12));

  CHECK_FALSE(
      error(ipv4({.source = "10.1.0.5", .destination = "10.2.0.7", .protocol = 1}, icmp(3, 1, 0, counting(28)))));
  CHECK_FALSE(
      error(ipv4({.source = "10.1.0.5", .destination = "10.2.0.7", .protocol = 1}, icmp(11, 0, 0, counting(28)))));
  CHECK(error(ipv4({.source = "10.1.0.5", .destination = "10.2.0.7", .protocol = 1}, icmp(8, 0, 0, counting(28)))));
  CHECK_FALSE(error(fragments_of(ipv4(kFields, counting(100)), 48)[1]));
  CHECK_FALSE(error(udp_packet({.source = "10.1.0.5", .destination = "224.0.0.9"}, 1, 2, {})));
  CHECK_FALSE(error(udp_packet({.source = "0.0.0.0", .destination = "10.2.0.7"}, 1, 2, {})));
}

TEST_CASE("An ICMP error about our packets says which; truncation and mutation never make it say more than is there") {
  FrameLab lab;
  const auto about = [&](const Bytes& quoted, std::uint8_t type = 3, std::uint8_t code = 4) {
    const Bytes packet =
        ipv4({.source = "203.0.113.254", .destination = "192.0.2.1", .protocol = 1}, icmp(type, code, 1400, quoted));
    const PacketPtr m = lab.make(packet);
    return read_icmp_error(m.get(), *read_ip(m.get(), 0));
  };
  const Bytes esp = ipv4({.source = "192.0.2.1", .destination = "198.51.100.2", .protocol = 50},
                         Bytes{0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 9});
  auto read = about(esp);
  REQUIRE(read);
  CHECK(read->error.spi == 0xcafebabe);
  CHECK(read->error.mtu == 1400);
  CHECK(read->error.quoted_remote.address.str() == "198.51.100.2");
  CHECK(read->error.from.str() == "203.0.113.254");
  read = about(udp_packet({.source = "192.0.2.1", .destination = "198.51.100.2"}, 500, 501, counting(9)), 3, 3);
  REQUIRE(read);
  CHECK(read->error.quoted_remote.port == 501);
  CHECK(read->error.mtu == 0);
  CHECK_FALSE(about(udp_packet({.source = "192.0.2.1", .destination = "198.51.100.2"}, 53, 53, counting(9))));
  CHECK_FALSE(about(esp, 0, 0));
  for (std::size_t n = 0; n < 28; ++n) CHECK_FALSE(about({esp.begin(), esp.begin() + static_cast<std::ptrdiff_t>(n)}));
  std::mt19937_64 random(4);
  for (std::size_t at = 0; at < esp.size(); ++at) {
    for (int n = 0; n < 256; ++n) {
      Bytes quoted = esp;
      quoted[at] = static_cast<std::uint8_t>(n);
      static_cast<void>(about(quoted));
    }
  }
}

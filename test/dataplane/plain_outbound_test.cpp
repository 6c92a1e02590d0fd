// The short way into a tunnel makes the octets that the general one makes, and leaves alone what is not for it.
#include <algorithm>

#include "crypto/algorithm_table.h"
#include "dataplane/plain_outbound.h"
#include "test/dataplane/esp_lab.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

constexpr std::uint64_t kGeneration = 7;
constexpr std::uint16_t kPort = 5;
constexpr std::uint8_t kUntouched = 0xa5;

Bytes link_header(std::size_t octets) {
  Bytes out(octets);
  for (std::size_t i = 0; i < octets; ++i) out[i] = static_cast<std::uint8_t>(0x40 + i);
  return out;
}

void give_way(OutboundSa& sa, const Bytes& header, std::uint16_t limit = 1500) {
  sa.way = {.generation = kGeneration, .port = kPort, .limit = limit};
  sa.way.octets = static_cast<std::uint8_t>(header.size());
  std::copy(header.begin(), header.end(), sa.way.ethernet);
}

// A frame in a buffer that holds a pattern wherever the frame is not.
rte_mbuf* frame(EspLab& lab, const Bytes& inner) {
  Bytes octets(kEthernetHeader, 0);
  octets.insert(octets.end(), inner.begin(), inner.end());
  rte_mbuf* m = lab.packet(octets);
  auto* buffer = static_cast<std::uint8_t*>(m->buf_addr);
  std::fill(buffer, buffer + m->data_off, kUntouched);
  std::fill(buffer + m->data_off + m->data_len, buffer + m->buf_len, kUntouched);
  return m;
}

bool around_is_untouched(rte_mbuf* m) {
  const auto* buffer = static_cast<const std::uint8_t*>(m->buf_addr);
  const auto as_it_was = [](std::uint8_t o) { return o == kUntouched; };
  return std::all_of(buffer, buffer + m->data_off, as_it_was) &&
         std::all_of(buffer + m->data_off + m->data_len, buffer + m->buf_len, as_it_was);
}

struct Plain {
  crypto::EspEngine engine;
  PlainOutbound run;
  IpIds ids{0, 1};
  explicit Plain(const crypto::EspPlan& plan) : engine(plan) {}

  bool add(OutboundSa& sa, rte_mbuf* m) {
    auto* at = rte_pktmbuf_mtod(m, std::uint8_t*);
    const PlainHeader header = PlainHeader::read(at + kEthernetHeader);
    run.open(sa, header.addresses(), 0, kGeneration, 1);
    return run.add(m, at, header, header.total(), ids);
  }
  void encrypt() {
    run.close(1);
    engine.submit(run.batch());
    engine.collect();
  }
};

Bytes general(EspLab& lab, OutboundSa& sa, const Bytes& inner) {
  rte_mbuf* m = lab.packet(inner);
  decrement_ttl(*at<rte_ipv4_hdr>(m, 0));
  meta(m).sa.outbound = &sa;
  EspOutboundOut out;
  lab.outbound({&m, 1}, out);
  REQUIRE(out.tx.count == 1);
  Bytes octets = EspLab::octets(out.tx.packets[0]);
  EspLab::free(out.tx);
  return octets;
}

}  // namespace

TEST_CASE("The short way into a tunnel makes the octets that the general one makes: every suite, every shape") {
  const crypto::EspPlan plan = crypto::EspPlan::calibrate();
  EspLab lab(71, plan);
  Plain plain(plan);
  for (const auto& cipher : crypto::encryptions()) {
    if (!cipher.for_esp) continue;
    for (const auto& integrity : crypto::integrities()) {
      for (int variant = 0; variant < 16; ++variant) {
        CAPTURE(cipher.name, integrity.name, variant);
        TunnelShape shape;
        shape.cipher = cipher.name;
        if (!cipher.aead()) shape.integrity = integrity.name;
        shape.udp = (variant & 1) != 0;
        shape.esn = (variant & 2) != 0;
        SaPair pair = lab.describe(Direction::outbound, shape);
        pair.spec.ecn_compatibility = (variant & 4) != 0;
        pair.spec.dscp = (variant & 8) != 0 ? conf::DscpPolicy::set : conf::DscpPolicy::copy;
        pair.spec.dscp_value = 46;
        constexpr conf::DfPolicy kDf[] = {conf::DfPolicy::copy, conf::DfPolicy::set, conf::DfPolicy::clear,
                                          conf::DfPolicy::ignore};
        pair.spec.df = kDf[lab.random() % 4];
        OutboundSa& one = lab.install_outbound(pair.spec);
        OutboundSa& other = lab.install_outbound(pair.spec);
        one.sequence = other.sequence = shape.esn ? 0xffff'fff0 : 70'000;
        other.key.iv_seed = one.key.iv_seed;  // the same CBC IVs
        const Bytes header = link_header((variant & 1) != 0 ? 18 : 14);
        give_way(other, header);

        std::vector<Bytes> wanted;
        std::vector<rte_mbuf*> frames;
        for (int i = 0; i < 24; ++i) {
          const std::size_t octets = 20 + lab.random() % (i % 2 == 0 ? 60 : 1300);
          const Bytes inner = inner_packet(octets, conf::Family::v4, false, static_cast<std::uint8_t>(lab.random()),
                                           lab.random() % 2 == 0 ? 0x4000 : 0);
          wanted.push_back(general(lab, one, inner));
          frames.push_back(frame(lab, inner));
          REQUIRE(plain.add(other, frames.back()));
          REQUIRE(around_is_untouched(frames.back()));
        }
        plain.encrypt();
        for (std::size_t i = 0; i < frames.size(); ++i) {
          REQUIRE(plain.run.batch().jobs[i].status == crypto::EspJob::Status::ok);
          REQUIRE(plain.run.port(i) == kPort);
          Bytes expected = header;
          expected.insert(expected.end(), wanted[i].begin(), wanted[i].end());
          REQUIRE(EspLab::octets(frames[i]) == expected);
          REQUIRE(around_is_untouched(frames[i]));
          rte_pktmbuf_free(frames[i]);
        }
        plain.run.clear();
        CHECK(other.sequence == one.sequence);
        const SaCounters a = one.counters.read(), b = other.counters.read();
        CHECK(b.packets == a.packets);
        CHECK(b.bytes == a.bytes);
        CHECK(b.sequence == a.sequence);
        if (cipher.aead()) break;
      }
      if (cipher.aead()) break;
    }
  }
  CHECK(lab.in_use() == 0);
}

TEST_CASE("The short way ends where an SA has something to tell, and no number is used twice") {
  const crypto::EspPlan plan = crypto::EspPlan::calibrate();
  EspLab lab(72, plan);
  Plain plain(plan);
  const Bytes inner = inner_packet(100);
  const auto taken = [&](OutboundSa& sa, std::uint64_t most) {
    std::uint64_t n = 0;
    while (n < most) {
      rte_mbuf* m = frame(lab, inner);
      const bool yes = plain.add(sa, m);
      rte_pktmbuf_free(m);
      if (!yes) break;
      ++n;
      if (plain.run.full() || lab.random() % 5 == 0) plain.run.close(1), plain.run.clear();
    }
    plain.run.close(1);
    plain.run.clear();
    return n;
  };
  SECTION("by packets: the general way tells of the limit with the packet behind") {
    SaPair pair = lab.describe(Direction::outbound, {});
    pair.spec.soft_packets = 150;
    OutboundSa& sa = lab.install_outbound(pair.spec);
    give_way(sa, link_header(14));
    CHECK(taken(sa, 1000) == 150);
    CHECK(sa.sequence == 150);
    CHECK(sa.counters.packets.get() == 150);
  }
  SECTION("by octets") {
    SaPair pair = lab.describe(Direction::outbound, {});
    pair.spec.hard_bytes = 1050;
    OutboundSa& sa = lab.install_outbound(pair.spec);
    give_way(sa, link_header(14));
    CHECK(taken(sa, 1000) == 11);  // the eleventh passes it
  }
  SECTION("at the last number") {
    OutboundSa& sa = lab.install_outbound(lab.describe(Direction::outbound, {}).spec);
    give_way(sa, link_header(14));
    sa.soft_told = true;
    set_calm(sa);
    sa.sequence = sa.last_sequence - 3;
    CHECK(taken(sa, 1000) == 3);
    CHECK(sa.sequence == sa.last_sequence);
  }
}

TEST_CASE("What is not for the short way stays as it was") {
  const crypto::EspPlan plan = crypto::EspPlan::calibrate();
  EspLab lab(73, plan);
  Plain plain(plan);
  const auto refused = [&](OutboundSa& sa, rte_mbuf* m) {
    const Bytes before = EspLab::octets(m);
    const std::uint64_t sequence = sa.sequence;
    const bool no = !plain.add(sa, m);
    plain.run.close(1);
    CHECK(EspLab::octets(m) == before);
    CHECK(around_is_untouched(m));
    CHECK(sa.sequence == sequence);
    CHECK(plain.run.empty());
    rte_pktmbuf_free(m);
    return no;
  };
  const Bytes inner = inner_packet(100);
  OutboundSa& sa = lab.install_outbound(lab.describe(Direction::outbound, {}).spec);
  CHECK(refused(sa, frame(lab, inner)));  // its way is not known
  give_way(sa, link_header(14));
  sa.way.generation = kGeneration - 1;
  CHECK(refused(sa, frame(lab, inner)));  // or was another one
  give_way(sa, link_header(14));
  CHECK(refused(sa, frame(lab, inner_packet(sa.inner_mtu + 1))));
  give_way(sa, link_header(14), 100);
  CHECK(refused(sa, frame(lab, inner)));  // larger than its port takes
  give_way(sa, link_header(14));
  rte_mbuf* low = frame(lab, inner);  // no room in front
  low->data_off = 14;
  std::fill_n(static_cast<std::uint8_t*>(low->buf_addr), low->buf_len, kUntouched);
  std::copy(inner.begin(), inner.end(), static_cast<std::uint8_t*>(low->buf_addr) + 28);
  CHECK(refused(sa, low));
  rte_mbuf* shared = frame(lab, inner);
  rte_mbuf_refcnt_set(shared, 2);
  CHECK(refused(sa, shared));
  rte_pktmbuf_free(shared);
  TunnelShape v6;
  v6.outer = conf::Family::v6;
  OutboundSa& over_v6 = lab.install_outbound(lab.describe(Direction::outbound, v6).spec);
  give_way(over_v6, link_header(14));
  CHECK(refused(over_v6, frame(lab, inner)));
  SharedSequence numbers(1000);
  OutboundSa& replica = *lab.install_spread(lab.describe(Direction::outbound, {}).spec, 2, numbers)[0];
  give_way(replica, link_header(14));
  CHECK(refused(replica, frame(lab, inner)));
  CHECK(lab.in_use() == 0);
}

TEST_CASE("Padding of every length is right as it is written, and wrong with any bit of it changed") {
  for (std::uint32_t count = 0; count < 256; ++count) {
    Bytes octets(8 + count + 24, 0xee);
    for (std::uint32_t i = 0; i < count; ++i) octets[8 + i] = static_cast<std::uint8_t>(i + 1);
    REQUIRE(padding_is_right(octets.data() + 8 + count, count));
    for (std::uint32_t bit = 0; bit < 8 * count; ++bit) {
      octets[8 + bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      REQUIRE_FALSE(padding_is_right(octets.data() + 8 + count, count));
      octets[8 + bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    }
    if (count > 15) continue;
    Bytes written(8 + count + 2 + 8, 0xee);
    write_trailer(written.data() + 8, count, 4);
    CHECK(std::equal(octets.begin(), octets.begin() + 8 + count, written.begin()));
    CHECK(written[8 + count] == count);
    CHECK(written[9 + count] == 4);
  }
}

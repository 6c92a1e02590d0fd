// What outbound ESP does around the cryptography: sizes, sequence numbers, IVs, limits, outer headers.
#include <rte_ip.h>

#include <algorithm>
#include <array>
#include <set>
#include <thread>

#include "dataplane/ecn.h"
#include "dataplane/overhead.h"
#include "test/dataplane/esp_lab.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

struct Sent {
  std::vector<Bytes> tx;
  std::vector<std::pair<bool, Bytes>> too_big;  // inner_df, packet
  std::vector<Drop> drops;
  EspNotices notices;
};

Sent send(EspLab& lab, OutboundSa& sa, const std::vector<Bytes>& inner) {
  std::vector<rte_mbuf*> burst;
  for (const Bytes& packet : inner) {
    burst.push_back(lab.packet(packet));
    meta(burst.back()).sa.outbound = &sa;
  }
  EspOutboundOut out;
  lab.outbound(burst, out);
  Sent sent;
  for (rte_mbuf* m : out.tx.span()) sent.tx.push_back(EspLab::octets(m));
  for (rte_mbuf* m : out.too_big.span()) sent.too_big.emplace_back(meta(m).inner_df, EspLab::octets(m));
  for (rte_mbuf* m : out.drops.span()) sent.drops.push_back(meta(m).drop);
  sent.notices = out.notices;
  EspLab::free(out.tx);
  EspLab::free(out.too_big);
  EspLab::free(out.drops);
  REQUIRE(lab.in_use() == 0);
  return sent;
}

constexpr std::uint16_t kDf = 0x4000;
constexpr auto v4 = conf::Family::v4, v6 = conf::Family::v6;

}  // namespace

TEST_CASE("the effective MTU is exact: a packet of it fits the path, one octet more would not") {
  for (const auto& cipher : crypto::encryptions()) {
    for (const auto& integrity : crypto::integrities()) {
      const EspSizes sizes = EspSizes::of({cipher.id, cipher.key_bits, integrity.id, false});
      for (const auto outer : {v4, v6}) {
        for (const bool udp : {false, true}) {
          for (std::uint32_t mtu = 200; mtu < 1700; ++mtu) {
            const std::uint32_t inner = inner_mtu(mtu, sizes, udp, outer);
            REQUIRE(outer_size(inner, sizes, udp, outer) <= mtu);
            REQUIRE(outer_size(inner + 1, sizes, udp, outer) > mtu);
          }
        }
      }
    }
  }
}

TEST_CASE("known effective MTUs at 1500: the figures operators know from other gateways") {
  const auto mtu = [](crypto::Encryption c, std::uint16_t bits, crypto::Integrity i, bool udp, conf::Family outer) {
    return inner_mtu(1500, EspSizes::of({c, bits, i, false}), udp, outer);
  };
  using E = crypto::Encryption;
  using I = crypto::Integrity;
  CHECK(mtu(E::aes_gcm_16, 128, I::none, false, v4) == 1446);
  CHECK(mtu(E::aes_gcm_16, 128, I::none, true, v4) == 1438);
  CHECK(mtu(E::aes_cbc, 128, I::hmac_sha1_96, false, v4) == 1438);
  CHECK(mtu(E::aes_cbc, 128, I::hmac_sha1_96, true, v4) == 1422);
  CHECK(mtu(E::aes_cbc, 256, I::hmac_sha2_256_128, true, v4) == 1422);
  CHECK(mtu(E::aes_cbc, 256, I::hmac_sha2_512_256, true, v6) == 1390);
  CHECK(mtu(E::chacha20_poly1305, 0, I::none, true, v6) == 1418);
}

TEST_CASE("what exceeds the tunnel is handed back untouched, and says whether it may be fragmented") {
  EspLab lab(21);
  for (const conf::DfPolicy df :
       {conf::DfPolicy::copy, conf::DfPolicy::set, conf::DfPolicy::clear, conf::DfPolicy::ignore}) {
    SaPair pair = lab.describe(Direction::outbound, {});
    pair.spec.df = df;
    OutboundSa& sa = lab.install_outbound(pair.spec);
    REQUIRE(sa.inner_mtu == 1446);
    const std::vector<Bytes> large = {inner_packet(1447), inner_packet(1447, v4, false, 0, kDf), inner_packet(1447, v6),
                                      inner_packet(1446)};
    const Sent sent = send(lab, sa, large);
    CHECK(sent.tx.size() == 1);
    REQUIRE(sent.too_big.size() == 3);
    CHECK_FALSE(sent.too_big[0].first);
    CHECK(sent.too_big[1].first == (df != conf::DfPolicy::ignore));
    CHECK(sent.too_big[2].first);  // no policy fragments IPv6
    for (std::size_t i = 0; i < 3; ++i) CHECK(sent.too_big[i].second == large[i]);
    CHECK(sa.sequence == 1);  // no number was used for them
  }
}

TEST_CASE("IPv6 up to 1280 goes through any tunnel, in an outer packet that may be fragmented") {
  EspLab lab(22);
  SaPair pair = lab.describe(Direction::outbound, {});
  pair.spec.path_mtu = 1280;
  pair.spec.df = conf::DfPolicy::set;
  OutboundSa& sa = lab.install_outbound(pair.spec);
  REQUIRE(sa.inner_mtu < 1280);
  const Sent sent = send(lab, sa, {inner_packet(1280, v6), inner_packet(1281, v6), inner_packet(1200, v6)});
  REQUIRE(sent.tx.size() == 2);
  REQUIRE(sent.too_big.size() == 1);
  CHECK(sent.too_big[0].second.size() == 1281);
  const ReferenceOpened cut = reference_open(pair.reference, sent.tx[0]);
  CHECK(cut.error == "");
  CHECK(cut.inner == inner_packet(1280, v6));
  CHECK_FALSE(cut.df);
  CHECK(reference_open(pair.reference, sent.tx[1]).df);
}

TEST_CASE("a configured MTU lowers the effective one and never raises it") {
  EspLab lab(23);
  SaPair pair = lab.describe(Direction::outbound, {});
  pair.spec.mtu = 1300;
  CHECK(lab.install_outbound(pair.spec).inner_mtu == 1300);
  pair.spec.mtu = 1490;
  CHECK(lab.install_outbound(pair.spec).inner_mtu == 1446);
}

TEST_CASE("the sequence counter does not wrap: the last number is used, then the SA refuses") {
  EspLab lab(24);
  for (const bool esn : {false, true}) {
    TunnelShape shape;
    shape.esn = esn;
    const SaPair pair = lab.describe(Direction::outbound, shape);
    OutboundSa& sa = lab.install_outbound(pair.spec);
    const std::uint64_t last = esn ? UINT64_MAX : UINT32_MAX;
    sa.sequence = last - 2;
    const Sent sent = send(lab, sa, std::vector<Bytes>(5, inner_packet(60)));
    REQUIRE(sent.tx.size() == 2);
    CHECK(reference_open(pair.reference, sent.tx[0], esn ? UINT32_MAX : 0).sequence == UINT32_MAX - 1);
    CHECK(reference_open(pair.reference, sent.tx[1], esn ? UINT32_MAX : 0).sequence == UINT32_MAX);
    REQUIRE(sent.drops.size() == 3);
    for (const Drop why : sent.drops) CHECK(why == Drop::sequence_exhausted);
    int hard = 0;
    for (int i = 0; i < sent.notices.count; ++i)
      hard += sent.notices.list[i].kind == EspNotice::Kind::hard_limit ? 1 : 0;
    CHECK(hard == 1);
    CHECK(sa.sequence == last);
    CHECK(send(lab, sa, {inner_packet(60)}).drops.size() == 1);
  }
}

TEST_CASE("control hears of the counter's end while a tenth of it is left") {
  EspLab lab(25);
  OutboundSa& sa = lab.install_outbound(lab.describe(Direction::outbound, {}).spec);
  CHECK(sa.limits.soft_packets > UINT32_MAX / 2);
  CHECK(sa.limits.soft_packets <= UINT32_MAX - UINT32_MAX / 10);
  sa.counters.packets.set(sa.limits.soft_packets - 1);
  CHECK(send(lab, sa, {inner_packet(60)}).notices.count == 0);
  const Sent told = send(lab, sa, {inner_packet(60), inner_packet(60)});
  REQUIRE(told.notices.count == 1);
  CHECK(told.notices.list[0].kind == EspNotice::Kind::soft_limit);
  CHECK(told.notices.list[0].direction == Direction::outbound);
  CHECK(told.tx.size() == 2);
}

TEST_CASE("hard limits of bytes and packets stop the SA, told once") {
  EspLab lab(26);
  SaPair pair = lab.describe(Direction::outbound, {});
  pair.spec.hard_bytes = 350;
  OutboundSa& sa = lab.install_outbound(pair.spec);
  const Sent sent = send(lab, sa, std::vector<Bytes>(6, inner_packet(100)));
  CHECK(sent.tx.size() == 4);  // the packet that crosses the limit still goes
  CHECK(sent.drops == std::vector<Drop>(2, Drop::sa_expired));
  CHECK(sent.notices.count == 1);
}

TEST_CASE("counter modes send the 64-bit sequence number as IV, across 2^32 too") {
  EspLab lab(27);
  for (const char* cipher : {"aes128gcm16", "chacha20poly1305", "aes256gmac"}) {
    TunnelShape shape;
    shape.cipher = cipher;
    shape.esn = true;
    const SaPair pair = lab.describe(Direction::outbound, shape);
    OutboundSa& sa = lab.install_outbound(pair.spec);
    sa.sequence = UINT32_MAX - 2ULL;
    const Sent sent = send(lab, sa, std::vector<Bytes>(6, inner_packet(60)));
    REQUIRE(sent.tx.size() == 6);
    for (std::uint64_t i = 0; i < 6; ++i) {
      const std::uint64_t expected = UINT32_MAX - 1ULL + i;
      const auto opened = reference_open(pair.reference, sent.tx[i], static_cast<std::uint32_t>(expected >> 32));
      REQUIRE(opened.error == "");
      std::uint64_t iv = 0;
      for (const std::uint8_t octet : opened.iv) iv = iv << 8 | octet;
      CHECK(iv == expected);
      CHECK(opened.sequence == static_cast<std::uint32_t>(expected));
    }
  }
}

TEST_CASE("CBC IVs do not repeat over two SAs and thousands of packets, and have no bit that is mostly set") {
  EspLab lab(28);
  std::set<Bytes> seen;
  std::array<int, 128> ones{};
  int packets = 0;
  for (int n = 0; n < 2; ++n) {
    const SaPair pair = lab.describe(Direction::outbound, {"aes128", "sha1", false, false, v4, 64});
    OutboundSa& sa = lab.install_outbound(pair.spec);
    for (int burst = 0; burst < 40; ++burst) {
      for (const Bytes& packet : send(lab, sa, std::vector<Bytes>(50, inner_packet(60))).tx) {
        const Bytes iv(packet.begin() + 28, packet.begin() + 44);
        REQUIRE(seen.insert(iv).second);
        for (std::size_t bit = 0; bit < 128; ++bit) ones[bit] += iv[bit / 8] >> bit % 8 & 1;
        ++packets;
      }
    }
  }
  for (const int n : ones) {
    CHECK(n > packets * 2 / 5);
    CHECK(n < packets * 3 / 5);
  }
}

TEST_CASE("DF of the outer header: copied, set, cleared or ignored") {
  EspLab lab(29);
  struct Row {
    conf::DfPolicy policy;
    bool of_clear, of_df, of_v6;
  };
  for (const Row& row :
       {Row{conf::DfPolicy::copy, false, true, true}, Row{conf::DfPolicy::set, true, true, true},
        Row{conf::DfPolicy::clear, false, false, false}, Row{conf::DfPolicy::ignore, false, false, false}}) {
    SaPair pair = lab.describe(Direction::outbound, {});
    pair.spec.df = row.policy;
    OutboundSa& sa = lab.install_outbound(pair.spec);
    const Sent sent = send(lab, sa, {inner_packet(60), inner_packet(60, v4, false, 0, kDf), inner_packet(60, v6)});
    REQUIRE(sent.tx.size() == 3);
    CHECK(reference_open(pair.reference, sent.tx[0]).df == row.of_clear);
    CHECK(reference_open(pair.reference, sent.tx[1]).df == row.of_df);
    CHECK(reference_open(pair.reference, sent.tx[2]).df == row.of_v6);
  }
}

TEST_CASE("with DF the identification is the sequence number's low half, without it counts up across SAs") {
  EspLab lab(30);
  const SaPair a = lab.describe(Direction::outbound, {}), b = lab.describe(Direction::outbound, {});
  OutboundSa& one = lab.install_outbound(a.spec);
  OutboundSa& two = lab.install_outbound(b.spec);
  one.sequence = 0x1'fffe;
  const Sent with = send(lab, one, std::vector<Bytes>(3, inner_packet(60, v4, false, 0, kDf)));
  for (std::uint16_t i = 0; i < 3; ++i)
    CHECK(reference_open(a.reference, with.tx[i]).ip_id == static_cast<std::uint16_t>(0xffff + i));
  std::set<std::uint16_t> ids;
  for (int i = 0; i < 100; ++i) {
    CHECK(ids.insert(reference_open(a.reference, send(lab, one, {inner_packet(60)}).tx[0]).ip_id).second);
    CHECK(ids.insert(reference_open(b.reference, send(lab, two, {inner_packet(60)}).tx[0]).ip_id).second);
  }
}

TEST_CASE("identifications of several workers never meet, also after they wrap") {
  for (const unsigned workers : {1U, 2U, 3U, 4U, 7U}) {
    std::vector<std::set<unsigned>> classes;
    for (unsigned w = 0; w < workers; ++w) {
      IpIds ids(w, workers);
      std::set<unsigned> mine;
      for (int i = 0; i < 200'000; ++i) mine.insert(ids.next(7));
      for (const auto& others : classes)
        for (const unsigned id : mine) REQUIRE(others.count(id) == 0);
      classes.push_back(std::move(mine));
    }
  }
}

TEST_CASE("DSCP is copied or set; ECN is copied in normal mode and cleared in compatibility mode (RFC 6040 4.1)") {
  EspLab lab(31);
  for (const auto outer : {v4, v6}) {
    for (const auto inner : {v4, v6}) {
      for (const bool compatibility : {false, true}) {
        for (const bool fixed : {false, true}) {
          TunnelShape shape;
          shape.outer = outer;
          SaPair pair = lab.describe(Direction::outbound, shape);
          pair.spec.ecn_compatibility = compatibility;
          pair.spec.dscp = fixed ? conf::DscpPolicy::set : conf::DscpPolicy::copy;
          pair.spec.dscp_value = 46;
          OutboundSa& sa = lab.install_outbound(pair.spec);
          for (int traffic_class = 0; traffic_class < 256; ++traffic_class) {
            const auto tc = static_cast<std::uint8_t>(traffic_class);
            const Sent sent = send(lab, sa, {inner_packet(60, inner, false, tc)});
            const ReferenceOpened opened = reference_open(pair.reference, sent.tx.at(0));
            REQUIRE(opened.error == "");
            REQUIRE(opened.traffic_class >> 2 == (fixed ? 46 : tc >> 2));
            REQUIRE((opened.traffic_class & 3) == (compatibility ? 0 : tc & 3));
            REQUIRE(opened.inner == inner_packet(60, inner, false, tc));  // the inner header stays as it was
          }
        }
      }
    }
  }
}

TEST_CASE("leaving the tunnel, ECN follows figure 4 of RFC 6040 for all sixteen pairs, DSCP stays") {
  // rows: inner Not-ECT, ECT(1), ECT(0), CE; columns: outer the same; -1: dropped
  constexpr int kFigure4[4][4] = {{0, 0, 0, -1}, {1, 1, 1, 3}, {2, 1, 2, 3}, {3, 3, 3, 3}};
  EspLab lab(32);
  for (const auto outer : {v4, v6}) {
    for (const auto inner : {v4, v6}) {
      TunnelShape shape;
      shape.outer = outer;
      const SaPair pair = lab.describe(Direction::inbound, shape);
      lab.install_inbound(pair.spec);
      std::uint64_t sequence = 0;
      for (std::uint8_t in = 0; in < 4; ++in) {
        for (std::uint8_t o = 0; o < 4; ++o) {
          SealOptions options;
          options.traffic_class = static_cast<std::uint8_t>(0x28 | o);  // another DSCP outside
          const std::uint8_t tc = static_cast<std::uint8_t>(0xb8 | in);
          const std::vector<rte_mbuf*> burst = {
              lab.received(reference_seal(pair.reference, ++sequence, inner_packet(60, inner, true, tc), options))};
          EspInboundOut out;
          lab.inbound(burst, out);
          INFO("inner " << int{in} << " outer " << int{o});
          if (kFigure4[in][o] < 0) {
            REQUIRE(out.drops.count == 1);
            CHECK(meta(out.drops.packets[0]).drop == Drop::ecn_dropped);
          } else {
            REQUIRE(out.clear.count == 1);
            const auto merged = static_cast<std::uint8_t>(0xb8 | kFigure4[in][o]);
            CHECK(EspLab::octets(out.clear.packets[0]) == inner_packet(60, inner, true, merged));  // checksum included
          }
          EspLab::free(out.clear);
          EspLab::free(out.drops);
        }
      }
    }
  }
}

TEST_CASE("endpoints and path MTU can change under way: the next packet goes to the new address and port") {
  EspLab lab(33);
  TunnelShape shape;
  shape.udp = true;
  SaPair pair = lab.describe(Direction::outbound, shape);
  OutboundSa& sa = lab.install_outbound(pair.spec);
  CHECK(reference_open(pair.reference, send(lab, sa, {inner_packet(60)}).tx[0]).error == "");
  const conf::Endpoint moved{*conf::IpAddress::parse("203.0.113.77"), 33'333};
  set_endpoints(sa, pair.spec.local, moved);
  ReferenceSa there = pair.reference;
  there.destination.assign(moved.address.bytes().begin(), moved.address.bytes().end());
  there.destination_port = moved.port;
  const auto opened = reference_open(there, send(lab, sa, {inner_packet(60)}).tx[0]);
  CHECK(opened.error == "");
  CHECK(opened.sequence == 2);
  set_path_mtu(sa, 1000);
  CHECK(sa.inner_mtu == 938);
  CHECK(send(lab, sa, {inner_packet(939)}).too_big.size() == 1);
}

TEST_CASE("an ICMP error from a router behind the peer passes by the packet it quotes (RFC 4301 6.2)") {
  EspLab lab(34);
  SaPair pair = lab.describe(Direction::inbound, {});
  pair.spec.selectors.local[0].protocol = pair.spec.selectors.remote[0].protocol = 17;
  pair.spec.selectors.remote[0].first_port = pair.spec.selectors.remote[0].last_port = 8080;
  InboundSa& sa = lab.install_inbound(pair.spec);
  std::uint64_t sequence = 0;
  // time exceeded from 172.16.9.9 to 10.1.0.5, quoting the header and eight octets of what 10.1.0.5 sent
  const auto error = [&](std::uint8_t type, const Bytes& about, std::size_t quoted, std::uint8_t to = 5) {
    Bytes inner(28 + quoted);
    inner[0] = 0x45;
    inner[3] = static_cast<std::uint8_t>(inner.size());
    inner[8] = 60;
    inner[9] = 1;
    const std::uint8_t addresses[8] = {172, 16, 9, 9, 10, 1, 0, to};
    std::copy(std::begin(addresses), std::end(addresses), inner.begin() + 12);
    auto* ip = reinterpret_cast<rte_ipv4_hdr*>(inner.data());
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    inner[20] = type;
    std::copy_n(about.begin(), quoted, inner.begin() + 28);
    const std::vector<rte_mbuf*> burst = {lab.received(reference_seal(pair.reference, ++sequence, inner))};
    EspInboundOut out;
    lab.inbound(burst, out);
    const bool passed = out.clear.count == 1;
    if (!passed) CHECK(meta(out.drops.packets[0]).drop == Drop::selector_mismatch);
    EspLab::free(out.clear);
    EspLab::free(out.drops);
    return passed;
  };
  const Bytes ours = inner_packet(900);                // 10.1.0.5:12345 -> 10.2.0.7:8080
  const Bytes not_ours = inner_packet(900, v4, true);  // the other way round
  Bytes other_port = ours;
  other_port[23] ^= 1;
  for (const std::uint8_t type : {std::uint8_t{3}, std::uint8_t{11}, std::uint8_t{12}}) CHECK(error(type, ours, 28));
  CHECK_FALSE(error(8, ours, 28));         // an echo request is no error
  CHECK_FALSE(error(5, ours, 28));         // nor is a redirect taken through a tunnel
  CHECK_FALSE(error(11, not_ours, 28));    // about a packet we did not send
  CHECK_FALSE(error(11, other_port, 28));  // or not through this SA
  CHECK_FALSE(error(11, ours, 28, 6));     // told to someone else than its sender
  CHECK_FALSE(error(11, ours, 19));        // quotes less than a header
  CHECK_FALSE(error(11, ours, 20));        // and without ports a selector for ports cannot hold
  CHECK(sa.counters.read().selector_mismatch == 7);
}

TEST_CASE("replicas of a spread SA use every number once, a batch's together, and no IV twice") {
  EspLab lab(41);
  for (const auto& [cipher, integrity] :
       {std::pair<std::string, std::string>{"aes128gcm16", ""}, {"aes256", "sha256"}, {"chacha20poly1305", ""}}) {
    const SaPair pair = lab.describe(Direction::outbound, {cipher, integrity});
    SharedSequence shared(last_sequence(pair.spec));
    const auto replicas = lab.install_spread(pair.spec, 3, shared);
    std::set<std::uint32_t> numbers;
    std::set<Bytes> ivs;
    std::uint32_t due = 0;
    for (std::size_t batch = 0; batch < 12; ++batch) {
      const std::size_t count = 1 + batch * 5 % 17;
      const Sent sent = send(lab, *replicas[batch % 3], std::vector<Bytes>(count, inner_packet(100)));
      REQUIRE(sent.tx.size() == count);
      for (const Bytes& packet : sent.tx) {
        const ReferenceOpened opened = reference_open(pair.reference, packet);
        REQUIRE(opened.error == "");
        CHECK(opened.sequence == ++due);
        CHECK(numbers.insert(opened.sequence).second);
        CHECK(ivs.insert(opened.iv).second);
      }
    }
    CHECK(shared.taken.load() == due);
    std::uint64_t packets = 0;
    for (const OutboundSa* sa : replicas) packets += sa->counters.packets.get();
    CHECK(packets == due);
  }
}

TEST_CASE("a spread SA's numbers are taken for what is sent alone, two SAs of one batch apart") {
  EspLab lab(42);
  const SaPair a = lab.describe(Direction::outbound, {}), b = lab.describe(Direction::outbound, {});
  SharedSequence of_a(UINT32_MAX), of_b(UINT32_MAX);
  OutboundSa* sas[] = {lab.install_spread(a.spec, 1, of_a)[0], lab.install_spread(b.spec, 1, of_b)[0]};
  std::vector<rte_mbuf*> burst;
  for (std::size_t i = 0; i < 20; ++i) {
    burst.push_back(lab.packet(inner_packet(i % 5 == 0 ? 1480 : 100)));
    meta(burst.back()).sa.outbound = sas[i % 2];
  }
  EspOutboundOut out;
  lab.outbound(burst, out);
  CHECK(out.too_big.count == 4);
  CHECK(out.tx.count == 16);
  CHECK(of_a.taken.load() == 8);
  CHECK(of_b.taken.load() == 8);
  for (Lane* lane : {&out.tx, &out.too_big}) EspLab::free(*lane);
}

TEST_CASE("a probe that is larger than the tunnel takes uses a number of a spread SA, like any packet that is sent") {
  EspLab lab(45);
  const SaPair pair = lab.describe(Direction::outbound, {});
  SharedSequence shared(UINT32_MAX);
  OutboundSa* sa = lab.install_spread(pair.spec, 1, shared)[0];
  for (const std::size_t others : {0U, 3U}) {
    std::vector<rte_mbuf*> burst;
    for (std::size_t i = 0; i <= others; ++i) {
      burst.push_back(lab.packet(inner_packet(i == 0 ? 1480 : 100)));
      meta(burst.back()).sa.outbound = sa;
      meta(burst.back()).probe = i == 0;
    }
    EspOutboundOut out;
    lab.outbound(burst, out);
    CHECK(out.tx.count == others + 1);
    CHECK(out.drops.count == 0);
    CHECK(out.notices.count == 0);
    EspLab::free(out.tx);
  }
  CHECK(shared.taken.load() == 5);
}

TEST_CASE("a range that passes the limit is lost whole, and nothing is sent behind it") {
  EspLab lab(43);
  const SaPair pair = lab.describe(Direction::outbound, {});
  SharedSequence shared(UINT32_MAX);
  shared.taken = UINT32_MAX - 5;
  const auto replicas = lab.install_spread(pair.spec, 2, shared);
  const Sent sent = send(lab, *replicas[0], std::vector<Bytes>(4, inner_packet(60)));
  REQUIRE(sent.tx.size() == 4);
  CHECK(reference_open(pair.reference, sent.tx[3]).sequence == UINT32_MAX - 1);
  const Sent over = send(lab, *replicas[1], std::vector<Bytes>(2, inner_packet(60)));
  CHECK(over.tx.empty());
  CHECK(over.drops == std::vector<Drop>(2, Drop::sequence_exhausted));
  const Sent behind = send(lab, *replicas[0], {inner_packet(60)});  // one number is left, but never given back
  CHECK(behind.tx.empty());
  CHECK(send(lab, *replicas[1], {inner_packet(60)}).drops.size() == 1);
}

TEST_CASE("control stops every replica of a spread SA by its limit") {
  EspLab lab(44);
  SaPair pair = lab.describe(Direction::outbound, {});
  pair.spec.hard_packets = 6;
  pair.spec.soft_packets = 3;
  SharedSequence shared(UINT32_MAX);
  const auto replicas = lab.install_spread(pair.spec, 2, shared);
  CHECK(send(lab, *replicas[0], std::vector<Bytes>(3, inner_packet(60))).tx.size() == 3);
  const Sent soft = send(lab, *replicas[1], std::vector<Bytes>(2, inner_packet(60)));
  CHECK(soft.tx.size() == 2);
  REQUIRE(soft.notices.count == 1);  // by the numbers taken by both
  CHECK(soft.notices.list[0].kind == EspNotice::Kind::soft_limit);
  const Sent hard = send(lab, *replicas[1], std::vector<Bytes>(3, inner_packet(60)));
  CHECK(hard.tx.size() == 1);
  CHECK(hard.drops == std::vector<Drop>(2, Drop::sa_expired));

  SharedSequence other(UINT32_MAX);
  const auto more = lab.install_spread(lab.describe(Direction::outbound, {}).spec, 2, other);
  CHECK(send(lab, *more[0], {inner_packet(60)}).tx.size() == 1);
  other.last = 0;
  for (OutboundSa* sa : more) CHECK(send(lab, *sa, {inner_packet(60)}).drops == std::vector<Drop>{Drop::sa_expired});
}

TEST_CASE("threads that take numbers at once never get one twice") {
  SharedSequence shared(1'000'000);
  std::array<std::vector<std::pair<std::uint64_t, std::uint32_t>>, 4> ranges;
  std::vector<std::thread> threads;
  for (auto& mine : ranges) {
    threads.emplace_back([&shared, &mine] {
      for (std::uint32_t i = 0; i < 20'000; ++i) {
        const std::uint32_t count = 1 + i % 64;
        if (const auto before = shared.take(count)) mine.emplace_back(*before, count);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<std::pair<std::uint64_t, std::uint32_t>> all;
  for (const auto& mine : ranges) all.insert(all.end(), mine.begin(), mine.end());
  std::sort(all.begin(), all.end());
  std::uint64_t end = 0;
  for (const auto& [before, count] : all) {
    REQUIRE(before >= end);
    end = before + count;
  }
  CHECK(end <= 1'000'000);
  CHECK(shared.taken.load() > 1'000'000);
}

// ESP packets against a reference that shares no code with ours, both ways.
#include "dataplane/overhead.h"
#include "test/dataplane/esp_lab.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

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

TEST_CASE("what we encrypt, the reference decrypts: every suite, native and in UDP, all four families") {
  EspLab lab(11);
  for (const Suite& suite : every_suite()) {
    for (const TunnelShape& shape : every_shape(suite)) {
      CAPTURE(describe(shape));
      const SaPair pair = lab.describe(Direction::outbound, shape);
      OutboundSa& sa = lab.install_outbound(pair.spec, 9600);
      std::vector<rte_mbuf*> burst;
      std::vector<Bytes> sent;
      for (int i = 0; i < 24; ++i) {
        const auto family = i % 2 == 0 ? conf::Family::v4 : conf::Family::v6;
        sent.push_back(inner_packet(48 + (i < 20 ? static_cast<std::size_t>(i) : lab.random() % 8900), family));
        burst.push_back(lab.packet(sent.back()));
        meta(burst.back()).sa.outbound = &sa;
      }
      EspOutboundOut out;
      lab.outbound(burst, out);
      REQUIRE(out.tx.count == burst.size());
      for (std::size_t i = 0; i < burst.size(); ++i) {
        const ReferenceOpened opened = reference_open(pair.reference, EspLab::octets(out.tx.packets[i]));
        REQUIRE(opened.error == "");
        REQUIRE(opened.inner == sent[i]);
        REQUIRE(opened.sequence == i + 1);
        REQUIRE(opened.ttl == 64);
        REQUIRE(opened.next_header == (i % 2 == 0 ? 4 : 41));
        REQUIRE(opened.octets ==
                outer_size(static_cast<std::uint32_t>(sent[i].size()), sa.sizes, shape.udp, shape.outer));
      }
      EspLab::free(out.tx);
    }
  }
  CHECK(lab.in_use() == 0);
}

TEST_CASE("what the reference encrypts, we decrypt: every suite, native and in UDP, all four families") {
  EspLab lab(12);
  for (const Suite& suite : every_suite()) {
    for (const TunnelShape& shape : every_shape(suite)) {
      CAPTURE(describe(shape));
      const SaPair pair = lab.describe(Direction::inbound, shape);
      InboundSa& sa = lab.install_inbound(pair.spec);
      std::vector<rte_mbuf*> burst;
      std::vector<Bytes> sent;
      for (std::uint64_t i = 0; i < 24; ++i) {
        const auto family = i % 2 == 0 ? conf::Family::v4 : conf::Family::v6;
        sent.push_back(inner_packet(48 + (i < 20 ? i : lab.random() % 8900), family, true));
        SealOptions options;
        options.extra_blocks = i % 3 == 2 ? 3 : 0;
        options.tfc = i % 5 == 4 ? 100 : 0;
        burst.push_back(lab.received(reference_seal(pair.reference, i + 1, sent.back(), options)));
      }
      EspInboundOut out;
      lab.inbound(burst, out);
      REQUIRE(out.drops.count == 0);
      REQUIRE(out.clear.count == burst.size());
      for (std::size_t i = 0; i < burst.size(); ++i) {
        REQUIRE(EspLab::octets(out.clear.packets[i]) == sent[i]);
        REQUIRE(meta(out.clear.packets[i]).decrypted);
        REQUIRE(meta(out.clear.packets[i]).sa.inbound == &sa);
      }
      CHECK(sa.counters.read().packets == 24);
      CHECK(sa.counters.read().sequence == 24);
      EspLab::free(out.clear);
    }
  }
  CHECK(lab.in_use() == 0);
}

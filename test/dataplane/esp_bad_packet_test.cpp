// What must not come through: each bad packet is dropped under its name, and the good ones of the same
// burst, and the SA, go on.
#include <map>

#include "test/dataplane/esp_lab.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

const std::vector<TunnelShape>& shapes() {
  static const std::vector<TunnelShape> kShapes = {{"aes128gcm16", "", false, false, conf::Family::v4, 2048},
                                                   {"aes256gcm8", "", true, true, conf::Family::v4, 2048},
                                                   {"aes256", "sha256", false, true, conf::Family::v6, 128},
                                                   {"aes128", "sha1", true, false, conf::Family::v4, 64},
                                                   {"3des", "md5", false, false, conf::Family::v4, 32},
                                                   {"chacha20poly1305", "", false, true, conf::Family::v4, 2048},
                                                   {"null", "sha512", true, false, conf::Family::v6, 2048},
                                                   {"aes128gmac", "", true, true, conf::Family::v4, 2048},
                                                   {"aes192ctr", "aesxcbc", true, false, conf::Family::v4, 2048}};
  return kShapes;
}

// An inbound SA and a sender that is the reference.
class Scene {
 public:
  explicit Scene(EspLab& lab, const TunnelShape& shape = {})
      : lab_(lab), pair_(lab.describe(Direction::inbound, shape)), sa_(lab.install_inbound(pair_.spec)) {}

  Bytes good(const SealOptions& options = {}) { return seal(inner_packet(100, conf::Family::v4, true), options); }
  Bytes seal(const Bytes& inner, const SealOptions& options = {}) {
    return reference_seal(pair_.reference, ++sequence_, inner, options);
  }
  Bytes seal_as(std::uint64_t sequence) {
    return reference_seal(pair_.reference, sequence, inner_packet(100, conf::Family::v4, true));
  }

  // The bad packets stand between good ones; true where those all came through and these all were dropped
  // under the names given.
  void expect(const std::vector<std::pair<Bytes, Drop>>& bad) {
    std::vector<rte_mbuf*> burst;
    std::map<rte_mbuf*, Drop> fate;
    for (const auto& [packet, why] : bad) {
      burst.push_back(lab_.received(good()));
      burst.push_back(lab_.received(packet));
      fate[burst.back()] = why;
    }
    burst.push_back(lab_.received(good()));
    EspInboundOut out;
    lab_.inbound(burst, out);
    REQUIRE(out.clear.count == bad.size() + 1);
    REQUIRE(out.drops.count == bad.size());
    for (rte_mbuf* m : out.clear.span()) REQUIRE(fate.count(m) == 0);
    for (rte_mbuf* m : out.drops.span()) {
      INFO(kDrops[static_cast<std::size_t>(meta(m).drop)].name);
      REQUIRE(meta(m).drop == fate.at(m));
    }
    EspLab::free(out.clear);
    EspLab::free(out.drops);
    REQUIRE(lab_.in_use() == 0);
  }

  const ReferenceSa& reference() const { return pair_.reference; }
  InboundSa& sa() { return sa_; }
  std::uint64_t sequence() const { return sequence_; }

 private:
  EspLab& lab_;
  SaPair pair_;
  InboundSa& sa_;
  std::uint64_t sequence_ = 0;
};

std::size_t esp_offset(const Bytes& packet) {
  const std::size_t ip = packet[0] >> 4 == 4 ? 20 : 40;
  return ip + (packet[ip == 20 ? 9 : 6] == 17 ? 8 : 0);
}

void mend_checksum(Bytes& ip) {
  ip[10] = ip[11] = 0;
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < (ip[0] & 15U) * 4U; i += 2) sum += ip[i] * 256U + ip[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  ip[10] = static_cast<std::uint8_t>(~sum >> 8);
  ip[11] = static_cast<std::uint8_t>(~sum);
}

}  // namespace

TEST_CASE("a packet that was received comes no second time, in any later burst") {
  EspLab lab(1);
  for (const TunnelShape& shape : shapes()) {
    Scene scene(lab, shape);
    const Bytes packet = scene.good();
    const std::vector<rte_mbuf*> burst = {lab.received(packet)};
    EspInboundOut out;
    lab.inbound(burst, out);
    REQUIRE(out.clear.count == 1);
    EspLab::free(out.clear);
    for (int i = 0; i < 4; ++i) scene.expect({{packet, Drop::replayed}, {packet, Drop::replayed}});
  }
}

TEST_CASE("of two copies in one burst exactly one comes through") {
  EspLab lab(2);
  for (const TunnelShape& shape : shapes()) {
    Scene scene(lab, shape);
    const Bytes packet = scene.good();
    const std::vector<rte_mbuf*> burst = {lab.received(packet), lab.received(packet), lab.received(packet)};
    EspInboundOut out;
    lab.inbound(burst, out);
    CHECK(out.clear.count == 1);
    REQUIRE(out.drops.count == 2);
    CHECK(meta(out.drops.packets[0]).drop == Drop::replayed);
    CHECK(meta(out.drops.packets[1]).drop == Drop::replayed);
    CHECK(scene.sa().counters.read().replayed == 2);
    EspLab::free(out.clear);
    EspLab::free(out.drops);
  }
}

TEST_CASE("a number older than the window is dropped as replayed") {
  EspLab lab(3);
  for (const TunnelShape& shape : shapes()) {
    Scene scene(lab, shape);
    const std::uint64_t old = 1;
    const Bytes first = scene.seal_as(old);
    for (std::uint32_t i = 0; i <= shape.replay_window; i += 32) {  // move the window on
      std::vector<rte_mbuf*> burst;
      for (int j = 0; j < 32; ++j) burst.push_back(lab.received(scene.good()));
      EspInboundOut out;
      lab.inbound(burst, out);
      EspLab::free(out.clear);
      EspLab::free(out.drops);
    }
    // With ESN a number behind the window is taken for one of the next 2^32, which its ICV then disproves.
    const Drop why = shape.esn ? Drop::icv_failed : Drop::replayed;
    scene.expect({{first, why}, {scene.seal_as(scene.sequence() - shape.replay_window), why}});
  }
}

TEST_CASE("a broken ICV is dropped and does not move the window") {
  EspLab lab(4);
  for (const TunnelShape& shape : shapes()) {
    Scene scene(lab, shape);
    Bytes broken = scene.good();
    broken.back() ^= 0x40;
    Bytes ahead = scene.seal_as(1'000'000'000);  // a forger who would push the window past all that is genuine
    ahead.back() ^= 1;
    scene.expect({{broken, Drop::icv_failed}, {ahead, Drop::icv_failed}});
    CHECK(scene.sa().counters.read().icv_failed == 2);
    CHECK(scene.sa().counters.read().sequence == scene.sequence());
  }
}

TEST_CASE("an SPI that is not ours is dropped as unknown, also one that differs from ours in one bit") {
  EspLab lab(5);
  Scene scene(lab);
  std::vector<std::pair<Bytes, Drop>> bad;
  for (int bit = 0; bit < 30; ++bit) {
    Bytes packet = scene.good();
    packet[esp_offset(packet) + static_cast<std::size_t>(bit / 8)] ^= static_cast<std::uint8_t>(1 << bit % 8);
    bad.emplace_back(packet, Drop::unknown_spi);
  }
  scene.expect(bad);
}

TEST_CASE("inner packets outside the selectors are dropped, whichever address it is") {
  EspLab lab(6);
  for (const TunnelShape& shape : shapes()) {
    Scene scene(lab, shape);
    const auto altered = [&](std::size_t at, std::uint8_t value) {
      Bytes inner = inner_packet(100, conf::Family::v4, true);
      inner[at] = value;
      mend_checksum(inner);
      return scene.seal(inner);
    };
    Bytes v6 = inner_packet(100, conf::Family::v6, true);
    v6[8] = 0x20;
    scene.expect(
        {{altered(13, 9), Drop::selector_mismatch},                                          // source 10.9/16
         {altered(17, 9), Drop::selector_mismatch},                                          // destination 10.9/16
         {scene.seal(inner_packet(100, conf::Family::v4, false)), Drop::selector_mismatch},  // our own side as source
         {scene.seal(v6), Drop::selector_mismatch}});
    CHECK(scene.sa().counters.read().selector_mismatch == 4);
  }
}

TEST_CASE("ESP cut at every length is malformed or fails its ICV, never delivered") {
  EspLab lab(7);
  for (const TunnelShape& shape : shapes()) {
    Scene scene(lab, shape);
    const std::size_t whole = scene.good().size(), head = esp_offset(scene.good());
    const auto sizes = *reference_sizes(shape.cipher, shape.integrity);
    for (std::size_t length = head + 8; length < whole; ++length) {
      Bytes cut = scene.good();
      cut.resize(length);
      const std::size_t around = 8 + sizes.iv + sizes.icv, octets = length - head;
      const bool malformed = octets <= around || (octets - around) % sizes.block != 0;
      scene.expect({{cut, malformed ? Drop::esp_malformed : Drop::icv_failed}});
    }
  }
}

TEST_CASE("any flipped bit between SPI and ICV keeps the packet out") {
  EspLab lab(8);
  for (const TunnelShape& shape : shapes()) {
    Scene scene(lab, shape);
    const Bytes whole = scene.good();
    const std::size_t head = esp_offset(whole);
    for (std::size_t at = head; at < whole.size(); ++at) {
      Bytes flipped = whole;
      flipped[at] ^= static_cast<std::uint8_t>(1 << lab.random() % 8);
      EspInboundOut out;
      const std::vector<rte_mbuf*> burst = {lab.received(flipped)};
      lab.inbound(burst, out);
      REQUIRE(out.clear.count == 0);
      REQUIRE(out.drops.count == 1);
      const Drop why = meta(out.drops.packets[0]).drop;
      if (at < head + 4)
        REQUIRE(why == Drop::unknown_spi);
      else if (at < head + 8)
        REQUIRE((why == Drop::icv_failed || why == Drop::replayed));
      else
        REQUIRE(why == Drop::icv_failed);
      EspLab::free(out.drops);
    }
    scene.expect({});
  }
}

TEST_CASE("authentic packets with a bad trailer are dropped as bad_padding, dummies as dummy_packet") {
  EspLab lab(9);
  for (const TunnelShape& shape : shapes()) {
    Scene scene(lab, shape);
    const auto sizes = *reference_sizes(shape.cipher, shape.integrity);
    // 100 octets and `pad` of padding with the last, first or a middle one wrong
    const auto padded = [&](std::size_t wrong_at) {
      std::size_t pad = (sizes.block - (100 + 2) % sizes.block) % sizes.block + 2 * sizes.block;
      Bytes padding;
      for (std::size_t i = 0; i < pad; ++i) padding.push_back(static_cast<std::uint8_t>(i + 1));
      padding[wrong_at % pad] ^= 0x80;
      SealOptions options;
      options.padding = padding;
      return scene.good(options);
    };
    const auto next_header = [&](std::uint8_t value) {
      SealOptions options;
      options.next_header = value;
      return scene.good(options);
    };
    scene.expect({{padded(0), Drop::bad_padding},
                  {padded(3), Drop::bad_padding},
                  {padded(99), Drop::bad_padding},
                  {next_header(6), Drop::bad_padding},  // transport mode
                  {next_header(0), Drop::bad_padding},
                  {next_header(255), Drop::bad_padding},
                  {next_header(59), Drop::dummy_packet}});
  }
}

TEST_CASE("a pad length beyond the payload is bad_padding") {
  EspLab lab(10);
  TunnelShape shape{"null", "sha256", false, false, conf::Family::v4, 2048};
  Scene scene(lab, shape);
  std::vector<std::pair<Bytes, Drop>> bad;
  for (const std::uint8_t length : {std::uint8_t{103}, std::uint8_t{200}, std::uint8_t{255}}) {
    Bytes packet = scene.good();  // NULL cipher: the trailer can be rewritten and signed anew
    const std::size_t icv = 16, head = esp_offset(packet);
    packet[packet.size() - icv - 2] = length;
    const Bytes covered(packet.begin() + static_cast<long>(head), packet.end() - static_cast<long>(icv));
    const Bytes mac = reference_integrity("sha256", scene.reference().integrity_key, covered, icv);
    std::copy(mac.begin(), mac.end(), packet.end() - static_cast<long>(icv));
    bad.emplace_back(packet, Drop::bad_padding);
  }
  scene.expect(bad);
}

TEST_CASE("inner headers that contradict themselves or the trailer are dropped") {
  EspLab lab(11);
  for (const TunnelShape& shape : shapes()) {
    Scene scene(lab, shape);
    const auto altered = [&](std::size_t at, std::uint8_t value, bool mend = true) {
      Bytes inner = inner_packet(100, conf::Family::v4, true);
      inner[at] = value;
      if (mend) mend_checksum(inner);
      return scene.seal(inner);
    };
    Bytes v6 = inner_packet(100, conf::Family::v6, true);
    v6[5] = 61;  // one octet more than there is
    SealOptions as_v4;
    as_v4.next_header = 4;
    scene.expect({{altered(0, 0x44), Drop::bad_ip_header},         // header shorter than 20
                  {altered(0, 0x55, false), Drop::bad_ip_header},  // version 5
                  {altered(3, 101), Drop::bad_ip_header},          // longer than what is there
                  {altered(3, 19), Drop::bad_ip_header},           // shorter than its header
                  {altered(8, 1, false), Drop::bad_ip_checksum},
                  {scene.seal(v6), Drop::bad_ip_header},
                  {scene.seal(inner_packet(100, conf::Family::v6, true), as_v4), Drop::bad_ip_header},
                  {scene.seal(Bytes(19, 0x45)), Drop::bad_ip_header},
                  {scene.seal(Bytes{0x45}), Drop::bad_ip_header}});
  }
}

TEST_CASE("ports count in selectors, and a later fragment matches only where any port does") {
  EspLab lab(12);
  SaPair pair = lab.describe(Direction::inbound, {});
  pair.spec.selectors.remote[0].protocol = 17;
  pair.spec.selectors.remote[0].first_port = pair.spec.selectors.remote[0].last_port = 12'345;
  pair.spec.selectors.local[0].protocol = 17;
  InboundSa& sa = lab.install_inbound(pair.spec);
  Bytes right = inner_packet(100, conf::Family::v4, true), port = right, protocol = right, fragment = right;
  port[21] ^= 1;
  protocol[9] = 6;
  fragment[7] = 5;  // offset
  mend_checksum(protocol);
  mend_checksum(fragment);
  std::vector<rte_mbuf*> burst;
  std::uint64_t sequence = 0;
  for (const Bytes* inner : {&right, &port, &protocol, &fragment})
    burst.push_back(lab.received(reference_seal(pair.reference, ++sequence, *inner)));
  EspInboundOut out;
  lab.inbound(burst, out);
  REQUIRE(out.clear.count == 1);
  CHECK(out.clear.packets[0] == burst[0]);
  CHECK(sa.counters.read().selector_mismatch == 3);
  EspLab::free(out.clear);
  EspLab::free(out.drops);
}

TEST_CASE("a limit in packets is told once as soft and once as hard, then the SA is expired") {
  EspLab lab(13);
  SaPair pair = lab.describe(Direction::inbound, {});
  pair.spec.soft_packets = 3;
  pair.spec.hard_packets = 5;
  lab.install_inbound(pair.spec);
  int soft = 0, hard = 0, clear = 0, expired = 0;
  for (std::uint64_t i = 1; i <= 8; ++i) {
    const std::vector<rte_mbuf*> burst = {
        lab.received(reference_seal(pair.reference, i, inner_packet(60, conf::Family::v4, true)))};
    EspInboundOut out;
    lab.inbound(burst, out);
    for (int n = 0; n < out.notices.count; ++n)
      ++(out.notices.list[n].kind == EspNotice::Kind::soft_limit ? soft : hard);
    clear += out.clear.count;
    if (out.drops.count == 1) expired += meta(out.drops.packets[0]).drop == Drop::sa_expired ? 1 : 0;
    EspLab::free(out.clear);
    EspLab::free(out.drops);
  }
  CHECK(soft == 1);
  CHECK(hard == 1);
  CHECK(clear == 5);
  CHECK(expired == 3);
}

TEST_CASE("ESP from another address than IKE's is taken, and told once a second by authentic packets that are the newest") {
  for (const auto outer : {conf::Family::v4, conf::Family::v6}) {
    for (const bool udp : {false, true}) {
      INFO((udp ? "in UDP" : "native") << (outer == conf::Family::v4 ? ", IPv4" : ", IPv6"));
      EspLab lab(15);
      TunnelShape shape;
      shape.udp = udp;
      shape.outer = outer;
      SaPair pair = lab.describe(Direction::inbound, shape);
      lab.install_inbound(pair.spec);
      const Bytes home = pair.reference.source;
      Bytes other = home;
      other.back() ^= 0x4f;
      const auto receive = [&](std::uint64_t sequence, const Bytes& from, std::uint64_t ms, bool forged = false) {
        ReferenceSa sender = pair.reference;
        sender.source = from;
        Bytes packet = reference_seal(sender, sequence, inner_packet(60, conf::Family::v4, true));
        if (forged) packet.back() ^= 1;
        const std::vector<rte_mbuf*> burst = {lab.received(packet)};
        EspInboundOut out;
        lab.at(ms);
        lab.inbound(burst, out);
        CHECK(out.clear.count == (forged ? 0 : 1));
        EspLab::free(out.clear);
        EspLab::free(out.drops);
        return out.notices;
      };
      CHECK(receive(10, home, 5000).count == 0);
      CHECK(receive(20, other, 5001, true).count == 0);  // forged
      CHECK(receive(9, other, 5002).count == 0);         // perhaps a copy sent from elsewhere
      const EspNotices told = receive(21, other, 5003);
      REQUIRE(told.count == 1);
      CHECK(told.list[0].kind == EspNotice::Kind::elsewhere);
      CHECK(told.list[0].from.address == conf::IpAddress::from_octets(other));
      CHECK(told.list[0].spi == pair.spec.spi);
      CHECK(told.list[0].tunnel == pair.spec.tunnel);
      CHECK(receive(22, other, 5500).count == 0);
      CHECK(receive(23, home, 5600).count == 0);
      CHECK(receive(24, other, 6003).count == 1);  // it lasts
      CHECK(receive(25, home, 8000).count == 0);
    }
  }
}

TEST_CASE("a peer that moves is told once, only for an authentic packet that is the newest") {
  EspLab lab(14);
  TunnelShape shape;
  shape.udp = true;
  SaPair pair = lab.describe(Direction::inbound, shape);
  pair.spec.report_peer_moves = true;
  lab.install_inbound(pair.spec);
  const auto receive = [&](std::uint64_t sequence, std::uint16_t port, bool forged) {
    ReferenceSa from = pair.reference;
    from.source_port = port;
    Bytes packet = reference_seal(from, sequence, inner_packet(60, conf::Family::v4, true));
    if (forged) packet.back() ^= 1;
    const std::vector<rte_mbuf*> burst = {lab.received(packet)};
    EspInboundOut out;
    lab.inbound(burst, out);
    EspLab::free(out.clear);
    EspLab::free(out.drops);
    return out.notices;
  };
  const std::uint16_t known = pair.spec.remote.port;
  CHECK(receive(10, known, false).count == 0);
  CHECK(receive(20, 7777, true).count == 0);  // forged
  CHECK(receive(9, 7777, false).count == 0);  // authentic, but not the newest: perhaps a copy sent from elsewhere
  const EspNotices moved = receive(21, 7777, false);
  REQUIRE(moved.count == 1);
  CHECK(moved.list[0].kind == EspNotice::Kind::peer_moved);
  CHECK(moved.list[0].from == conf::Endpoint{pair.spec.remote.address, 7777});
  CHECK(moved.list[0].tunnel == pair.spec.tunnel);
  CHECK(receive(22, 7777, false).count == 0);
  CHECK(receive(23, known, false).count == 1);  // and back
}

// Bad and odd packets through a real worker: each is counted under its name, and the packets around it in
// the same burst go on.
#include <algorithm>

#include "dataplane/drop.h"
#include "test/dataplane/gateway_lab.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

constexpr auto kHost = "10.1.0.5", kFarHost = "10.2.0.7", kPeer = "192.0.2.100", kUs = "192.0.2.1";

Bytes inner(std::size_t octets = 100, std::uint16_t flags = 0, std::uint8_t ttl = 64) {
  return udp_packet({.source = kFarHost, .destination = kHost, .ttl = ttl, .fragment = flags}, 1, 2, counting(octets));
}
Bytes outbound(std::size_t octets = 100, std::uint16_t flags = 0, std::uint8_t ttl = 64) {
  return udp_packet({.source = kHost, .destination = kFarHost, .ttl = ttl, .fragment = flags}, 1, 2, counting(octets));
}
Bytes mend(Bytes packet) {
  packet[10] = packet[11] = 0;
  const std::uint16_t sum = checksum(std::span(packet).first((packet[0] & 15U) * 4U));
  packet[10] = static_cast<std::uint8_t>(sum >> 8);
  packet[11] = static_cast<std::uint8_t>(sum);
  return packet;
}

}  // namespace

TEST_CASE("A bad packet of each kind is dropped under its name, and the rest of its burst arrives") {
  GatewayLab lab;
  auto& tunnel = lab.add_tunnel();
  const auto seal = [&](const Bytes& packet, const SealOptions& options = {}) {
    return reference_seal(tunnel.to_us, ++tunnel.sent, packet, options);
  };
  const auto flip = [](Bytes b, std::size_t at) {
    b[at] ^= 1;
    return b;
  };
  const Bytes replayed = seal(inner());
  Bytes unknown = seal(inner());
  unknown[23] ^= 0x40;
  Bytes cut = seal(inner());
  cut.resize(cut.size() - 3);
  cut[3] = static_cast<std::uint8_t>(cut[3] - 3);
  const Bytes whole = inner(), shorter(whole.begin(), whole.begin() + 50);
  Bytes tiny = ipv4({.source = kPeer, .destination = kUs, .protocol = 50}, counting(7));
  struct Case {
    std::string name;
    std::size_t port;
    Bytes packet;
  };
  lab.give_ip(0, replayed);
  const std::vector<Case> cases = {
      {"replayed", 0, replayed},
      {"icv_failed", 0, flip(seal(inner()), 60)},
      {"unknown_spi", 0, unknown},
      {"esp_malformed", 0, mend(cut)},
      {"esp_malformed", 0, tiny},
      {"selector_mismatch", 0, seal(udp_packet({.source = "10.9.0.1", .destination = kHost}, 1, 2, counting(50)))},
      {"selector_mismatch", 0, seal(udp_packet({.source = kFarHost, .destination = "10.9.0.1"}, 1, 2, counting(50)))},
      {"dummy_packet", 0, seal(counting(64), {.next_header = 59})},
      {"clear_but_protected", 0, inner()},
      {"clear_but_protected", 1, inner()},
      {"untrusted_clear", 0, udp_packet({.source = "8.8.8.8", .destination = kHost}, 1, 2, counting(50))},
      {"untrusted_clear", 1, udp_packet({.source = kHost, .destination = "192.0.2.50"}, 1, 2, counting(50))},
      {"no_route", 1, udp_packet({.source = kHost, .destination = "8.8.8.8"}, 1, 2, counting(50))},
      {"ttl_expired", 1, outbound(50, 0, 1)},
      {"ttl_expired", 0, seal(inner(50, 0, 1))},
      {"not_for_us", 0, udp_packet({.source = "192.0.2.9", .destination = kUs}, 1, 53, counting(50))},
      {"bad_icmp", 0,
       flip(ipv4({.source = "192.0.2.9", .destination = kUs, .protocol = 1}, icmp(8, 0, 1, counting(20))), 40)},
      {"too_big", 1, outbound(1440, 0x4000)},
      {"bad_ip_checksum", 0, flip(udp_packet({.source = "192.0.2.9", .destination = kUs}, 1, 500, counting(50)), 8)},
      {"truncated", 0, shorter},
  };
  lab.settle();
  for (const Case& c : cases) {
    INFO(c.name << ", port " << c.port);
    const std::uint64_t before = lab.dropped(c.name), in_all = lab.dropped_in_all();
    const std::size_t lan = lab.out(1).size(), wan = lab.out(0).size();
    lab.give_ip(0, seal(inner()));
    lab.give_ip(1, outbound());
    lab.give_ip(c.port, c.packet);
    lab.give_ip(0, seal(inner()));
    lab.give_ip(1, outbound());
    lab.settle();
    CHECK(lab.dropped(c.name) == before + 1);
    CHECK(lab.dropped_in_all() == in_all + 1);
    const auto decrypted = std::count_if(lab.out(1).begin() + static_cast<std::ptrdiff_t>(lan), lab.out(1).end(),
                                         [](const Bytes& p) { return p[9] == 17; });
    const auto encrypted = std::count_if(lab.out(0).begin() + static_cast<std::ptrdiff_t>(wan), lab.out(0).end(),
                                         [](const Bytes& p) { return p[9] == 50; });
    CHECK(decrypted == 2);
    CHECK(encrypted >= 2);  // an ICMP error may go through the tunnel as well
  }
}

TEST_CASE(
    "Every way through: encrypted as the reference reads it, decrypted to what it wrote, in both encapsulations") {
  for (const bool udp : {false, true}) {
    GatewayLab lab;
    auto& tunnel = lab.add_tunnel(udp);
    lab.give_ip(1, outbound(333));
    REQUIRE(lab.run([&] { return lab.out(0).size() == 1; }));
    const auto opened = reference_open(tunnel.from_us, lab.out(0)[0]);
    CHECK(opened.error.empty());
    Bytes expected = outbound(333);
    expected[8] = 63;
    CHECK(opened.inner == mend(expected));

    lab.give_ip(0, reference_seal(tunnel.to_us, 1, inner(444)));
    REQUIRE(lab.run([&] { return lab.out(1).size() == 1; }));
    expected = inner(444);
    expected[8] = 63;
    CHECK(lab.out(1)[0] == mend(expected));
  }
}

TEST_CASE("Own addresses answer a ping in clear, and through the tunnel with a reply that goes back through it") {
  GatewayLab lab;
  auto& tunnel = lab.add_tunnel();
  lab.give_ip(0, ipv4({.source = "192.0.2.9", .destination = kUs, .protocol = 1}, icmp(8, 0, 7, counting(56))));
  lab.give_ip(1, ipv4({.source = kHost, .destination = "10.1.0.1", .protocol = 1}, icmp(8, 0, 7, counting(56))));
  lab.give_ip(0, reference_seal(tunnel.to_us, 1,
                                ipv4({.source = kFarHost, .destination = "10.1.0.1", .protocol = 1},
                                     icmp(8, 0, 7, counting(56)))));
  REQUIRE(lab.run([&] { return lab.out(0).size() == 2 && lab.out(1).size() == 1; }));
  CHECK(sound_ipv4(lab.out(1)[0]));
  CHECK(lab.out(1)[0][20] == 0);
  const auto& esp = lab.out(0)[0][9] == 50 ? lab.out(0)[0] : lab.out(0)[1];
  const auto opened = reference_open(tunnel.from_us, esp);
  CHECK(opened.error.empty());
  REQUIRE(sound_ipv4(opened.inner));
  CHECK(opened.inner[20] == 0);
  CHECK(Bytes(opened.inner.begin() + 16, opened.inner.begin() + 20) == ip_address(kFarHost));
}

TEST_CASE("What is too big with DF is answered with the tunnel's MTU; without, it arrives in fragments") {
  GatewayLab lab;
  auto& tunnel = lab.add_tunnel();
  lab.give_ip(1, outbound(1440, 0x4000));
  REQUIRE(lab.run([&] { return lab.out(1).size() == 1; }));
  const Bytes error = lab.out(1)[0];
  REQUIRE(sound_ipv4(error));
  CHECK(error[20] == 3);
  CHECK(error[21] == 4);
  CHECK((error[26] << 8 | error[27]) == 1446);  // AES-GCM over IPv4 at 1500
  CHECK(Bytes(error.begin() + 12, error.begin() + 16) == ip_address("10.1.0.1"));
  lab.give_ip(1, outbound(1446 - 28, 0x4000));
  REQUIRE(lab.run([&] { return lab.out(0).size() == 1; }));
  CHECK(lab.out(0)[0].size() == 1500);
  lab.out(0).clear();

  lab.give_ip(1, outbound(2600));
  REQUIRE(lab.run([&] { return lab.out(0).size() == 2; }));
  Bytes payload;
  for (const Bytes& packet : lab.out(0)) {
    CHECK(packet.size() <= 1500);
    const auto opened = reference_open(tunnel.from_us, packet);
    REQUIRE(opened.error.empty());
    REQUIRE(sound_ipv4(opened.inner));
    payload.insert(payload.end(), opened.inner.begin() + 20, opened.inner.end());
  }
  const Bytes whole = outbound(2600);
  CHECK(payload == Bytes(whole.begin() + 20, whole.end()));
}

TEST_CASE("ESP and IKE that come in fragments are put together first") {
  GatewayLab lab;
  auto& tunnel = lab.add_tunnel(true);
  auto pieces = fragments_of(reference_seal(tunnel.to_us, 1, inner(1400)), 800);
  std::swap(pieces[0], pieces[1]);
  for (const Bytes& piece : pieces) lab.give_ip(0, piece);
  REQUIRE(lab.run([&] { return lab.out(1).size() == 1; }));
  CHECK(lab.out(1)[0].size() == inner(1400).size());

  const Bytes message = counting(5000);
  for (const Bytes& piece :
       fragments_of(udp_packet({.source = "192.0.2.9", .destination = kUs}, 500, 500, message), 1480))
    lab.give_ip(0, piece);
  const IkeDatagram* ike = nullptr;
  REQUIRE(lab.run([&] {
    for (const Event& e : lab.events())
      if (const auto* d = std::get_if<IkeDatagram>(&e)) ike = d;
    return ike != nullptr;
  }));
  CHECK(ike->bytes == message);
  CHECK(ike->remote.str() == "192.0.2.9:500");
  CHECK(ike->local.str() == "192.0.2.1:500");
}

TEST_CASE(
    "Own datagrams leave with sound checksums, in fragments where they are larger than the port takes, past every "
    "policy") {
  GatewayLab lab(1, [](Setup& setup) {
    PolicySpec everything;  // even the peer itself
    everything.selectors = {{conf::Selector::of(*conf::Prefix::parse("0.0.0.0/0"))},
                            {conf::Selector::of(*conf::Prefix::parse("0.0.0.0/0"))}};
    setup.table.policies = {everything};
  });
  const conf::Endpoint us{*conf::IpAddress::parse(kUs), 500}, peer{*conf::IpAddress::parse(kPeer), 500};
  lab.poll();
  lab.gateway().send(us, peer, false, counting(300));
  REQUIRE(lab.run([&] { return lab.out(0).size() == 1; }));
  CHECK(lab.out(0)[0].size() == 328);
  CHECK(sound_ipv4(lab.out(0)[0]));
  lab.gateway().send({us.address, 4500}, {peer.address, 4500}, true, counting(300));
  lab.gateway().send_keepalive({us.address, 4500}, {peer.address, 4500});
  REQUIRE(lab.run([&] { return lab.out(0).size() == 3; }));
  CHECK(lab.out(0)[1].size() == 332);
  CHECK(sound_ipv4(lab.out(0)[1]));
  CHECK(lab.out(0)[2].size() == 29);
  CHECK(lab.out(0)[2][28] == 0xff);
  lab.out(0).clear();
  lab.gateway().send(us, peer, false, counting(4000));
  REQUIRE(lab.run([&] { return lab.out(0).size() == 3; }));
  FrameLab frames;
  Bytes datagram;
  for (const Bytes& piece : lab.out(0)) {
    REQUIRE(piece.size() <= 1500);
    REQUIRE(sound_ipv4(piece));
    datagram.insert(datagram.end(), piece.begin() + 20, piece.end());
  }
  CHECK(datagram == udp({.source = kUs, .destination = kPeer}, 500, 500, counting(4000)));
}

namespace {

// A TCP SYN that offers `mss`, with a sound checksum; `odd` puts a no-operation in front of the option.
Bytes syn(const char* source, const char* destination, std::uint16_t mss, bool odd) {
  Bytes tcp{0x04, 0xd2, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 0, 0x70, 0x02, 0xff, 0xff, 0, 0, 0, 0};
  if (odd) tcp.push_back(1);
  tcp.insert(tcp.end(), {2, 4, static_cast<std::uint8_t>(mss >> 8), static_cast<std::uint8_t>(mss), 1, 1, 1, 1});
  tcp.resize(28);
  Bytes pseudo = ip_address(source);
  const Bytes to = ip_address(destination);
  pseudo.insert(pseudo.end(), to.begin(), to.end());
  pseudo.insert(pseudo.end(), {0, 6, 0, 28});
  pseudo.insert(pseudo.end(), tcp.begin(), tcp.end());
  const std::uint16_t sum = checksum(pseudo);
  tcp[16] = static_cast<std::uint8_t>(sum >> 8);
  tcp[17] = static_cast<std::uint8_t>(sum);
  return ipv4({.source = source, .destination = destination, .protocol = 6}, tcp);
}
bool tcp_sound(const Bytes& packet) {
  Bytes pseudo(packet.begin() + 12, packet.begin() + 20);
  pseudo.insert(pseudo.end(), {0, 6, 0, static_cast<std::uint8_t>(packet.size() - 20)});
  pseudo.insert(pseudo.end(), packet.begin() + 20, packet.end());
  return checksum(pseudo) == 0;
}
unsigned offered(const Bytes& packet, bool odd) {
  const std::size_t at = odd ? 43 : 42;
  return static_cast<unsigned>(packet[at] << 8 | packet[at + 1]);
}

}  // namespace

TEST_CASE("TCP's MSS is clamped to the octet in both directions, and never raised") {
  GatewayLab lab;
  auto& tunnel = lab.add_tunnel();
  for (const bool odd : {false, true}) {
    for (const std::uint16_t mss : {1460, 1407, 1406, 1405, 536}) {
      const unsigned expected = std::min<unsigned>(mss, 1406);  // 1446 - 40
      lab.out(0).clear();
      lab.out(1).clear();
      lab.give_ip(1, syn(kHost, kFarHost, mss, odd));
      lab.give_ip(0, reference_seal(tunnel.to_us, ++tunnel.sent, syn(kFarHost, kHost, mss, odd)));
      REQUIRE(lab.run([&] { return lab.out(0).size() == 1 && lab.out(1).size() == 1; }));
      const Bytes sent = reference_open(tunnel.from_us, lab.out(0)[0]).inner;
      CHECK(offered(sent, odd) == expected);
      CHECK(tcp_sound(sent));
      CHECK(offered(lab.out(1)[0], odd) == expected);
      CHECK(tcp_sound(lab.out(1)[0]));
    }
  }
}

TEST_CASE("A configured number clamps TCP's MSS to it in both directions, and 0 leaves it alone") {
  struct Case {
    std::uint16_t configured, offered, expected;
  };
  for (const Case c : {Case{1200, 1460, 1200},
                       {1200, 1201, 1200},
                       {1200, 1200, 1200},
                       {1200, 1100, 1100},
                       {0, 1460, 1460},
                       {0, 536, 536}}) {
    CAPTURE(c.configured, c.offered);
    GatewayLab lab;
    auto& tunnel = lab.add_tunnel(false, true, [&](PolicySpec*, SaSpec* spec) {
      if (spec != nullptr) spec->mss = c.configured;
    });
    lab.give_ip(1, syn(kHost, kFarHost, c.offered, false));
    lab.give_ip(0, reference_seal(tunnel.to_us, ++tunnel.sent, syn(kFarHost, kHost, c.offered, false)));
    REQUIRE(lab.run([&] { return lab.out(0).size() == 1 && lab.out(1).size() == 1; }));
    const Bytes sent = reference_open(tunnel.from_us, lab.out(0)[0]).inner;
    CHECK(offered(sent, false) == c.expected);
    CHECK(tcp_sound(sent));
    CHECK(offered(lab.out(1)[0], false) == c.expected);
    CHECK(tcp_sound(lab.out(1)[0]));
    CHECK(lab.gateway().treated().at("mss_clamped") == (c.expected < c.offered ? 2 : 0));
  }
}

namespace {

// The datagram that IPv4 fragments are of; empty where they are not sound, are larger than `mtu`, or leave a hole.
Bytes joined(const std::deque<Bytes>& pieces, std::size_t mtu) {
  Bytes whole;
  for (const Bytes& piece : pieces) {
    const bool more = (piece[6] & 0x20) != 0;
    const std::size_t offset = static_cast<std::size_t>((piece[6] & 0x1f) << 8 | piece[7]) * 8;
    if (!sound_ipv4(piece) && (more || offset == 0)) return {};
    if (piece.size() > mtu || offset + 20 != std::max<std::size_t>(whole.size(), 20)) return {};
    if (more == (&piece == &pieces.back())) return {};
    if (whole.empty()) whole.assign(piece.begin(), piece.begin() + 20);
    whole.insert(whole.end(), piece.begin() + 20, piece.end());
  }
  whole[2] = static_cast<std::uint8_t>(whole.size() >> 8);
  whole[3] = static_cast<std::uint8_t>(whole.size());
  whole[6] = whole[7] = 0;
  return mend(whole);
}

}  // namespace

TEST_CASE(
    "On a path of 600 octets IPv6 up to 1280 leaves in outer fragments of the path's size, counted, and so do own IKE "
    "datagrams") {
  for (const bool udp : {false, true}) {
    CAPTURE(udp);
    GatewayLab lab(1, [](Setup& setup) { setup.ports[1].addresses.push_back(*conf::Prefix::parse("fd01::1/64")); });
    auto& tunnel = lab.add_tunnel(udp, true, [](PolicySpec* policy, SaSpec* spec) {
      auto& selectors = policy != nullptr ? policy->selectors : spec->selectors;
      selectors.local.push_back(conf::Selector::of(*conf::Prefix::parse("fd01::/64")));
      selectors.remote.push_back(conf::Selector::of(*conf::Prefix::parse("fd02::/64")));
    });
    const Bytes full = udp6_packet({.source = "fd01::5", .destination = "fd02::7"}, 1, 2, counting(1280 - 48));
    REQUIRE(full.size() == 1280);
    const auto give = [&](const Bytes& packet) {
      lab.give(1, ethernet(lab.mac(1), mac_address("02:00:00:00:00:99"), 0x86dd, packet));
    };
    give(full);
    REQUIRE(lab.run([&] { return lab.out(0).size() == 1; }));  // whole, while the path is thought to take it
    lab.out(0).clear();
    lab.give_ip(1, outbound(100, 0x4000));
    REQUIRE(lab.run([&] { return lab.out(0).size() == 1; }));
    const Bytes quoted(lab.out(0)[0].begin(), lab.out(0)[0].begin() + 28);
    lab.give_ip(0, ipv4({.source = "192.0.2.254", .destination = kUs, .protocol = 1}, icmp(3, 4, 600, quoted)));
    lab.settle();
    CHECK(lab.gateway().treated().at("outer_fragmented") == 0);
    lab.out(0).clear();
    give(full);
    lab.settle();
    CHECK(lab.out(0).size() == 3);
    const auto opened = reference_open(tunnel.from_us, joined(lab.out(0), 600));
    CHECK(opened.error == "");
    Bytes expected = full;
    expected[7] = 63;
    CHECK(opened.inner == expected);
    CHECK(lab.gateway().treated().at("outer_fragmented") == 1);
    CHECK(lab.gateway().treated().at("fragmented") == 0);

    lab.out(0).clear();
    lab.gateway().send({*conf::IpAddress::parse(kUs), 500}, {*conf::IpAddress::parse(kPeer), 500}, false,
                       counting(1400));
    lab.settle();
    CHECK(lab.out(0).size() == 3);
    const Bytes datagram = joined(lab.out(0), 600);
    CHECK(Bytes(datagram.begin() + 20, datagram.end()) ==
          test::udp({.source = kUs, .destination = kPeer}, 500, 500, counting(1400)));
  }
}

TEST_CASE(
    "An ICMP error that quotes our packet lowers the path's MTU, a forged one does not, and ten minutes raise it") {
  for (const bool udp : {false, true}) {
    GatewayLab lab;
    auto& tunnel = lab.add_tunnel(udp);
    const std::uint32_t whole = lab.gateway().effective_mtu(tunnel.from_us.spi, 0);
    for (int i = 0; i < 5; ++i) lab.give_ip(1, outbound(100, 0x4000));
    REQUIRE(lab.run([&] { return lab.out(0).size() == 5; }));
    const Bytes sent = lab.out(0)[3];
    const auto quote = [&](const Bytes& packet, std::uint16_t mtu, std::size_t octets = 28) {
      const Bytes head(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(octets));
      lab.give_ip(0, ipv4({.source = "192.0.2.254", .destination = kUs, .protocol = 1}, icmp(3, 4, mtu, head)));
      lab.settle();
    };
    const auto now = [&] { return lab.gateway().effective_mtu(tunnel.from_us.spi, 0); };
    Bytes forged = sent;
    if (udp) {
      forged[4] ^= 0x70;  // an identification of no recent packet
    } else {
      forged[24] ^= 0x70;  // a sequence number never used
    }
    quote(mend(forged), 1300);
    CHECK(now() == whole);
    forged = sent;
    forged[19] ^= 1;  // to somebody else
    quote(mend(forged), 1300);
    CHECK(now() == whole);
    quote(sent, 1300);
    CHECK(now() == whole - 200);
    quote(sent, 1400);  // never raised by an error
    CHECK(now() == whole - 200);
    quote(sent, 100);
    CHECK(now() < 576);
    CHECK(now() > 476);
    lab.out(1).clear();
    lab.give_ip(1, outbound(1000, 0x4000));
    REQUIRE(lab.run([&] { return lab.out(1).size() == 1; }));
    CHECK(static_cast<std::uint32_t>(lab.out(1)[0][26] << 8 | lab.out(1)[0][27]) == now());
    lab.skew += std::chrono::minutes(11);
    lab.poll();
    CHECK(now() == whole);
  }
}

TEST_CASE("Traffic for a tunnel that is down is dropped, counted, and told to control once a second") {
  GatewayLab lab;
  lab.add_tunnel(false, false);
  const auto wanted = [&] {
    return std::count_if(lab.events().begin(), lab.events().end(),
                         [](const Event& e) { return std::holds_alternative<Wanted>(e); });
  };
  for (int i = 0; i < 20; ++i) lab.give_ip(1, outbound());
  lab.settle();
  CHECK(lab.dropped("no_sa") == 20);
  CHECK(wanted() == 1);
  lab.skew += std::chrono::milliseconds(1500);
  lab.poll();
  for (int i = 0; i < 20; ++i) lab.give_ip(1, outbound());
  lab.settle();
  CHECK(wanted() == 2);
  const auto it = std::find_if(lab.events().begin(), lab.events().end(),
                               [](const Event& e) { return std::holds_alternative<Wanted>(e); });
  CHECK(std::get<Wanted>(*it).source.str() == std::get<Wanted>(*it).source.str());
  CHECK(std::get<Wanted>(*it).destination.first.str() == kFarHost);
}

TEST_CASE("An SA that is removed is told with its counters, and its packets are dropped under unknown_spi and no_sa") {
  GatewayLab lab;
  auto& tunnel = lab.add_tunnel();
  const auto before = lab.gateway().pools();
  lab.give_ip(1, outbound());
  lab.give_ip(0, reference_seal(tunnel.to_us, 1, inner()));
  lab.settle();
  lab.gateway().remove(Direction::inbound, tunnel.to_us.spi, 0);
  lab.gateway().remove(Direction::outbound, tunnel.from_us.spi, 0);
  std::vector<Retired> gone;
  REQUIRE(lab.run([&] {
    gone.clear();
    for (const Event& e : lab.events())
      if (const auto* r = std::get_if<Retired>(&e)) gone.push_back(*r);
    return gone.size() == 2;
  }));
  for (const Retired& r : gone) CHECK(r.counters.packets == 1);
  lab.give_ip(1, outbound());
  lab.give_ip(0, reference_seal(tunnel.to_us, 2, inner()));
  lab.settle();
  CHECK(lab.dropped("no_sa") == 1);
  CHECK(lab.dropped("unknown_spi") == 1);
  for (const auto& pool : lab.gateway().pools())
    if (pool.name == "spi-slots" || pool.name == "sas") CHECK(pool.in_use == 0);
  CHECK(before.size() == lab.gateway().pools().size());
}

TEST_CASE("Packets for a neighbor that does not answer wait in bounds, and are dropped under no_neighbor") {
  GatewayLab lab;
  lab.answer_arp = false;
  auto& tunnel = lab.add_tunnel();
  for (int i = 0; i < 40; ++i) lab.give_ip(0, reference_seal(tunnel.to_us, ++tunnel.sent, inner()));
  REQUIRE(lab.run([&] { return lab.dropped("neighbor_queue_full") == 24; }));
  for (int second = 0; second < 4; ++second) {
    lab.skew += std::chrono::seconds(1);
    lab.poll();
  }
  CHECK(lab.dropped("no_neighbor") == 16);
  lab.settle();
}

TEST_CASE("An ICMP error that quotes our ESP is told as evidence; one that quotes somebody else's is not") {
  GatewayLab lab;
  const auto error = [](const char* source) {
    const Bytes quoted = ipv4({.source = source, .destination = kPeer, .protocol = 50}, Bytes{1, 2, 3, 4, 0, 0, 0, 1});
    return ipv4({.source = "192.0.2.254", .destination = kUs, .protocol = 1}, icmp(3, 4, 1300, quoted));
  };
  lab.give_ip(0, error(kUs));
  lab.give_ip(0, error("192.0.2.77"));
  lab.settle();
  std::size_t told = 0;
  for (const Event& e : lab.events()) {
    if (const auto* i = std::get_if<IcmpError>(&e)) {
      ++told;
      CHECK(i->mtu == 1300);
      CHECK(i->spi == 0x01020304);
    }
  }
  CHECK(told == 1);
  CHECK(lab.dropped("not_for_us") == 1);
}

TEST_CASE("A gateway that starts and stops again and again gives everything back") {
  start_eal();
  for (int i = 0; i < 5; ++i) {
    GatewayLab lab(1 + static_cast<unsigned>(i) % 3);
    lab.add_tunnel();
    lab.give_ip(1, outbound());
    REQUIRE(lab.run([&] { return lab.out(0).size() == 1; }));
    lab.give_ip(1, outbound());  // under way while it stops
  }
  SUCCEED();
}

// What a gateway does to packets beyond ESP itself: VLANs, filters, policies, translation, sizes and marks, through a
// real worker and judged by the reference's ESP and by packets built without the product's code.
#include <algorithm>

#include "test/dataplane/gateway_lab.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

constexpr auto kHost = "10.1.0.5", kFarHost = "10.2.0.7", kUs = "192.0.2.1";

conf::Prefix prefix(const char* text) { return *conf::Prefix::parse(text); }
conf::Selector selector(const char* text) { return conf::Selector::of(prefix(text)); }
conf::Selector ports(conf::Selector s, std::uint8_t protocol, std::uint16_t first, std::uint16_t last) {
  s.protocol = protocol;
  s.first_port = first;
  s.last_port = last;
  return s;
}

// As it is behind one hop.
Bytes hop(Bytes packet) {
  --packet[8];
  packet[10] = packet[11] = 0;
  const std::uint16_t sum = checksum(std::span(packet).first((packet[0] & 15U) * 4U));
  packet[10] = static_cast<std::uint8_t>(sum >> 8);
  packet[11] = static_cast<std::uint8_t>(sum);
  return packet;
}
Bytes packet(const char* from, const char* to, std::uint16_t port = 53, std::size_t octets = 100,
             std::uint16_t flags = 0, std::uint8_t tos = 0) {
  return udp_packet({.source = from, .destination = to, .tos = tos, .fragment = flags}, 4000, port, counting(octets));
}

Bytes tagged(const Bytes& to, const Bytes& from, std::uint16_t vlan, std::uint16_t type, const Bytes& body) {
  Bytes frame = ethernet(to, from, 0x8100, Bytes{static_cast<std::uint8_t>(vlan >> 8), static_cast<std::uint8_t>(vlan),
                                                static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type)});
  frame.insert(frame.end(), body.begin(), body.end());
  return frame;
}

Bytes opened(GatewayLab& lab, const GatewayLab::Tunnel& tunnel) {
  if (!lab.run([&] { return !lab.out(0).empty(); })) return {};
  const auto esp = reference_open(tunnel.from_us, lab.out(0).front());
  lab.out(0).pop_front();
  return esp.error.empty() ? esp.inner : Bytes{};
}

}  // namespace

TEST_CASE("Two 802.1Q sub-ports of one device: each answers and sends with its own tag, and other tags are nobody's") {
  const Bytes host_mac = mac_address("02:00:00:00:00:77"), broadcast = mac_address("ff:ff:ff:ff:ff:ff");
  GatewayLab lab(1, [](Setup& setup) {
    setup.ports[1].vlan = 20;
    PortSetup second = setup.ports[1];
    second.name = "guests";
    second.vlan = 30;
    second.addresses = {prefix("10.9.0.1/16")};
    setup.ports.push_back(second);
  });
  auto& tunnel = lab.add_tunnel();
  const auto frame_with = [&](std::uint16_t vlan, std::uint16_t type) {
    const auto& frames = lab.frames(1);
    const auto it = std::find_if(frames.begin(), frames.end(), [&](const Bytes& f) {
      return f[12] == 0x81 && (f[14] << 8 | f[15]) == vlan && (f[16] << 8 | f[17]) == type &&
             std::equal(host_mac.begin(), host_mac.end(), f.begin());
    });
    return it == frames.end() ? Bytes{} : *it;
  };
  // Each port's address is answered for in its VLAN, and in no other.
  lab.give(1, tagged(broadcast, host_mac, 20, 0x0806, arp(true, host_mac, kHost, Bytes(6), "10.1.0.1")));
  lab.give(1, tagged(broadcast, host_mac, 30, 0x0806, arp(true, host_mac, "10.9.0.5", Bytes(6), "10.9.0.1")));
  lab.give(1, tagged(broadcast, host_mac, 30, 0x0806, arp(true, host_mac, "10.9.0.6", Bytes(6), "10.1.0.1")));
  REQUIRE(lab.run([&] { return !frame_with(20, 0x0806).empty() && !frame_with(30, 0x0806).empty(); }));
  lab.settle();
  const auto answers = std::count_if(lab.frames(1).begin(), lab.frames(1).end(), [&](const Bytes& f) {
    return f[12] == 0x81 && f[16] == 8 && f[17] == 6 && f[25] == 2;  // ARP replies
  });
  CHECK(answers == 2);
  // From one VLAN to the other, and into the tunnel and back.
  const Bytes across = packet(kHost, "10.9.0.5");
  lab.give(1, tagged(lab.mac(1), host_mac, 20, 0x0800, across));
  REQUIRE(lab.run([&] { return !frame_with(30, 0x0800).empty(); }));
  const Bytes there = frame_with(30, 0x0800);
  CHECK(Bytes(there.begin() + 18, there.end()) == hop(across));
  lab.give(1, tagged(lab.mac(1), host_mac, 20, 0x0800, packet(kHost, kFarHost)));
  CHECK(opened(lab, tunnel) == hop(packet(kHost, kFarHost)));
  lab.give_ip(0, reference_seal(tunnel.to_us, ++tunnel.sent, packet(kFarHost, kHost)));
  REQUIRE(lab.run([&] { return !frame_with(20, 0x0800).empty(); }));
  const Bytes in = frame_with(20, 0x0800);
  CHECK(Bytes(in.begin() + 18, in.end()) == hop(packet(kFarHost, kHost)));
  // Untagged, and with a tag that no port has.
  const std::uint64_t before = lab.dropped("bad_ethernet");
  lab.give_ip(1, packet(kHost, kFarHost));
  lab.give(1, tagged(lab.mac(1), host_mac, 40, 0x0800, packet(kHost, kFarHost)));
  lab.settle();
  CHECK(lab.dropped("bad_ethernet") == before + 2);
}

TEST_CASE("Rules decide between ports and tunnels in their order, are counted by name, and pass what none of them takes") {
  using Place = RuleSpec::Place;
  const auto rule = [](const char* name, bool permit, Place in, Place out, conf::Selector from, conf::Selector to) {
    return RuleSpec{.name = name, .permit = permit, .in = in, .out = out, .from = from, .to = to};
  };
  const Place any, lan{Place::Kind::port, 1}, first{Place::Kind::tunnel, 0}, second{Place::Kind::tunnel, 1};
  const auto all = selector("0.0.0.0/0");
  GatewayLab lab(1, [&](Setup& setup) {
    setup.table.rules = {rule("web", true, first, lan, all, ports(selector("10.1.0.0/24"), 17, 80, 80)),
                         rule("no-in", false, first, lan, all, all),
                         rule("no-dns-out", false, lan, second, all, ports(all, 17, 53, 53))};
  });
  auto& one = lab.add_tunnel();
  auto& two = lab.add_tunnel();
  const auto count = [&](std::size_t i) { return lab.gateway().rules().at(i).packets; };
  lab.give_ip(0, reference_seal(one.to_us, ++one.sent, packet(kFarHost, kHost, 80)));
  lab.give_ip(0, reference_seal(one.to_us, ++one.sent, packet(kFarHost, kHost, 81)));
  lab.give_ip(0, reference_seal(one.to_us, ++one.sent, packet(kFarHost, "10.1.1.5", 80)));
  lab.give_ip(0, reference_seal(two.to_us, ++two.sent, packet("10.3.0.7", kHost, 81)));
  lab.settle();
  CHECK(lab.out(1).size() == 2);
  CHECK(lab.dropped("policy_discard") == 2);
  lab.give_ip(1, packet(kHost, kFarHost, 53));
  lab.give_ip(1, packet(kHost, "10.3.0.7", 53));
  lab.give_ip(1, packet(kHost, "10.3.0.7", 54));
  lab.settle();
  CHECK(lab.out(0).size() == 2);
  CHECK(lab.dropped("policy_discard") == 3);
  CHECK(count(0) == 1);
  CHECK(count(1) == 2);
  CHECK(count(2) == 1);
  CHECK(lab.gateway().rules().at(2).name == "no-dns-out");
  CHECK_FALSE(lab.gateway().rules().at(2).permit);
}

TEST_CASE("Configured exceptions come before the tunnels, however short their prefix is") {
  GatewayLab lab(1, [](Setup& setup) {
    PolicySpec smb, printer;
    smb.action = PolicySpec::Action::discard;
    smb.selectors = {{selector("0.0.0.0/0")}, {ports(selector("0.0.0.0/0"), 17, 445, 445)}};
    printer.action = PolicySpec::Action::bypass;
    printer.selectors = {{selector("10.1.0.0/16")}, {selector("10.2.0.9/32")}};
    setup.table.policies = {smb, printer};
    setup.table.routes = {{prefix("10.2.0.9/32"), *conf::IpAddress::parse("10.1.0.200"), 1}};
  });
  auto& tunnel = lab.add_tunnel();
  lab.give_ip(1, packet(kHost, kFarHost, 445));
  lab.settle();
  CHECK(lab.dropped("policy_discard") == 1);
  CHECK(lab.out(0).empty());
  lab.give_ip(1, packet(kHost, "10.2.0.9"));
  lab.settle();
  CHECK(lab.out(0).empty());
  CHECK(lab.out(1).size() == 1);
  lab.give_ip(1, packet(kHost, kFarHost, 446));
  CHECK(opened(lab, tunnel) == hop(packet(kHost, kFarHost, 446)));
}

TEST_CASE("What the peer narrowed: packets of the policy that its child does not carry are dropped under their name") {
  GatewayLab lab;
  auto& tunnel = lab.add_tunnel(false, true, [](PolicySpec*, SaSpec* sa) {
    if (sa == nullptr) return;
    sa->selectors = {{selector("10.1.0.0/24")}, {ports(selector("10.2.0.0/24"), 17, 53, 60)}};
    sa->narrowed = true;
  });
  lab.give_ip(1, packet(kHost, kFarHost, 60));
  CHECK(opened(lab, tunnel) == hop(packet(kHost, kFarHost, 60)));
  lab.give_ip(1, packet(kHost, kFarHost, 61));
  lab.give_ip(1, packet("10.1.1.5", kFarHost, 60));
  lab.give_ip(1, packet(kHost, "10.2.1.7", 60));
  // RFC 4301 7: a later fragment shows no ports, so selectors with some do not take it.
  const auto pieces = fragments_of(packet(kHost, kFarHost, 60, 400), 208);
  lab.give_ip(1, pieces[1]);
  lab.settle();
  CHECK(lab.dropped("no_child_for_selector") == 4);
  CHECK(lab.out(0).empty());
  lab.give_ip(1, pieces[0]);
  CHECK(opened(lab, tunnel) == hop(pieces[0]));
}

TEST_CASE("An ICMP error of a router on our side enters the tunnel by the packet that it quotes (RFC 4301 6.2)") {
  GatewayLab lab(1, [](Setup& setup) { setup.ports[1].addresses.push_back(prefix("172.31.0.1/24")); });
  auto& tunnel = lab.add_tunnel();
  const auto error = [&](const Bytes& about) {
    return ipv4({.source = "172.31.0.9", .destination = kFarHost, .protocol = 1}, icmp(3, 1, 0, about));
  };
  lab.give_ip(1, error(packet(kFarHost, kHost)));
  CHECK(opened(lab, tunnel) == hop(error(packet(kFarHost, kHost))));
  lab.give_ip(1, error(packet(kFarHost, "172.31.0.77")));  // about a packet that no tunnel brought
  lab.give_ip(1, error(packet("10.2.0.8", kHost)));        // to another host than the one it quotes
  lab.settle();
  CHECK(lab.out(0).empty());
}

TEST_CASE("Overlapping sites: hosts talk under translated addresses both ways, and errors name what each side knows") {
  GatewayLab lab(1, [](Setup& setup) {
    setup.table.translations = {{0, prefix("10.1.0.0/16"), prefix("10.200.0.0/16")}};
  });
  auto& tunnel = lab.add_tunnel(false, true, [](PolicySpec* policy, SaSpec* sa) {
    const conf::SelectorSet seen{{selector("10.200.0.0/16")}, {selector("10.201.0.0/16")}};
    (policy != nullptr ? policy->selectors : sa->selectors) = seen;
  });
  lab.give_ip(1, packet(kHost, "10.201.0.7"));
  CHECK(opened(lab, tunnel) == hop(packet("10.200.0.5", "10.201.0.7")));
  lab.give_ip(0, reference_seal(tunnel.to_us, ++tunnel.sent, packet("10.201.0.7", "10.200.0.5")));
  REQUIRE(lab.run([&] { return lab.out(1).size() == 1; }));
  CHECK(lab.out(1)[0] == hop(packet("10.201.0.7", kHost)));
  lab.out(1).clear();
  // The gateway's own address answers under its translated one.
  lab.give_ip(0, reference_seal(tunnel.to_us, ++tunnel.sent,
                                ipv4({.source = "10.201.0.7", .destination = "10.200.0.1", .protocol = 1},
                                     icmp(8, 0, 7, counting(20)))));
  const Bytes reply = opened(lab, tunnel);
  REQUIRE(reply.size() == 48);
  CHECK(Bytes(reply.begin() + 12, reply.begin() + 16) == ip_address("10.200.0.1"));
  CHECK(sound_ipv4(reply));
  // Too big: the sender is told about the packet that it sent.
  const Bytes large = packet(kHost, "10.201.0.7", 53, 1440, 0x4000);
  lab.give_ip(1, large);
  REQUIRE(lab.run([&] { return lab.out(1).size() == 1; }));
  const Bytes error = lab.out(1)[0];
  CHECK(sound_ipv4(error));
  CHECK(Bytes(error.begin() + 16, error.begin() + 20) == ip_address(kHost));
  CHECK(std::equal(error.begin() + 28 + 12, error.begin() + 28 + 20, large.begin() + 12));
  // In clear, what the tunnel should have brought, under either name.
  lab.out(1).clear();
  lab.give_ip(0, packet("10.201.0.7", kHost));
  lab.settle();
  CHECK(lab.dropped("clear_but_protected") == 1);
  CHECK(lab.out(1).empty());
}

TEST_CASE("DF: copied, set, cleared, and ignored, with what becomes of packets that are too big") {
  struct Case {
    conf::DfPolicy policy;
    bool inner_df, outer_df;
  };
  for (const Case& c : {Case{conf::DfPolicy::copy, true, true}, {conf::DfPolicy::copy, false, false},
                        {conf::DfPolicy::set, false, true}, {conf::DfPolicy::clear, true, false},
                        {conf::DfPolicy::ignore, true, false}}) {
    GatewayLab lab;
    auto& tunnel = lab.add_tunnel(false, true, [&](PolicySpec*, SaSpec* sa) {
      if (sa != nullptr) sa->df = c.policy;
    });
    const std::uint16_t flags = c.inner_df ? 0x4000 : 0;
    lab.give_ip(1, packet(kHost, kFarHost, 53, 100, flags));
    REQUIRE(lab.run([&] { return lab.out(0).size() == 1; }));
    CHECK(((lab.out(0)[0][6] & 0x40) != 0) == c.outer_df);
    lab.out(0).clear();
    lab.give_ip(1, packet(kHost, kFarHost, 53, 1440, flags));
    const bool refused = c.inner_df && c.policy != conf::DfPolicy::ignore;
    REQUIRE(lab.run([&] { return refused ? lab.out(1).size() == 1 : lab.out(0).size() == 2; }));
    CHECK(lab.dropped("too_big") == (refused ? 1 : 0));
    for (const Bytes& outer : lab.out(0)) CHECK(outer.size() <= 1500);
    if (!refused) continue;
    CHECK((lab.out(1)[0][26] << 8 | lab.out(1)[0][27]) == 1446);
    CHECK(tunnel.sent == 0);
  }
}

TEST_CASE("DSCP is copied or set; ECN is copied in normal mode and left out in compatibility mode (RFC 6040)") {
  for (const bool set : {false, true}) {
    for (const bool compatibility : {false, true}) {
      GatewayLab lab;
      auto& tunnel = lab.add_tunnel(false, true, [&](PolicySpec*, SaSpec* sa) {
        if (sa == nullptr) return;
        sa->dscp = set ? conf::DscpPolicy::set : conf::DscpPolicy::copy;
        sa->dscp_value = 46;
        sa->ecn_compatibility = compatibility;
      });
      for (const std::uint8_t tos : {0x00, 0x28, 0x2a, 0x29, 0x2b}) {
        lab.give_ip(1, packet(kHost, kFarHost, 53, 50, 0, tos));
        REQUIRE(lab.run([&] { return lab.out(0).size() == 1; }));
        const std::uint8_t dscp = set ? 46 << 2 : tos & 0xfc;
        CHECK(lab.out(0)[0][1] == (dscp | (compatibility ? 0 : tos & 3)));
        CHECK(opened(lab, tunnel) == hop(packet(kHost, kFarHost, 53, 50, 0, tos)));
      }
      // Behind decryption: the whole of RFC 6040's figure 4.
      for (int inner = 0; inner < 4; ++inner) {
        for (int outer = 0; outer < 4; ++outer) {
          Bytes esp = reference_seal(tunnel.to_us, ++tunnel.sent,
                                     packet(kFarHost, kHost, 53, 50, 0, static_cast<std::uint8_t>(0x28 | inner)));
          esp[1] = static_cast<std::uint8_t>(outer);
          esp[10] = esp[11] = 0;
          const std::uint16_t sum = checksum(std::span(esp).first(20));
          esp[10] = static_cast<std::uint8_t>(sum >> 8);
          esp[11] = static_cast<std::uint8_t>(sum);
          lab.give_ip(0, esp);
          lab.settle();
          const bool dropped = inner == 0 && outer == 3;
          REQUIRE(lab.out(1).size() == (dropped ? 0 : 1));
          if (dropped) continue;
          int expected = inner;
          if (outer == 3) expected = 3;
          if (inner == 2 && outer == 1) expected = 1;
          CHECK((lab.out(1)[0][1] & 3) == expected);
          CHECK((lab.out(1)[0][1] & 0xfc) == 0x28);
          CHECK(sound_ipv4(lab.out(1)[0]));
          lab.out(1).clear();
        }
      }
      CHECK(lab.dropped("ecn_dropped") == 1);
    }
  }
}

TEST_CASE("A configured MTU bounds the inner packet, and the path still bounds it where that is less") {
  GatewayLab lab;
  auto& tunnel = lab.add_tunnel(false, true, [](PolicySpec*, SaSpec* sa) {
    if (sa != nullptr) sa->mtu = 1300;
  });
  CHECK(lab.gateway().effective_mtu(tunnel.from_us.spi, 0) == 1300);
  lab.give_ip(1, packet(kHost, kFarHost, 53, 1272, 0x4000));
  REQUIRE(lab.run([&] { return lab.out(0).size() == 1; }));
  lab.give_ip(1, packet(kHost, kFarHost, 53, 1273, 0x4000));
  REQUIRE(lab.run([&] { return lab.out(1).size() == 1; }));
  CHECK((lab.out(1)[0][26] << 8 | lab.out(1)[0][27]) == 1300);
}

TEST_CASE("A path that swallows large packets and says nothing is found out through the tunnel") {
  GatewayLab lab;
  auto& tunnel = lab.add_tunnel(false, true, [](PolicySpec*, SaSpec* sa) {
    if (sa == nullptr) return;
    sa->probe = true;
    sa->probe_host = *conf::IpAddress::parse(kFarHost);
  });
  constexpr std::size_t kCarries = 1350;
  std::size_t largest = 0, answered = 0;
  const auto far_side = [&] {
    while (!lab.out(0).empty()) {
      const Bytes outer = lab.out(0).front();
      lab.out(0).pop_front();
      const auto esp = reference_open(tunnel.from_us, outer);
      if (!esp.error.empty() || esp.inner[9] != 1 || esp.inner[20] != 8) continue;
      largest = std::max(largest, outer.size());
      if (outer.size() > kCarries) continue;
      CHECK((outer[6] & 0x40) != 0);
      CHECK(sound_ipv4(esp.inner));
      ++answered;
      Bytes body(esp.inner.begin() + 28, esp.inner.end());
      const std::uint32_t rest = static_cast<std::uint32_t>(esp.inner[24]) << 24 | esp.inner[25] << 16 |
                                 esp.inner[26] << 8 | esp.inner[27];
      lab.give_ip(0, reference_seal(tunnel.to_us, ++tunnel.sent,
                                    ipv4({.source = kFarHost, .destination = "10.1.0.1", .protocol = 1},
                                         icmp(0, 0, rest, body))));
    }
    lab.skew += std::chrono::milliseconds(20);
    return false;
  };
  const auto mtu = [&] { return lab.gateway().effective_mtu(tunnel.from_us.spi, 0); };
  CHECK(mtu() == 1446);
  REQUIRE(lab.run([&] {
    far_side();
    return mtu() < 1446 && mtu() >= kCarries - 54 - 12;
  }));
  CHECK(largest == 1500);
  CHECK(answered > 3);
  CHECK(mtu() <= kCarries - 54);
  lab.settle();
}

TEST_CASE("The health of a tunnel is asked through that tunnel, whichever of a pair has the traffic") {
  GatewayLab lab;
  const conf::IpAddress host = *conf::IpAddress::parse("10.2.0.9");
  const auto standby = [&](PolicySpec* policy, SaSpec* sa) {  // both for 10.2.0.0/16, so policy leads into the first
    const conf::SelectorSet same{{selector("10.1.0.0/16")}, {selector("10.2.0.0/16")}};
    if (policy != nullptr) policy->selectors = same;
    if (sa != nullptr) {
      sa->selectors = same;
      sa->health_host = host;
    }
  };
  auto& used = lab.add_tunnel(false, true, standby);
  auto& other = lab.add_tunnel(false, true, standby);
  const auto says = [&](const GatewayLab::Tunnel& tunnel) -> std::optional<bool> {
    std::optional<bool> last;
    for (const Event& e : lab.events())
      if (const auto* health = std::get_if<TunnelHealth>(&e); health && health->tunnel == tunnel.number)
        last = health->answers;
    return last;
  };
  int asked_through_used = 0, asked_through_other = 0;
  // For `seconds` of the gateway's clock: the host answers what comes through `alive`, by the tunnel it came through.
  const auto live = [&](int seconds, const GatewayLab::Tunnel* alive) {
    for (int step = 0; step < seconds * 10; ++step) {
      lab.skew += std::chrono::milliseconds(100);
      lab.poll();
      lab.settle();
      for (; !lab.out(0).empty(); lab.out(0).pop_front()) {
        for (GatewayLab::Tunnel* tunnel : {&used, &other}) {
          const auto esp = reference_open(tunnel->from_us, lab.out(0).front());
          if (!esp.error.empty()) continue;
          ++(tunnel == &used ? asked_through_used : asked_through_other);
          CHECK(esp.inner[9] == 1);
          CHECK(esp.inner[20] == 8);
          CHECK(Bytes(esp.inner.begin() + 12, esp.inner.begin() + 20) == Bytes{10, 1, 0, 1, 10, 2, 0, 9});
          if (tunnel != alive) continue;
          Bytes body(esp.inner.begin() + 20, esp.inner.end());
          body[0] = 0;
          body[2] = body[3] = 0;
          const std::uint16_t sum = checksum(body);
          body[2] = static_cast<std::uint8_t>(sum >> 8);
          body[3] = static_cast<std::uint8_t>(sum);
          const Bytes answer = ipv4({.source = "10.2.0.9", .destination = "10.1.0.1", .protocol = 1}, body);
          lab.give_ip(0, reference_seal(tunnel->to_us, ++tunnel->sent, answer));
        }
      }
    }
  };
  live(3, &other);
  CHECK(asked_through_used >= 1);
  CHECK(asked_through_other >= 1);
  CHECK(says(other) == true);
  CHECK(says(used) == std::nullopt);
  live(6, &other);
  CHECK(says(used) == false);
  CHECK(says(other) == true);
  live(8, &used);  // what was silent answers, and the other way round
  CHECK(says(used) == true);
  CHECK(says(other) == false);
  CHECK(lab.dropped_in_all() == 0);
}

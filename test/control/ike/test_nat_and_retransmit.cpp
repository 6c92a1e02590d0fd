#include "control/ike/nat_detection.h"
#include "control/ike/retransmit.h"
#include "test/support/catch.h"
#include "test/support/hex.h"

using namespace causeway;
using namespace causeway::ike;
using test::to_hex;

namespace {

constexpr std::uint64_t kInitiator = 0x0102030405060708, kResponder = 0x1112131415161718;

conf::Endpoint at(const char* address, std::uint16_t port) { return {*conf::IpAddress::parse(address), port}; }
Bytes hash_of(const conf::Endpoint& e) {
  const NatHash h = nat_hash(kInitiator, kResponder, e);
  return {h.begin(), h.end()};
}

}  // namespace

TEST_CASE("A NAT hash is SHA-1 of SPIs, address and port") {
  // sha1sum of 0102030405060708 1112131415161718 cb007102 01f4, and of the same with an IPv6 address and port 4500
  CHECK(to_hex(nat_hash(kInitiator, kResponder, at("203.0.113.2", 500))) == "30038253100151b10fe1e07071f0ed24706203c9");
  CHECK(to_hex(nat_hash(kInitiator, kResponder, at("2001:db8::1", 4500))) ==
        "1ee24423bf8f59515e0265c6d0f08be3d038f7e5");
}

TEST_CASE("A NAT is found on the side whose hash does not match, and nowhere else") {
  const auto us = at("203.0.113.2", 500), peer = at("198.51.100.7", 500), elsewhere = at("192.0.2.1", 61000);
  const auto find = [&](const conf::Endpoint& peer_says_its, const conf::Endpoint& peer_says_ours) {
    const std::vector<Bytes> source = {hash_of(peer_says_its)}, destination = {hash_of(peer_says_ours)};
    return detect_nat(kInitiator, kResponder, us, peer, source, destination);
  };
  CHECK(find(peer, us) == NatFindings{true, false, false});
  CHECK(find(elsewhere, us) == NatFindings{true, false, true});
  CHECK(find(peer, elsewhere) == NatFindings{true, true, false});
  CHECK(find(elsewhere, elsewhere) == NatFindings{true, true, true});
  CHECK(find(at("198.51.100.7", 501), us).peer);  // the port alone counts too
}

TEST_CASE("One of several source hashes is enough, and a peer without both kinds has no NAT traversal") {
  const auto us = at("203.0.113.2", 500), peer = at("198.51.100.7", 500);
  const std::vector<Bytes> several = {Bytes(20, 1), hash_of(peer), Bytes(3, 1)}, ours = {hash_of(us)}, none;
  CHECK(detect_nat(kInitiator, kResponder, us, peer, several, ours) == NatFindings{true, false, false});
  CHECK(detect_nat(kInitiator, kResponder, us, peer, none, ours) == NatFindings{});
  CHECK(detect_nat(kInitiator, kResponder, us, peer, several, none) == NatFindings{});
  CHECK_FALSE(NatFindings{}.any());
}

TEST_CASE("Waits grow to their limit, and add up to the time until a request is given up") {
  const RetransmitSchedule s;
  const std::vector<int> waits = {1000, 1800, 3240, 5832, 10497, 18894, 30000, 30000};
  for (std::size_t i = 0; i < waits.size(); ++i) CHECK(s.wait_after(static_cast<int>(i) + 1) == Time(waits[i]));
  CHECK(s.total() == Time(1000 + 1800 + 3240 + 5832 + 10497 + 18894 + 30000));
  CHECK(s.wait_after(1000000) == Time(30000));
  CHECK((RetransmitSchedule{Time(500), 100, Time(30000), 3}.wait_after(1000) == Time(500)));
}

TEST_CASE("A request is sent as often as its schedule says, at its times, and then given up for good") {
  const RetransmitSchedule s{Time(1000), 200, Time(3000), 4};
  Retransmission r(s, Time(100));
  std::vector<int> sent;
  int given_up = -1;
  for (int now = 100; now <= 20000 && given_up < 0; now += 50) {
    switch (r.poll(Time(now))) {
      case Retransmission::Due::no:
        CHECK(Time(now) < r.deadline());
        break;
      case Retransmission::Due::send_again:
        sent.push_back(now);
        break;
      case Retransmission::Due::give_up:
        given_up = now;
        break;
    }
  }
  CHECK(sent == std::vector{1100, 3100, 6100});
  CHECK(given_up == 9100);
  CHECK(r.transmissions() == 4);
  CHECK(r.poll(Time(99999)) == Retransmission::Due::give_up);
}

// What happens to IKEv1's two phases once they are up: rekeys, collisions, liveness, ends, forgeries.
#include <algorithm>

#include "control/ike/message.h"
#include "test/control/ikev1_pair.h"

namespace causeway {
namespace {

using test::aggressive_options;
using test::Bytes;
using test::Fate;
using test::IkePair;
using test::ikev1_options;
using test::InFlight;
using test::kLatency;
using test::kOnTime;
using test::PairOptions;
using test::require_agreement;
using test::Side;
using test::Time;

void up(IkePair& pair) {
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  require_agreement(pair);
  REQUIRE(pair.both_up());
}

PairOptions with_lifetimes(int ike_s, int esp_s, PairOptions options = {}) {
  auto further = std::move(options.adjust);
  options.adjust = [=](ike::PeerSettings& s, bool is_b) {
    s.config.ike.lifetime = conf::Seconds(ike_s);
    s.config.esp.lifetime = conf::Seconds(esp_s);
    if (further) further(s, is_b);
  };
  options.traffic = true;
  return ikev1_options(std::move(options));
}

void no_loss(const IkePair& pair) {
  INFO(pair.first_loss);
  CHECK(pair.packets_sent > 0);
  CHECK(pair.packets_lost == 0);
}

TEST_CASE("IKEv1 life: both phases are renewed in time, many times, without loss") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    IkePair pair(with_lifetimes(60, 20, {.seed = seed}));
    up(pair);
    pair.run(Time{600'000});
    INFO("seed " << seed);
    REQUIRE(pair.both_up());
    CHECK(pair.stuck() == "");
    CHECK(pair.a.established >= 9);
    CHECK(pair.a.rekeyed >= 25);
    CHECK(pair.a.phase_one_lost.empty());
    CHECK(pair.b.phase_one_lost.empty());
    CHECK(pair.a.sas.size() <= 2);
    CHECK(pair.b.sas.size() <= 2);
    CHECK(pair.a.inbound.size() <= 4);
    CHECK(pair.b.inbound.size() <= 4);
    no_loss(pair);
  }
}

TEST_CASE("IKEv1 life: the same on a wire that loses and doubles a fifth of what IKE says") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    // Lifetimes that leave time for a few repetitions: what a wire can do within the last seconds is not IKE's fault.
    IkePair pair(with_lifetimes(400, 200, {.seed = seed}));
    up(pair);
    crypto::SeededRandom dice(seed);
    pair.wire = [&](const InFlight&) {
      const std::uint32_t roll = dice.below(10);
      if (roll == 0) return Fate{};
      if (roll == 1) return Fate{kOnTime, {Time{500}, std::nullopt}};
      return Fate{kOnTime};
    };
    pair.run(Time{900'000});
    INFO("seed " << seed);
    CHECK(pair.stuck() == "");
    REQUIRE(pair.both_up());
    no_loss(pair);
  }
}

TEST_CASE("IKEv1 life: both sides rekey the child at once, and agree on one again") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    IkePair pair(with_lifetimes(36000, 36000, {.seed = seed}));
    up(pair);
    for (Side* side : {&pair.a, &pair.b}) {
      pair.with(*side, [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.rekey_child(1, now, out); });
    }
    pair.run(Time{90'000});
    INFO("seed " << seed);
    CHECK(pair.stuck() == "");
    CHECK(pair.difference() == "");
    CHECK(pair.a.live() == 1);
    CHECK(pair.b.live() == 1);
    no_loss(pair);
  }
}

TEST_CASE("IKEv1 life: both sides renew phase 1 at once, and one stays") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    IkePair pair(with_lifetimes(36000, 36000, {.seed = seed}));
    up(pair);
    pair.start(pair.a, ike::kNoChild);
    pair.start(pair.b, ike::kNoChild);
    pair.run(Time{90'000});
    INFO("seed " << seed);
    CHECK(pair.stuck() == "");
    CHECK(pair.a.sas.size() == 1);
    CHECK(pair.b.sas.size() == 1);
    CHECK(pair.difference() == "");
    no_loss(pair);
  }
}

TEST_CASE("IKEv1 life: both sides begin at once, and agree on one phase 1 and one child") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    IkePair pair(with_lifetimes(36000, 36000, {.seed = seed}));
    pair.start(pair.a);
    pair.start(pair.b);
    pair.run(Time{90'000});
    INFO("seed " << seed);
    CHECK(pair.stuck() == "");
    REQUIRE(pair.both_up());
    CHECK(pair.difference() == "");
    CHECK(pair.a.sas.size() == 1);
    CHECK(pair.b.sas.size() == 1);
    no_loss(pair);
  }
}

TEST_CASE("IKEv1 life: each message of a rekey lost, doubled or late costs no packet") {
  for (const int what : {0, 1, 2}) {
    for (int n = 9; n < 12; ++n) {
      IkePair pair(with_lifetimes(36000, 36000));
      up(pair);
      pair.wire = [&](const InFlight& d) {
        if (d.number != n) return Fate{kOnTime};
        if (what == 0) return Fate{};
        if (what == 1) return Fate{kOnTime, {Time{700}, std::nullopt}};
        return Fate{{Time{2500}, std::nullopt}};
      };
      pair.with(pair.a, [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.rekey_child(1, now, out); });
      pair.run(Time{60'000});
      INFO("datagram " << n << ", fate " << what);
      CHECK(pair.a.rekeyed == 1);
      CHECK(pair.b.rekeyed == 1);
      CHECK(pair.difference() == "");
      no_loss(pair);
    }
  }
}

TEST_CASE("IKEv1 life: a lost third message of quick mode heals by ESP alone") {
  IkePair pair(with_lifetimes(36000, 36000));
  bool cut = false;
  pair.wire = [&](const InFlight& d) {
    if (d.number == 8) cut = true;  // the third message, and every repetition of the second one
    return cut ? Fate{} : Fate{kOnTime};
  };
  pair.start(pair.a);
  pair.run(Time{20'000});
  CHECK(pair.both_up());
  CHECK(pair.difference() == "");
}

// The last message that it sends is its DELETE of phase 1 alone.
void delete_phase_one_alone(IkePair& pair, Side& side) {
  pair.with(side, [](ike::IkeSa& sa, Time now, ike::Effects& out) {
    ike::Effects all;
    sa.close(now, all);
    for (auto it = all.rbegin(); it != all.rend(); ++it) {
      if (!std::holds_alternative<ike::Send>(*it)) continue;
      out.push_back(std::move(*it));
      break;
    }
  });
}

TEST_CASE("IKEv1 life: phase 2 does not die when the peer deletes phase 1, and another one is begun at once") {
  IkePair pair(with_lifetimes(36000, 36000));
  up(pair);
  delete_phase_one_alone(pair, pair.b);
  pair.run(Time{10'000});
  CHECK(pair.a.phase_one_lost.size() == 1);
  CHECK(pair.a.established == 2);
  CHECK(pair.a.up());
  CHECK(pair.a.child_closed.empty());
}

TEST_CASE("IKEv1 life: phase 1 that ends without renewal leaves its children, and a later one inherits them") {
  IkePair pair(with_lifetimes(60, 3600));
  up(pair);
  pair.renewal = false;
  pair.run(Time{90'000});
  CHECK(pair.a.phase_one_lost.size() == 1);
  CHECK(pair.b.phase_one_lost.size() == 1);
  CHECK(pair.both_up());
  pair.renewal = true;
  pair.run(Time{10'000});
  CHECK(pair.a.established >= 2);  // both sides may begin it
  CHECK(pair.both_up());
  CHECK(pair.difference() == "");
  CHECK(pair.a.child_closed.empty());
  no_loss(pair);
}

TEST_CASE("IKEv1 life: a phase 1 that is gone goes for good with the last of its children") {
  IkePair pair(with_lifetimes(60, 3600));
  up(pair);
  pair.renewal = false;
  pair.run(Time{90'000});
  REQUIRE(pair.a.phase_one_lost.size() == 1);
  pair.with(pair.a, [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.close_child(1, now, out); });
  CHECK(pair.a.sas.empty());
  CHECK(pair.a.ike_closed.size() == 1);
  CHECK(pair.stuck().empty());
}

TEST_CASE("IKEv1 life: with child_follows_ike the children end with their phase 1, on the side that wants it so") {
  PairOptions options;
  options.adjust = [](ike::PeerSettings& s, bool is_b) { s.config.child_follows_ike = !is_b; };
  SECTION("it ends by time") {
    IkePair pair(with_lifetimes(60, 3600, std::move(options)));
    up(pair);
    pair.renewal = false;
    pair.run(Time{90'000});
    CHECK(pair.a.phase_one_lost.empty());
    CHECK(pair.a.ike_closed.size() == 1);
    CHECK(pair.a.child_closed.size() == 1);
    CHECK_FALSE(pair.a.up());
    CHECK(pair.b.phase_one_lost.size() == 1);
    CHECK(pair.b.child_closed.empty());
  }
  SECTION("the peer deletes it") {
    IkePair pair(with_lifetimes(36000, 36000, std::move(options)));
    up(pair);
    pair.renewal = false;
    delete_phase_one_alone(pair, pair.b);
    pair.run(Time{10'000});
    CHECK(pair.a.phase_one_lost.empty());
    CHECK(pair.a.ike_closed.size() == 1);
    CHECK(pair.a.child_closed.size() == 1);
    CHECK(pair.a.sas.empty());
  }
}

TEST_CASE("IKEv1 life: without any IKE message getting through, the tunnel lives as long as its children") {
  IkePair pair(with_lifetimes(60, 600));
  up(pair);
  pair.wire = [](const InFlight&) { return Fate{}; };
  pair.run(Time{500'000});
  CHECK(pair.a.up());
  CHECK(pair.b.up());
  CHECK(pair.a.phase_one_lost.size() == 1);
  CHECK(pair.a.child_closed.empty());
  no_loss(pair);
  pair.run(Time{200'000});
  CHECK_FALSE(pair.a.up());  // but not longer
}

TEST_CASE("IKEv1 life: a peer that neither answers nor sends ESP is dead, one that sends ESP is not") {
  IkePair pair(ikev1_options());
  up(pair);
  SECTION("silent") {
    pair.wire = [](const InFlight&) { return Fate{}; };
    pair.renewal = false;
    pair.run(Time{120'000});
    REQUIRE_FALSE(pair.a.ike_closed.empty());
    CHECK(pair.a.ike_closed.front().cause == ike::Cause::peer_silent);
    CHECK_FALSE(pair.a.up());
  }
  SECTION("ESP comes") {
    pair.b.answers = false;
    for (int i = 0; i < 120; ++i) {
      const std::uint32_t spi = pair.a.outbound.at(1)->spi_in;
      pair.with(pair.a, [&](ike::IkeSa& sa, Time now, ike::Effects&) { sa.esp_received(spi, now); });
      pair.run(Time{1000});
    }
    CHECK(pair.a.up());
    CHECK(pair.a.ike_closed.empty());
  }
}

TEST_CASE("IKEv1 life: liveness is asked and answered") {
  IkePair pair(ikev1_options());
  up(pair);
  pair.run(Time{200'000});
  CHECK(pair.a.ike()->status().dpd_sent >= 2);
  CHECK(pair.b.ike()->status().dpd_received >= 2);
  CHECK(pair.both_up());
}

// a answers, b is behind a NAT.
PairOptions nat_options() {
  return ikev1_options({.adjust = [](ike::PeerSettings& s, bool is_b) {
    s.config.ike.dpd.idle = conf::Seconds{0};  // only what the sighting asks
    s.config.local_id = is_b ? "192.0.2.2" : "192.0.2.1";
    s.config.remote_id = is_b ? "192.0.2.1" : "192.0.2.2";
  }});
}
void up_behind_nat(IkePair& pair) {
  pair.b.behind_nat = true;
  pair.start(pair.b);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
  pair.run(Time{1000});
}
void sighted(IkePair& pair, const conf::Endpoint& at) {
  pair.with(pair.a, [&](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.peer_moved(at, now, out); });
}

TEST_CASE("IKEv1 life: an address from which ESP came is believed when IKE answers from there, and ends nothing") {
  IkePair pair(nat_options());
  up_behind_nat(pair);
  const conf::Endpoint before = pair.a.ike()->status().remote;
  const conf::Endpoint after{*conf::IpAddress::parse("198.51.100.77"), before.port};
  const auto esp_comes = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      const std::uint32_t spi = pair.a.outbound.at(1)->spi_in;
      pair.with(pair.a, [&](ike::IkeSa& sa, Time now, ike::Effects&) { sa.esp_received(spi, now); });
      pair.run(Time{1000});
    }
  };
  const auto lost_to = [&](const conf::IpAddress& gone, int first) {
    pair.wire = [=](const InFlight& d) mutable {
      if (d.destination.address == gone || (d.to_b && first-- > 0)) return Fate{};
      return Fate{{kLatency, std::nullopt}};
    };
  };
  SECTION("the NAT has another mapping now, and the first question is lost") {
    lost_to(before.address, 1);
    pair.b.nat = after.address;
    sighted(pair, after);
    CHECK(pair.a.ike()->status().remote == before);  // not at once
    esp_comes(60);
    CHECK(pair.a.ike()->status().remote == after);
    CHECK(pair.a.ike()->status().dpd_sent < 5);
  }
  SECTION("nobody is there: somebody caught a packet and sent it on") {
    lost_to(after.address, 0);
    sighted(pair, after);
    esp_comes(60);
    CHECK(pair.a.ike()->status().remote == before);
  }
  SECTION("ESP leaves by another address than IKE, and both lead to the peer") {
    sighted(pair, after);
    esp_comes(60);
    CHECK(pair.a.ike()->status().remote == before);
    CHECK(pair.a.ike()->status().dpd_sent == 1);
  }
  CHECK(pair.both_up());
  CHECK(pair.a.phase_one_lost.empty());
  CHECK(pair.a.established == 1);
}

TEST_CASE("IKEv1 life: DELETE of either side takes both down") {
  for (const bool by_b : {false, true}) {
    IkePair pair(ikev1_options());
    up(pair);
    pair.with(by_b ? pair.b : pair.a, [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.close(now, out); });
    pair.run(Time{20'000});
    CHECK(pair.both_down());
    CHECK(pair.stuck() == "");
  }
}

TEST_CASE("IKEv1 life: what comes unprotected, or was protected before, ends nothing") {
  IkePair pair(ikev1_options());
  up(pair);
  const auto status = pair.a.ike()->status();
  const auto clear = [&](ike::PayloadType type, const Bytes& body) {
    ike::Header h;
    h.initiator_spi = status.spi_initiator;
    h.responder_spi = status.spi_responder;
    h.major = 1;
    h.exchange = ike::Exchange::v1_informational;
    h.message_id = 77;
    ike::PayloadChain chain;
    chain.add(type, body);
    return ike::assemble(h, chain);
  };
  ike::Writer cookies;
  cookies.be64(status.spi_initiator);
  cookies.be64(status.spi_responder);
  const auto with_cookies = [&](std::initializer_list<std::uint8_t> head) {
    Bytes b(head);
    b.insert(b.end(), cookies.view().begin(), cookies.view().end());
    return b;
  };
  const Bytes delete_phase1 = clear(ike::PayloadType::v1_delete, with_cookies({0, 0, 0, 1, 1, 16, 0, 1}));
  const Bytes initial_contact = clear(ike::PayloadType::v1_notification, with_cookies({0, 0, 0, 1, 1, 16, 0x60, 0x02}));
  for (std::uint8_t type = 1; type < 31; ++type) {
    const Bytes error = clear(ike::PayloadType::v1_notification, {0, 0, 0, 1, 1, 0, 0, type});
    pair.inject(pair.a, error);
    pair.inject(pair.b, error);
  }
  for (const Bytes& forged : {delete_phase1, initial_contact}) {
    pair.inject(pair.a, forged);
    pair.inject(pair.b, forged);
  }
  const auto history = pair.history;  // and everything that was ever said, once more
  for (const InFlight& d : history) pair.inject(d.to_b ? pair.b : pair.a, d.bytes);
  pair.run(Time{120'000});
  CHECK(pair.both_up());
  CHECK(pair.difference() == "");
  CHECK(pair.a.child_closed.empty());
  CHECK(pair.b.child_closed.empty());
  CHECK(pair.a.sas.size() == 1);
}

// A payload more at the end of a message in clear.
Bytes with_payload(Bytes message, ike::PayloadType type, const Bytes& body) {
  std::size_t next_at = 16, at = 28;  // where the type of the following payload stands (RFC 2408 3.1, 3.2)
  while (message.at(next_at) != 0) {
    next_at = at;
    at += static_cast<std::size_t>(message.at(at + 2)) << 8 | message.at(at + 3);
  }
  message.at(next_at) = static_cast<std::uint8_t>(type);
  const std::size_t size = body.size() + 4;
  for (const std::size_t octet : {std::size_t{0}, std::size_t{0}, size >> 8, size}) {
    message.push_back(static_cast<std::uint8_t>(octet));
  }
  message.insert(message.end(), body.begin(), body.end());
  message.at(26) = static_cast<std::uint8_t>(message.size() >> 8);
  message.at(27) = static_cast<std::uint8_t>(message.size());
  return message;
}

TEST_CASE("IKEv1 life: an INITIAL-CONTACT that somebody puts into aggressive mode's answer in clear is not believed") {
  const bool forged = GENERATE(false, true);
  IkePair pair(aggressive_options());
  pair.wire = [&](const InFlight& d) {
    if (!forged || d.number != 1) return Fate{kOnTime};
    Bytes body{0, 0, 0, 1, 1, 16, 0x60, 0x02};
    body.insert(body.end(), d.bytes.begin(), d.bytes.begin() + 16);
    return Fate{{kLatency, with_payload(d.bytes, ike::PayloadType::v1_notification, body)}};
  };
  up(pair);
  CHECK(pair.a.first_contacts == 0);
  CHECK(pair.b.first_contacts == 1);  // ours goes protected, with the proof
}

std::vector<Bytes> variants(const Bytes& message) {
  std::vector<Bytes> out;
  for (std::size_t n = 0; n < message.size(); ++n) {
    out.emplace_back(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(n));
    if (n >= 28) {  // with a length field that agrees
      Bytes cut = out.back();
      cut[24] = cut[25] = 0;
      cut[26] = static_cast<std::uint8_t>(n >> 8);
      cut[27] = static_cast<std::uint8_t>(n);
      out.push_back(std::move(cut));
    }
    for (const std::uint8_t flip : {0x01, 0x80, 0xff}) {
      Bytes changed = message;
      changed[n] ^= flip;
      out.push_back(std::move(changed));
    }
  }
  return out;
}

TEST_CASE("IKEv1: cut and changed messages neither crash nor disturb an established pair") {
  IkePair pair(ikev1_options());
  up(pair);
  const auto history = pair.history;
  for (const auto& d : history) {
    for (const Bytes& v : variants(d.bytes)) {
      pair.inject(pair.a, v);
      pair.inject(pair.b, v);
    }
  }
  pair.run(Time{120'000});
  CHECK(pair.both_up());
  CHECK(pair.difference() == "");
  CHECK(pair.stuck() == "");
}

TEST_CASE("IKEv1: cut and changed messages in the middle of a handshake end in no crash, and nothing is stuck") {
  for (const bool aggressive : {false, true}) {
    for (std::size_t stage = 1; stage <= 8; ++stage) {
      IkePair pair(aggressive ? test::aggressive_options() : ikev1_options());
      pair.start(pair.a);
      pair.run(Time{2000}, [&] { return pair.history.size() >= stage; });
      const auto history = pair.history;
      for (const auto& d : history) {
        for (const Bytes& v : variants(d.bytes)) pair.inject(d.to_b ? pair.b : pair.a, v);
      }
      pair.run(Time{300'000});
      CHECK(pair.stuck() == "");
    }
  }
}

}  // namespace
}  // namespace causeway

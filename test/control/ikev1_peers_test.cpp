// Peers that do things their own way, as far as a wire can make a peer of ours into one.
#include <algorithm>

#include "control/ike/message.h"
#include "test/control/ikev1_pair.h"
#include "test/support/hex.h"

namespace causeway {
namespace {

using test::aggressive_options;
using test::Bytes;
using test::Fate;
using test::IkePair;
using test::ikev1_options;
using test::InFlight;
using test::kLatency;
using test::require_agreement;
using test::Time;

// Every occurrence of `from` becomes `to`, of the same length; whether there was one.
bool replace(Bytes& in, const Bytes& from, const Bytes& to) {
  bool found = false;
  for (auto at = std::search(in.begin(), in.end(), from.begin(), from.end()); at != in.end();
       at = std::search(at + 1, in.end(), from.begin(), from.end())) {
    std::copy(to.begin(), to.end(), at);
    found = true;
  }
  return found;
}

TEST_CASE("IKEv1 peers: the commit bit is tolerated in every message (RFC 2408 3.1)") {
  for (const bool aggressive : {false, true}) {
    IkePair pair(aggressive ? aggressive_options() : ikev1_options());
    pair.wire = [](const InFlight& d) {
      auto changed = d.bytes;
      changed.at(19) |= ike::flag::v1_commit;
      return Fate{{kLatency, changed}};
    };
    pair.start(pair.a);
    pair.run(Time{5000}, [&] { return pair.both_up(); });
    require_agreement(pair);
    REQUIRE(pair.both_up());
    pair.with(pair.a, [](ike::IkeSa& sa, Time now, ike::Effects& out) { sa.rekey_child(1, now, out); });
    pair.run(Time{30'000});
    CHECK(pair.a.rekeyed == 1);
    CHECK(pair.difference() == "");
  }
}

TEST_CASE("IKEv1 peers: one that offers XAuth is refused with a reason that says what it is set up for") {
  IkePair pair(ikev1_options());
  bool changed_it = false;
  pair.wire = [&](const InFlight& d) {
    auto changed = d.bytes;
    // Authentication method (3) pre-shared key becomes XAUTHInitPreShared.
    if (d.number == 0) changed_it = replace(changed, {0x80, 3, 0, 1}, {0x80, 3, 0xfd, 0xe9});
    return Fate{{kLatency, changed}};
  };
  pair.start(pair.a);
  pair.run(Time{500});
  REQUIRE(changed_it);
  REQUIRE_FALSE(pair.b.ike_closed.empty());
  INFO(pair.b.ike_closed.front().text);
  CHECK(pair.b.ike_closed.front().cause == ike::Cause::authentication_failed);
  CHECK(pair.b.ike_closed.front().text.find("remote access; make it a site-to-site connection without XAuth") !=
        std::string::npos);
}

TEST_CASE("IKEv1 peers: an XAuth or mode-config exchange is not spoken, said once, and ends nothing") {
  IkePair pair(ikev1_options());
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
  const auto status = pair.a.ike()->status();
  ike::Header h;
  h.initiator_spi = status.spi_initiator;
  h.responder_spi = status.spi_responder;
  h.major = 1;
  h.exchange = ike::Exchange::v1_transaction;
  h.flags = ike::flag::v1_encryption;
  h.message_id = 4711;
  ike::PayloadChain chain;
  chain.add(ike::PayloadType::v1_hash, Bytes(20, 7));
  pair.a.notices.clear();
  const int sent = pair.a.sent;
  for (int i = 0; i < 3; ++i) pair.inject(pair.a, ike::assemble(h, chain));
  CHECK(std::ranges::count_if(pair.a.notices, [](const std::string& t) {
          return t.find("wants XAuth or mode-config, which is for remote access") != std::string::npos;
        }) == 1);
  CHECK(pair.a.sent == sent);
  pair.run(Time{60'000});
  CHECK(pair.both_up());
}

TEST_CASE("IKEv1 peers: a responder with a shorter lifetime says so, and the initiator renews by it") {
  IkePair pair(ikev1_options({.adjust = [](ike::PeerSettings& s, bool is_b) {
    s.config.ike.lifetime = conf::Seconds(is_b ? 600 : 86400);
    s.config.esp.lifetime = conf::Seconds(is_b ? 300 : 43200);
  }}));
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  pair.run(Time{2000});
  REQUIRE(pair.both_up());
  const auto status = pair.a.ike()->status();
  REQUIRE(status.rekey_at);
  CHECK(*status.rekey_at <= pair.now() + Time{600'000});
  REQUIRE(status.children.size() == 1);
  REQUIRE(status.children[0].rekey_at);
  CHECK(*status.children[0].rekey_at <= pair.now() + Time{300'000});
}

// Vendor IDs are covered by no hash: a wire that spoils the newer ones makes both sides speak the older.
TEST_CASE("IKEv1 peers: NAT traversal by RFC 3947 and by its drafts 03 and 02") {
  const Bytes rfc = test::octets("4a131c81070358455c5728f20e95452f");
  const Bytes draft03 = test::octets("7d9419a65310ca6f2c179d9215529d56");
  for (const bool aggressive : {false, true}) {
    for (const int form : {3947, 3, 2}) {
      IkePair pair(aggressive ? aggressive_options() : ikev1_options());
      pair.a.behind_nat = true;
      int spoilt = 0;
      pair.wire = [&](const InFlight& d) {
        auto changed = d.bytes;
        if (form != 3947) spoilt += replace(changed, rfc, Bytes(16, 0x11)) ? 1 : 0;
        if (form == 2) spoilt += replace(changed, draft03, Bytes(16, 0x22)) ? 1 : 0;
        return Fate{{kLatency, changed}};
      };
      for (auto* side : {&pair.a, &pair.b}) {
        auto s = std::make_shared<ike::PeerSettings>(*side->settings.front());
        s->config.remote_id = side == &pair.b ? "192.0.2.1" : "192.0.2.2";
        s->config.local_id = side == &pair.b ? "192.0.2.2" : "192.0.2.1";
        side->settings.front() = s;
      }
      pair.start(pair.a);
      pair.run(Time{5000}, [&] { return pair.both_up(); });
      INFO((aggressive ? "aggressive" : "main") << " mode, form " << form);
      require_agreement(pair);
      REQUIRE(pair.both_up());
      CHECK((form == 3947 || spoilt > 0));
      CHECK(pair.a.outbound.at(1)->udp_encap);
      CHECK(pair.b.outbound.at(1)->udp_encap);
      // Which payload type carries the hashes shows which form it was (RFC 3947 9; the drafts used private numbers).
      const auto clear_types = [&](std::uint8_t type) {
        return std::ranges::any_of(pair.history, [&](const InFlight& d) {
          const auto header = ike::parse_header(d.bytes);
          if (!header || (header->flags & ike::flag::v1_encryption) != 0) return false;
          const auto raw = ike::walk_payloads(header->first_payload, ike::ByteView(d.bytes).subspan(ike::kHeaderSize));
          return raw && std::ranges::any_of(*raw, [&](const auto& p) { return static_cast<std::uint8_t>(p.type) == type; });
        });
      };
      CHECK(clear_types(20) == (form == 3947));
      CHECK(clear_types(130) == (form != 3947));
    }
  }
}

TEST_CASE("IKEv1 peers: fragments are sent only to peers that showed that they join them") {
  const Bytes fragmentation = test::octets("4048b7d56ebce88525e7de7f00d6c2d3");
  IkePair pair(ikev1_options({.adjust = [](ike::PeerSettings& s, bool is_b) {
    if (!is_b) s.config.local_id = std::string(1500, 'a') + ".example.com";
    if (is_b) s.config.remote_id = std::string(1500, 'a') + ".example.com";
  }}));
  const bool shown = GENERATE(true, false);
  pair.wire = [&](const InFlight& d) {
    auto changed = d.bytes;
    if (!shown) replace(changed, fragmentation, Bytes(16, 0x33));
    return Fate{{kLatency, changed}};
  };
  pair.start(pair.a);
  pair.run(Time{20'000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
  const bool cut = std::ranges::any_of(pair.history, [](const InFlight& d) {
    const auto header = ike::parse_header(d.bytes);
    return header && header->first_payload == ike::PayloadType::v1_fragment;
  });
  CHECK(cut == shown);
}

}  // namespace
}  // namespace causeway

// IKE messages in pieces (RFC 7383): between two of ours, on every kind of wire, and the bounds of what is kept.
#include "control/ikev2/fragments.h"

#include <algorithm>

#include "test/support/catch.h"
#include "test/support/ike_pair.h"

namespace causeway {
namespace {

using test::Arrival;
using test::Bytes;
using test::Fate;
using test::IkePair;
using test::InFlight;
using test::PairOptions;
using test::Time;

constexpr std::size_t kPacket = 150, kLimit = kPacket - 28;
constexpr std::uint8_t kSk = 46, kSkf = 53;
constexpr Time kLong{300'000};

PairOptions in_pieces(std::uint64_t seed = 1) {
  return {.seed = seed, .adjust = [](ike::PeerSettings& s, bool) { s.ike_packet = kPacket; }};
}

bool is_piece(const InFlight& d) { return d.bytes.at(16) == kSkf; }

TEST_CASE("IKEv2 fragments: IKE_AUTH leaves in pieces of the size that was set, both ways") {
  IkePair pair(in_pieces());
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
  CHECK(pair.difference().empty());
  int pieces_a = 0, pieces_b = 0;
  for (const InFlight& d : pair.history) {
    if (d.bytes.at(18) == 34) continue;  // IKE_SA_INIT is never cut
    CHECK(is_piece(d));
    CHECK(d.bytes.size() <= kLimit);
    ++(d.to_b ? pieces_a : pieces_b);
  }
  CHECK(pieces_a > 1);
  CHECK(pieces_b > 1);
}

TEST_CASE("IKEv2 fragments: one side without them gets whole messages") {
  const bool b_lacks = GENERATE(false, true);
  IkePair pair({.adjust = [&](ike::PeerSettings& s, bool is_b) {
    s.ike_packet = kPacket;
    s.config.ike.fragment = is_b != b_lacks;
  }});
  pair.start(pair.a);
  pair.run(Time{5000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
  for (const InFlight& d : pair.history) CHECK((d.bytes.at(18) == 34 || d.bytes.at(16) == kSk));
}

TEST_CASE("IKEv2 fragments: each piece lost, doubled, late or changed is made good by the repetition") {
  IkePair clean(in_pieces());
  clean.start(clean.a);
  clean.run(Time{1000}, [&] { return clean.both_up(); });
  REQUIRE(clean.both_up());
  const auto last = static_cast<int>(clean.history.size());
  const Arrival on_time{Time{20}, std::nullopt};
  for (int n = 2; n < last; ++n) {
    for (int kind = 0; kind < 4; ++kind) {
      IkePair pair(in_pieces());
      pair.wire = [&](const InFlight& d) -> Fate {
        if (d.number != n) return {on_time};
        Bytes changed = d.bytes;
        changed.back() ^= 1;
        switch (kind) {
          case 0:
            return {};
          case 1:
            return {on_time, {Time{3000}, std::nullopt}};
          case 2:
            return {{Time{2500}, std::nullopt}};
          default:
            return {{Time{20}, changed}};
        }
      };
      pair.start(pair.a);
      pair.run(kLong);
      INFO("datagram " << n << ", kind " << kind);
      REQUIRE(pair.both_up());
      REQUIRE(pair.difference().empty());
      REQUIRE(pair.stuck().empty());
    }
  }
}

TEST_CASE("IKEv2 fragments: on a random lossy, duplicating, reordering wire the pair agrees in the end") {
  int up = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    IkePair pair(in_pieces(seed));
    crypto::SeededRandom dice(seed * 31);
    pair.wire = [&](const InFlight&) {
      Fate fate;
      const int copies = dice.below(10) < 2 ? 0 : dice.below(10) < 2 ? 2 : 1;
      for (int i = 0; i < copies; ++i) fate.push_back({Time{5 + dice.below(300)}, std::nullopt});
      return fate;
    };
    pair.start(pair.a);
    pair.run(Time{100'000}, [&] { return pair.both_up(); });
    pair.wire = {};
    pair.run(kLong);
    INFO("seed " << seed);
    REQUIRE(pair.stuck().empty());
    if (pair.both_up()) REQUIRE(pair.difference().empty());
    up += pair.both_up() ? 1 : 0;
  }
  CHECK(up > 80);
}

TEST_CASE("IKEv2 fragments: a repeated request is answered by its first piece alone, with the same octets") {
  IkePair pair(in_pieces());
  pair.start(pair.a);
  pair.run(Time{1000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
  std::vector<Bytes> request, answer;
  for (const InFlight& d : pair.history) {
    if (is_piece(d)) (d.to_b ? request : answer).push_back(d.bytes);
  }
  const std::size_t before = pair.history.size();
  for (const Bytes& piece : request) pair.inject(pair.b, piece);
  REQUIRE(pair.history.size() == before + answer.size());
  for (std::size_t i = 0; i < answer.size(); ++i) CHECK(pair.history[before + i].bytes == answer[i]);
}

ike::EncryptedOuter piece(std::uint16_t number, std::uint16_t total, ike::ByteView sealed) {
  ike::EncryptedOuter p;
  p.first_inside = number == 1 ? ike::PayloadType::notify : ike::PayloadType::none;
  p.fragment = number;
  p.total = total;
  p.is_fragment = true;
  p.sealed = sealed;
  return p;
}

TEST_CASE("IKEv2 fragments: what is kept of a message is bounded, whatever the pieces say") {
  ikev2::Reassembly r;
  const Bytes large(8000), larger(40'000);
  CHECK_FALSE(r.wants(1, piece(1, ikev2::kMaxFragments + 1, large)));
  CHECK_FALSE(r.wants(1, piece(1, 2, larger)));
  std::size_t kept = 0;
  for (std::uint16_t n = 1; n <= 64; ++n) {
    if (!r.wants(1, piece(n, 64, large))) continue;
    CHECK_FALSE(r.add(1, piece(n, 64, large), {}, large));
    ++kept;
  }
  CHECK(kept == 4);
  CHECK(r.octets() <= ikev2::kMaxReassembled);
}

TEST_CASE("IKEv2 fragments: a finer cut begins anew, a coarser one is too late, another message replaces") {
  ikev2::Reassembly r;
  const Bytes x{1}, y{2}, z{3};
  CHECK_FALSE(r.add(1, piece(1, 2, x), {}, x));
  CHECK_FALSE(r.wants(1, piece(1, 2, x)));
  REQUIRE(r.wants(1, piece(1, 3, x)));
  CHECK_FALSE(r.add(1, piece(1, 3, x), {}, x));
  CHECK_FALSE(r.wants(1, piece(2, 2, y)));
  CHECK_FALSE(r.add(1, piece(3, 3, z), {}, z));
  const auto whole = r.add(1, piece(2, 3, y), {}, y);
  REQUIRE(whole);
  CHECK(whole->inside == Bytes{1, 2, 3});
  CHECK(whole->first_inside == ike::PayloadType::notify);
  CHECK(r.octets() == 0);
  CHECK_FALSE(r.add(2, piece(1, 2, x), {}, x));
  CHECK(r.wants(3, piece(1, 2, x)));
}

}  // namespace
}  // namespace causeway

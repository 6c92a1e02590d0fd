// Every message we can send, cut at every length and changed in every byte, against live engines.
#include "control/ikev2/ikev2.h"
#include "test/support/catch.h"
#include "test/support/ike_pair.h"

namespace causeway {
namespace {

using test::Bytes;
using test::IkePair;
using test::Time;

// All kinds of messages there are between two of ours, in the order they were sent.
IkePair lively_pair() {
  IkePair pair;
  pair.start(pair.a);
  pair.run(Time{2000}, [&] { return pair.both_up(); });
  REQUIRE(pair.both_up());
  return pair;
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

TEST_CASE("IKEv2: cut and changed messages neither crash nor disturb an established pair") {
  IkePair pair = lively_pair();
  const auto history = pair.history;
  for (const auto& d : history) {
    for (const Bytes& v : variants(d.bytes)) {
      pair.inject(pair.a, v);
      pair.inject(pair.b, v);
    }
  }
  // Half-open SAs that changed first messages made go away by themselves.
  pair.run(Time{120'000});
  CHECK(pair.both_up());
  CHECK(pair.difference().empty());
  CHECK(pair.stuck() == "");
  CHECK(pair.a.sas.size() == 1);
  CHECK(pair.b.sas.size() == 1);
}

TEST_CASE("IKEv2: cut and changed messages in the middle of a handshake end in no crash, and nothing is stuck") {
  for (std::size_t stage = 1; stage <= 4; ++stage) {
    IkePair pair;
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

}  // namespace
}  // namespace causeway

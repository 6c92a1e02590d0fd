// An authenticated peer that says anything: every exchange, every payload, requests and answers, before IKE_AUTH and
// after it, all correctly sealed. The engine neither crashes, nor leaks an SPI, nor gets stuck.
//
//   octet 0     bit 0: the peer initiates; bit 1: it stops short of an honest IKE_AUTH
//   then        steps, see step()
#include "test/fuzz/keyed_peer.h"

namespace {

using namespace causeway;
using fuzz::Input;
using fuzz::KeyedPeer;

constexpr ike::Exchange kExchanges[] = {ike::Exchange::informational,    ike::Exchange::create_child_sa,
                                        ike::Exchange::ike_auth,         ike::Exchange::ike_sa_init,
                                        ike::Exchange::ike_intermediate, ike::Exchange::ike_followup_ke};
constexpr int kSteps = 12;

// A chain whose frame is right and whose bodies are the input's: [type, length, body]...
ike::PayloadChain chain_of(Input& input) {
  ike::PayloadChain chain;
  for (int count = input.u8() % 12; count > 0; --count) {
    const std::uint8_t type = input.u8();
    // The high bit: critical; the rest: mostly types that exist.
    const std::uint8_t low = type & 127;
    const auto known = static_cast<ike::PayloadType>(low < 64 ? 33 + low % 16 : low);
    chain.add(known, input.string(), (type & 128) != 0);
  }
  return chain;
}

void step(KeyedPeer& peer, Input& input) {
  const std::uint8_t choice = input.u8();
  const auto exchange = kExchanges[input.u8() % std::size(kExchanges)];
  switch (choice % 8) {
    case 0:
    case 1:  // a request, as the window expects it
      peer.say(exchange, false, peer.next_id(), chain_of(input));
      break;
    case 2:
    case 3: {  // the answer to what we were asked
      const auto asked = peer.asked();
      peer.say(asked ? asked->exchange : exchange, true, asked ? asked->id : 0, chain_of(input));
      break;
    }
    case 4:  // out of turn
      peer.say(exchange, (choice & 64) != 0, input.u8(), chain_of(input));
      break;
    case 5:
      peer.with_engine([&](ike::IkeSa& sa, ike::Time now, ike::Effects& out) {
        switch (choice / 8 % 6) {
          case 0:
            sa.rekey_child(1, now, out);
            break;
          case 1:
            sa.rekey_ike(now, out);
            break;
          case 2:
            sa.create_child(1, now, out);
            break;
          case 3:
            sa.close_child(1, now, out);
            break;
          case 4:
            sa.close(now, out);
            break;
          default:
            sa.peer_moved({*conf::IpAddress::parse("192.0.2.99"), 4500}, now, out);
        }
      });
      break;
    default:
      peer.pass(ike::Time{input.u8() * 100});
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::uint8_t mode = input.u8();
  KeyedPeer peer((mode & 1) != 0);
  fuzz::must(peer.shake_hands(), "an honest handshake is answered");
  if ((mode & 2) == 0) fuzz::must(peer.authenticate(), "an honest peer is let in");
  for (int i = 0; i < kSteps && !input.empty() && peer.alive(); ++i) step(peer, input);
  peer.pass(ike::Time{600'000});
  peer.check();
  return 0;
}

// Two whole engines on a wire whose every whim is the input's: messages lost, repeated, late, out of order, altered,
// cut, replayed; and commands from both sides at any moment. Whatever happens, afterwards, on a good wire, nothing is
// stuck, nothing is leaked, and whatever ended has a reason.
//
//   for each datagram sent, what the wire does (fate()); for each pause, what is commanded (command())
#pragma once

#include "control/ike/payloads.h"
#include "test/fuzz/fuzz.h"
#include "test/support/ike_pair.h"

namespace causeway::fuzz {

using test::IkePair;
using test::Time;

inline constexpr int kPauses = 24;          // commands in one run
inline constexpr int kMostDatagrams = 160;  // with a fate of their own; later ones arrive

class Wire {
 public:
  Wire(Input& input, const IkePair& pair) : input_(input), pair_(pair) {}

  test::Fate fate(const test::InFlight& datagram) {
    if (settled || datagram.number > kMostDatagrams || input_.empty()) return {{}};
    switch (input_.u8() % 12) {
      case 0:
        return {};  // lost
      case 1:
        return {{}, {Time{25}, {}}};  // repeated
      case 2:
        return {{Time{input_.u8() * 20}, {}}};  // late
      case 3:
        return {{Time{20}, {}}, {Time{input_.u16()}, {}}};  // repeated late
      case 4:
        return {{Time{20}, altered(datagram.bytes)}};  // altered
      case 5:
        return {{Time{20}, altered(datagram.bytes)}, {Time{40}, {}}};  // a forgery before the real one
      case 6:
        return {{Time{20}, cut(datagram.bytes)}, {Time{40}, {}}};  // cut
      case 7:
        return {{Time{20}, earlier(datagram)}, {Time{30}, {}}};  // an older one again
      case 8:
        return {{Time{20}, from_elsewhere(datagram.bytes)}, {Time{40}, {}}};  // another answer before the real one
      case 9:
        return {{Time{20}, notified(datagram.bytes)}, {Time{40}, {}}};  // a notify without protection before it
      default:
        return {{}};
    }
  }

  bool settled = false;

 private:
  Bytes altered(Bytes bytes) {
    for (int changes = 1 + input_.u8() % 3; changes > 0 && !bytes.empty(); --changes) {
      const std::size_t at = input_.u16() % bytes.size();
      bytes[at] = input_.u8();
    }
    return bytes;
  }
  // The same with another responder's SPI, or one where there was none.
  static Bytes from_elsewhere(Bytes bytes) {
    for (std::size_t i = 8; i < 16 && i < bytes.size(); ++i) bytes[i] ^= 0x5a;
    return bytes;
  }
  // The header of this message before a notify of the input's type: COOKIE, INVALID_KE_PAYLOAD and all errors.
  Bytes notified(const Bytes& bytes) {
    auto header = ike::parse_header(bytes);
    if (!header) return bytes;
    static constexpr ike::NotifyType kTypes[] = {ike::NotifyType::cookie, ike::NotifyType::invalid_ke_payload,
                                                 ike::NotifyType::no_proposal_chosen,
                                                 ike::NotifyType::authentication_failed};
    const std::uint8_t type = input_.u8();
    const auto notify = type < std::size(kTypes) ? kTypes[type] : static_cast<ike::NotifyType>(type);
    ike::PayloadChain chain;
    chain.add(ike::PayloadType::notify, ike::NotifyPayload::of(notify, input_.string()).encode());
    return ike::assemble(*header, chain);
  }
  Bytes cut(Bytes bytes) {
    bytes.resize(input_.u16() % (bytes.size() + 1));
    if (bytes.size() >= 28) {  // with a length that agrees
      bytes[24] = bytes[25] = 0;
      bytes[26] = static_cast<std::uint8_t>(bytes.size() >> 8);
      bytes[27] = static_cast<std::uint8_t>(bytes.size());
    }
    return bytes;
  }
  Bytes earlier(const test::InFlight& datagram) {
    const auto& old = pair_.history[input_.u8() % pair_.history.size()];
    return old.to_b == datagram.to_b ? old.bytes : datagram.bytes;
  }

  Input& input_;
  const IkePair& pair_;
};

inline void command(IkePair& pair, Input& input) {
  const std::uint8_t choice = input.u8();
  test::Side& side = (choice & 1) != 0 ? pair.b : pair.a;
  const auto with = [&](auto action) {
    pair.with(side, [&](ike::IkeSa& sa, Time now, ike::Effects& out) { action(sa, now, out); });
  };
  switch (choice / 2 % 10) {
    case 0:
      with([](auto& sa, Time now, auto& out) { sa.rekey_child(1, now, out); });
      break;
    case 1:
      with([](auto& sa, Time now, auto& out) { sa.rekey_ike(now, out); });
      break;
    case 2:
      with([](auto& sa, Time now, auto& out) { sa.close_child(1, now, out); });
      break;
    case 3:
      with([](auto& sa, Time now, auto& out) { sa.create_child(1, now, out); });
      break;
    case 4:
      if (side.sas.size() < 4) pair.start(side);
      break;
    case 5:
      with([](auto& sa, Time now, auto& out) { sa.close(now, out); });
      break;
    case 6:
      with([&](auto& sa, Time now, auto&) {
        const auto child = side.outbound.begin();
        sa.esp_received(child == side.outbound.end() ? 0 : child->second->spi_in, now);
      });
      break;
    case 7:
      with([&](auto& sa, Time now, auto& out) {
        sa.peer_moved({conf::IpAddress::from_v4(0xc0000200U + input.u8()), 4500}, now, out);
      });
      break;
    case 8:
      with([](auto& sa, Time now, auto& out) { sa.create_child(2, now, out); });
      break;
    default:
      with([](auto& sa, Time now, auto& out) { sa.check_liveness(now, out); });
      break;
  }
}

// `starts`: 1: a, 2: b, 3: both.
inline void run_session(IkePair& pair, std::uint8_t starts, Input& input) {
  Wire wire(input, pair);
  pair.wire = [&](const test::InFlight& datagram) { return wire.fate(datagram); };
  if ((starts & 1) != 0) pair.start(pair.a);
  if ((starts & 2) != 0) pair.start(pair.b);
  for (int pause = 0; pause < kPauses && !input.empty(); ++pause) {
    pair.run(Time{1 + input.u8() * 10});
    command(pair, input);
  }
  // A good wire, and time enough for every retransmission to end.
  wire.settled = true;
  pair.run(Time{400'000});
  const std::string stuck = pair.stuck();
  must(stuck.empty(), stuck);
  for (const test::Side* side : {&pair.a, &pair.b}) {
    for (const ike::Reason& reason : side->ike_closed) must(!reason.text.empty(), "what closed has a reason");
    for (const ike::Reason& reason : side->child_failed) must(!reason.text.empty(), "what failed has a reason");
  }
  pair.wire = nullptr;
}

}  // namespace causeway::fuzz

// Two whole engines on a wire whose every whim is the input's: messages lost, repeated, late, out of order, altered,
// cut, replayed; and commands from both sides at any moment. Whatever happens, afterwards, on a good wire, both
// sides agree on what is up, or are down with a reason; nothing is stuck, nothing is leaked.
//
//   octet 0     who starts (1: a, 2: b, 3: both)
//   octet 1     settings: see adjust()
//   then        for each datagram sent, what the wire does (fate()); for each pause, what is commanded (command())
#include "test/support/ike_pair.h"

#include "test/fuzz/fuzz.h"

namespace {

using namespace causeway;
using fuzz::Input;
using fuzz::must;
using test::IkePair;
using test::Time;

constexpr int kPauses = 24;          // commands in one run
constexpr int kMostDatagrams = 160;  // with a fate of their own; later ones arrive

void adjust(ike::PeerSettings& settings, bool is_b, std::uint8_t choice) {
  conf::Tunnel& config = settings.config;
  // Bits 0-1: suites, of which the second pair needs INVALID_KE_PAYLOAD, the third has nothing in common, and the fourth
  // has an additional key exchange, a post-quantum pre-shared key and messages in pieces.
  switch (choice & 3) {
    case 1:
      config.ike.proposals = {is_b ? "aes256-sha256-ecp256" : "aes256-sha256-x25519-ecp256"};
      break;
    case 2:
      config.ike.proposals = {is_b ? "aes256gcm16-prfsha384-ecp384" : "aes128-sha1-x25519"};
      break;
    case 3: {
      static constexpr std::uint8_t kPpk[] = {5, 6, 7, 8};
      config.ike.proposals = {"aes256gcm16-prfsha384-x25519-ke1_ecp256"};
      config.ike.ppk_id = "site-7";
      settings.ppk = crypto::Secret(std::span(kPpk));
      settings.ike_packet = 200;
      break;
    }
    default:
      break;
  }
  if ((choice & 4) != 0) config.esp.proposals = {"aes128-sha256"};
  if ((choice & 8) != 0 && is_b) config.esp.proposals = {"aes256-sha512"};  // no child in common
  config.esp.pfs = (choice & 16) != 0;
  if ((choice & 32) != 0 && is_b) {  // a wrong key
    const std::uint8_t other[] = {1, 2, 3, 4};
    settings.psk = crypto::Secret(std::span(other));
  }
  if ((choice & 64) != 0) config.encap = conf::Encap::force;
  if ((choice & 128) != 0) {
    config.ike.lifetime = conf::Seconds{240};
    config.esp.lifetime = conf::Seconds{100};
    config.ike.dpd.idle = conf::Seconds{5};
  }
}

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
      default:
        return {{}};
    }
  }

  bool settled = false;

 private:
  fuzz::Bytes altered(fuzz::Bytes bytes) {
    for (int changes = 1 + input_.u8() % 3; changes > 0 && !bytes.empty(); --changes) {
      const std::size_t at = input_.u16() % bytes.size();
      bytes[at] = input_.u8();
    }
    return bytes;
  }
  fuzz::Bytes cut(fuzz::Bytes bytes) {
    bytes.resize(input_.u16() % (bytes.size() + 1));
    if (bytes.size() >= 28) {  // with a length that agrees
      bytes[24] = bytes[25] = 0;
      bytes[26] = static_cast<std::uint8_t>(bytes.size() >> 8);
      bytes[27] = static_cast<std::uint8_t>(bytes.size());
    }
    return bytes;
  }
  fuzz::Bytes earlier(const test::InFlight& datagram) {
    const auto& old = pair_.history[input_.u8() % pair_.history.size()];
    return old.to_b == datagram.to_b ? old.bytes : datagram.bytes;
  }

  Input& input_;
  const IkePair& pair_;
};

void command(IkePair& pair, Input& input) {
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
      with([](auto& sa, Time now, auto&) { sa.esp_received(0, now); });
      break;
    case 7:
      with([&](auto& sa, Time now, auto& out) {
        sa.peer_moved({conf::IpAddress::from_v4(0xc0000200U + input.u8()), 4500}, now, out);
      });
      break;
    default:
      break;  // only time passes
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::uint8_t starts = input.u8(), choice = input.u8();
  IkePair pair({.seed = 5, .adjust = [&](ike::PeerSettings& s, bool is_b) { adjust(s, is_b, choice); }});
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
  if (pair.both_up()) must(pair.difference().empty(), pair.difference());
  for (const test::Side* side : {&pair.a, &pair.b}) {
    for (const ike::Reason& reason : side->ike_closed) must(!reason.text.empty(), "what closed has a reason");
    for (const ike::Reason& reason : side->child_failed) must(!reason.text.empty(), "what failed has a reason");
  }
  return 0;
}

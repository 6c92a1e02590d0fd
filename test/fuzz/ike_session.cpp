// Two whole engines on a wire whose every whim is the input's: messages lost, repeated, late, out of order, altered,
// cut, replayed; and commands from both sides at any moment. Whatever happens, afterwards, on a good wire, both
// sides agree on what is up, or are down with a reason; nothing is stuck, nothing is leaked.
//
//   octet 0     bits 0-1: who starts (1: a, 2: b, 3: both); bits 2-5: who they are (session_settings.h); bit 6: several
//               children, narrowed; bit 7: reauthentication in place of rekeys, and IKE_AUTH without a child
//   octet 1     settings: see adjust()
//   then        for each datagram sent, what the wire does (fate()); for each pause, what is commanded (command())
#include "test/fuzz/session_run.h"
#include "test/fuzz/session_settings.h"

namespace {

using namespace causeway;
using fuzz::Input;
using fuzz::must;
using test::IkePair;

void adjust(ike::PeerSettings& settings, bool is_b, std::uint8_t starts, std::uint8_t choice) {
  conf::Tunnel& config = settings.config;
  if ((starts & 64) != 0) fuzz::add_children(settings, is_b, (choice & 8) != 0);
  config.ike.reauth = settings.childless = (starts & 128) != 0;
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
  config.esp.pfs = (choice & 16) != 0 && !(is_b && (choice & 4) != 0);
  if ((choice & 32) != 0 && is_b) {  // a wrong key
    const std::uint8_t other[] = {1, 2, 3, 4};
    settings.psk = crypto::Secret(std::span(other));
  }
  if ((choice & 64) != 0) config.encap = conf::Encap::force;
  // A child for each of two workers (RFC 9611), where slot 2 is not another network's.
  if ((choice & 64) != 0 && (starts & 64) == 0) {
    settings.resources = 2;
    settings.children.push_back(
        {.slot = 2, .name = "net/1", .selectors = settings.children.front().selectors, .beside = 1, .resource = 1});
  }
  if ((choice & 128) != 0) {
    config.ike.lifetime = conf::Seconds{is_b ? 200 : 240};
    config.esp.lifetime = conf::Seconds{is_b ? 80 : 100};
    config.ike.dpd.idle = conf::Seconds{5};
  }
  fuzz::choose_proof(settings, is_b, starts >> 2, test::KeyKind::p256);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::uint8_t starts = input.u8(), choice = input.u8();
  IkePair pair({.seed = 5, .adjust = [&](ike::PeerSettings& s, bool is_b) { adjust(s, is_b, starts, choice); }});
  pair.b.behind_nat = (choice & 64) != 0;
  fuzz::run_session(pair, starts & 3, input);
  // A lifetime may have begun a rekey just now: that comes to its end first.
  if (pair.both_up()) pair.run(fuzz::Time{10'000}, [&] { return pair.difference().empty(); });
  if (pair.both_up()) must(pair.difference().empty(), pair.difference());
  return 0;
}

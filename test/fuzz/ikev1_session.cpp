// IKEv1 in whole sessions, as ike_session.cpp has IKEv2. Its DELETEs are not answered, so a lost one leaves the two
// sides with different books for a while: they are not compared here.
//
//   octet 0     bits 0-1: who starts (1: a, 2: b, 3: both); 4: aggressive mode; bits 3-6: who they are
//               (session_settings.h); bit 7: several children
//   octet 1     settings: see adjust()
//   then        session_run.h
#include "test/fuzz/session_run.h"
#include "test/fuzz/session_settings.h"

namespace {

using namespace causeway;
using fuzz::Input;
using fuzz::IkePair;

void adjust(ike::PeerSettings& settings, bool is_b, std::uint8_t starts, std::uint8_t choice) {
  conf::Tunnel& config = settings.config;
  config.legacy = true;
  config.ike.version = 1;
  if ((starts & 128) != 0) fuzz::add_children(settings, is_b, (choice & 8) != 0);
  if ((starts & 4) != 0) config.ike.mode = conf::IkeMode::aggressive;
  config.ike.proposals = {"aes128-sha1-ecp256"};  // modp costs the fuzzer too much
  config.esp.proposals = {"aes128-sha1"};
  if ((choice & 1) != 0) config.ike.proposals = {is_b ? "aes256-sha256-ecp256" : "aes128-aes256-sha1-sha256-ecp256"};
  if ((choice & 2) != 0 && is_b) config.ike.proposals = {"3des-md5-ecp384"};  // nothing in common
  if ((choice & 4) != 0) config.esp.proposals = {"aes128gcm16"};
  if ((choice & 8) != 0 && is_b) config.esp.proposals = {"aes256-sha512"};  // no child in common
  config.esp.pfs = (choice & 16) != 0 && !(is_b && (choice & 4) != 0);
  if ((choice & 32) != 0 && is_b) {  // a wrong key
    const std::uint8_t other[] = {1, 2, 3, 4};
    settings.psk = crypto::Secret(std::span(other));
  }
  if ((choice & 64) != 0) config.encap = conf::Encap::force;
  if ((choice & 128) != 0) {
    config.ike.lifetime = conf::Seconds{is_b ? 200 : 240};
    config.esp.lifetime = conf::Seconds{is_b ? 80 : 100};
    config.ike.dpd.idle = conf::Seconds{5};
  }
  fuzz::choose_proof(settings, is_b, starts >> 3, test::KeyKind::rsa2048);  // IKEv1 knows no other signatures
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::uint8_t starts = input.u8(), choice = input.u8();
  IkePair pair({.seed = 5, .adjust = [&](ike::PeerSettings& s, bool b) { adjust(s, b, starts, choice); }});
  pair.b.behind_nat = (choice & 64) != 0;
  fuzz::run_session(pair, starts & 3, input);
  return 0;
}

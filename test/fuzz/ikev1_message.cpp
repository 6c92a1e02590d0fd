// A datagram of IKEv1 in clear, as anybody may send it: payloads, proposals, attributes, client identities,
// fragments; then as a first message, in main and in aggressive mode.
#include "control/ike/message.h"
#include "control/ikev1/fragments.h"
#include "control/ikev1/ikev1.h"
#include "control/ikev1/payloads.h"
#include "control/ikev1/sa_payload.h"
#include "test/fuzz/fuzz.h"
#include "test/support/ike_pair.h"

namespace {

using namespace causeway;

std::shared_ptr<const ike::PeerSettings> settings_for(conf::IkeMode mode) {
  auto s = std::make_shared<ike::PeerSettings>(test::pair_settings(true));
  s->config.ike.version = 1;
  s->config.ike.mode = mode;
  s->config.ike.proposals = {"aes128-sha1-ecp256"};
  s->config.esp.proposals = {"aes128-sha1"};
  return s;
}

void knock(fuzz::ByteView message, conf::IkeMode mode) {
  test::PairEnvironment environment(7);
  const auto settings = settings_for(mode);
  const std::vector<std::shared_ptr<const ike::PeerSettings>> candidates{settings};
  ike::Effects effects;
  const ike::Datagram datagram{settings->local, *settings->remote, {message.begin(), message.end()}};
  const auto sa = ikev1::accept(datagram, candidates, environment, ike::Time{1000}, effects);
  std::size_t sent = 0;
  for (const ike::Effect& effect : effects) sent += std::holds_alternative<ike::Send>(effect) ? 1U : 0U;
  fuzz::must(sent <= 1, "one datagram in, at most one out");
  fuzz::must(environment.allocated.empty(), "a stranger gets no ESP SPI");
  if (!sa) return;
  const auto until = sa->deadline();
  fuzz::must(until && *until <= ike::Time{31'000}, "what a stranger begins ends by itself");
  ike::Effects end;
  sa->tick(*until, end);
  fuzz::must(sa->status().stage == "closed", "and does");
}

void exercise(const ikev1::Payloads& p) {
  if (p.sa) {
    for (const auto& decoded : {ikev1::decode_phase1(*p.sa), ikev1::decode_phase2(*p.sa)}) {
      if (!decoded) continue;
      for (const ikev1::Transform& t : *decoded) {
        (void)t.suite.str();
        (void)ikev1::inexpressible(t.suite);
        const auto again = ikev1::encode_answer(t.suite.protocol, t, t.spi);
        fuzz::must(!again.empty(), "a transform can be answered");
      }
    }
  }
  for (const auto& id : p.ids) {
    const auto selector = ikev1::decode_selector(id);
    if (selector) {
      const auto back = ikev1::decode_selector(ikev1::encode_selector(*selector));
      fuzz::must(back && *back == *selector, "a client identity reads and writes the same");
    }
    (void)ike::Identity::decode(id);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::ByteView message(data, size);
  const auto header = ike::parse_header(message);
  if (!header) return 0;
  for (const auto trailing : {ike::Trailing::refuse, ike::Trailing::padding}) {
    const auto raw = ike::walk_payloads(header->first_payload, message.subspan(ike::kHeaderSize), trailing);
    if (!raw) continue;
    ikev1::Reassembly reassembly;
    for (const auto& p : *raw) {
      if (p.type == ike::PayloadType::v1_fragment) (void)reassembly.add(p.body);
    }
    if (const auto payloads = ikev1::decode_payloads(*raw)) exercise(*payloads);
  }
  knock(message, conf::IkeMode::main);
  knock(message, conf::IkeMode::aggressive);
  return 0;
}

// A datagram in clear, as anybody may send it: the header, the chain of payloads, each payload, the outside of SK.
#include "control/ike/message.h"

#include "control/ikev2/cookie.h"
#include "control/ikev2/ikev2.h"
#include "test/fuzz/ike_payloads.h"
#include "test/support/ike_pair.h"

namespace {

using namespace causeway;

// The same octets as a first message from an address we have a tunnel with.
void knock(fuzz::ByteView message) {
  test::PairEnvironment environment(7);
  static const auto settings = std::make_shared<const ike::PeerSettings>(test::pair_settings(true));
  const std::vector<std::shared_ptr<const ike::PeerSettings>> candidates{settings};
  ike::Effects effects;
  const ike::Datagram datagram{settings->local, *settings->remote, {message.begin(), message.end()}};
  const auto sa = ikev2::accept(datagram, candidates, environment, ike::Time{1000}, effects);
  static ikev2::CookieSecret secret;
  if (ikev2::cookie_state(datagram, secret, ike::Time{1000}) == ikev2::CookieState::absent) {
    ike::Effects asked;
    ikev2::ask_for_cookie(datagram, secret, environment.random(), ike::Time{1000}, asked);
    fuzz::must(asked.size() == 1 && std::get<ike::Send>(asked.front()).message.size() < datagram.bytes.size() + 64,
               "a cookie is no amplifier");
  }
  std::size_t sent = 0;
  for (const ike::Effect& effect : effects) sent += std::holds_alternative<ike::Send>(effect) ? 1U : 0U;
  fuzz::must(sent <= 1, "one datagram in, at most one out");
  fuzz::must(environment.allocated.empty(), "a stranger gets no ESP SPI");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::ByteView message(data, size);
  const auto header = ike::parse_header(message);
  if (!header) return 0;
  ike::Writer writer;
  ike::write_header(writer, *header);
  fuzz::must(std::ranges::equal(writer.view(), message.first(ike::kHeaderSize)), "a header reads and writes the same");
  const auto raw = ike::walk_payloads(header->first_payload, message.subspan(ike::kHeaderSize));
  (void)ike::walk_payloads(header->first_payload, message.subspan(ike::kHeaderSize), ike::Trailing::padding);
  if (raw) {
    for (const auto& payload : *raw) {
      if (payload.type != ike::PayloadType::encrypted && payload.type != ike::PayloadType::encrypted_fragment) continue;
      const auto outer = ike::decode_encrypted(message, payload);
      if (outer) fuzz::must(outer->fragment >= 1 && outer->fragment <= outer->total, "fragment numbers hold");
    }
  }
  fuzz::exercise_chain(header->first_payload, message.subspan(ike::kHeaderSize));
  knock(message);
  return 0;
}

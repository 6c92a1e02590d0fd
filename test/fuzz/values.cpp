// Single values as a person writes them: addresses, selectors, durations, proposals, identities, names, PSKs. What
// is printed of a value reads back as the same value.
#include "conf/values.h"
#include "conf/psk.h"
#include "control/ike/distinguished_name.h"
#include "control/ike/ids.h"
#include "control/ike/proposal.h"
#include "test/fuzz/fuzz.h"

namespace {

using namespace causeway;
using fuzz::must;

void proposals(std::string_view text) {
  for (const auto protocol : {ike::Protocol::ike, ike::Protocol::esp}) {
    for (const bool legacy : {false, true}) {
      const auto proposal = ike::Proposal::parse(protocol, text, legacy);
      if (!proposal) continue;
      const auto again = ike::Proposal::parse(protocol, proposal->str(), legacy);
      must(again && *again == *proposal, "a proposal's spelling reads back");
    }
  }
}

void identities(std::string_view text) {
  const auto identity = ike::Identity::parse(text);
  if (identity && identity->type != ike::IdType::any) {
    const auto decoded = ike::Identity::decode(identity->encode());
    must(decoded && *decoded == *identity, "an identity survives the wire");
    (void)identity->matches(*decoded);
    (void)identity->str();
  }
  if (const auto der = ike::dn_from_text(text)) must(ike::dn_to_text(*der).has_value(), "a DN we made can be read");
}

void addresses(std::string_view text) {
  if (const auto a = conf::IpAddress::parse(text)) must(conf::IpAddress::parse(a->str()) == a, "an address reads back");
  if (const auto p = conf::Prefix::parse(text)) must(conf::Prefix::parse(p->str()) == p, "a prefix reads back");
  if (const auto s = conf::parse_selector(text)) {
    must(s->intersect(*s) == *s, "a selector meets itself");
    (void)s->str();
  }
  if (const auto d = conf::parse_duration(text))
    must(conf::parse_duration(conf::duration_text(*d)) == *d, "a duration");
  (void)conf::parse_size(text);
  (void)conf::parse_network(text);
  (void)conf::parse_interface(text);
  (void)conf::parse_device(text);
  (void)conf::parse_remote(text);
  (void)conf::parse_proposal(text);
  (void)conf::in_quotes(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text({data, size});
  addresses(text);
  proposals(text);
  identities(text);
  (void)conf::parse_psk({data, size});
  return 0;
}

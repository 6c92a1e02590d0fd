// The stateless filter: any rules, asked about any packets, say what a model says that tries each in order.
//
//   octet number of rules, the rules (see rule()), then packets until the input ends (see the loop)
#include "dataplane/rules.h"
#include "test/dataplane/rules_model.h"
#include "test/fuzz/fuzz.h"
#include "test/support/eal.h"

namespace {

using namespace causeway;
using namespace causeway::dataplane;
using fuzz::Input;
using fuzz::must;

constexpr std::size_t kMostRules = 8;

conf::IpAddress address(Input& input, conf::Family family) {
  conf::IpAddress a{.family = family};
  const fuzz::ByteView octets = input.take(a.size());
  std::copy(octets.begin(), octets.end(), a.octets.begin());
  return a;
}

// Octet flags; addresses of a prefix or, where they may be one, of a range (two of them are thousands of pairs of
// prefixes, which only takes time); protocol and ports where the flags say so.
conf::Selector side(Input& input, conf::Family family, bool range) {
  const std::uint8_t flags = input.u8();
  conf::Selector s;
  if (range && (flags & 1) != 0) {
    s.first = address(input, family);
    s.last = address(input, family);
    if (s.last < s.first) std::swap(s.first, s.last);
  } else {
    const std::uint8_t bits = family == conf::Family::v4 ? 32 : 128;
    const conf::IpAddress at = address(input, family);
    s = conf::Selector::of(conf::Prefix{at, static_cast<std::uint8_t>(input.u8() % (bits + 1U))}.network());
  }
  if ((flags & 2) != 0) s.protocol = input.u8();
  if ((flags & 4) != 0) {
    s.first_port = input.u16();
    s.last_port = input.u16();
    if (s.last_port < s.first_port) s.first_port = 65535, s.last_port = 0;  // OPAQUE (RFC 4301 4.4.1.1)
  }
  return s;
}

RuleSpec::Place place(std::uint8_t which) {
  using Kind = RuleSpec::Place::Kind;
  if (which % 3 == 0) return {};
  return {which % 3 == 1 ? Kind::port : Kind::tunnel, which / 3U % 4U};
}

RuleSpec rule(Input& input, std::size_t number) {
  const std::uint8_t flags = input.u8();
  const conf::Family family = (flags & 1) != 0 ? conf::Family::v6 : conf::Family::v4;
  RuleSpec spec{.name = "r" + std::to_string(number),
                .permit = (flags & 2) != 0,
                .in = place(input.u8()),
                .out = place(input.u8()),
                .from = {},
                .to = {}};
  spec.from = side(input, family, true);
  spec.to = side(input, family, false);
  return spec;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool started = (test::start_eal(), true);
  must(started, "EAL runs");
  Input input(data, size);
  std::vector<RuleSpec> rules;
  std::vector<std::uint16_t> slots;
  for (std::size_t n = 1 + input.u8() % kMostRules; rules.size() < n;) {
    rules.push_back(rule(input, rules.size()));
    slots.push_back(static_cast<std::uint16_t>(1000 + rules.size()));
  }
  const auto table = RuleTable::make(rules, slots);
  if (!table) {
    must(table.error().find("rule") != std::string::npos, "what is refused is named");
    return 0;
  }
  while (!input.empty()) {
    // octet flags, addresses (a rule's own, or any), protocol, ports, places
    const std::uint8_t flags = input.u8();
    const conf::Family family = (flags & 1) != 0 ? conf::Family::v6 : conf::Family::v4;
    const RuleSpec& near = rules[input.u8() % rules.size()];
    const bool own = near.from.first.family == family;
    const conf::IpAddress from = own && (flags & 2) != 0 ? near.from.first : address(input, family);
    const conf::IpAddress to = own && (flags & 4) != 0 ? near.to.last : address(input, family);
    Flow flow{.family = family,
              .ports = (flags & 8) != 0,
              .protocol = input.u8(),
              .source_port = input.u16(),
              .destination_port = input.u16(),
              .source = from.octets.data(),
              .destination = to.octets.data()};
    if (!flow.ports) flow.source_port = flow.destination_port = 0;
    const std::uint8_t where = input.u8();
    const auto in = static_cast<std::uint16_t>((where & 1) * 0x4000 + (where >> 1) % 4);
    const auto out = static_cast<std::uint16_t>((where >> 3 & 1) * 0x4000 + (where >> 4) % 4);
    const auto expected = test::first_rule(rules, flow, in, out);
    const RuleTable::Rule* got = (*table)->match(flow, in, out);
    must((got != nullptr) == expected.has_value(), "a rule decides exactly where one takes the packet");
    must(got == nullptr || (got->slot == slots[*expected] && got->permit == rules[*expected].permit),
         "the first rule that takes a packet decides");
  }
  return 0;
}

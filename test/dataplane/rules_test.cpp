// The stateless filter against a model that tries every rule in order.
#include "dataplane/rules.h"

#include <random>

#include "test/dataplane/rules_model.h"
#include "test/support/catch.h"
#include "test/support/eal.h"

using namespace causeway;
using namespace causeway::dataplane;
using namespace causeway::test;

namespace {

using Random = std::mt19937_64;
using Place = RuleSpec::Place;

conf::IpAddress random_address(Random& random, conf::Family family) {
  conf::IpAddress a{.family = family};
  for (std::size_t i = 0; i < a.size(); ++i)
    a.octets[i] = static_cast<std::uint8_t>(random() % 4 == 0 ? random() : random() % 3);
  return a;
}

conf::Selector random_side(Random& random, conf::Family family) {
  const std::uint8_t bits = family == conf::Family::v4 ? 32 : 128;
  conf::Selector s = conf::Selector::of(
      conf::Prefix{random_address(random, family), static_cast<std::uint8_t>(random() % (bits + 1U))}.network());
  if (random() % 6 == 0) {
    s.first = random_address(random, family);
    s.last = s.first;
    s.last.octets[s.last.size() - 1] = 0xff;
  }
  if (random() % 3 == 0) s.protocol = random() % 2 == 0 ? 6 : 17;
  if (random() % 4 == 0) {
    s.first_port = static_cast<std::uint16_t>(random() % 300);
    s.last_port = static_cast<std::uint16_t>(s.first_port + random() % 300);
  } else if (random() % 10 == 0) {
    s.first_port = 65535, s.last_port = 0;  // OPAQUE
  }
  return s;
}

Place random_place(Random& random) {
  if (random() % 2 == 0) return {};
  return {random() % 2 == 0 ? Place::Kind::port : Place::Kind::tunnel, static_cast<std::uint32_t>(random() % 3)};
}

}  // namespace

TEST_CASE("Rules agree with a model that tries each in order, in both families, with ports shown and not") {
  start_eal();
  Random random(3);
  std::size_t matched = 0;
  for (int round = 0; round < 40; ++round) {
    const auto family = round % 2 == 0 ? conf::Family::v4 : conf::Family::v6;
    std::vector<RuleSpec> rules(1 + random() % 12);
    std::vector<std::uint16_t> slots;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      rules[i] = {.name = "r" + std::to_string(i),
                  .permit = random() % 2 == 0,
                  .in = random_place(random),
                  .out = random_place(random),
                  .from = random_side(random, family),
                  .to = random_side(random, family)};
      slots.push_back(static_cast<std::uint16_t>(100 + i));
    }
    const auto table = RuleTable::make(rules, slots);
    REQUIRE(table);
    for (int n = 0; n < 2000; ++n) {
      conf::IpAddress from = random_address(random, family), to = random_address(random, family);
      const RuleSpec& near = rules[random() % rules.size()];
      if (random() % 2 == 0) from = random() % 2 == 0 ? near.from.first : near.from.last;
      if (random() % 2 == 0) to = random() % 2 == 0 ? near.to.first : near.to.last;
      const Flow flow{.family = family,
                      .ports = random() % 4 != 0,
                      .protocol = static_cast<std::uint8_t>(random() % 2 == 0 ? 6 : 17),
                      .source_port = static_cast<std::uint16_t>(random() % 600),
                      .destination_port = static_cast<std::uint16_t>(random() % 600),
                      .source = from.octets.data(),
                      .destination = to.octets.data()};
      const auto place = [&] { return static_cast<std::uint16_t>(random() % 2 * 0x4000 + random() % 3); };
      const std::uint16_t in = place(), out = place();
      const auto expected = first_rule(rules, flow, in, out);
      const RuleTable::Rule* got = (*table)->match(flow, in, out);
      REQUIRE((got != nullptr) == expected.has_value());
      if (got == nullptr) continue;
      ++matched;
      REQUIRE(got->slot == slots[*expected]);
      REQUIRE(got->permit == rules[*expected].permit);
    }
  }
  CHECK(matched > 3000);  // the rounds did meet rules
}

TEST_CASE("A rule whose ranges are too many prefixes is refused by its name") {
  start_eal();
  RuleSpec rule{.name = "wide", .permit = false, .in = {}, .out = {}, .from = {}, .to = {}};
  rule.from.first = rule.to.first = *conf::IpAddress::parse("::1");
  rule.from.last = rule.to.last = *conf::IpAddress::parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
  std::vector<RuleSpec> rules(2, rule);
  const std::vector<std::uint16_t> slots{0, 1};
  const auto table = RuleTable::make(rules, slots);
  REQUIRE_FALSE(table);
  CHECK(table.error().find("rule wide") != std::string::npos);
}

#include "control/ike/selectors.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::ike;

namespace {

conf::Selector sel(const char* prefix, std::uint8_t protocol = 0, std::uint16_t port = 0) {
  conf::Selector s = conf::Selector::of(*conf::Prefix::parse(prefix));
  s.protocol = protocol;
  if (port != 0) s.first_port = s.last_port = port;
  return s;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

const conf::SelectorSet kOurs{{sel("10.1.0.0/16")}, {sel("10.2.0.0/16"), sel("10.3.0.0/16")}};

}  // namespace

TEST_CASE("Narrowing gives what both sides allow") {
  CHECK(narrow(kOurs, kOurs) == kOurs);
  CHECK(narrow(kOurs, {{sel("0.0.0.0/0")}, {sel("0.0.0.0/0")}}) == kOurs);
  CHECK(narrow(kOurs, {{sel("10.1.7.0/24")}, {sel("10.2.0.0/15")}}) ==
        conf::SelectorSet{{sel("10.1.7.0/24")}, {sel("10.2.0.0/16"), sel("10.3.0.0/16")}});
  CHECK(narrow(kOurs, {{sel("10.1.0.0/16", 6, 443)}, {sel("10.2.0.0/16", 6)}}) ==
        conf::SelectorSet{{sel("10.1.0.0/16", 6, 443)}, {sel("10.2.0.0/16", 6)}});
}

TEST_CASE("The initiator's first choice is in the result, inside a wider one where it offered that too") {
  // A child started by traffic: the packet's addresses first (RFC 7296 2.9).
  const conf::SelectorSet offered{{sel("10.1.0.5/32", 6, 80), sel("10.1.0.0/16")},
                                  {sel("10.3.0.9/32"), sel("10.3.0.0/16")}};
  const auto narrowed = narrow(kOurs, offered);
  REQUIRE(narrowed);
  CHECK(*narrowed == conf::SelectorSet{{sel("10.1.0.0/16")}, {sel("10.3.0.0/16")}});
  CHECK(narrowed->local[0].contains(offered.local[0]));
}

TEST_CASE("A responder that gives one pair gives the one of the packet that started it") {
  const conf::SelectorSet offered{{sel("10.1.0.5/32"), sel("10.1.0.0/16")}, {sel("10.3.0.9/32"), sel("10.2.0.0/15")}};
  const auto narrowed = narrow(kOurs, offered);
  REQUIRE(narrowed);
  CHECK(single_pair(*narrowed, offered) == conf::SelectorSet{{sel("10.1.0.0/16")}, {sel("10.3.0.0/16")}});
  CHECK(single_pair({}, offered) == conf::SelectorSet{});
  const conf::SelectorSet mixed{{sel("10.1.0.0/16")}, {sel("2001:db8::/32"), sel("10.2.0.0/16")}};
  CHECK(single_pair(mixed, {{sel("10.1.0.0/16")}, {sel("2001:db8::/32")}}) ==
        conf::SelectorSet{{sel("10.1.0.0/16")}, {sel("10.2.0.0/16")}});
}

TEST_CASE("Selectors that do not meet are refused with both sides and the side that is apart") {
  const auto on_local = narrow(kOurs, {{sel("10.9.0.0/16")}, {sel("10.2.0.0/16")}});
  REQUIRE_FALSE(on_local);
  CHECK(on_local.error().cause == Cause::selectors_disjoint);
  CHECK(on_local.error().ours == "10.1.0.0/16 === 10.2.0.0/16, 10.3.0.0/16");
  CHECK(on_local.error().theirs == "10.9.0.0/16 === 10.2.0.0/16");
  CHECK(has(on_local.error().text, "do not meet on our side"));
  CHECK(has(on_local.error().text, "local_subnets here"));
  const auto on_remote = narrow(kOurs, {{sel("10.1.0.0/16")}, {sel("10.9.0.0/16")}});
  REQUIRE_FALSE(on_remote);
  CHECK(has(on_remote.error().text, "do not meet on the peer's side"));
  CHECK(has(on_remote.error().text, "remote_subnets here"));
  CHECK(has(narrow(kOurs, {{sel("10.9.0.0/16")}, {sel("10.9.0.0/16")}}).error().text, "on neither side"));
  CHECK(has(narrow(kOurs, {{sel("10.1.0.0/16", 6)}, {}}).error().text, "on the peer's side"));
}

TEST_CASE("A result without any family on both sides is no result") {
  const conf::SelectorSet ours{{sel("10.1.0.0/16"), sel("2001:db8:1::/48")},
                               {sel("10.2.0.0/16"), sel("2001:db8:2::/48")}};
  const auto apart = narrow(ours, {{sel("10.1.0.0/16")}, {sel("2001:db8:2::/48")}});
  REQUIRE_FALSE(apart);
  CHECK(has(apart.error().text, "in one address family"));
}

TEST_CASE("The initiator takes a narrowed answer, cuts off what it did not offer, and refuses what has none of it") {
  CHECK(accept_narrowed(kOurs, kOurs) == kOurs);
  const conf::SelectorSet part{{sel("10.1.7.0/24")}, {sel("10.3.0.0/16")}};
  CHECK(accept_narrowed(kOurs, part) == part);
  CHECK(accept_narrowed(kOurs, {{sel("0.0.0.0/0")}, {sel("10.3.0.0/16"), sel("192.168.0.0/16")}}) ==
        conf::SelectorSet{{sel("10.1.0.0/16")}, {sel("10.3.0.0/16")}});
  const auto other = accept_narrowed(kOurs, {{sel("10.1.0.0/16")}, {sel("192.168.0.0/16")}});
  REQUIRE_FALSE(other);
  CHECK(other.error().cause == Cause::selectors_refused);
  CHECK(has(other.error().text, "192.168.0.0/16"));
}

TEST_CASE("What a peer narrowed away is named pair by pair") {
  CHECK(narrowed_away(kOurs, kOurs).empty());
  const auto missing = narrowed_away(kOurs, {{sel("10.1.0.0/16")}, {sel("10.2.0.0/16")}});
  REQUIRE(missing.size() == 1);
  CHECK(missing[0] == conf::SelectorSet{{sel("10.1.0.0/16")}, {sel("10.3.0.0/16")}});
  CHECK(narrowed_away(kOurs, {{sel("10.1.0.0/17")}, {sel("10.2.0.0/15")}}).size() == 2);
  const conf::SelectorSet mixed{{sel("10.1.0.0/16"), sel("2001:db8:1::/48")},
                                {sel("10.2.0.0/16"), sel("2001:db8:2::/48")}};
  CHECK(narrowed_away(mixed, {}).size() == 2);
}

TEST_CASE("Selectors inside others of a list go, and of equal ones the first stays") {
  CHECK(without_contained({sel("10.1.0.0/16"), sel("10.0.0.0/8"), sel("10.0.0.0/8"), sel("10.1.2.0/24"),
                           sel("11.0.0.0/8")}) == std::vector{sel("10.0.0.0/8"), sel("11.0.0.0/8")});
  CHECK(without_contained({}).empty());
  CHECK(str(std::vector<conf::Selector>{}) == "nothing");
}

TEST_CASE("More selectors than a payload holds are cut to 255") {
  conf::SelectorSet many, wide{{sel("0.0.0.0/0")}, {sel("0.0.0.0/0")}};
  for (unsigned i = 0; i < 300; ++i) {
    many.local.push_back(conf::Selector::of({conf::IpAddress::from_v4(0x0a000000 + (i << 8)), 24}));
  }
  many.remote = {sel("10.9.0.0/16")};
  const auto narrowed = narrow(wide, many);
  REQUIRE(narrowed);
  CHECK(narrowed->local.size() == 255);
  CHECK(has(str(narrowed->local), "and 239 more"));
}

// Routes and policies against models that look at every entry.
#include <algorithm>
#include <optional>
#include <random>

#include "dataplane/lpm.h"
#include "dataplane/policy.h"
#include "dataplane/routes.h"
#include "test/support/catch.h"

using namespace causeway;
using namespace causeway::dataplane;

namespace {

using Random = std::mt19937_64;

conf::IpAddress random_address(Random& random, conf::Family family) {
  conf::IpAddress a{.family = family};
  for (std::size_t i = 0; i < a.size(); ++i)
    a.octets[i] = static_cast<std::uint8_t>(random() % 4 == 0 ? random() : random() % 3);
  return a;
}

conf::Prefix random_prefix(Random& random, conf::Family family) {
  const std::uint8_t bits = family == conf::Family::v4 ? 32 : 128;
  return conf::Prefix{random_address(random, family), static_cast<std::uint8_t>(random() % (bits + 1U))}.network();
}

conf::Prefix prefix(const char* text) { return *conf::Prefix::parse(text); }
conf::Selector selector(const char* text) { return conf::Selector::of(prefix(text)); }
conf::IpAddress address(const char* text) { return *conf::IpAddress::parse(text); }

// RFC 4301 as the header of policy.h puts it: the longest remote prefix, then order.
struct NaiveMatch {
  int length = -1;
  std::size_t index = 0;
};
std::optional<NaiveMatch> naive(const std::vector<PolicySpec>& specs, const Flow& flow) {
  std::optional<NaiveMatch> best;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto takes = [&](const conf::Selector& s, const std::uint8_t* a, std::uint16_t port) {
      return selector_takes(s, flow.family, a, flow.protocol, flow.ports, port);
    };
    const auto& local = specs[i].selectors.local;
    if (std::none_of(local.begin(), local.end(),
                     [&](const auto& s) { return takes(s, flow.source, flow.source_port); }))
      continue;
    for (const auto& s : specs[i].selectors.remote) {
      if (!takes(s, flow.destination, flow.destination_port)) continue;
      const int length = s.as_prefix()->length;
      if (!best || length > best->length) best = NaiveMatch{length, i};
    }
  }
  return best;
}

PolicyTable table_of(const std::vector<PolicySpec>& specs) {
  return {specs, {}, {}, [](TunnelId) { return std::uint16_t{0}; }};
}

Flow flow_between(const conf::IpAddress& from, const conf::IpAddress& to) {
  return {.family = from.family,
          .ports = true,
          .protocol = 17,
          .source_port = 1000,
          .destination_port = 2000,
          .source = from.octets.data(),
          .destination = to.octets.data()};
}

}  // namespace

TEST_CASE("Longest prefix match agrees with a search of every entry, in both families") {
  Random random(1);
  for (const auto family : {conf::Family::v4, conf::Family::v6}) {
    for (int round = 0; round < 30; ++round) {
      std::vector<Lpm::Entry> entries;
      for (std::uint32_t i = 1; i <= 60; ++i) entries.push_back({random_prefix(random, family), i});
      const Lpm lpm(entries);
      for (int n = 0; n < 2000; ++n) {
        conf::IpAddress a = random_address(random, family);
        if (random() % 2 == 0) {  // near an edge of an entry
          const auto& p = entries[random() % entries.size()].prefix;
          a = random() % 2 == 0 ? p.first() : p.last();
        }
        std::uint32_t expected = Lpm::kNone;
        int length = -1;
        for (const auto& e : entries) {
          if (e.prefix.contains(a) && e.prefix.length >= length) {
            length = e.prefix.length;
            expected = e.value;
          }
        }
        REQUIRE(lpm.lookup(a.octets.data()) == expected);
      }
    }
  }
}

TEST_CASE("Policies agree with a model that tries every rule: longest remote prefix first, then order") {
  Random random(2);
  for (const auto family : {conf::Family::v4, conf::Family::v6}) {
    for (int round = 0; round < 40; ++round) {
      std::vector<PolicySpec> specs(1 + random() % 20);
      for (PolicySpec& spec : specs) {
        for (auto* side : {&spec.selectors.local, &spec.selectors.remote}) {
          for (std::size_t n = 1 + random() % 3; n > 0; --n) {
            conf::Selector s = conf::Selector::of(random_prefix(random, family));
            if (random() % 3 == 0) s.protocol = static_cast<std::uint8_t>(random() % 2 == 0 ? 17 : 6);
            if (random() % 4 == 0) {
              s.first_port = static_cast<std::uint16_t>(random() % 3000);
              s.last_port = static_cast<std::uint16_t>(s.first_port + random() % 2000);
            } else if (random() % 8 == 0) {
              s.first_port = 65535, s.last_port = 0;
            }
            side->push_back(s);
          }
        }
      }
      const PolicyTable table = table_of(specs);
      for (std::size_t i = 0; i < specs.size(); ++i) specs[i].child = static_cast<ChildSlot>(i);
      const PolicyTable numbered = table_of(specs);
      for (int n = 0; n < 1000; ++n) {
        const conf::IpAddress from = random_address(random, family), to = random_address(random, family);
        Flow flow = flow_between(from, to);
        flow.protocol = static_cast<std::uint8_t>(random() % 2 == 0 ? 17 : 6);
        flow.ports = random() % 5 != 0;
        flow.source_port = static_cast<std::uint16_t>(random() % 4000);
        flow.destination_port = static_cast<std::uint16_t>(random() % 4000);
        const auto expected = naive(specs, flow);
        const PolicyRule* got = numbered.match(flow);
        REQUIRE((got != nullptr) == expected.has_value());
        if (got != nullptr) REQUIRE(got->child == expected->index);
        REQUIRE((table.match(flow) != nullptr) == expected.has_value());
      }
    }
  }
}

TEST_CASE("A remote range that is no prefix is covered exactly, to its last address") {
  conf::Selector range = selector("10.0.0.0/8");
  range.first = address("10.1.2.3");
  range.last = address("10.1.9.250");
  const PolicyTable table = table_of({{.selectors = {{selector("0.0.0.0/0")}, {range}}}});
  const conf::IpAddress from = address("192.168.0.1");
  for (std::uint32_t a = address("10.1.1.0").v4(); a <= address("10.1.11.0").v4(); ++a) {
    const conf::IpAddress to = conf::IpAddress::from_v4(a);
    REQUIRE((table.match(flow_between(from, to)) != nullptr) == (range.first <= to && to <= range.last));
  }
}

TEST_CASE("Whatever does not match the rules of the longest prefix is tried against shorter ones") {
  const PolicyTable table =
      table_of({{.child = 1, .selectors = {{selector("10.1.0.0/16")}, {selector("10.2.0.0/16")}}},
                {.child = 2, .selectors = {{selector("10.3.0.0/16")}, {selector("10.2.5.0/24")}}}});
  const auto child = [&](const char* from, const char* to) {
    const auto a = address(from), b = address(to);
    const PolicyRule* rule = table.match(flow_between(a, b));
    return rule == nullptr ? 0 : rule->child;
  };
  CHECK(child("10.1.0.1", "10.2.5.1") == 1);
  CHECK(child("10.3.0.1", "10.2.5.1") == 2);
  CHECK(child("10.3.0.1", "10.2.6.1") == 0);
}

TEST_CASE(
    "A connected or routed network of a trusted port wins over a shorter remote, never over an equal or longer one") {
  std::vector<PortSetup> ports(2);
  ports[0].addresses = {prefix("203.0.113.2/24")};
  ports[0].gateway = address("203.0.113.1");
  ports[1].addresses = {prefix("10.1.0.1/24")};
  ports[1].trusted = true;
  const std::vector<RouteSpec> routes = {{prefix("10.5.0.0/16"), address("10.1.0.9"), 1},
                                         {prefix("10.6.0.0/16"), address("203.0.113.9"), 0}};
  const RouteTable table(ports, routes);
  const std::vector<PolicySpec> specs = {
      {.selectors = {{selector("0.0.0.0/0")},
                     {selector("10.0.0.0/8"), selector("10.5.7.0/24"), selector("10.5.0.0/16")}}}};
  const PolicyTable policies(specs, table.networks(), ports, [](TunnelId) { return std::uint16_t{0}; });
  const auto protects = [&](const char* to) {
    const auto a = address("10.1.0.2"), b = address(to);
    const PolicyRule* rule = policies.match(flow_between(a, b));
    return rule != nullptr && rule->action == PolicySpec::Action::protect;
  };
  CHECK_FALSE(protects("10.1.0.77"));  // connected
  CHECK(protects("10.5.7.1"));         // the remote is longer than the route
  CHECK(protects("10.5.1.1"));         // equal: the policy
  CHECK(protects("10.6.1.1"));         // that route leads out of an untrusted port: no way around the tunnel
  CHECK(protects("10.99.0.1"));
  CHECK_FALSE(protects("11.0.0.1"));
}

TEST_CASE("Own addresses, broadcasts, connected networks, routes and the default route are told apart") {
  std::vector<PortSetup> ports(2);
  ports[0].addresses = {prefix("203.0.113.2/24")};
  ports[0].gateway = address("203.0.113.1");
  ports[1].addresses = {prefix("10.1.0.1/24"), prefix("10.9.0.0/31")};
  const RouteTable table(ports, std::vector<RouteSpec>{{prefix("10.5.0.0/16"), address("10.1.0.9"), 1}});
  const auto kind = [&](const char* a) { return table.lookup(address(a))->kind; };
  CHECK(kind("203.0.113.2") == NextHop::Kind::local);
  CHECK(kind("203.0.113.255") == NextHop::Kind::broadcast);
  CHECK(kind("10.1.0.0") == NextHop::Kind::broadcast);
  CHECK(kind("10.1.0.200") == NextHop::Kind::connected);
  CHECK(kind("10.9.0.0") == NextHop::Kind::local);
  CHECK(kind("10.9.0.1") == NextHop::Kind::connected);  // RFC 3021
  CHECK(table.lookup(address("10.5.1.1"))->gateway == address("10.1.0.9"));
  CHECK(table.lookup(address("8.8.8.8"))->gateway == address("203.0.113.1"));
  CHECK(table.lookup(address("2001:db8::1")) == nullptr);
}

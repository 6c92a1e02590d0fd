#include "control/effect_order.h"

#include "test/control/fakes.h"
#include "test/support/catch.h"

namespace causeway::control::test {
namespace {

struct Bench {
  Bench() : order([this](Action& a, std::uint64_t token) { carry(a, token); }) {}
  void carry(Action& action, std::uint64_t token) {
    if (const auto* s = std::get_if<ike::Send>(&action.what)) done.push_back("send " + std::to_string(s->message[0]));
    if (std::holds_alternative<ike::InstallInbound>(action.what)) {
      done.push_back("install");
      tokens.push_back(token);
    }
    if (std::holds_alternative<ike::UseOutbound>(action.what)) done.push_back("use");
  }
  static Action send(ike::TunnelId tunnel, std::uint8_t mark) { return {tunnel, ike::Send{{}, {}, {mark}}}; }
  static Action install(ike::TunnelId tunnel, std::uint32_t spi) {
    auto s = settings(conf::Start::now, tunnel);
    return {tunnel, ike::InstallInbound{child_sa(*s, spi, 3)}};
  }
  std::vector<std::string> done;
  std::vector<std::uint64_t> tokens;
  EffectOrder order;
};
using Texts = std::vector<std::string>;

TEST_CASE("A Send behind an inbound SA waits until it is installed, one before it does not") {
  Bench b;
  Actions a;
  a.push_back(Bench::send(0, 1));
  a.push_back(Bench::install(0, 0x2000));
  a.push_back(Bench::send(0, 2));
  b.order.push(std::move(a));
  CHECK(b.done == Texts{"send 1", "install"});
  CHECK_FALSE(b.order.empty());
  const auto pending = b.order.installed(b.tokens[0]);
  REQUIRE(pending);
  CHECK(pending->spi == 0x2000);
  CHECK(pending->child == 3);
  CHECK(b.done == Texts{"send 1", "install", "send 2"});
  CHECK(b.order.empty());
}

TEST_CASE("Order is kept behind what waits, and other tunnels go on") {
  Bench b;
  Actions a;
  a.push_back(Bench::install(0, 0x2000));
  a.push_back(Bench::install(0, 0x2001));
  a.push_back(Bench::send(0, 1));
  a.push_back({0, ike::UseOutbound{}});
  a.push_back(Bench::send(7, 2));
  b.order.push(std::move(a));
  CHECK(b.done == Texts{"install", "install", "send 2"});
  b.order.installed(b.tokens[1]);
  CHECK(b.done.size() == 3);
  b.order.installed(b.tokens[0]);
  CHECK(b.done == Texts{"install", "install", "send 2", "send 1", "use"});
}

TEST_CASE("An unknown or repeated token changes nothing") {
  Bench b;
  Actions a;
  a.push_back(Bench::install(0, 0x2000));
  a.push_back(Bench::install(0, 0x2001));
  a.push_back(Bench::send(0, 1));
  b.order.push(std::move(a));
  CHECK_FALSE(b.order.installed(0));
  CHECK_FALSE(b.order.installed(999));
  CHECK(b.order.installed(b.tokens[0]));
  CHECK_FALSE(b.order.installed(b.tokens[0]));
  CHECK(b.done == Texts{"install", "install"});
}

}  // namespace
}  // namespace causeway::control::test

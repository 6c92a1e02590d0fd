// Metrics through the real HTTP server, asked by several at once while a control thread of the test answers.
#include "control/metrics_server.h"

#include <poll.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "test/control/admin_fakes.h"
#include "test/support/catch.h"

namespace causeway::control::testing {
namespace {

constexpr const char* kAddress = "127.0.0.1:19190";

std::string scrape() {
  std::string text;
  FILE* pipe = popen("curl -sS --max-time 8 http://127.0.0.1:19190/metrics 2>&1", "r");
  if (pipe == nullptr) return text;
  std::array<char, 4096> part{};
  for (std::size_t n = 0; (n = fread(part.data(), 1, part.size(), pipe)) > 0;) text.append(part.data(), n);
  pclose(pipe);
  return text;
}

FakeBackend one_tunnel() {
  FakeBackend backend;
  TunnelReport& t = backend.reports.emplace_back();
  t.name = "a \"b\"\\";
  t.state = TunnelReport::State::established;
  ChildReport& c = t.children.emplace_back();
  c.name = "net";
  c.spi_in = 0xabc;
  c.bytes_in = 123456789012345;
  backend.counted.drops = {{"no_sa", 3}};
  backend.counted.control = {{"rss_kib", 2}};
  return backend;
}

// Answers until `asked` threads have their text.
std::vector<std::string> ask(MetricsServer& server, std::size_t asked) {
  std::vector<std::string> texts(asked);
  std::atomic<std::size_t> done = 0;
  std::vector<std::thread> threads;
  for (std::string& text : texts) threads.emplace_back([&] { text = scrape(); ++done; });
  while (done < asked) {
    pollfd bell{server.fd(), POLLIN, 0};
    ::poll(&bell, 1, 10);
    server.poll();
  }
  for (std::thread& t : threads) t.join();
  return texts;
}

}  // namespace

TEST_CASE("a scrape gives the numbers of the moment, also to several at once") {
  FakeBackend backend = one_tunnel();
  auto server = MetricsServer::open(kAddress, backend);
  REQUIRE(server);
  for (const std::string& text : ask(**server, 6)) {
    CHECK(text.find("causeway_tunnel_established{tunnel=\"a \\\"b\\\"\\\\\"} 1\n") != std::string::npos);
    CHECK(text.find("direction=\"in\",spi=\"0x00000abc\"} 123456789012345\n") != std::string::npos);
    CHECK(text.find("causeway_drops_total{reason=\"no_sa\"} 3\n") != std::string::npos);
    CHECK(text.find("causeway_resident_memory_bytes 2048\n") != std::string::npos);
  }
  backend.counted.drops["no_sa"] = 4;
  CHECK(ask(**server, 1)[0].find("causeway_drops_total{reason=\"no_sa\"} 4\n") != std::string::npos);
}

TEST_CASE("who waits when the server ends is let go, without numbers") {
  const FakeBackend backend = one_tunnel();
  auto server = MetricsServer::open(kAddress, backend);
  REQUIRE(server);
  std::string text;
  std::thread asker([&] { text = scrape(); });
  pollfd bell{(*server)->fd(), POLLIN, 0};
  REQUIRE(::poll(&bell, 1, 8000) == 1);  // it has asked
  server->reset();
  asker.join();
  CHECK(text.find("causeway_") == std::string::npos);
}

TEST_CASE("an address that is taken, or not the host's, is refused by name") {
  const FakeBackend backend;
  const auto first = MetricsServer::open(kAddress, backend);
  REQUIRE(first);
  for (const char* address : {kAddress, "192.0.2.77:19190"}) {
    const auto second = MetricsServer::open(address, backend);
    REQUIRE_FALSE(second);
    CHECK(second.error().find(std::string("cannot listen on ") + address) != std::string::npos);
  }
}

}  // namespace causeway::control::testing

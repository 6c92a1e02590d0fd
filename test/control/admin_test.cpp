#include "control/admin.h"

#include <random>
#include <sstream>

#include "test/conf/conf_text.h"
#include "test/control/admin_fakes.h"
#include "test/control/json_text.h"
#include "test/support/catch.h"

using causeway::conf::testing::TempDir;
using namespace causeway::control;
using namespace causeway::control::testing;

namespace {

struct World {
  TempDir dir;
  FakeBackend backend;
  AdminServer server;
  std::chrono::milliseconds now{1000};

  explicit World(AdminLimits limits = {}) : server(AdminSocket::open(path()).value(), backend, limits) {
    backend.reports = {full_tunnel(), down_tunnel()};
  }
  [[nodiscard]] std::string path() const { return dir.file("c.sock"); }
  // The server has nothing more to do at this moment.
  void settle() {
    for (int i = 0; i < 4; ++i) server.poll(now);
  }
  void pass(std::chrono::milliseconds time) {
    now += time;
    settle();
  }
  std::string ask(TestClient& client, const std::string& text) {
    client.send(text);
    settle();
    return client.read();
  }
  std::string answer(const std::string& request) {
    TestClient client(path());
    const std::string text = ask(client, request + "\n");
    REQUIRE(std::count(text.begin(), text.end(), '\n') == 1);
    return text.substr(0, text.size() - 1);
  }
};

}  // namespace

TEST_CASE("status has the documented shape, field for field") {
  World world;
  CHECK(
      world.answer(R"({"cmd":"status"})") ==
      R"({"ok":true,"result":{"tunnels":[{"name":"hangzhou","state":"established","ike":{"version":2,"role":"initiator",)"
      R"("local":"203.0.113.2:4500","remote":"198.51.100.7:4500","nat":"us","suite":"aes256gcm16-prfsha384-ecp384",)"
      R"("established_s":725,"rekey_in_s":25500},"children":[{"name":"net","suite":"aes256gcm16","encap":"udp",)"
      R"("spi_in":"0x0badcafe","spi_out":"0x00c0ffee","packets_in":10123,"bytes_in":12345678,"packets_out":9000,)"
      R"("bytes_out":1100,"rekey_in_s":3120}],"down_reason":null,"stage":null},{"name":"branch","state":"down","ike":null,)"
      R"("children":[],"down_reason":"the peer refused our proof: the pre-shared keys differ, or it knows us by another )"
      R"(identity","stage":null}]}})");
}

TEST_CASE("nat says who is behind one") {
  World world;
  for (const auto& [us, peer, expected] :
       {std::tuple{false, false, "none"}, {true, false, "us"}, {false, true, "peer"}, {true, true, "both"}}) {
    world.backend.reports[0].ike->nat_us = us;
    world.backend.reports[0].ike->nat_peer = peer;
    CHECK(at(world.answer(R"({"cmd":"status"})"), "/result/tunnels/0/ike/nat") == "\"" + std::string(expected) + "\"");
  }
}

TEST_CASE("show adds identities, limits, counts and times to a tunnel's status") {
  World world;
  const std::string t = world.answer(R"({"cmd":"show","tunnel":"hangzhou"})");
  CHECK(at(t, "/result/ike/spi_initiator") == R"("0x0123456789abcdef")");
  CHECK(at(t, "/result/ike/spi_responder") == R"("0x00000000000000ff")");
  CHECK(at(t, "/result/ike/remote_id") == R"("gw.example.net")");
  CHECK(at(t, "/result/negotiation_ms") == R"({"min":12,"avg":20,"max":31})");
  CHECK(at(t, "/result/ike_sas") == R"({"created":4,"established":2,"dropped":0})");
  CHECK(at(t, "/result/child_sas") == R"({"created":5,"established":3})");
  CHECK(at(t, "/result/dpd") == R"({"mode":"idle 30 s, retry 5 s, 5 tries","sent":8,"received":6})");
  CHECK(at(t, "/result/natt") == R"({"keepalives_sent":36,"peer_port":61002})");
  const std::string c = at(t, "/result/children/0");
  CHECK(at(c, "/mtu") == "1438");
  CHECK(at(c, "/mss") == "1398");
  CHECK(at(c, "/replay_window") == "2048");
  CHECK(at(c, "/sequence_in") == "10123");
  CHECK(at(c, "/soft_left") == R"({"s":3120,"bytes":null,"packets":5})");
  CHECK(at(c, "/hard_left") == R"({"s":3600,"bytes":7,"packets":null})");
  CHECK(at(c, "/last_in_s") == "2");
  CHECK(at(c, "/last_out_s") == "null");
  CHECK(at(c, "/drops/icv_failed") == "1");
}

TEST_CASE("counters, ports, routes and neighbors have the documented shapes") {
  World world;
  auto& counted = world.backend.counted;
  counted.drops = {{"icv_failed", 7}};
  causeway::dataplane::PortStatus port;
  port.name = "wan";
  port.up = true;
  counted.ports = {port};
  counted.workers = {{.core = 1, .rx = 5}};
  counted.crypto = {{"aes256gcm16", "avx2", "burst", 64}};
  counted.pools = {{"mbufs", 8192, 12}};
  const std::string c = at(world.answer(R"({"cmd":"counters"})"), "/result");
  CHECK(at(c, "/drops") == R"({"icv_failed":7})");
  CHECK(at(c, "/ports/0/name") == R"("wan")");
  CHECK(at(c, "/workers/0/rx") == "5");
  CHECK(at(c, "/crypto") == R"([{"suite":"aes256gcm16","level":"avx2","api":"burst","packets":64,"octets":0}])");
  CHECK(at(c, "/pools/0/in_use") == "12");
  CHECK(at(world.answer(R"({"cmd":"show-port"})"), "/result/ports/1") == "missing");
  CHECK(at(world.answer(R"({"cmd":"show-port","port":"wan"})"), "/result/ports/0/up") == "true");
  CHECK(world.answer(R"({"cmd":"show-port","port":"van"})") ==
        R"({"ok":false,"code":1,"error":"there is no port \"van\""})");
  world.backend.known_routes = {{"10.0.0.0/8", "203.0.113.1", "wan", "static", 1, true}};
  world.backend.known_neighbors = {{"wan", "203.0.113.1", "02:00:00:00:00:01", "reachable", 4}};
  CHECK(at(world.answer(R"({"cmd":"routes"})"), "/result/routes/0/to") == R"("10.0.0.0/8")");
  CHECK(at(world.answer(R"({"cmd":"neighbors"})"), "/result/neighbors/0/age_s") == "4");
}

TEST_CASE("a tunnel that does not exist is code 4, with the nearest name") {
  World world;
  for (const char* command : {"show", "up", "down", "rekey"}) {
    const std::string answer = world.answer(R"({"tunnel":"hangzou","cmd":")" + std::string(command) + "\"}");
    CHECK(answer == R"({"ok":false,"code":4,"error":"there is no tunnel \"hangzou\"; did you mean \"hangzhou\"?"})");
  }
  CHECK(world.backend.orders.empty());
}

TEST_CASE("what is no request is code 2, and says what one is") {
  World world;
  for (const char* text : {"hello", "[]", "7", "{}", "{\"cmd\":5}", "{\"cmd\":\"stauts\"}", "{\"cmd\":\"show\"}",
                           "{\"cmd\":\"up\",\"tunnel\":7}",
                           "{\"cmd\":\"rekey\",\"tunnel\":\"hangzhou\",\"ike\":true,\"child\":\"net\"}"}) {
    INFO(text);
    const std::string answer = world.answer(text);
    CHECK(at(answer, "/ok") == "false");
    CHECK(at(answer, "/code") == "2");
    CHECK(at(answer, "/error").size() > 10);
  }
  CHECK(at(world.answer("{\"cmd\":\"stauts\"}"), "/error") ==
        R"("there is no command \"stauts\"; did you mean \"status\"?")");
}

TEST_CASE("up is answered when the tunnel is established, and when it failed with the reason") {
  World world;
  TestClient client(world.path());
  CHECK(world.ask(client, "{\"cmd\":\"up\",\"tunnel\":\"branch\"}\n").empty());
  REQUIRE(world.backend.waiting.size() == 1);
  world.backend.waiting[0]({Outcome::Code::done, "established"});
  CHECK(client.read() == "{\"ok\":true,\"result\":{\"text\":\"established\"}}\n");
  CHECK(world.ask(client, "{\"cmd\":\"up\",\"tunnel\":\"branch\"}\n").empty());
  world.backend.waiting[1]({Outcome::Code::failed, "the peer is silent"});
  CHECK(client.read() == "{\"ok\":false,\"code\":1,\"error\":\"the peer is silent\"}\n");
  world.backend.waiting[1]({Outcome::Code::done, "twice"});
  CHECK(client.read().empty());
  CHECK(world.backend.orders == std::vector<std::string>{"up branch", "up branch"});
}

TEST_CASE("an order that ends at once is answered at once") {
  World world;
  world.backend.at_once = Outcome{Outcome::Code::done, "is up already"};
  CHECK(at(world.answer(R"({"cmd":"up","tunnel":"hangzhou"})"), "/result/text") == R"("is up already")");
  world.backend.at_once = Outcome{Outcome::Code::failed, "has no peer to begin with"};
  CHECK(at(world.answer(R"({"cmd":"up","tunnel":"hangzhou","wait":false})"), "/error") ==
        R"("has no peer to begin with")");
}

TEST_CASE("up without waiting answers that it has begun") {
  World world;
  CHECK(at(world.answer(R"({"cmd":"up","tunnel":"branch","wait":false})"), "/result/text") == R"("begun")");
  CHECK(world.backend.orders == std::vector<std::string>{"up branch"});
}

TEST_CASE("up that takes too long fails with what the tunnel waits for") {
  World world;
  world.backend.reports[1].down_reason.clear();
  world.backend.reports[1].stage = "waiting for the answer to IKE_SA_INIT (3 sent)";
  TestClient client(world.path());
  CHECK(world.ask(client, "{\"cmd\":\"up\",\"tunnel\":\"branch\",\"timeout\":5}\n").empty());
  world.pass(std::chrono::milliseconds(4999));
  CHECK(client.read().empty());
  world.pass(std::chrono::milliseconds(1));
  CHECK(at(client.read(), "/error") ==
        "\"not established within 5 s: waiting for the answer to IKE_SA_INIT (3 sent)\"");
  world.backend.waiting[0]({Outcome::Code::done, "late"});
  CHECK(client.read().empty());
}

TEST_CASE("rekey names what is to be renewed") {
  World world;
  world.backend.at_once = Outcome{Outcome::Code::done, "renewed"};
  world.answer(R"({"cmd":"rekey","tunnel":"hangzhou"})");
  world.answer(R"({"cmd":"rekey","tunnel":"hangzhou","ike":true})");
  world.answer(R"({"cmd":"rekey","tunnel":"hangzhou","child":"net"})");
  CHECK(world.backend.orders ==
        std::vector<std::string>{"rekey hangzhou all", "rekey hangzhou ike", "rekey hangzhou child net"});
}

TEST_CASE("requests of one client are answered in order, behind one that waits") {
  World world;
  TestClient client(world.path());
  CHECK(world.ask(client, "{\"cmd\":\"up\",\"tunnel\":\"branch\"}\n{\"cmd\":\"routes\"}\n{\"cmd\":\"neighbors\"}\n")
            .empty());
  TestClient other(world.path());
  CHECK_FALSE(world.ask(other, "{\"cmd\":\"status\"}\n").empty());
  world.backend.waiting[0]({Outcome::Code::done, "established"});
  world.settle();
  std::istringstream lines(client.read());
  std::string line;
  for (const char* expected : {"established", "routes", "neighbors"}) {
    REQUIRE(std::getline(lines, line));
    CHECK(line.find(expected) != std::string::npos);
  }
}

TEST_CASE("a client that leaves while it waits, and a server that ends first, leave nothing behind") {
  const std::size_t before = open_descriptors();
  FakeBackend backend;
  {
    World world;
    {
      TestClient client(world.path());
      world.ask(client, "{\"cmd\":\"up\",\"tunnel\":\"branch\"}\n");
      CHECK(world.server.clients() == 1);
    }
    world.settle();
    CHECK(world.server.clients() == 0);
    world.backend.waiting[0]({Outcome::Code::done, "established"});
    TestClient client(world.path());
    world.ask(client, "{\"cmd\":\"up\",\"tunnel\":\"branch\"}\n");
    backend.waiting = {world.backend.waiting[1]};
  }
  backend.waiting[0]({Outcome::Code::done, "established"});
  CHECK(open_descriptors() == before);
}

TEST_CASE("a client that says it will send no more still gets its answers") {
  World world;
  TestClient client(world.path());
  client.send("{\"cmd\":\"up\",\"tunnel\":\"branch\"}\n{\"cmd\":\"status\"}\n");
  client.end();
  world.settle();
  CHECK(client.read().empty());
  CHECK(world.server.clients() == 1);
  world.backend.waiting[0]({Outcome::Code::done, "established"});
  world.settle();
  const std::string text = client.read();
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
  CHECK(client.gone());
  CHECK(world.server.clients() == 0);
}

TEST_CASE("an order is carried out though its sender does not stay for the answer") {
  World world;
  {
    TestClient client(world.path());
    client.send("{\"cmd\":\"down\",\"tunnel\":\"branch\"}\n");
  }
  world.settle();
  CHECK(world.backend.orders == std::vector<std::string>{"down branch"});
  CHECK(world.server.clients() == 0);
}

TEST_CASE("log gives each line as an object, and follows with what comes, once and in order") {
  World world;
  world.backend.write("one");
  world.backend.write("two");
  TestClient once(world.path()), follower(world.path());
  const std::string text = world.ask(once, "{\"cmd\":\"log\"}\n");
  CHECK(text ==
        "{\"ok\":true,\"line\":{\"time\":\"2026-01-31T09:08:07.123Z\",\"level\":\"info\",\"tunnel\":\"hangzhou\","
        "\"text\":\"one\"}}\n"
        "{\"ok\":true,\"line\":{\"time\":\"2026-01-31T09:08:07.123Z\",\"level\":\"info\",\"tunnel\":\"hangzhou\","
        "\"text\":\"two\"}}\n"
        "{\"ok\":true,\"result\":{\"lines\":2}}\n");
  const std::string begun = world.ask(follower, "{\"cmd\":\"log\",\"follow\":true}\n");
  CHECK(std::count(begun.begin(), begun.end(), '\n') == 2);
  world.backend.write("three");
  world.backend.write("four");
  world.settle();
  const std::string more = follower.read();
  CHECK(std::count(more.begin(), more.end(), '\n') == 2);
  CHECK(more.find("three") < more.find("four"));
  TestClient second(world.path());
  world.ask(second, "{\"cmd\":\"log\",\"follow\":true}\n");
  world.backend.write("five");
  world.settle();
  CHECK(at(follower.read(), "/line/text") == R"("five")");
  CHECK(at(second.read(), "/line/text") == R"("five")");
  CHECK(once.read().empty());
  world.pass(std::chrono::hours(1));
  CHECK_FALSE(follower.gone());
}

TEST_CASE("a reader too slow for what it asked is dropped, and others are served on") {
  AdminLimits limits;
  limits.backlog = 64 * 1024;
  World world(limits);
  world.backend.write(std::string(1000, 'x'));
  TestClient slow(world.path()), other(world.path());
  world.ask(slow, "{\"cmd\":\"log\",\"follow\":true}\n");
  for (int i = 0; i < 2000 && world.server.clients() == 2; ++i) {
    world.backend.write(std::string(1000, 'y'));
    world.settle();
  }
  CHECK(world.server.clients() == 1);
  CHECK_FALSE(world.ask(other, "{\"cmd\":\"status\"}\n").empty());
}

TEST_CASE("an answer larger than the socket's buffer arrives whole as it is read") {
  World world;
  for (int i = 0; i < 900; ++i) world.backend.write(std::string(1000, 'z'));
  TestClient client(world.path());
  client.send("{\"cmd\":\"log\"}\n");
  std::string text;
  for (int i = 0; i < 1000 && text.find("\"result\"") == std::string::npos; ++i) {
    world.settle();
    text += client.read();
  }
  CHECK(std::count(text.begin(), text.end(), '\n') == 901);
  CHECK(text.ends_with("{\"ok\":true,\"result\":{\"lines\":900}}\n"));
}

TEST_CASE("a request that is too long is refused and its sender dropped") {
  World world;
  TestClient client(world.path());
  const std::string text = world.ask(client, std::string(20000, 'x'));
  CHECK(at(text, "/code") == "2");
  client.read();
  CHECK(client.gone());
  CHECK(world.server.clients() == 0);
}

TEST_CASE("one client too many is told so") {
  AdminLimits limits;
  limits.clients = 3;
  World world(limits);
  TestClient a(world.path()), b(world.path()), c(world.path()), d(world.path());
  CHECK_FALSE(world.ask(a, "{\"cmd\":\"status\"}\n").empty());
  CHECK_FALSE(world.ask(c, "{\"cmd\":\"status\"}\n").empty());
  CHECK(at(d.read(), "/error") == R"("too many clients on the admin socket")");
  CHECK(world.server.clients() == 3);
  a.close();
  world.settle();
  TestClient e(world.path());
  CHECK_FALSE(world.ask(e, "{\"cmd\":\"status\"}\n").empty());
}

TEST_CASE("a client that asks nothing is dropped after a minute") {
  World world;
  TestClient idle(world.path()), half(world.path()), waits(world.path());
  world.ask(half, "{\"cmd\":");
  world.ask(waits, "{\"cmd\":\"up\",\"tunnel\":\"branch\",\"timeout\":600}\n");
  world.pass(std::chrono::seconds(60));
  CHECK(world.server.clients() == 3);
  world.pass(std::chrono::milliseconds(1));
  CHECK(world.server.clients() == 1);
  world.backend.waiting[0]({Outcome::Code::done, "established"});
  CHECK_FALSE(waits.read().empty());
}

TEST_CASE("requests in pieces of one octet are put together") {
  World world;
  TestClient client(world.path());
  for (const char c : std::string("{\"cmd\":\"routes\"}\r")) {
    CHECK(world.ask(client, std::string(1, c)).empty());
  }
  CHECK(world.ask(client, "\n") == "{\"ok\":true,\"result\":{\"routes\":[]}}\n");
}

TEST_CASE("truncated and damaged requests get one answer each and harm nothing") {
  World world;
  world.backend.at_once = Outcome{Outcome::Code::done, "ok"};
  const std::string request = R"({"cmd":"rekey","tunnel":"hangzhou","ike":false,"child":"net","timeout":30})";
  TestClient client(world.path());
  const auto one_answer = [&](const std::string& text) {
    const std::string got = world.ask(client, text + "\n");
    REQUIRE(std::count(got.begin(), got.end(), '\n') == 1);
    REQUIRE(at(got, "/ok").find_first_of("tf") == 0);
  };
  for (std::size_t length = 1; length < request.size(); ++length) one_answer(request.substr(0, length));
  for (std::size_t i = 0; i < request.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      std::string text = request;
      text[i] = static_cast<char>(value);
      if (value != '\n') one_answer(text);
    }
  }
  one_answer("{\"cmd\":" + std::string(4000, '['));
  one_answer(R"({"cmd":"up","tunnel":"hangzhou","timeout":99999999999999999999})");
}

TEST_CASE("what is not UTF-8 in a report still makes JSON") {
  World world;
  world.backend.reports[1].down_reason = "\xff\xfe";
  CHECK(at(world.answer(R"({"cmd":"status"})"), "/ok") == "true");
}

TEST_CASE("many clients that come and go leave as many descriptors as before") {
  World world;
  world.settle();
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 300; ++i) {
    TestClient client(world.path());
    REQUIRE_FALSE(world.ask(client, "{\"cmd\":\"status\"}\n").empty());
  }
  world.settle();
  CHECK(open_descriptors() == before);
}

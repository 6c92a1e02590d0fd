// causewayctl itself, against a server in this process; and the tables it prints.
#include <spawn.h>
#include <sys/wait.h>

#include <sstream>
#include <thread>

#include "control/ctl_table.h"
#include "test/conf/conf_text.h"
#include "test/control/admin_fakes.h"
#include "test/control/json_text.h"
#include "test/support/catch.h"

using causeway::conf::testing::TempDir;
using namespace causeway::control;
using namespace causeway::control::testing;

namespace {

struct Run {
  int code = -1;
  std::string out, err;
};

// Runs causewayctl while `server` (where there is one) serves; `each_step` may act on the backend.
Run ctl(
    const TempDir& dir, std::vector<std::string> arguments, AdminServer* server = nullptr,
    const std::function<void()>& each_step = [] {}) {
  arguments.insert(arguments.begin(), {"causewayctl", "--socket", dir.file("c.sock")});
  std::vector<char*> argv;
  for (std::string& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);
  const std::string out = dir.file("out"), err = dir.file("err");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  REQUIRE(::posix_spawn(&child, CAUSEWAYCTL, &actions, nullptr, argv.data(), environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  const auto begun = std::chrono::steady_clock::now();
  while (::waitpid(child, &status, WNOHANG) == 0) {
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
    if (server != nullptr) server->poll(passed);
    each_step();
    REQUIRE(passed < std::chrono::seconds(60));  // stuck
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const auto all = [](const std::string& file) {
    std::ifstream stream(file);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, all(out), all(err)};
}

struct World {
  TempDir dir;
  FakeBackend backend;
  AdminServer server;
  World() : server(AdminSocket::open(dir.file("c.sock")).value(), backend) {
    backend.reports = {full_tunnel(), down_tunnel()};
  }
  Run run(
      std::vector<std::string> arguments, const std::function<void()>& each_step = [] {}) {
    return ctl(dir, std::move(arguments), &server, each_step);
  }
};

}  // namespace

TEST_CASE("causewayctl exits 0 when done, 1 when refused, 2 on usage, 3 without a daemon, 4 without the tunnel") {
  World world;
  world.backend.at_once = Outcome{Outcome::Code::done, "established"};
  Run run = world.run({"up", "branch"});
  CHECK(run.code == 0);
  CHECK(run.out == "established\n");
  world.backend.at_once = Outcome{Outcome::Code::failed, "the peer is silent"};
  run = world.run({"up", "branch"});
  CHECK(run.code == 1);
  CHECK(run.err == "causewayctl: the peer is silent\n");
  CHECK(run.out.empty());
  run = world.run({"down", "nowhere"});
  CHECK(run.code == 4);
  CHECK(run.err == "causewayctl: there is no tunnel \"nowhere\"\n");
  CHECK(world.run({"show", "nowhere"}).code == 4);
  CHECK(world.run({"show", "port", "nowhere"}).code == 1);
  for (const std::vector<std::string>& usage : {std::vector<std::string>{},
                                                {"bogus"},
                                                {"up"},
                                                {"up", "a", "b"},
                                                {"up", "a", "--timeout", "0"},
                                                {"show", "a", "b"},
                                                {"status", "--bogus"},
                                                {"rekey", "a", "--ike", "--child", "c"}}) {
    CHECK(world.run(usage).code == 2);
  }
  const TempDir empty;
  run = ctl(empty, {"status"});
  CHECK(run.code == 3);
  CHECK(run.err.find("no causewayd answers on " + empty.file("c.sock")) != std::string::npos);
}

TEST_CASE("the manual has every command that causewayctl offers") {
  std::ifstream stream(MANUAL);
  const std::string manual(std::istreambuf_iterator<char>(stream), {});
  std::istringstream help(ctl(TempDir(), {"--help"}).out);
  int commands = 0;
  bool listed = false;
  for (std::string line; std::getline(help, line);) {
    if (line.find("ubcommands:") != std::string::npos || line.find("UBCOMMANDS:") != std::string::npos) {
      listed = true;
      continue;
    }
    std::string name;
    std::istringstream(line) >> name;
    if (!listed || name.empty() || line.find(name) > 4) continue;  // deeper lines carry on a text
    ++commands;
    INFO(name);
    CHECK(manual.find(".It Cm " + name) != std::string::npos);
  }
  CHECK(commands == 14);
}

TEST_CASE("causewayctl up waits for the tunnel, for no longer than it was told, or not at all") {
  World world;
  bool answered = false;
  Run run = world.run({"up", "branch"}, [&] {
    if (world.backend.waiting.empty() || answered) return;
    answered = true;
    world.backend.waiting[0]({Outcome::Code::done, "established"});
  });
  CHECK(run.code == 0);
  CHECK(answered);
  run = world.run({"up", "branch", "--timeout", "1"});
  CHECK(run.code == 1);
  CHECK(run.err.starts_with("causewayctl: not established within 1 s: the peer refused our proof"));
  run = world.run({"up", "branch", "--no-wait"});
  CHECK(run.code == 0);
  CHECK(run.out == "begun\n");
}

TEST_CASE("causewayctl says that the daemon went away") {
  TempDir dir;
  FakeBackend backend;
  backend.reports = {full_tunnel()};
  auto server = std::make_unique<AdminServer>(AdminSocket::open(dir.file("c.sock")).value(), backend);
  AdminServer* current = server.get();
  const Run run = ctl(dir, {"up", "hangzhou"}, nullptr, [&] {
    if (current == nullptr) return;
    current->poll(std::chrono::milliseconds(0));
    if (backend.waiting.empty()) return;
    server.reset();
    current = nullptr;
  });
  CHECK(run.code == 3);
  CHECK(run.err == "causewayctl: causewayd went away\n");
}

TEST_CASE("causewayctl --json prints the documented objects and nothing else") {
  World world;
  Run run = world.run({"--json", "status"});
  CHECK(run.code == 0);
  CHECK(run.out.starts_with(R"({"tunnels":[{"name":"hangzhou","state":"established","ike":{)"));
  CHECK(std::count(run.out.begin(), run.out.end(), '\n') == 1);
  CHECK(at(run.out, "/tunnels/0/children/0/spi_in") == R"("0x0badcafe")");
  run = world.run({"status", "--json"});
  CHECK(at(run.out, "/tunnels/1/name") == R"("branch")");
  CHECK(at(world.run({"--json", "show", "hangzhou"}).out, "/ike/retransmitted") == "3");
  CHECK(at(world.run({"--json", "counters"}).out, "/drops") == "{}");
  run = world.run({"--json", "show", "nowhere"});
  CHECK(run.out == "{\"error\":\"there is no tunnel \\\"nowhere\\\"\",\"code\":4}\n");
  world.backend.write("one");
  world.backend.write("two");
  run = world.run({"--json", "log"});
  CHECK(run.out.find("\"text\":\"one\"}\n{") != std::string::npos);
}

TEST_CASE("causewayctl log -f prints what comes until the daemon ends") {
  TempDir dir;
  FakeBackend backend;
  backend.write("one");
  auto server = std::make_unique<AdminServer>(AdminSocket::open(dir.file("c.sock")).value(), backend);
  int steps = 0;
  const Run run = ctl(dir, {"log", "-f"}, nullptr, [&] {
    if (!server) return;
    server->poll(std::chrono::milliseconds(0));
    if (server->clients() == 0) return;
    if (++steps == 50) backend.write("two");
    if (steps == 100) server.reset();
  });
  CHECK(run.code == 3);
  CHECK(run.out == "2026-01-31T09:08:07.123Z info    hangzhou: one\n2026-01-31T09:08:07.123Z info    hangzhou: two\n");
}

TEST_CASE("status is a table with the reasons below") {
  const std::string text = printed_status({full_tunnel(), down_tunnel()}, false);
  // clang-format off
  CHECK(text ==
        "TUNNEL    STATE        PEER                   SUITE                         UP FOR  RENEWED            IN     OUT\n"
        "hangzhou  established  198.51.100.7:4500      aes256gcm16-prfsha384-ecp384  12 min  in 7 h 5 min                   NAT: us\n"
        "  net     in UDP       0x0badcafe 0x00c0ffee  aes256gcm16                           in 52 min     12.3 MB  1.1 kB\n"
        "branch    down         -                      -                             -       -\n"
        "\n"
        "branch: the peer refused our proof: the pre-shared keys differ, or it knows us by another identity\n");
  // clang-format on
  TunnelReport connecting = down_tunnel();
  connecting.down_reason = "connecting: waiting (3 sent)";
  connecting.stage = "waiting (3 sent)";
  CHECK(printed_status({connecting}, false).ends_with("\n\nbranch: connecting: waiting (3 sent)\n"));
  connecting.down_reason = "the peer fell silent";
  CHECK(printed_status({connecting}, false).ends_with("\n\nbranch: the peer fell silent\nbranch: waiting (3 sent)\n"));
  CHECK(printed_status({}, false) == "no tunnels are configured\n");
}

TEST_CASE("colour is only added where it is wanted, and does not move a column") {
  std::string coloured = printed_status({full_tunnel(), down_tunnel()}, true);
  CHECK(coloured.find("\033[32mestablished\033[0m") != std::string::npos);
  CHECK(coloured.find("\033[31mdown\033[0m") != std::string::npos);
  for (std::size_t at = 0; (at = coloured.find('\033')) != std::string::npos;)
    coloured.erase(at, coloured.find('m', at) - at + 1);
  CHECK(coloured == printed_status({full_tunnel(), down_tunnel()}, false));
}

TEST_CASE("a tunnel is shown in full") {
  const std::string text = printed_tunnel(full_tunnel(), false);
  INFO(text);
  for (const char* expected :
       {"tunnel hangzhou\n", "child SAs         3 established of 5 begun\n", "12 / 20 / 31 ms",
        "idle 30 s, retry 5 s, 5 tries; 8 sent, 6 received", "36 sent, peer's port 61002",
        "IKEv2, we are the initiator", "0x0123456789abcdef initiator",
        "protects          192.168.123.0/24 <-> 172.17.112.0/20", "12.3 MB, 10 123 packets, last 2 s ago", "last never",
        "clamped to 1398", "2048, highest 10 123", "soft limit in     52 min, 5 packets",
        "hard limit in     60 min, 7 B", "dropped           1 icv_failed", "before\n  the peer fell silent\n"}) {
    INFO(expected);
    CHECK(text.find(expected) != std::string::npos);
  }
}

TEST_CASE("answers of any shape print without harm, and nothing in them steers the terminal") {
  for (const char* text : {"null", "[]", "{}", "7", R"({"tunnels":[{}]})",
                           R"({"tunnels":[7,null,{"name":7,"ike":{},"children":[{},[]]}]})",
                           R"({"tunnels":7,"ports":[{"counters":[1]}],"drops":{"a":-1},"workers":[{"polls":0}]})",
                           R"({"routes":[{}],"neighbors":[[]]})"}) {
    for (const std::string& printed : printed_by_all(text)) CHECK_FALSE(printed.empty());
  }
  TunnelReport evil = down_tunnel();
  evil.down_reason = "x\033[2Jy\nz";
  CHECK(printed_status({evil}, false).find("x?[2Jy?z") != std::string::npos);
}

TEST_CASE("units are those that people read") {
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(999) == "999 B");
  CHECK(bytes_text(1000) == "1.0 kB");
  CHECK(bytes_text(999'949) == "999.9 kB");
  CHECK(bytes_text(999'960) == "1.0 MB");
  CHECK(bytes_text(UINT64_MAX) == "18.4 EB");
  CHECK(count_text(0) == "0");
  CHECK(count_text(9999) == "9999");
  CHECK(count_text(10'000) == "10 000");
  CHECK(count_text(12'345'678) == "12 345 678");
  CHECK(seconds_text(-5) == "0 s");
  CHECK(seconds_text(119) == "119 s");
  CHECK(seconds_text(120) == "2 min");
  CHECK(seconds_text(7200) == "2 h");
  CHECK(seconds_text(25500) == "7 h 5 min");
  CHECK(seconds_text(3 * 86400 + 4 * 3600) == "3 d 4 h");
}

TEST_CASE("causewayctl diagnose prints verdict, evidence and cures, in either language; rehearse asks first") {
  World world;
  Run run = world.run({"diagnose", "hangzhou"});
  CHECK(run.code == 0);
  CHECK(run.out.find("hangzhou: D9\nthe algorithms differ\n") != std::string::npos);
  CHECK(run.out.find("seen: theirs: aes128") != std::string::npos);
  CHECK(run.out.find("cure there: set the IPsec algorithms") != std::string::npos);
  run = world.run({"diagnose", "hangzhou", "--lang", "zh"});
  CHECK(run.out.find("算法不一致") != std::string::npos);
  run = world.run({"--json", "diagnose", "hangzhou"});
  CHECK(run.out.find(R"({"tunnel":"hangzhou","verdict":"D9","certain":false,"others":["D10"],"text":"the algorithms differ")") == 0);
  CHECK(run.out.find(R"("cure_here":"set esp.proposals","cure_there":"set the IPsec algorithms"})") != std::string::npos);
  CHECK(world.run({"diagnose", "nowhere"}).code == 4);
  CHECK(world.run({"diagnose", "hangzhou", "--lang", "fr"}).code == 2);
  CHECK(world.run({"diagnose"}).code == 2);

  world.backend.at_once = Outcome{Outcome::Code::done, "passed"};
  CHECK(world.run({"rehearse", "hangzhou"}).code == 0);
  CHECK(world.run({"rehearse", "hangzhou", "--yes"}).code == 0);
  CHECK(world.backend.orders == std::vector<std::string>{"rehearse hangzhou", "rehearse hangzhou sure"});
}

TEST_CASE("causewayctl console prints field by field, from the daemon or from a file, and says what is unverified") {
  World world;
  world.backend.console_of = "hangzhou";
  Run run = world.run({"console", "hangzhou"});
  CHECK(run.code == 0);
  CHECK(run.out ==
        "Alibaba, tunnel hangzhou\n  IKE version (unverified): IKEv2\n  DPD: on\nnote: publish the routes\n");
  run = world.run({"console", "hangzhou", "--lang", "zh"});
  CHECK(run.out.find("(未核实):IKEv2\n") != std::string::npos);
  run = world.run({"--json", "console", "hangzhou"});
  CHECK(run.out ==
        R"({"tunnel":"hangzhou","cloud":"aliyun","title":"Alibaba","lang":"en","fields":[{"parameter":"ike_version",)"
        R"("label":"IKE version","verified":false,"value":"IKEv2"},{"parameter":"dpd","label":"DPD","verified":true,)"
        R"("value":"on"}],"hints":["publish the routes"]})"
        "\n");
  CHECK(world.run({"console", "branch"}).code == 1);
  CHECK(world.run({"console", "nowhere"}).code == 4);
  CHECK(world.run({"console", "hangzhou", "--lang", "fr"}).code == 2);

  const TempDir dir;  // no daemon there
  const std::string file =
      dir.write("t.conf", causeway::conf::testing::changed("    psk_file", "    cloud = \"aliyun\"; psk_file"),
                std::filesystem::perms::owner_all);
  run = ctl(dir, {"console", "hangzhou", "--config", file});
  CHECK(run.code == 0);
  CHECK(run.out.starts_with("Alibaba Cloud VPN Gateway, tunnel hangzhou\n"));
  CHECK(run.out.find("  phase 1 DH group (unverified): DH group 14 (2048 bit)\n") != std::string::npos);
  CHECK(ctl(dir, {"console", "nowhere", "--config", file}).code == 4);
  CHECK(ctl(dir, {"console", "hangzhou", "--config", file + "x"}).code == 1);
}

TEST_CASE("causewayctl top says what the counters grew by in the time between") {
  World world;
  const Run run = world.run({"--json", "top", "--count", "1"}, [&] {
    world.backend.reports[0].children[0].bytes_in += 1;  // at each step, so that something grew
  });
  CHECK(run.code == 0);
  CHECK(run.out.starts_with("{\"interval_s\":"));
  CHECK(run.out.find("\"name\":\"hangzhou\",\"state\":\"established\",\"bits_in_s\":") != std::string::npos);
  const std::string rate = "\"bits_in_s\":";
  CHECK(std::stol(run.out.substr(run.out.find(rate) + rate.size())) > 0);  // hangzhou's, the first
  CHECK(world.run({"top", "--interval", "0"}).code == 2);
  const TempDir empty;
  CHECK(ctl(empty, {"top", "--count", "1"}).code == 3);
}

TEST_CASE(
    "causewayctl import writes a configuration and the keys beside it, readable by nobody else, and over nothing") {
  const TempDir dir;
  const std::string source = dir.write(
      "swanctl.conf",
      "connections { a { version = 2\n remote_addrs = 198.51.100.9\n local { auth = psk }\n children { n { local_ts = "
      "10.1.0.0/16\n remote_ts = 10.2.0.0/16 } } } }\nsecrets { ike { secret = \"never shown\" } }\n",
      std::filesystem::perms::owner_all);
  Run run = ctl(dir, {"import", source});
  CHECK(run.code == 0);
  CHECK(run.out.find("psk_file = \"a.psk\";") != std::string::npos);
  CHECK(run.err.find("to be made, mode 600, with the pre-shared key of that file: a.psk") != std::string::npos);
  CHECK((run.out + run.err).find("never shown") == std::string::npos);
  CHECK_FALSE(std::filesystem::exists(dir.file("a.psk")));

  run = ctl(dir, {"import", source, "-o", dir.file("new.conf"), "--cloud", "aws"});
  CHECK(run.code == 0);
  CHECK(run.out.empty());
  using std::filesystem::perms;
  for (const char* made : {"new.conf", "a.psk"})
    CHECK((std::filesystem::status(dir.file(made)).permissions() & perms::all) ==
          (perms::owner_read | perms::owner_write));
  std::ifstream key(dir.file("a.psk"));
  CHECK(std::string(std::istreambuf_iterator<char>(key), {}) == "never shown");
  const auto loaded = causeway::conf::load(dir.file("new.conf"),
                                           {.check_proposal = {}, .check_files = false});
  INFO(causeway::conf::testing::all_of(loaded.report.errors));
  CHECK(loaded.config.tunnels.at(0).cloud == "aws");
  CHECK(loaded.config.tunnels.at(0).psk_file == dir.file("a.psk"));

  run = ctl(dir, {"import", source, "-o", dir.file("new.conf")});
  CHECK(run.code == 1);
  CHECK(run.err.find("is there already, and is not written over") != std::string::npos);
  CHECK(ctl(dir, {"import", source, "--cloud", "moon"}).code == 1);
  CHECK(ctl(dir, {"import", dir.file("nothing")}).code == 1);
  CHECK(ctl(dir, {"import", dir.write("x", "hello\n", perms::owner_all)}).code == 1);
  CHECK(ctl(dir, {"import"}).code == 2);
}

// Why tunnels went down, kept in a file: what is written is read again, what is not ours is put aside and named.
#include <filesystem>
#include <fstream>

#include "control/down_history.h"
#include "control/traffic_watch.h"
#include "test/support/catch.h"

namespace causeway::control {
namespace {

using namespace std::chrono_literals;

struct Folder {
  Folder() {
    std::string name = "/tmp/causeway-history.XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  [[nodiscard]] std::string file() const { return path + "/history"; }
  std::string path;
};

PastFall fall(int n) {
  return {std::chrono::sys_seconds(std::chrono::seconds(1'769'850'000 + n)), 3600s, 12s, false, ike::Cause::expired,
          ike::Symptom::other_pfs, "number " + std::to_string(n)};
}

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("history: the last falls of each tunnel are there again after a restart", "[history]") {
  Folder folder;
  DownHistory first;
  CHECK_FALSE(first.load(folder.path));
  for (int i = 0; i < 40; ++i) first.add("hangzhou", fall(i));
  PastFall odd = fall(7);
  odd.text = "tabs\tand\nline breaks";
  first.add("a name", odd);
  REQUIRE(first.save());
  CHECK_FALSE(first.unsaved());
  DownHistory again;
  CHECK_FALSE(again.load(folder.path));
  REQUIRE(again.of("hangzhou").size() == DownHistory::kKept);
  CHECK(again.of("hangzhou").front() == fall(40 - static_cast<int>(DownHistory::kKept)));
  CHECK(again.of("hangzhou").back() == fall(39));
  CHECK(again.of("a name").front().text == "tabs and line breaks");
  CHECK(again.of("nobody").empty());
  CHECK_FALSE(std::filesystem::exists(folder.file() + ".new"));
}

TEST_CASE("history: a file that was cut off, changed or is none is put aside and named", "[history]") {
  Folder folder;
  DownHistory writer;
  writer.load(folder.path);
  writer.add("net", fall(1));
  writer.add("net", fall(2));
  REQUIRE(writer.save());
  const std::string whole = read(folder.file());
  REQUIRE(DownHistory::from_text(whole));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(DownHistory::from_text(whole.substr(0, length)));
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {  // nothing that is read is out of bounds or too much
    std::string changed = whole;
    for (const char c : {'\t', '\n', '-', '9', '\0'}) {
      changed[at] = c;
      if (const auto falls = DownHistory::from_text(changed)) CHECK(DownHistory::from_text(DownHistory::to_text(*falls)));
    }
  }
  std::ofstream(folder.file()) << "not ours\n";
  DownHistory reader;
  const auto complaint = reader.load(folder.path);
  REQUIRE(complaint);
  CHECK(complaint->find(folder.file() + ".corrupt") != std::string::npos);
  CHECK(read(folder.file() + ".corrupt") == "not ours\n");
  CHECK_FALSE(std::filesystem::exists(folder.file()));
  reader.add("net", fall(3));
  CHECK(reader.save());
  CHECK(DownHistory::from_text(read(folder.file())));
}

TEST_CASE("history: a directory that cannot be written is a sentence, not an end", "[history]") {
  Folder folder;
  std::ofstream(folder.path + "/file") << "x";
  DownHistory history;
  history.load(folder.path + "/file/below");
  history.add("net", fall(1));
  const auto saved = history.save();
  REQUIRE_FALSE(saved);
  CHECK(saved.error().find("below") != std::string::npos);
}

TEST_CASE("traffic: questions wait until they are answered, across rekeys", "[history]") {
  TrafficWatch watch;
  const auto sa = [](std::uint32_t spi, dataplane::SaCounters c) { return TrafficWatch::Seen{spi, c}; };
  dataplane::SaCounters out, in;
  out.packets = out.echo_asked = 4;
  watch.look({}, std::vector{sa(1, out)}, ike::Time(1000));
  auto t = watch.traffic(ike::Time(3000));
  CHECK(t.echo_out.unanswered == 4);
  CHECK(t.echo_out.first == diagnosis::Ago(2000));
  CHECK_FALSE(t.last_in);
  out.packets = out.echo_asked = 2;  // of the SA that took its place
  watch.look({}, std::vector{sa(2, out)}, ike::Time(4000));
  CHECK(watch.traffic(ike::Time(4000)).echo_out.unanswered == 6);
  CHECK(watch.traffic(ike::Time(4000)).packets_out == 6);
  in.packets = in.own = 3;  // answers to probes are no traffic
  watch.look(std::vector{sa(3, in)}, std::vector{sa(2, out)}, ike::Time(5000));
  CHECK_FALSE(watch.traffic(ike::Time(5000)).last_in);
  in.packets = 4;
  in.echo_answered = 1;
  watch.look(std::vector{sa(3, in)}, std::vector{sa(2, out)}, ike::Time(6000));
  t = watch.traffic(ike::Time(6000));
  CHECK(t.echo_out.unanswered == 0);
  CHECK(t.echo_out.answered == 1);
  CHECK(t.last_in == diagnosis::Ago(0));
  out.tcp_asked = 5;
  watch.look(std::vector{sa(3, in)}, std::vector{sa(2, out)}, ike::Time(7000));
  CHECK(watch.traffic(ike::Time(8000)).tcp_out.unanswered == 5);
  CHECK(watch.traffic(ike::Time(200'000)).tcp_out.unanswered == 0);  // whoever asked has given up
}

}  // namespace causeway::control

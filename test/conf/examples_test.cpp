#include <fstream>
#include <random>
#include <sstream>

#include "conf/describe.h"
#include "test/conf/conf_text.h"
#include "test/support/catch.h"

using causeway::conf::describe;
using causeway::conf::Loaded;
using causeway::conf::LoadOptions;
using causeway::conf::testing::all_of;

namespace {

std::string example(const std::string& name) {
  const std::string path = std::string(EXAMPLES_DIR) + "/" + name;
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  REQUIRE(text.str().size() > 100);
  return text.str();
}

// Without comments: every octet that is left has a meaning worth damaging.
std::string without_comments(const std::string& text) {
  std::istringstream lines(text);
  std::string out, line;
  while (std::getline(lines, line)) {
    const std::size_t end =
        line.find_last_not_of(' ', line.find('#') == std::string::npos ? line.size() : line.find('#') - 1);
    if (line.find('#') == 0 || end == std::string::npos) continue;
    out += line.substr(line.find_first_not_of(' '), line.find('#') - line.find_first_not_of(' ')) + "\n";
  }
  return out;
}

Loaded load_example(const std::string& text) {
  return causeway::conf::load_text(text, "x.conf",
                                   {.check_proposal = {}, .check_files = false});
}

// Whatever the text: it loads and can be described, or every error has a place and words.
void digest(const std::string& text) {
  const Loaded loaded = load_example(text);
  if (loaded.ok()) {
    REQUIRE_FALSE(describe(loaded).empty());
    return;
  }
  const auto lines = static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1;
  for (const auto& error : loaded.report.errors) {
    INFO(error.str());
    REQUIRE(error.reason.size() > 5);
    REQUIRE(error.reason.size() < 2000);
    REQUIRE(error.line >= 0);
    if (error.file == "x.conf") REQUIRE(error.line <= lines);
  }
}

// Every key the loader knows, by group: an unknown key in each kind of group makes it list them.
std::vector<std::pair<std::string, std::string>> known_keys(int& groups) {
  const Loaded loaded = load_example(
      "qqqqqqqqqqqq = 1; ports = ( { qqqqqqqqqqqq = 1; } ); routes = ( { qqqqqqqqqqqq = 1; } ); policies = ( { "
      "qqqqqqqqqqqq = 1; } ); rules = ( { qqqqqqqqqqqq = 1; } ); crypto = ( { qqqqqqqqqqqq = 1; } ); tunnels = ( { "
      "qqqqqqqqqqqq = 1; translate = ( { qqqqqqqqqqqq = 1; } ); ike = { qqqqqqqqqqqq = 1; dpd = { qqqqqqqqqqqq = 1; }; "
      "}; esp = { qqqqqqqqqqqq = 1; }; } );");
  std::vector<std::pair<std::string, std::string>> keys;
  for (const auto& error : loaded.report.errors) {
    const std::string intro = "is not a known key; known here: ";
    if (!error.reason.starts_with(intro)) continue;
    ++groups;
    std::istringstream names(error.reason.substr(intro.size()));
    for (std::string name; std::getline(names >> std::ws, name, ',');) {
      if (name == "http" || name == "vti") continue;  // not in this version
      keys.emplace_back(error.key, name);
    }
  }
  return keys;
}

// As a key of its own (".Ic name", ".It Ic a , name") or inside a literal group ("name = ").
bool manual_names(const std::string& manual, const std::string& name) {
  std::istringstream lines(manual);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(name + " = ") != std::string::npos) return true;
    if (line.find("Ic ") == std::string::npos) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (word == name) return true;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("the examples load without an error") {
  for (const char* name : {"minimal.conf", "full.conf", "certificates.conf", "alibaba-ikev1.conf", "alibaba-nat.conf",
                           "alibaba-ikev2.conf", "tencent-main.conf", "tencent-aggressive.conf", "ctyun-ikev1-psk.conf",
                           "ctyun-ikev2-cert.conf", "load-balancer.conf"}) {
    const Loaded loaded = load_example(example(name));
    INFO(name);
    INFO(all_of(loaded.report.errors));
    CHECK(loaded.ok());
    CHECK_FALSE(describe(loaded).empty());
  }
}

TEST_CASE("the full example and the manual have every key that the loader knows") {
  const std::string text = example("full.conf");
  const std::string manual = example("../man/causeway.conf.5");
  int groups = 0;
  for (const auto& [group, name] : known_keys(groups)) {
    INFO(group << " " << name);
    CHECK(text.find(name + " = ") != std::string::npos);
    CHECK(manual_names(manual, name));
  }
  CHECK(groups == 11);
}

TEST_CASE("every truncation of the full example is digested") {
  const std::string text = without_comments(example("full.conf"));
  for (std::size_t length = 0; length < text.size(); ++length) digest(text.substr(0, length));
}

TEST_CASE("every octet of the full example, changed, is digested") {
  const std::string text = without_comments(example("full.conf"));
  std::mt19937 random(11);
  const std::string nasty = "\"\\;{}()[]=,#0-\n\x80\xff@";
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string mutated = text;
    mutated[i] = static_cast<char>(mutated[i] ^ (1 << random() % 8));
    digest(mutated);
    mutated[i] = nasty[random() % nasty.size()];
    digest(mutated);
  }
}

TEST_CASE("deep nesting and long lines are digested") {
  for (const char* open : {"(", "a={", "a=(("}) {
    for (const int depth : {10, 100, 5000, 100000}) {
      std::string text = "a = ";
      for (int i = 0; i < depth; ++i) text += open;
      digest(text);
    }
  }
  digest("name = \"" + std::string(1 << 20, 'x') + "\";");
  digest(std::string(1 << 16, 'k') + " = 1;");
  digest("workers = [" + std::string(1 << 16, '9') + "];");
  digest("workers = [99999999999, -99999999999, 0xffffffffffffffffff];");
}

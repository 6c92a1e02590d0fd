// The diagnosis over facts: each row from what it is known by, no row from a healthy tunnel, and no confident verdict
// where two things are wrong. And its words: both languages, the same placeholders.
#include <algorithm>
#include <functional>
#include <set>

#include "control/diagnosis/engine.h"
#include "control/diagnosis/rules.h"
#include "control/diagnosis/texts.h"
#include "test/support/catch.h"

namespace causeway::control::diagnosis {
namespace {

using enum ike::Symptom;
using ike::Symptom;
using namespace std::chrono_literals;

Facts net() {
  Facts f;
  f.tunnel = "net";
  f.peer = "203.0.113.2";
  f.local = f.local_id = "198.51.100.2";
  f.esp_lifetime_s = 3600;
  f.ike_lifetime_s = 86400;
  f.wanted = {{"net", "10.10.1.0/24 === 10.20.1.0/24", false}};
  return f;
}

Facts down(Symptom s, int version = 2) {
  Facts f = net();
  f.version = version;
  f.failure = {ike::Cause::peer_silent, s, "what was seen", "aes256", "aes128"};
  return f;
}

Facts up() {
  Facts f = net();
  f.up = true;
  f.wanted.front().up = true;
  f.path.liveness = f.path.esp_ever_in = f.path.native = true;
  f.traffic.packets_in = f.traffic.packets_out = 100;
  f.traffic.last_in = f.traffic.last_out = 100ms;
  return f;
}

Asked in_vain(std::uint64_t count) { return {count, Ago(10s), Ago(1s), 0}; }

Fall fall(std::chrono::milliseconds up, Symptom s, std::chrono::milliseconds idle = 0ms) {
  return {Ago(60s), up, idle, ike::Cause::expired, s};
}

std::string row(const Facts& f) {
  const Verdict v = diagnose(f, conf::Language::english);
  return v.row + (v.certain ? "" : "?");
}

bool names(const Facts& f, const std::string& other) {
  const Verdict v = diagnose(f, conf::Language::english);
  return std::ranges::find(v.others, other) != v.others.end();
}

std::multiset<std::string> placeholders(std::string_view text) {
  std::multiset<std::string> out;
  for (std::size_t at = text.find('{'); at != std::string_view::npos; at = text.find('{', at + 1)) {
    out.emplace(text.substr(at, text.find('}', at) - at + 1));
  }
  return out;
}

}  // namespace

TEST_CASE("diagnosis: what ended the attempt gives the row", "[diagnosis]") {
  const struct {
    Symptom symptom;
    int version;
    std::string row;
  } cases[] = {
      {other_key, 1, "D1"},          {other_key, 2, "D1"},        {unproven, 1, "D1?"},
      {other_version, 2, "D2"},      {other_algorithms, 1, "D2"}, {refused_first, 2, "D2"},
      {other_mode, 1, "D3"},         {identity_refused, 1, "D3"}, {authentication_refused, 2, "D3"},
      {unproven, 2, "D3?"},          {other_identity, 2, "D4"},   {silent, 2, "D5"},
      {silent_4500, 1, "D5?"},       {key_exchange_lost, 1, "D5"}, {dead, 2, "D5"},
      {unknown_address, 2, "D6"},    {other_selectors, 1, "D7"},  {aggressive_hash, 1, "D8"},
      {quick_hash, 1, "D8"},         {other_esp, 2, "D9"},        {esp_or_pfs, 1, "D9?"},
      {other_pfs, 1, "D10"},         {holds_old_sas, 1, "A1"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.row, c.version);
    CHECK(row(down(c.symptom, c.version)) == c.row);
    Facts taken_down = down(c.symptom, c.version);
    taken_down.taken_down = true;
    CHECK(row(taken_down) == "unknown");
  }
  CHECK(row(down(none)) == "unknown?");  // down for a reason that no row is about: no guess
  CHECK(diagnose(down(none), conf::Language::english).text.find("what was seen") != std::string::npos);
}

TEST_CASE("diagnosis: an inside address as identity behind a NAT is told from a wrong key", "[diagnosis]") {
  Facts f = down(authentication_refused);
  f.nat_us = true;
  CHECK(row(f) == "D3");  // our identity is a public address
  f.local_id = "192.168.1.2";
  f.local_id_private = true;
  CHECK(row(f) == "A2?");
  CHECK(names(f, "D3"));  // the key may be wrong as well: IKEv2 says the same
  f.nat_us = false;
  CHECK(row(f) == "D3");
}

TEST_CASE("diagnosis: who begins", "[diagnosis]") {
  Facts f = net();
  f.begins = false;
  CHECK(row(f) == "F2");
  f.connecting = true;
  CHECK(row(f) == "unknown?");
  Facts silent_to_us = down(silent);
  silent_to_us.by_peer = 2;
  CHECK(row(silent_to_us) == "F2?");
  CHECK(names(silent_to_us, "D5"));
  silent_to_us.by_us = 1;
  CHECK(row(silent_to_us) == "D5");
}

TEST_CASE("diagnosis: a tunnel that does not stay", "[diagnosis]") {
  Facts f = up();
  f.falls = {fall(3600s, expired)};
  CHECK(row(f) == "healthy");  // once is no pattern
  f.falls = {fall(3600s, expired), fall(3605s, expired)};
  CHECK(row(f) == "F3");
  f.falls = {fall(3600s, deleted), fall(3605s, deleted)};  // by the time alone
  CHECK(diagnose(f, conf::Language::english).cure_here.find("pfs") != std::string::npos);
  f.falls = {fall(200s, dead), fall(4000s, silent)};
  CHECK(diagnose(f, conf::Language::english).cure_here.find("dpd") != std::string::npos);
  f.falls = {fall(200s, deleted, 180s), fall(400s, deleted, 300s)};
  CHECK(diagnose(f, conf::Language::english).cure_here.find("probe_host") != std::string::npos);
  f.falls = {fall(200s, deleted), fall(400s, dead), fall(50s, none)};
  CHECK(row(f) == "F3");

  Facts pfs = down(silent);  // now it is silent as well: both are named
  pfs.falls = {fall(3600s, other_pfs), fall(3600s, other_pfs), fall(20s, none)};
  CHECK(row(pfs) == "F3");
  Facts expired_then = down(esp_or_pfs);  // it was up with the same algorithms until its rekey was refused
  expired_then.falls = {fall(3600s, other_pfs)};
  CHECK(row(expired_then) == "D10");
  Facts rekey_refused = up();
  rekey_refused.failure = {ike::Cause::peer_refused_proposal, other_pfs, "refused with PFS", "", ""};
  CHECK(row(rekey_refused) == "D10");
}

TEST_CASE("diagnosis: a healthy tunnel is called healthy", "[diagnosis]") {
  CHECK(row(up()) == "healthy");
  Facts idle = up();
  idle.traffic = {};
  idle.path.esp_ever_in = false;
  CHECK(row(idle) == "healthy");
  Facts one_way = up();  // logs to a collector: nothing of it wants an answer
  one_way.traffic.packets_in = 0;
  one_way.traffic.last_in = std::nullopt;
  one_way.path.esp_ever_in = false;
  CHECK(row(one_way) == "healthy");
  one_way.path.probe_host = "10.20.1.2";
  one_way.path.probe_configured = one_way.path.probe_answered = true;
  CHECK(row(one_way) == "healthy");
  Facts other_way = up();
  other_way.traffic.packets_out = 0;
  other_way.traffic.last_out = std::nullopt;
  CHECK(row(other_way) == "healthy");
  Facts pings = up();  // two lost, or the answers still on their way
  pings.traffic.echo_out = in_vain(2);
  CHECK(row(pings) == "healthy");
  pings.traffic.echo_out = {20, Ago(500ms), Ago(10ms), 0};
  CHECK(row(pings) == "healthy");
  pings.traffic.echo_out = in_vain(20);  // one host is off, others answer
  CHECK(row(pings) == "healthy");
}

TEST_CASE("diagnosis: up, and nothing comes back, or nothing goes back", "[diagnosis]") {
  Facts f = up();
  f.traffic.last_in = std::nullopt;
  f.traffic.packets_in = 0;
  f.traffic.echo_out = in_vain(5);
  CHECK(row(f) == "F5");
  f.cloud = "aliyun";
  CHECK(row(f) == "A4");

  Facts here = up();
  here.traffic.last_out = std::nullopt;
  here.traffic.tcp_in = in_vain(5);
  CHECK(row(here) == "F4");
  here.traffic.no_neighbor = 5;
  CHECK(diagnose(here, conf::Language::english).cure_here.find("neighbors") != std::string::npos);

  Facts ports = up();
  ports.traffic.tcp_out = in_vain(4);
  ports.traffic.asked_host = "10.20.1.2";
  ports.traffic.asked_port = 22;
  CHECK(row(ports) == "F7?");
  ports.traffic.asked_host_answers_ping = true;
  CHECK(row(ports) == "F7");
  CHECK(diagnose(ports, conf::Language::english).text.find("port 22") != std::string::npos);

  Facts large = up();
  large.path.found = 1000;
  large.path.most = 1500;
  CHECK(row(large) == "F7");

  Facts nat = f;
  nat.traffic.outside_selectors = 5;
  nat.traffic.outside_source = "203.0.113.2";
  CHECK(row(nat) == "F6");  // it explains why no answer is seen
  nat.traffic.outside_source_is_theirs = true;
  CHECK(row(nat) == "A4");
}

TEST_CASE("diagnosis: ESP that does not come through", "[diagnosis]") {
  Facts f = up();
  f.path.esp_ever_in = false;
  f.traffic.packets_in = 0;
  f.traffic.last_in = std::nullopt;
  f.path.probe_host = "10.20.1.2";
  f.path.probe_configured = f.path.probe_silent = true;
  CHECK(row(f) == "L1");
  f.traffic.echo_out = in_vain(5);
  CHECK(row(f) == "L1");
  Facts nat = f;
  nat.nat_peer = true;  // ESP is in UDP then
  CHECK(row(nat) == "F5");
  Facts tried = f;
  tried.path.trial_failed = true;
  CHECK(row(tried) == "F5");
  Facts switched = up();
  switched.path.switched_to_udp = true;
  CHECK(row(switched) == "L1");
}

TEST_CASE("diagnosis: IKE and ESP from two addresses", "[diagnosis]") {
  Facts two = up();
  two.path.ike_from = "203.0.113.2";
  two.path.esp_from = "203.0.113.77";
  CHECK(row(two) == "L1");
  for (const auto language : {conf::Language::english, conf::Language::chinese}) {
    const Verdict v = diagnose(two, language);
    for (const std::string& part : {v.text, v.evidence.front()}) {
      CHECK(part.find("203.0.113.2") != std::string::npos);
      CHECK(part.find("203.0.113.77") != std::string::npos);
    }
    CHECK(v.cure_here.find("203.0.113.2") != std::string::npos);
    CHECK(v.cure_there.find("4500") != std::string::npos);
  }
  Facts both = two;  // perhaps ours do not reach the peer, perhaps its hosts are silent
  both.traffic.echo_out = in_vain(5);
  both.traffic.last_in = std::nullopt;
  CHECK(row(both) == "L1?");
  CHECK(names(both, "F5"));
  Facts silent_now = down(silent);
  CHECK(diagnose(silent_now, conf::Language::english).evidence.back().find("authentic") == std::string::npos);
  silent_now.path = two.path;
  CHECK(row(silent_now) == "D5");
  CHECK(diagnose(silent_now, conf::Language::english).evidence.back().find("authentic ESP from 203.0.113.77") != std::string::npos);
}

TEST_CASE("diagnosis: parts of the networks", "[diagnosis]") {
  Facts narrowed = up();
  narrowed.narrowed = {"10.10.2.0/24 === 10.20.1.0/24"};
  CHECK(row(narrowed) == "D11");
  Facts pairs = up();
  pairs.pairs = true;
  pairs.wanted.push_back({"net-2", "10.10.2.0/24 === 10.20.1.0/24", false});
  CHECK(row(pairs) == "healthy");  // it is not refused: on its way
  pairs.failure = {ike::Cause::selectors_refused, other_selectors, "refused", "", ""};
  CHECK(row(pairs) == "F8");
  CHECK(diagnose(pairs, conf::Language::english).cure_there.find("10.10.2.0/24") != std::string::npos);
}

TEST_CASE("diagnosis: two faults at once are both named, and neither for certain", "[diagnosis]") {
  Facts f = up();
  f.narrowed = {"10.10.2.0/24 === 10.20.1.0/24"};
  f.traffic.tcp_in = in_vain(5);
  f.traffic.last_out = std::nullopt;
  const Verdict v = diagnose(f, conf::Language::english);
  CHECK(v.row == "D11");
  CHECK_FALSE(v.certain);
  CHECK(v.others == std::vector<std::string>{"F4"});
  CHECK(v.text.find("F4") != std::string::npos);

  // Every pair of what can go wrong while the tunnel is up: certain only where one explains the other.
  const auto add_pfs = [](Facts& g) { g.failure = {ike::Cause::peer_refused_proposal, other_pfs, "refused", "", ""}; };
  const auto add_narrowed = [](Facts& g) { g.narrowed = {"10.1.0.0/16 === 10.2.0.0/16"}; };
  const auto add_vain_in = [](Facts& g) { g.traffic.tcp_in = in_vain(5), g.traffic.last_out = std::nullopt; };
  const auto add_vain_out = [](Facts& g) { g.traffic.echo_out = in_vain(5), g.traffic.last_in = std::nullopt; };
  const auto add_large = [](Facts& g) { g.path.found = 1000, g.path.most = 1500; };
  const auto add_falls = [](Facts& g) { g.falls = {fall(200s, dead), fall(900s, dead)}; };
  const std::vector<std::pair<std::string, std::function<void(Facts&)>>> faults = {
      {"D10", add_pfs}, {"D11", add_narrowed}, {"F4", add_vain_in}, {"F5", add_vain_out}, {"F7", add_large}, {"F3", add_falls}};
  for (const auto& [a, add_a] : faults) {
    for (const auto& [b, add_b] : faults) {
      if (a == b) continue;
      Facts g = up();
      add_a(g);
      add_b(g);
      const Verdict both = diagnose(g, conf::Language::english);
      CAPTURE(a, b, both.row);
      CHECK_FALSE(both.certain);
      std::set<std::string> named(both.others.begin(), both.others.end());
      named.insert(both.row);
      CHECK(named == std::set<std::string>{a, b});
    }
  }
}

TEST_CASE("diagnosis: every text is there in both languages, with the same placeholders", "[diagnosis]") {
  std::set<std::string_view> keys;
  for (const Text& t : texts()) {
    CAPTURE(t.key);
    CHECK(keys.insert(t.key).second);
    CHECK_FALSE(t.en.empty());
    CHECK_FALSE(t.zh.empty());
    CHECK(placeholders(t.en) == placeholders(t.zh));
    const bool has_han = std::ranges::any_of(t.zh, [](char c) { return static_cast<unsigned char>(c) >= 0xe4; });
    CHECK((has_han || t.zh == t.en));
  }
  std::set<std::string> used;
  for (const Rule& rule : rules()) {
    for (const char* part : {".text", ".here", ".there"}) used.insert(std::string(rule.key) + part);
    for (const std::string_view e : rule.evidence) used.emplace(e);
    const auto all = rows();
    for (const std::string_view r : rule.or_else) CHECK(std::ranges::find(all, r) != all.end());
    for (const std::string_view r : rule.explains) CHECK(std::ranges::find(all, r) != all.end());
  }
  for (const std::string& key : used) {
    CAPTURE(key);
    CHECK(keys.contains(key));
  }
  for (const std::string_view key : keys) {
    CAPTURE(key);
    const bool whole = key == "uncertain" || key.starts_with("healthy.") || key.starts_with("unknown.");
    CHECK((whole || used.contains(std::string(key))));
  }
}

TEST_CASE("diagnosis: both languages come to the same verdict, and no placeholder is left", "[diagnosis]") {
  for (const Symptom s : {other_key, other_version, authentication_refused, other_identity, silent, unknown_address,
                          other_selectors, quick_hash, other_esp, other_pfs, holds_old_sas}) {
    const Verdict en = diagnose(down(s), conf::Language::english), zh = diagnose(down(s), conf::Language::chinese);
    CHECK(en.row == zh.row);
    CHECK(en.certain == zh.certain);
    CHECK(en.evidence.size() == zh.evidence.size());
    for (const std::string& t : {en.text, zh.text, en.cure_here, zh.cure_here, en.cure_there, zh.cure_there}) {
      CHECK_FALSE(t.empty());
      CHECK(t.find('{') == std::string::npos);
    }
  }
}

TEST_CASE("diagnosis: the rows are those that this command answers", "[diagnosis]") {
  const auto got = rows();
  const std::set<std::string_view> all(got.begin(), got.end());
  CHECK(all == std::set<std::string_view>{"D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10", "D11", "F2", "F3",
                                          "F4", "F5", "F6", "F7", "F8", "A1", "A2", "A4", "L1"});
}

}  // namespace causeway::control::diagnosis

#include "control/diagnosis/engine.h"

#include <algorithm>
#include <functional>

#include "control/diagnosis/rules.h"
#include "control/diagnosis/texts.h"

namespace causeway::control::diagnosis {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : ", ") + p;
  return out;
}

std::string seconds(std::chrono::milliseconds t) { return std::to_string((t.count() + 500) / 1000); }

std::string missing_pairs(const Facts& f) {
  std::vector<std::string> out;
  for (const Pair& p : f.wanted) {
    if (!p.up) out.push_back(p.what);
  }
  return joined(out);
}

const Asked& more(const Asked& a, const Asked& b) { return b.unanswered > a.unanswered ? b : a; }

Values values_of(const Facts& f) {
  const Traffic& t = f.traffic;
  const Asked &out = more(t.tcp_out, t.echo_out), &in = more(t.tcp_in, t.echo_in);
  Values v = {
      {"tunnel", f.tunnel},
      {"peer", f.peer},
      {"local", f.local},
      {"local_id", f.local_id},
      {"version", std::to_string(f.version)},
      {"other_version", std::to_string(f.version == 1 ? 2 : 1)},
      {"reason", f.failure.text},
      {"ours", f.failure.ours},
      {"theirs", f.failure.theirs},
      {"icmp", f.icmp},
      {"stage", f.stage},
      {"attempts", std::to_string(f.attempts)},
      {"by_peer", std::to_string(f.by_peer)},
      {"narrowed", joined(f.narrowed)},
      {"missing", missing_pairs(f)},
      {"pairs_up", std::to_string(std::ranges::count_if(f.wanted, &Pair::up))},
      {"pairs", std::to_string(f.wanted.size())},
      {"falls", std::to_string(f.falls.size())},
      {"in", std::to_string(t.packets_in)},
      {"out", std::to_string(t.packets_out)},
      {"asked_out", std::to_string(out.unanswered)},
      {"asked_in", std::to_string(in.unanswered)},
      {"syns", std::to_string(t.tcp_out.unanswered)},
      {"echoes", std::to_string(t.echo_out.answered)},
      {"host", t.asked_host.empty() ? "?" : t.asked_host},
      {"port", std::to_string(t.asked_port)},
      {"outside", std::to_string(t.outside_selectors)},
      {"source", t.outside_source},
      {"no_child", std::to_string(t.no_child)},
      {"nowhere", std::to_string(t.no_neighbor + t.no_route)},
      {"probe", f.path.probe_host},
      {"ike_from", f.path.ike_from},
      {"esp_from", f.path.esp_from},
      {"found", std::to_string(f.path.found)},
      {"most", std::to_string(f.path.most)},
      {"mss", std::to_string(f.path.mss)},
      {"dpd", std::to_string(f.dpd_sent)},
      {"resent", std::to_string(f.retransmitted)},
  };
  if (!f.falls.empty()) {
    const Fall& last = f.falls.back();
    v["up_for"] = seconds(last.up);
    v["idle"] = seconds(last.idle);
    v["ago"] = seconds(last.at);
  }
  return v;
}

// Whether there is something to say under that key.
bool seen(std::string_view key, const Facts& f) {
  const Traffic& t = f.traffic;
  const std::pair<std::string_view, bool> conditions[] = {
      {"ev.reason", !f.failure.text.empty()},
      {"ev.offers", !f.failure.ours.empty() && !f.failure.theirs.empty()},
      {"ev.icmp", !f.icmp.empty()},
      {"ev.no_icmp", f.icmp.empty()},
      {"ev.nat", f.nat_us},
      {"ev.nat_peer", f.nat_peer},
      {"ev.ids", !f.failure.theirs.empty()},
      {"ev.still_up", f.up},
      {"ev.no_child", t.no_child > 0},
      {"ev.probe_answered", f.path.probe_answered},
      {"ev.probe_silent", f.path.probe_silent && !f.path.probe_answered},
      {"ev.liveness", f.path.liveness},
      {"ev.last_fall", !f.falls.empty()},
      {"ev.dpd", f.dpd_sent > 0},
      {"ev.echo", t.echo_out.answered > 0},
      {"ev.two_addresses", !f.path.esp_from.empty()},
  };
  const auto found = std::ranges::find(conditions, key, &std::pair<std::string_view, bool>::first);
  return found == std::end(conditions) || found->second;
}

Verdict without_row(const Facts& f, conf::Language language, const Values& values) {
  Verdict v;
  v.tunnel = f.tunnel;
  if (f.up) {
    v.text = fill("healthy.text", language, values);
    v.evidence = {fill("ev.counts", language, values)};
    return v;
  }
  v.row = "unknown";
  const bool begun = f.connecting && f.failure.text.empty();
  const std::string_view key = f.taken_down ? "unknown.taken_down" : begun ? "unknown.connecting" : "unknown.other";
  v.certain = f.taken_down;
  v.text = fill(key, language, values);
  v.cure_here = fill(f.taken_down ? "unknown.up" : begun ? "unknown.wait" : "unknown.reason", language, values);
  v.cure_there = fill("unknown.there", language, values);
  return v;
}

}  // namespace

Verdict diagnose(const Facts& f, conf::Language language) {
  const Values values = values_of(f);
  std::vector<const Rule*> hold;
  for (const Rule& rule : rules()) {
    if (rule.holds(f)) hold.push_back(&rule);
  }
  const auto explained = [&](const Rule* rule) {
    return std::ranges::any_of(hold, [&](const Rule* by) {
      return by->row != rule->row && std::ranges::find(by->explains, rule->row) != by->explains.end();
    });
  };
  std::vector<const Rule*> left;
  std::ranges::copy_if(hold, std::back_inserter(left), [&](const Rule* rule) { return !explained(rule); });
  if (left.empty()) return without_row(f, language, values);

  const Rule& first = *left.front();
  Verdict v;
  v.tunnel = f.tunnel;
  v.row = first.row;
  const auto other = [&](std::string_view row) {
    if (row != first.row && std::ranges::find(v.others, row) == v.others.end()) v.others.emplace_back(row);
  };
  for (const Rule* rule : left) other(rule->row);
  for (const std::string_view row : first.or_else) other(row);
  v.certain = v.others.empty();
  const std::string key(first.key);
  Values with = values;
  with["others"] = joined(v.others);
  if (!v.certain) v.text = fill("uncertain", language, with);
  v.text += fill(key + ".text", language, values);
  v.cure_here = fill(key + ".here", language, values);
  v.cure_there = fill(key + ".there", language, values);
  for (const Rule* rule : left) {
    for (const std::string_view e : rule->evidence) {
      std::string line = seen(e, f) ? fill(e, language, values) : std::string();
      if (!line.empty() && std::ranges::find(v.evidence, line) == v.evidence.end()) v.evidence.push_back(std::move(line));
    }
  }
  return v;
}

std::vector<std::string_view> rows() {
  std::vector<std::string_view> out;
  for (const Rule& rule : rules()) {
    if (std::ranges::find(out, rule.row) == out.end()) out.push_back(rule.row);
  }
  return out;
}

}  // namespace causeway::control::diagnosis

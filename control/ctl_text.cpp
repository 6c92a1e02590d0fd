#include "control/ctl_text.h"

#include "control/ctl_fields.h"
#include "control/ctl_table.h"

namespace causeway::control {
namespace {

Paint state_paint(const std::string& state) {
  if (state == "established" || state == "up" || state == "reachable") return Paint::good;
  return state == "connecting" || state == "stale" || state == "incomplete" ? Paint::wait : Paint::bad;
}

std::string in_text(const Json& json, const char* key) {
  const auto seconds = number_at(json, key);
  if (!seconds) return "-";
  return *seconds <= 0 ? "now" : "in " + seconds_text(*seconds);
}

std::string bytes_at(const Json& json, const char* key) {
  return bytes_text(static_cast<std::uint64_t>(number_at(json, key).value_or(0)));
}

std::string count_at(const Json& json, const char* key) {
  return count_text(static_cast<std::uint64_t>(number_at(json, key).value_or(0)));
}

// Why it is not up, and what it is doing about it, where that says more.
std::vector<std::pair<std::string, std::string>> reasons_of(const Json& tunnel) {
  std::vector<std::pair<std::string, std::string>> reasons;
  if (member(tunnel, "notice").is_string()) reasons.emplace_back("note", text_at(tunnel, "notice"));
  if (member(tunnel, "down_reason").is_string()) reasons.emplace_back("why", text_at(tunnel, "down_reason"));
  if (!member(tunnel, "stage").is_string()) return reasons;
  const std::string stage = text_at(tunnel, "stage");
  if (reasons.empty() || reasons[0].second.find(stage) == std::string::npos) reasons.emplace_back("now", stage);
  return reasons;
}

// The tunnel's own row, then one for each child.
void status_rows(const Json& tunnel, Table& table) {
  const std::string state = text_at(tunnel, "state");
  const Json& ike = member(tunnel, "ike");
  if (ike.is_object()) {
    const auto since = number_at(ike, "established_s");
    std::string nat = text_at(ike, "nat");
    if (nat == "none") nat.clear();
    table.row({{text_at(tunnel, "name"), Paint::bold},
               {state, state_paint(state)},
               {text_at(ike, "remote")},
               {text_at(ike, "suite")},
               {state == "established" && since ? seconds_text(*since) : "-"},
               {in_text(ike, "rekey_in_s")},
               {"", Paint::plain, true},
               {"", Paint::plain, true},
               {nat.empty() ? "" : "NAT: " + nat, Paint::dim}});
  } else {
    table.row({{text_at(tunnel, "name"), Paint::bold},
               {state, state_paint(state)},
               {"-"},
               {"-"},
               {"-"},
               {"-"},
               {"", Paint::plain, true},
               {"", Paint::plain, true},
               {""}});
  }
  for (const Json& child : list_at(tunnel, "children")) {
    table.row({{"  " + text_at(child, "name")},
               {text_at(child, "encap") == "udp" ? "in UDP" : "native", Paint::dim},
               {text_at(child, "spi_in") + " " + text_at(child, "spi_out"), Paint::dim},
               {text_at(child, "suite")},
               {""},
               {in_text(child, "rekey_in_s")},
               {bytes_at(child, "bytes_in"), Paint::plain, true},
               {bytes_at(child, "bytes_out"), Paint::plain, true},
               {""}});
  }
}

std::string limits_text(const Json& left) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
  if (const auto seconds = number_at(left, "s")) add(seconds_text(*seconds));
  if (const auto bytes = number_at(left, "bytes")) add(bytes_text(static_cast<std::uint64_t>(*bytes)));
  if (const auto packets = number_at(left, "packets"))
    add(count_text(static_cast<std::uint64_t>(*packets)) + " packets");
  return out.empty() ? "no limit" : out;
}

std::string ago_text(const Json& json, const char* key) {
  const auto seconds = number_at(json, key);
  return seconds ? seconds_text(*seconds) + " ago" : "never";
}

std::string join(const Json& list, const char* separator) {
  std::string out;
  for (const Json& item : list) {
    if (!item.is_string()) continue;
    if (!out.empty()) out += separator;
    out += printable(item.get<std::string>());
  }
  return out.empty() ? "-" : out;
}

// "name  value" lines under a heading.
class Sheet {
 public:
  explicit Sheet(bool colour) : colour_(colour) {}
  void heading(const std::string& text) { out_ += painted(text, Paint::bold, colour_) + "\n"; }
  void line(const std::string& name, const std::string& value) {
    constexpr std::size_t kColumn = 18;
    out_ += "  " + name + std::string(name.size() < kColumn ? kColumn - name.size() : 1, ' ') + value + "\n";
  }
  [[nodiscard]] std::string str() const { return out_; }

 private:
  bool colour_;
  std::string out_;
};

void child_sheet(const Json& child, Sheet& sheet) {
  sheet.heading("child " + text_at(child, "name"));
  sheet.line("protects", join(list_at(child, "local"), ", ") + " <-> " + join(list_at(child, "remote"), ", "));
  sheet.line("suite", text_at(child, "suite") + (text_at(child, "encap") == "udp" ? ", in UDP" : ", native ESP"));
  sheet.line("SPIs", text_at(child, "spi_in") + " in, " + text_at(child, "spi_out") + " out");
  sheet.line("in", bytes_at(child, "bytes_in") + ", " + count_at(child, "packets_in") + " packets, last " +
                       ago_text(child, "last_in_s"));
  sheet.line("out", bytes_at(child, "bytes_out") + ", " + count_at(child, "packets_out") + " packets, last " +
                        ago_text(child, "last_out_s"));
  const auto mss = number_at(child, "mss").value_or(0);
  sheet.line("MTU", count_at(child, "mtu") + ", TCP segments " +
                        (mss == 0 ? "not clamped" : "clamped to " + std::to_string(mss)));
  const auto behind = number_at(child, "replay_distance").value_or(0);
  sheet.line("replay window",
             count_at(child, "replay_window") + ", highest " + count_at(child, "sequence_in") +
                 (behind == 0 ? "" : ", dropped up to " + count_at(child, "replay_distance") + " behind it"));
  sheet.line("last sent", count_at(child, "sequence_out"));
  sheet.line("renewed", in_text(child, "rekey_in_s"));
  sheet.line("soft limit in", limits_text(member(child, "soft_left")));
  sheet.line("hard limit in", limits_text(member(child, "hard_left")));
  for (const auto& [name, count] : member(child, "drops").items()) {
    if (count.is_number_unsigned() && count.get<std::uint64_t>() != 0)
      sheet.line("dropped", count_text(count.get<std::uint64_t>()) + " " + printable(name));
  }
}

void ike_sheet(const Json& ike, Sheet& sheet) {
  sheet.heading("IKE");
  sheet.line("version", "IKEv" + count_at(ike, "version") + ", we are the " + text_at(ike, "role"));
  sheet.line("from", text_at(ike, "local") + " as " + text_at(ike, "local_id"));
  sheet.line("to", text_at(ike, "remote") + " as " + text_at(ike, "remote_id"));
  sheet.line("NAT", text_at(ike, "nat"));
  sheet.line("suite", text_at(ike, "suite"));
  sheet.line("SPIs", text_at(ike, "spi_initiator") + " initiator, " + text_at(ike, "spi_responder") + " responder");
  sheet.line("established", ago_text(ike, "established_s"));
  sheet.line("renewed", in_text(ike, "rekey_in_s"));
  sheet.line("sent again", count_at(ike, "retransmitted") + " messages");
}

void worker_table(const Json& counters, std::string& out, bool colour) {
  Table workers({"WORKER", "RECEIVED", "SENT", "HANDED OVER", "BUSY", "SAS IN", "SAS OUT"});
  for (const Json& w : list_at(counters, "workers")) {
    const auto polls = number_at(w, "polls").value_or(0), idle = number_at(w, "idle_polls").value_or(0);
    const std::string busy = polls > 0 ? std::to_string((polls - idle) * 100 / polls) + " %" : "-";
    table_row(workers, {"core " + count_at(w, "core"), count_at(w, "rx"), count_at(w, "tx"), count_at(w, "handed_over"),
                        busy, count_at(w, "sas_inbound"), count_at(w, "sas_outbound")});
  }
  if (!workers.empty()) out += workers.str(colour);
}

}  // namespace

std::string status_text(const Json& status, bool colour) {
  Table table({"TUNNEL", "STATE", "PEER", "SUITE", "UP FOR", "RENEWED", "IN", "OUT", ""});
  std::string reasons;
  for (const Json& tunnel : list_at(status, "tunnels")) {
    status_rows(tunnel, table);
    for (const auto& [name, text] : reasons_of(tunnel)) reasons += text_at(tunnel, "name") + ": " + text + "\n";
  }
  if (table.empty()) return "no tunnels are configured\n";
  return table.str(colour) + (reasons.empty() ? "" : "\n" + reasons);
}

std::string tunnel_text(const Json& tunnel, bool colour) {
  const std::string state = text_at(tunnel, "state");
  Sheet sheet(colour);
  sheet.heading("tunnel " + text_at(tunnel, "name"));
  sheet.line("state", painted(state, state_paint(state), colour));
  for (const auto& [name, text] : reasons_of(tunnel)) sheet.line(name, text);
  sheet.line("port", text_at(tunnel, "port"));
  if (const Json& group = member(tunnel, "group"); group.is_object()) {
    const std::string probe = text_at(group, "probe");
    sheet.line("group", text_at(group, "name") + ", weight " + count_at(group, "weight") +
                            (member(group, "in_use") == true ? ", carries the traffic" : ", stands by") +
                            (probe == "-" ? "" : ", the probe's host " + std::string(probe == "answers" ? "answers" : "is silent")));
  }
  for (const auto& [key, name] : {std::pair{"ike_sas", "IKE SAs"}, {"child_sas", "child SAs"}}) {
    const Json& counts = member(tunnel, key);
    sheet.line(name, count_at(counts, "established") + " established of " + count_at(counts, "created") + " begun");
    if (number_at(counts, "dropped").value_or(0) != 0) {
      sheet.line("dropped", count_at(counts, "dropped") + " begun by the peer, although role = initiator");
    }
  }
  const Json& negotiation = member(tunnel, "negotiation_ms");
  if (number_at(negotiation, "min")) {
    sheet.line("negotiation", count_at(negotiation, "min") + " / " + count_at(negotiation, "avg") + " / " +
                                  count_at(negotiation, "max") + " ms (least, mean, most)");
  }
  const Json& dpd = member(tunnel, "dpd");
  sheet.line("dead peer check",
             text_at(dpd, "mode") + "; " + count_at(dpd, "sent") + " sent, " + count_at(dpd, "received") + " received");
  const Json& natt = member(tunnel, "natt");
  const auto peer_port = number_at(natt, "peer_port");
  sheet.line("NAT keepalives", count_at(natt, "keepalives_sent") + " sent" +
                                   (peer_port ? ", peer's port " + std::to_string(*peer_port) : ""));
  if (member(tunnel, "ike").is_object()) ike_sheet(member(tunnel, "ike"), sheet);
  for (const Json& child : list_at(tunnel, "children")) child_sheet(child, sheet);
  if (!list_at(tunnel, "falls").empty()) sheet.heading("went down");
  for (const Json& fall : list_at(tunnel, "falls")) {
    sheet.line(count_at(fall, "ago_s") + " s ago", "up for " + count_at(fall, "up_s") + " s: " + text_at(fall, "reason"));
  }
  if (!list_at(tunnel, "history").empty()) sheet.heading("before");
  std::string out = sheet.str();
  for (const Json& cause : list_at(tunnel, "history"))
    out += "  " + (cause.is_string() ? printable(cause.get<std::string>()) : "-") + "\n";
  return out;
}

std::string ports_text(const Json& ports, bool colour) {
  std::string out;
  for (const Json& port : list_at(ports, "ports")) {
    const std::string link = member(port, "up") == true ? "up" : "down";
    Sheet sheet(colour);
    sheet.heading("port " + text_at(port, "name"));
    sheet.line("device", text_at(port, "device") + " (" + text_at(port, "driver") + ")");
    sheet.line("link", painted(link, state_paint(link), colour));
    sheet.line("MAC", text_at(port, "mac"));
    sheet.line("trusted", member(port, "trusted") == true ? "yes" : "no");
    sheet.line("MTU", count_at(port, "mtu"));
    if (member(port, "host").is_string()) sheet.line("kernel's part", text_at(port, "host"));
    sheet.line("queues", count_at(port, "rx_queues") + " to receive, " + count_at(port, "tx_queues") + " to send");
    if (const std::string dealt = text_at(port, "steering"); dealt != "-") sheet.line("dealt", dealt);
    for (const Json& fallback : list_at(port, "fallbacks")) {
      if (fallback.is_string()) sheet.line("fallback", printable(fallback.get<std::string>()));
    }
    for (const auto& [name, count] : member(port, "counters").items()) {
      if (count.is_number_unsigned() && count.get<std::uint64_t>() != 0)
        sheet.line(printable(name), count_text(count.get<std::uint64_t>()));
    }
    out += sheet.str();
  }
  return out.empty() ? "no ports\n" : out;
}

std::string counters_text(const Json& counters, bool colour) {
  std::string out;
  worker_table(counters, out, colour);
  Table drops({"DROPPED", "PACKETS"});
  for (const auto& [name, count] : member(counters, "drops").items()) {
    if (count.is_number_unsigned() && count.get<std::uint64_t>() != 0)
      table_row(drops, {printable(name), count_text(count.get<std::uint64_t>())});
  }
  out += "\n" + (drops.empty() ? "nothing was dropped\n" : drops.str(colour));
  Table treated({"TREATED", "PACKETS"});
  for (const auto& [name, count] : member(counters, "treated").items()) {
    if (count.is_number_unsigned() && count.get<std::uint64_t>() != 0)
      table_row(treated, {printable(name), count_text(count.get<std::uint64_t>())});
  }
  if (!treated.empty()) out += "\n" + treated.str(colour);
  Table rules({"RULE", "ACTION", "PACKETS"});
  for (const Json& r : list_at(counters, "rules"))
    table_row(rules, {text_at(r, "name"), text_at(r, "action"), count_at(r, "packets")});
  if (!rules.empty()) out += "\n" + rules.str(colour);
  Table crypto({"SUITE", "LEVEL", "API"});
  for (const Json& c : list_at(counters, "crypto"))
    crypto.row({{text_at(c, "suite")}, {text_at(c, "level")}, {text_at(c, "api")}});
  if (!crypto.empty()) out += "\n" + crypto.str(colour);
  Table pools({"POOL", "IN USE", "OF"});
  for (const Json& p : list_at(counters, "pools"))
    table_row(pools, {text_at(p, "name"), count_at(p, "in_use"), count_at(p, "size")});
  if (!pools.empty()) out += "\n" + pools.str(colour);
  return out;
}

std::string routes_text(const Json& routes, bool colour) {
  Table table({"TO", "VIA", "PORT", "ORIGIN", "DISTANCE", ""});
  for (const Json& r : list_at(routes, "routes")) {
    table.row({{text_at(r, "to")},
               {text_at(r, "via")},
               {text_at(r, "port")},
               {text_at(r, "origin")},
               {count_at(r, "distance"), Paint::plain, true},
               {member(r, "active") == false ? "not used" : "", Paint::dim}});
  }
  return table.empty() ? "no routes\n" : table.str(colour);
}

std::string neighbors_text(const Json& neighbors, bool colour) {
  Table table({"PORT", "ADDRESS", "MAC", "STATE", "AGE"});
  for (const Json& n : list_at(neighbors, "neighbors")) {
    const std::string state = text_at(n, "state");
    table.row({{text_at(n, "port")},
               {text_at(n, "address")},
               {text_at(n, "mac")},
               {state, state_paint(state)},
               {seconds_text(number_at(n, "age_s").value_or(0))}});
  }
  return table.empty() ? "no neighbors are known\n" : table.str(colour);
}

// Lines, not columns: what is wide differs between scripts and terminals.
std::string console_text(const Json& sheet) {
  const bool zh = text_at(sheet, "lang") == "zh";
  std::string out = text_at(sheet, "title") + (zh ? ",隧道 " : ", tunnel ") + text_at(sheet, "tunnel") + "\n";
  for (const Json& field : list_at(sheet, "fields")) {
    out += "  " + text_at(field, "label");
    if (member(field, "verified") != true) out += zh ? "(未核实)" : " (unverified)";
    out += (zh ? ":" : ": ") + text_at(field, "value") + "\n";
  }
  for (const Json& hint : list_at(sheet, "hints")) {
    if (hint.is_string()) out += (zh ? "注意:" : "note: ") + printable(hint.get<std::string>()) + "\n";
  }
  return out;
}

std::string verdict_text(const Json& verdict, bool chinese) {
  const auto line = [&](const char* en, const char* zh, const std::string& text) {
    return text.empty() || text == "-" ? std::string() : (chinese ? std::string(zh) + ":" : std::string(en) + ": ") + text + "\n";
  };
  std::string out = text_at(verdict, "tunnel") + ": " + text_at(verdict, "verdict") + "\n" + text_at(verdict, "text") + "\n";
  for (const Json& e : list_at(verdict, "evidence")) {
    if (e.is_string()) out += line("  seen", "  依据", printable(e.get<std::string>()));
  }
  out += line("  cure here", "  本端处理", text_at(verdict, "cure_here"));
  return out + line("  cure there", "  对端处理", text_at(verdict, "cure_there"));
}

std::string log_text(const Json& line, bool colour) {
  const std::string level = text_at(line, "level");
  const Paint paint = level == "error"     ? Paint::bad
                      : level == "warning" ? Paint::wait
                      : level == "debug"   ? Paint::dim
                                           : Paint::plain;
  const std::string about = member(line, "tunnel").is_string() ? text_at(line, "tunnel") + ": " : "";
  return text_at(line, "time") + " " + painted(level, paint, colour) +
         std::string(level.size() < 7 ? 8 - level.size() : 1, ' ') + about + text_at(line, "text") + "\n";
}

}  // namespace causeway::control

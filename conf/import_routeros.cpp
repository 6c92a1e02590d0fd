// RouterOS: `/ip ipsec peer add address=...`, as typed in a terminal (the prompt shows the menu), as a script, or as
// `/export` prints it (the menu on a line of its own, commands below).
#include <algorithm>
#include <map>
#include <set>

#include "conf/import_parts.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

struct Command {
  std::string menu, verb;  // "ip ipsec peer", "add"
  std::map<std::string, std::string, std::less<>> values;
  int line = 0;

  [[nodiscard]] std::string get(std::string_view key, std::string_view otherwise = "") const {
    const auto found = values.find(key);
    return found == values.end() ? std::string(otherwise) : found->second;
  }
  [[nodiscard]] bool has(std::string_view key) const { return values.contains(key); }
};

bool is_verb(std::string_view word) {
  static const std::set<std::string_view> kVerbs = {"add",    "set",    "print",   "move",    "remove", "edit",
                                                    "enable", "export", "disable", "comment", "find",   "monitor"};
  return kVerbs.contains(word);
}

// One word; quotes and brackets keep spaces. `at` moves behind it.
std::string next_word(std::string_view line, std::size_t& at) {
  std::string word;
  int brackets = 0;
  bool quoted = false;
  for (; at < line.size(); ++at) {
    const char c = line[at];
    if (quoted && c == '\\' && at + 1 < line.size()) {
      const char escaped = line[++at];
      word += escaped == '_' ? ' ' : escaped;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == ' ' || c == '\t') && brackets == 0) {
      break;
    } else {
      if (!quoted && c == '[') ++brackets;
      if (!quoted && c == ']' && brackets > 0) --brackets;
      word += c;
    }
  }
  return word;
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] == ' ' || line[at] == '\t') {
      ++at;
    } else {
      words.push_back(next_word(line, at));
    }
  }
  return words;
}

class Reader {
 public:
  std::vector<Command> commands;

  void read(std::string_view text) {
    int number = 0, first = 0;
    std::string joined;
    for (const std::string_view raw : lines_of(text)) {
      ++number;
      if (joined.empty()) first = number;
      std::string_view line = trimmed(raw);
      const bool goes_on = !line.empty() && line.back() == '\\';
      if (goes_on) line.remove_suffix(1);
      joined += line;
      if (goes_on && joined.size() < 65536) continue;
      take(joined, first);
      joined.clear();
    }
    if (!joined.empty()) take(joined, first);
  }

 private:
  void take(std::string_view line, int number) {
    line = trimmed(line);
    // "[admin@MikroTik] /ip ipsec peer> add ...": the menu is in the prompt.
    if (line.starts_with("[")) {
      const std::size_t close = line.find(']'), mark = line.find('>');
      if (close == std::string_view::npos || mark == std::string_view::npos || mark < close) return;
      menu_.clear();
      enter(line.substr(close + 1, mark - close - 1));
      line = trimmed(line.substr(mark + 1));
    }
    if (line.empty() || line.front() == '#') return;
    const std::vector<std::string> words = words_of(line);
    std::size_t i = 0;
    if (words[0].starts_with("/"))
      menu_.clear();
    else if (!is_verb(words[0]) && words[0] != ".." && !in_ipsec_menu(words[0]))
      return;  // prose, or a menu of others
    for (; i < words.size() && !is_verb(words[i]) && words[i].find('=') == std::string::npos; ++i) enter(words[i]);
    if (i == words.size() || !is_verb(words[i])) return;
    Command command{menu(), words[i], {}, number};
    for (++i; i < words.size(); ++i) {
      const std::size_t equals = words[i].find('=');
      if (words[i].starts_with("[") || equals == std::string::npos) {
        command.values["[which]"] += words[i];
      } else {
        command.values[words[i].substr(0, equals)] = words[i].substr(equals + 1);
      }
    }
    commands.push_back(std::move(command));
    // `add` in a menu below the prompt's does not move the prompt; the next line says where it is.
  }
  static bool in_ipsec_menu(std::string_view word) {
    for (const std::string_view known : {"profile", "peer", "identity", "proposal", "policy", "ipsec", "ip"}) {
      if (word == known) return true;
    }
    return false;
  }
  void enter(std::string_view path) {
    for (const std::string_view part : split(path, " /")) {
      if (part == "..") {
        if (!menu_.empty()) menu_.pop_back();
      } else if (menu_.size() < 8) {
        menu_.emplace_back(part);
      }
    }
  }
  [[nodiscard]] std::string menu() const {
    std::string text;
    for (const std::string& part : menu_) text += (text.empty() ? "" : " ") + part;
    return text;
  }
  std::vector<std::string> menu_;
};

// "1d", "30m", "00:30:00", "1d00:00:00".
std::optional<Seconds> time_of(std::string_view text) {
  std::uint64_t days = 0;
  std::string_view clock = text;
  if (const std::size_t d = text.find('d'); d != std::string_view::npos && text.find(':') != std::string_view::npos) {
    const auto given = whole_number(text.substr(0, d));
    if (!given || *given > 3660) return std::nullopt;
    days = *given;
    clock = text.substr(d + 1);
  }
  const auto parts = split(clock, ":");
  if (parts.size() == 3) {
    const auto h = whole_number(parts[0]), m = whole_number(parts[1]), s = whole_number(parts[2]);
    if (!h || !m || !s || *h > 99999 || *m > 59 || *s > 59) return std::nullopt;
    return Seconds(days * 86400 + *h * 3600 + *m * 60 + *s);
  }
  const auto duration = parse_duration(text);
  return duration ? std::optional(*duration) : std::nullopt;
}

class RouterOs {
 public:
  explicit RouterOs(std::vector<Command> commands) : commands_(std::move(commands)) {}

  tl::expected<Imported, std::string> run() {
    for (const Command& c : commands_) {
      if (c.menu == "ip ipsec peer" && c.verb == "add" && c.get("disabled") != "yes") gateway(c);
    }
    if (draft_.config().tunnels.empty()) return tl::unexpected(std::string("has no `/ip ipsec peer add`"));
    for (const Command& c : commands_) leave(c);
    return draft_.take();
  }

 private:
  // The last command that adds or sets an element of that name, or an empty one: RouterOS's defaults.
  [[nodiscard]] Command element(const std::string& menu, const std::string& name) const {
    Command found;
    found.menu = menu;
    for (const Command& c : commands_) {
      if (c.menu != menu || (c.verb != "add" && c.verb != "set")) continue;
      const std::string which = c.get("[which]");
      const bool by_default = c.verb == "set" && name == "default" &&
                              (which.find("default=yes") != std::string::npos || which == "0" || which == "default");
      if (c.get("name") != name && !by_default) continue;
      for (const auto& [key, value] : c.values) found.values[key] = value;
      found.line = c.line;
    }
    return found;
  }

  void gateway(const Command& peer) {
    Tunnel& t = draft_.tunnel(peer.get("name", "routeros"), peer.line);
    const std::string mode = peer.get("exchange-mode", "main");
    t.ike.version = mode == "ike2" ? 2 : 1;
    if (mode == "aggressive") t.ike.mode = IkeMode::aggressive;
    if (mode == "base") draft_.note(peer.line, "exchange-mode base does not exist here: main is used");
    const auto address = Prefix::parse(peer.get("address"));
    t.remote =
        address && (address->length == 32 || address->length == 128) ? address->address.str() : peer.get("address");
    if (address && address->length == 0) t.remote = "any";
    if (!parse_remote(t.remote)) {
      draft_.note(peer.line, "the peer's address of " + t.name + " is missing or not understood: FILL IN remote");
      t.remote = "198.51.100.1";
    }
    if (const auto own = IpAddress::parse(peer.get("local-address"))) draft_.own_address(*own);
    if (peer.get("passive") == "yes") t.role = Role::responder;
    if (t.remote == "any" || t.role == Role::responder) t.start = Start::wait;
    profile(element("ip ipsec profile", peer.get("profile", "default")), t);
    identity(peer, t);
    policies(peer, t);
  }

  void profile(const Command& p, Tunnel& t) {
    std::vector<std::string> ciphers = words(p, "enc-algorithm", "aes-128,3des", cipher_word);
    std::vector<std::string> hashes = words(p, "hash-algorithm", "sha1", hash_word);
    std::vector<std::string> groups = words(p, "dh-group", "modp2048,modp1024", group_word);
    if (p.has("prf-algorithm") && p.get("prf-algorithm") != "auto")
      draft_.note(p.line, "prf-algorithm " + p.get("prf-algorithm") + ": the PRF here goes with the hash");
    t.ike.proposals = proposals_of(ciphers, hashes, groups, true);
    if (t.ike.proposals.empty()) {
      draft_.note(p.line, "no algorithm of the profile exists here: FILL IN ike.proposals");
      t.ike.proposals = {"aes256-sha256-modp2048"};
    }
    if (const auto life = duration(p, "lifetime"))
      t.ike.lifetime = std::max(*life, Seconds(10));
    else
      t.ike.lifetime = Seconds(86400);
    if (p.get("lifebytes", "0") != "0")
      draft_.note(p.line, "lifebytes of phase 1 is not carried over: there is none here");
    if (p.get("dpd-interval") == "disable-dpd")
      t.ike.dpd.idle = Seconds(0);
    else if (const auto idle = duration(p, "dpd-interval"))
      t.ike.dpd.idle = std::min(*idle, Seconds(86400));
    const auto tries = whole_number(p.get("dpd-maximum-failures", "5"));
    if (tries && *tries >= 1 && *tries <= 100) t.ike.dpd.tries = static_cast<int>(*tries);
    if (p.get("nat-traversal") == "no") draft_.note(p.line, "nat-traversal=no: a NAT is always looked for here");
  }

  void identity(const Command& peer, Tunnel& t) {
    const std::string name = peer.get("name");
    for (const Command& c : commands_) {
      if (c.menu != "ip ipsec identity" || c.verb != "add" || c.get("peer") != name) continue;
      t.local_id = id_of(c.get("my-id", "auto"));
      t.remote_id = id_of(c.get("remote-id", "auto"));
      if (c.get("auth-method", "pre-shared-key") != "pre-shared-key")
        draft_.note(c.line, "auth-method " + c.get("auth-method") + " is not carried over: give " + t.name +
                                " auth = \"cert\" with cert, key and ca; until then it has a key file");
      if (c.has("generate-policy") && c.get("generate-policy") != "no")
        draft_.note(c.line, "generate-policy is not carried over: subnets are fixed here");
      return draft_.key(t, c.get("secret"), c.line);
    }
    // Older versions have it in the peer itself.
    draft_.key(t, peer.get("secret"), peer.line);
  }
  // "auto", "ignore", "address:1.2.3.4", "fqdn:name", "user-fqdn:a@b", "dn", "key-id:x"
  static std::string id_of(const std::string& text) {
    if (text == "auto" || text.empty()) return "";
    if (text == "ignore") return "any";
    const std::size_t colon = text.find(':');
    const std::string kind = text.substr(0, colon);
    const bool tagged = kind == "address" || kind == "fqdn" || kind == "user-fqdn" || kind == "dn" || kind == "key-id";
    return tagged && colon != std::string::npos ? text.substr(colon + 1) : text;
  }

  void policies(const Command& peer, Tunnel& t) {
    std::vector<NetworkPair> pairs;
    bool seen = false;
    for (const Command& c : commands_) {
      if (c.menu != "ip ipsec policy" || c.verb != "add" || c.get("disabled") == "yes") continue;
      if (c.get("peer") != peer.get("name") && (c.has("peer") || c.get("sa-dst-address") != t.remote)) continue;
      if (c.get("action", "encrypt") != "encrypt") {
        draft_.note(c.line, "a policy with action " + c.get("action") +
                                " is not carried over: `policies` has bypass and discard");
        continue;
      }
      if (c.get("tunnel") != "yes") draft_.note(c.line, "transport mode does not exist here: tunnel mode is used");
      proposal(c, t, !seen);
      seen = true;
      auto local = network_of(c.get("src-address", "0.0.0.0/0")),
           remote = network_of(c.get("dst-address", "0.0.0.0/0"));
      if (!local || !remote) {
        draft_.note(c.line, "the networks of this policy are not understood: add them by hand");
        continue;
      }
      ports_of(c, *local, *remote);
      pairs.push_back({*local, *remote, c.line});
    }
    if (!seen) draft_.note(peer.line, "tunnel " + t.name + " has no policy: FILL IN its subnets");
    take_pairs(draft_, t, pairs);
  }

  void ports_of(const Command& c, Selector& local, Selector& remote) {
    const std::string protocol = c.get("protocol", "all");
    if (protocol == "all" || protocol == "255") return;
    const auto with = parse_selector(local.str() + "[" + protocol + "]");
    if (!with) {
      draft_.note(c.line, "protocol " + in_quotes(protocol) + " is not understood: every protocol is taken");
      return;
    }
    local.protocol = remote.protocol = with->protocol;
    const auto port = [&](std::string_view key, Selector& s) {
      const auto number = whole_number(c.get(key, "any"));
      if (number && *number <= 65535 && (s.protocol == 6 || s.protocol == 17))
        s.first_port = s.last_port = static_cast<std::uint16_t>(*number);
    };
    port("src-port", local);
    port("dst-port", remote);
  }

  void proposal(const Command& policy, Tunnel& t, bool first) {
    const Command p = element("ip ipsec proposal", policy.get("proposal", "default"));
    const auto ciphers = words(p, "enc-algorithms", "aes-256-cbc,aes-192-cbc,aes-128-cbc", cipher_word);
    const auto hashes = words(p, "auth-algorithms", "sha1", hash_word);
    const auto groups = words(p, "pfs-group", "modp1024", group_word);
    const auto wanted = proposals_of(ciphers, hashes, groups, false);
    if (!first) {
      if (wanted != t.esp.proposals)
        draft_.note(policy.line,
                    "this policy has a proposal of its own; here all of " + t.name + " use that of the first");
      return;
    }
    t.esp.proposals = wanted;
    t.esp.pfs = !groups.empty() && groups[0] != "none";
    if (wanted.empty()) {
      draft_.note(policy.line, "no algorithm of the proposal exists here: FILL IN esp.proposals");
      t.esp.proposals = {"aes256-sha256"};
    }
    t.esp.lifetime = std::max(duration(p, "lifetime").value_or(Seconds(1800)), Seconds(5));
  }

  // A comma-separated list of algorithms, in our words; what does not exist here is named.
  std::vector<std::string> words(const Command& c, std::string_view key, std::string_view otherwise,
                                 std::optional<std::string> (*word)(std::string_view)) {
    std::vector<std::string> out;
    for (const std::string_view value : split(c.get(key, otherwise), ",")) {
      if (auto known = word(value)) {
        out.push_back(std::move(*known));
      } else {
        draft_.note(c.line, std::string(key) + " " + in_quotes(value) + " does not exist here");
      }
    }
    return out;
  }
  static std::optional<std::string> cipher_word(std::string_view text) {
    static const std::map<std::string_view, std::string_view> kWords = {{"3des", "3des"},
                                                                        {"aes-128", "aes128"},
                                                                        {"aes-192", "aes192"},
                                                                        {"aes-256", "aes256"},
                                                                        {"aes-128-cbc", "aes128"},
                                                                        {"aes-192-cbc", "aes192"},
                                                                        {"aes-256-cbc", "aes256"},
                                                                        {"aes-128-gcm", "aes128gcm16"},
                                                                        {"aes-192-gcm", "aes192gcm16"},
                                                                        {"aes-256-gcm", "aes256gcm16"},
                                                                        {"aes-128-ctr", "aes128ctr"},
                                                                        {"aes-192-ctr", "aes192ctr"},
                                                                        {"aes-256-ctr", "aes256ctr"},
                                                                        {"null", "null"}};
    const auto found = kWords.find(text);
    return found == kWords.end() ? std::nullopt : std::optional<std::string>(found->second);
  }
  static std::optional<std::string> hash_word(std::string_view text) {
    for (const std::string_view known : {"md5", "sha1", "sha256", "sha512", "sha384"}) {
      if (text == known) return std::string(known);
    }
    return std::nullopt;
  }

  std::optional<Seconds> duration(const Command& c, std::string_view key) {
    if (!c.has(key)) return std::nullopt;
    const auto value = time_of(c.get(key));
    if (!value || value->count() == 0 || value->count() > 366 * 86400) {
      draft_.note(c.line, std::string(key) + " " + in_quotes(c.get(key)) + " is not understood");
      return std::nullopt;
    }
    return value;
  }

  void leave(const Command& c) {
    if (c.menu.starts_with("ip firewall nat") && c.verb != "print")
      draft_.note(c.line, "/ip firewall nat " + c.verb +
                              ": NAT is not carried over, nor needed: tunnel traffic is never translated "
                              "here unless `translate` says so");
    else if (c.menu.starts_with("ip firewall") && c.verb == "add")
      draft_.note(c.line,
                  "/" + c.menu + " add: not carried over; what a tunnel's subnets allow passes, `rules` narrow that");
    else if (c.menu == "ip route" && c.verb == "add")
      draft_.note(c.line, "/ip route add: add it to `routes` or as a port's gateway");
    else if (c.menu == "ip ipsec mode-config" && c.verb == "add")
      draft_.note(c.line, "mode-config is for remote access, which does not exist here");
  }

  std::vector<Command> commands_;
  ImportDraft draft_{ImportFormat::routeros};
};

}  // namespace

tl::expected<Imported, std::string> import_routeros(std::string_view text) {
  Reader reader;
  reader.read(text);
  return RouterOs(std::move(reader.commands)).run();
}

}  // namespace causeway::conf

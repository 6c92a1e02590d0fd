// strongSwan's swanctl.conf: sections with braces, `key = value` lines, "#" comments, `name : template { }` references.
#include <algorithm>
#include <memory>

#include "conf/import_parts.h"
#include "conf/proposal_words.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

constexpr int kDeepest = 12;

struct Section {
  std::string name;
  int line = 0;
  struct Value {
    std::string key, text;
    int line = 0;
  };
  std::vector<Value> values;
  std::vector<Section> sections;
  std::vector<std::string> bases;  // what it refers to for what it lacks

  [[nodiscard]] const Value* find(std::string_view key) const {
    const auto found = std::find_if(values.rbegin(), values.rend(), [&](const Value& v) { return v.key == key; });
    return found == values.rend() ? nullptr : &*found;
  }
  [[nodiscard]] std::string get(std::string_view key, std::string_view otherwise = "") const {
    const Value* value = find(key);
    return value == nullptr ? std::string(otherwise) : value->text;
  }
  [[nodiscard]] int line_of(std::string_view key) const {
    const Value* value = find(key);
    return value == nullptr ? line : value->line;
  }
  [[nodiscard]] const Section* section(std::string_view wanted) const {
    const auto found = std::ranges::find(sections, wanted, &Section::name);
    return found == sections.end() ? nullptr : &*found;
  }
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  tl::expected<Section, std::string> run() {
    Section root;
    if (!body(root, 0)) return tl::unexpected("line " + std::to_string(line_) + ": " + problem_);
    return root;
  }
  std::vector<ImportNote> notes;

 private:
  bool fail(std::string why) {
    problem_ = std::move(why);
    return false;
  }
  void skip_space(bool lines) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == ' ' || c == '\t' || c == '\r') {
        ++at_;
      } else if (c == '\n' && lines) {
        ++at_;
        ++line_;
      } else {
        return;
      }
    }
  }
  std::string name() {
    const std::size_t end = std::min(text_.find_first_of(" \t\r\n{}=:,#\"", at_), text_.size());
    std::string word(text_.substr(at_, end - at_));
    at_ = end;
    return word;
  }

  // What stands behind "=": to the end of the line, without quotes; a quoted text may go over lines.
  bool value(std::string& out) {
    skip_space(false);
    if (at_ < text_.size() && text_[at_] == '"') return quoted(out);
    std::size_t end = at_;
    while (end < text_.size() && text_[end] != '\n' && text_[end] != '#' && text_[end] != '}' && text_[end] != '{')
      ++end;
    out = std::string(trimmed(text_.substr(at_, end - at_)));
    at_ = end;
    return true;
  }
  bool quoted(std::string& out) {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        const char c = text_[++at_];
        out += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
      } else {
        out += text_[at_];
      }
    }
    if (at_ == text_.size()) return fail("a quote is not closed");
    ++at_;
    return true;
  }

  bool body(Section& section, int depth) {
    if (depth > kDeepest) return fail("sections are nested too deeply");
    while (true) {
      skip_space(true);
      if (at_ == text_.size()) return depth == 0 || fail("a section is not closed: a } is missing");
      if (text_[at_] == '}') {
        if (depth == 0) return fail("a } closes nothing");
        ++at_;
        return true;
      }
      if (!element(section, depth)) return false;
    }
  }

  bool element(Section& section, int depth) {
    const int line = line_;
    std::string key = name();
    if (key.empty()) return fail("a name is missing before " + in_quotes(text_.substr(at_, 1)));
    if (key == "include") {
      std::string what;
      if (!value(what)) return false;
      notes.push_back({line, "include " + in_quotes(what) + " is not followed: import that file too"});
      return true;
    }
    skip_space(false);
    Section below;
    while (at_ < text_.size() && (text_[at_] == ':' || text_[at_] == ',')) {  // references
      ++at_;
      skip_space(false);
      below.bases.push_back(name());
      skip_space(false);
    }
    skip_space(true);
    if (at_ < text_.size() && text_[at_] == '{') {
      ++at_;
      below.name = std::move(key);
      below.line = line;
      if (!body(below, depth + 1)) return false;
      section.sections.push_back(std::move(below));
      return true;
    }
    if (at_ == text_.size() || text_[at_] != '=') return fail(in_quotes(key) + " is followed by neither = nor {");
    ++at_;
    std::string text;
    if (!value(text)) return false;
    section.values.push_back({std::move(key), std::move(text), line});
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::string problem_;
};

// `upper` takes from `lower` what it lacks.
void put_under(Section& upper, const Section& lower, int depth) {
  for (const Section::Value& value : lower.values) {
    if (upper.find(value.key) == nullptr) upper.values.push_back(value);
  }
  if (depth > kDeepest) return;
  for (const Section& section : lower.sections) {
    const auto own = std::ranges::find(upper.sections, section.name, &Section::name);
    if (own == upper.sections.end()) {
      upper.sections.push_back(section);
    } else {
      put_under(*own, section, depth + 1);
    }
  }
}

// A reference: the path of a section from the root, "conn-defaults" or "templates.psk".
const Section* referred(const Section& root, const std::string& path) {
  const Section* at = &root;
  for (const std::string_view part : split(path, ".")) {
    at = at->section(part);
    if (at == nullptr) return nullptr;
  }
  return at == &root ? nullptr : at;
}

// "4h", "3600", "1d", "30m"; whole units only, as strongSwan writes them.
std::optional<Seconds> time_of(std::string_view text) {
  if (const auto plain = whole_number(text))
    return *plain <= 366 * 86400 ? std::optional(Seconds(*plain)) : std::nullopt;
  const auto value = parse_duration(text);
  return value ? std::optional(*value) : std::nullopt;
}

bool yes(const std::string& text) {
  const std::string word = lower(text);
  return word == "yes" || word == "true" || word == "1" || word == "enabled";
}

class Swanctl {
 public:
  Swanctl(Section root, std::vector<ImportNote> notes) : root_(std::move(root)) {
    for (ImportNote& n : notes) draft_.note(n.line, std::move(n.text));
  }

  tl::expected<Imported, std::string> run() {
    const Section* connections = root_.section("connections");
    for (const Section& connection : connections == nullptr ? std::vector<Section>{} : connections->sections) {
      Section whole = connection;
      for (const std::string& base : connection.bases) {
        if (const Section* lower = referred(root_, base))
          put_under(whole, *lower, 0);
        else
          draft_.note(connection.line, "the section " + in_quotes(base) + " that it refers to is not in this file");
      }
      gateway(whole);
    }
    if (draft_.config().tunnels.empty()) return tl::unexpected(std::string("has no connection below `connections`"));
    for (const char* other : {"pools", "authorities"}) {
      if (const Section* section = root_.section(other))
        draft_.note(section->line, std::string(other) + " is not carried over");
    }
    return draft_.take();
  }

 private:
  void gateway(const Section& c) {
    Tunnel& t = draft_.tunnel(c.name, c.line);
    const std::string version = c.get("version", "0");
    t.ike.version = version == "1" ? 1 : 2;
    if (version != "1" && version != "2")
      draft_.note(c.line_of("version"), "version 0 takes both; here IKEv2 is chosen");
    if (t.ike.version == 1 && yes(c.get("aggressive"))) t.ike.mode = IkeMode::aggressive;
    addresses(c, t);
    t.ike.proposals = proposals(c.get("proposals", "default"), c.line_of("proposals"), true);
    if (t.ike.version == 1) {  // no AEAD protects IKEv1 itself
      std::erase_if(t.ike.proposals, [](const std::string& p) { return is_aead(ProposalWords(p).encryption.at(0)); });
      if (t.ike.proposals.empty()) t.ike.proposals = {"aes256-sha256-modp2048"};
    }
    if (yes(c.get("encap"))) t.encap = Encap::force;
    t.ike.fragment = lower(c.get("fragmentation", "yes")) != "no";
    const auto life = hard_life(c, "rekey_time", "over_time", Seconds(4 * 3600));
    t.ike.lifetime = life;
    if (const auto reauth = time_of(c.get("reauth_time", "0")); reauth && reauth->count() > 0) {
      t.ike.lifetime = std::clamp(*reauth + *reauth / 10, Seconds(10), Seconds(366 * 86400));
      t.ike.reauth = t.ike.version == 2;
    }
    dpd(c, t);
    authentication(c, t);
    children(c, t);
    name_the_rest(c);
  }

  void addresses(const Section& c, Tunnel& t) {
    const auto remote = split(c.get("remote_addrs", "%any"), ", ");
    t.remote = remote.empty() ? "%any" : std::string(remote[0]);
    if (remote.size() > 1) draft_.note(c.line_of("remote_addrs"), "only the first of remote_addrs is carried over");
    if (t.remote.starts_with("%any") || t.remote == "0.0.0.0" || t.remote == "::") t.remote = "any";
    if (!parse_remote(t.remote)) {
      draft_.note(c.line_of("remote_addrs"),
                  "remote_addrs " + in_quotes(t.remote) + " is neither an address nor a name: FILL IN remote");
      t.remote = "any";
    }
    if (t.remote == "any") t.start = Start::wait;
    for (const std::string_view own : split(c.get("local_addrs"), ", ")) {
      const auto address = IpAddress::parse(own);
      if (!address || address->is_unspecified()) continue;
      draft_.own_address(*address);
      if (!t.local) t.local = *address;
    }
  }

  // strongSwan's spelling is ours; what our table does not have is named.
  std::vector<std::string> proposals(const std::string& text, int line, bool ike) {
    std::vector<std::string> out;
    for (const std::string_view one : split(lower(text), ", ")) {
      if (one == "default") {
        draft_.note(line,
                    std::string("strongSwan's default proposals become this gateway's for ") + (ike ? "IKE" : "ESP"));
        for (const std::string& own : ike ? IkeSettings{}.proposals : EspSettings{}.proposals) out.push_back(own);
      } else if (const auto good = parse_proposal(one); !good) {
        draft_.note(line, good.error());
      } else if (usable(ProposalWords(*good), ike)) {
        out.push_back(plain(*good));
      } else {
        draft_.note(line, "proposal " + in_quotes(one) + " does not exist here");
      }
    }
    std::vector<std::string> unique;
    for (const std::string& p : out) {
      if (std::ranges::find(unique, p) == unique.end()) unique.push_back(p);
    }
    if (unique.empty()) unique = ike ? IkeSettings{}.proposals : EspSettings{}.proposals;
    if (unique.size() > 20) unique.resize(20);
    return unique;
  }
  // What the algorithm table has, and enough of it to be a proposal.
  static bool usable(const ProposalWords& p, bool ike) {
    for (const auto* words : {&p.encryption, &p.integrity, &p.prf, &p.group}) {
      if (!std::ranges::all_of(*words, is_known)) return false;
    }
    const auto aeads = std::ranges::count_if(p.encryption, is_aead);
    const bool aead = aeads != 0;
    if (p.encryption.empty() || (aead && aeads != std::ssize(p.encryption))) return false;
    if (!aead && p.integrity.empty()) return false;
    if (aead && !ike && !p.integrity.empty()) return false;
    const auto weak_for_ike = [](const std::string& w) { return w == "null" || w.ends_with("gmac"); };
    if (ike && (p.group.empty() || !p.other.empty() || std::ranges::any_of(p.encryption, weak_for_ike))) return false;
    if (ike && aead && p.prf.empty() && p.integrity.empty()) return false;
    if (!ike && !p.prf.empty()) return false;
    return std::ranges::all_of(p.other, [](const std::string& w) { return w == "esn" || w == "noesn" || w == "none"; });
  }
  static std::string plain(const std::string& proposal) {
    std::string text;
    for (const std::string_view word : split(proposal, "-"))
      text += (text.empty() ? "" : "-") + std::string(canonical_word(word));
    return text;
  }

  // strongSwan renews at rekey_time and gives up a tenth later; our lifetime is the end.
  Seconds hard_life(const Section& s, std::string_view soft, std::string_view over, Seconds otherwise) {
    Seconds value = otherwise;
    if (const Section::Value* given = s.find(soft)) {
      const auto read = time_of(given->text);
      if (!read) draft_.note(given->line, std::string(soft) + " " + in_quotes(given->text) + " is not understood");
      if (read && read->count() == 0)
        draft_.note(given->line,
                    std::string(soft) + " = 0 (never) does not exist here: " + duration_text(otherwise) + " is taken");
      if (read && read->count() > 0) value = *read;
    }
    const auto grace = time_of(s.get(over));
    const Seconds end = over == "life_time" ? grace.value_or(value + value / 10) : value + grace.value_or(value / 10);
    return std::clamp(std::max(end, value), Seconds(10), Seconds(366 * 86400));
  }

  void dpd(const Section& c, Tunnel& t) {
    const auto delay = time_of(c.get("dpd_delay", "0"));
    t.ike.dpd.idle = std::min(delay.value_or(Seconds(0)), Seconds(86400));
    if (c.find("dpd_delay") == nullptr)
      draft_.note(c.line, "without dpd_delay strongSwan never asks a silent peer; neither does " + t.name +
                              " here: idle = \"30s\" is better");
  }

  void authentication(const Section& c, Tunnel& t) {
    for (const Section& side : c.sections) {
      const bool local = side.name.starts_with("local"), remote = side.name.starts_with("remote");
      if (!local && !remote) continue;
      std::string id = side.get("id");
      if (id == "%any") id = "any";
      if (local && id != "any") t.local_id = id;
      if (remote) t.remote_id = id;
      const std::string method = side.get("auth", "pubkey");
      if (local && !method.starts_with("psk")) certificate(side, method, t);
      if (remote && side.find("cacerts") != nullptr) t.ca = side.get("cacerts");
    }
    if (t.auth == AuthMethod::psk) secret(c, t);
  }
  void certificate(const Section& side, const std::string& method, Tunnel& t) {
    if (method.starts_with("eap") || method.starts_with("xauth"))
      draft_.note(side.line_of("auth"), "auth " + method + " is for remote access, which does not exist here");
    t.auth = AuthMethod::cert;
    t.cert = side.get("certs");
    if (t.cert.empty()) t.cert = t.name + ".pem";
    t.key = t.name + ".key";
    t.ca = t.name + "-ca.pem";
    draft_.note(side.line,
                "certificates are found by their directories in strongSwan; FILL IN cert, key and ca of " + t.name);
  }

  // The secret whose identities fit best: both named, one named, none.
  void secret(const Section& c, Tunnel& t) {
    const Section* secrets = root_.section("secrets");
    const Section::Value* best = nullptr;
    int best_score = -1;
    for (const Section& s : secrets == nullptr ? std::vector<Section>{} : secrets->sections) {
      if (!s.name.starts_with("ike") || s.find("secret") == nullptr) continue;
      int score = 0;
      bool named = false;
      for (const Section::Value& value : s.values) {
        if (!value.key.starts_with("id")) continue;
        named = true;
        const auto is = [&](const std::string& text) { return !text.empty() && value.text == text; };
        if (is(t.local_id) || is(t.remote_id) || is(t.remote) || (t.local && is(t.local->str()))) score += 2;
      }
      if (named && score == 0) continue;
      if (score > best_score) {
        best_score = score;
        const Section* own = secrets->section(s.name);
        best = own == nullptr ? nullptr : own->find("secret");
      }
    }
    draft_.key(t, best == nullptr ? "" : best->text, best == nullptr ? c.line : best->line);
  }

  void children(const Section& c, Tunnel& t) {
    std::vector<NetworkPair> pairs;
    const Section* list = c.section("children");
    bool first = true;
    for (const Section& child : list == nullptr ? std::vector<Section>{} : list->sections) {
      Section whole = child;
      for (const std::string& base : child.bases) {
        if (const Section* lower = referred(root_, base)) put_under(whole, *lower, 0);
      }
      this->child(whole, t, first, pairs);
      first = false;
    }
    if (first) draft_.note(c.line, "tunnel " + t.name + " has no child: FILL IN its subnets");
    const bool one_child = list != nullptr && list->sections.size() == 1 && t.ike.version == 2;
    take_pairs(draft_, t, pairs);
    if (one_child) t.selectors = SelectorShape::joint;  // IKEv2: one child with every selector
  }

  void child(const Section& s, Tunnel& t, bool first, std::vector<NetworkPair>& pairs) {
    if (first) {
      t.esp.proposals = proposals(s.get("esp_proposals", "default"), s.line_of("esp_proposals"), false);
      t.esp.pfs =
          std::ranges::any_of(t.esp.proposals, [](const std::string& p) { return !ProposalWords(p).group.empty(); });
      t.esp.lifetime = hard_life(s, "rekey_time", "life_time", Seconds(3600));
      limits(s, t);
      start(s, t);
    } else if (s.find("esp_proposals") != nullptr && plain_list(s) != t.esp.proposals) {
      draft_.note(s.line, "child " + in_quotes(s.name) + " has proposals of its own; here all of " + t.name +
                              " use those of the first");
    }
    const std::string mode = s.get("mode", "tunnel");
    if (mode != "tunnel") draft_.note(s.line_of("mode"), "mode " + mode + " does not exist here: tunnel mode is used");
    const auto local = side(s, "local_ts", t), remote = side(s, "remote_ts", t);
    for (const Selector& l : local) {
      for (const Selector& r : remote) {
        if (l.first.family == r.first.family) pairs.push_back({l, r, s.line});
      }
    }
  }
  static std::vector<std::string> plain_list(const Section& s) {
    std::vector<std::string> out;
    for (const std::string_view one : split(s.get("esp_proposals"), ", ")) out.push_back(plain(lower(one)));
    return out;
  }

  void limits(const Section& s, Tunnel& t) {
    const auto number = [&](std::string_view key) { return whole_number(s.get(key, "0")).value_or(0); };
    t.esp.bytes = std::min<std::uint64_t>(std::max(number("life_bytes"), number("rekey_bytes")), INT64_MAX / 2);
    t.esp.packets = std::min<std::uint64_t>(std::max(number("life_packets"), number("rekey_packets")), INT64_MAX / 2);
    if (const auto window = whole_number(s.get("replay_window", "none")); window && *window >= 32 && *window <= 8192)
      t.esp.replay_window = static_cast<std::uint32_t>(*window);
  }

  void start(const Section& s, Tunnel& t) {
    const std::string action = s.get("start_action", "none");
    const bool starts = action.find("start") != std::string::npos;
    const bool traps = action.find("trap") != std::string::npos || action.find("route") != std::string::npos;
    if (t.remote == "any")
      t.start = Start::wait;
    else
      t.start = starts ? Start::now : traps ? Start::traffic : Start::wait;
    if (t.start == Start::wait && t.remote != "any")
      draft_.note(s.line, "start_action none: " + t.name + " waits for the peer or for `causewayctl up`");
  }

  std::vector<Selector> side(const Section& s, std::string_view key, const Tunnel& t) {
    std::vector<Selector> out;
    const std::string text = s.get(key, "dynamic");
    for (const std::string_view one : split(text, ", ")) {
      if (one.starts_with("dynamic")) {
        draft_.note(s.line_of(key),
                    std::string(key) + " dynamic is the outer address of that side: FILL IN the networks of " + t.name);
        continue;
      }
      if (const auto network = network_of(one))
        out.push_back(*network);
      else
        draft_.note(s.line_of(key), std::string(key) + " " + in_quotes(one) + " is not understood: add it by hand");
    }
    return out;
  }

  // Keys that change what happens and have no counterpart.
  void name_the_rest(const Section& c) {
    for (const char* key : {"vips", "pools", "mobike", "if_id_in", "if_id_out", "childless", "mediation", "ppk_id"}) {
      const Section::Value* value = c.find(key);
      if (value != nullptr && lower(value->text) != "no")
        draft_.note(value->line, std::string(key) + " = " + in_quotes(value->text) + " is not carried over");
    }
    const Section* list = c.section("children");
    for (const Section& child : list == nullptr ? std::vector<Section>{} : list->sections) {
      for (const char* key : {"updown", "mark_in", "mark_out", "set_mark_in", "set_mark_out", "if_id_in", "if_id_out",
                              "interface", "ipcomp"}) {
        const Section::Value* value = child.find(key);
        if (value != nullptr && lower(value->text) != "no")
          draft_.note(value->line, std::string(key) + " = " + in_quotes(value->text) + " is not carried over");
      }
    }
  }

  Section root_;
  ImportDraft draft_{ImportFormat::swanctl};
};

}  // namespace

tl::expected<Imported, std::string> import_swanctl(std::string_view text) {
  Parser parser(text);
  auto root = parser.run();
  if (!root) return tl::unexpected(std::move(root.error()));
  return Swanctl(std::move(*root), std::move(parser.notes)).run();
}

}  // namespace causeway::conf

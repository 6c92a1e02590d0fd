// FortiGate: `config PATH` / `edit NAME` / `set KEY VALUES` / `next` / `end`, with or without the prompts that a
// terminal shows before them.
#include <algorithm>
#include <map>

#include "conf/import_parts.h"
#include "conf/proposal_words.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

struct Setting {
  std::vector<std::string> values;
  int line = 0;
};

struct Object {  // one `edit` of one `config`
  std::string path, name;
  int line = 0;
  std::map<std::string, Setting, std::less<>> settings;

  [[nodiscard]] const Setting* find(std::string_view key) const {
    const auto found = settings.find(key);
    return found == settings.end() || found->second.values.empty() ? nullptr : &found->second;
  }
  [[nodiscard]] std::string first(std::string_view key, std::string_view otherwise = "") const {
    const Setting* setting = find(key);
    return setting == nullptr ? std::string(otherwise) : setting->values[0];
  }
  [[nodiscard]] int line_of(std::string_view key) const {
    const Setting* setting = find(key);
    return setting == nullptr ? line : setting->line;
  }
};

// Words, some in quotes with backslashes inside; a comment behind " //" is left out.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < line.size();) {
    if (line[i] == ' ' || line[i] == '\t') {
      ++i;
      continue;
    }
    if (line.substr(i).starts_with("//")) break;
    std::string word;
    if (line[i] == '"') {
      for (++i; i < line.size() && line[i] != '"'; ++i) {
        if (line[i] == '\\' && i + 1 < line.size()) ++i;
        word += line[i];
      }
      ++i;
    } else {
      while (i < line.size() && line[i] != ' ' && line[i] != '\t') word += line[i++];
    }
    words.push_back(std::move(word));
  }
  return words;
}

// "FortiGate # ", "FortiGate (phase1-interface) # ": what a terminal shows before a command.
std::string_view without_prompt(std::string_view line) {
  line = trimmed(line);
  const std::size_t mark = line.find(" # ");
  if (mark == std::string_view::npos || line.substr(0, mark).find('"') != std::string_view::npos) return line;
  for (const std::string_view command : {"config ", "edit ", "set ", "next", "end", "unset "}) {
    if (line.starts_with(command)) return line;
  }
  return trimmed(line.substr(mark + 3));
}

class Reader {
 public:
  std::vector<Object> objects;

  void read(std::string_view text) {
    int number = 0;
    for (const std::string_view line : lines_of(text)) take(words_of(without_prompt(line)), ++number);
  }

 private:
  void take(const std::vector<std::string>& words, int line) {
    if (words.empty()) return;
    const std::string& command = words[0];
    if (command == "config" && words.size() > 1) {
      std::string path;
      for (std::size_t i = 1; i < words.size(); ++i) path += (i == 1 ? "" : " ") + words[i];
      if (paths_.size() < 16) paths_.push_back(paths_.empty() ? path : paths_.back() + "/" + path);
      objects.push_back({paths_.back(), "", line, {}});
    } else if (command == "edit" && words.size() > 1 && !paths_.empty()) {
      // The same object again adds to it, as on the box.
      const auto same =
          std::ranges::find_if(objects, [&](const Object& o) { return o.path == paths_.back() && o.name == words[1]; });
      if (same == objects.end()) {
        objects.push_back({paths_.back(), words[1], line, {}});
      } else {
        std::rotate(same, same + 1, objects.end());
      }
    } else if (command == "set" && words.size() > 1 && !objects.empty()) {
      objects.back().settings[words[1]] = {std::vector<std::string>(words.begin() + 2, words.end()), line};
    } else if (command == "end" && !paths_.empty()) {
      paths_.pop_back();
    }
  }
  std::vector<std::string> paths_;
};

constexpr std::string_view kPhase1[] = {"vpn ipsec phase1-interface", "vpn ipsec phase1"};
constexpr std::string_view kPhase2[] = {"vpn ipsec phase2-interface", "vpn ipsec phase2"};

class Fortigate {
 public:
  explicit Fortigate(std::vector<Object> objects) : objects_(std::move(objects)) {}

  tl::expected<Imported, std::string> run() {
    for (const Object& phase1 : objects_) {
      if (!phase1.name.empty() && std::ranges::find(kPhase1, phase1.path) != std::end(kPhase1)) gateway(phase1);
    }
    if (draft_.config().tunnels.empty())
      return tl::unexpected(std::string("has no `edit` below `config vpn ipsec phase1-interface`"));
    for (const Object& object : objects_) leave(object);
    return draft_.take();
  }

 private:
  void gateway(const Object& o) {
    Tunnel& t = draft_.tunnel(o.name, o.line);
    t.start = Start::traffic;
    t.ike.version = o.first("ike-version", "1") == "2" ? 2 : 1;
    if (o.first("mode", "main") == "aggressive" && t.ike.version == 1) t.ike.mode = IkeMode::aggressive;
    peer(o, t);
    const std::vector<std::string> groups = groups_of(o, "dhgrp", {"modp2048", "modp1536"});
    t.ike.proposals = proposals(o, groups, true);
    t.ike.lifetime = Seconds(number(o, "keylife", 86400, 120, 172800));
    dpd(o, t);
    if (o.first("nattraversal") == "forced") t.encap = Encap::force;
    if (o.first("passive-mode") == "enable") t.role = Role::responder;
    if (initiator_only(o)) t.role = Role::initiator;
    secret(o, t);
    children(o, t);
    finish(t);
  }

  void peer(const Object& o, Tunnel& t) {
    const std::string type = o.first("type", "static");
    t.remote = type == "dynamic" ? "any" : type == "ddns" ? o.first("remotegw-ddns") : o.first("remote-gw");
    if (!parse_remote(t.remote)) {
      draft_.note(o.line_of("remote-gw"),
                  "the peer's address of " + t.name + " is missing or not understood: FILL IN remote");
      t.remote = "198.51.100.1";
    }
    if (const auto own = IpAddress::parse(o.first("local-gw"))) {
      if (!own->is_unspecified()) draft_.own_address(*own);
    }
    t.local_id = o.first("localid");
    const std::string peers = o.first("peertype", "any");
    if (peers == "one") t.remote_id = o.first("peerid");
    if (peers == "any" && t.remote != "any")
      draft_.note(o.line_of("peertype"), "peertype any takes whatever identity the peer says; here it must be " +
                                             t.remote + ": write remote_id = \"any\" where it is another");
  }

  void dpd(const Object& o, Tunnel& t) {
    const std::string mode = o.first("dpd", "on-demand");
    t.ike.dpd = {Seconds(number(o, "dpd-retryinterval", 20, 1, 3600)), Seconds(5),
                 static_cast<int>(number(o, "dpd-retrycount", 3, 1, 100))};
    if (mode == "disable") t.ike.dpd.idle = Seconds(0);
  }

  // A local-in policy that denies IKE of this peer makes the box begin always: the same as role = "initiator".
  [[nodiscard]] bool initiator_only(const Object& o) const {
    return std::ranges::any_of(objects_, [&](const Object& policy) {
      if (policy.path != "firewall local-in-policy" || policy.name.empty()) return false;
      if (lower(policy.first("service")) != "ike" || policy.first("action", "deny") != "deny") return false;
      const Object* source = address_named(policy.first("srcaddr"));
      return source != nullptr && o.find("remote-gw") != nullptr && source->first("subnet") == o.first("remote-gw");
    });
  }
  [[nodiscard]] const Object* address_named(const std::string& name) const {
    const auto found =
        std::ranges::find_if(objects_, [&](const Object& a) { return a.path == "firewall address" && a.name == name; });
    return found == objects_.end() ? nullptr : &*found;
  }

  void secret(const Object& o, Tunnel& t) {
    if (o.first("authmethod", "psk") != "psk") {
      draft_.note(o.line_of("authmethod"), "authentication by certificate is not carried over: give " + t.name +
                                               " auth = \"cert\" with cert, key and ca; until then it has a key file");
    }
    const Setting* given = o.find("psksecret");
    const bool encrypted = given != nullptr && given->values[0] == "ENC";
    if (encrypted) draft_.note(given->line, "the pre-shared key is encrypted with the box's own: only it can read it");
    draft_.key(t, given == nullptr || encrypted ? "" : given->values[0], given == nullptr ? o.line : given->line);
  }

  void children(const Object& o, Tunnel& t) {
    std::vector<NetworkPair> pairs;
    bool seen = false;
    for (const Object& child : objects_) {
      if (std::ranges::find(kPhase2, child.path) == std::end(kPhase2) || child.first("phase1name") != o.name) continue;
      child_of(child, t, !seen, pairs);
      seen = true;
    }
    if (!seen) draft_.note(o.line, "tunnel " + t.name + " has no phase 2: FILL IN its subnets");
    take_pairs(draft_, t, pairs);
  }

  void child_of(const Object& c, Tunnel& t, bool first, std::vector<NetworkPair>& pairs) {
    const bool pfs = c.first("pfs", "enable") != "disable";
    const auto groups = pfs ? groups_of(c, "dhgrp", {"modp2048", "modp1536"}) : std::vector<std::string>{};
    const auto wanted = proposals(c, groups, false);
    if (first) {
      t.esp.proposals = wanted;
      t.esp.pfs = pfs;
      lifetimes(c, t);
    } else if (wanted != t.esp.proposals) {
      draft_.note(c.line, "phase 2 " + in_quotes(c.name) + " has proposals of its own; here all of " + t.name +
                              " use those of the first: make a tunnel of its own where that matters");
    }
    if (c.first("auto-negotiate") == "enable" && t.role != Role::responder) t.start = Start::now;
    if (c.first("encapsulation") == "transport-mode")
      draft_.note(c.line_of("encapsulation"), "transport mode does not exist here: tunnel mode is used");
    const auto local = side(c, "src"), remote = side(c, "dst");
    if (local && remote) {
      pairs.push_back({*local, *remote, c.line});
    } else {
      draft_.note(c.line, "the networks of phase 2 " + in_quotes(c.name) +
                              " are not understood (names of address objects are "
                              "not looked up): add them by hand");
    }
  }

  void lifetimes(const Object& c, Tunnel& t) {
    const std::string type = c.first("keylife-type", "seconds");
    t.esp.lifetime = Seconds(number(c, "keylifeseconds", 43200, 120, 172800));
    if (type != "seconds") t.esp.bytes = number(c, "keylifekbs", 5120, 5120, 4294967295) * 1024;
    if (c.first("replay") == "disable") draft_.note(c.line_of("replay"), "replay protection cannot be turned off here");
  }

  static std::optional<Selector> side(const Object& c, const std::string& which) {
    const std::string type = c.first(which + "-addr-type", "subnet");
    if (type == "range") {
      const auto first = IpAddress::parse(c.first(which + "-start-ip")),
                 last = IpAddress::parse(c.first(which + "-end-ip"));
      if (!first || !last || first->family != last->family || *last < *first) return std::nullopt;
      return Selector{.first = *first, .last = *last};
    }
    if (type == "ip") return network_of(c.first(which + "-start-ip"));
    if (type != "subnet") return std::nullopt;
    const Setting* subnet = c.find(which + "-subnet");
    if (subnet == nullptr) return network_of("0.0.0.0/0");
    return subnet->values.size() > 1 ? network_of(subnet->values[0], subnet->values[1]) : network_of(subnet->values[0]);
  }

  std::vector<std::string> groups_of(const Object& o, std::string_view key, std::vector<std::string> otherwise) {
    const Setting* given = o.find(key);
    if (given == nullptr) return otherwise;
    std::vector<std::string> groups;
    for (const std::string& value : given->values) {
      if (const auto word = group_word(value)) {
        groups.push_back(*word);
      } else {
        draft_.note(given->line, "DH group " + in_quotes(value) + " does not exist here");
      }
    }
    return groups.empty() ? otherwise : groups;
  }

  // "aes128-sha1 aes256gcm-prfsha384 chacha20poly1305": pairs of a cipher and a hash.
  std::vector<std::string> proposals(const Object& o, const std::vector<std::string>& groups, bool ike) {
    const Setting* given = o.find("proposal");
    std::vector<std::string> values{"aes128-sha256", "aes256-sha256", "aes128-sha1", "aes256-sha1"};
    if (given != nullptr) values = given->values;
    if (given == nullptr) draft_.note(o.line, in_quotes(o.name) + " names no proposal: the box's usual ones are taken");
    std::vector<std::string> out;
    for (const std::string& value : values) {
      const ProposalWords p(value);
      std::vector<std::string> hashes = p.integrity;
      for (const std::string& prf : p.prf) hashes.push_back(prf.substr(3));
      const bool known = p.encryption.size() == 1 && p.other.empty() && p.encryption[0] != "des" &&
                         !value.starts_with("aria") && !value.starts_with("seed") &&
                         (!hashes.empty() || is_aead(p.encryption[0]));
      if (!known) {
        draft_.note(given == nullptr ? o.line : given->line, "proposal " + in_quotes(value) + " does not exist here");
        continue;
      }
      for (std::string& one : proposals_of(p.encryption, hashes, groups, ike)) out.push_back(std::move(one));
    }
    if (out.empty()) {
      draft_.note(o.line, "no proposal of " + in_quotes(o.name) + " exists here: FILL IN proposals");
      out = proposals_of({"aes256"}, {"sha256"}, groups.empty() && ike ? std::vector<std::string>{"modp2048"} : groups,
                         ike);
    }
    return out;
  }

  std::uint64_t number(const Object& o, std::string_view key, std::uint64_t otherwise, std::uint64_t low,
                       std::uint64_t high) {
    const Setting* given = o.find(key);
    if (given == nullptr) return otherwise;
    const auto value = whole_number(given->values[0]);
    if (value && *value >= low && *value <= high) return *value;
    draft_.note(given->line, std::string(key) + " " + in_quotes(given->values[0]) +
                                 " is not understood: " + std::to_string(otherwise) + " is taken");
    return otherwise;
  }

  // What enters a route-based tunnel: the static routes whose device it is.
  void finish(Tunnel& t) {
    const auto find_name = [&](const Object& o) { return o.line == t.line && !o.name.empty(); };
    const auto phase1 = std::ranges::find_if(objects_, find_name);
    if (t.remote == "any" || t.role == Role::responder) t.start = Start::wait;
    if (!t.route_based() || phase1 == objects_.end()) return;
    for (const Object& route : objects_) {
      if (route.path != "router static" || route.first("device") != phase1->name) continue;
      const Setting* to = route.find("dst");
      const auto network = to != nullptr && to->values.size() > 1 ? network_of(to->values[0], to->values[1])
                           : to != nullptr                        ? network_of(to->values[0])
                                                                  : std::nullopt;
      const auto prefix = network ? network->as_prefix() : std::nullopt;
      if (prefix && std::ranges::find(t.routes, *prefix) == t.routes.end()) t.routes.push_back(*prefix);
    }
    if (t.routes.empty())
      draft_.note(t.line, "tunnel " + t.name + " is route-based, and no static route enters it: FILL IN routes");
  }

  // What has no place in the result, each kind once per object.
  void leave(const Object& o) {
    if (o.name.empty()) return;
    const std::string what = in_quotes(o.path) + " " + in_quotes(o.name);
    if (o.path == "firewall policy") {
      if (o.first("nat") == "enable") {
        draft_.note(o.line_of("nat"), what +
                                          ": NAT is not carried over; tunnel traffic is never translated here unless "
                                          "`translate` says so");
      } else {
        draft_.note(o.line, what + ": not carried over; what a tunnel's subnets allow passes, `rules` narrow that");
      }
    } else if (o.path == "firewall vip" || o.path == "firewall ippool" || o.path == "firewall central-snat-map") {
      draft_.note(o.line, what + ": NAT is not carried over");
    } else if (o.path == "router static" && o.first("blackhole") == "enable") {
      draft_.note(o.line, what + ": not needed; what a tunnel should protect is never sent in clear here");
    } else if (o.path == "router static" && !has_device_tunnel(o)) {
      draft_.note(o.line, what + ": add it to `routes` or as a port's gateway");
    } else if (o.path.starts_with("router ") && o.path != "router static") {
      draft_.note(o.line, what + ": not carried over");
    }
  }
  [[nodiscard]] bool has_device_tunnel(const Object& route) const {
    return std::ranges::any_of(objects_, [&](const Object& p) {
      return std::ranges::find(kPhase1, p.path) != std::end(kPhase1) && !p.name.empty() &&
             p.name == route.first("device");
    });
  }

  std::vector<Object> objects_;
  ImportDraft draft_{ImportFormat::fortigate};
};

}  // namespace

tl::expected<Imported, std::string> import_fortigate(std::string_view text) {
  Reader reader;
  reader.read(text);
  return Fortigate(std::move(reader.objects)).run();
}

}  // namespace causeway::conf

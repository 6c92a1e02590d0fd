#include "conf/import.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "conf/import_parts.h"
#include "conf/proposal_words.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

constexpr std::size_t kLargest = std::size_t{1} << 20;
constexpr std::size_t kMostTunnels = 1000;

bool letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// Tunnels with the same networks are a group here; whichever is up carries them.
void group_equals(Imported& imported) {
  auto& tunnels = imported.config.tunnels;
  for (std::size_t j = 0; j < tunnels.size(); ++j) {
    for (std::size_t i = 0; i < j; ++i) {
      const auto meets = [](const auto& a, const auto& b) {
        return std::ranges::any_of(a, [&](const auto& x) { return std::ranges::find(b, x) != b.end(); });
      };
      const bool routed = tunnels[i].route_based() && tunnels[j].route_based();
      const bool there = routed ? meets(tunnels[i].routes, tunnels[j].routes)
                                : meets(tunnels[i].remote_subnets, tunnels[j].remote_subnets);
      if (!there || !meets(tunnels[i].local_subnets, tunnels[j].local_subnets)) continue;
      if (tunnels[i].group.empty()) tunnels[i].group = tunnels[i].name;
      tunnels[j].group = tunnels[i].group;
      imported.notes.push_back({tunnels[j].line, "tunnels " + tunnels[i].name + " and " + tunnels[j].name +
                                                     " protect the same networks and are one group"});
      break;
    }
  }
}

tl::expected<Imported, std::string> by_format(std::string_view text) {
  if (text.size() > kLargest) return tl::unexpected(std::string("is larger than 1 MiB"));
  if (text.find('\0') != std::string_view::npos)
    return tl::unexpected(std::string("contains a zero octet: this is not a text file"));
  for (const std::string_view line : lines_of(text)) {
    const std::string_view start = trimmed(line);
    if (start.starts_with("config vpn ipsec") || start.find("# config vpn ipsec") != std::string_view::npos)
      return import_fortigate(text);
    if (start.find("/ip ipsec") != std::string_view::npos) return import_routeros(text);
    if (start.starts_with("connections") && start.find_first_of("{.:") != std::string_view::npos)
      return import_swanctl(text);
  }
  return tl::unexpected(
      std::string("is none of the formats known here: a swanctl.conf has `connections {`, FortiGate commands have "
                  "`config vpn ipsec "
                  "phase1-interface`, RouterOS commands have `/ip ipsec`"));
}

}  // namespace

namespace {

// So that reading the file gives the same octets: only strongSwan means something by a 0x or 0s in front, and one
// trailing newline is not part of a key.
std::vector<std::uint8_t> file_form(std::string_view secret, ImportFormat format) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::vector<std::uint8_t> out;
  out.reserve(2 * secret.size() + 2);
  const bool marked =
      secret.size() >= 2 && secret[0] == '0' && std::string_view("xXsS").find(secret[1]) != std::string_view::npos;
  const auto put = [&](char c) { out.push_back(static_cast<std::uint8_t>(c)); };
  if (marked && format != ImportFormat::swanctl) {
    put('0');
    put('x');
    for (const char c : secret) {
      put(kDigits[static_cast<std::uint8_t>(c) >> 4]);
      put(kDigits[static_cast<std::uint8_t>(c) & 15]);
    }
    return out;
  }
  for (const char c : secret) put(c);
  if (!secret.empty() && secret.back() == '\n') put('\n');
  return out;
}

}  // namespace

std::string_view format_name(ImportFormat format) {
  switch (format) {
    case ImportFormat::swanctl:
      return "strongSwan swanctl.conf";
    case ImportFormat::fortigate:
      return "FortiGate commands";
    case ImportFormat::routeros:
      return "RouterOS commands";
  }
  return "";
}

tl::expected<Imported, std::string> import_text(std::string_view text) {
  auto imported = by_format(text);
  if (!imported) return imported;
  if (imported->config.tunnels.size() > kMostTunnels) return tl::unexpected(std::string("has more than 1000 tunnels"));
  group_equals(*imported);
  return imported;
}

Tunnel& ImportDraft::tunnel(std::string_view wanted, int line) {
  std::string name;
  for (const char c : wanted.substr(0, 24)) {
    const bool good = letter_or_digit(c) || (!name.empty() && (c == '.' || c == '_' || c == '-'));
    if (good) {
      name += c;
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  if (name.empty() || name == "port") name = "tunnel";
  auto& tunnels = imported_.config.tunnels;
  const std::string stem = name;
  for (int n = 2; std::ranges::find(tunnels, name, &Tunnel::name) != tunnels.end(); ++n)
    name = stem + "-" + std::to_string(n);
  if (name != wanted) note(line, "tunnel " + in_quotes(wanted) + " is called " + name + " here");
  tunnels.emplace_back();
  tunnels.back().name = name;
  tunnels.back().line = line;
  return tunnels.back();
}

void ImportDraft::key(Tunnel& tunnel, std::string_view secret, int line) {
  tunnel.auth = AuthMethod::psk;
  tunnel.psk_file = tunnel.name + ".psk";
  ImportedKey key;
  key.file = tunnel.psk_file;
  if (secret.empty()) {
    note(line, "the pre-shared key of " + tunnel.name + " is not in it: write it to " + key.file + " (chmod 600)");
  } else {
    key.octets = WipedOctets(file_form(secret, imported_.format));
  }
  imported_.keys.push_back(std::move(key));
}

void ImportDraft::own_address(const IpAddress& address) {
  auto& ports = imported_.config.ports;
  if (ports.empty()) {
    ports.emplace_back();
    ports.back().name = "wan";
  }
  auto& own = ports[0].addresses;
  if (std::ranges::any_of(own, [&](const Prefix& p) { return p.address == address; })) return;
  own.push_back({address, static_cast<std::uint8_t>(address.family == Family::v4 ? 24 : 64)});
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\f\v";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string> split(std::string_view text, std::string_view separators) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end != 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string> group_word(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kNumbers = {{
      {"1", "modp768"},
      {"2", "modp1024"},
      {"5", "modp1536"},
      {"14", "modp2048"},
      {"15", "modp3072"},
      {"16", "modp4096"},
      {"19", "ecp256"},
      {"20", "ecp384"},
      {"21", "ecp521"},
      {"31", "x25519"},
      {"ec2n155", ""},
  }};
  const std::string word(canonical_word(text));
  if (word == "none") return word;
  for (const auto& [number, name] : kNumbers) {
    if (name.empty()) continue;
    if (word == number || word == name) return std::string(name);
  }
  return std::nullopt;
}

std::optional<Selector> network_of(std::string_view address, std::string_view mask) {
  const auto a = IpAddress::parse(address), m = IpAddress::parse(mask);
  if (!a || !m || a->family != Family::v4 || m->family != Family::v4) return std::nullopt;
  int length = 0;
  while (length < 32 && (m->v4() << length & 0x80000000U) != 0) ++length;
  if (length < 32 && (m->v4() << length) != 0) return std::nullopt;  // a mask with holes
  return Selector::of(Prefix{*a, static_cast<std::uint8_t>(length)}.network());
}

std::optional<Selector> network_of(std::string_view text) {
  if (const auto prefix = Prefix::parse(text)) return Selector::of(prefix->network());
  const auto selector = parse_selector(text);
  return selector ? std::optional(*selector) : std::nullopt;
}

std::vector<std::string> proposals_of(const std::vector<std::string>& ciphers, const std::vector<std::string>& hashes,
                                      const std::vector<std::string>& groups, bool ike) {
  std::vector<std::string> out;
  const auto joined = [](const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : "-") + word;
    return text;
  };
  for (const bool aead : {true, false}) {
    std::vector<std::string> words;
    for (const std::string& cipher : ciphers) {
      if (is_aead(cipher) == aead && std::ranges::find(words, cipher) == words.end()) words.push_back(cipher);
    }
    if (words.empty() || (!aead && hashes.empty())) continue;
    std::vector<std::string> more;
    for (const std::string& hash : hashes) {
      const std::string word = aead ? "prf" + hash : hash;
      if ((!aead || ike) && std::ranges::find(more, word) == more.end()) more.push_back(word);
    }
    if (aead && ike && more.empty()) more.emplace_back("prfsha256");
    words.insert(words.end(), more.begin(), more.end());
    for (const std::string& group : groups) {
      if (group != "none" && std::ranges::find(words, group) == words.end()) words.push_back(group);
    }
    out.push_back(joined(words));
  }
  return out;
}

void take_pairs(ImportDraft& draft, Tunnel& tunnel, const std::vector<NetworkPair>& pairs) {
  const auto add = [](std::vector<Selector>& list, const Selector& s) {
    if (std::ranges::find(list, s) == list.end()) list.push_back(s);
  };
  for (const NetworkPair& pair : pairs) {
    add(tunnel.local_subnets, pair.local);
    add(tunnel.remote_subnets, pair.remote);
  }
  if (pairs.size() > 1) tunnel.selectors = SelectorShape::pairs;
  for (const Selector& local : tunnel.local_subnets) {
    for (const Selector& remote : tunnel.remote_subnets) {
      const bool asked =
          std::ranges::any_of(pairs, [&](const NetworkPair& p) { return p.local == local && p.remote == remote; });
      if (!asked && local.first.family == remote.first.family)
        draft.note(tunnel.line, "tunnel " + tunnel.name + ": " + local.str() + " to " + remote.str() +
                                    " was not asked for there, and is here: make two tunnels where that is not wanted");
    }
  }
}

}  // namespace causeway::conf

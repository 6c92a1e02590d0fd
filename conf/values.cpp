#include "conf/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <vector>

namespace causeway::conf {
namespace {

using Error = tl::unexpected<std::string>;

bool digit(char c) { return c >= '0' && c <= '9'; }
bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool hex_digit(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// A run of decimal digits at the front of `text`, which is cut off; nothing where there is none or it overflows.
std::optional<std::uint64_t> leading_number(std::string_view& text) {
  std::uint64_t value = 0;
  if (text.empty() || !digit(text.front())) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array kDurations = {Unit{"d", 86400}, Unit{"h", 3600}, Unit{"m", 60}, Unit{"s", 1}};
constexpr std::uint64_t kLongest = std::uint64_t{10} * 366 * 86400;
constexpr std::array kSizes = {
    Unit{"TiB", std::uint64_t{1} << 40},
    Unit{"GiB", 1 << 30},
    Unit{"MiB", 1 << 20},
    Unit{"KiB", 1 << 10},
    Unit{"TB", 1'000'000'000'000},
    Unit{"GB", 1'000'000'000},
    Unit{"MB", 1'000'000},
    Unit{"kB", 1000},
    Unit{"KB", 1000},
    Unit{"B", 1},
};

// --- selectors -------------------------------------------------------------------------------------

struct Named {
  std::string_view name;
  std::uint8_t number;
};
constexpr std::array kProtocols = {Named{"any", 0},  Named{"icmp", 1}, Named{"tcp", 6},     Named{"udp", 17},
                                   Named{"gre", 47}, Named{"esp", 50}, Named{"icmpv6", 58}, Named{"sctp", 132}};

std::optional<std::uint8_t> protocol_number(std::string_view text) {
  for (const Named& named : kProtocols) {
    if (named.name == text) return named.number;
  }
  const auto number = leading_number(text);
  if (!number || !text.empty() || *number > 255) return std::nullopt;
  return static_cast<std::uint8_t>(*number);
}

// One port, or for ICMP "8(0)" or "8" (every code of a type); `last` asks for the upper end of the latter.
std::optional<std::uint16_t> port_number(std::string_view text, bool icmp, bool last) {
  const auto number = leading_number(text);
  if (!number) return std::nullopt;
  if (!icmp)
    return text.empty() && *number <= 65535 ? std::optional(static_cast<std::uint16_t>(*number)) : std::nullopt;
  if (*number > 255) return std::nullopt;
  std::uint64_t code = last ? 255 : 0;
  if (!text.empty()) {
    if (text.front() != '(' || text.back() != ')') return std::nullopt;
    text = text.substr(1, text.size() - 2);
    const auto given = leading_number(text);
    if (!given || !text.empty() || *given > 255) return std::nullopt;
    code = *given;
  }
  return static_cast<std::uint16_t>(*number << 8 | code);
}

// The inside of the brackets: "tcp", "udp/53", "tcp/8000-8080".
bool read_protocol_and_ports(std::string_view text, Selector& out) {
  const std::size_t slash = text.find('/');
  const auto protocol = protocol_number(text.substr(0, slash));
  if (!protocol) return false;
  out.protocol = *protocol;
  if (slash == std::string_view::npos) return true;
  if (*protocol == 0) return false;  // ports have no meaning without a protocol
  const std::string_view ports = text.substr(slash + 1);
  const std::size_t dash = ports.find('-');
  const bool icmp = *protocol == 1 || *protocol == 58;
  const auto first = port_number(ports.substr(0, dash), icmp, false);
  const auto last = port_number(dash == std::string_view::npos ? ports : ports.substr(dash + 1), icmp, true);
  if (!first || !last || *first > *last) return false;
  out.first_port = *first;
  out.last_port = *last;
  return true;
}

// --- names -----------------------------------------------------------------------------------------

bool pci_address(std::string_view text) {
  // dddd:bb:dd.f or bb:dd.f
  if (text.size() == 7) return pci_address("0000:" + std::string(text));
  constexpr std::string_view kShape = "hhhh:hh:hh.h";
  if (text.size() != kShape.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kShape[i] == 'h' ? !hex_digit(text[i]) : text[i] != kShape[i]) return false;
  }
  return true;
}

bool host_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  bool has_letter = false;
  char before = '.';
  for (const char c : text) {
    if (c == '.' ? before == '.' || before == '-' : !(letter(c) || digit(c) || (c == '-' && before != '.')))
      return false;
    has_letter |= letter(c);
    before = c;
  }
  return has_letter && before != '-';  // only digits and dots: a broken address, not a name
}

// Optimal string alignment distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> two_back, previous(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], two_back[j - 2] + 1);
    }
    two_back = previous;
    previous = row;
  }
  return previous[b.size()];
}

}  // namespace

Parsed<Seconds> parse_duration(std::string_view text) {
  const Error wrong(in_quotes(text) + " is not a duration such as \"90s\", \"30m\", \"8h\" or \"1d\"");
  if (text.empty()) return wrong;
  std::uint64_t total = 0;
  auto unit = kDurations.begin();
  while (!text.empty()) {
    const auto number = leading_number(text);
    if (!number || *number > kLongest || text.empty()) return wrong;
    unit = std::find_if(unit, kDurations.end(), [&](const Unit& u) { return u.name.front() == text.front(); });
    if (unit == kDurations.end()) return wrong;
    total += *number * unit->factor;
    if (total > kLongest) return Error("longer than ten years");
    text.remove_prefix(1);
    ++unit;
  }
  return Seconds(total);
}

std::string duration_text(Seconds value) {
  std::string text;
  auto rest = static_cast<std::uint64_t>(std::max<Seconds::rep>(value.count(), 0));
  for (const Unit& unit : kDurations) {
    if (rest >= unit.factor) text += std::to_string(rest / unit.factor) + std::string(unit.name);
    rest %= unit.factor;
  }
  return text.empty() ? "0s" : text;
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
  const Error wrong(in_quotes(text) + " is not a size such as \"1800MB\" or \"4GiB\"");
  const auto number = leading_number(text);
  if (!number) return wrong;
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (text.empty()) return *number;
  for (const Unit& unit : kSizes) {
    if (unit.name != text) continue;
    if (*number > std::numeric_limits<std::int64_t>::max() / unit.factor) return Error("larger than 2^63 octets");
    return *number * unit.factor;
  }
  return wrong;
}

std::string size_text(std::uint64_t octets) {
  for (const Unit& unit : kSizes) {
    if (octets != 0 && octets % unit.factor == 0)
      return std::to_string(octets / unit.factor) + " " + std::string(unit.name);
  }
  return "0 B";
}

Parsed<IpAddress> parse_address(std::string_view text) {
  if (const auto address = IpAddress::parse(text)) return *address;
  return Error(in_quotes(text) + " is not an IPv4 or IPv6 address");
}

Parsed<Prefix> parse_interface(std::string_view text) {
  if (const auto prefix = Prefix::parse(text)) return *prefix;
  return Error(in_quotes(text) + " is not an address with a prefix length such as \"203.0.113.2/24\"");
}

Parsed<Prefix> parse_network(std::string_view text) {
  const auto prefix = Prefix::parse(text);
  if (!prefix) return Error(in_quotes(text) + " is not a network such as \"10.1.0.0/16\"");
  if (prefix->network() != *prefix) {
    return Error(in_quotes(text) + " has host bits set; the network is \"" + prefix->network().str() + "\"");
  }
  return *prefix;
}

Parsed<Selector> parse_selector(std::string_view text) {
  std::string_view addresses = text;
  Selector selector;
  Selector ports;
  if (!text.empty() && text.back() == ']') {
    const std::size_t open = text.find('[');
    if (open == std::string_view::npos ||
        !read_protocol_and_ports(text.substr(open + 1, text.size() - open - 2), ports)) {
      return Error(in_quotes(text) +
                   " does not end in a protocol and ports such as \"[tcp/443]\" or \"[udp/5000-5010]\"");
    }
    addresses = text.substr(0, open);
  }
  if (const std::size_t dash = addresses.find('-'); dash != std::string_view::npos) {
    const auto first = IpAddress::parse(addresses.substr(0, dash));
    const auto last = IpAddress::parse(addresses.substr(dash + 1));
    if (!first || !last || first->family != last->family || *last < *first) {
      return Error(in_quotes(text) + " is not a range such as \"10.1.0.1-10.1.0.9\"");
    }
    selector.first = *first;
    selector.last = *last;
  } else {
    const auto network = parse_network(addresses);
    if (!network) return Error(network.error());
    selector = Selector::of(*network);
  }
  if ((ports.protocol == 1 && selector.first.family == Family::v6) ||
      (ports.protocol == 58 && selector.first.family == Family::v4)) {
    return Error(in_quotes(text) + " mixes ICMP of one IP version with addresses of the other");
  }
  selector.protocol = ports.protocol;
  selector.first_port = ports.first_port;
  selector.last_port = ports.last_port;
  return selector;
}

Parsed<std::string> parse_name(std::string_view text) {
  const bool good =
      !text.empty() && text.size() <= 32 && (letter(text.front()) || digit(text.front())) &&
      std::ranges::all_of(text, [](char c) { return letter(c) || digit(c) || c == '.' || c == '_' || c == '-'; });
  if (!good)
    return Error(
        in_quotes(text) +
        " is not a name: up to 32 letters, digits, \".\", \"_\" and \"-\", beginning with one of the first two");
  return std::string(text);
}

Parsed<std::string> parse_device(std::string_view text) {
  const auto clean = parse_any_text(text);
  if (!clean) return clean;
  if (pci_address(text)) return clean;
  for (const std::string_view driver : {"net_", "eth_", "virtio_user"}) {
    if (text.starts_with(driver) && text.size() > driver.size()) return clean;
  }
  std::string reason = in_quotes(text) + " is neither a PCI address such as \"0000:3b:00.0\" nor vdev arguments";
  if (std::ranges::all_of(text, [](char c) { return letter(c) || digit(c) || c == '.' || c == '_' || c == '-'; })) {
    reason += "; a kernel interface is \"net_af_packet0,iface=" + std::string(text.substr(0, 15)) + "\"";
  }
  return Error(reason);
}

Parsed<std::string> parse_remote(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (address && address->is_unspecified())
    return Error(in_quotes(text) + " is no peer's address; for any peer write \"any\"");
  if (address || host_name(text)) return std::string(text);
  return Error(in_quotes(text) + " is not an address, a host name or \"any\"");
}

Parsed<std::string> parse_listener(std::string_view text) {
  const Error wrong(in_quotes(text) + " is no address with a port, like \"127.0.0.1:9190\" or \"[::1]:9190\"");
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  if (!address || bracketed != (host.find(':') != std::string_view::npos)) return wrong;
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number == 0) return wrong;
  return std::string(text);
}

Parsed<std::string> parse_proposal(std::string_view text) {
  char before = '-';
  bool good = !text.empty() && text.size() <= 200;
  for (const char c : text) {
    good = good && (c == '-' ? before != '-' : (c >= 'a' && c <= 'z') || digit(c) || c == '_');
    before = c;
  }
  if (good && before != '-') return std::string(text);
  return Error(
      in_quotes(text) +
      " is not a proposal: algorithms in lower case joined by \"-\", such as \"aes256gcm16-prfsha384-ecp384\"");
}

Parsed<std::string> parse_any_text(std::string_view text) {
  if (text.empty()) return Error("is empty");
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return Error(in_quotes(text) + " contains control characters");
  }
  return std::string(text);
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kEnough = 60;
  std::string out = "\"";
  for (const char c : text.substr(0, kEnough)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out + (text.size() > kEnough ? "...\"" : "\"");
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.size() > 64) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 2) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t d = distance(word, candidate);
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

}  // namespace causeway::conf

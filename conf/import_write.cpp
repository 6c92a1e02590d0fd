// An imported configuration as text: only lines that differ from the defaults, placeholders marked FILL IN, and
// what could not be carried as comments at the end.
#include <algorithm>
#include <sstream>

#include "conf/import.h"
#include "conf/proposal_words.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

std::string clean(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : clean(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

template <typename T, typename Text>
std::string list_of(const std::vector<T>& values, Text&& text) {
  std::string out = "[";
  for (const T& value : values) out += (out.size() == 1 ? "" : ", ") + in_quotes(text(value));
  return out + "]";
}
const auto kStr = [](const auto& value) { return value.str(); };
const auto kSame = [](const std::string& value) { return value; };

bool weak(const Tunnel& t) {
  for (const auto* list : {&t.ike.proposals, &t.esp.proposals}) {
    for (const std::string& proposal : *list) {
      const ProposalWords p(proposal);
      for (const auto* words : {&p.encryption, &p.integrity, &p.prf, &p.group}) {
        if (std::ranges::any_of(*words, is_legacy)) return true;
      }
    }
  }
  return false;
}

class Writer {
 public:
  Writer(const Imported& imported, const std::string& cloud, const std::string& source)
      : imported_(imported), cloud_(cloud), source_(source) {}

  std::string run() {
    out_ << "# Made from " << clean(source_) << " (" << format_name(imported_.format) << ").\n"
         << "# Lines marked FILL IN are placeholders: that file does not say them.\n\n";
    ports();
    out_ << "tunnels = (\n";
    const auto& tunnels = imported_.config.tunnels;
    for (std::size_t i = 0; i < tunnels.size(); ++i) tunnel(tunnels[i], i + 1 == tunnels.size());
    out_ << ");\n";
    if (!imported_.notes.empty()) out_ << "\n# What was not carried over, or is worth a look:\n";
    for (const ImportNote& note : imported_.notes) {
      out_ << "# - " << (note.line > 0 ? "line " + std::to_string(note.line) + ": " : "") << clean(note.text) << "\n";
    }
    return out_.str();
  }

 private:
  // The first of its network's other addresses that is not itself.
  static IpAddress neighbor_of(const Prefix& own) {
    IpAddress first = own.network().address;
    first.octets[first.size() - 1] |= 1;
    if (first == own.address) first.octets[first.size() - 1] ^= 3;
    return first;
  }
  [[nodiscard]] bool remote_is(Family family) const {
    return std::ranges::any_of(imported_.config.tunnels, [&](const Tunnel& t) {
      const auto remote = t.remote_address();
      return remote && remote->family == family;
    });
  }

  void ports() {
    std::vector<Prefix> own =
        imported_.config.ports.empty() ? std::vector<Prefix>{} : imported_.config.ports[0].addresses;
    const bool known = !own.empty();
    const auto has = [&](Family f) {
      return std::ranges::any_of(own, [&](const Prefix& p) { return p.address.family == f; });
    };
    if (!has(Family::v4) && (!known || remote_is(Family::v4))) own.insert(own.begin(), placeholder());
    if (!has(Family::v6) && remote_is(Family::v6)) own.push_back(*Prefix::parse("2001:db8:ffff::2/64"));
    const IpAddress gateway = neighbor_of(own[0]);
    out_ << "ports = (\n  { name = \"wan\";\n    device = \"0000:00:00.0\";                # FILL IN: the PCI address "
            "of the NIC\n"
         << "    addresses = " << list_of(own, kStr) << ";   # FILL IN" << (known ? " the length of its network" : "")
         << "\n"
         << "    gateway = " << in_quotes(gateway.str()) << ";               # FILL IN\n  },\n"
         << "  { name = \"lan\";\n    device = \"0000:00:00.1\";                # FILL IN\n    addresses = ["
         << in_quotes(lan().str()) << "];   # FILL IN\n  }\n);\n";
    const auto other = std::ranges::find_if(own, [&](const Prefix& p) { return p.address.family != gateway.family; });
    if (other != own.end()) {
      const bool v6 = other->address.family == Family::v6;
      out_ << "routes = ( { to = \"" << (v6 ? "::/0" : "0.0.0.0/0") << "\"; via = " << in_quotes(neighbor_of(*other).str())
           << "; } );   # FILL IN\n";
    }
    out_ << "\n";
  }
  // An address of the first network of ours that has room for one.
  [[nodiscard]] Prefix lan() const {
    for (const Tunnel& t : imported_.config.tunnels) {
      for (const Selector& s : t.local_subnets) {
        auto prefix = s.as_prefix();
        if (!prefix || prefix->address.family != Family::v4 || prefix->length < 8 || prefix->length > 29) continue;
        if (prefix->address.octets[0] == 0 || prefix->address.octets[0] == 127 || prefix->address.octets[0] >= 224)
          continue;
        prefix->address.octets[3] |= 1;
        if (!taken(*prefix)) return *prefix;
      }
    }
    return *Prefix::parse("198.18.0.1/24");
  }
  // A documentation network's, unless it is a peer's own.
  [[nodiscard]] Prefix placeholder() const {
    const Prefix first = *Prefix::parse("203.0.113.2/24");
    const bool used = std::ranges::any_of(imported_.config.tunnels, [&](const Tunnel& t) {
      const auto remote = t.remote_address();
      return remote && (*remote == first.address || *remote == neighbor_of(first));
    });
    return used ? *Prefix::parse("192.0.2.2/24") : first;
  }
  [[nodiscard]] bool taken(const Prefix& lan) const {
    return std::ranges::any_of(imported_.config.tunnels,
                               [&](const Tunnel& t) { return t.remote_address() == lan.address; }) ||
           (!imported_.config.ports.empty() &&
            std::ranges::any_of(imported_.config.ports[0].addresses,
                                [&](const Prefix& own) { return own.network().overlaps(lan.network()); }));
  }

  void line(const std::string& key, const std::string& value) { out_ << "    " << key << " = " << value << ";\n"; }
  void text(const std::string& key, const std::string& value) {
    if (!value.empty()) line(key, in_quotes(value));
  }

  void tunnel(const Tunnel& t, bool last) {
    out_ << "  { name = " << in_quotes(t.name) << ";\n";
    text("cloud", cloud_);
    text("remote", t.remote);
    if (t.local) text("local", t.local->str());
    text("local_id", t.local_id);
    text("remote_id", t.remote_id);
    if (t.auth == AuthMethod::psk) {
      text("psk_file", t.psk_file);
    } else {
      text("auth", "cert");
      text("cert", t.cert);
      text("key", t.key);
      text("ca", t.ca);
    }
    if (t.role != Role::both) text("role", t.role == Role::initiator ? "initiator" : "responder");
    text("start", t.start == Start::now ? "now" : t.start == Start::traffic ? "traffic" : "wait");
    if (t.encap == Encap::force) text("encap", "force");
    networks(t);
    text("group", t.group);
    if (t.child_follows_ike) line("child_follows_ike", "true");
    if (weak(t)) line("legacy", "true");
    ike(t);
    esp(t);
    out_ << "  }" << (last ? "" : ",") << "\n";
  }

  void networks(const Tunnel& t) {
    if (t.local_subnets.empty() || t.remote_subnets.empty()) {
      out_ << "    local_subnets = [\"198.18.0.0/24\"];       # FILL IN\n    remote_subnets = [\"198.19.0.0/24\"];     "
              " # FILL IN\n";
      return;
    }
    line("local_subnets", list_of(t.local_subnets, kStr));
    line("remote_subnets", list_of(t.remote_subnets, kStr));
    if (t.selectors == SelectorShape::pairs) text("selectors", "pairs");
    if (!t.route_based()) return;
    if (t.routes.empty()) {
      const bool v4 =
          std::ranges::any_of(t.remote_subnets, [](const Selector& s) { return s.first.family == Family::v4; });
      out_ << "    routes = [\"" << (v4 ? "198.19.0.0/24" : "2001:db8:fffe::/64") << "\"];              # FILL IN\n";
    } else {
      line("routes", list_of(t.routes, kStr));
    }
  }

  void ike(const Tunnel& t) {
    out_ << "    ike = {\n      version = " << t.ike.version << ";\n";
    if (t.ike.mode == IkeMode::aggressive) out_ << "      mode = \"aggressive\";\n";
    out_ << "      proposals = " << list_of(t.ike.proposals, kSame)
         << ";\n      lifetime = " << in_quotes(duration_text(t.ike.lifetime)) << ";\n";
    if (t.ike.reauth) out_ << "      reauth = true;\n";
    out_ << "      dpd = { idle = " << in_quotes(duration_text(t.ike.dpd.idle))
         << "; retry = " << in_quotes(duration_text(t.ike.dpd.retry)) << "; tries = " << t.ike.dpd.tries << "; };\n";
    if (!t.ike.fragment) out_ << "      fragment = false;\n";
    out_ << "    };\n";
  }
  void esp(const Tunnel& t) {
    out_ << "    esp = {\n      proposals = " << list_of(t.esp.proposals, kSame)
         << ";\n      pfs = " << (t.esp.pfs ? "true" : "false")
         << ";\n      lifetime = " << in_quotes(duration_text(t.esp.lifetime)) << ";\n";
    if (t.esp.bytes != 0) out_ << "      bytes = " << in_quotes(std::to_string(t.esp.bytes)) << ";\n";
    if (t.esp.packets != 0) out_ << "      packets = " << t.esp.packets << "L;\n";
    if (t.esp.replay_window != EspSettings{}.replay_window)
      out_ << "      replay_window = " << t.esp.replay_window << ";\n";
    out_ << "    };\n";
  }

  const Imported& imported_;
  const std::string& cloud_;
  const std::string& source_;
  std::ostringstream out_;
};

}  // namespace

std::string imported_config(const Imported& imported, const std::string& cloud, const std::string& source) {
  return Writer(imported, cloud, source).run();
}

}  // namespace causeway::conf

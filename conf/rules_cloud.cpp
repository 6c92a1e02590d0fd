// What a cloud cannot do is refused, what it does badly is noted: by its profile, in words that name the
// value, the cloud and the cure.
#include <algorithm>

#include "conf/proposal_words.h"
#include "conf/rules.h"
#include "conf/values.h"

namespace causeway::conf {
namespace {

std::string quoted_list(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string subnets_text(const std::vector<Selector>& list) {
  std::string text;
  for (const Selector& s : list) text += (text.empty() ? "" : ", ") + s.str();
  return text.size() > 80 ? std::to_string(list.size()) + " networks" : text;
}

const char* on_off(bool on) { return on ? "true" : "false"; }

// A key's value as the file would say it.
std::string value_of(const Tunnel& t, std::string_view key) {
  if (key == "ike.version") return std::to_string(t.ike.version);
  if (key == "ike.mode") return t.ike.mode == IkeMode::main ? "\"main\"" : "\"aggressive\"";
  if (key == "ike.fragment") return on_off(t.ike.fragment);
  if (key == "ike.dpd.idle") return in_quotes(duration_text(t.ike.dpd.idle));
  if (key == "ike.dpd.tries") return std::to_string(t.ike.dpd.tries);
  if (key == "auth") return t.auth == AuthMethod::psk ? "\"psk\"" : "\"cert\"";
  if (key == "role" && t.role == Role::both) return "\"both\"";
  if (key == "role")
    return t.role == Role::responder ? "\"responder\""
           : t.start == Start::wait  ? "\"initiator\" that waits"
                                     : "\"initiator\"";
  if (key == "esp.bytes") return t.esp.bytes == 0 ? "0" : in_quotes(size_text(t.esp.bytes));
  if (key == "esp.pfs") return on_off(t.esp.pfs);
  if (key == "esp.lifetime") return in_quotes(duration_text(t.esp.lifetime));
  if (key == "ike.lifetime") return in_quotes(duration_text(t.ike.lifetime));
  if (key == "selectors") return t.selectors == SelectorShape::joint ? "\"joint\"" : "\"pairs\"";
  if (key == "local_subnets") return subnets_text(t.local_subnets);
  if (key == "remote_subnets") return subnets_text(t.remote_subnets);
  if (key == "child_follows_ike") return on_off(t.child_follows_ike);
  if (key == "mtu") return t.mtu ? std::to_string(*t.mtu) : "the computed one";
  if (key == "df") return t.df == DfPolicy::clear ? "\"clear\"" : t.df == DfPolicy::copy ? "\"copy\"" : "\"ignore\"";
  return "this value";
}

class CloudCheck {
 public:
  CloudCheck(const Tunnel& tunnel, const Cloud& cloud, const std::string& key, Report& report)
      : tunnel_(tunnel), cloud_(cloud), key_(key), report_(report) {}

  void run() {
    if (std::ranges::find(cloud_.versions, tunnel_.ike.version) == cloud_.versions.end())
      say(true, "ike.version", "does not speak IKEv" + std::to_string(tunnel_.ike.version));
    for (const CloudPoint& point : cloud_.points) {
      if (cloud_condition(point.when, tunnel_, cloud_)) say(point.refuse, point.key, point.text);
    }
    proposals("ike.proposals", tunnel_.ike.proposals, cloud_.ike, "phase 1");
    proposals("esp.proposals", tunnel_.esp.proposals, cloud_.esp, "phase 2");
    renewal_group();
    lifetime("ike.lifetime", tunnel_.ike.lifetime, cloud_.ike);
    lifetime("esp.lifetime", tunnel_.esp.lifetime, cloud_.esp);
    bytes();
    subnets();
    inside();
  }

 private:
  void complain(bool refuse, std::string_view name, std::string reason) {
    const std::string key = key_ + "." + std::string(name);
    if (refuse) return report_.error(key, std::move(reason));
    report_.note(key, std::move(reason));
  }
  void say(bool refuse, std::string_view name, const std::string& rest) {
    complain(refuse, name, value_of(tunnel_, name) + ", but " + cloud_.title + " " + rest);
  }

  // One kind of word of one proposal against what the cloud takes.
  void words(std::string_view name, const std::string& proposal, const std::vector<std::string>& given,
             const std::vector<std::string>& taken, const CloudPhase& phase, const std::string& what) {
    if (taken.empty()) return;
    for (const std::string& word : given) {
      const std::string plain = word.starts_with("prf") ? word.substr(3) : word;
      if (std::ranges::find(taken, plain) != taken.end()) continue;
      const std::string in = in_quotes(word) + (word == proposal ? "" : " in " + in_quotes(proposal));
      if (std::ranges::find(phase.unconfirmed, plain) != phase.unconfirmed.end()) {
        complain(false, name,
                 in + ": that " + cloud_.title + " takes it is not confirmed; look whether its console offers it");
      } else {
        complain(true, name,
                 in + ", but " + cloud_.title + " takes for " + what + " only " + quoted_list(taken) +
                     ": write one of these");
      }
    }
  }

  void proposals(std::string_view name, const std::vector<std::string>& list, const CloudPhase& phase,
                 const std::string& which) {
    bool several = list.size() > 1;
    for (const std::string& proposal : list) {
      const ProposalWords p(proposal);
      words(name, proposal, p.encryption, phase.encryption, phase, which + " encryption");
      words(name, proposal, p.integrity, phase.integrity, phase, which + " integrity");
      words(name, proposal, p.prf, phase.integrity, phase, which + " integrity and PRF");
      words(name, proposal, p.group, phase.groups, phase, which + " key exchange");
      several |= p.encryption.size() > 1 || p.integrity.size() > 1 || p.prf.size() > 1 || p.group.size() > 1;
    }
    if (!several || cloud_.one_of_each == Cloud::OneOfEach::no) return;
    const bool must = cloud_.one_of_each == Cloud::OneOfEach::must;
    complain(must, name,
             in_quotes(quoted_list(list)) + ", but " + cloud_.title + " " +
                 (must ? "takes one value for each parameter" : cloud_.one_of_each_text) +
                 ": write one proposal with one cipher, one hash and one group");
  }

  // A renewal without a group of its own in the proposal uses phase 1's, or none at all.
  void renewal_group() {
    const std::vector<std::string>& taken = cloud_.esp.groups;
    if (taken.empty()) return;
    for (const std::string& proposal : tunnel_.esp.proposals) {
      if (!ProposalWords(proposal).group.empty()) continue;
      if (!tunnel_.esp.pfs) {
        if (std::ranges::find(taken, "none") == taken.end())
          complain(true, "esp.pfs", "false, but " + cloud_.title + " has PFS on: write pfs = true and name its group");
        continue;
      }
      complain(false, "esp.proposals",
               in_quotes(proposal) +
                   " names no group, and its renewals then go with phase 1's or with none: write the one "
                   "of the console behind it, as in " +
                   in_quotes(proposal + "-" + first_group(taken)) + ", or pfs = false");
    }
  }
  static std::string first_group(const std::vector<std::string>& taken) {
    for (const char* good : {"modp2048", "ecp384"}) {
      if (std::ranges::find(taken, good) != taken.end()) return good;
    }
    return taken.back();
  }

  void lifetime(std::string_view name, Seconds value, const CloudPhase& phase) {
    if (phase.longest.count() == 0 || (value >= phase.shortest && value <= phase.longest)) return;
    say(true, name,
        "takes " + duration_text(phase.shortest) + " to " + duration_text(phase.longest) +
            ": write what its console has");
  }

  void bytes() {
    if (tunnel_.esp.bytes != 0 && tunnel_.esp.bytes < cloud_.esp.least_bytes)
      say(true, "esp.bytes", "takes " + size_text(cloud_.esp.least_bytes) + " at the least");
  }

  void subnets() {
    const std::size_t pairs = tunnel_.local_subnets.size() * tunnel_.remote_subnets.size();
    const int most = tunnel_.ike.version == 1 && cloud_.pairs_v1 != 0 ? cloud_.pairs_v1 : cloud_.pairs;
    if (most != 0 && pairs > static_cast<std::size_t>(most)) {
      const std::string here = std::to_string(tunnel_.local_subnets.size()) + " local and " +
                               std::to_string(tunnel_.remote_subnets.size()) + " remote networks";
      complain(
          true, tunnel_.local_subnets.size() > 1 ? "local_subnets" : "remote_subnets",
          here + ", but " + cloud_.title + " takes " +
              (most == 1 ? "one of each with IKEv1: write version = 2, one larger network, or 0.0.0.0/0 with routes"
                         : std::to_string(most) + " pairs at the most: write 0.0.0.0/0 with routes"));
    }
    const auto most_networks = [&](std::string_view name, const std::vector<Selector>& list, int limit,
                                   const char* whose) {
      if (limit != 0 && list.size() > static_cast<std::size_t>(limit))
        complain(true, name,
                 std::to_string(list.size()) + " networks, but " + cloud_.title + " takes " + std::to_string(limit) +
                     whose + " at the most: write larger ones, or 0.0.0.0/0 with routes");
    };
    most_networks("local_subnets", tunnel_.local_subnets, cloud_.local_subnets, " of its peer");
    most_networks("remote_subnets", tunnel_.remote_subnets, cloud_.remote_subnets, " of its own");
    for (const Selector& local : tunnel_.local_subnets) {
      for (const Prefix& own : cloud_.forbidden_local) {
        if (tunnel_.route_based() || !local.intersect(Selector::of(own))) continue;
        complain(true, "local_subnets",
                 local.str() + ", but " + cloud_.title + " uses " + own.str() +
                     " itself: renumber, or show the peer another network by `translate`");
      }
    }
  }

  void inside() {
    if (!tunnel_.inside || tunnel_.inside->address.family != Family::v4) return;
    const Prefix& own = *tunnel_.inside;
    if (cloud_.inside.length != 0 && own.length != cloud_.inside.length)
      complain(true, "inside",
               in_quotes(own.str()) + ", but " + cloud_.title + " gives a network of /" +
                   std::to_string(cloud_.inside.length) + " inside the tunnel");
    for (const Prefix& reserved : cloud_.inside.reserved) {
      if (reserved.contains(own.address))
        complain(true, "inside",
                 in_quotes(own.str()) + ", but " + cloud_.title + " keeps " + reserved.str() +
                     " for itself: choose another of 169.254.0.0/16");
    }
  }

  const Tunnel& tunnel_;
  const Cloud& cloud_;
  const std::string& key_;
  Report& report_;
};

int classes_of(std::span<const std::uint8_t> key) {
  bool upper = false, lower = false, digit = false, other = false;
  for (const std::uint8_t c : key) {
    upper |= c >= 'A' && c <= 'Z';
    lower |= c >= 'a' && c <= 'z';
    digit |= c >= '0' && c <= '9';
    other |= !((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'));
  }
  return static_cast<int>(upper) + static_cast<int>(lower) + static_cast<int>(digit) + static_cast<int>(other);
}

bool letter_or_digit(std::uint8_t c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

void check_clouds(const Draft& draft, CloudBook& book, Report& report) {
  for (std::size_t i = 0; i < draft.config.tunnels.size(); ++i) {
    const Tunnel& tunnel = draft.config.tunnels[i];
    const Cloud* cloud = book.find(tunnel.cloud);
    if (cloud != nullptr) CloudCheck(tunnel, *cloud, draft.tunnel_keys[i], report).run();
  }
}

void check_cloud_psk(std::span<const std::uint8_t> key, const Cloud& cloud, const std::string& where, Report& report) {
  const CloudPsk& rule = cloud.psk;
  const auto refuse = [&](const std::string& what, const std::string& cure) {
    report.error(where, "the key " + what + ", but " + cloud.title + " " + cure);
  };
  if ((rule.shortest != 0 && key.size() < rule.shortest) || (rule.longest != 0 && key.size() > rule.longest)) {
    refuse("has " + std::to_string(key.size()) + " octets",
           "takes " + std::to_string(rule.shortest) + " to " + std::to_string(rule.longest) + ": choose another");
  }
  if (!rule.characters.empty()) {
    // "letters, digits, . and _": the punctuation in it is what is allowed beside them.
    const auto allowed = [&](std::uint8_t c) { return letter_or_digit(c) || c == '.' || c == '_'; };
    if (!std::ranges::all_of(key, allowed))
      refuse("has other characters",
             "takes " + rule.characters + ": choose another, such as from `openssl rand -hex 24`");
  }
  if (!rule.not_first.empty() && !key.empty() && key[0] == static_cast<std::uint8_t>(rule.not_first[0]))
    refuse("begins with " + rule.not_first, "takes none that does: choose another");
  if (classes_of(key) < rule.classes)
    refuse("is of too few kinds of characters",
           "wants " + std::to_string(rule.classes) + " of upper case, lower case, digits and others: choose another");
}

}  // namespace causeway::conf

// What is known of each cloud's VPN gateway: the profile that a tunnel with `cloud = "..."` starts from, the
// limits that --check holds it to, and the fields of its console. One libconfig file each in conf/clouds/,
// built into the program so that nothing has to be installed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"
#include "conf/tree.h"
#include "conf/values.h"

namespace causeway::conf {

// What one phase takes, in the words of a proposal. An empty list: not known, nobody is held to it.
struct CloudPhase {
  std::vector<std::string> encryption, integrity, groups;  // "none" among the groups: PFS may be off
  std::vector<std::string> unconfirmed;                    // it may take these too
  Seconds shortest{0}, longest{0};                         // of a lifetime; 0: not known
  std::uint64_t least_bytes = 0;
};

struct CloudPsk {
  std::size_t shortest = 0, longest = 0;  // octets; 0: not known
  std::string characters;                 // "letters, digits, . and _": the punctuation that is allowed; empty: any
  std::string not_first;
  int classes = 0;  // of upper case, lower case, digits, others
};

struct CloudInside {  // the addresses inside the tunnel
  int length = 0;     // of the IPv4 network; 0: not known
  std::vector<Prefix> reserved;
};

// Something it cannot do (refused) or does badly (a note), where a condition holds.
struct CloudPoint {
  std::string when;  // a name of cloud_conditions()
  std::string key;   // the key of the tunnel it is about
  bool refuse = false;
  std::string text;  // goes on after "VALUE, but CLOUD ...", and ends in the cure
};

struct CloudField {             // of the console, in its order
  std::string parameter;        // a name of console_parameters()
  std::string label, label_zh;  // the console's own, where known for sure
};
struct CloudChoice {      // how the console spells a value
  std::string parameter;  // "routing.subnets", or a proposal's word
  std::string value, value_zh;
};
struct CloudHint {
  std::string text, text_zh;
};

struct Cloud {
  std::string name, file, title, title_zh;
  std::vector<std::string> aliases;
  std::vector<int> versions;
  enum class OneOfEach : std::uint8_t { no, should, must };
  OneOfEach one_of_each = OneOfEach::no;  // one proposal with one algorithm of each kind
  std::string one_of_each_text;
  CloudPhase ike, esp;
  int pairs = 0, pairs_v1 = 0;  // of a local and a remote subnet; 0: not known
  int local_subnets = 0, remote_subnets = 0;
  std::uint16_t mtu = 0;
  std::string rekey_interrupts_v1;  // what a renewal of IKEv1's phase 1 costs there; empty: nothing is known of that
  std::vector<Prefix> forbidden_local;
  CloudPsk psk;
  CloudInside inside;
  std::vector<CloudPoint> points;
  std::vector<CloudField> console;
  std::vector<CloudChoice> choices;
  std::vector<CloudHint> hints;
  Node tunnel, tunnel_v1;  // what a tunnel starts from; the second on top of the first with IKEv1

  [[nodiscard]] const CloudChoice* choice(std::string_view parameter) const;
};

// The profiles, each read when it is first asked for. Immutable to its users.
class CloudBook {
 public:
  CloudBook();
  ~CloudBook();
  CloudBook(const CloudBook&) = delete;
  CloudBook& operator=(const CloudBook&) = delete;

  // By name or alias; nullptr: there is none.
  [[nodiscard]] const Cloud* find(std::string_view name);

  static std::vector<std::string_view> names();  // without aliases
  // Every complaint about a profile's own text: none, or it must not be released.
  static std::vector<std::string> problems(std::string_view name);

 private:
  std::map<std::string, std::unique_ptr<Cloud>, std::less<>> read_;
};

// The profile's own name for what the configuration says, which may be an alias.
Parsed<std::string> parse_cloud(std::string_view text);

// Puts each tunnel's profile under its own lines: what the tunnel says counts, then the profile, then the default.
void apply_clouds(Node& root, CloudBook& book);

// Names of conditions that points use.
std::span<const std::string_view> cloud_conditions();
bool cloud_condition(std::string_view name, const Tunnel& tunnel, const Cloud& cloud);

}  // namespace causeway::conf

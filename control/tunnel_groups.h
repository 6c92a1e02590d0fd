// Which tunnel of a group carries the traffic (`group`, `weight`): several tunnels for the same packets, to one cloud or
// through two uplinks, of which one is in use and the others stand by.
//
// In use is the heaviest that can carry it: established, and not silent to the health probe, where there is one. A
// tunnel that fails is left at once. A heavier one that comes (back) must last a while before it is taken, so that a
// flapping path does not make traffic flap. Where none can carry it, the last one keeps it: its drops say why.
//
// Pure: what is known of each tunnel and the time go in, the choice comes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "conf/config.h"
#include "control/ike/effects.h"

namespace causeway::control {

using ike::Time;

enum class Health : std::uint8_t { unknown, answers, silent };  // to the probe: no word yet, or no probe

class TunnelGroups {
 public:
  static constexpr Time kProving{10'000};  // how long a heavier tunnel must last before it is taken

  explicit TunnelGroups(const conf::Config& config);

  struct Switch {
    std::string group;
    ike::TunnelId from = 0, to = 0;
    std::string why;  // "paris is down", "paris does not answer its probe", "paris is heavier and has lasted 10 s"
  };
  // What changed since the last call.
  std::vector<Switch> choose(const std::function<bool(ike::TunnelId)>& established, Time now);
  void set_health(ike::TunnelId tunnel, bool answers);

  [[nodiscard]] bool empty() const { return groups_.empty(); }
  // Of a tunnel outside of any group: always in use.
  [[nodiscard]] bool in_use(ike::TunnelId tunnel) const;
  [[nodiscard]] Health health(ike::TunnelId tunnel) const;

 private:
  struct Member {
    ike::TunnelId tunnel = 0;
    std::string name;
    int weight = 1;
    bool established = false;
    Health health = Health::unknown;
    std::optional<Time> able_since{};  // to carry traffic
    [[nodiscard]] bool able() const { return able_since.has_value(); }
  };
  struct Group {
    std::string name;
    std::vector<Member> members;  // heaviest first, then as configured
    std::size_t in_use = 0;       // of members
  };
  static std::optional<Switch> choose(Group& group, Time now);
  [[nodiscard]] const Member* find(ike::TunnelId tunnel, const Group** group = nullptr) const;

  std::vector<Group> groups_;
};

}  // namespace causeway::control

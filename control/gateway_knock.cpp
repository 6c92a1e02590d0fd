// First messages that are not answered, or not without limit.
#include "control/gateway.h"

namespace causeway::control {

namespace {

constexpr std::size_t kExchangeType = 18;  // of the fixed header (RFC 2408 3.1)
constexpr std::uint8_t kAggressive = 4;

}  // namespace

bool Gateway::knock(const ike::Datagram& datagram, int version, Time now, Actions& out) {
  const auto found = by_remote_.find(datagram.remote.address);
  if (found == by_remote_.end()) return false;
  bool known = false;
  for (const ike::TunnelId id : std::set(found->second)) {  // a copy: refresh() may change the index
    Tunnel& t = *tunnels_[id];
    const ike::PeerSettings& s = t.settings();
    const bool this_peer = s.local.address == datagram.local.address && s.config.ike.version == version;
    if (!this_peer || s.config.role != conf::Role::initiator) continue;
    known = true;
    t.knocked(now, out);
    refresh(id);
  }
  if (known) ++counters_.role_dropped;
  return known;
}

void Gateway::traffic(ike::TunnelId id, std::uint64_t packets_in, std::uint64_t packets_out, Time now, Actions& out) {
  if (Tunnel* t = at(id)) t->traffic(packets_in, packets_out, now, out), refresh(id);
}

bool Gateway::admits_aggressive(const ike::Datagram& datagram, Time now) {
  if (datagram.bytes.size() <= kExchangeType || datagram.bytes[kExchangeType] != kAggressive) return true;
  return aggressive_rate_.take(static_cast<std::uint64_t>(now.count()));
}

}  // namespace causeway::control

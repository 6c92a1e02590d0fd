// Echoes into tunnels of which another may take the traffic over (health_probe.h), joined to SAs and packets.
#include <algorithm>

#include "dataplane/gateway.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint64_t kHealthTickMs = 100;
constexpr std::uint16_t kEcho = 84;  // inner octets: a ping as everybody sends it

bool takes_echo(const std::vector<conf::Selector>& side, const conf::IpAddress& address) {
  const bool v4 = address.family == conf::Family::v4;
  const auto type = static_cast<std::uint16_t>((v4 ? 8 : 128) << 8);
  return std::ranges::any_of(side, [&](const conf::Selector& s) {
    return selector_takes(s, address.family, address.octets.data(), v4 ? kProtocolIcmp : kProtocolIcmp6, true, type);
  });
}

}  // namespace

// Not by policy, which leads to the tunnel in use: into this child, whichever tunnel has the traffic.
const conf::IpAddress* Gateway::own_address_inside(const conf::SelectorSet& selectors,
                                                   const conf::IpAddress& to) const {
  if (!takes_echo(selectors.remote, to)) return nullptr;
  for (const RouteTable::Own& own : tables_->routes->own()) {
    if (own.address.family == to.family && takes_echo(selectors.local, own.address)) return &own.address;
  }
  return nullptr;
}

void Gateway::probe_health(const Sink& sink) {
  if (now_ms_ < next_health_ms_) return;
  next_health_ms_ = now_ms_ + kHealthTickMs;
  for (auto& [tunnel, watch] : healths_) watch.in_use = false;
  for (const auto& [key, record] : sas_) {
    if (!record.health || record.outbound.empty() || record.removing || record.installing > 0) continue;
    const conf::IpAddress* from = own_address_inside(record.health->selectors, record.health->host);
    HealthWatch& watch = healths_[record.tunnel];
    if (from == nullptr || watch.in_use) continue;  // one child that can carry it is enough
    watch.in_use = true;
    if (const auto sequence = watch.probe.tick(now_ms_, probe_sequence_)) {
      PacketPtr packet =
          make_echo_request(pool_.get(), *from, record.health->host, shared_.probe_id, *sequence, kEcho);
      if (!packet) continue;
      meta(packet.get()) = PacketMeta{};
      meta(packet.get()).probe = true;
      command(record.worker, SendInto{packet.release(), record.child});
    }
    if (const auto answers = watch.probe.take_change()) sink(Event(TunnelHealth{record.tunnel, *answers}));
  }
  std::erase_if(healths_, [](const auto& entry) { return !entry.second.in_use; });
}

}  // namespace causeway::dataplane

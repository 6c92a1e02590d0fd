// The search for what a path carries (path_probe.h), joined to SAs and packets.
#include <algorithm>

#include "dataplane/gateway.h"
#include "dataplane/overhead.h"

namespace causeway::dataplane {
namespace {

constexpr std::uint64_t kProbeTickMs = 50;
constexpr std::uint16_t kSmall = 84;  // inner octets: a ping as everybody sends it

}  // namespace

// The address of ours that a tunnel's child takes for an echo to `to`, or nullptr.
const conf::IpAddress* Gateway::own_address_for(ChildSlot child, const conf::IpAddress& to) const {
  const bool v4 = to.family == conf::Family::v4;
  const auto echo = static_cast<std::uint16_t>((v4 ? 8 : 128) << 8);
  for (const RouteTable::Own& own : tables_->routes->own()) {
    if (own.address.family != to.family) continue;
    const PolicyRule* rule = tables_->policies->match({.family = to.family,
                                                       .ports = true,
                                                       .protocol = v4 ? kProtocolIcmp : kProtocolIcmp6,
                                                       .source_port = echo,
                                                       .destination_port = echo,
                                                       .source = own.address.octets.data(),
                                                       .destination = to.octets.data()});
    if (rule != nullptr && rule->action == PolicySpec::Action::protect && rule->child == child) return &own.address;
  }
  return nullptr;
}

void Gateway::probe_paths() {
  if (now_ms_ < next_probe_ms_) return;
  next_probe_ms_ = now_ms_ + kProbeTickMs;
  std::erase_if(probes_, [](const auto& entry) { return !entry.second.in_use; });
  for (auto& [path, probing] : probes_) probing.in_use = false;
  for (const auto& [key, record] : sas_) {
    if (record.outbound.empty() || !record.probe || record.removing) continue;
    const auto [at, first] = probes_.try_emplace({record.local.address, record.remote.address});
    Probing& probing = at->second;
    if (!first && probing.in_use) continue;  // one SA of the path is enough
    probing.in_use = true;
    const auto family = record.local.address.family;
    std::uint32_t most = port_mtu(record);
    if (record.configured_mtu != 0)
      most = std::min(most, outer_size(record.configured_mtu, record.sizes, record.udp_encap, family));
    probing.probe.set_bounds(family == conf::Family::v4 ? PathMtu::kLeastV4 : PathMtu::kLeastV6,
                             static_cast<std::uint16_t>(most));
    if (record.probe_host) probing.probe.suggest(*record.probe_host);
    if (const auto send = probing.probe.tick(now_ms_, probe_sequence_)) send_probe(record, *send);
    if (const auto found = probing.probe.take_found())
      set_found({record.local.address, record.remote.address}, *found, static_cast<std::uint16_t>(most));
  }
}

void Gateway::send_probe(const SaRecord& record, const PathProbe::Send& what) {
  const conf::IpAddress* from = own_address_for(record.child, what.to);
  if (from == nullptr) return;  // no address of ours is inside the tunnel: the host will seem silent
  const std::uint32_t inner =
      what.outer == 0 ? kSmall : inner_mtu(what.outer, record.sizes, record.udp_encap, record.local.address.family);
  PacketPtr packet = make_echo_request(pool_.get(), *from, what.to, shared_.probe_id, what.sequence,
                                       static_cast<std::uint16_t>(inner));
  if (!packet) return;
  meta(packet.get()) = PacketMeta{};
  meta(packet.get()).probe = true;
  command(record.worker, SendOwn{packet.release(), 0});
}

Dataplane::PathView Gateway::path(std::uint32_t spi_out, ChildSlot child) const {
  const auto sa = sas_.find(key_of(Direction::outbound, spi_out, child));
  if (sa == sas_.end()) return {};
  const auto at = probes_.find({sa->second.local.address, sa->second.remote.address});
  if (at == probes_.end()) return {};
  const PathProbe& probe = at->second.probe;
  return {probe.last_host(), probe.host_answered(), probe.host_silent(), probe.known(), probe.most()};
}

void Gateway::on_echo_answer(const EchoAnswer& answer) {
  for (auto& [tunnel, watch] : healths_) {
    if (watch.probe.answered(answer.sequence)) next_health_ms_ = now_ms_;
  }
  for (auto& [path, probing] : probes_) {
    if (probing.probe.answered(answer.sequence, answer.from, now_ms_)) next_probe_ms_ = now_ms_;
  }
}

// A host behind the peer spoke TCP with one of ours: it is there, and may answer an echo.
void Gateway::on_host_seen(const HostSeen& seen) {
  for (const auto& [key, record] : sas_) {
    if (record.outbound.empty() || record.child != seen.child || !record.probe) continue;
    const auto probing = probes_.find({record.local.address, record.remote.address});
    if (probing != probes_.end()) probing->second.probe.suggest(seen.address);
  }
}

void Gateway::set_found(const PathMtu::Path& path, std::uint16_t found, std::uint16_t most) {
  if (found >= most) {
    path_mtus_.forget(path);
  } else {
    path_mtus_.hold(path, found, now_ms_);
  }
  path_changed(path);
}

}  // namespace causeway::dataplane

// What the paths to peers carry, and so what tunnels do: lowered by ICMP errors that quote a packet of
// ours, raised again after a while.
#include <algorithm>

#include "dataplane/gateway.h"
#include "dataplane/overhead.h"

namespace causeway::dataplane {

// Octets of an outer packet: the port's, unless the path or the configuration says less.
std::uint16_t Gateway::path_mtu(const SaRecord& record) const {
  return path_mtus_.get({record.local.address, record.remote.address}, port_mtu(record));
}

std::uint16_t Gateway::port_mtu(const SaRecord& record) const {
  const NextHop* hop = tables_->routes->lookup(record.remote.address);
  const std::uint16_t port = hop == nullptr ? std::uint16_t{1500} : setup_.ports[hop->port].mtu;
  return record.fixed_path_mtu == 0 ? port : std::min(port, record.fixed_path_mtu);
}

void Gateway::set_mtu(const SaKey& key, SaRecord& record) {
  const std::uint16_t path = path_mtu(record);
  const std::uint32_t computed = inner_mtu(path, record.sizes, record.udp_encap, record.local.address.family);
  record.mtu = record.configured_mtu == 0 ? computed : std::min<std::uint32_t>(computed, record.configured_mtu);
  tell_owners(record, SetPathMtu{key.spi, record.child, path});
}

void Gateway::on_quoted(const QuotedPacket& quoted) {
  const bool v4 = quoted.source.family == conf::Family::v4;
  const bool too_big = v4 ? quoted.error.type == 3 && quoted.error.code == 4 : quoted.error.type == 2;
  if (!too_big) return;
  const auto sent = std::find_if(sas_.begin(), sas_.end(), [&](const auto& entry) {
    const SaRecord& r = entry.second;
    return !r.outbound.empty() &&
           quotes(quoted, {r.local, r.remote, r.udp_encap, entry.first.spi, r.counters().sequence});
  });
  if (sent == sas_.end()) return;
  const PathMtu::Path path{sent->second.local.address, sent->second.remote.address};
  if (!path_mtus_.lower(path, quoted.error.mtu, path_mtu(sent->second), now_ms_)) return;
  path_changed(path);
}

void Gateway::path_changed(const PathMtu::Path& path) {
  for (auto& [key, record] : sas_) {
    if (!record.outbound.empty() && record.local.address == path.local && record.remote.address == path.remote)
      set_mtu(key, record);
  }
}

void Gateway::forget_paths() {
  for (const PathMtu::Path& path : path_mtus_.expire(now_ms_)) path_changed(path);
}

}  // namespace causeway::dataplane

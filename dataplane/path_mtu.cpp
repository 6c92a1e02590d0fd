#include "dataplane/path_mtu.h"

#include <algorithm>
#include <array>

namespace causeway::dataplane {
namespace {

constexpr std::uint64_t kRecent = 16'384;  // packets: a second or so at a high rate
constexpr std::array<std::uint16_t, 9> kPlateaus = {32000, 17914, 8166, 4352, 2002, 1492, 1400, 1006, 576};

}  // namespace

bool quotes(const QuotedPacket& quoted, const SentBy& sa) {
  if (quoted.source != sa.local.address || quoted.error.quoted_remote.address != sa.remote.address) return false;
  if (quoted.udp_encapsulated != sa.udp_encap) return false;
  if (sa.udp_encap && quoted.error.quoted_remote.port != sa.remote.port) return false;
  if (quoted.sequence) {
    const auto age = static_cast<std::uint32_t>(static_cast<std::uint32_t>(sa.sequence) - *quoted.sequence);
    return quoted.error.spi == sa.spi && age < std::min(kRecent, sa.sequence);
  }
  const auto age = static_cast<std::uint16_t>(static_cast<std::uint16_t>(sa.sequence) - quoted.ip_id);
  return sa.udp_encap && quoted.dont_fragment && sa.local.address.family == conf::Family::v4 &&
         age < std::min(kRecent, sa.sequence);
}

bool PathMtu::lower(const Path& path, std::uint16_t mtu, std::uint16_t now_used, std::uint64_t now_ms) {
  if (mtu == 0) {
    const auto next = std::find_if(kPlateaus.begin(), kPlateaus.end(), [&](std::uint16_t p) { return p < now_used; });
    mtu = next == kPlateaus.end() ? kLeastV4 : *next;
  }
  mtu = std::max(mtu, path.remote.family == conf::Family::v4 ? kLeastV4 : kLeastV6);
  if (mtu >= now_used) return false;
  paths_[path] = {mtu, now_ms + kForgetMs};
  return true;
}

std::uint16_t PathMtu::get(const Path& path, std::uint16_t port_mtu) const {
  const auto it = paths_.find(path);
  return it == paths_.end() ? port_mtu : std::min(port_mtu, it->second.mtu);
}

std::vector<PathMtu::Path> PathMtu::expire(std::uint64_t now_ms) {
  std::vector<Path> out;
  std::erase_if(paths_, [&](const auto& entry) {
    if (now_ms < entry.second.until_ms) return false;
    out.push_back(entry.first);
    return true;
  });
  return out;
}

}  // namespace causeway::dataplane

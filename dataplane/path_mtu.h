// What is known of the paths to peers: lowered by ICMP errors that quote a packet we sent (RFC 1191,
// RFC 8201), never below what every path carries, and forgotten after ten minutes, when the path may have
// grown again. The control thread's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "conf/address.h"
#include "dataplane/icmp.h"

namespace causeway::dataplane {

// One of our outbound SAs, as far as an ICMP error can be held against it.
struct SentBy {
  conf::Endpoint local, remote;
  bool udp_encap = false;
  std::uint32_t spi = 0;
  std::uint64_t sequence = 0;  // last used
};

// Whether this SA can have sent what is quoted, lately. Native ESP, and UDP where the quote reaches that
// far: SPI and sequence number. Where only eight octets are quoted: addresses, ports, and the
// identification, which carries the low 16 bits of the sequence number in packets with DF.
[[nodiscard]] bool quotes(const QuotedPacket& quoted, const SentBy& sa);

class PathMtu {
 public:
  static constexpr std::uint64_t kForgetMs = 600'000;
  static constexpr std::uint16_t kLeastV4 = 576, kLeastV6 = 1280;
  struct Path {
    conf::IpAddress local, remote;
    auto operator<=>(const Path&) const = default;
  };

  // An error says that the path takes `mtu` (0: it does not say: the next plateau of RFC 1191 7.1 below
  // `now_used`). True where this lowers what we use.
  bool lower(const Path& path, std::uint16_t mtu, std::uint16_t now_used, std::uint64_t now_ms);
  // The path was found to carry this much, or as much as the port (path_probe.h).
  void hold(const Path& path, std::uint16_t mtu, std::uint64_t now_ms) { paths_[path] = {mtu, now_ms + kForgetMs}; }
  void forget(const Path& path) { paths_.erase(path); }
  [[nodiscard]] std::uint16_t get(const Path& path, std::uint16_t port_mtu) const;
  // Paths whose lowered value has had its time.
  std::vector<Path> expire(std::uint64_t now_ms);

 private:
  struct Lowered {
    std::uint16_t mtu;
    std::uint64_t until_ms;
  };
  std::map<Path, Lowered> paths_;
};

}  // namespace causeway::dataplane

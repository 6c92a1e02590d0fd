// Overlapping sites: one-to-one translation of a tunnel's own networks (`translate`). The peer sees a network of
// ours under another prefix of the same size; the host part of each address stays. Nothing is remembered of a
// packet, so it works both ways, for whoever begins.
//
// Selectors are those the peer negotiated, in the addresses that it sees: outbound, the source is translated before
// the packet meets its SA; inbound, the destination behind decryption, when selectors are checked already. Policy on
// our side (policy.h) is about real addresses, which real_selectors() makes from the negotiated kind.
//
// Checksums are mended by what changed (RFC 1624), so they prove as much behind us as before. An ICMP error quotes a
// packet that went the other way: its quotation is translated too, with the checksums in it.
#pragma once

#include <rte_mbuf.h>

#include <span>
#include <unordered_map>
#include <vector>

#include "conf/address.h"
#include "dataplane/sa_spec.h"

namespace causeway::dataplane {

class TranslationTable {
 public:
  explicit TranslationTable(std::span<const TranslationSpec> specs);

  // `m` starts at its IP header, all headers in its first buffer. Where no pair of the tunnel's covers an address, it
  // stays.
  void outbound(rte_mbuf* m, TunnelId tunnel) const { translate(m, tunnel, Way::out); }
  void inbound(rte_mbuf* m, TunnelId tunnel) const { translate(m, tunnel, Way::in); }
  // Takes outbound() back, to tell the sender of what became of its packet.
  void undo(rte_mbuf* m, TunnelId tunnel) const { translate(m, tunnel, Way::undo); }

  // What the peer sees as `seen`, as our hosts have it: where addresses are translated, their real ones.
  [[nodiscard]] std::vector<conf::Selector> real_selectors(TunnelId tunnel,
                                                           const std::vector<conf::Selector>& seen) const;

 private:
  enum class Way : std::uint8_t { out, in, undo };
  struct Pair {
    conf::Prefix real, seen;
  };
  void translate(rte_mbuf* m, TunnelId tunnel, Way way) const;

  std::unordered_map<TunnelId, std::vector<Pair>> pairs_;
};

}  // namespace causeway::dataplane

// IKE fragmentation as Cisco and strongSwan do it in IKEv1 (MS-IKEE 2.2.2 has the same form): a whole message, header
// and all, cut into pieces that each travel as the only payload (type 132) of a datagram with the same cookies.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "control/ike/effects.h"
#include "control/ike/message.h"

namespace causeway::ikev1 {

inline constexpr std::size_t kFragmentedFrom = 1252;  // octets of an IKE message: fits into IPv6's smallest MTU
inline constexpr std::size_t kMaxFragments = 64;
inline constexpr std::size_t kMaxReassembled = 32768;

std::vector<ike::Bytes> cut(const ike::Bytes& message, std::uint16_t fragment_id);

// One message at a time, bounded in pieces and octets: a new fragment id begins anew.
class Reassembly {
 public:
  // The whole message once the last missing piece is here.
  std::optional<ike::Bytes> add(ike::ByteView fragment_body);
  [[nodiscard]] bool empty() const { return pieces_.empty(); }

 private:
  std::optional<std::uint16_t> id_;
  std::optional<std::size_t> total_;
  std::vector<ike::Bytes> pieces_;  // by number - 1; empty: missing
  std::size_t octets_ = 0;
};

}  // namespace causeway::ikev1

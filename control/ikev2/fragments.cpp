#include "control/ikev2/fragments.h"

#include <utility>

namespace causeway::ikev2 {

bool Reassembly::wants(std::uint32_t message_id, const ike::EncryptedOuter& piece) const {
  if (piece.total > kMaxFragments || piece.sealed.size() > kMaxReassembled) return false;
  if (pieces_.empty() || message_id != message_id_ || piece.total > pieces_.size()) return true;  // begins anew
  if (piece.total < pieces_.size()) return false;
  return !pieces_[piece.fragment - 1u] && octets_ + piece.sealed.size() <= kMaxReassembled;
}

void Reassembly::begin(std::uint32_t message_id, std::uint16_t total) {
  *this = {};
  message_id_ = message_id;
  pieces_.resize(total);
  missing_ = total;
}

std::optional<WholeMessage> Reassembly::add(std::uint32_t message_id, const ike::EncryptedOuter& piece,
                                            ike::ByteView datagram, ike::Bytes plaintext) {
  if (message_id != message_id_ || piece.total != pieces_.size()) begin(message_id, piece.total);
  if (piece.fragment == 1) {
    first_inside_ = piece.first_inside;
    first_datagram_ = ike::to_bytes(datagram);
  }
  octets_ += plaintext.size();
  pieces_[piece.fragment - 1u] = std::move(plaintext);
  if (--missing_ != 0) return std::nullopt;
  WholeMessage whole{first_inside_, {}, std::move(first_datagram_)};
  whole.inside.reserve(octets_);
  for (const auto& p : pieces_) whole.inside.insert(whole.inside.end(), p->begin(), p->end());
  *this = {};
  return whole;
}

}  // namespace causeway::ikev2

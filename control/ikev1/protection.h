// Encryption of IKEv1 messages: CBC with an IV that each exchange chains from message to message (RFC 2409
// appendix B). Nothing here authenticates: the HASH payloads inside do.
#pragma once

#include <optional>

#include "control/ike/message.h"
#include "control/ikev1/keys.h"

namespace causeway::ikev1 {

class Protection {
 public:
  Protection() = default;
  Protection(ike::Choice suite, crypto::Secret key) : suite_(suite), key_(std::move(key)) {}

  // The whole message; `iv` becomes the next message's of the same exchange.
  [[nodiscard]] ike::Bytes seal(ike::Header header, const ike::PayloadChain& payloads, ike::Bytes& iv) const;
  // Payloads and padding behind the header; nothing where it cannot be a ciphertext.
  [[nodiscard]] std::optional<ike::Bytes> open(ike::ByteView message, ike::ByteView iv) const;
  // The IV behind `message`: its last block.
  [[nodiscard]] ike::Bytes iv_after(ike::ByteView message) const;
  [[nodiscard]] ike::Bytes iv_for(ike::ByteView phase1_last_block, std::uint32_t message_id) const {
    return exchange_iv(suite_, phase1_last_block, message_id);
  }

 private:
  [[nodiscard]] std::size_t block() const;

  ike::Choice suite_;
  crypto::Secret key_;
};

}  // namespace causeway::ikev1

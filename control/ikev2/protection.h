// The encrypted payload: how the messages behind IKE_SA_INIT are sealed and opened (RFC 7296 3.14).
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "control/ike/message.h"
#include "control/ike/payloads.h"
#include "control/ikev2/keys.h"
#include "control/ikev2/window.h"
#include "crypto/cipher.h"

namespace causeway::ikev2 {

// Both directions of one IKE SA.
class Protection {
 public:
  static tl::expected<Protection, std::string> make(const ike::Choice& suite, const IkeKeys& keys, bool initiator);

  // One datagram where the message has at most `limit` octets, else fragments of at most that size (RFC 7383).
  Datagrams seal(const ike::Header& header, const ike::PayloadChain& payloads, crypto::Random& random,
                 std::size_t limit = ike::kMaxMessageSize);
  // The payloads inside, without padding; nothing where it was not made by the peer with our keys.
  [[nodiscard]] std::optional<ike::Bytes> open(const ike::EncryptedOuter& outer) const;

 private:
  Datagrams seal_fragments(const ike::Header& header, const ike::PayloadChain& payloads, crypto::Random& random,
                           std::size_t limit);
  Protection(crypto::MessageCipher out, crypto::MessageCipher in) : out_(std::move(out)), in_(std::move(in)) {}
  crypto::MessageCipher out_, in_;
};

}  // namespace causeway::ikev2

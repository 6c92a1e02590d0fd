#include "control/ikev2/protection.h"

#include <utility>

namespace causeway::ikev2 {

namespace {

// Payloads | padding | pad length, a multiple of the cipher's block. Padding may hold anything; zeros do.
ike::Bytes padded(ike::ByteView payloads, std::size_t block) {
  ike::Writer w(ike::to_bytes(payloads));
  const std::size_t over = (payloads.size() + 1) % block;
  const std::size_t pad = over == 0 ? 0 : block - over;
  w.zeros(pad);
  w.u8(static_cast<std::uint8_t>(pad));
  return w.take();
}

}  // namespace

tl::expected<Protection, std::string> Protection::make(const ike::Choice& suite, const IkeKeys& keys, bool initiator) {
  auto i =
      crypto::MessageCipher::make(suite.encryption.id, suite.encryption.key_bits, suite.integrity, keys.ei, keys.ai);
  auto r =
      crypto::MessageCipher::make(suite.encryption.id, suite.encryption.key_bits, suite.integrity, keys.er, keys.ar);
  if (!i) return tl::make_unexpected(i.error());
  if (!r) return tl::make_unexpected(r.error());
  return initiator ? Protection(std::move(*i), std::move(*r)) : Protection(std::move(*r), std::move(*i));
}

Datagrams Protection::seal(const ike::Header& header, const ike::PayloadChain& payloads, crypto::Random& random) {
  const ike::Bytes plain = padded(payloads.bytes(), out_.block_octets());
  ike::Bytes message =
      ike::encrypted_prefix(header, ike::PayloadType::encrypted, payloads.first(), out_.sealed_size(plain.size()));
  const ike::Bytes sealed = out_.seal(message, plain, random);
  message.insert(message.end(), sealed.begin(), sealed.end());
  return {std::move(message)};
}

std::optional<ike::Bytes> Protection::open(const ike::EncryptedOuter& outer) const {
  auto plain = in_.open(outer.aad, outer.sealed);
  if (!plain || plain->empty()) return std::nullopt;
  const std::size_t tail = std::size_t{plain->back()} + 1;
  if (tail > plain->size()) return std::nullopt;
  plain->resize(plain->size() - tail);
  return plain;
}

}  // namespace causeway::ikev2

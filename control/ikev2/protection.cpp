#include "control/ikev2/protection.h"

#include <algorithm>
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

Datagrams Protection::seal(const ike::Header& header, const ike::PayloadChain& payloads, crypto::Random& random,
                           std::size_t limit) {
  const ike::Bytes plain = padded(payloads.bytes(), out_.block_octets());
  if (ike::kHeaderSize + ike::kPayloadHeaderSize + out_.sealed_size(plain.size()) > limit) {
    return seal_fragments(header, payloads, random, limit);
  }
  ike::Bytes message =
      ike::encrypted_prefix(header, ike::PayloadType::encrypted, payloads.first(), out_.sealed_size(plain.size()));
  const ike::Bytes sealed = out_.seal(message, plain, random);
  message.insert(message.end(), sealed.begin(), sealed.end());
  return {std::move(message)};
}

// Each piece is a message of its own: IV, padding and ICV, and its number within the additional data (RFC 7383 2.5).
Datagrams Protection::seal_fragments(const ike::Header& header, const ike::PayloadChain& payloads,
                                     crypto::Random& random, std::size_t limit) {
  constexpr std::size_t kNumbers = 4;
  const std::size_t around = ike::kHeaderSize + ike::kPayloadHeaderSize + kNumbers + out_.sealed_size(0);
  const std::size_t block = out_.block_octets();
  const std::size_t room = limit > around + block ? (limit - around) / block * block - 1 : block - 1;
  const std::size_t chunk = std::max<std::size_t>(room, 1);
  const ike::ByteView all = payloads.bytes();
  const auto total = static_cast<std::uint16_t>((all.size() + chunk - 1) / chunk);
  Datagrams out;
  for (std::uint16_t number = 1; number <= total; ++number) {
    const std::size_t begin = (number - 1u) * chunk;
    const ike::Bytes plain = padded(all.subspan(begin, std::min(chunk, all.size() - begin)), block);
    const auto first = number == 1 ? payloads.first() : ike::PayloadType::none;
    ike::Writer message(ike::encrypted_prefix(header, ike::PayloadType::encrypted_fragment, first,
                                              kNumbers + out_.sealed_size(plain.size())));
    message.be16(number);
    message.be16(total);
    message.bytes(out_.seal(message.view(), plain, random));
    out.push_back(message.take());
  }
  return out;
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

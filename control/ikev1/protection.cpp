#include "control/ikev1/protection.h"

#include <algorithm>

#include "crypto/cipher.h"

namespace causeway::ikev1 {

std::size_t Protection::block() const {
  const auto* info = crypto::find(suite_.encryption.id, suite_.encryption.key_bits);
  return info == nullptr ? 0 : info->block_octets;
}

ike::Bytes Protection::seal(ike::Header header, const ike::PayloadChain& payloads, ike::Bytes& iv) const {
  ike::Bytes plain = ike::to_bytes(payloads.bytes());
  const std::size_t over = plain.size() % block();
  if (over != 0) plain.resize(plain.size() + block() - over);  // zeros; nothing says how many (RFC 2409 B)
  const ike::Bytes sealed = crypto::cbc_encrypt(suite_.encryption.id, key_.bytes(), iv, plain);
  header.first_payload = payloads.first();
  header.flags = static_cast<std::uint8_t>(header.flags | ike::flag::v1_encryption);
  header.length = static_cast<std::uint32_t>(ike::kHeaderSize + sealed.size());
  ike::Writer w;
  write_header(w, header);
  w.bytes(sealed);
  iv = iv_after(w.view());
  return w.take();
}

std::optional<ike::Bytes> Protection::open(ike::ByteView message, ike::ByteView iv) const {
  const ike::ByteView sealed = message.subspan(std::min(message.size(), ike::kHeaderSize));
  if (sealed.empty() || block() == 0 || sealed.size() % block() != 0) return std::nullopt;
  return crypto::cbc_decrypt(suite_.encryption.id, key_.bytes(), iv, sealed);
}

ike::Bytes Protection::iv_after(ike::ByteView message) const {
  return ike::to_bytes(message.last(std::min(message.size(), block())));
}

}  // namespace causeway::ikev1

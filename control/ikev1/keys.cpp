#include "control/ikev1/keys.h"

#include <algorithm>
#include <array>
#include <utility>

#include "crypto/prf.h"

namespace causeway::ikev1 {

namespace {

constexpr std::uint8_t kProtocolEsp = 3;

ike::Bytes both(const Nonces& nonces) {
  ike::Bytes out = nonces.initiator;
  out.insert(out.end(), nonces.responder.begin(), nonces.responder.end());
  return out;
}

ike::Bytes octets(const Cookies& cookies) {
  ike::Writer w;
  w.be64(cookies.initiator);
  w.be64(cookies.responder);
  return w.take();
}

ike::Bytes octets(std::uint32_t v) {
  ike::Writer w;
  w.be32(v);
  return w.take();
}

ike::Bytes to_octets(const crypto::Secret& s) { return ike::to_bytes(s.bytes()); }

std::size_t block_of(const ike::Choice& suite) {
  const auto* info = crypto::find(suite.encryption.id, suite.encryption.key_bits);
  return info == nullptr ? 0 : info->iv_octets;
}

// Ka = K1 | K2 | ..., K1 = prf(SKEYID_e, 0), Kn = prf(SKEYID_e, Kn-1) (appendix B).
crypto::Secret lengthened(crypto::Prf prf, const crypto::Secret& e, std::size_t length) {
  if (e.size() >= length) return e.slice(0, length);
  const std::array<std::uint8_t, 1> zero{0};
  crypto::Secret block = crypto::prf(prf, e.bytes(), {zero});
  crypto::Secret out = block;
  while (out.size() < length) {
    block = crypto::prf(prf, e.bytes(), {block.bytes()});
    out.append(block.bytes());
  }
  return out.slice(0, length);
}

}  // namespace

crypto::Hash hash_of(crypto::Prf prf) {
  switch (prf) {
    case crypto::Prf::hmac_md5:
      return crypto::Hash::md5;
    case crypto::Prf::hmac_sha2_256:
      return crypto::Hash::sha2_256;
    case crypto::Prf::hmac_sha2_384:
      return crypto::Hash::sha2_384;
    case crypto::Prf::hmac_sha2_512:
      return crypto::Hash::sha2_512;
    default:
      return crypto::Hash::sha1;
  }
}

crypto::Secret skeyid_of_psk(crypto::Prf prf, const crypto::Secret& psk, const Nonces& nonces) {
  return crypto::prf(prf, psk.bytes(), {nonces.initiator, nonces.responder});
}

crypto::Secret skeyid_of_signature(crypto::Prf prf, const crypto::Secret& shared, const Nonces& nonces) {
  return crypto::prf(prf, both(nonces), {shared.bytes()});
}

Phase1Keys phase1_keys(const ike::Choice& suite, crypto::Secret skeyid, const crypto::Secret& shared,
                       const Cookies& cookies) {
  const std::array<std::uint8_t, 1> zero{0}, one{1}, two{2};
  const ike::Bytes cky = octets(cookies);
  const auto key = skeyid.bytes();
  Phase1Keys k;
  k.d = crypto::prf(suite.prf, key, {shared.bytes(), cky, zero});
  k.a = crypto::prf(suite.prf, key, {k.d.bytes(), shared.bytes(), cky, one});
  const crypto::Secret e = crypto::prf(suite.prf, key, {k.a.bytes(), shared.bytes(), cky, two});
  const auto* cipher = crypto::find(suite.encryption.id, suite.encryption.key_bits);
  k.encryption = lengthened(suite.prf, e, cipher == nullptr ? 0 : cipher->key_octets);
  k.skeyid = std::move(skeyid);
  return k;
}

ike::Bytes first_iv(const ike::Choice& suite, ike::ByteView public_i, ike::ByteView public_r) {
  ike::Bytes iv = crypto::hash(hash_of(suite.prf), {public_i, public_r});
  iv.resize(block_of(suite));
  return iv;
}

ike::Bytes exchange_iv(const ike::Choice& suite, ike::ByteView last_block, std::uint32_t message_id) {
  ike::Bytes iv = crypto::hash(hash_of(suite.prf), {last_block, octets(message_id)});
  iv.resize(block_of(suite));
  return iv;
}

ike::Bytes phase1_hash(crypto::Prf prf, const crypto::Secret& skeyid, const Proof& p) {
  const Cookies swapped{p.cookies.responder, p.cookies.initiator};
  const ike::Bytes cookies = octets(p.of_initiator ? p.cookies : swapped);
  const auto own = p.of_initiator ? p.public_i : p.public_r;
  const auto other = p.of_initiator ? p.public_r : p.public_i;
  return to_octets(crypto::prf(prf, skeyid.bytes(), {own, other, cookies, p.sa_body, p.id_body}));
}

ike::Bytes hash_1(crypto::Prf prf, const crypto::Secret& a, std::uint32_t message_id, ike::ByteView payloads) {
  return to_octets(crypto::prf(prf, a.bytes(), {octets(message_id), payloads}));
}

ike::Bytes hash_2(crypto::Prf prf, const crypto::Secret& a, std::uint32_t message_id, ike::ByteView nonce_i,
                  ike::ByteView payloads) {
  return to_octets(crypto::prf(prf, a.bytes(), {octets(message_id), nonce_i, payloads}));
}

ike::Bytes hash_3(crypto::Prf prf, const crypto::Secret& a, std::uint32_t message_id, const Nonces& nonces) {
  const std::array<std::uint8_t, 1> zero{0};
  return to_octets(crypto::prf(prf, a.bytes(), {zero, octets(message_id), nonces.initiator, nonces.responder}));
}

ChildKeys child_keys(crypto::Prf prf, const crypto::Secret& d, const crypto::Secret& shared, std::uint32_t spi,
                     const Nonces& nonces, const crypto::EspSuite& suite) {
  const auto* cipher = crypto::find(suite.encryption, suite.key_bits);
  const auto* integrity = crypto::find(suite.integrity);
  const std::size_t e = cipher == nullptr ? 0 : std::size_t{cipher->key_octets} + cipher->salt_octets;
  const std::size_t i = integrity == nullptr ? 0 : integrity->key_octets;
  const std::array<std::uint8_t, 1> protocol{kProtocolEsp};
  const ike::Bytes spi_octets = octets(spi);
  crypto::Secret material, block;
  while (material.size() < e + i) {
    block = crypto::prf(prf, d.bytes(), {block.bytes(), shared.bytes(), protocol, spi_octets, nonces.initiator,
                                         nonces.responder});
    material.append(block.bytes());
  }
  return {material.slice(0, e), material.slice(e, i)};
}

}  // namespace causeway::ikev1

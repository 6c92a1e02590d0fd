#include "control/ikev2/keys.h"

#include <algorithm>
#include <string_view>

#include "crypto/prf.h"

namespace causeway::ikev2 {

namespace {

ike::ByteView view(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

// Takes keys from the front of derived octets, one after the other.
class Cutter {
 public:
  explicit Cutter(crypto::Secret material) : material_(std::move(material)) {}
  crypto::Secret next(std::size_t length) {
    crypto::Secret key = material_.slice(offset_, length);
    offset_ += length;
    return key;
  }

 private:
  crypto::Secret material_;
  std::size_t offset_ = 0;
};

std::size_t encryption_octets(crypto::Encryption id, std::uint16_t key_bits) {
  const auto* info = crypto::find(id, key_bits);
  return info == nullptr ? 0 : std::size_t{info->key_octets} + info->salt_octets;
}

std::size_t integrity_octets(crypto::Integrity id) {
  const auto* info = crypto::find(id);
  return info == nullptr ? 0 : info->key_octets;
}

ike::Bytes both(const Nonces& nonces) {
  ike::Bytes out = nonces.initiator;
  out.insert(out.end(), nonces.responder.begin(), nonces.responder.end());
  return out;
}

}  // namespace

crypto::Secret skeyseed(crypto::Prf prf, const Nonces& nonces, const crypto::Secret& shared) {
  ike::Bytes key = both(nonces);
  if (crypto::takes_fixed_key(prf)) {
    // A PRF whose key has a fixed size takes half of it from each nonce (2.14).
    constexpr std::size_t kHalf = 8;
    key = ike::to_bytes(ike::ByteView(nonces.initiator).first(kHalf));
    key.insert(key.end(), nonces.responder.begin(), nonces.responder.begin() + kHalf);
  }
  return crypto::prf(prf, key, {shared.bytes()});
}

crypto::Secret skeyseed_of_rekey(crypto::Prf old_prf, const crypto::Secret& old_d, const crypto::Secret& shared,
                                 const Nonces& nonces, const crypto::Secret& more) {
  return crypto::prf(old_prf, old_d.bytes(), {shared.bytes(), nonces.initiator, nonces.responder, more.bytes()});
}

IkeKeys ike_keys(const ike::Choice& suite, const crypto::Secret& seed, const Nonces& nonces, std::uint64_t spi_i,
                 std::uint64_t spi_r) {
  const auto* prf = crypto::find(suite.prf);
  const std::size_t p = prf == nullptr ? 0 : prf->key_octets;
  const std::size_t a = integrity_octets(suite.integrity);
  const std::size_t e = encryption_octets(suite.encryption.id, suite.encryption.key_bits);
  ike::Writer context(both(nonces));
  context.be64(spi_i);
  context.be64(spi_r);
  Cutter cut(crypto::prf_plus(suite.prf, seed.bytes(), context.view(), 3 * p + 2 * a + 2 * e));
  IkeKeys k;
  k.d = cut.next(p);
  k.ai = cut.next(a);
  k.ar = cut.next(a);
  k.ei = cut.next(e);
  k.er = cut.next(e);
  k.pi = cut.next(p);
  k.pr = cut.next(p);
  return k;
}

IkeKeys with_ppk(crypto::Prf prf, const IkeKeys& keys, const crypto::Secret& ppk) {
  IkeKeys out = keys;
  for (crypto::Secret* k : {&out.d, &out.pi, &out.pr}) {
    *k = crypto::prf_plus(prf, ppk.bytes(), k->bytes(), k->size());
  }
  return out;
}

ChildKeys child_keys(crypto::Prf prf, const crypto::Secret& d, const crypto::Secret& shared, const Nonces& nonces,
                     const crypto::EspSuite& suite) {
  const std::size_t e = encryption_octets(suite.encryption, suite.key_bits);
  const std::size_t a = integrity_octets(suite.integrity);
  crypto::Secret seed(shared);
  seed.append(nonces.initiator);
  seed.append(nonces.responder);
  Cutter cut(crypto::prf_plus(prf, d.bytes(), seed.bytes(), 2 * (e + a)));
  ChildKeys k;
  k.encryption_i = cut.next(e);
  k.integrity_i = cut.next(a);
  k.encryption_r = cut.next(e);
  k.integrity_r = cut.next(a);
  return k;
}

ike::Bytes signed_octets(crypto::Prf prf, ike::ByteView first_message, ike::ByteView other_nonce,
                         const crypto::Secret& sk_p, ike::ByteView id_body) {
  ike::Writer w;
  w.bytes(first_message);
  w.bytes(other_nonce);
  w.bytes(crypto::prf(prf, sk_p.bytes(), {id_body}).bytes());
  return w.take();
}

ike::Bytes psk_auth(crypto::Prf prf, const crypto::Secret& psk, ike::ByteView octets) {
  const crypto::Secret padded = crypto::prf(prf, psk.bytes(), {view("Key Pad for IKEv2")});
  return ike::to_bytes(crypto::prf(prf, padded.bytes(), {octets}).bytes());
}

}  // namespace causeway::ikev2

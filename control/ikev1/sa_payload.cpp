#include "control/ikev1/sa_payload.h"

#include <algorithm>
#include <utility>

namespace causeway::ikev1 {

namespace {

using ike::Bytes;
using ike::ByteView;
using ike::Protocol;
using ike::Reader;
using ike::Writer;

constexpr std::uint8_t kMoreProposals = 2, kMoreTransforms = 3;
constexpr std::size_t kProposalFixed = 8, kTransformFixed = 8;
constexpr std::uint16_t kNotUsable = 0xffff;  // given out to nobody: stands for "something else"
constexpr std::uint16_t kDefaultAesBits = 128;  // RFC 3602 5.3

tl::unexpected<ike::ParseError> syntax(const std::string& text) {
  return tl::unexpected(ike::ParseError{ike::ParseError::Kind::syntax, "SA payload: " + text,
                                        static_cast<std::uint8_t>(ike::PayloadType::v1_sa)});
}

// --- numbers -> algorithms --------------------------------------------------------------------------

ike::Cipher cipher_of(std::uint8_t crypto::EncryptionInfo::*column, std::uint64_t number, std::uint64_t bits) {
  bool known = false, takes_length = false;
  for (const crypto::EncryptionInfo& info : crypto::encryptions()) {
    if (info.*column == 0 || info.*column != number) continue;
    known = true;
    takes_length = info.key_bits != 0;
    if (info.key_bits == bits) return {info.id, info.key_bits};
    if (!takes_length || (bits == 0 && info.key_bits == kDefaultAesBits)) return {info.id, info.key_bits};
  }
  const auto other = static_cast<std::uint16_t>(known ? 0x1000 + number : kNotUsable);
  return {static_cast<crypto::Encryption>(other), static_cast<std::uint16_t>(bits)};
}

crypto::Prf prf_of(std::uint64_t hash) {
  for (const crypto::PrfInfo& info : crypto::prfs()) {
    if (info.ikev1_hash_id != 0 && info.ikev1_hash_id == hash) return info.id;
  }
  return static_cast<crypto::Prf>(kNotUsable);
}

crypto::Integrity integrity_of(std::uint64_t number) {
  for (const crypto::IntegrityInfo& info : crypto::integrities()) {
    if (info.ikev1_auth_id != 0 && info.ikev1_auth_id == number) return info.id;
  }
  return static_cast<crypto::Integrity>(kNotUsable);
}

// Phase 1's integrity algorithm is its hash again, so that suites read as configured: "aes128-sha1-modp1024".
crypto::Integrity integrity_with(crypto::Prf prf) {
  for (const crypto::IntegrityInfo& info : crypto::integrities()) {
    if (info.prf == prf && !(info.id == crypto::Integrity::hmac_sha2_256_96)) return info.id;
  }
  return static_cast<crypto::Integrity>(kNotUsable);
}

// --- reading -----------------------------------------------------------------------------------------

bool decode_phase1_attributes(Transform& t, const std::vector<Attribute>& attributes) {
  std::uint64_t cipher = 0, bits = 0, hash = 0, group = 0;
  LifetimeReader life(phase1::life_type, phase1::life_duration);
  bool usable = true;
  for (const Attribute& a : attributes) {
    if (life.take(a)) continue;
    const std::uint64_t value = a.number().value_or(0);
    switch (a.type) {
      case phase1::encryption:
        cipher = value;
        break;
      case phase1::hash:
        hash = value;
        break;
      case phase1::authentication:
        t.auth = static_cast<AuthMethod>(value);
        break;
      case phase1::group:
        group = value;
        break;
      case phase1::key_length:
        bits = value;
        break;
      default:
        usable = false;  // a PRF or group parameters of its own: not what the rest would mean without it
        break;
    }
  }
  t.life = life.lifetimes();
  t.suite.protocol = Protocol::ike;
  t.suite.encryption = {cipher_of(&crypto::EncryptionInfo::ikev1_phase1_id, cipher, bits)};
  t.suite.prf = {usable ? prf_of(hash) : static_cast<crypto::Prf>(kNotUsable)};
  t.suite.integrity = {integrity_with(t.suite.prf.front())};
  t.suite.key_exchange = {static_cast<crypto::KeyExchange>(group)};
  return true;
}

bool decode_phase2_attributes(Transform& t, std::uint8_t id, const std::vector<Attribute>& attributes) {
  std::uint64_t bits = 0, auth = 0, group = 0;
  LifetimeReader life(phase2::life_type, phase2::life_duration);
  bool usable = true;
  for (const Attribute& a : attributes) {
    if (life.take(a)) continue;
    const std::uint64_t value = a.number().value_or(0);
    switch (a.type) {
      case phase2::group:
        group = value;
        break;
      case phase2::encapsulation:
        t.encapsulation = static_cast<Encapsulation>(value);
        break;
      case phase2::authentication:
        auth = value;
        break;
      case phase2::key_length:
        bits = value;
        break;
      default:
        usable = false;  // ESN (RFC 4304), rounds, compression: nothing that is spoken here
        break;
    }
  }
  t.life = life.lifetimes();
  t.suite.protocol = Protocol::esp;
  t.suite.encryption = {usable ? cipher_of(&crypto::EncryptionInfo::ikev1_esp_id, id, bits)
                               : ike::Cipher{static_cast<crypto::Encryption>(kNotUsable), 0}};
  // An AEAD needs no authentication algorithm and may come with a useless one.
  if (auth != 0 && !t.suite.has_aead()) t.suite.integrity = {integrity_of(auth)};
  if (group != 0) t.suite.key_exchange = {static_cast<crypto::KeyExchange>(group)};
  return true;
}

ike::Parsed<std::vector<Transform>> decode_transforms(Reader r, Transform base, std::uint8_t count, Protocol protocol) {
  std::vector<Transform> out;
  for (std::uint8_t left = count; left > 0; --left) {
    const std::uint8_t more = r.u8();
    r.skip(1);
    const std::uint16_t length = r.be16();
    if (!r.ok() || length < kTransformFixed) return syntax("a transform is cut off");
    const ByteView body = r.take(length - 4U);
    if (!r.ok()) return syntax("a transform is longer than its proposal");
    if ((more != 0) != (left > 1)) return syntax("the number of transforms is not the one that was announced");
    Transform t = base;
    t.body = ike::to_bytes(body);
    Reader inside(body);
    t.number = inside.u8();
    const std::uint8_t id = inside.u8();
    inside.skip(2);
    const auto attributes = decode_attributes(inside.rest());
    if (!attributes) return tl::unexpected(attributes.error());
    const bool taken = protocol == Protocol::ike ? id == kTransformKeyIke && decode_phase1_attributes(t, *attributes)
                                                 : decode_phase2_attributes(t, id, *attributes);
    if (taken) out.push_back(std::move(t));
  }
  if (!r.at_end()) return syntax("octets behind the last transform");
  return out;
}

ike::Parsed<std::vector<Transform>> decode(ByteView sa_body, Protocol wanted) {
  Reader r(sa_body);
  if (r.be32() != kDoiIpsec || r.be32() != kSituationIdentityOnly || !r.ok()) {
    return syntax("not of the IPsec DOI, or of another situation than identity only");
  }
  std::vector<Transform> out;
  std::vector<std::uint8_t> seen, bundled;
  for (bool more = true; more;) {
    more = r.u8() == kMoreProposals;
    r.skip(1);
    const std::uint16_t length = r.be16();
    if (!r.ok() || length < kProposalFixed) return syntax("a proposal is cut off");
    Reader p = r.sub(length - 4U);
    Transform base;
    base.proposal = p.u8();
    const auto protocol = static_cast<Protocol>(p.u8());
    const std::uint8_t spi_size = p.u8();
    const std::uint8_t count = p.u8();
    base.spi = ike::to_bytes(p.take(spi_size));
    if (!p.ok()) return syntax("a proposal is longer than its payload");
    // Proposals of one number are offered together (RFC 2408 4.2): IPComp or AH with ESP is not spoken here.
    if (std::ranges::find(seen, base.proposal) != seen.end()) bundled.push_back(base.proposal);
    seen.push_back(base.proposal);
    if (seen.size() > kMaxTransforms) return syntax("too many proposals");
    if (protocol != wanted) {
      bundled.push_back(base.proposal);
      continue;
    }
    auto transforms = decode_transforms(p, base, count, wanted);
    if (!transforms) return tl::unexpected(transforms.error());
    std::ranges::move(*transforms, std::back_inserter(out));
  }
  if (!r.at_end()) return syntax("octets behind the last proposal");
  std::erase_if(out, [&](const Transform& t) { return std::ranges::find(bundled, t.proposal) != bundled.end(); });
  return out;
}

// --- writing -----------------------------------------------------------------------------------------

// A transform from its number on, but for the number, which is its place.
using Transforms = std::vector<Bytes>;

Bytes encode(Protocol protocol, ByteView spi, std::uint8_t number, const Transforms& bodies) {
  std::size_t length = kProposalFixed + spi.size();
  for (const Bytes& b : bodies) length += b.size() + 4;
  Writer w;
  w.be32(kDoiIpsec);
  w.be32(kSituationIdentityOnly);
  w.u8(std::uint8_t{0});
  w.u8(std::uint8_t{0});
  w.be16(static_cast<std::uint16_t>(length));
  w.u8(number);
  w.u8(static_cast<std::uint8_t>(protocol));
  w.u8(static_cast<std::uint8_t>(spi.size()));
  w.u8(static_cast<std::uint8_t>(bodies.size()));
  w.bytes(spi);
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    w.u8(i + 1 < bodies.size() ? kMoreTransforms : std::uint8_t{0});
    w.u8(std::uint8_t{0});
    w.be16(static_cast<std::uint16_t>(bodies[i].size() + 4));
    w.bytes(bodies[i]);
  }
  return w.take();
}

Writer begin_transform(std::size_t place, std::uint8_t id) {
  Writer w;
  w.u8(static_cast<std::uint8_t>(place + 1));
  w.u8(id);
  w.be16(std::uint16_t{0});
  return w;
}

Bytes phase1_transform(std::size_t place, const crypto::EncryptionInfo& cipher, const crypto::PrfInfo& prf,
                       crypto::KeyExchange group, AuthMethod auth, const Lifetimes& life) {
  Writer w = begin_transform(place, kTransformKeyIke);
  put_attribute(w, phase1::encryption, cipher.ikev1_phase1_id);
  if (cipher.key_bits != 0) put_attribute(w, phase1::key_length, cipher.key_bits);
  put_attribute(w, phase1::hash, prf.ikev1_hash_id);
  put_attribute(w, phase1::group, static_cast<std::uint16_t>(group));
  put_attribute(w, phase1::authentication, static_cast<std::uint16_t>(auth));
  put_lifetime(w, phase1::life_type, phase1::life_duration, life);
  return w.take();
}

Bytes phase2_transform(std::size_t place, const crypto::EncryptionInfo& cipher, const crypto::IntegrityInfo* integrity,
                       crypto::KeyExchange group, Encapsulation encapsulation, const Lifetimes& life) {
  Writer w = begin_transform(place, cipher.ikev1_esp_id);
  if (cipher.key_bits != 0) put_attribute(w, phase2::key_length, cipher.key_bits);
  if (integrity != nullptr) put_attribute(w, phase2::authentication, integrity->ikev1_auth_id);
  put_attribute(w, phase2::encapsulation, static_cast<std::uint16_t>(encapsulation));
  if (group != crypto::KeyExchange::none) put_attribute(w, phase2::group, static_cast<std::uint16_t>(group));
  put_lifetime(w, phase2::life_type, phase2::life_duration, life);
  return w.take();
}

}  // namespace

ike::Parsed<std::vector<Transform>> decode_phase1(ByteView sa_body) { return decode(sa_body, Protocol::ike); }
ike::Parsed<std::vector<Transform>> decode_phase2(ByteView sa_body) { return decode(sa_body, Protocol::esp); }

Bytes encode_phase1(std::span<const ike::Proposal> proposals, AuthMethod auth, const Lifetimes& life) {
  Transforms out;
  for (const ike::Proposal& p : proposals) {
    for (const crypto::KeyExchange group : p.key_exchange) {
      for (const ike::Cipher& c : p.encryption) {
        for (const crypto::Prf prf : p.prf) {
          const auto* cipher = crypto::find(c.id, c.key_bits);
          const auto* hash = crypto::find(prf);
          if (cipher == nullptr || hash == nullptr || out.size() == kMaxTransforms) continue;
          out.push_back(phase1_transform(out.size(), *cipher, *hash, group, auth, life));
        }
      }
    }
  }
  return encode(Protocol::ike, {}, 1, out);
}

Bytes encode_phase2(std::span<const ike::Proposal> proposals, crypto::KeyExchange group, std::uint32_t spi,
                    Encapsulation encapsulation, const Lifetimes& life) {
  Transforms out;
  for (const ike::Proposal& p : proposals) {
    for (const ike::Cipher& c : p.encryption) {
      const auto* cipher = crypto::find(c.id, c.key_bits);
      if (cipher == nullptr) continue;
      const auto add = [&](const crypto::IntegrityInfo* integrity) {
        if (out.size() == kMaxTransforms) return;
        out.push_back(phase2_transform(out.size(), *cipher, integrity, group, encapsulation, life));
      };
      if (cipher->aead()) add(nullptr);
      for (const crypto::Integrity i : p.integrity) {
        if (const auto* integrity = crypto::find(i); integrity != nullptr && !cipher->aead()) add(integrity);
      }
    }
  }
  Writer w;
  w.be32(spi);
  return encode(Protocol::esp, w.view(), 1, out);
}

Bytes encode_answer(Protocol protocol, const Transform& taken, ByteView spi) {
  return encode(protocol, spi, taken.proposal, {taken.body});
}

std::string inexpressible(const ike::Proposal& p) {
  const bool phase1 = p.protocol == Protocol::ike;
  const std::string where = phase1 ? " in IKEv1's phase 1" : " in IKEv1";
  for (const ike::Cipher& c : p.encryption) {
    const auto* info = crypto::find(c.id, c.key_bits);
    if (info == nullptr || (phase1 ? info->ikev1_phase1_id : info->ikev1_esp_id) == 0) {
      return c.name() + " does not exist" + where + (phase1 ? ": use aes128, aes192 or aes256, or version = 2" : "");
    }
  }
  for (const crypto::Prf id : p.prf) {
    const auto* info = crypto::find(id);
    if (info == nullptr || info->ikev1_hash_id == 0) return ike::name(id) + " does not exist" + where;
  }
  if (phase1 && p.prf.size() > 0) {
    for (const crypto::Integrity i : p.integrity) {
      const auto* info = crypto::find(i);
      const bool same = info != nullptr && std::ranges::find(p.prf, info->prf) != p.prf.end();
      if (!same) return "one hash serves as PRF and as integrity algorithm" + where + ": leave the PRF out";
    }
  }
  for (const crypto::Integrity i : p.integrity) {
    const auto* info = crypto::find(i);
    if (info == nullptr || info->ikev1_auth_id == 0) return ike::name(i) + " does not exist" + where;
  }
  for (const crypto::KeyExchange g : p.key_exchange) {
    if (static_cast<std::uint16_t>(g) > static_cast<std::uint16_t>(crypto::KeyExchange::ecp521)) {
      return ike::name(g) + " does not exist" + where + ": use a modp or ecp group";
    }
  }
  for (const auto& additional : p.additional) {
    if (!additional.empty()) return "additional key exchanges do not exist" + where;
  }
  if (std::ranges::find(p.esn, true) != p.esn.end()) return "extended sequence numbers are not spoken" + where;
  return {};
}

std::vector<ike::Proposal> suites_of(std::span<const Transform> transforms) {
  std::vector<ike::Proposal> out;
  out.reserve(transforms.size());
  for (const Transform& t : transforms) out.push_back(t.suite);
  return out;
}

}  // namespace causeway::ikev1

#include "test/support/esp_reference.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/provider.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <stdexcept>

namespace causeway::test {

namespace {

using Octets = std::span<const std::uint8_t>;

enum class Mode { gcm, gmac, chacha, cbc, ctr, null };
struct Cipher {
  Mode mode;
  const char* evp;
  std::size_t key, salt, iv, block, icv;
};
const std::map<std::string, Cipher>& ciphers() {
  static const std::map<std::string, Cipher> kCiphers = {
      {"aes128gcm16", {Mode::gcm, "AES-128-GCM", 16, 4, 8, 4, 16}},
      {"aes192gcm16", {Mode::gcm, "AES-192-GCM", 24, 4, 8, 4, 16}},
      {"aes256gcm16", {Mode::gcm, "AES-256-GCM", 32, 4, 8, 4, 16}},
      {"aes128gcm12", {Mode::gcm, "AES-128-GCM", 16, 4, 8, 4, 12}},
      {"aes192gcm12", {Mode::gcm, "AES-192-GCM", 24, 4, 8, 4, 12}},
      {"aes256gcm12", {Mode::gcm, "AES-256-GCM", 32, 4, 8, 4, 12}},
      {"aes128gcm8", {Mode::gcm, "AES-128-GCM", 16, 4, 8, 4, 8}},
      {"aes192gcm8", {Mode::gcm, "AES-192-GCM", 24, 4, 8, 4, 8}},
      {"aes256gcm8", {Mode::gcm, "AES-256-GCM", 32, 4, 8, 4, 8}},
      {"chacha20poly1305", {Mode::chacha, "ChaCha20-Poly1305", 32, 4, 8, 4, 16}},
      {"aes128", {Mode::cbc, "AES-128-CBC", 16, 0, 16, 16, 0}},
      {"aes192", {Mode::cbc, "AES-192-CBC", 24, 0, 16, 16, 0}},
      {"aes256", {Mode::cbc, "AES-256-CBC", 32, 0, 16, 16, 0}},
      {"aes128ctr", {Mode::ctr, "AES-128-CTR", 16, 4, 8, 4, 0}},
      {"aes192ctr", {Mode::ctr, "AES-192-CTR", 24, 4, 8, 4, 0}},
      {"aes256ctr", {Mode::ctr, "AES-256-CTR", 32, 4, 8, 4, 0}},
      {"3des", {Mode::cbc, "DES-EDE3-CBC", 24, 0, 8, 8, 0}},
      {"null", {Mode::null, nullptr, 0, 0, 0, 4, 0}},
      {"aes128gmac", {Mode::gmac, "AES-128-GCM", 16, 4, 8, 4, 16}},
      {"aes192gmac", {Mode::gmac, "AES-192-GCM", 24, 4, 8, 4, 16}},
      {"aes256gmac", {Mode::gmac, "AES-256-GCM", 32, 4, 8, 4, 16}},
  };
  return kCiphers;
}

struct Integrity {
  const char* digest;  // nullptr: AES-XCBC
  std::size_t key, icv;
};
const std::map<std::string, Integrity>& integrities() {
  static const std::map<std::string, Integrity> kIntegrities = {
      {"md5", {"MD5", 16, 12}},          {"sha1", {"SHA1", 20, 12}},     {"sha256", {"SHA256", 32, 16}},
      {"sha256_96", {"SHA256", 32, 12}}, {"sha384", {"SHA384", 48, 24}}, {"sha512", {"SHA512", 64, 32}},
      {"aesxcbc", {nullptr, 16, 12}},
  };
  return kIntegrities;
}

struct ContextFree {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextFree>;

void require(bool ok) {
  if (!ok) throw std::runtime_error("OpenSSL refuses in the ESP reference");
}

struct Result {
  Bytes text, tag;
  bool authentic = true;
};

// AEADs: `tag` empty means encrypt.
Result aead(const Cipher& cipher, Octets key, Octets nonce, Octets aad, Octets text, Octets tag) {
  const bool encrypt = tag.empty();
  Context c(EVP_CIPHER_CTX_new());
  require(EVP_CipherInit_ex(c.get(), EVP_get_cipherbyname(cipher.evp), nullptr, nullptr, nullptr, encrypt) == 1);
  require(EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_SET_IVLEN, 12, nullptr) == 1);
  require(EVP_CipherInit_ex(c.get(), nullptr, nullptr, key.data(), nonce.data(), encrypt) == 1);
  int n = 0;
  require(EVP_CipherUpdate(c.get(), nullptr, &n, aad.data(), static_cast<int>(aad.size())) == 1);
  Result out;
  out.text.resize(text.size());
  if (!text.empty())
    require(EVP_CipherUpdate(c.get(), out.text.data(), &n, text.data(), static_cast<int>(text.size())) == 1);
  std::uint8_t rest[16];
  if (encrypt) {
    require(EVP_CipherFinal_ex(c.get(), rest, &n) == 1);
    out.tag.resize(cipher.icv);
    require(EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(cipher.icv), out.tag.data()) == 1);
  } else {
    Bytes copy(tag.begin(), tag.end());
    require(EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(copy.size()), copy.data()) == 1);
    out.authentic = EVP_CipherFinal_ex(c.get(), rest, &n) == 1;
  }
  return out;
}

Bytes plain_cipher(const char* name, Octets key, Octets iv, Octets text, bool encrypt) {
  Context c(EVP_CIPHER_CTX_new());
  require(EVP_CipherInit_ex(c.get(), EVP_get_cipherbyname(name), nullptr, key.data(), iv.empty() ? nullptr : iv.data(),
                            encrypt) == 1);
  EVP_CIPHER_CTX_set_padding(c.get(), 0);
  Bytes out(text.size() + 32);
  int n = 0, rest = 0;
  require(EVP_CipherUpdate(c.get(), out.data(), &n, text.data(), static_cast<int>(text.size())) == 1);
  require(EVP_CipherFinal_ex(c.get(), out.data() + n, &rest) == 1);
  out.resize(static_cast<std::size_t>(n + rest));
  return out;
}

Bytes separate_cipher(const Cipher& cipher, Octets key, Octets salt, Octets iv, Octets text, bool encrypt) {
  switch (cipher.mode) {
    case Mode::cbc:
      return plain_cipher(cipher.evp, key, iv, text, encrypt);
    case Mode::ctr: {
      Bytes counter(salt.begin(), salt.end());
      counter.insert(counter.end(), iv.begin(), iv.end());
      counter.insert(counter.end(), {0, 0, 0, 1});
      return plain_cipher(cipher.evp, key, counter, text, encrypt);
    }
    default:
      return {text.begin(), text.end()};
  }
}

// RFC 3566 4.
Bytes aes_xcbc(Octets key, Octets message) {
  const auto aes = [](Octets k, Octets block) { return plain_cipher("AES-128-ECB", k, {}, block, true); };
  const Bytes k1 = aes(key, Bytes(16, 1)), k2 = aes(key, Bytes(16, 2)), k3 = aes(key, Bytes(16, 3));
  Bytes e(16, 0);
  const std::size_t blocks = message.empty() ? 1 : (message.size() + 15) / 16;
  for (std::size_t i = 0; i < blocks; ++i) {
    Bytes block(message.begin() + static_cast<long>(16 * i),
                message.begin() + static_cast<long>(std::min(message.size(), 16 * i + 16)));
    if (i + 1 == blocks) {
      const bool whole = block.size() == 16;
      if (!whole) block.push_back(0x80);
      block.resize(16);
      for (std::size_t j = 0; j < 16; ++j) block[j] ^= whole ? k2[j] : k3[j];
    }
    for (std::size_t j = 0; j < 16; ++j) block[j] ^= e[j];
    e = aes(k1, block);
  }
  return e;
}

void put(Bytes& out, std::uint64_t value, int octets) {
  for (int i = octets - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
void put(Bytes& out, Octets more) { out.insert(out.end(), more.begin(), more.end()); }
std::uint32_t get(Octets from, std::size_t at, int octets) {
  std::uint32_t value = 0;
  for (int i = 0; i < octets; ++i) value = value << 8 | from[at + static_cast<std::size_t>(i)];
  return value;
}

std::uint16_t ones_sum(Octets octets, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < octets.size(); ++i) sum += i % 2 == 0 ? octets[i] * 256U : octets[i];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

Bytes associated_data(const ReferenceSa& sa, std::uint32_t high, std::uint32_t low) {
  Bytes aad;
  put(aad, sa.spi, 4);
  if (sa.esn) put(aad, high, 4);
  put(aad, low, 4);
  return aad;
}

// Ciphertext and ICV of `text`, or, with a received ICV, plaintext and whether it is authentic.
Result protect(const ReferenceSa& sa, const Cipher& cipher, std::uint64_t sequence, Octets iv, Octets text,
               Octets icv) {
  const Octets key = Octets(sa.key).first(cipher.key), salt = Octets(sa.key).subspan(cipher.key);
  const auto high = static_cast<std::uint32_t>(sequence >> 32), low = static_cast<std::uint32_t>(sequence);
  Bytes nonce(salt.begin(), salt.end());
  put(nonce, iv);
  Bytes aad = associated_data(sa, high, low);
  if (cipher.mode == Mode::gcm || cipher.mode == Mode::chacha) return aead(cipher, key, nonce, aad, text, icv);
  if (cipher.mode == Mode::gmac) {  // RFC 4543 3.3: IV and text are associated data
    put(aad, iv);
    put(aad, text);
    Result out = aead(cipher, key, nonce, aad, {}, icv);
    out.text.assign(text.begin(), text.end());
    return out;
  }
  Result out;
  const bool encrypt = icv.empty();
  out.text = separate_cipher(cipher, key, salt, iv, text, encrypt);
  Bytes covered;
  put(covered, sa.spi, 4);
  put(covered, low, 4);
  put(covered, iv);
  put(covered, encrypt ? Octets(out.text) : text);
  if (sa.esn) put(covered, high, 4);
  out.tag = reference_integrity(sa.integrity, sa.integrity_key, covered, integrities().at(sa.integrity).icv);
  if (!encrypt) out.authentic = out.tag == Bytes(icv.begin(), icv.end());
  return out;
}

Bytes outer_header(const ReferenceSa& sa, std::size_t payload, std::uint8_t traffic_class) {
  Bytes out;
  const std::uint8_t protocol = sa.source_port != 0 ? 17 : 50;
  if (sa.source.size() == 4) {
    put(out, {{0x45, traffic_class}});
    put(out, 20 + payload, 2);
    put(out, 0x1234'4000, 4);
    put(out, {{64, protocol, 0, 0}});
    put(out, sa.source);
    put(out, sa.destination);
    const std::uint16_t checksum = static_cast<std::uint16_t>(~ones_sum(out));
    out[10] = static_cast<std::uint8_t>(checksum >> 8);
    out[11] = static_cast<std::uint8_t>(checksum);
  } else {
    put(out, 6U << 28 | static_cast<std::uint32_t>(traffic_class) << 20, 4);
    put(out, payload, 2);
    put(out, {{protocol, 64}});
    put(out, sa.source);
    put(out, sa.destination);
  }
  return out;
}

// The UDP checksum of an IPv6 packet must be there and right (RFC 8200 8.1).
bool udp6_checksum_holds(const ReferenceSa& sa, Octets datagram) {
  Bytes pseudo;
  put(pseudo, sa.source);
  put(pseudo, sa.destination);
  put(pseudo, datagram.size(), 4);
  put(pseudo, 17, 4);
  return get(datagram, 6, 2) != 0 && ones_sum(datagram, ones_sum(pseudo)) == 0xffff;
}

// Octets of IP header; 0 with out.error set where it is not what `sa` says.
std::size_t check_ip(const ReferenceSa& sa, Octets packet, ReferenceOpened& out) {
  const std::uint8_t protocol = sa.source_port != 0 ? 17 : 50;
  const auto fail = [&out](const char* why) {
    out.error = why;
    return std::size_t{0};
  };
  const auto same = [&](std::size_t at, const Bytes& address) {
    return std::equal(address.begin(), address.end(), packet.begin() + static_cast<long>(at));
  };
  if (sa.source.size() == 4) {
    if (packet.size() < 20 || packet[0] != 0x45) return fail("not IPv4 without options");
    if (get(packet, 2, 2) != packet.size()) return fail("total length");
    if (ones_sum(packet.first(20)) != 0xffff) return fail("header checksum");
    if (packet[9] != protocol || !same(12, sa.source) || !same(16, sa.destination)) return fail("protocol or address");
    if ((get(packet, 6, 2) & 0xbfff) != 0) return fail("a fragment");
    out.traffic_class = packet[1];
    out.ip_id = static_cast<std::uint16_t>(get(packet, 4, 2));
    out.df = (packet[6] & 0x40) != 0;
    out.ttl = packet[8];
    return 20;
  }
  if (packet.size() < 40 || packet[0] >> 4 != 6) return fail("not IPv6");
  if (get(packet, 4, 2) + 40 != packet.size()) return fail("payload length");
  if (packet[6] != protocol || !same(8, sa.source) || !same(24, sa.destination)) return fail("protocol or address");
  out.traffic_class = static_cast<std::uint8_t>(get(packet, 0, 4) >> 20);
  out.ttl = packet[7];
  return 40;
}

}  // namespace

Bytes from_hex(std::string_view text) {
  Bytes out;
  std::string digits;
  for (const char c : text) {
    if (c == ' ' || c == '\n') continue;
    digits += c;
    if (digits.size() < 2) continue;
    out.push_back(static_cast<std::uint8_t>(std::strtoul(digits.c_str(), nullptr, 16)));
    digits.clear();
  }
  return out;
}

std::string to_hex(Octets octets) {
  std::string out;
  for (const std::uint8_t o : octets) {
    out += "0123456789abcdef"[o >> 4];
    out += "0123456789abcdef"[o & 15];
  }
  return out;
}

std::optional<ReferenceSizes> reference_sizes(const std::string& cipher, const std::string& integrity) {
  const auto c = ciphers().find(cipher);
  const auto i = integrities().find(integrity);
  if (c == ciphers().end() || (i == integrities().end()) != integrity.empty()) return std::nullopt;
  ReferenceSizes sizes{c->second.key, c->second.salt, c->second.iv, c->second.block, c->second.icv, 0};
  if (!integrity.empty()) {
    sizes.icv = i->second.icv;
    sizes.integrity_key = i->second.key;
  }
  return sizes;
}

Bytes reference_seal(const ReferenceSa& sa, std::uint64_t sequence, Octets inner, const SealOptions& options) {
  const Cipher& cipher = ciphers().at(sa.cipher);
  Bytes iv = options.iv;
  if (iv.empty()) {
    iv.assign(cipher.iv, 0xa5);
    for (std::size_t i = 0; i < 8 && i < iv.size(); ++i) iv[i] ^= static_cast<std::uint8_t>(sequence >> (8 * (i % 8)));
  }
  Bytes text(inner.begin(), inner.end());
  text.resize(text.size() + options.tfc, 0x77);
  std::size_t pad =
      (cipher.block - (text.size() + 2) % cipher.block) % cipher.block + options.extra_blocks * cipher.block;
  if (options.padding) {
    put(text, *options.padding);
    pad = options.padding->size();
  } else {
    for (std::size_t i = 1; i <= pad; ++i) text.push_back(static_cast<std::uint8_t>(i));
  }
  text.push_back(static_cast<std::uint8_t>(pad));
  const bool v6 = !inner.empty() && inner[0] >> 4 == 6;
  text.push_back(options.next_header.value_or(v6 ? 41 : 4));
  const Result sealed = protect(sa, cipher, sequence, iv, text, {});
  Bytes esp;
  put(esp, sa.spi, 4);
  put(esp, sequence & 0xffffffff, 4);
  put(esp, iv);
  put(esp, sealed.text);
  put(esp, sealed.tag);
  Bytes out = outer_header(sa, esp.size() + (sa.source_port != 0 ? 8 : 0), options.traffic_class);
  if (sa.source_port != 0) {
    put(out, sa.source_port, 2);
    put(out, sa.destination_port, 2);
    put(out, 8 + esp.size(), 2);
    put(out, 0, 2);
  }
  put(out, esp);
  return out;
}

ReferenceOpened reference_open(const ReferenceSa& sa, Octets packet, std::uint32_t sequence_high) {
  ReferenceOpened out;
  out.octets = packet.size();
  const std::size_t ip = check_ip(sa, packet, out);
  if (ip == 0) return out;
  Octets esp = packet.subspan(ip);
  const auto fail = [&out](const char* why) {
    out.error = why;
    return out;
  };
  if (sa.source_port != 0) {
    if (esp.size() < 8 || get(esp, 0, 2) != sa.source_port || get(esp, 2, 2) != sa.destination_port)
      return fail("ports");
    if (get(esp, 4, 2) != esp.size()) return fail("UDP length");
    if (ip == 20 ? get(esp, 6, 2) != 0 : !udp6_checksum_holds(sa, esp)) return fail("UDP checksum");
    esp = esp.subspan(8);
  }
  const Cipher& cipher = ciphers().at(sa.cipher);
  const std::size_t icv = reference_sizes(sa.cipher, sa.integrity)->icv;
  if (esp.size() < 8 + cipher.iv + icv + 4) return fail("too short");
  out.spi = get(esp, 0, 4);
  out.sequence = get(esp, 4, 4);
  if (out.spi != sa.spi) return fail("SPI");
  const Octets iv = esp.subspan(8, cipher.iv);
  out.iv.assign(iv.begin(), iv.end());
  const Octets text = esp.subspan(8 + cipher.iv, esp.size() - 8 - cipher.iv - icv);
  if (text.size() % cipher.block != 0) return fail("no multiple of the block");
  const std::uint64_t sequence = std::uint64_t{sequence_high} << 32 | out.sequence;
  const Result opened = protect(sa, cipher, sequence, iv, text, esp.last(icv));
  if (!opened.authentic) return fail("ICV");
  out.next_header = opened.text.back();
  out.padding = opened.text[opened.text.size() - 2];
  if (out.padding + 2 > opened.text.size()) return fail("pad length");
  const std::size_t inner = opened.text.size() - 2 - out.padding;
  for (std::size_t i = 0; i < out.padding; ++i)
    if (opened.text[inner + i] != i + 1) return fail("padding");
  out.inner.assign(opened.text.begin(), opened.text.begin() + static_cast<long>(inner));
  return out;
}

Bytes reference_integrity(const std::string& name, Octets key, Octets message, std::size_t octets) {
  const char* digest = integrities().at(name).digest;
  Bytes out(EVP_MAX_MD_SIZE);
  if (digest == nullptr) {
    out = aes_xcbc(key, message);
  } else {
    unsigned n = 0;
    require(HMAC(EVP_get_digestbyname(digest), key.data(), static_cast<int>(key.size()), message.data(), message.size(),
                 out.data(), &n) != nullptr);
    out.resize(n);
  }
  out.resize(octets);
  return out;
}

Bytes reference_block_decrypt(const std::string& cipher, Octets key, Octets block) {
  const Bytes zero(block.size(), 0);
  return plain_cipher(ciphers().at(cipher).evp, key, zero, block, false);
}

}  // namespace causeway::test

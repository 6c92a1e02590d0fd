#include "crypto/algorithms.h"

#include <algorithm>

#include "crypto/algorithm_table.h"

namespace causeway::crypto {
namespace {

// name, id, key, output, IKEv1 hash, legacy
constexpr std::array kPrfs = {
    PrfInfo{"prfsha256", Prf::hmac_sha2_256, 32, 32, 4, false},
    PrfInfo{"prfsha384", Prf::hmac_sha2_384, 48, 48, 5, false},
    PrfInfo{"prfsha512", Prf::hmac_sha2_512, 64, 64, 6, false},
    PrfInfo{"prfsha1", Prf::hmac_sha1, 20, 20, 2, false},
    PrfInfo{"prfaesxcbc", Prf::aes_xcbc, 16, 16, 0, false},
    PrfInfo{"prfmd5", Prf::hmac_md5, 16, 16, 1, true},
};

// name, id, octets on the wire, legacy. ECP values are X and Y (RFC 5903 7); 521 bits take 66 octets each.
constexpr std::array kKeyExchanges = {
    KeyExchangeInfo{"modp2048", KeyExchange::modp2048, 256, false},
    KeyExchangeInfo{"modp3072", KeyExchange::modp3072, 384, false},
    KeyExchangeInfo{"modp4096", KeyExchange::modp4096, 512, false},
    KeyExchangeInfo{"ecp256", KeyExchange::ecp256, 64, false},
    KeyExchangeInfo{"ecp384", KeyExchange::ecp384, 96, false},
    KeyExchangeInfo{"ecp521", KeyExchange::ecp521, 132, false},
    KeyExchangeInfo{"x25519", KeyExchange::curve25519, 32, false},
    KeyExchangeInfo{"mlkem512", KeyExchange::mlkem512, 800, false},
    KeyExchangeInfo{"mlkem768", KeyExchange::mlkem768, 1184, false},
    KeyExchangeInfo{"mlkem1024", KeyExchange::mlkem1024, 1568, false},
    KeyExchangeInfo{"modp1536", KeyExchange::modp1536, 192, true},
    KeyExchangeInfo{"modp1024", KeyExchange::modp1024, 128, true},
    KeyExchangeInfo{"modp768", KeyExchange::modp768, 96, true},
};

template <typename Table, typename Id>
auto row(const Table& table, Id id) -> decltype(table.data()) {
  const auto it = std::find_if(table.begin(), table.end(), [id](const auto& r) { return r.id == id; });
  return it == table.end() ? nullptr : &*it;
}

}  // namespace

std::span<const EncryptionInfo> encryptions() { return kEncryptions; }
std::span<const IntegrityInfo> integrities() { return kIntegrities; }
std::span<const PrfInfo> prfs() { return kPrfs; }
std::span<const KeyExchangeInfo> key_exchanges() { return kKeyExchanges; }

const EncryptionInfo* find(Encryption id, std::uint16_t key_bits) {
  const auto it = std::find_if(kEncryptions.begin(), kEncryptions.end(),
                               [&](const auto& r) { return r.id == id && r.key_bits == key_bits; });
  return it == kEncryptions.end() ? nullptr : &*it;
}
const IntegrityInfo* find(Integrity id) { return row(kIntegrities, id); }
const PrfInfo* find(Prf id) { return row(kPrfs, id); }
const KeyExchangeInfo* find(KeyExchange id) { return row(kKeyExchanges, id); }

std::string EspSuite::name() const {
  const EncryptionInfo* cipher = find(encryption, key_bits);
  std::string text = cipher != nullptr ? std::string(cipher->name) : "unknown";
  if (integrity != Integrity::none) {
    const IntegrityInfo* mac = find(integrity);
    text += '-';
    text += mac != nullptr ? mac->name : "unknown";
  }
  if (esn) text += "-esn";
  return text;
}

std::optional<EspSuite> EspSuite::parse(std::string_view name) {
  const std::string_view whole = name;
  const auto word = [&name] {
    const std::string_view first = name.substr(0, name.find('-'));
    name.remove_prefix(std::min(first.size() + 1, name.size()));
    return first;
  };
  const auto row = [](const auto& table, std::string_view wanted) {
    return std::find_if(table.begin(), table.end(), [wanted](const auto& r) { return r.name == wanted; });
  };
  EspSuite suite;
  const auto cipher = row(kEncryptions, word());
  if (cipher == kEncryptions.end() || !cipher->for_esp) return std::nullopt;
  suite.encryption = cipher->id;
  suite.key_bits = cipher->key_bits;
  if (!cipher->aead()) {
    const std::string_view mac = word();
    const auto integrity = row(kIntegrities, mac);
    if (integrity == kIntegrities.end() || integrity->id == Integrity::none) return std::nullopt;
    suite.integrity = integrity->id;
  }
  suite.esn = name == "esn";
  return suite.name() == whole ? std::optional(suite) : std::nullopt;
}

}  // namespace causeway::crypto

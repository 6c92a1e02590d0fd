#include "crypto/prf.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "crypto/keyed_hash.h"

namespace causeway::crypto {
namespace {

// RFC 4434 2: short keys are padded with zeros, long ones are replaced by their own MAC under a zero key.
Secret xcbc_key(std::span<const std::uint8_t> key) {
  constexpr std::size_t kOctets = 16;
  if (key.size() > kOctets) return aes_xcbc(std::array<std::uint8_t, kOctets>{}, {key});
  Secret padded(kOctets);
  std::copy(key.begin(), key.end(), padded.bytes().begin());
  return padded;
}

}  // namespace

Secret prf(Prf id, std::span<const std::uint8_t> key, std::initializer_list<std::span<const std::uint8_t>> parts) {
  switch (id) {
    case Prf::hmac_md5:
      return hmac(Hash::md5, key, parts);
    case Prf::hmac_sha1:
      return hmac(Hash::sha1, key, parts);
    case Prf::hmac_sha2_256:
      return hmac(Hash::sha2_256, key, parts);
    case Prf::hmac_sha2_384:
      return hmac(Hash::sha2_384, key, parts);
    case Prf::hmac_sha2_512:
      return hmac(Hash::sha2_512, key, parts);
    case Prf::aes_xcbc:
      return aes_xcbc(xcbc_key(key).bytes(), parts);
    case Prf::none:
      break;
  }
  throw std::invalid_argument("prf: not an algorithm of the table");
}

Secret prf_plus(Prf id, std::span<const std::uint8_t> key, std::span<const std::uint8_t> seed, std::size_t length) {
  // T1 = prf(K, S | 1), Tn = prf(K, Tn-1 | S | n)
  Secret out(length);
  Secret last;
  std::size_t done = 0;
  for (unsigned n = 1; done < length; ++n) {
    if (n > 255) throw std::invalid_argument("prf_plus: more than 255 rounds");
    const std::array<std::uint8_t, 1> counter = {static_cast<std::uint8_t>(n)};
    last = prf(id, key, {last.bytes(), seed, counter});
    const std::size_t take = std::min(last.size(), length - done);
    std::copy_n(last.bytes().begin(), take, out.bytes().begin() + static_cast<std::ptrdiff_t>(done));
    done += take;
  }
  return out;
}

bool takes_fixed_key(Prf id) { return id == Prf::aes_xcbc; }

}  // namespace causeway::crypto

// Cookies that a responder makes and checks without keeping anything for the asker (RFC 7296 2.6): whoever sends one
// back receives at the address it claims.
#pragma once

#include <optional>

#include "control/ike/bytes.h"
#include "control/ike/effects.h"
#include "control/ike/ike_sa.h"
#include "crypto/secrets.h"

namespace causeway::ikev2 {

// The secret behind the cookies, and the one before it: renewed often, so that none can be collected and kept.
class CookieSecret {
 public:
  static constexpr ike::Time kLife{60'000};  // a cookie holds for one to two of these

  // Version | HMAC(secret, Ni | IPi | SPIi), as the RFC proposes it.
  ike::Bytes bake(const conf::IpAddress& from, std::uint64_t spi_i, ike::ByteView nonce, ike::Time now,
                  crypto::Random& random);
  [[nodiscard]] bool made(ike::ByteView cookie, const conf::IpAddress& from, std::uint64_t spi_i, ike::ByteView nonce,
                          ike::Time now) const;

 private:
  struct Generation {
    std::uint8_t version = 0;
    crypto::Secret secret;
    ike::Time until{0};  // begins to be replaced
  };
  static ike::Bytes cookie_of(const Generation& g, const conf::IpAddress& from, std::uint64_t spi_i,
                              ike::ByteView nonce);

  std::optional<Generation> current_, former_;
};

enum class CookieState : std::uint8_t {
  proven,  // it came back from where we sent it
  absent,  // none, or none of ours: ask_for_cookie() is the only answer
  unusable,
};
// Looks at the frame of a first request alone: no proposal is parsed.
CookieState cookie_state(const ike::Datagram& request, const CookieSecret& secret, ike::Time now);
// <-- HDR, N(COOKIE): one datagram, smaller than the request.
void ask_for_cookie(const ike::Datagram& request, CookieSecret& secret, crypto::Random& random, ike::Time now,
                    ike::Effects& out);

}  // namespace causeway::ikev2

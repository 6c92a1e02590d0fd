#include "control/ikev2/cookie.h"

#include <utility>

#include "control/ike/message.h"
#include "control/ike/payloads.h"
#include "crypto/prf.h"

namespace causeway::ikev2 {

namespace {

constexpr std::size_t kSecretOctets = 32, kTagOctets = 20;

// What a cookie is about, and the one that came back.
struct Asked {
  std::uint64_t spi_i = 0;
  ike::ByteView nonce;
  std::optional<ike::Bytes> cookie;
};

std::optional<Asked> read(const ike::Datagram& request) {
  const auto header = ike::parse_header(request.bytes);
  if (!header || header->major != 2 || header->exchange != ike::Exchange::ike_sa_init || header->is_response() ||
      header->message_id != 0) {
    return std::nullopt;
  }
  const auto raw = ike::walk_payloads(header->first_payload, ike::ByteView(request.bytes).subspan(ike::kHeaderSize));
  if (!raw) return std::nullopt;
  Asked asked;
  asked.spi_i = header->initiator_spi;
  for (const ike::RawPayload& p : *raw) {
    if (p.type == ike::PayloadType::nonce) asked.nonce = p.body;
    if (p.type != ike::PayloadType::notify || asked.cookie) continue;
    auto notify = ike::NotifyPayload::decode(p.body);
    if (notify && notify->type == ike::NotifyType::cookie) asked.cookie = std::move(notify->data);
  }
  if (asked.nonce.size() < ike::kMinNonce || asked.nonce.size() > ike::kMaxNonce) return std::nullopt;
  return asked;
}

}  // namespace

ike::Bytes CookieSecret::cookie_of(const Generation& g, const conf::IpAddress& from, std::uint64_t spi_i,
                                   ike::ByteView nonce) {
  ike::Writer about;
  about.bytes(from.bytes());
  about.be64(spi_i);
  const crypto::Secret tag = crypto::prf(crypto::Prf::hmac_sha2_256, g.secret.bytes(), {nonce, about.view()});
  ike::Writer cookie;
  cookie.u8(g.version);
  cookie.bytes(ike::ByteView(tag.bytes()).first(kTagOctets));
  return cookie.take();
}

ike::Bytes CookieSecret::bake(const conf::IpAddress& from, std::uint64_t spi_i, ike::ByteView nonce, ike::Time now,
                              crypto::Random& random) {
  if (!current_ || current_->until <= now) {
    Generation next{static_cast<std::uint8_t>(current_ ? current_->version + 1 : 0), crypto::Secret(kSecretOctets),
                    now + kLife};
    random.fill(next.secret.bytes());
    former_ = std::exchange(current_, std::move(next));
  }
  return cookie_of(*current_, from, spi_i, nonce);
}

bool CookieSecret::made(ike::ByteView cookie, const conf::IpAddress& from, std::uint64_t spi_i, ike::ByteView nonce,
                        ike::Time now) const {
  for (const auto* g : {&current_, &former_}) {
    if (!*g || cookie.empty() || cookie[0] != (*g)->version || (*g)->until + kLife <= now) continue;
    if (crypto::equal_constant_time(cookie_of(**g, from, spi_i, nonce), cookie)) return true;
  }
  return false;
}

CookieState cookie_state(const ike::Datagram& request, const CookieSecret& secret, ike::Time now) {
  const auto asked = read(request);
  if (!asked) return CookieState::unusable;
  if (!asked->cookie) return CookieState::absent;
  const bool ours = secret.made(*asked->cookie, request.remote.address, asked->spi_i, asked->nonce, now);
  return ours ? CookieState::proven : CookieState::absent;
}

void ask_for_cookie(const ike::Datagram& request, CookieSecret& secret, crypto::Random& random, ike::Time now,
                    ike::Effects& out) {
  const auto asked = read(request);
  if (!asked) return;
  ike::Header h;
  h.initiator_spi = asked->spi_i;
  h.exchange = ike::Exchange::ike_sa_init;
  h.flags = ike::flag::response;
  ike::PayloadChain chain;
  auto cookie = secret.bake(request.remote.address, asked->spi_i, asked->nonce, now, random);
  chain.add(ike::PayloadType::notify, ike::NotifyPayload::of(ike::NotifyType::cookie, std::move(cookie)).encode());
  out.emplace_back(ike::Send{request.local, request.remote, ike::assemble(h, chain)});
}

}  // namespace causeway::ikev2

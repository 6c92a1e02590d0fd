#include "control/ikev2/ppk.h"

#include <algorithm>
#include <utility>

#include "control/ike/text.h"
#include "control/ikev2/auth.h"
#include "control/ikev2/reasons.h"

namespace causeway::ikev2 {

namespace {

constexpr std::uint8_t kFixed = 2;  // PPK_ID_FIXED (RFC 8784 5.1)

bool required(const Peer& peer) { return has_ppk(peer) && peer.config().ike.ppk_required; }

ike::ByteView id_of(const Peer& peer) { return ike::as_octets(peer.config().ike.ppk_id); }

bool is_ours(const Peer& peer, ike::ByteView identity) {
  return has_ppk(peer) && !identity.empty() && identity[0] == kFixed &&
         std::ranges::equal(identity.subspan(1), id_of(peer));
}

// For the log: what the peer calls its key.
std::string shown(ike::ByteView identity) {
  std::string text;
  for (const char c : ike::as_text(identity.empty() ? identity : identity.subspan(1))) {
    text += ike::is_control(c) || static_cast<unsigned char>(c) > 0x7e ? '?' : c;
  }
  return ike::shortened(std::move(text), 100);
}

}  // namespace

bool has_ppk(const Peer& peer) { return !peer.settings->ppk.empty(); }

std::optional<ike::Reason> use_ppk(Session& s, ike::PayloadChain& chain, ike::ByteView our_id_body) {
  Handshake& h = *s.handshake;
  if (!h.keyed.use_ppk) return required(s.peer) ? std::optional(reasons::no_ppk(s)) : std::nullopt;
  ike::Writer identity;
  identity.u8(kFixed);
  identity.bytes(id_of(s.peer));
  add_notify(chain, ike::NotifyType::ppk_identity, identity.take());
  if (!required(s.peer)) {
    const auto plain = make_auth(s, s.keys, our_id_body);
    if (!plain) return plain.error();
    add_notify(chain, ike::NotifyType::no_ppk_auth, plain->data);
  }
  h.keyed.keys_without_ppk = s.keys;
  s.keys = with_ppk(s.suite.prf, s.keys, s.peer.settings->ppk);
  return std::nullopt;
}

std::optional<ike::Reason> settle_ppk(Session& s, const ike::Payloads& answer) {
  Handshake& h = *s.handshake;
  if (!h.keyed.keys_without_ppk || answer.find(ike::NotifyType::ppk_identity) != nullptr) return std::nullopt;
  if (required(s.peer)) return reasons::no_ppk(s);
  s.keys = *h.keyed.keys_without_ppk;
  return std::nullopt;
}

tl::expected<PpkChoice, ike::Reason> choose_ppk(const Session& s, const Peer& peer, const ike::Payloads& request) {
  const auto* identity = request.find(ike::NotifyType::ppk_identity);
  if (identity != nullptr && s.handshake->keyed.use_ppk && is_ours(peer, identity->data)) {
    return PpkChoice{with_ppk(s.suite.prf, s.keys, peer.settings->ppk), *request.auth, true};
  }
  if (required(peer)) {
    return tl::make_unexpected(identity == nullptr ? reasons::no_ppk(s)
                                                   : reasons::other_ppk(s, peer, shown(identity->data)));
  }
  if (identity == nullptr) return PpkChoice{s.keys, *request.auth, false};
  // We have not its key: the proof without it counts, where it gave one (RFC 8784 3).
  const auto* plain = request.find(ike::NotifyType::no_ppk_auth);
  if (plain == nullptr) return tl::make_unexpected(reasons::other_ppk(s, peer, shown(identity->data)));
  return PpkChoice{s.keys, {request.auth->method, plain->data}, false};
}

}  // namespace causeway::ikev2

// Informational exchanges (RFC 2409 5.7): notifications and DELETEs, each one message, protected by HASH(1); and
// dead peer detection (RFC 3706), which is a pair of notifications.
//
// What comes without protection, or with a hash that does not match, is evidence at most: it ends and changes nothing.
#pragma once

#include "control/ikev1/session.h"

namespace causeway::ikev1 {

void on_informational(Session& s, const Inbound& in, Step& step);
// Unprotected, or sealed with other keys: remembered to explain a failure.
void remember_hint(Session& s, const Payloads* payloads, bool undecryptable);

void send_notify(Session& s, Notify type, std::uint8_t protocol, ike::Bytes spi, ike::Bytes data, Step& step);
// RESPONDER-LIFETIME where our phase 1 ends before the offer of the peer.
void tell_lifetime(Session& s, const Lifetimes& offered, Step& step);
void send_child_delete(Session& s, const std::vector<std::uint32_t>& spis_in, Step& step);
void send_phase1_delete(Session& s, Step& step);

// R-U-THERE now, unless one is under way.
void ask_liveness(Session& s, Step& step);
void liveness_due(Session& s, Step& step);
[[nodiscard]] std::optional<ike::Time> next_liveness_event(const Session& s);

}  // namespace causeway::ikev1

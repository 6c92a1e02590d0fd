// Why a negotiation failed, in one sentence that names the cause and its cure. What the peer is told is the
// RFC's notify and nothing of this.
#pragma once

#include <span>
#include <string>

#include "control/ike/reasons.h"
#include "control/ikev2/session.h"
#include "crypto/x509.h"

namespace causeway::ikev2::reasons {

// --- we know the cause ---------------------------------------------------------------------------------
using ike::reasons::bad_key_exchange;
using ike::reasons::closed_by_peer;
using ike::reasons::closed_by_us;
using ike::reasons::expired;
using ike::reasons::incomplete;
using ike::reasons::internal;
using ike::reasons::no_spi;
using ike::reasons::only_initiator;
using ike::reasons::replaced;
ike::Reason malformed(const Session& s, const std::string& what);
ike::Reason foreign_group(const Session& s, crypto::KeyExchange wanted);
ike::Reason other_group(const Session& s, crypto::KeyExchange ours);
ike::Reason no_intermediate(const conf::IpAddress& peer);
ike::Reason no_ppk(const Session& s);
ike::Reason other_ppk(const Session& s, const Peer& peer, const std::string& theirs);
ike::Reason wrong_psk(const Session& s, const Peer& peer);
ike::Reason wrong_identity(const Session& s, std::span<const Peer> expected, const ike::Identity& got);
ike::Reason other_auth_method(const Session& s, const Peer& peer, ike::AuthPayload::Method theirs);
ike::Reason bad_certificate(const Session& s, const crypto::CertificateError& error);
ike::Reason bad_signature(const Session& s, const std::string& subject, const crypto::SignatureError& error);
ike::Reason cannot_sign(const Session& s, const crypto::SignatureError& error);
ike::Reason wants_eap(const Session& s);
ike::Reason wants_childless(const Session& s);
ike::Reason half_open(const Session& s, ike::Time waited);
ike::Reason out_of_step(const Session& s);
ike::Reason no_resource(const Session& s);
ike::Reason narrowed_resource(const Session& s, const ChildOffer& offer, const conf::SelectorSet& answered);

// --- the peer knows, and we rank what it can have been ----------------------------------------------
// A protected refusal of IKE_AUTH as a whole.
ike::Reason peer_refused(const Session& s, ike::NotifyType type);
// A protected refusal of a child.
ike::Reason child_refused(const Session& s, const ChildOffer& offer, ike::NotifyType type);

// --- silence -------------------------------------------------------------------------------------------
// No usable answer until we gave up, with whatever evidence came in meanwhile.
// Of a new IKE SA in place of one that is there.
ike::Reason ike_rekey_refused(const Session& s, ike::NotifyType type);

ike::Reason silent(const Session& s, ike::Time waited, int sent);

}  // namespace causeway::ikev2::reasons

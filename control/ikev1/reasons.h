// Every reason why an IKEv1 negotiation fails or ends, in words that name the cause and the cure. For the log, for
// status and for diagnose; none of it is sent.
#pragma once

#include <span>
#include <string>

#include "control/ike/reasons.h"
#include "control/ikev1/session.h"
#include "crypto/x509.h"

namespace causeway::ikev1::reasons {

// --- we know ------------------------------------------------------------------------------------------
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
ike::Reason other_auth(const std::string& peer, AuthMethod ours, std::span<const Transform> theirs);
ike::Reason other_mode(const std::string& peer, bool theirs_aggressive);
ike::Reason wrong_psk(const Session& s, bool undecryptable);
ike::Reason bad_certificate(const Session& s, const crypto::CertificateError& error);
ike::Reason bad_signature(const Session& s, const std::string& subject, const crypto::SignatureError& error);
ike::Reason cannot_sign(const Session& s, const crypto::SignatureError& error);
ike::Reason wrong_identity(const Session& s, std::span<const Peer> expected, const ike::Identity& got);
ike::Reason half_open(const Session& s, ike::Time waited);
ike::Reason initial_contact(const Session& s);
ike::Reason quick_hash(const Session& s);
ike::Reason not_confirmed(const Session& s);
ike::Reason selectors(const conf::SelectorSet& ours, const conf::SelectorSet& theirs);
ike::Reason unspeakable_selectors(const conf::SelectorSet& ours);

// --- the peer knows, and we rank what it can have been --------------------------------------------
ike::Reason child_refused(const Session& s, const Quick& quick, Notify type);

// --- silence -------------------------------------------------------------------------------------------
// No usable answer in phase 1 until we gave up, with whatever evidence came in meanwhile.
ike::Reason silent(const Session& s, ike::Time waited, int sent);
ike::Reason quick_silent(const Session& s, ike::Time waited, int sent);
ike::Reason phase1_forgotten(const Session& s, ike::Time waited);  // while ESP comes in
ike::Reason dead(const Session& s, ike::Time waited, int sent);

}  // namespace causeway::ikev1::reasons

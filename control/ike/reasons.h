// The reasons that both versions of IKE share why a negotiation fails or an SA ends: one sentence that names the cause
// and the cure. For the log, for status and for diagnose; none of it is sent. `peer` is how the peer is called there.
#pragma once

#include <span>
#include <string>

#include "control/ike/effects.h"
#include "control/ike/ids.h"

namespace causeway::ike::reasons {

// --- what they are made of ----------------------------------------------------------------------------
Reason make(Cause cause, std::string text, Symptom symptom = Symptom::none);
std::string seconds(Time t);                   // "4 s", rounded
std::string id_with_type(const Identity& id);  // "fqdn vpn.example.com"; "anybody" where any would do

// --- we know the cause ---------------------------------------------------------------------------------
Reason internal(std::string what);
Reason no_spi();
Reason incomplete(const std::string& peer, const std::string& missing);
Reason bad_key_exchange(const std::string& peer, const std::string& what);
Reason only_initiator();
Reason wrong_identity(const std::string& peer, bool behind_nat, std::span<const Identity> expected,
                      const Identity& got);
Reason expired(std::string what);
Reason closed_by_us();
Reason closed_by_peer(const std::string& peer);
Reason replaced();

}  // namespace causeway::ike::reasons

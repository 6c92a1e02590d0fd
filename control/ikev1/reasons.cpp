#include "control/ikev1/reasons.h"

#include <algorithm>
#include <utility>

#include "control/ike/selectors.h"

namespace causeway::ikev1::reasons {

namespace {

using ike::reasons::id_with_type;
using ike::reasons::make;
using ike::reasons::seconds;

std::string mode_name(bool aggressive) { return aggressive ? "aggressive" : "main"; }

const std::string& psk_cure() {
  static const std::string text = "compare both, without a space or newline at the end";
  return text;
}

// What an identity of ours that the peer does not like may look like instead.
std::string identity_cure(const Session& s) {
  std::string text = "we say " + id_with_type(s.peer.local_id);
  if (s.nat_us && s.peer.config().local_id.empty()) {
    return text + " and are behind a NAT; set local_id to what the peer expects, often our public address";
  }
  return text + "; set local_id to what the peer expects";
}

// What a certificate of ours may lack in the peer's eyes.
std::string certificate_cure(const Session& s) {
  const auto& credential = s.peer.settings->credential;
  if (!credential) return "";
  return "our certificate \"" + credential->chain.front().subject() + "\": give the peer its authority \"" +
         credential->chain.back().issuer() + "\", and look at both clocks";
}

// The first message was answered by an unprotected refusal.
ike::Reason refused_first(const Session& s, Notify refusal) {
  const std::string ours = ike::str(s.peer.ike), us = s.local.address.str();
  const std::string mode = mode_name(s.handshake && s.handshake->aggressive);
  switch (refusal) {
    case Notify::no_proposal_chosen: {
      ike::Reason r = make(ike::Cause::peer_refused_proposal,
                           s.peer_name() + " refused our IKE proposal " + ours +
                               ": set the same ike.proposals on both sides, or give it a connection for our address " +
                               us + " with IKEv1 in " + mode + " mode");
      r.first_message = true;
      r.symptom = ike::Symptom::refused_first;
      r.ours = ours;
      r.candidates = {"the proposals: nothing of " + ours + " is allowed there",
                      "the peer has no connection for our address " + us,
                      "the peer's connection is IKEv2: set ike.version = 2 here or IKEv1 there"};
      return r;
    }
    case Notify::authentication_failed:
    case Notify::invalid_exchange_type:
    case Notify::unsupported_exchange_type: {
      ike::Reason r = make(ike::Cause::peer_refused_authentication,
                           s.peer_name() + " refused the first message with " + name(refusal) +
                               ": its exchange mode is another; set ike.mode to the same on both sides (here it is \"" +
                               mode + "\"), or give it a connection for our address " + us);
      r.symptom = ike::Symptom::other_mode;
      r.candidates = {"the exchange mode: " + mode + " here",
                      "the peer has no connection for our address or identity: " + identity_cure(s)};
      return r;
    }
    case Notify::invalid_payload_type:
      return make(ike::Cause::no_config_for_peer,
                  s.peer_name() + " refused the first message with " + name(refusal) +
                      " though it holds nothing unusual: it does not know us under this address; set its customer "
                      "gateway to the address we leave with (" +
                      us + (s.nat_us ? ", translated on the way)" : ", unless a NAT translates it)"),
                  ike::Symptom::unknown_address);
    default:
      return make(ike::Cause::peer_refused_proposal,
                  s.peer_name() + " refused the first message with " + name(refusal) + ": its log says why");
  }
}

// Something answered, and then nothing more that could be used, once both sides had keys.
ike::Reason unproven(const Session& s, ike::Time waited, int sent) {
  const Evidence& e = s.evidence;
  const bool psk = s.peer.auth() == AuthMethod::psk;
  if (e.refusal == Notify::authentication_failed || e.refusal == Notify::invalid_id_information) {
    const bool main = s.handshake && !s.handshake->aggressive;
    ike::Reason r = make(ike::Cause::peer_refused_authentication,
                         s.peer_name() + " refused our identity with " + name(*e.refusal) + ": " + identity_cure(s) +
                             (main ? "; or its connection for us is set to aggressive mode" : ""));
    r.symptom = ike::Symptom::identity_refused;
    r.candidates = {"our identity: " + identity_cure(s)};
    if (main) r.candidates.push_back("the exchange mode: main here");
    if (psk && !e.same_keys) r.candidates.push_back("the pre-shared key: " + psk_cure());
    if (!psk) {
      r.text += "; or " + certificate_cure(s);
      r.candidates.push_back(certificate_cure(s));
    }
    return r;
  }
  const bool garbled =
      !e.same_keys && (e.undecryptable > 0 || e.refusal == Notify::payload_malformed ||
                       e.refusal == Notify::invalid_hash_information || e.refusal == Notify::invalid_payload_type);
  if (psk && garbled) {
    ike::Reason r = wrong_psk(s, true);
    r.cause = ike::Cause::peer_refused_authentication;
    return r;
  }
  if (e.refusal) {
    return make(ike::Cause::peer_refused_authentication,
                s.peer_name() + " refused our proof with " + name(*e.refusal) + ": its log says why");
  }
  std::string text = s.peer_name() + " answered all but our proof of who we are, sent to port " +
                     std::to_string(s.remote.port) + ", in " + seconds(waited) + " (sent " + std::to_string(sent) +
                     "): ";
  ike::Reason r;
  if (s.remote.port == 4500 && !e.on_4500) {
    r = make(ike::Cause::peer_silent, text + "let UDP 4500 pass on the path; else the peer drops a wrong " +
                                          (psk ? "pre-shared key" : "certificate") + " or identity silently");
    r.symptom = ike::Symptom::silent_4500;
    r.candidates = {"UDP 4500 is filtered"};
  } else {
    r = make(ike::Cause::peer_silent, text + "the peer drops a wrong " + (psk ? "pre-shared key" : "certificate") +
                                          " or identity silently; " +
                                          (psk ? "the key: " + psk_cure() : certificate_cure(s)) +
                                          "; the identity: " + identity_cure(s),
             ike::Symptom::unproven);
  }
  r.candidates.push_back(psk ? "the pre-shared key is wrong and the peer says nothing" : certificate_cure(s));
  r.candidates.push_back("our identity is wrong and the peer says nothing: " + identity_cure(s));
  return r;
}

}  // namespace

ike::Reason malformed(const Session& s, const std::string& what) {
  return make(ike::Cause::syntax, s.peer_name() + " sent a message that is not IKEv1 (" + what +
                                      "): update the peer or report it to its maker");
}

ike::Reason other_auth(const std::string& peer, AuthMethod ours, std::span<const Transform> theirs) {
  std::string offered;
  for (const Transform& t : theirs) {
    const std::string one = name(t.auth);
    if (offered.find(one) == std::string::npos) offered += (offered.empty() ? "" : " or ") + one;
  }
  const bool xauth = std::ranges::any_of(theirs, [](const Transform& t) { return t.auth >= AuthMethod::first_xauth; });
  ike::Reason r = make(ike::Cause::authentication_failed,
                       peer + " wants to authenticate by " + offered + ", this side by " + name(ours) + ": " +
                           (xauth ? "it is set up for remote access; make it a site-to-site connection without XAuth"
                                  : "set auth to the same on both sides"));
  r.ours = name(ours);
  r.theirs = offered;
  return r;
}

ike::Reason other_mode(const std::string& peer, bool theirs_aggressive) {
  return make(ike::Cause::no_config_for_peer,
              peer + " begins in " + mode_name(theirs_aggressive) + " mode, this side is set to " +
                  mode_name(!theirs_aggressive) + " mode: set " +
                  (theirs_aggressive ? "the peer to main mode (aggressive mode exposes the pre-shared key to guessing)"
                                     : "ike.mode to the same on both sides"),
              ike::Symptom::other_mode);
}

ike::Reason wrong_psk(const Session& s, bool undecryptable) {
  const std::string file = s.peer.config().psk_file;
  ike::Reason r = make(ike::Cause::authentication_failed,
                       "the pre-shared key is not the same here and at " + s.peer_name() +
                           ": all algorithms agreed, and only the key " +
                           (undecryptable ? "can make messages that do not decrypt" : "can make its proof wrong") +
                           "; make the content of psk_file " + (file.empty() ? std::string() : "(" + file + ") ") +
                           "and the peer's key the same (ours has " + std::to_string(s.peer.settings->psk.size()) +
                           " octets), without a space or newline at the end",
                       s.handshake && s.handshake->aggressive ? ike::Symptom::aggressive_hash : ike::Symptom::other_key);
  return r;
}

ike::Reason bad_certificate(const Session& s, const crypto::CertificateError& error) {
  ike::Reason r = make(ike::Cause::certificate, "the certificate of " + s.peer_name() + " is refused (" +
                                                    std::string(crypto::name_of(error.problem)) + "): " + error.text);
  r.theirs = error.subject;
  return r;
}

ike::Reason bad_signature(const Session& s, const std::string& subject, const crypto::SignatureError& error) {
  ike::Reason r = make(ike::Cause::authentication_failed, "the certificate \"" + subject + "\" of " + s.peer_name() +
                                                              " is good, its signature is not: " + error.text);
  r.theirs = subject;
  return r;
}

ike::Reason cannot_sign(const Session& s, const crypto::SignatureError& error) {
  return make(ike::Cause::authentication_failed,
              "our key makes no signature that " + s.peer_name() + " takes: " + error.text);
}

ike::Reason wrong_identity(const Session& s, std::span<const Peer> expected, const ike::Identity& got) {
  std::vector<ike::Identity> wanted;
  for (const Peer& p : expected) wanted.push_back(p.remote_id);
  return ike::reasons::wrong_identity(s.peer_name(), s.nat_peer, wanted, got);
}

ike::Reason half_open(const Session& s, ike::Time waited) {
  if (s.evidence.unusable) return *s.evidence.unusable;
  return make(ike::Cause::peer_silent, s.peer_name() + " began phase 1 and fell silent for " + seconds(waited) +
                                           ": UDP 4500 or large datagrams may not pass");
}

ike::Reason initial_contact(const Session& s) {
  return make(ike::Cause::replaced, s.peer_name() + " began anew and knows of nothing older (INITIAL_CONTACT)");
}

ike::Reason quick_hash(const Session& s) {
  return make(ike::Cause::authentication_failed,
              "a quick mode message of " + s.peer_name() +
                  " decrypts but its hash does not match: the peer hashes other identities (traffic selectors) than it "
                  "sends, or its keys are out of step; update it or report it to its maker",
              ike::Symptom::quick_hash);
}

ike::Reason not_confirmed(const Session& s) {
  return make(ike::Cause::child_refused,
              s.peer_name() +
                  " began a quick mode and never confirmed it: its third message was lost, or it refused "
                  "our answer; its log says why");
}

ike::Reason selectors(const conf::SelectorSet& ours, const conf::SelectorSet& theirs) {
  ike::Reason r =
      make(ike::Cause::selectors_disjoint,
           "the peer asks for " + ike::str(theirs) + " (local === remote, seen from here), ours is " + ike::str(ours) +
               ": IKEv1 does not narrow; make local_subnets and remote_subnets mirror the "
               "peer's exactly, one pair for one child",
           ike::Symptom::other_selectors);
  r.ours = ike::str(ours);
  r.theirs = ike::str(theirs);
  return r;
}

ike::Reason unspeakable_selectors(const conf::SelectorSet& ours) {
  return make(ike::Cause::internal, "IKEv1 cannot say " + ike::str(ours) +
                                        ": one subnet or range on each side, with one port or all of them");
}

ike::Reason child_refused(const Session& s, const Quick& q, Notify type) {
  const std::string ours = ike::str(q.proposals);
  ike::Reason r;
  switch (type) {
    case Notify::invalid_id_information:
      r = make(ike::Cause::selectors_refused,
               s.peer_name() + " does not accept our traffic selectors " + ike::str(q.selectors) +
                   ": mirror local_subnets and remote_subnets exactly on both sides, one pair for one child",
               ike::Symptom::other_selectors);
      r.ours = ike::str(q.selectors);
      return r;
    case Notify::no_proposal_chosen:
      r = make(ike::Cause::peer_refused_proposal,
               "phase 1 is good, but " + s.peer_name() + " refused our ESP proposal " + ours +
                   ": set the same esp.proposals, and " +
                   (q.agreement ? "the same PFS group (ours is " + ike::name(q.agreement->id()) + ", or pfs = false)"
                                : "PFS (none here)") +
                   ", on both sides");
      r.ours = ours;
      r.symptom = ike::Symptom::esp_or_pfs;
      r.candidates = {"the ESP proposal: nothing of " + ours + " is allowed there",
                      q.agreement ? "the PFS group: ours is " + ike::name(q.agreement->id())
                                  : "the peer wants PFS: name its group in esp.proposals",
                      "the encapsulation mode (tunnel" + std::string(s.udp_encap() ? " in UDP)" : ")")};
      return r;
    default:
      return make(ike::Cause::child_refused,
                  s.peer_name() + " refused the child with " + name(type) + ": its log says why");
  }
}

ike::Reason silent(const Session& s, ike::Time waited, int sent) {
  const Evidence& e = s.evidence;
  if (s.stage == Stage::third_sent) {
    if (e.unusable) return *e.unusable;
    return unproven(s, waited, sent);
  }
  if (s.stage == Stage::first_sent && e.refusal) return refused_first(s, *e.refusal);
  if (e.unusable) return *e.unusable;
  if (s.stage == Stage::second_sent) {
    ike::Reason r =
        make(ike::Cause::peer_silent, s.peer_name() + " answered our proposal but not our key exchange in " +
                                          seconds(waited) + " (sent " + std::to_string(sent) + ")" +
                                          (e.refusal ? ", but for " + name(*e.refusal) : std::string()) +
                                          ": large datagrams may not pass on the path");
    r.symptom = ike::Symptom::key_exchange_lost;
    r.candidates = {"large datagrams or IP fragments are lost on the path", "the peer failed: its log says why"};
    return r;
  }
  ike::Reason r =
      make(ike::Cause::peer_silent, "no answer from " + s.remote.str() + " in " + seconds(waited) + ": sent " +
                                        std::to_string(sent) + ", got " + std::to_string(e.received));
  r.symptom = ike::Symptom::silent;
  r.candidates = {"UDP " + std::to_string(s.remote.port) + " is filtered on the path or at the peer",
                  "the peer has no IKEv1 connection for our address " + s.local.address.str(),
                  "the peer still holds an old SA with us and ignores us: reset the connection there",
                  "the peer's address is not " + s.remote.address.str()};
  r.text += "; let UDP " + std::to_string(s.remote.port) +
            " pass on the path, and check that the peer runs and has an IKEv1 connection for our address " +
            s.local.address.str();
  r.first_message = s.stage == Stage::first_sent;
  return r;
}

ike::Reason quick_silent(const Session& s, ike::Time waited, int sent) {
  std::string text = s.peer_name() + " does not answer quick mode in " + seconds(waited) + " (sent " +
                     std::to_string(sent) + "), though phase 1 was established: ";
  text += s.evidence.wants_xauth || s.vendors.xauth
              ? "it waits for XAuth or mode-config, which is for remote access; make it a site-to-site connection"
              : "it has lost phase 1, or drops what it does not accept (traffic selectors, ESP proposal) silently";
  return make(ike::Cause::peer_silent, std::move(text));
}

ike::Reason phase1_forgotten(const Session& s, ike::Time waited) {
  return make(ike::Cause::peer_silent, s.peer_name() + " answers neither quick mode nor liveness checks for " +
                                           seconds(waited) +
                                           " while its ESP comes in: it has forgotten phase 1, or "
                                           "IKE is lost on the path");
}

ike::Reason dead(const Session& s, ike::Time waited, int sent) {
  return make(ike::Cause::peer_silent, "no answer from " + s.remote.str() + " for " + seconds(waited) + " (asked " +
                                           std::to_string(sent) +
                                           " times, and no ESP came either): the peer or the path to it is down",
              ike::Symptom::dead);
}

}  // namespace causeway::ikev1::reasons

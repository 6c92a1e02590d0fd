#include "control/ikev2/reasons.h"

#include <algorithm>
#include <utility>

#include "control/ike/selectors.h"

namespace causeway::ikev2::reasons {

namespace {

using ike::reasons::id_with_type;
using ike::reasons::make;
using ike::reasons::seconds;

// What can make a peer refuse our proof, most likely first.
std::vector<std::string> refusal_candidates_of_certificate(const Session& s) {
  std::vector<std::string> out;
  const auto& credential = s.peer.settings->credential;
  const std::string subject = credential ? credential->chain.front().subject() : std::string();
  const std::string issuer = credential ? credential->chain.back().issuer() : std::string();
  out.push_back("it does not trust our certificate \"" + subject + "\": give it the authority \"" + issuer +
                "\", and the intermediate ones in our `cert` file");
  out.push_back("our identity: we say " + id_with_type(s.peer.local_id) +
                "; set local_id to what the peer expects and the certificate holds");
  out.push_back("the clocks: our certificate may be expired or not yet valid there");
  if (!s.peer.config().remote_id.empty() && s.peer.remote_id.type != ike::IdType::any) {
    out.push_back("the peer's identity: we want " + id_with_type(s.peer.remote_id) +
                  "; set remote_id to how it calls itself");
  }
  return out;
}

std::vector<std::string> refusal_candidates(const Session& s) {
  if (s.peer.config().auth == conf::AuthMethod::cert) return refusal_candidates_of_certificate(s);
  std::vector<std::string> out;
  const std::string ours = id_with_type(s.peer.local_id);
  if (s.nat_us && s.peer.config().local_id.empty()) {
    out.push_back("our identity: we are behind a NAT and say " + ours +
                  "; set local_id to what the peer expects, often our public address");
    out.push_back("the pre-shared key: compare both, without a space or newline at the end");
  } else {
    out.push_back("the pre-shared key: compare both, without a space or newline at the end");
    out.push_back("our identity: we say " + ours + "; set local_id to what the peer expects");
  }
  if (!s.peer.config().remote_id.empty() && s.peer.remote_id.type != ike::IdType::any) {
    out.push_back("the peer's identity: we want " + id_with_type(s.peer.remote_id) +
                  "; set remote_id to how it calls itself");
  }
  return out;
}

// The same algorithms made the child that is to be renewed: IKE_AUTH has no key exchange for it, a rekey has.
ike::Reason pfs_refused(const Session& s, const ChildOffer& offer) {
  const std::string group = ike::name(offer.agreement->id());
  ike::Reason r = make(ike::Cause::peer_refused_proposal,
                       s.peer_name() +
                           " took the ESP algorithms at first and refuses them now, with PFS: only the PFS"
                           " group can differ, ours is " +
                           group + ". Set the group of esp.proposals to the peer's, or pfs to what it has");
  r.symptom = ike::Symptom::other_pfs;
  r.ours = ike::str(offer.proposals);
  return r;
}

// An unprotected refusal of IKE_SA_INIT that nothing contradicted.
ike::Reason init_refused(const Session& s, ike::NotifyType type) {
  const std::string ours = s.local.address.str();
  if (type == ike::NotifyType::unsupported_critical_payload) {
    // We send no critical payload of our own: this is how some clouds refuse an address they do not know.
    ike::Reason r = make(ike::Cause::no_config_for_peer,
                         s.peer_name() +
                             " refused us with UNSUPPORTED_CRITICAL_PAYLOAD though nothing we sent is critical:"
                             " it does not know us under the address it sees. We send from " +
                             ours + "; set the customer gateway in its console to the public address of that");
    r.symptom = ike::Symptom::unknown_address;
    r.ours = ours;
    return r;
  }
  if (type != ike::NotifyType::no_proposal_chosen && s.evidence.unusable) return *s.evidence.unusable;
  ike::Reason r = make(ike::Cause::peer_refused_proposal, {});
  r.first_message = true;
  if (type != ike::NotifyType::no_proposal_chosen) {
    r.text = s.peer_name() + " refused IKE_SA_INIT with " + ike::name(type) + ": its log says why";
    return r;
  }
  r.text = s.peer_name() + " refused our IKE proposal " + ike::str(s.peer.ike) +
           ": set the same ike.proposals on both sides; else it has no connection for our address " + ours +
           ", or only one for IKEv1";
  r.symptom = ike::Symptom::refused_first;
  r.ours = ike::str(s.peer.ike);
  r.candidates = {"the proposals: nothing of " + r.ours + " is allowed there",
                  "the peer has no connection for our address " + ours,
                  "the peer's connection is IKEv1: set ike.version = 1 here or IKEv2 there"};
  return r;
}

}  // namespace

ike::Reason malformed(const Session& s, const std::string& what) {
  return make(ike::Cause::syntax, s.peer_name() + " sent a message that is not IKEv2 (" + what +
                                      "): update the peer or report it to its maker");
}

ike::Reason foreign_group(const Session& s, crypto::KeyExchange wanted) {
  ike::Reason r =
      make(ike::Cause::invalid_ke, s.peer_name() + " wants the key exchange " + ike::name(wanted) +
                                       ", which ike.proposals does not offer: add it here or choose another there",
                       ike::Symptom::other_algorithms);
  r.ours = ike::str(s.peer.ike);
  r.theirs = ike::name(wanted);
  return r;
}

ike::Reason other_group(const Session& s, crypto::KeyExchange ours) {
  ike::Reason r = make(ike::Cause::invalid_ke, s.peer_name() + " sent a key exchange value of another group than " +
                                                   ike::name(ours) + ": it is asked to try again with that one");
  r.ours = ike::name(ours);
  return r;
}

ike::Reason no_intermediate(const conf::IpAddress& peer) {
  return make(ike::Cause::no_common_proposal,
              peer.str() +
                  " offers additional key exchanges but not IKE_INTERMEDIATE, by which they are made "
                  "(RFC 9370): update the peer, or allow a proposal without them");
}

ike::Reason no_ppk(const Session& s) {
  return make(ike::Cause::authentication_failed,
              s.peer_name() + " does not use a post-quantum pre-shared key (RFC 8784), and ours is required: give it " +
                  s.peer.config().ike.ppk_id + ", or set ppk_required = false here");
}

ike::Reason other_ppk(const Session& s, const Peer& peer, const std::string& theirs) {
  ike::Reason r = make(ike::Cause::authentication_failed,
                       s.peer_name() + " proves itself with the post-quantum pre-shared key \"" + theirs +
                           "\" that is not ours: set the same ppk_id and ppk_file on both sides");
  r.ours = peer.config().ike.ppk_id;
  r.theirs = theirs;
  return r;
}

ike::Reason wrong_psk(const Session& s, const Peer& peer) {
  return make(ike::Cause::authentication_failed,
              "the pre-shared key of " + s.id_remote.str() +
                  " is not ours: all else agreed, so make the content of psk_file " +
                  (peer.config().psk_file.empty() ? std::string() : "(" + peer.config().psk_file + ") ") +
                  "and the peer's key the same, without a space or newline at the end",
              ike::Symptom::other_key);
}

ike::Reason wrong_identity(const Session& s, std::span<const Peer> expected, const ike::Identity& got) {
  std::vector<ike::Identity> wanted;
  for (const Peer& p : expected) wanted.push_back(p.remote_id);
  return ike::reasons::wrong_identity(s.peer_name(), s.nat_peer, wanted, got);
}

ike::Reason other_auth_method(const Session& s, const Peer& peer, ike::AuthPayload::Method theirs) {
  const std::string number = std::to_string(static_cast<int>(theirs));
  const bool cert = peer.config().auth == conf::AuthMethod::cert;
  const bool has_psk = theirs == ike::AuthPayload::Method::shared_key;
  std::string text = s.peer_name() + (cert ? " proves itself by another method than a certificate (AUTH method "
                                           : " proves itself by another method than a pre-shared key (AUTH method ");
  text += number + "): set the peer to " + (cert ? "a certificate" : "pre-shared keys");
  if (cert && has_psk) text += ", or auth = \"psk\" here";
  if (!cert) text += ", or auth = \"cert\" here";
  ike::Reason r = make(ike::Cause::authentication_failed, std::move(text));
  r.ours = cert ? "cert" : "psk";
  r.theirs = number;
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

ike::Reason wants_childless(const Session& s) {
  ike::Reason r = make(ike::Cause::child_refused,
                       s.peer_name() + " takes no child with IKE_AUTH: it is asked for by CREATE_CHILD_SA");
  r.childless = true;
  return r;
}

ike::Reason wants_eap(const Session& s) {
  return make(ike::Cause::authentication_failed,
              s.peer_name() +
                  " wants to log in by EAP, as remote-access clients do: set it to a pre-shared key or a certificate");
}

ike::Reason half_open(const Session& s, ike::Time waited) {
  ike::Reason r =
      make(ike::Cause::peer_silent, s.peer_name() + " began a negotiation and fell silent after IKE_SA_INIT for " +
                                        seconds(waited) + ": UDP 4500 or large datagrams may not pass");
  if (s.evidence.undecryptable > 0) {
    r.text += "; " + std::to_string(s.evidence.undecryptable) + " messages came that our keys do not open";
  }
  return r;
}

ike::Reason out_of_step(const Session& s) {
  return make(ike::Cause::child_refused,
              "this side and " + s.peer_name() + " no longer agree on what is established: it is begun anew");
}

ike::Reason no_resource(const Session& s) {
  return make(ike::Cause::resources, s.peer_name() + " asks for more children with the same selectors than are taken: " +
                                         "it needs none, those it has carry its packets");
}

ike::Reason narrowed_resource(const Session& s, const ChildOffer& offer, const conf::SelectorSet& answered) {
  ike::Reason r = make(ike::Cause::child_refused, s.peer_name() + " gives a further child for " +
                                                      ike::str(offer.selectors) + " other selectors, " +
                                                      ike::str(answered) + ", than the first (RFC 9611 3)");
  r.ours = ike::str(offer.selectors);
  r.theirs = ike::str(answered);
  return r;
}

ike::Reason peer_refused(const Session& s, ike::NotifyType type) {
  switch (type) {
    case ike::NotifyType::authentication_failed: {
      ike::Reason r = make(ike::Cause::peer_refused_authentication, {});
      r.symptom = ike::Symptom::authentication_refused;
      r.candidates = refusal_candidates(s);
      r.text =
          s.peer_name() + " refused our authentication; IKEv2 does not say why. Most likely " + r.candidates.front();
      for (std::size_t i = 1; i < r.candidates.size(); ++i) r.text += "; else " + r.candidates[i];
      return r;
    }
    case ike::NotifyType::no_proposal_chosen: {
      ike::Reason r = make(ike::Cause::peer_refused_proposal,
                           s.peer_name() + " refused our ESP proposal: set the same esp.proposals on both sides",
                           ike::Symptom::other_esp);
      r.ours = ike::str(s.peer.esp);
      return r;
    }
    default:
      return make(ike::Cause::peer_refused_authentication,
                  s.peer_name() + " refused IKE_AUTH with " + ike::name(type) + ": its log says why");
  }
}

ike::Reason child_refused(const Session& s, const ChildOffer& offer, ike::NotifyType type) {
  ike::Reason r;
  switch (type) {
    case ike::NotifyType::ts_unacceptable:
    case ike::NotifyType::single_pair_required:
      r = make(ike::Cause::selectors_refused, s.peer_name() + " does not accept our traffic selectors " +
                                                  ike::str(offer.selectors) +
                                                  ": mirror local_subnets and remote_subnets exactly on both sides",
               ike::Symptom::other_selectors);
      r.ours = ike::str(offer.selectors);
      return r;
    case ike::NotifyType::no_proposal_chosen:
    case ike::NotifyType::invalid_ke_payload:
      if (offer.replaces != 0 && offer.agreement) return pfs_refused(s, offer);
      r = make(ike::Cause::peer_refused_proposal,
               "phase 1 is good, but " + s.peer_name() + " refused our ESP proposal " + ike::str(offer.proposals) +
                   ": set the same esp.proposals" + (offer.agreement ? " and pfs" : "") + " on both sides",
               offer.agreement ? ike::Symptom::esp_or_pfs : ike::Symptom::other_esp);
      r.ours = ike::str(offer.proposals);
      return r;
    case ike::NotifyType::no_additional_sas:
      return make(
          ike::Cause::child_refused,
          s.peer_name() +
              " takes no further child on one IKE SA: use selectors it accepts in one child, or one tunnel each");
    case ike::NotifyType::ts_max_queue:
      return make(ike::Cause::child_refused, s.peer_name() + " takes no further child for " + ike::str(offer.selectors) +
                                                 ": workers without one hand over to those that have one");
    default:
      return make(ike::Cause::child_refused,
                  s.peer_name() + " refused the child with " + ike::name(type) + ": its log says why");
  }
}

ike::Reason ike_rekey_refused(const Session& s, ike::NotifyType type) {
  return make(ike::Cause::peer_refused_proposal,
              s.peer_name() + " refused to rekey the IKE SA: " + ike::name(type) +
                  ": set ike.proposals, and what the peer allows at a rekey, to the same on both sides");
}

ike::Reason silent(const Session& s, ike::Time waited, int sent) {
  const std::string who = s.remote.str();
  if (s.stage == Stage::established || s.stage == Stage::closing) {
    return make(ike::Cause::peer_silent, "no answer from " + who + " for " + seconds(waited) + " (asked " +
                                             std::to_string(sent) + " times): the peer or the path to it is down",
                ike::Symptom::dead);
  }
  const Evidence& e = s.evidence;
  if (s.stage == Stage::init_sent && e.refusal) return init_refused(s, *e.refusal);
  if (e.unusable) return *e.unusable;
  if (s.stage == Stage::init_sent) {
    ike::Reason r = make(ike::Cause::peer_silent, "no answer from " + who + " in " + seconds(waited) + ": sent " +
                                                      std::to_string(sent) + ", got " + std::to_string(e.received));
    r.symptom = ike::Symptom::silent;
    r.candidates = {"UDP 500 is filtered on the path or at the peer",
                    "the peer has no connection for our address " + s.local.address.str(),
                    "the peer's address is not " + s.remote.address.str()};
    r.text += "; let UDP " + std::to_string(s.remote.port) +
              " pass on the path, and check that the peer runs and has a connection for our address " +
              s.local.address.str();
    r.first_message = true;
    return r;
  }
  // IKE_AUTH is unanswered: something answered IKE_SA_INIT.
  std::string text = s.peer_name() + " answered IKE_SA_INIT but not IKE_AUTH on port " + std::to_string(s.remote.port) +
                     " in " + seconds(waited) + " (sent " + std::to_string(sent) + ")";
  if (e.refusal) {
    text += "; an unprotected " + ike::name(*e.refusal) + " came";
  } else if (e.undecryptable > 0) {
    text += "; " + std::to_string(e.undecryptable) + " answers came that our keys do not open";
  }
  text += s.remote.port == 4500
              ? ": let UDP 4500 pass on the path; else the peer drops a wrong pre-shared key or identity silently"
              : ": the peer drops a wrong pre-shared key or identity silently, or large datagrams are lost";
  ike::Reason r = make(ike::Cause::peer_silent, std::move(text));
  r.symptom = s.remote.port == 4500 ? ike::Symptom::silent_4500 : ike::Symptom::unproven;
  r.candidates = {"UDP " + std::to_string(s.remote.port) + " is filtered",
                  "the pre-shared key or an identity is wrong and the peer says nothing"};
  return r;
}

}  // namespace causeway::ikev2::reasons

#include "control/ikev1/phase1.h"

#include <algorithm>
#include <utility>

#include "control/ike/nat_detection.h"
#include "control/ikev1/quick_mode.h"
#include "control/ikev1/reasons.h"

namespace causeway::ikev1 {

namespace {

constexpr int kRenewPercent = 80, kRenewPercentResponder = 88;
constexpr ike::Time kRepetitions{60000};  // how long phase 1's last message is kept for a peer that did not get it
constexpr std::uint16_t kPortIke = 500, kPortNat = 4500;

ike::Bytes nat_hash(const Session& s, const conf::Endpoint& e) {
  ike::Writer w;
  w.be64(s.cookies.initiator);
  w.be64(s.cookies.responder);
  w.bytes(e.address.bytes());
  w.be16(e.port);
  return crypto::hash(hash_of(s.suite.prf), {w.view()});  // RFC 3947 3.2: the negotiated hash
}

Proof proof_of(const Session& s, bool of_initiator) {
  const Handshake& h = *s.handshake;
  return {of_initiator, h.public_i, h.public_r, s.cookies, h.sa_body, of_initiator ? h.id_i : h.id_r};
}

// RFC 2407 4.6.2: in phase 1 protocol and port are 0 and 0, or UDP and 500 (some say 4500); strict peers want one of
// them, and every peer takes zeros.
bool sane_id_ports(ike::ByteView body) {
  if (body.size() < 4) return false;
  const unsigned port = static_cast<unsigned>(body[2] << 8 | body[3]);
  const bool any = port == 0 || port == kPortIke || port == kPortNat;
  return any && (body[1] == 0 || body[1] == 17);
}

}  // namespace

ike::Bytes offer_phase1(Session& s, crypto::KeyExchange group) {
  std::vector<ike::Proposal> proposals;
  for (ike::Proposal p : s.peer.ike) {
    if (group != crypto::KeyExchange::none) {
      if (std::ranges::find(p.key_exchange, group) == p.key_exchange.end()) continue;
      p.key_exchange = {group};
    }
    proposals.push_back(std::move(p));
  }
  ike::Bytes body = encode_phase1(proposals, s.peer.auth(), s.peer.ike_lifetime());
  s.handshake->sa_body = body;
  if (auto offered = decode_phase1(body)) s.handshake->offered = std::move(*offered);
  return body;
}

bool take_phase1_answer(Session& s, const Inbound& in, Step& step) {
  const auto unusable = [&](ike::Reason reason) {
    step.info("an answer to our first message cannot be used: " + reason.text);
    s.evidence.unusable = std::move(reason);
    return false;
  };
  if (in.header.responder_spi == 0 || !in.payloads.sa) {
    return unusable(reasons::incomplete(s, "its cookie or the SA payload"));
  }
  const auto answer = decode_phase1(*in.payloads.sa);
  if (!answer) return unusable(reasons::malformed(s, answer.error().text));
  if (answer->size() != 1) return unusable(reasons::incomplete(s, "the one transform it takes"));
  if (answer->front().auth != s.peer.auth()) {
    return unusable(reasons::other_auth(s.peer_name(), s.peer.auth(), *answer));
  }
  const auto choice = ike::accept_answer(suites_of(s.handshake->offered), suites_of(*answer));
  if (!choice) return unusable(choice.error());
  s.suite = *choice;
  s.cookies.responder = in.header.responder_spi;
  s.vendors.read(in.payloads.vendors);
  return true;
}

void add_nat_detection(Session& s, ike::PayloadChain& chain) {
  if (s.vendors.nat_traversal == NatTraversal::none) return;
  const auto type = s.vendors.nat_traversal == NatTraversal::rfc3947 ? ike::PayloadType::v1_nat_d
                                                                     : ike::PayloadType::v1_nat_d_draft;
  // With `encap = force` the source is that of no address, so that the peer finds a NAT and encapsulates.
  chain.add(type, nat_hash(s, s.remote));
  chain.add(type, nat_hash(s, s.force_encap ? conf::Endpoint{} : s.local));
}

void detect_nat(Session& s, const Inbound& in) {
  if (s.vendors.nat_traversal == NatTraversal::none || in.payloads.nat_d.size() < 2) {
    s.force_encap = s.force_encap && s.vendors.nat_traversal != NatTraversal::none;
    return;
  }
  // The first is of our address as the peer sees it, the others are of its own (RFC 3947 3.2).
  s.nat_us = in.payloads.nat_d.front() != nat_hash(s, in.local);
  const ike::Bytes theirs = nat_hash(s, in.remote);
  s.nat_peer = std::find(in.payloads.nat_d.begin() + 1, in.payloads.nat_d.end(), theirs) == in.payloads.nat_d.end();
}

void float_port(Session& s) {
  if (!s.udp_encap()) return;
  s.local.port = kPortNat;
  if (s.remote.port == kPortIke) s.remote.port = kPortNat;
}

void derive_keys(Session& s) {
  Handshake& h = *s.handshake;
  crypto::Secret skeyid = s.peer.auth() == AuthMethod::psk
                              ? skeyid_of_psk(s.suite.prf, s.peer.settings->psk, h.nonces)
                              : skeyid_of_signature(s.suite.prf, h.shared, h.nonces);
  s.keys = phase1_keys(s.suite, std::move(skeyid), h.shared, s.cookies);
  s.protection.emplace(s.suite, s.keys.encryption);
  s.phase1_iv = first_iv(s.suite, h.public_i, h.public_r);
}

bool add_proof(Session& s, ike::PayloadChain& chain, Step& step) {
  Handshake& h = *s.handshake;
  ike::Bytes& id = s.initiator ? h.id_i : h.id_r;
  if (id.empty()) {
    s.id_local = s.peer.local_id;
    id = s.id_local.encode();
  }
  chain.add(ike::PayloadType::v1_id, id);
  if (s.peer.auth() != AuthMethod::psk) {
    finish(s, reasons::internal("auth = cert cannot be used with this tunnel"), step);
    return false;
  }
  chain.add(ike::PayloadType::v1_hash, phase1_hash(s.suite.prf, s.keys.skeyid, proof_of(s, s.initiator)));
  return true;
}

bool add_aggressive_proof(Session& s, ike::PayloadChain& chain) {
  chain.add(ike::PayloadType::v1_hash, phase1_hash(s.suite.prf, s.keys.skeyid, proof_of(s, s.initiator)));
  return true;
}

namespace {

// The candidate that the identity fits, among those whose key it can be.
const Peer* fitting(const Session& s, const ike::Identity& id) {
  const auto fits = [&](const Peer& p) {
    return p.remote_id.matches(id) && (p.auth() != AuthMethod::psk || p.settings->psk == s.peer.settings->psk);
  };
  if (s.candidates.empty()) return fits(s.peer) ? &s.peer : nullptr;
  const auto it = std::ranges::find_if(s.candidates, fits);
  return it == s.candidates.end() ? nullptr : &*it;
}

}  // namespace

std::optional<ike::Reason> check_proof(Session& s, const Inbound& in, Step& step) {
  Handshake& h = *s.handshake;
  const bool of_initiator = !s.initiator;
  ike::Bytes& body = of_initiator ? h.id_i : h.id_r;
  if (!in.payloads.ids.empty()) body = in.payloads.ids.front();
  const auto id = ike::Identity::decode(body);
  if (!id) return reasons::malformed(s, id.error().text);
  if (!sane_id_ports(body)) step.debug("the identity of " + s.peer_name() + " names an odd protocol and port");
  if (!in.payloads.hash) return reasons::incomplete(s, "its HASH");
  const ike::Bytes expected = phase1_hash(s.suite.prf, s.keys.skeyid, proof_of(s, of_initiator));
  if (!crypto::equal_constant_time(expected, *in.payloads.hash)) return reasons::wrong_psk(s, false);
  const Peer* who = fitting(s, *id);
  if (who == nullptr) {
    const std::span<const Peer> wanted = s.candidates.empty() ? std::span(&s.peer, 1) : std::span(s.candidates);
    return reasons::wrong_identity(s, wanted, *id);
  }
  if (who != &s.peer) s.peer = Peer(*who);
  s.id_remote = *id;
  return std::nullopt;
}

void send_phase1(Session& s, ike::Exchange exchange, const ike::PayloadChain& chain, bool encrypted, bool timer,
                 const Inbound* answers, Step& step) {
  const ike::Header header = header_of(s, exchange, 0);
  s.last.sent = encrypted ? s.protection->seal(header, chain, s.phase1_iv) : ike::assemble(header, chain);
  s.last.received = answers == nullptr ? ike::Bytes{} : answers->datagram;
  s.last.timer.reset();
  if (timer) s.last.timer.emplace(handshake_schedule(), step.now);
  send_datagram(s, s.last.sent, step);
}

void established(Session& s, bool peer_initial_contact, Step& step) {
  s.stage = Stage::established;
  s.established_at = s.last_heard = step.now;
  s.negotiation_time = step.now - s.started_at;
  s.give_up_at.reset();
  s.last.timer.reset();
  s.candidates.clear();
  if (!s.initiator) s.id_local = s.peer.local_id;
  s.evidence.unusable.reset();
  s.evidence.refusal.reset();
  s.handshake->shared = {};
  s.handshake->agreement.reset();
  s.handshake_until = step.now + kRepetitions;
  if (const auto seconds = s.peer.ike_lifetime().seconds) {
    s.rekey_at = rekey_time(s, step.now, *seconds, s.initiator ? kRenewPercent : kRenewPercentResponder);
    s.expire_at = step.now + std::chrono::seconds(static_cast<std::int64_t>(*seconds));
  }
  s.dpd.next = static_cast<std::uint32_t>(s.env->random().below(1U << 30));
  step.out.emplace_back(ike::IkeEstablished{peer_initial_contact});
  if (s.handshake->child) add_task(s, Task{.slot = *s.handshake->child});
}

tl::expected<Selected, ike::Reason> select_phase1(const ike::Datagram& request, bool aggressive,
                                                  std::span<const std::shared_ptr<const ike::PeerSettings>> candidates,
                                                  std::span<const Transform> offered) {
  std::optional<Selected> selected;
  std::optional<ike::Reason> first;
  const std::string who = request.remote.address.str();
  const auto keep = [&](ike::Reason r) {
    if (!first) first = std::move(r);
  };
  for (const auto& settings : candidates) {
    if (settings->config.role == conf::Role::initiator) continue;
    auto peer = Peer::resolve(settings);
    if (!peer) continue;
    if (peer->aggressive() != aggressive) {
      keep(reasons::other_mode(who, aggressive));
      continue;
    }
    std::vector<Transform> ours;
    std::ranges::copy_if(offered, std::back_inserter(ours), [&](const Transform& t) { return t.auth == peer->auth(); });
    if (ours.empty() && !offered.empty()) {
      keep(reasons::other_auth(who, peer->auth(), offered));
      continue;
    }
    if (selected) {
      const ike::Proposal chosen[] = {selected->choice.proposal()};
      if (peer->auth() == selected->taken.auth && ike::select(peer->ike, chosen)) {
        selected->peers.push_back(std::move(*peer));
      }
      continue;
    }
    auto choice = ike::select(peer->ike, suites_of(ours));
    if (choice) {
      selected = Selected{{std::move(*peer)}, *choice, ours[choice->theirs]};
    } else {
      keep(choice.error());
    }
  }
  if (selected) return std::move(*selected);
  return tl::make_unexpected(first.value_or(reasons::only_initiator()));
}

}  // namespace causeway::ikev1

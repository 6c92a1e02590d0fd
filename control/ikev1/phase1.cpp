#include "control/ikev1/phase1.h"

#include <algorithm>
#include <utility>

#include "control/ike/nat_detection.h"
#include "control/ikev1/informational.h"
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
    return unusable(reasons::incomplete(s.peer_name(), "its cookie or the SA payload"));
  }
  const auto answer = decode_phase1(*in.payloads.sa);
  if (!answer) return unusable(reasons::malformed(s, answer.error().text));
  if (answer->size() != 1) return unusable(reasons::incomplete(s.peer_name(), "the one transform it takes"));
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

void send_phase1(Session& s, ike::Exchange exchange, const ike::PayloadChain& chain, bool encrypted, bool timer,
                 const Inbound* answers, Step& step) {
  const ike::Header header = header_of(s, exchange, 0);
  s.last.sent = encrypted ? s.protection->seal(header, chain, s.phase1_iv) : ike::assemble(header, chain);
  s.last.received = answers == nullptr ? ike::Bytes{} : answers->datagram;
  s.last.timer.reset();
  if (timer) s.last.timer.emplace(handshake_schedule(), step.now);
  send_datagram(s, s.last.sent, step);
}

void add_initial_contact(const Session& s, ike::PayloadChain& chain) {
  if (!s.initial_contact) return;
  ike::Writer cookies;
  cookies.be64(s.cookies.initiator);
  cookies.be64(s.cookies.responder);
  NotifyPayload n;
  n.type = Notify::initial_contact;
  n.spi = cookies.take();
  chain.add(ike::PayloadType::v1_notification, n.encode());
}

void established(Session& s, bool peer_initial_contact, Step& step) {
  s.stage = Stage::established;
  s.established_at = s.last_heard = step.now;
  s.negotiation_time = step.now - s.started_at;
  s.give_up_at.reset();
  s.last.timer.reset();
  s.candidates.clear();
  s.evidence.unusable.reset();
  s.evidence.refusal.reset();
  s.handshake->shared = {};
  s.handshake->agreement.reset();
  s.handshake_until = step.now + kRepetitions;
  auto seconds = s.peer.ike_lifetime().seconds;
  const auto& theirs = s.handshake->offered_life.seconds;
  if (theirs && *theirs != 0 && (!seconds || *theirs < *seconds)) seconds = std::min<std::uint64_t>(*theirs, 1U << 30);
  if (seconds) {
    s.rekey_at = rekey_time(s, step.now, *seconds, s.initiator ? kRenewPercent : kRenewPercentResponder);
    s.expire_at = step.now + std::chrono::seconds(static_cast<std::int64_t>(*seconds));
  }
  s.dpd.next = static_cast<std::uint32_t>(s.env->random().below(1U << 30));
  step.out.emplace_back(ike::IkeEstablished{peer_initial_contact});
  if (!s.initiator) tell_lifetime(s, s.handshake->offered_life, step);
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

// The state of one IKE SA (RFC 7296), and the small steps that the exchanges are made of.
//
// Session is plain state. The exchanges (ike_sa_init, ike_auth, create_child_sa, rekey, informational) are
// functions on it, one file each; dispatch.cpp says which message goes to which; ike_sa.cpp puts it all
// behind ike::IkeSa. Nothing blocks, reads a clock or sends: everything comes out as effects, in order.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/ike/ike_sa.h"
#include "control/ike/payloads.h"
#include "control/ikev2/fragments.h"
#include "control/ikev2/keys.h"
#include "control/ikev2/peer.h"
#include "control/ikev2/protection.h"
#include "control/ikev2/window.h"
#include "crypto/dh.h"
#include "crypto/signature.h"

namespace causeway::ikev2 {

// One event being handled: when it happened, and where its effects go.
struct Step {
  ike::Time now;
  ike::Effects& out;

  void note(ike::Notice::Level level, std::string text) { out.emplace_back(ike::Notice{level, std::move(text)}); }
  void debug(std::string text) { note(ike::Notice::Level::debug, std::move(text)); }
  void info(std::string text) { note(ike::Notice::Level::info, std::move(text)); }
  void warn(std::string text) { note(ike::Notice::Level::warning, std::move(text)); }
};

// A message that is ours to process: authenticated, but for IKE_SA_INIT.
struct Inbound {
  ike::Header header;
  ike::Payloads payloads;
  ike::Bytes id_i_body, id_r_body;  // as received: AUTH covers reserved octets too
  ike::PayloadType first_inside = ike::PayloadType::none;
  ike::Bytes inside;    // plaintext of IKE_INTERMEDIATE: AUTH covers it (RFC 9242)
  ike::Bytes datagram;  // as received, for the cache of replies and for AUTH; of several, the first
  conf::Endpoint local, remote;
};

enum class Stage : std::uint8_t {
  fresh,              // initiator before start()
  init_sent,          // initiator: IKE_SA_INIT sent
  intermediate_sent,  // initiator: IKE_INTERMEDIATE sent
  auth_sent,          // initiator: IKE_AUTH sent
  half_open,          // responder: IKE_SA_INIT answered
  established,
  closing,  // our DELETE of the IKE SA is on its way
  closed,
};

// What we want from the peer; done one after the other, as the window of one request allows.
struct Task {
  enum class Kind : std::uint8_t { create_child, rekey_child, delete_child, rekey_ike, delete_ike, liveness };
  Kind kind = Kind::liveness;
  ike::ChildSlot slot = 0;
  std::uint32_t spi = 0;  // our inbound SPI of the child concerned
  ike::Time not_before{0};
  int refused = 0;                                        // how often the peer asked us to try later
  crypto::KeyExchange group = crypto::KeyExchange::none;  // the one the peer asked for
  bool single_pair = false;                               // it takes one pair of selectors for each child only
};

// One pair of ESP SAs under this IKE SA.
struct Child {
  std::shared_ptr<const ike::ChildSa> sa;
  bool outbound = false;          // its slot's traffic leaves on it
  bool spent = false;             // it did: used again, its sequence numbers would begin anew under the same keys
  bool closing = false;           // our DELETE for it is queued or on its way
  bool redundant = false;         // lost a rekey collision: its creator deletes it
  std::uint32_t replaces = 0;     // spi_in of the SA it was made to replace
  std::uint32_t replaced_by = 0;  // spi_in of its successor, once there is one
  std::optional<ike::Time> rekey_at, expire_at;
  std::optional<ike::Time> use_at;  // ours to answer, and not used before the peer has the answer (resources.h)
  std::optional<ike::Reason> rekey_failure;  // why the last rekey of ours was refused
  std::optional<ike::Reason> close_reason;   // with `closing`, where it is not the usual one
};

// A child we asked for, until it is answered.
struct ChildOffer {
  ike::ChildSlot slot = 0;
  std::uint32_t spi = 0;  // ours, inbound
  ike::ChildSlot part_of = ike::kNoChild;
  conf::SelectorSet selectors;
  std::optional<conf::SelectorSet> packet;  // stands before them
  std::vector<ike::Proposal> proposals;
  std::uint32_t replaces = 0;
  ike::ChildSlot beside = ike::kNoChild;  // RFC 9611: these three as in ChildSa, ...
  ike::Resource resource = 0;
  bool by_resource = false;
  std::optional<ike::Bytes> resource_info;  // ... and what SA_RESOURCE_INFO holds, where it is sent
  ike::Bytes nonce;
  std::unique_ptr<crypto::KeyAgreement> agreement;  // with a key exchange of its own
};

// The peer's exchange that made a successor of what our own pending exchange is about (RFC 7296 2.8.1, 2.8.2).
struct Rival {
  ike::Bytes lowest_nonce;
  std::uint32_t child_spi = 0;  // our inbound SPI of its child
};

class Session;
// How one IKE SA finds another that control owns: empty once that is gone.
struct Link {
  Session* session = nullptr;
};

// The IKE SA behind a link while it lives, or nullptr.
Session* alive(const std::shared_ptr<Link>& link);

// The new IKE SA that an exchange on another one made (2.18).
struct RekeyedIke {
  bool initiator = false;
  std::uint64_t spi_i = 0, spi_r = 0;
  ike::Choice suite;
  Nonces nonces;
  crypto::Secret shared;
  crypto::Secret more;  // of additional key exchanges, one behind the other (RFC 9370 2.2.4)
};

// One that waits for its additional key exchanges (followup.h).
struct Followup {
  RekeyedIke made;
  std::vector<crypto::KeyExchange> rounds;
  std::size_t round = 0;                            // of these, done
  ike::Bytes link;                                  // names the next one
  std::unique_ptr<crypto::KeyAgreement> agreement;  // initiator: of the one on its way
};

// The request of ours that waits for its answer, behind IKE_AUTH.
struct Pending {
  Task task;
  std::optional<ChildOffer> child;
  struct {
    std::uint64_t spi = 0;
    ike::Bytes nonce;
    std::unique_ptr<crypto::KeyAgreement> agreement;
    std::optional<Followup> followup;
  } ike;
  std::optional<Rival> rival;
  std::vector<std::uint32_t> doomed;  // SPIs the peer deleted meanwhile that we do not know: of our new child perhaps
  bool abandoned = false;             // the child was closed meanwhile: what comes of this is closed as well
};

// An IKE_SA_INIT of ours, as it stands for one group.
struct InitTry {
  std::unique_ptr<crypto::KeyAgreement> agreement;
  ike::Bytes request;
};

// Why the negotiation with one answer to IKE_SA_INIT came to nothing (first_answers.h).
struct Failure {
  ike::Reason reason;
  bool politely = false;
};

// What one answer to IKE_SA_INIT set, as far as it serves the proof alone.
struct Keyed {
  Nonces nonces;
  ike::Bytes init_request, init_response;           // as on the wire: AUTH covers them (2.15)
  std::vector<crypto::Hash> peer_hashes;            // of its SIGNATURE_HASH_ALGORITHMS; empty: RFC 7427 is not spoken
  std::vector<crypto::KeyExchange> rounds;          // additional key exchanges (RFC 9370)
  std::size_t round = 0;                            // of these, done
  std::unique_ptr<crypto::KeyAgreement> agreement;  // of the one on its way
  ike::Bytes intermediate_i, intermediate_r;
  std::uint32_t auth_id = 0;                // message id of IKE_AUTH
  bool use_ppk = false;                     // both sides can RFC 8784
  std::optional<IkeKeys> keys_without_ppk;  // initiator: for a peer that has another PPK
  bool ppk_used = false;                    // responder
};

// The request that is on its way, where it left in pieces: to be cut again.
struct Unsealed {
  ike::Exchange exchange;
  ike::PayloadChain payloads;
};

// Initiator: a negotiation with one answer to IKE_SA_INIT, beside the one worked on (first_answers.h).
struct Branch {
  Stage stage = Stage::init_sent;
  std::uint64_t spi_r = 0;
  conf::Endpoint local, remote;
  bool nat_us = false, nat_peer = false;
  ike::Choice suite;
  IkeKeys keys;
  std::optional<Protection> protection;
  RequestWindow requests;
  bool fragments = false, small_fragments = false;
  std::optional<Unsealed> fragmented;
  Reassembly response_pieces;
  Keyed keyed;
};

// What the first exchanges need and nothing later does: gone when authenticated.
struct Handshake {
  // Initiator: the last one is on its way; an answer to one before it is as good, for the wish for another group has no
  // protection and may have been forged.
  std::vector<InitTry> tries;
  conf::Endpoint init_local, init_remote;
  ike::Bytes cookie;
  std::optional<ike::Bytes> asked_cookie;  // the peer wants it, soon to be sent
  int cookies = 0;
  std::optional<ChildOffer> child;
  std::optional<ike::ChildSlot> child_later;  // it is asked for by CREATE_CHILD_SA, the peer wants it so (RFC 6023)
  std::vector<ike::Bytes> answers;  // to IKE_SA_INIT that were looked at
  std::vector<Branch> parked;       // of these, those not worked on
  std::optional<Failure> failure;   // of the last one that came to nothing
  Keyed keyed;                      // of the one worked on
};

// What reached us unprotected while we waited: kept to explain a failure, never a cause by itself.
struct Evidence {
  int received = 0;                        // datagrams that claim to belong to this negotiation
  int undecryptable = 0;                   // of those, sealed with other keys
  std::optional<ike::NotifyType> refusal;  // the last unprotected error notify
  std::optional<ike::Reason> unusable;     // why an answer could not be used
};

class Session {
 public:
  Session(Peer p, ike::Environment& e) : peer(std::move(p)), env(&e), link(std::make_shared<Link>(Link{this})) {}
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Peer peer;
  std::vector<Peer> candidates;  // responder, until authenticated
  ike::Environment* env;
  std::shared_ptr<Link> link;

  bool initiator = false;  // of this IKE SA: the sender of the request that made it
  Stage stage = Stage::fresh;
  std::uint64_t spi_i = 0, spi_r = 0;
  conf::Endpoint local, remote;
  std::optional<conf::Endpoint> init_from;  // responder: where IKE_SA_INIT came from
  bool nat_us = false, nat_peer = false;
  bool force_encap = false;  // UDP encapsulation by configuration, or because the NAT hashes say so
  ike::Identity id_local, id_remote;

  ike::Choice suite;
  IkeKeys keys;
  std::optional<Protection> protection;
  RequestWindow requests;
  ResponseWindow responses;
  bool fragments = false;                      // both sides can RFC 7383
  std::optional<Unsealed> fragmented;          // the request on its way, where it left in pieces
  bool small_fragments = false;                // those were lost: smaller ones from here on
  Reassembly request_pieces, response_pieces;  // of the peer's request, and of the answer to ours

  std::optional<Handshake> handshake;
  Evidence evidence;
  std::optional<Pending> pending;
  std::optional<Followup> followup;  // of the peer's rekey of this IKE SA
  std::deque<Task> tasks;
  std::vector<Child> children;
  std::shared_ptr<Link> predecessor;      // made by the peer's rekey while the old one's own rekey waited
  std::shared_ptr<Link> successor;        // has the children
  std::shared_ptr<Link> rival_successor;  // made by the peer's rekey of this IKE SA while ours was on its way
  bool replaced = false;                  // a successor has the children: all that is left is to be deleted
  bool redundant = false;                 // lost a rekey collision: its creator deletes it
  bool no_more_children = false;          // the peer cannot rekey: NO_ADDITIONAL_SAS
  bool initial_contact = true;            // initiator: we hold no other IKE SA with this peer
  std::optional<ike::Reason> close_reason;
  std::optional<ike::NotifyType> close_notify;  // goes with the DELETE: why, as far as the RFC tells a peer
  std::optional<conf::Endpoint> sighted;        // where an authentic ESP packet of the peer came from
  std::optional<conf::Endpoint> trial;          // the same, being tried: believed once the peer answers there

  ike::Time started_at{0}, established_at{0}, last_heard{0}, last_sent{0};
  std::optional<ike::Time> negotiation_time;
  std::optional<ike::Time> rekey_at, expire_at, give_up_at;
  std::optional<ike::Time> renew_at;  // reauthentication: the tunnel is asked for a new IKE SA then
  std::uint64_t dpd_sent = 0, dpd_received = 0, retransmitted = 0;

  [[nodiscard]] std::uint64_t spi_ours() const { return initiator ? spi_i : spi_r; }
  [[nodiscard]] bool udp_encap() const { return nat_us || nat_peer || force_encap; }
  [[nodiscard]] std::string peer_name() const { return remote.address.str(); }
  [[nodiscard]] Child* child_by_inbound(std::uint32_t spi);
  [[nodiscard]] Child* child_by_outbound(std::uint32_t spi);
};

// Whether this IKE SA may still lose a rekey collision: until that is known, only the peer's requests count.
bool undecided(const Session& s);

// --- sending ---------------------------------------------------------------------------------------

ike::Header header_of(const Session& s, ike::Exchange exchange, bool response, std::uint32_t id);
// Seals, takes the next message id, starts the retransmission.
void send_request(Session& s, ike::Exchange exchange, const ike::PayloadChain& payloads, Step& step);
void send_again(Session& s, Step& step);
// Octets of the largest IKE message that leaves in one datagram.
std::size_t message_limit(const Session& s);
// Seals, remembers the reply for repetitions of its request, sends it where the request came from.
void send_reply(Session& s, const Inbound& request, const ike::PayloadChain& payloads, Step& step);
void send_datagrams(Session& s, const Datagrams& datagrams, const conf::Endpoint& local, const conf::Endpoint& remote,
                    Step& step);

void add_notify(ike::PayloadChain& chain, ike::NotifyType type, ike::Bytes data = {});
ike::Bytes fresh_nonce(Session& s);
std::uint64_t fresh_ike_spi(ike::Environment& env);

ike::RetransmitSchedule handshake_schedule();
// Of a request that only asks whether the peer lives: as often as `dpd` says.
ike::RetransmitSchedule liveness_schedule(const conf::Dpd& dpd);
// Of any other request on an established IKE SA: given up no sooner, but sent oftener, for a path that loses every
// fourth datagram must not end a tunnel at its rekey (RFC 7296 2.4: "at least a dozen times").
ike::RetransmitSchedule exchange_schedule(const conf::Dpd& dpd);

// --- tasks and life ------------------------------------------------------------------------------------

void add_task(Session& s, Task task);
// Sends the request that the task is about; the window must be free.
void begin(Session& s, const Task& task, Step& step);
// The peer said TEMPORARY_FAILURE (2.25): the same again, after a while.
void retry_later(Session& s, Task task, Step& step);
// Starts the next task that is due, if the window is free.
void pump(Session& s, Step& step);
// A moment before `lifetime` ends, jittered, so that both ends do not rekey at once (2.8).
ike::Time rekey_time(Session& s, ike::Time now, conf::Seconds lifetime);
// The end: children removed unless a successor has them, IkeClosed, nothing more.
void finish(Session& s, ike::Reason reason, Step& step);
// Tells the peer first: DELETE of the IKE SA, then finish() with `reason`.
void close_politely(Session& s, ike::Reason reason, Step& step);

}  // namespace causeway::ikev2

// The state of one IKEv1 phase 1 (RFC 2409) and of what hangs on it, and the small steps that the exchanges are
// made of.
//
// Session is plain state. The exchanges (main_mode, aggressive_mode, quick_mode, informational) are functions on
// it, one file each; dispatch.cpp says which message goes to which; ike_sa.cpp puts it all behind ike::IkeSa.
//
// Children are phase 2: they outlive the phase 1 that made them. When phase 1 expires, is deleted or no longer
// answers, the session stays as their holder (Stage::lost) and the tunnel begins another phase 1, which inherits
// them. Only the peer's death, its INITIAL-CONTACT, a command or their own end takes them away.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "control/ike/ike_sa.h"
#include "control/ike/retransmit.h"
#include "control/ikev1/fragments.h"
#include "control/ikev1/keys.h"
#include "control/ikev1/payloads.h"
#include "control/ikev1/peer.h"
#include "control/ikev1/protection.h"
#include "control/ikev1/vendor_ids.h"
#include "crypto/dh.h"

namespace causeway::ikev1 {

// One event being handled: when it happened, and where its effects go.
struct Step {
  ike::Time now;
  ike::Effects& out;

  void note(ike::Notice::Level level, std::string text) { out.emplace_back(ike::Notice{level, std::move(text)}); }
  void debug(std::string text) { note(ike::Notice::Level::debug, std::move(text)); }
  void info(std::string text) { note(ike::Notice::Level::info, std::move(text)); }
  void warn(std::string text) { note(ike::Notice::Level::warning, std::move(text)); }
};

// A message taken apart. Who made it is known only once its HASH is checked.
struct Inbound {
  ike::Header header;
  Payloads payloads;
  bool encrypted = false;
  ike::Bytes behind_hash;  // all payloads but the HASH payload, padding left out
  bool hash_last = false;  // some peers put it behind what it covers ("seq-notify-hash")
  ike::Bytes datagram;     // the whole message as received
  conf::Endpoint local, remote;
};

enum class Stage : std::uint8_t {
  fresh,            // initiator before start()
  first_sent,       // initiator: main mode 1 or aggressive mode 1
  second_sent,      // initiator: main mode 3
  third_sent,       // initiator: main mode 5
  first_answered,   // responder: main mode 2 or aggressive mode 2 sent
  second_answered,  // responder: main mode 4 sent
  established,
  lost,    // phase 1 is gone, its children are not
  closed,
};

// A message of ours that may have to be sent again: by timer, or because the peer repeats what it answers.
struct LastMessage {
  ike::Bytes received;  // what it answers, octet for octet
  ike::Bytes sent;
  std::optional<ike::Retransmission> timer;
};

// What only phase 1's own messages need: gone some time after it is established.
struct Handshake {
  bool aggressive = false;
  Lifetimes offered_life;  // responder: the peer's
  ike::Bytes sa_body;  // the initiator's, as sent: the proofs cover it
  std::vector<Transform> offered;
  std::unique_ptr<crypto::KeyAgreement> agreement;
  ike::Bytes public_i, public_r;
  Nonces nonces;
  crypto::Secret shared;
  ike::Bytes id_i, id_r;  // bodies
  std::optional<ike::ChildSlot> child;
};

// One pair of ESP SAs.
struct Child {
  std::shared_ptr<const ike::ChildSa> sa;
  bool outbound = false;          // its slot's traffic leaves on it
  bool spent = false;             // it did once: used again, its sequence numbers would begin anew under the same keys
  bool ours = false;              // we began the quick mode that made it
  std::uint32_t replaces = 0;     // spi_in of the SA it was made to replace
  std::uint32_t replaced_by = 0;  // spi_in of the one that does its work now
  bool confirmed = false;         // ESP of the peer came in on it
  ike::Time made_at{0};
  std::optional<ike::Time> last_in;  // ESP of the peer on it
  std::optional<ike::Time> use_at;     // made to replace another: its outbound is used then at the latest
  std::optional<ike::Time> delete_at;  // replaced: DELETE is sent then
  std::optional<ike::Time> rekey_at, expire_at;
  bool rekey_refused = false;
};

// One quick mode (RFC 2409 5.5).
struct Quick {
  std::uint32_t id = 0;
  bool ours = false;
  bool done = false;  // kept for a while to answer repetitions
  ike::ChildSlot slot = 0;
  std::uint32_t spi = 0;  // our inbound SPI; 0: none is held
  std::uint32_t replaces = 0;
  bool pfs_tried = false;
  conf::SelectorSet selectors;
  ike::Bytes id_ci, id_cr;  // bodies as sent or received
  std::vector<ike::Proposal> proposals;
  std::uint32_t farewells = 0;  // DELETEs sent for a child of the peer that was never confirmed
  Nonces nonces;
  std::unique_ptr<crypto::KeyAgreement> agreement;
  ike::Bytes iv;  // of the exchange's next message
  LastMessage last;
  std::optional<Child> child;     // responder: installed inbound, waiting for the third message
  std::optional<ike::Time> until;  // forgotten, or given up, then
};

// What we want from the peer, one quick mode at a time.
struct Task {
  ike::ChildSlot slot = 0;
  std::uint32_t replaces = 0;  // spi_in of the child to rekey; 0: a new one
  ike::Time not_before{0};
  bool without_pfs = false;
};

struct Dpd {
  std::uint32_t next = 0;   // of ours
  std::uint32_t first = 0;  // outstanding: first..next-1
  int sent = 0;             // unanswered; 0: not asking
  ike::Time began{0}, due{0};
  std::optional<std::uint32_t> theirs;  // the last number of the peer
};

// What reached us unprotected, or could not be used: kept to explain a failure, never a cause by itself.
struct Evidence {
  int received = 0;
  int undecryptable = 0;
  bool on_4500 = false;             // something of the peer came there
  bool same_keys = false;           // a message of the peer under our keys made sense: the pre-shared key is the same
  std::optional<Notify> refusal;    // the last unprotected error notify
  std::optional<ike::Reason> unusable;
  bool wants_xauth = false;
};

class Session;
struct Link {
  Session* session = nullptr;
};

class Session {
 public:
  Session(Peer p, ike::Environment& e) : peer(std::move(p)), env(&e) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Peer peer;
  std::vector<Peer> candidates;  // responder, until authenticated
  ike::Environment* env;

  bool initiator = false;
  Stage stage = Stage::fresh;
  Cookies cookies;
  conf::Endpoint local, remote;
  std::optional<conf::Endpoint> first_from;  // responder: where the first message came from
  bool nat_us = false, nat_peer = false, force_encap = false;
  PeerVendors vendors;
  ike::Identity id_local, id_remote;

  ike::Choice suite;
  Phase1Keys keys;
  std::optional<Protection> protection;
  ike::Bytes iv_before_proof;  // responder: of main mode's fifth message
  bool phase2_seen = false;    // responder: the peer has our last message of phase 1
  ike::Bytes phase1_iv;  // next message of phase 1; once established: the last block, from which others begin

  std::optional<Handshake> handshake;
  LastMessage last;  // of phase 1
  Evidence evidence;
  Reassembly reassembly;
  std::uint16_t next_fragment_id = 1;

  std::vector<Quick> quicks;
  std::deque<Task> tasks;
  std::vector<Child> children;
  std::unordered_set<std::uint32_t> used_ids;  // message ids of this phase 1: none comes twice
  Dpd dpd;

  std::optional<conf::Endpoint> sighted;  // where an authentic ESP packet came from: asked there as well
  bool hash_last = false;       // the peer's notifications have their HASH behind: ours too
  bool initial_contact = true;  // initiator: we hold no other IKE SA with this peer
  bool replaced = false;        // another phase 1 has the children: all that is left is to be deleted
  std::optional<ike::Reason> lost_reason;

  ike::Time started_at{0}, established_at{0}, last_heard{0}, last_sent{0}, last_esp{0};
  std::optional<ike::Time> negotiation_time;
  std::optional<ike::Time> rekey_at, expire_at, give_up_at, delete_at, handshake_until;
  std::uint64_t dpd_sent = 0, dpd_received = 0, retransmitted = 0;

  [[nodiscard]] std::uint64_t cookie_ours() const { return initiator ? cookies.initiator : cookies.responder; }
  [[nodiscard]] bool udp_encap() const { return nat_us || nat_peer || force_encap; }
  [[nodiscard]] std::string peer_name() const { return remote.address.str(); }
  [[nodiscard]] Child* child_by_inbound(std::uint32_t spi);
  [[nodiscard]] Child* child_by_outbound(std::uint32_t spi);
  [[nodiscard]] Child* current(ike::ChildSlot slot);  // the one that is neither replaced nor on its way out
};

// --- sending ---------------------------------------------------------------------------------------

ike::Header header_of(const Session& s, ike::Exchange exchange, std::uint32_t id);
// One datagram, or fragments of it where it is long and the peer can put them together.
void send_datagram(Session& s, const ike::Bytes& message, Step& step);
ike::Bytes fresh_nonce(Session& s);
std::uint64_t fresh_cookie(ike::Environment& env);
std::uint32_t fresh_message_id(Session& s);
ike::RetransmitSchedule handshake_schedule();

// --- life --------------------------------------------------------------------------------------------

// `percent`..`percent` + 10 of the lifetime.
ike::Time rekey_time(Session& s, ike::Time now, std::uint64_t lifetime_s, int percent);
void add_task(Session& s, Task task);
// Starts the next task that is due, if no quick mode of ours is on its way.
void pump(Session& s, Step& step);
// Phase 1 is gone; the children stay (unless they are to follow it, or there are none).
void lose(Session& s, ike::Reason reason, Step& step);
// The end: what is left of children is removed, IkeClosed, nothing more.
void finish(Session& s, ike::Reason reason, Step& step);
// DELETEs for children and phase 1, then finish().
void close_politely(Session& s, ike::Reason reason, Step& step);

}  // namespace causeway::ikev1

// What an IKE state machine asks the world to do, in order: the only output it has.
//
// The world (control/) carries effects out one by one. A Send that stands behind an InstallInbound in
// the same list is held until that SA's Installed came back from the data path, so that the peer never
// learns of an SA that does not yet receive (RFC 7296 2.9 leaves no other safe order).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "conf/address.h"
#include "crypto/algorithms.h"
#include "crypto/secrets.h"

namespace causeway::ike {

// Milliseconds since an origin that control (or a test) chose: the state machine's whole idea of time.
using Time = std::chrono::milliseconds;

using TunnelId = std::uint32_t;   // same numbers as dataplane::TunnelId
using ChildSlot = std::uint32_t;  // same numbers as dataplane::ChildSlot
// Which worker a child is bound to (RFC 9611): 0 is that of the child that every worker may use, 1 the next, ...
using Resource = std::uint16_t;
inline constexpr ChildSlot kNoChild = 0xffffffff;  // given to IkeSa::start(): its children are there already (IKEv1)

struct Datagram {
  conf::Endpoint local, remote;  // port 4500 on `local` means: behind the non-ESP marker, which is stripped here
  std::vector<std::uint8_t> bytes;
};

// Why something failed or ended: kept, shown, used by diagnose; never sent to the peer.
enum class Cause : std::uint8_t {
  none, closed_by_us, closed_by_peer, peer_silent, peer_refused_proposal, no_common_proposal, authentication_failed,
  peer_refused_authentication, wrong_identity, selectors_refused, selectors_disjoint, invalid_ke, syntax,
  unsupported_critical_payload, no_config_for_peer, certificate, child_refused, expired, resources, replaced, internal,
};
// What exactly was seen, where that tells one misconfiguration from another (control/diagnosis). An attempt may show
// more than one; a Reason keeps what ended it. Kept in files by number (down_history.h), as Cause is: add at the end.
enum class Symptom : std::uint8_t {
  none, other_key, unproven, silent_4500, other_version, other_algorithms, refused_first, other_mode, identity_refused,
  authentication_refused, other_identity, silent, key_exchange_lost, unknown_address, other_selectors,
  aggressive_hash, quick_hash, other_esp, other_pfs, esp_or_pfs, holds_old_sas, dead, expired, deleted,
};
struct Reason {
  Cause cause = Cause::none;
  std::string text;    // one sentence that names the cause and the cure
  std::string ours;    // what we offered or expected, where that is the matter
  std::string theirs;  // what the peer offered or sent
  std::vector<std::string> candidates;  // where the protocol hides the cause: ranked, most likely first
  bool first_message = false;  // nothing but a refusal ever came back: the version itself may be the matter
  Symptom symptom = Symptom::none;
  bool childless = false;  // the peer wants IKE_AUTH without a child (RFC 6023): the next attempt begins so
};

// A pair of ESP SAs as negotiated. Shared between the two install effects; wiped with its last owner.
struct ChildSa {
  TunnelId tunnel = 0;
  ChildSlot child = 0;
  ChildSlot part_of = kNoChild;  // the configured child of which this is one part, beside others; kNoChild: none
  std::uint32_t spi_in = 0, spi_out = 0;  // host order
  crypto::EspSuite suite;
  crypto::Secret encryption_in, integrity_in, encryption_out, integrity_out;  // cipher key with its salt behind
  conf::SelectorSet selectors;  // local = ours
  conf::Endpoint local, remote;
  bool udp_encap = false;
  bool peer_behind_nat_only = false;  // peer behind NAT and we are not: its moves are reported
  std::string key_exchange;           // "ecp384" where the child had a key exchange of its own
  bool by_resource = false;      // RFC 9611: both sides take more children with these selectors, one for each worker
  ChildSlot beside = kNoChild;   // of such a one: the child beside which it stands, and
  Resource resource = 0;         // the worker that it is for
  // Whose packets it carries.
  [[nodiscard]] ChildSlot carries() const { return beside == kNoChild ? child : beside; }
};

struct Send {
  conf::Endpoint local, remote;  // local.port 4500: control puts the non-ESP marker in front
  std::vector<std::uint8_t> message;
};
struct SendKeepalive {
  conf::Endpoint local, remote;
};
struct InstallInbound {
  std::shared_ptr<const ChildSa> sa;
};
struct UseOutbound {  // installs the outbound SA and sends the child's traffic on it from now on
  std::shared_ptr<const ChildSa> sa;
};
struct RemoveInbound {
  std::uint32_t spi = 0;
  ChildSlot child = 0;
  Time after{0};  // grace from now on for packets still on their way
};
struct RemoveOutbound {
  std::uint32_t spi = 0;
  ChildSlot child = 0;
};
struct EndpointsChanged {  // the peer's (or our) outer address of established SAs moved
  std::vector<std::uint32_t> spis_out;
  conf::Endpoint local, remote;
};
struct IkeEstablished {
  bool initial_contact = false;  // the peer says it has no other IKE SA with us: older ones of the tunnel are dead
};
struct ChildEstablished {
  std::shared_ptr<const ChildSa> sa;
  bool rekey = false;
};
struct ChildClosed {
  ChildSlot child = 0;
  std::uint32_t spi_in = 0;
  Reason reason;
  bool replaced = false;  // another SA of the same child lives on
};
struct ChildFailed {  // a child that was asked for did not come up; the IKE SA stays
  ChildSlot child = 0;
  Reason reason;
};
class IkeSa;
struct NewIkeSa {  // a rekey made a successor; whose the children are, ChildrenMoved says
  std::unique_ptr<IkeSa> successor;
};
struct ChildrenMoved {  // the children of this IKE SA (or of `from`) belong to the one with this local SPI from now on
  std::uint64_t to = 0;
  std::uint64_t from = 0;  // 0: the one whose effect this is
};
struct PhaseOneLost {  // IKEv1: this IKE SA is gone, its children stay with it until another one inherits them
  Reason reason;
};
// Its time is up: another IKE SA is wanted beside it, to take its place. IKEv1: phase 1 ends before long; IKEv2:
// reauthentication, made before this one is broken.
struct RenewIke {};
struct RekeyRefused {  // the peer did not take a new SA in place of one that is there, which serves on
  Reason reason;
  ChildSlot child = kNoChild;  // kNoChild: the IKE SA's own
};
struct IkeClosed {  // nothing more comes from this IKE SA; its children are gone unless inherited
  Reason reason;
};
struct Notice {  // for the log
  enum class Level : std::uint8_t { debug, info, warning };
  Level level = Level::info;
  std::string text;
};

using Effect = std::variant<Send, SendKeepalive, InstallInbound, UseOutbound, RemoveInbound, RemoveOutbound,
                            EndpointsChanged, IkeEstablished, ChildEstablished, ChildClosed, ChildFailed, NewIkeSa,
                            ChildrenMoved, PhaseOneLost, RenewIke, RekeyRefused, IkeClosed, Notice>;
using Effects = std::vector<Effect>;

}  // namespace causeway::ike

// One IKE SA of either version as control sees it: events and the time go in, effects come out.
// It reads no clock, opens no socket, knows no DPDK, and may be driven by a test's virtual time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "conf/config.h"
#include "control/ike/effects.h"
#include "crypto/random.h"

namespace causeway::crypto {
struct Credential;
class TrustStore;
}  // namespace causeway::crypto

namespace causeway::ike {

// What the world lends to a state machine. Outlives every IkeSa made with it.
class Environment {
 public:
  virtual ~Environment() = default;
  virtual crypto::Random& random() = 0;
  // Inbound ESP SPI, which says where its packets go; 0: none left.
  virtual std::uint32_t allocate_spi(TunnelId tunnel, Resource resource) = 0;
  virtual void release_spi(std::uint32_t spi) = 0;          // for one that was never installed
  virtual std::chrono::sys_seconds wall_time() = 0;         // UTC: certificates are judged by it
  // A slot for a part of a configured child that the configuration does not know of. kNoChild: none left.
  virtual ChildSlot allocate_slot() { return kNoChild; }
  virtual void release_slot(ChildSlot) {}
};

struct ChildSettings {
  ChildSlot slot = 0;
  std::string name;              // what `status` calls it
  conf::SelectorSet selectors;   // as configured
  ChildSlot part_of = kNoChild;  // of a part: the configured child
  // The packet that asks for it, one address each: stands first in the selectors (RFC 7296 2.9).
  std::optional<conf::SelectorSet> packet = std::nullopt;
  ChildSlot beside = kNoChild;  // see ChildSa
  Resource resource = 0;
};

// Everything a negotiation with one peer is made of: the tunnel's configuration, resolved. Immutable.
struct PeerSettings {
  TunnelId tunnel = 0;
  conf::Tunnel config;
  conf::Endpoint local;                  // own address, port 500
  std::optional<conf::Endpoint> remote;  // unset for `remote = "any"`
  crypto::Secret psk;
  std::shared_ptr<const crypto::Credential> credential;  // auth = "cert": who we are
  std::shared_ptr<const crypto::TrustStore> trust;       // and whom we believe
  crypto::Secret ppk;                                    // RFC 8784; empty: none
  std::uint16_t ike_packet = 1280;      // octets of the largest IP packet with a fragment of an IKE message
  std::vector<ChildSettings> children;  // at least one; parts come and go while the tunnel lives
  bool childless = false;               // learnt: the peer takes no child with IKE_AUTH (RFC 6023)
  Resource resources = 1;  // workers that are to have a child each, where the peer can RFC 9611; 1: it is not asked
};

struct ChildStatus {
  ChildSlot slot = 0;
  std::string name;
  crypto::EspSuite suite;
  bool udp_encap = false;
  std::uint32_t spi_in = 0, spi_out = 0;
  conf::SelectorSet selectors;
  std::optional<Time> rekey_at;
};

struct IkeStatus {
  int version = 2;
  bool established = false;
  bool initiator = false;
  std::uint64_t spi_initiator = 0, spi_responder = 0;
  std::string local_id, remote_id;
  conf::Endpoint local, remote;
  bool nat_us = false, nat_peer = false;
  std::string suite;  // "aes256gcm16-prfsha384-ecp384"
  Time established_at{0};
  Time negotiation_time{0};  // from the first message to established
  std::optional<Time> rekey_at;
  Time last_heard{0};  // of the peer, authenticated
  std::vector<ChildStatus> children;
  std::uint64_t dpd_sent = 0, dpd_received = 0, retransmitted = 0;
  std::string stage;  // while connecting: "waiting for the answer to IKE_SA_INIT (3 sent)"
};

// Of two established IKEv1 SAs with one peer, which has the children: the newer; of two that were begun before either
// side could know of the other, the one with the smaller initiator cookie. Both sides see the same.
bool outranks(const IkeStatus& a, const IkeStatus& b);

class IkeSa {
 public:
  virtual ~IkeSa() = default;

  // Initiator: sends the first message, `child` to be negotiated with it. Responders are made by accept().
  virtual void start(ChildSlot child, Time now, Effects& out) = 0;
  virtual void receive(const Datagram& datagram, Time now, Effects& out) = 0;
  // Retransmission, liveness, lifetimes: call when now >= deadline(); harmless when nothing is due.
  virtual void tick(Time now, Effects& out) = 0;
  [[nodiscard]] virtual std::optional<Time> deadline() const = 0;

  // The tunnel's children changed: the same settings but for those.
  virtual void settings_changed(std::shared_ptr<const PeerSettings>) {}
  virtual void create_child(ChildSlot child, Time now, Effects& out) = 0;
  virtual void close_child(ChildSlot child, Time now, Effects& out) = 0;  // DELETE sent, answer awaited
  virtual void rekey_child(ChildSlot child, Time now, Effects& out) = 0;
  virtual void rekey_ike(Time now, Effects& out) = 0;
  virtual void close(Time now, Effects& out) = 0;  // DELETE of the IKE SA; IkeClosed follows

  // An authenticated ESP packet of any child arrived at `when`: as good as an answer (RFC 7296 2.4).
  // `spi_in`: on which inbound SA.
  virtual void esp_received(std::uint32_t spi_in, Time when) = 0;
  virtual void peer_moved(const conf::Endpoint& from, Time now, Effects& out) = 0;

  // Another IKE SA with this peer is established meanwhile: a first contact that was not claimed yet is none any more.
  virtual void not_alone() = 0;

  // Asks the peer now whether it lives, unless that is under way.
  virtual void check_liveness(Time now, Effects& out) = 0;
  // IKEv1, whose children outlive their phase 1: takes those of `older`, which is of the same version and
  // has the same peer, and will close itself. Whether it did.
  virtual bool inherit(IkeSa& /*older*/, Time /*now*/, Effects& /*out*/) { return false; }

  // It waits by choice, not for an answer: others may begin meanwhile.
  [[nodiscard]] virtual bool pauses() const { return false; }

  [[nodiscard]] virtual TunnelId tunnel() const = 0;          // the one chosen so far; may change until authenticated
  [[nodiscard]] virtual std::uint64_t local_spi() const = 0;  // by which datagrams find it
  [[nodiscard]] virtual bool owns_reply_to(std::uint64_t initiator_spi, const conf::Endpoint& remote) const = 0;
  [[nodiscard]] virtual IkeStatus status() const = 0;
};

}  // namespace causeway::ike

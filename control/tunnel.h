// A tunnel: the user's noun. It owns the IKE SAs with one peer and knows their children, decides when to
// connect, retry and give up a duplicate, and can always say why it is down.
//
// Pure, like the IKE SAs it owns: events and the time go in, actions come out. Handlers only record what
// happened; reconcile() alone compares what is with what is wanted and acts.
//
// Two IKE SAs with one peer arise when both sides initiate at once, when the peer restarted, or when it
// reauthenticates. All of them receive until closed, so nothing is lost. The initiator of the one with the
// smallest initiator SPI - both sides see the same - closes all but the newest; the other side does so only
// after a grace, for a peer that does not. One closer at a time: they can never close one another's. While
// another IKE SA carries the child, a responder sends on the new one only after a second: the peer has it by then.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/action.h"
#include "control/engine.h"
#include "control/ike/ike_sa.h"
#include "control/version_probe.h"

namespace causeway::control {

using ike::Time;

enum class TunnelState : std::uint8_t { down, connecting, established };

struct HistoryEntry {
  Time at{0};
  std::string text;
};

struct Fall {  // it was up, and is not any more
  Time at{0};
  Time up{0};    // for so long
  Time idle{0};  // since the last ESP of the peer
  bool by_command = false;
  ike::Reason reason;
};

struct TwoAddresses {  // of one box
  conf::IpAddress ike, esp;  // where each comes from
  Time first{0}, last{0};    // ESP of the peer from there
  bool named = false;        // it lasts, so it was said
};

struct LiveChild {  // a pair of ESP SAs that is installed
  std::shared_ptr<const ike::ChildSa> sa;
  std::uint64_t ike = 0;  // local SPI of the IKE SA that owns it
  Time since{0};
  bool inbound = false, outbound = false;  // installed, as far as we asked for it
};

struct Carried {  // packets that a child's SAs are for, as negotiated
  ike::ChildSlot child = 0;
  conf::SelectorSet selectors;
  bool operator==(const Carried&) const = default;
};

struct NegotiationTimes {
  std::uint64_t count = 0;
  Time min{0}, max{0}, total{0};
};

struct TunnelCounts {
  std::uint64_t begun = 0;            // IKE SAs, by either side, rekeyed ones not counted
  std::uint64_t established = 0;      // of these
  std::uint64_t established_by_us = 0;  // of these, begun by us
  std::uint64_t attempts = 0;         // connections begun by us
  std::uint64_t attempts_failed = 0;  // of these, or children asked for by us that were refused
  std::uint64_t refused = 0;          // the peer's connections that came to nothing
  std::uint64_t children_created = 0;
  std::uint64_t children_failed = 0;
  std::uint64_t rekeyed = 0;  // children and IKE SAs
  std::uint64_t ike_rekeyed = 0;          // of these
  std::uint64_t ike_rekeys_refused = 0, child_rekeys_refused = 0;
  std::uint64_t dropped = 0;  // first messages of the peer, by role = initiator
};

class Tunnel {
 public:
  Tunnel(PeerSettingsPtr settings, ike::Environment& environment, const Engine& engine);

  // --- events ---
  // The daemon started: the peer may begin. A tunnel that is to connect by itself does so when its turn comes.
  void begin(Time now, Actions& out);
  void take_turn(Time now, Actions& out);
  void up(Time now, Actions& out);     // the administrator wants it, now
  void down(Time now, Actions& out);   // and does not, until up()
  void rekey_child(std::string_view child, Time now, Actions& out);
  void rekey_ike(Time now, Actions& out);
  // `packet`: its addresses, protocol and ports, as one selector each.
  void wanted(ike::ChildSlot child, const conf::SelectorSet& packet, Time now, Actions& out);
  void resolved(const std::optional<conf::IpAddress>& address, const std::string& error, Time now, Actions& out);
  void limit_reached(std::uint32_t spi, ike::ChildSlot child, bool hard, Time now, Actions& out);
  void install_failed(std::uint32_t spi, ike::ChildSlot child, const std::string& why, Time now, Actions& out);
  void peer_moved(std::uint32_t spi_in, const conf::Endpoint& from, Time now, Actions& out);
  // Authentic ESP of the peer came from another address than IKE had when the SA was made (tunnel_addresses.cpp).
  void esp_elsewhere(std::uint32_t spi_in, const conf::IpAddress& from, Time now, Actions& out);
  void knocked(Time now, Actions& out);  // the peer began phase 1 (IKE_SA_INIT), which our role leaves to us
  void unknown_esp(Time now) { unknown_esp_at_ = now; }  // evidence, too
  [[nodiscard]] bool watches_path() const;  // traffic() is wanted
  // What this tunnel's ESP SAs carried so far, across rekeys, looked at now and then (tunnel_trial.cpp).
  void traffic(std::uint64_t packets_in, std::uint64_t packets_out, Time now, Actions& out);
  void icmp_error(const std::string& text, Time now);  // evidence: kept for the reason, changes nothing
  void renew_credentials(std::shared_ptr<const crypto::Credential> own,
                         std::shared_ptr<const crypto::TrustStore> trust);
  void esp_received(std::uint32_t spi_in, Time when);

  // A responder's IKE SA just made for this tunnel, with the effects of its making.
  void adopt(std::unique_ptr<ike::IkeSa> sa, ike::Effects effects, Time now, Actions& out);
  // What a first message led to that was refused: no state is kept, the reason may be worth knowing.
  void refused(ike::Effects effects, Time now, Actions& out);
  // The peer's address sent a first message of the IKE version that this tunnel is not configured for.
  void other_version_began(const conf::Endpoint& from, int version, Time now, Actions& out);
  // What receive() gives back where the identities showed that the IKE SA belongs to another tunnel.
  struct Moved {
    std::unique_ptr<ike::IkeSa> sa;
    ike::Effects effects;
  };
  std::optional<Moved> receive(std::uint64_t local_spi, const ike::Datagram& datagram, Time now, Actions& out);

  void tick(Time now, Actions& out);
  [[nodiscard]] std::optional<Time> deadline() const;

  // --- what it is ---
  [[nodiscard]] const ike::PeerSettings& settings() const { return *settings_; }
  [[nodiscard]] PeerSettingsPtr settings_ptr() const { return settings_; }
  [[nodiscard]] const std::string& name() const { return settings_->config.name; }
  [[nodiscard]] TunnelState state() const;
  [[nodiscard]] std::optional<std::string> down_reason() const;  // one sentence; nothing while established
  [[nodiscard]] std::vector<std::uint64_t> local_spis() const;
  [[nodiscard]] bool established(std::uint64_t local_spi) const;
  [[nodiscard]] bool half_open(std::uint64_t local_spi) const;  // a responder's, not yet authenticated
  [[nodiscard]] bool accepts() const;                           // a new IKE SA that the peer begins
  [[nodiscard]] std::string notice() const;  // what the administrator is told while it is up
  [[nodiscard]] const TwoAddresses* two_addresses() const;  // nullptr: IKE and ESP come from one, as far as is known
  [[nodiscard]] bool taken_down() const { return admin_down_; }
  [[nodiscard]] bool may_initiate() const;
  [[nodiscard]] std::string child_name(ike::ChildSlot slot) const;  // empty: not a child of this tunnel
  [[nodiscard]] bool idle() const { return ikes_.empty(); }
  [[nodiscard]] bool waits_its_turn() const { return waits_its_turn_; }
  [[nodiscard]] bool connecting() const;  // an attempt of ours is on its way
  [[nodiscard]] bool pauses() const;      // and waits by choice
  [[nodiscard]] std::optional<ike::IkeStatus> ike_status() const;  // of the IKE SA that matters most
  [[nodiscard]] std::vector<LiveChild> live_children() const;      // the one in use of each child that is up
  [[nodiscard]] std::vector<LiveChild> receiving_children() const;  // every one that is installed inbound
  // Empty where the children carry what is configured; else what each of them carries, and the rest nobody.
  [[nodiscard]] const std::vector<Carried>& carried() const { return carried_; }
  [[nodiscard]] const std::deque<HistoryEntry>& history() const { return history_; }
  // Each time that it went down, oldest first, and how many there ever were.
  [[nodiscard]] const std::deque<Fall>& falls() const { return falls_; }
  [[nodiscard]] std::uint64_t fallen() const { return fallen_; }
  [[nodiscard]] std::optional<Time> up_since() const { return up_since_; }
  // What the peer left out of the configured networks, once it was asked for that too.
  [[nodiscard]] std::vector<conf::SelectorSet> left_out() const;
  struct Configured {
    std::string name;
    conf::SelectorSet selectors;
    bool up = false;
  };
  [[nodiscard]] std::vector<Configured> configured_children() const;
  [[nodiscard]] const std::string& icmp_evidence() const { return evidence_; }
  [[nodiscard]] bool nat_seen_us() const { return nat_seen_us_; }
  [[nodiscard]] bool nat_seen_peer() const { return nat_seen_peer_; }
  [[nodiscard]] bool esp_seen() const { return esp_seen_; }
  [[nodiscard]] bool udp_trial_failed() const { return trial_failed_; }
  [[nodiscard]] const TunnelCounts& counts() const { return counts_; }
  [[nodiscard]] const NegotiationTimes& negotiation() const { return negotiation_; }
  [[nodiscard]] const ike::Reason& last_reason() const { return reason_; }
  [[nodiscard]] std::optional<Time> retry_at() const { return wants_up() && ikes_.empty() ? retry_at_ : std::nullopt; }

 private:
  struct Ike {
    std::unique_ptr<ike::IkeSa> sa;
    bool ours = false;  // we initiated
    bool established = false;
    bool closing = false;  // asked to close, waiting for the end
    bool closed = false;
    bool useless = false;  // its only child was refused
    bool had_child = false;
    bool headless = false;                // IKEv1: phase 1 is gone, its children wait for another
    bool trial = false;                   // begun to find out whether ESP in UDP passes
    bool trial_worked = false;
    bool inherited = false;               // another IKE SA took its children
    bool dead = false;                    // the peer says that it has forgotten it
    bool renewing = false;                // a new negotiation is to take its place: closed once that has its children
    Time made{0}, since{0};               // since: made, later: established
    std::optional<Time> duplicate_until;  // a second one: closed then
  };
  struct HeldOutbound {  // a child's outbound SA that is not used yet, because another carries its traffic
    std::uint64_t ike = 0;
    Time until{0};
    std::shared_ptr<const ike::ChildSa> sa;
  };
  struct Child {
    ike::ChildSlot slot = 0;
    std::string name;
    ike::ChildSlot part_of = ike::kNoChild;  // of a part of what is configured (tunnel_parts.cpp)
    conf::SelectorSet selectors{};          // what is wanted of it
    ike::ChildSlot beside = ike::kNoChild;  // one worker's own: beside which child, and whose (tunnel_resources.cpp)
    ike::Resource resource = 0;
    bool leaving = false;                   // one of these that was asked to close
    bool asked_once = false;                // a part, or one of these: it was refused, or the peer closed it
    std::vector<LiveChild> live{};   // oldest first
    std::uint64_t requested_on = 0;  // local SPI of the IKE SA that was asked for it; 0: none
    Time retry_at{0};
    int failures = 0;
    ike::Reason reason{};
  };

  // Effects -> state, and on to the world.
  bool pass_on(ike::Effect& effect, Actions& out);
  bool hold(std::uint64_t spi, const Ike& ike, ike::Effect& effect, Time now);
  void lengthen_grace(std::uint64_t spi, ike::Effect& effect);
  void handle(std::uint64_t spi, ike::Effects effects, Time now, Actions& out);
  void on_event(std::uint64_t spi, Ike& ike, ike::Effect& effect, Time now, Actions& out);
  void on_established(Ike& ike, bool initial_contact, Time now, Actions& out);
  void on_child_established(Ike& ike, const ike::ChildEstablished& e, Time now, Actions& out);
  void on_child_closed(Ike& ike, const ike::ChildClosed& e, Time now, Actions& out);
  void on_child_failed(Ike& ike, const ike::ChildFailed& e, Time now, Actions& out);
  void on_successor(std::unique_ptr<ike::IkeSa> successor, const Ike& before, Time now);
  void on_renewal_due(Ike& ike, Time now, Actions& out);
  void on_children_moved(std::uint64_t from, std::uint64_t to);
  void on_closed(Ike& ike, const ike::Reason& reason, Time now, Actions& out);
  // IKEv1, tunnel_phases.cpp: children outlive their phase 1.
  void on_phase_one_lost(Ike& ike, const ike::Reason& reason, Time now, Actions& out);
  void renew_phase_one(Time now, Actions& out);
  void gather_children(Time now, Actions& out);
  [[nodiscard]] std::string two_addresses_text() const;
  void watch_addresses(Time esp_at);
  // A path that swallows ESP, tunnel_trial.cpp.
  [[nodiscard]] Ike* suspect();
  void begin_trial(Time now, Actions& out);
  void judge_trial(Time now, Actions& out);
  void keep_trial(Ike& trial, Time now, Actions& out);
  [[nodiscard]] static bool outranks(const Ike& a, const Ike& b);
  [[nodiscard]] bool phase_one_missing() const;
  void track(std::uint64_t ike, const ike::Effect& effect, Time now);

  // Parts of children.
  Child& add_part(ike::ChildSlot slot, ike::ChildSlot part_of, conf::SelectorSet selectors);
  void ask_for_the_rest(const ike::ChildSa& got, bool ours, Time now, Actions& out);
  void drop_parts();
  void tell_children();
  void remember_packet(ike::ChildSlot slot, const std::optional<conf::SelectorSet>& packet);
  void update_carried(Actions& out);

  // Children for one worker each (RFC 9611), tunnel_resources.cpp.
  Child& add_resource(ike::ChildSlot slot, ike::ChildSlot beside, ike::Resource resource);
  [[nodiscard]] const LiveChild* takes_more(const Child& c, const Ike& on) const;
  void ask_for_resources(const Ike& on, Time now);
  void on_resource_failed(Child& c, const ike::Reason& reason, Time now);
  void on_resource_closed(Child& c, std::uint64_t ike, const ike::Reason& reason, Time now, Actions& out);
  [[nodiscard]] bool resource_elsewhere(const Child& c, std::uint64_t spi) const;
  void drop_resources(Time now, Actions& out);

  void watch_state(Time now);
  void remember_nat(const Ike& ike);

  // State -> what to do next.
  void reconcile(Time now, Actions& out);
  void connect(Time now, Actions& out);
  void begin_attempt(Time now, Actions& out);
  void renew(Time now, Actions& out);
  void start_ike(Time now, Actions& out);
  void start_ike(ike::ChildSlot child, Time now, Actions& out);
  void close_all(Time now, Actions& out);
  void close(std::uint64_t spi, Time now, Actions& out);
  void use_held(Time now, Actions& out);
  void close_unwanted(Time now, Actions& out);
  void close_duplicates(Time now, Actions& out);
  void close_renewed(Time now, Actions& out);
  void create_missing_children(Time now, Actions& out);
  void sweep(Time now, Actions& out);
  void abandon_children_of(std::uint64_t spi, Actions& out);

  [[nodiscard]] bool wants_up() const;
  [[nodiscard]] bool needs_name() const;
  [[nodiscard]] const Ike* best_established() const;
  [[nodiscard]] Ike* best_established();
  [[nodiscard]] const Ike* best() const;
  [[nodiscard]] bool open(std::uint64_t spi) const;  // an IKE SA that is there to stay
  [[nodiscard]] bool is_up(const Child& c) const;
  [[nodiscard]] bool is_missing(const Child& c, const Ike& on) const;
  [[nodiscard]] bool renewal_due() const;  // the IKE SA in use is to be replaced, and we may do it
  [[nodiscard]] bool all_carried_elsewhere(std::uint64_t spi) const;
  [[nodiscard]] bool carried_elsewhere(const Child& c, std::uint64_t spi) const;  // by another IKE SA than `spi`
  [[nodiscard]] bool asked_for_a_child() const;
  [[nodiscard]] bool all_children_up() const;
  [[nodiscard]] bool any_child_up() const;
  [[nodiscard]] bool has_children(std::uint64_t spi) const;
  [[nodiscard]] Child* child(ike::ChildSlot slot);
  [[nodiscard]] Time backoff(int failures);
  void give_reason(const ike::Reason& reason, Time now, Actions& out);
  void give_reason_of_attempt(const ike::Reason& reason, Time now, Actions& out);
  [[nodiscard]] bool wonders_about_version() const;
  void note(Time now, std::string text);
  void say(Actions& out, ike::Notice::Level level, std::string text) const;

  PeerSettingsPtr settings_;
  ike::Environment& environment_;
  const Engine& engine_;

  std::map<std::uint64_t, Ike> ikes_;  // by local SPI
  std::vector<Child> children_;
  std::vector<HeldOutbound> held_;
  std::vector<Carried> carried_;

  bool begun_ = false;
  bool waits_its_turn_ = false;
  bool admin_down_ = false;
  bool pressed_ = false;         // up() and not yet established since
  bool traffic_wanted_ = false;  // a packet waits
  bool resolving_ = false;
  bool esp_seen_ = false;  // of the peer, in any of this tunnel's SAs
  bool trial_failed_ = false;
  bool nat_seen_us_ = false, nat_seen_peer_ = false;  // of the last IKE SA that came so far
  std::optional<Time> up_since_;
  Time last_esp_{0};  // of the peer
  std::deque<Fall> falls_;
  std::uint64_t fallen_ = 0;
  std::optional<Time> silent_since_, trial_not_before_;
  std::uint64_t trial_spi_ = 0;  // of the IKE SA on trial; 0: none
  Time trial_until_{0};
  std::uint64_t sent_before_ = 0;  // packets, when nothing was suspected
  std::string notice_;             // the outcome of a trial
  std::optional<TwoAddresses> elsewhere_;
  std::optional<Time> knocked_at_;  // when the peer's beginning last made us ask whether it lives
  bool renewing_ = false;           // a new phase 1 is wanted beside the one there is
  int failures_ = 0;                // in a row
  std::optional<Time> retry_at_;
  ike::Reason reason_;          // why it is down, while it is, or was the last time
  std::set<std::string> said_;  // reasons in the log since it was last up: each is said once
  std::string evidence_;        // ICMP since the attempt began
  VersionProbe version_probe_;
  std::optional<Time> unknown_esp_at_;  // the peer sent ESP for an SA that we do not have
  std::deque<HistoryEntry> history_;
  TunnelCounts counts_;
  NegotiationTimes negotiation_;
};

}  // namespace causeway::control

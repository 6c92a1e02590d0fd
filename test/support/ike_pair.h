// Two IKE engines in one process, joined by an in-memory wire under virtual time: the main IKE test.
//
// Each side does what the control plane does with effects: it keeps inbound and outbound SAs, holds a Send
// that stands behind an InstallInbound until the SA is in, adopts successors, forgets what closed. The wire
// may lose, repeat, delay, reorder and change datagrams. With `traffic` on, both sides send a packet on
// their outbound SA at every step of time; the pair counts those that find no inbound SA on arrival.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "control/ike/ike_sa.h"

namespace causeway::test {

using ike::Time;
using Bytes = std::vector<std::uint8_t>;

// Lends randomness and SPIs, and keeps the books on both.
class PairEnvironment final : public ike::Environment {
 public:
  explicit PairEnvironment(std::uint64_t seed) : random_(seed) {}
  crypto::Random& random() override { return random_; }
  std::uint32_t allocate_spi(ike::TunnelId, ike::Resource) override;
  void release_spi(std::uint32_t spi) override;
  std::chrono::sys_seconds wall_time() override { return wall; }
  ike::ChildSlot allocate_slot() override { return next_slot_++; }

  std::set<std::uint32_t> allocated;  // not yet installed, not yet released
  bool none_left = false;
  std::chrono::sys_seconds wall{std::chrono::sys_days{std::chrono::year{2026} / 2 / 1}};

 private:
  crypto::SeededRandom random_;
  std::uint32_t next_ = 0xc0000000;
  ike::ChildSlot next_slot_ = 1000;
};

struct Side {
  Side(std::string side_name, std::uint64_t seed) : name(std::move(side_name)), env(seed) {}

  std::string name;
  PairEnvironment env;
  std::vector<std::shared_ptr<const ike::PeerSettings>> settings;  // [0] is used to initiate
  std::vector<std::unique_ptr<ike::IkeSa>> sas;
  bool answers = true;      // false: a silent host
  bool behind_nat = false;  // its datagrams come from another address and port
  conf::IpAddress nat = conf::IpAddress::from_v4(0xc6336463);  // that address: 198.51.100.99

  std::map<std::uint32_t, std::shared_ptr<const ike::ChildSa>> inbound;  // by our SPI
  struct Leaving {
    std::uint32_t spi;
    Time at;
  };
  std::vector<Leaving> leaving;  // inbound SAs in their grace time
  std::map<ike::ChildSlot, std::shared_ptr<const ike::ChildSa>> outbound;
  std::set<std::shared_ptr<const ike::ChildSa>> sent_on;  // every SA that was ever an outbound one

  // What came out, for the tests to look at.
  std::vector<ike::Reason> ike_closed, child_closed, child_failed, phase_one_lost;
  bool renew = false;  // IKEv1: another phase 1 is wanted
  std::set<const ike::IkeSa*> headless, inherited;  // IKEv1: phase 1 is gone; another one has its children
  std::vector<std::string> notices;
  int established = 0, children_established = 0, rekeyed = 0, keepalives = 0, sent = 0;
  int first_contacts = 0;  // those established for which the peer says, proven, that it has no other (INITIAL_CONTACT)
  std::vector<std::string> broken_rules;  // what the control plane may rely on and did not get

  [[nodiscard]] ike::IkeSa* ike() const;                                              // the newest one
  [[nodiscard]] std::size_t live() const { return inbound.size() - leaving.size(); }  // inbound SAs not leaving
  [[nodiscard]] bool up() const { return !sas.empty() && !outbound.empty(); }
};

// One datagram on its way.
struct InFlight {
  int number = 0;  // of all datagrams, in the order they were sent
  bool to_b = false;
  conf::Endpoint source, destination;
  Bytes bytes;  // an IKE message, without the non-ESP marker
};

// What the wire does with a datagram: one arrival for each element, so none loses it.
struct Arrival {
  Time delay{20};
  std::optional<Bytes> changed;
};
using Fate = std::vector<Arrival>;

struct PairOptions {
  std::uint64_t seed = 1;
  std::function<void(ike::PeerSettings&, bool is_b)> adjust{};  // of the default settings
  Time install_delay{0};                                        // from InstallInbound to Installed
  bool traffic = false;
  bool journal = false;  // print what happens, for the search of a bug
};

class IkePair {
 public:
  explicit IkePair(PairOptions options = {});

  Side a, b;
  std::function<Fate(const InFlight&)> wire;  // unset: everything arrives after 20 ms
  std::vector<InFlight> history;              // all that was sent
  bool renewal = true;                        // IKEv1: begin another phase 1 where one is wanted

  void start(Side& side, ike::ChildSlot child = 1);
  // Runs until nothing is in flight and no timer is due before `limit` from now, or `until` holds.
  void run(Time limit, const std::function<bool()>& until = {});
  void with(Side& side, const std::function<void(ike::IkeSa&, Time, ike::Effects&)>& action);
  void stop_traffic() { options_.traffic = false; }  // where a long wait would only cost time
  void with_all(Side& side, const std::function<void(ike::IkeSa&, Time, ike::Effects&)>& action);
  // Hands a datagram to a side now, as if it had come from the other one.
  void inject(Side& to, const Bytes& bytes);
  [[nodiscard]] Time now() const { return now_; }

  [[nodiscard]] bool both_up() const { return a.up() && b.up(); }
  [[nodiscard]] bool both_down() const { return a.sas.empty() && b.sas.empty(); }
  // Empty where both sides hold the same children with keys and SPIs crosswise equal; else what differs.
  [[nodiscard]] std::string difference() const;
  // Empty where every IKE SA is established or has a deadline, and no SPI leaked.
  [[nodiscard]] std::string stuck() const;

  std::uint64_t packets_sent = 0, packets_lost = 0;
  std::string first_loss;

 private:
  struct Event {
    Time at;
    std::uint64_t order;
    std::function<void()> action;
    bool operator>(const Event& o) const { return at != o.at ? at > o.at : order > o.order; }
  };
  void write(const Side& side, const std::string& what) const;
  void at(Time when, std::function<void()> action);
  void carry_out(Side& side, ike::Effects& effects);
  void transmit(Side& from, const ike::Send& send);
  void deliver(Side& to, const InFlight& datagram);
  void tick(Side& side);
  void traffic();
  void reap(Side& side);
  void gather(Side& side);
  Side& other(const Side& side) { return &side == &a ? b : a; }
  ike::IkeSa* find(Side& side, const ike::Datagram& datagram);

  PairOptions options_;
  Time now_{1000};
  std::uint64_t order_ = 0;
  int number_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

// Settings of a pair that agrees: side a 192.0.2.1 with 10.1.0.0/16, side b 192.0.2.2 with 10.2.0.0/16.
ike::PeerSettings pair_settings(bool is_b);

}  // namespace causeway::test

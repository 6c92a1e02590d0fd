// What a gateway has seen of one tunnel, as plain values: all that the diagnosis (engine.h) knows. Filled from the
// tunnel's state and history, the counters of its SAs in either direction, and the probes on its path
// (control/diagnosis_facts.cpp); by hand in tests. No configuration text, no log of the peer's, no test's name.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/ike/effects.h"

namespace causeway::control::diagnosis {

using Ago = std::chrono::milliseconds;  // before the moment of asking

// Packets that want an answer (TCP SYNs, ICMP echo requests), of one kind and in one direction through the tunnel.
// A reset and an ICMP error are answers, too.
struct Asked {
  std::uint64_t unanswered = 0;  // since the last answer
  std::optional<Ago> first, last;  // of these
  std::uint64_t answered = 0;      // answers in all
};

struct Traffic {
  std::uint64_t packets_in = 0, packets_out = 0;
  std::optional<Ago> last_in, last_out;
  Asked tcp_out, echo_out;  // by hosts here, of hosts behind the peer
  Asked tcp_in, echo_in;    // the other way round
  std::string asked_host;   // the last one behind the peer that was asked by TCP...
  std::uint16_t asked_port = 0;
  bool asked_host_answers_ping = false;
  std::uint64_t outside_selectors = 0;  // decrypted, but not of this SA's networks, in the last minutes
  std::string outside_source;           // one of them came from there
  bool outside_source_is_theirs = false;  // which is inside the peer's networks: then the destination is not
  std::uint64_t no_neighbor = 0, no_route = 0;  // decrypted, and nowhere to go, in the last minutes
  std::uint64_t no_child = 0;                   // for a part of the networks that no child carries
};

struct Path {
  bool native = false;         // ESP as IP protocol 50
  bool esp_ever_in = false;    // of this peer, on any SA
  bool liveness = false;       // IKE was answered in the last minute
  std::string probe_host;      // behind the peer, which is asked through the tunnel; empty: none
  bool probe_configured = false;  // it is known to answer: `probe_host` in the configuration
  bool probe_answered = false, probe_silent = false;  // the last question was, or was not for three times
  bool switched_to_udp = false;   // after a trial which showed that UDP passes
  bool trial_failed = false;      // UDP does not pass either
  std::uint16_t found = 0, most = 0;  // octets: what large probes found the path to carry, and what the port takes
  std::uint16_t mss = 0;              // what TCP is held to
  std::string ike_from, esp_from;     // where each comes from, if these are two addresses
};

struct Failure {  // why it is down, or what the peer refused last while it is up
  ike::Cause cause = ike::Cause::none;
  ike::Symptom symptom = ike::Symptom::none;
  std::string text, ours, theirs;
};

struct Fall {  // it was up, and is not any more
  Ago at{0};
  std::chrono::milliseconds up{0};    // for so long
  std::chrono::milliseconds idle{0};  // since the last ESP of the peer
  ike::Cause cause = ike::Cause::none;
  ike::Symptom symptom = ike::Symptom::none;
};

struct Pair {
  std::string name, what;  // "10.1.0.0/16 === 10.2.0.0/16"
  bool up = false;
};

struct Facts {
  // --- configured ---
  std::string tunnel, cloud;
  std::string peer;      // address, or name
  std::string local;     // the address we send from
  std::string local_id;  // how we call ourselves
  bool local_id_private = false;  // an address that is not routed on the Internet (RFC 1918, RFC 6598)
  int version = 2;
  bool pairs = false;       // one child for each pair of networks
  bool begins = true;       // this side may begin, and does so by itself
  std::int64_t esp_lifetime_s = 0, ike_lifetime_s = 0;
  // --- how it is ---
  bool up = false, taken_down = false, connecting = false;
  std::string stage;  // while connecting
  bool nat_us = false, nat_peer = false;  // as last seen
  std::uint64_t attempts = 0, by_us = 0, by_peer = 0;  // begun by us; established, by who began
  std::uint64_t knocks = 0;    // begun by the peer although that is ours to do
  std::string icmp;            // the last ICMP error about our packets since the attempt began
  Failure failure;
  std::vector<std::string> narrowed;  // what the peer left out of the networks
  std::vector<Pair> wanted;           // children as configured
  std::uint64_t dpd_sent = 0, retransmitted = 0;
  Traffic traffic;
  Path path;
  std::vector<Fall> falls;  // of the last hours, newest last; those by command left out
};

}  // namespace causeway::control::diagnosis

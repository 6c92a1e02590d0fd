#include "control/diagnosis/rules.h"

#include <algorithm>
#include <array>

namespace causeway::control::diagnosis {
namespace {

using enum ike::Symptom;
using ike::Symptom;

constexpr std::uint64_t kEnough = 3;  // questions without an answer, before silence means anything
constexpr Ago kPatience{1500};        // for the answer to the last of them
constexpr std::size_t kOften = 2;     // falls, before there is a pattern to look for

bool down(const Facts& f, Symptom s) { return !f.up && !f.taken_down && f.failure.symptom == s; }

// --- traffic ----------------------------------------------------------------------------------------------------

bool waits(const Asked& a) { return a.unanswered >= kEnough && a.first && *a.first >= kPatience; }

// Nothing of the other side since the first of these questions (times are those of a look, a second apart).
bool silent_since(const Asked& a, const std::optional<Ago>& last) { return waits(a) && (!last || *last >= *a.first); }

bool asks_into_silence(const Facts& f) {
  const Traffic& t = f.traffic;
  return f.up && (silent_since(t.tcp_out, t.last_in) || silent_since(t.echo_out, t.last_in));
}

bool is_asked_in_vain(const Facts& f) {
  const Traffic& t = f.traffic;
  return f.up && (silent_since(t.tcp_in, t.last_out) || silent_since(t.echo_in, t.last_out));
}

bool outside_theirs(const Facts& f) {
  return f.up && f.traffic.outside_selectors >= kEnough && !f.traffic.outside_source.empty() &&
         !f.traffic.outside_source_is_theirs;
}

// What comes in passes, so only some of what is asked for is kept back.
bool ports_closed(const Facts& f) { return f.up && waits(f.traffic.tcp_out) && !asks_into_silence(f); }

bool swallows_large(const Facts& f) { return f.up && f.path.found != 0 && f.path.found + 8U < f.path.most && f.path.found < 1280; }

// --- ESP and its path ---------------------------------------------------------------------------------------------

bool no_esp_in(const Facts& f) {
  const Path& p = f.path;
  return f.up && p.native && !f.nat_us && !f.nat_peer && !p.esp_ever_in && p.liveness && p.probe_configured &&
         p.probe_silent && !p.trial_failed && f.traffic.packets_out >= kEnough;
}

// --- up and down ----------------------------------------------------------------------------------------------------

std::size_t falls(const Facts& f, std::initializer_list<Symptom> of) {
  return static_cast<std::size_t>(std::ranges::count_if(f.falls, [&](const Fall& fall) {
    return std::ranges::find(of, fall.symptom) != of.end();
  }));
}

bool after(std::chrono::milliseconds up, std::int64_t lifetime_s) {  // give or take an eighth
  const auto end = std::chrono::seconds(lifetime_s);
  return lifetime_s > 0 && up >= end - end / 8 && up <= end + end / 8;
}

bool at_rekey(const Facts& f) {
  if (f.falls.size() < kOften) return false;
  if (falls(f, {expired, other_pfs, esp_or_pfs, other_esp}) >= kOften) return true;
  return std::ranges::all_of(f.falls, [&](const Fall& fall) { return after(fall.up, f.esp_lifetime_s); }) ||
         std::ranges::all_of(f.falls, [&](const Fall& fall) { return after(fall.up, f.ike_lifetime_s); });
}

bool by_loss(const Facts& f) { return !at_rekey(f) && falls(f, {dead, silent}) >= kOften; }

// The peer closed it each time after some quiet, which lasted for most of the time that it was up.
bool when_idle(const Facts& f) {
  if (at_rekey(f) || falls(f, {deleted}) < kOften) return false;
  return std::ranges::all_of(f.falls, [](const Fall& fall) {
    return fall.symptom != deleted || (fall.idle >= std::chrono::seconds(3) && fall.idle * 2 >= fall.up);
  });
}

bool on_and_off(const Facts& f) { return f.falls.size() > kOften && !at_rekey(f) && !by_loss(f) && !when_idle(f); }

bool pairs_missing(const Facts& f) {
  const auto up = std::ranges::count_if(f.wanted, &Pair::up);
  return f.wanted.size() > 1 && up > 0 && static_cast<std::size_t>(up) < f.wanted.size() &&
         f.failure.symptom == other_selectors;
}

// A child that was refused where the same one had been up until a rekey of it was: IKE_AUTH has no PFS, all else does.
bool only_pfs_differs(const Facts& f) {
  if (f.failure.symptom == other_pfs) return true;
  return f.failure.symptom == esp_or_pfs && !f.falls.empty() && f.falls.back().symptom == other_pfs;
}

// --- who begins -----------------------------------------------------------------------------------------------------

bool waits_for_traffic(const Facts& f) {
  if (f.up || f.taken_down || f.connecting) return false;
  return f.failure.symptom == none && f.failure.cause == ike::Cause::none && !f.begins && f.by_peer == 0;
}

bool answers_only_its_own(const Facts& f) { return down(f, silent) && f.by_peer > 0 && f.by_us == 0; }

bool inside_address(const Facts& f) {
  const Symptom s = f.failure.symptom;
  return !f.up && f.nat_us && f.local_id_private && (s == authentication_refused || s == identity_refused || s == unproven);
}

const std::array kRules = {
    // 1. It does not come up: the stage that it got to, and what was said there.
    Rule{"A1", "a1", [](const Facts& f) { return down(f, holds_old_sas); }, {"ev.reason", "ev.unknown_esp"}, {}, {}},
    Rule{"A2", "a2", inside_address, {"ev.reason", "ev.nat", "ev.local_id"}, {"D3"}, {"D1", "D3"}},
    Rule{"D1", "d1", [](const Facts& f) { return down(f, other_key); }, {"ev.reason", "ev.algorithms_agreed"}, {}, {}},
    Rule{"D1", "d1.silent", [](const Facts& f) { return down(f, unproven) && f.version == 1; },
         {"ev.reason", "ev.seen_4500", "ev.local_id"}, {"D3"}, {}},
    Rule{"D2", "d2.version", [](const Facts& f) { return down(f, other_version); }, {"ev.reason", "ev.probe_version"}, {}, {}},
    Rule{"D2", "d2.algorithms", [](const Facts& f) { return down(f, other_algorithms); }, {"ev.reason", "ev.offers"}, {}, {}},
    Rule{"D2", "d2.refused", [](const Facts& f) { return down(f, refused_first); }, {"ev.reason", "ev.offers"}, {}, {}},
    Rule{"D3", "d3.mode", [](const Facts& f) { return down(f, other_mode); }, {"ev.reason"}, {}, {}},
    Rule{"D3", "d3.identity", [](const Facts& f) { return down(f, identity_refused); }, {"ev.reason", "ev.local_id"}, {}, {}},
    Rule{"D3", "d3.v2", [](const Facts& f) { return down(f, authentication_refused); }, {"ev.reason", "ev.local_id"}, {}, {}},
    Rule{"D3", "d3.silent", [](const Facts& f) { return down(f, unproven) && f.version == 2; },
         {"ev.reason", "ev.local_id"}, {"D5"}, {}},
    Rule{"D4", "d4", [](const Facts& f) { return down(f, other_identity); }, {"ev.reason", "ev.ids", "ev.nat_peer"}, {}, {}},
    Rule{"F2", "f2.peer_begins", answers_only_its_own, {"ev.reason", "ev.by_peer", "ev.icmp"}, {"D5"}, {"D5"}},
    Rule{"D5", "d5.4500", [](const Facts& f) { return down(f, silent_4500); }, {"ev.reason", "ev.nothing_4500", "ev.icmp", "ev.two_addresses"},
         {"D3"}, {}},
    Rule{"D5", "d5.large", [](const Facts& f) { return down(f, key_exchange_lost); }, {"ev.reason", "ev.icmp"}, {}, {}},
    Rule{"D5", "d5", [](const Facts& f) { return down(f, silent); },
         {"ev.reason", "ev.icmp", "ev.no_icmp", "ev.two_addresses"}, {}, {}},
    Rule{"D5", "d5.dead", [](const Facts& f) { return down(f, dead); }, {"ev.reason", "ev.icmp", "ev.two_addresses"}, {}, {}},
    Rule{"D6", "d6", [](const Facts& f) { return down(f, unknown_address); }, {"ev.reason", "ev.local"}, {}, {}},
    Rule{"F8", "f8", pairs_missing, {"ev.pairs", "ev.reason"}, {}, {"D7", "D11"}},
    Rule{"D7", "d7", [](const Facts& f) { return down(f, other_selectors); }, {"ev.reason", "ev.offers"}, {}, {}},
    Rule{"D8", "d8.aggressive", [](const Facts& f) { return down(f, aggressive_hash); }, {"ev.reason", "ev.algorithms_agreed"}, {}, {}},
    Rule{"D8", "d8.quick", [](const Facts& f) { return down(f, quick_hash); }, {"ev.reason", "ev.phase1_good"}, {}, {}},

    // 2. It comes up, and does not stay.
    Rule{"F3", "f3.rekey", at_rekey, {"ev.falls", "ev.last_fall", "ev.reason"}, {}, {"D5", "D9", "D10"}},
    Rule{"F3", "f3.loss", by_loss, {"ev.falls", "ev.dpd"}, {}, {"D5"}},
    Rule{"F3", "f3.idle", when_idle, {"ev.falls", "ev.idle"}, {}, {}},
    Rule{"F3", "f3", on_and_off, {"ev.falls", "ev.last_fall"}, {}, {}},

    // 3. Phase 2 is refused, at first or at a rekey.
    Rule{"D10", "d10", [](const Facts& f) { return !f.taken_down && only_pfs_differs(f); },
         {"ev.reason", "ev.offers", "ev.still_up"}, {}, {}},
    Rule{"D9", "d9", [](const Facts& f) { return !f.taken_down && f.failure.symptom == other_esp; },
         {"ev.reason", "ev.offers", "ev.phase1_good"}, {}, {}},
    Rule{"D9", "d9.or_pfs", [](const Facts& f) { return !f.taken_down && f.failure.symptom == esp_or_pfs && !only_pfs_differs(f); },
         {"ev.reason", "ev.offers", "ev.phase1_good"}, {"D10"}, {}},

    // 4. Nobody begins.
    Rule{"F2", "f2", waits_for_traffic, {"ev.never_heard"}, {}, {}},

    // 5. It is up, and something does not pass.
    Rule{"L1", "l1.addresses", [](const Facts& f) { return f.up && !f.path.esp_from.empty(); },
         {"ev.two_addresses", "ev.counts", "ev.liveness"}, {}, {}},
    Rule{"L1", "l1.switched", [](const Facts& f) { return f.up && f.path.switched_to_udp; }, {"ev.esp_trial"}, {}, {}},
    Rule{"L1", "l1", no_esp_in, {"ev.counts", "ev.liveness", "ev.probe_silent"}, {}, {"F5", "A4", "F7"}},
    Rule{"D11", "d11", [](const Facts& f) { return f.up && !f.narrowed.empty(); }, {"ev.narrowed", "ev.no_child"}, {}, {}},
    Rule{"F6", "f6", outside_theirs, {"ev.outside", "ev.counts"}, {}, {"F4", "F5", "A4", "F7"}},
    Rule{"F4", "f4.neighbor", [](const Facts& f) { return is_asked_in_vain(f) && f.traffic.no_neighbor + f.traffic.no_route > 0; },
         {"ev.asked_in", "ev.nowhere", "ev.counts"}, {}, {}},
    Rule{"F4", "f4", [](const Facts& f) { return is_asked_in_vain(f) && f.traffic.no_neighbor + f.traffic.no_route == 0; },
         {"ev.asked_in", "ev.counts"}, {}, {}},
    Rule{"A4", "a4", [](const Facts& f) { return asks_into_silence(f) && f.cloud == "aliyun"; },
         {"ev.asked_out", "ev.counts", "ev.liveness", "ev.probe_answered", "ev.probe_silent"}, {}, {}},
    Rule{"F5", "f5", [](const Facts& f) { return asks_into_silence(f) && f.cloud != "aliyun"; },
         {"ev.asked_out", "ev.counts", "ev.liveness", "ev.probe_answered", "ev.probe_silent"}, {}, {}},
    Rule{"F7", "f7.ports", [](const Facts& f) { return ports_closed(f) && f.traffic.asked_host_answers_ping; },
         {"ev.syn", "ev.echo", "ev.counts"}, {}, {}},
    Rule{"F7", "f7.maybe", [](const Facts& f) { return ports_closed(f) && !f.traffic.asked_host_answers_ping; },
         {"ev.syn", "ev.counts"}, {"F5"}, {}},
    Rule{"F7", "f7.large", swallows_large, {"ev.path", "ev.counts"}, {}, {}},
};

}  // namespace

std::span<const Rule> rules() { return kRules; }

}  // namespace causeway::control::diagnosis
